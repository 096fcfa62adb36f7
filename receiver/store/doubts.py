"""Queries for rows that seem damaged (`SqlStore.put_right` repairs them), and for damage not reported yet.

Reached as `Reads.doubts`, on the readers' threads and connections.
"""

from typing import Any

from sqlalchemy import Row

from receiver.core.model import Instant
from receiver.errors import RowUnreadable
from receiver.store import codec
from receiver.store.database import Database

_UNTOLD = "SELECT what, id, why FROM set_aside WHERE NOT told ORDER BY what, id LIMIT :limit"
_LIVE = """
SELECT * FROM incidents WHERE number > :after
AND number IN (SELECT number FROM incidents WHERE coalesce(state, '') NOT IN ('closed', 'set_aside'))
ORDER BY number LIMIT :limit
"""  # includes rows with an unknown state
_ABSURD = """
SELECT n.id FROM notifications n JOIN incidents i ON i.id = n.incident_id
WHERE i.state IN ('open', 'acknowledged', 'resolved') AND n.status = 'waiting'
AND (n.due_at IS NULL OR n.due_at > n.give_up_at + :slack) LIMIT :limit
"""


class Doubts:
    """Read-only queries. All raise StoreUnavailable when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def untold(self, limit: int) -> list[tuple[str, str, str]]:
        """Damaged rows that have not been reported to a person: table, id, what was done."""
        return [(row.what, row.id, row.why) for row in self._database.rows(_UNTOLD, limit=limit)]

    def notifications(self, limit: int) -> list[str]:
        """Ids of waiting notifications without a due time, or with one long after their deadline."""
        rows = self._database.rows(_ABSURD, slack=codec.POSTPONED, limit=limit)
        return [row.id for row in rows]

    def incidents(self, now: Instant, after: int, limit: int) -> tuple[list[str], int | None]:
        """Ids of unreadable or contradictory ones among the next incidents that are not closed.

        Also the number to continue after; None: these were the last.
        """
        rows = self._database.rows(_LIVE, after=after, limit=limit)
        return [row.id for row in rows if _is_doubtful(row, now)], rows[-1].number if len(rows) == limit else None


def _is_doubtful(row: Row[Any], now: Instant) -> bool:
    try:
        return codec.contradicts(row, codec.read_incident(row.doc, row.id), now)
    except RowUnreadable:
        return True
