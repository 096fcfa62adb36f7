"""The audit log: what people did, in rows that are chained by hashes, so that no row changes or goes unnoticed.

A row's hash is made of the row and the hash before it; the head (its position and hash, in `meta`) says where the
log ends. Rules: rows are only appended, in the transaction of what they tell; the head is locked last, so that
replicas wait for each other as shortly as can be. Who can write to the database can write the whole chain anew:
against that, keep a head elsewhere now and then, and verify with it (docs/threat-model.md).
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


class AuditBroken(TocsinError):  # noqa: N818 - a finding, not a mistake
    """The audit log was changed."""


def append(session: Session, audits: Sequence[Audit]) -> None:
    """Chain these to the log; called last in a transaction, because it waits for whoever appends."""
    last, link = _lock_head(session)
    rows = []
    for position, audit in enumerate(audits, last + 1):
        row = _row(position, audit)
        link = _chain(link, row)
        rows.append((*row, link))
    session.insert(schema.audit, rows)
    session.run(_SET_HEAD, {"value": f"{last + len(rows)} {link}"})


def _lock_head(session: Session) -> tuple[int, str]:
    """Where the log ends; at its last row, where the head cannot be read: that must keep nobody from acknowledging."""
    try:
        return read_head(session.rows(_LOCK_HEAD)[0].value)
    except RowUnreadable as error:
        log.error("a row of the database is damaged", what=str(error))
        rows = session.rows(_NEWEST, before=1 << 62, limit=1)
        return (rows[0].position, rows[0].hash) if rows else (0, "")


def seen(session: Session, references: Collection[str]) -> set[str]:
    """Those of the references that stand in the log already."""
    return {row.reference for row in session.rows(_SEEN, references=list(references))}


def head(database: Database) -> str:
    """Where the log ends, ``POSITION:HASH``, as it says itself; only `verify` proves it.

    Empty: nothing is in it, or where it ends cannot be read.
    """
    with database.read() as connection:
        value = Session(connection).rows(_HEAD)[0].value
    try:
        position, link = read_head(value)
    except RowUnreadable as error:
        log.error("a row of the database is damaged", what=str(error))
        return ""
    return f"{position}:{link}" if position else ""


def verify(database: Database, known: tuple[int, str] | None = None) -> tuple[int, str]:
    """Check every row; returns the head: position and hash. `known` is a head of earlier, kept elsewhere.

    Raises AuditBroken with the first row that is not as it was written.
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
    with database.read() as connection:
        rows = Session(connection).rows(_NEWEST, before=before or (1 << 62), limit=limit)
        return [(row.position, _read(row)) for row in rows]


def about_evidence(database: Database) -> dict[str, list[Audit]]:
    """What people did with evidence files, by the incident's id, in order."""
    found: dict[str, list[Audit]] = {}
    with database.read() as connection:
        for row in Session(connection).rows(_ABOUT_EVIDENCE):
            audit = _read(row)
            found.setdefault(audit.incident.partition(" ")[2], []).append(audit)
    return found


def _rows(session: Session) -> Iterator[Row[Any]]:
    position = -1
    while rows := session.rows(_AFTER, position=position, limit=_AT_A_TIME):
        yield from rows
        position = rows[-1].position


def _row(position: int, audit: Audit) -> tuple[Any, ...]:
    """A row without its hash; PostgreSQL takes no NUL in a text."""
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
    """An entry whose words cannot be read is shown all the same; `verify` says whether it was changed."""
    try:
        return dict(orjson.loads(data))  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return {"damaged": "what the database holds of this entry's words cannot be read"}
