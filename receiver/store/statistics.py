"""Statistics over many incidents, computed by the database. Used by `Reads.tallies`."""

from dataclasses import dataclass

from receiver.core.model import Instant
from receiver.store.session import Session

# Incidents may be acknowledged and resolved repeatedly: the first acknowledgement and the last resolve count. An
# acknowledgement that was undone does not count (`receiver.core.undo`).
_TALLIES = """
SELECT level, type, exercise, count(*) AS incidents,
    count(acknowledged) AS acknowledged, avg(acknowledged - opened_at) AS to_acknowledge,
    count(resolved) AS resolved, avg(resolved - opened_at) AS to_resolve,
    count(breached) AS breached,
    sum(CASE WHEN breached IS NULL AND (acknowledged IS NOT NULL OR finished IS NOT NULL) THEN 1 ELSE 0 END) AS kept
FROM (
    SELECT i.level, i.type, i.exercise, i.opened_at,
        min(CASE WHEN e.fact = 'acknowledged' AND coalesce((
            SELECT n.fact FROM entries n
            WHERE n.incident_id = e.incident_id AND n.position > e.position AND n.fact IN ('acknowledged', 'ack_undone')
            ORDER BY n.position LIMIT 1
        ), '') <> 'ack_undone' THEN e.at END) AS acknowledged,
        max(CASE WHEN e.fact = 'resolved' AND i.state IN ('resolved', 'closed') THEN e.at END) AS resolved,
        min(CASE WHEN e.fact = 'resolved' AND e."by" <> '' THEN e.at END) AS finished,
        min(CASE WHEN e.fact = 'breached' THEN e.at END) AS breached
    FROM incidents i
    LEFT JOIN entries e ON e.incident_id = i.id
        AND e.fact IN ('acknowledged', 'resolved', 'breached', 'recorded', 'opened')
    WHERE i.opened_at >= :since AND i.opened_at < :until
    GROUP BY i.number, i.level, i.type, i.exercise, i.opened_at
    -- What was only recorded is nobody's work: it opened, if it did, by an alert that has a level.
    HAVING count(CASE WHEN e.fact = 'recorded' THEN 1 END) = 0 OR count(CASE WHEN e.fact = 'opened' THEN 1 END) > 0
) AS incident
GROUP BY level, type, exercise
ORDER BY exercise, level DESC, type
"""


@dataclass(frozen=True, slots=True)
class Tally:
    """Figures for one level, type and kind (real or exercise); times are means, in microseconds."""

    level: int
    type: str
    exercise: bool
    incidents: int
    acknowledged: int
    to_acknowledge: int | None
    """From the opening to the first acknowledgement; None: none is acknowledged."""
    resolved: int
    to_resolve: int | None
    """From the opening to the last resolve; None: none is resolved."""
    kept: int
    """Acknowledged, or resolved by a person, without a breach; what recovers by itself needs no answer."""
    breached: int


def tallies(session: Session, since: Instant, until: Instant) -> list[Tally]:
    """Incidents opened from `since` to `until` (excluded), real ones first, the highest level first."""
    return [
        Tally(
            level=row.level,
            type=row.type,
            exercise=bool(row.exercise),
            incidents=row.incidents,
            acknowledged=row.acknowledged,
            to_acknowledge=None if row.to_acknowledge is None else round(row.to_acknowledge),
            resolved=row.resolved,
            to_resolve=None if row.to_resolve is None else round(row.to_resolve),
            kept=int(row.kept),
            breached=row.breached,
        )
        for row in session.rows(_TALLIES, since=since, until=until)
    ]
