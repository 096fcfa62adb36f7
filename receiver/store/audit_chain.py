"""The audit log: people's actions, in rows chained by hashes, so that a changed or deleted row is detected.

A row's hash covers the row and the previous hash; the head in `meta` holds position and hash of the last row. Rules:
rows are only appended, in the transaction of the action; the head is locked last, so that replicas wait for each other
briefly. Write access to the database allows rewriting the whole chain: to detect that, keep a head elsewhere and verify
against it (docs/threat-model.md).
"""

from collections.abc import Collection, Iterator, Sequence
from hashlib import sha256
from typing import Any

import orjson
import structlog
from sqlalchemy import Row

from receiver.core.audit_log import Audit
from receiver.core.model import Instant
from receiver.errors import RowUnreadable, TocsinError
from receiver.store import schema
from receiver.store.codec import read_head, to_json
from receiver.store.database import Database
from receiver.store.session import Session

_LOCK_HEAD = "SELECT value FROM meta WHERE name = 'audit_head' FOR UPDATE"
_SET_HEAD = "UPDATE meta SET value = :value WHERE name = 'audit_head'"
_HEAD = "SELECT value FROM meta WHERE name = 'audit_head'"
_SEEN = "SELECT reference FROM audit WHERE reference = ANY(:references)"
_AFTER = "SELECT * FROM audit WHERE position > :position ORDER BY position LIMIT :limit"
_NEWEST = "SELECT * FROM audit WHERE position < :before ORDER BY position DESC LIMIT :limit"

_ABOUT_EVIDENCE = """
SELECT * FROM audit WHERE action IN ('attachfile', 'redactfile') AND outcome = 'done' ORDER BY position
"""

_AT_A_TIME = 1000

log = structlog.get_logger()


class AuditBroken(TocsinError):  # noqa: N818 - a result of a check, not an error
    """The audit log was changed."""


def append(session: Session, audits: Sequence[Audit]) -> None:
    """Append entries to the log; the last write of a transaction, because it waits for other appenders."""
    last, link = _lock_head(session)
    rows = []
    for position, audit in enumerate(audits, last + 1):
        row = _row(position, audit)
        link = _chain(link, row)
        rows.append((*row, link))
    session.insert(schema.audit, rows)
    session.run(_SET_HEAD, {"value": f"{last + len(rows)} {link}"})


def _lock_head(session: Session) -> tuple[int, str]:
    """Lock and read the head; if it is unreadable, use the last row: acknowledging must not depend on the head."""
    try:
        return read_head(session.rows(_LOCK_HEAD)[0].value)
    except RowUnreadable as error:
        log.error("a row of the database is damaged", what=str(error))
        rows = session.rows(_NEWEST, before=1 << 62, limit=1)
        return (rows[0].position, rows[0].hash) if rows else (0, "")


def seen(session: Session, references: Collection[str]) -> set[str]:
    """Those of the references that are in the log."""
    return {row.reference for row in session.rows(_SEEN, references=list(references))}


def head(database: Database) -> str:
    """The stored head, ``POSITION:HASH``, unverified (`verify` checks it). Empty: no entries, or it is unreadable."""
    value = database.rows(_HEAD)[0].value
    try:
        position, link = read_head(value)
    except RowUnreadable as error:
        log.error("a row of the database is damaged", what=str(error))
        return ""
    return f"{position}:{link}" if position else ""


def verify(database: Database, known: tuple[int, str] | None = None) -> tuple[int, str]:
    """Check every row; returns position and hash of the last. `known`: an earlier head, kept elsewhere.

    Raises AuditBroken with the first row that was changed.
    """
    position, link = 0, ""
    with database.read() as connection:
        session = Session(connection)
        end = session.rows(_HEAD)[0].value
        for row in _rows(session):
            position += 1
            if row.position != position:
                raise AuditBroken(f"entry {position} of the audit log is missing")
            link = _chain(link, tuple(row)[:-1])
            if row.hash != link:
                raise AuditBroken(f"entry {position} of the audit log, or its hash, was changed")
            if known is not None and known[0] == position and known[1] != link:
                raise AuditBroken(f"entry {position} of the audit log is not the one that was noted")
    if f"{position} {link}" != end and (position or end != "0 "):
        raise AuditBroken(f"the audit log ends at entry {position}, and should at {str(end).partition(' ')[0][:20]}")
    if known is not None and known[0] > position:
        raise AuditBroken(f"the audit log ends at entry {position}; entry {known[0]} was noted")
    return position, link


def newest(database: Database, limit: int, before: int | None = None) -> list[tuple[int, Audit]]:
    """The newest entries with their positions, the newest first."""
    rows = database.rows(_NEWEST, before=before or (1 << 62), limit=limit)
    return [(row.position, _read(row)) for row in rows]


def about_evidence(database: Database) -> dict[str, list[Audit]]:
    """Actions on evidence files by incident id, in order."""
    found: dict[str, list[Audit]] = {}
    for row in database.rows(_ABOUT_EVIDENCE):
        audit = _read(row)
        found.setdefault(audit.incident.partition(" ")[2], []).append(audit)
    return found


def _rows(session: Session) -> Iterator[Row[Any]]:
    position = -1
    while rows := session.rows(_AFTER, position=position, limit=_AT_A_TIME):
        yield from rows
        position = rows[-1].position


def _row(position: int, audit: Audit) -> tuple[Any, ...]:
    """A row without its hash; without NUL characters, which PostgreSQL rejects."""
    words = (audit.who, audit.via, audit.address, audit.action, audit.incident, audit.outcome, to_json(audit.data))
    return (position, audit.at, *(word.replace("\0", "") for word in words), audit.reference or None)


def _chain(link: str, row: tuple[Any, ...]) -> str:
    return sha256(link.encode() + orjson.dumps(row)).hexdigest()


def _read(row: Row[Any]) -> Audit:
    return Audit(
        at=Instant(row.at),
        who=row.who,
        via=row.via,
        address=row.address,
        action=row.action,
        incident=row.incident,
        outcome=row.outcome,
        data=_words(row.data),
        reference=row.reference or "",
    )


def _words(data: object) -> dict[str, Any]:
    """An entry's data; a note if it is unreadable, so that the entry is still shown. `verify` detects changes."""
    try:
        return dict(orjson.loads(data))  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return {"damaged": "what the database holds of this entry's words cannot be read"}
