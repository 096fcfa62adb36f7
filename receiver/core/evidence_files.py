"""Evidence files of an incident, and legal holds, under which none of its data is deleted.

The record of a file is never deleted. A redaction deletes its bytes and keeps the hash, who attached it and why it was
removed; under a legal hold it is refused. The store keeps the bytes by incident and SHA-256; this module decides on
the records.
"""

import unicodedata

from msgspec.structs import replace

from receiver.core.draft import Draft, RefusedError
from receiver.core.events import AttachFile, PlaceHold, RedactFile, ReleaseHold
from receiver.core.model import Fact, FileChange, Incident
from receiver.core.response import EvidenceFile, LegalHold

MOST_FILES = 100
"""Maximum files of an incident; with the size limit of each, this bounds its storage."""

LONGEST_NAME = 120
"""Maximum characters of a file's name."""

_RESERVED = frozenset('<>:"|?*')
"""Characters that some system forbids in a file's name. Control and invisible characters are removed separately."""


def record(draft: Draft, action: AttachFile | RedactFile | PlaceHold | ReleaseHold) -> None:
    """Carry out an action on evidence. Raises RefusedError."""
    match action:
        case AttachFile():
            _attach(draft, action)
        case RedactFile():
            _redact(draft, action)
        case PlaceHold():
            _place(draft, action)
        case ReleaseHold():
            _release(draft, action)


def safe_name(name: str) -> str:
    """A file's name without folders and without characters that could mislead a reader or a file system."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(each for each in last if unicodedata.category(each)[0] != "C" and each not in _RESERVED)
    kept = " ".join(kept.split()).lstrip(". ").rstrip(". ")
    stem, dot, ending = kept.rpartition(".")
    if len(kept) > LONGEST_NAME and dot and len(ending) < LONGEST_NAME // 4:
        kept = f"{stem[: LONGEST_NAME - len(ending) - 1]}.{ending}"
    return kept[:LONGEST_NAME] or "unnamed"


def find_file(incident: Incident, file: str) -> EvidenceFile:
    """The record of that id. Raises RefusedError."""
    found = next((each for each in incident.response.files if each.id == file), None)
    if found is None:
        has = ", ".join(each.id for each in incident.response.files) or "none"
        raise RefusedError(f"the incident has no evidence file {file}; it has {has}"[:1000])
    return found


def _attach(draft: Draft, action: AttachFile) -> None:
    """Attach a file. One with the same content as another gets its own record; the bytes are kept once."""
    files = draft.incident.response.files
    if len(files) >= MOST_FILES:
        raise RefusedError(f"the incident has {MOST_FILES} files already, and can have no more; put several into one")
    redacted = next((each for each in files if each.sha256 == action.sha256 and each.redacted_at is not None), None)
    if redacted is not None:
        why = f"{redacted.redacted_by} removed it, because: {redacted.redacted_why}"
        raise RefusedError(f"this very file was attached as {redacted.id} before, and {why}"[:1000])
    name = safe_name(action.name)
    kept = EvidenceFile(f"e{len(files) + 1}", name, action.sha256, action.size, action.by, draft.now, action.note)
    draft.respond(files=(*files, kept))
    draft.change_file(FileChange(kept.sha256, action.upload))
    draft.enter(
        Fact.FILE_ATTACHED,
        action.by,
        file=kept.id,
        name=name,
        size=kept.size,
        sha256=kept.sha256,
        note=kept.note,
    )


def _redact(draft: Draft, action: RedactFile) -> None:
    """Remove the bytes of a file, and mark every record of the same content."""
    found = find_file(draft.incident, action.file)
    if found.redacted_at is not None:
        raise RefusedError(f"{found.redacted_by} removed the content of {found.id} already")
    holds = draft.incident.response.holds_in_force
    if holds:
        in_force = ", ".join(each.id for each in holds)
        raise RefusedError(f"the incident is under legal hold ({in_force}): nothing of it goes")
    _require_reason(action.reason, "removing evidence")
    by = {"redacted_by": action.by, "redacted_at": draft.now, "redacted_why": action.reason}
    files = draft.incident.response.files
    draft.respond(files=tuple(replace(each, **by) if each.sha256 == found.sha256 else each for each in files))
    draft.change_file(FileChange(found.sha256, ""))
    same = [each for each in files if each.sha256 == found.sha256]
    for each in same:
        draft.enter(Fact.FILE_REDACTED, action.by, file=each.id, name=each.name, sha256=each.sha256, note=action.reason)


def _place(draft: Draft, action: PlaceHold) -> None:
    _require_reason(action.reason, "a legal hold")
    holds = draft.incident.response.holds
    placed = LegalHold(f"h{len(holds) + 1}", action.by, draft.now, action.reason)
    draft.respond(holds=(*holds, placed))
    draft.enter(Fact.HOLD_PLACED, action.by, hold=placed.id, note=action.reason)


def _release(draft: Draft, action: ReleaseHold) -> None:
    holds = draft.incident.response.holds
    found = next((each for each in holds if each.id == action.hold), None)
    if found is None:
        has = ", ".join(each.id for each in holds) or "none"
        raise RefusedError(f"the incident has no legal hold {action.hold}; it has {has}"[:1000])
    if found.released_at is not None:
        raise RefusedError(f"{found.released_by} released {found.id} already")
    _require_reason(action.reason, "releasing a legal hold")
    released = replace(found, released_by=action.by, released_at=draft.now, released_why=action.reason)
    draft.respond(holds=tuple(released if each is found else each for each in holds))
    draft.enter(Fact.HOLD_RELEASED, action.by, hold=found.id, note=action.reason)


def _require_reason(reason: str, what: str) -> None:
    if not reason:
        raise RefusedError(f"{what} needs a reason")
