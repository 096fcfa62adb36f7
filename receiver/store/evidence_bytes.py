"""The content of evidence files: received in chunks, stored by incident and SHA-256, deleted, and verified.

It is stored in the database, so that every replica has it and every backup contains it (docs/decisions/0034). An upload
belongs to no incident until a decision keeps it, and is deleted after an hour. Stored content is never rewritten.
"""

import shutil
from collections.abc import Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from hashlib import sha256
from pathlib import Path

from receiver.core.audit_log import Audit
from receiver.core.model import FileChange, Incident, Instant
from receiver.core.response import EvidenceFile
from receiver.store.session import Session

ROOM = 64 << 20
"""Bytes of disk that uploads leave free beside a SQLite database: storing alerts has priority."""

_BEGIN = "INSERT INTO evidence_uploads (upload, begun_at) VALUES (:upload, :now)"
_ADD = "INSERT INTO evidence_chunks (upload, position, content) VALUES (:upload, :position, :content)"
_KEEP = """
INSERT INTO evidence_files (incident_id, sha256, upload)
SELECT :incident_id, :sha256, upload FROM evidence_uploads WHERE upload = :upload
ON CONFLICT DO NOTHING
"""
_KEPT = "DELETE FROM evidence_uploads WHERE upload IN (SELECT upload FROM evidence_files WHERE upload = :upload)"
_UPLOAD = "SELECT upload FROM evidence_files WHERE incident_id = :incident_id AND sha256 = :sha256"
_PENDING = "SELECT upload FROM evidence_uploads WHERE upload = :upload"
_STALE = "SELECT upload FROM evidence_uploads WHERE begun_at < :before"
_CHUNK = "SELECT content FROM evidence_chunks WHERE upload = :upload AND position = :position"
_DROP = (
    "DELETE FROM evidence_chunks WHERE upload = ANY(:uploads)",
    "DELETE FROM evidence_uploads WHERE upload = ANY(:uploads)",
    "DELETE FROM evidence_files WHERE upload = ANY(:uploads)",
)
_OF_INCIDENTS = "SELECT upload FROM evidence_files WHERE incident_id = ANY(:ids)"


def has_room(file: Path | None, size: int) -> bool:
    """Whether `size` bytes fit beside a SQLite file with ROOM left for alerts; true for other databases."""
    try:
        return file is None or shutil.disk_usage(file.absolute().parent).free >= size + ROOM
    except OSError:
        return True  # a later write reports the error


def add_chunk(session: Session, upload: str, position: int, content: bytes, now: Instant) -> None:
    """Store a chunk of an upload; position 0 begins it."""
    if position == 0:
        session.run(_BEGIN, {"upload": upload, "now": now})
    session.run(_ADD, {"upload": upload, "position": position, "content": content})


def drop_uploads(session: Session, uploads: Collection[str]) -> None:
    """Delete uploads; on SQLite their bytes in the file are overwritten."""
    if not uploads:
        return
    with session.erasing():
        for statement in _DROP:
            session.run(statement, {"uploads": sorted(uploads)})


def drop_pending(session: Session, upload: str) -> None:
    """Delete an upload, unless it belongs to an incident."""
    drop_uploads(session, [row.upload for row in session.rows(_PENDING, upload=upload)])


def drop_stale(session: Session, before: Instant) -> None:
    """Delete uploads begun before then that belong to no incident."""
    drop_uploads(session, [row.upload for row in session.rows(_STALE, before=before)])


def drop_of_incidents(session: Session, ids: Collection[str]) -> None:
    """Delete all evidence of these incidents."""
    drop_uploads(session, [row.upload for row in session.rows(_OF_INCIDENTS, ids=list(ids))])


def apply(session: Session, incident_id: str, change: FileChange) -> bool:
    """Attach an upload to an incident, or delete a file's content. False: the upload does not exist."""
    known = find_upload(session, incident_id, change.sha256)
    if not change.upload:
        drop_uploads(session, [known] if known else [])
        return True
    if known is None:
        row = {"incident_id": incident_id, "sha256": change.sha256, "upload": change.upload}
        session.run(_KEEP, row)
        session.run(_KEPT, row)
        return find_upload(session, incident_id, change.sha256) is not None
    drop_uploads(session, [change.upload])  # the incident has the same content already
    return True


def find_upload(session: Session, incident_id: str, digest: str) -> str | None:
    """The upload with a file's content; None: there is none."""
    rows = session.rows(_UPLOAD, incident_id=incident_id, sha256=digest)
    return rows[0].upload if rows else None


def read_chunk(session: Session, upload: str, position: int) -> bytes | None:
    """A chunk of an upload's content; None: past its end."""
    rows = session.rows(_CHUNK, upload=upload, position=position)
    return bytes(rows[0].content) if rows else None


def is_whole(session: Session, incident_id: str, digest: str) -> bool:
    """Whether a file's content exists and matches its hash. Reads all of it, chunk by chunk."""
    upload = find_upload(session, incident_id, digest)
    found, position = sha256(), 0
    while upload is not None and (content := read_chunk(session, upload, position)) is not None:
        found.update(content)
        position += 1
    return upload is not None and found.hexdigest() == digest


def problems(session: Session, incident: Incident, said: Sequence[Audit]) -> Iterator[str]:
    """Problems of an incident's evidence files. `said`: the audit log's entries about them, in order."""
    files = incident.response.files
    attached = [each.data.get("sha256", "") for each in said if each.action == "attachfile"]
    redacted = {each.data.get("file", "") for each in said if each.action == "redactfile"}
    number = f"incident #{incident.number}"
    if attached != [each.sha256 for each in files]:
        yield f"{number}: its evidence files are not those that the audit log says were attached"
    for digest in dict.fromkeys(each.sha256 for each in files):
        same = [each for each in files if each.sha256 == digest]
        yield from (f"{number}: {each}" for each in _faults(session, incident.id, same, redacted))


def _faults(
    session: Session, incident_id: str, same: Sequence[EvidenceFile], redacted: AbstractSet[str]
) -> Iterator[str]:
    """Problems of the files that share one content."""
    names = ", ".join(f"{each.id} ({each.name})" for each in same)
    first = same[0]
    if first.redacted_at is not None:
        if not redacted & {each.id for each in same}:
            yield f"the content of {names} is marked as removed, and the audit log knows nothing of that"
        if find_upload(session, incident_id, first.sha256) is not None:
            yield f"the content of {names} was removed, and is there all the same"
    elif not is_whole(session, incident_id, first.sha256):
        missing = find_upload(session, incident_id, first.sha256) is None
        what = "is missing" if missing else f"was changed: its SHA-256 is not {first.sha256} any more"
        yield f"the content of {names} {what}"
