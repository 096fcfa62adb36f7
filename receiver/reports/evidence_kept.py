"""The files kept as evidence of an incident, and its present and past legal holds."""

from receiver.core.response import EvidenceFile, LegalHold
from receiver.messages.incident_text import name
from receiver.messages.plain import line
from receiver.reports.incident_record import IncidentRecord
from receiver.reports.report import Table, counted

FILE_COLUMNS = ("evidence", "file", "size", "SHA-256", "attached", "what it is", "content")
HOLD_COLUMNS = ("legal hold", "placed", "reason", "released")


def evidence_kept(record: IncidentRecord) -> tuple[Table, ...]:
    """Returns both tables without empty ones."""
    response = record.case.incident.response
    tables = (
        Table("Evidence files", FILE_COLUMNS, tuple(_file(record, each) for each in response.files)),
        Table("Legal holds", HOLD_COLUMNS, tuple(_hold(record, each) for each in response.holds)),
    )
    return tuple(table for table in tables if table.rows)


def kept_as(record: IncidentRecord, sha256: str) -> str:
    """Returns the first evidence file with that content, in words; empty: none."""
    found = next((each for each in record.case.incident.response.files if each.sha256 == sha256), None)
    return f"kept as evidence {found.id}" if found else ""


def _file(record: IncidentRecord, file: EvidenceFile) -> tuple[str, ...]:
    content = "kept"
    if file.redacted_at is not None:
        removed = f"{record.stamp(file.redacted_at)} by {name(file.redacted_by)}"
        content = f"removed {removed}: {line(file.redacted_why, 500)}"
    attached = f"{record.stamp(file.at)} by {name(file.by)}"
    return file.id, line(file.name), counted(file.size, "byte"), file.sha256, attached, line(file.note, 500), content


def _hold(record: IncidentRecord, hold: LegalHold) -> tuple[str, ...]:
    released = "in force: nothing of the incident is deleted"
    if hold.released_at is not None:
        released = f"{record.stamp(hold.released_at)} by {name(hold.released_by)}: {line(hold.released_why, 500)}"
    return hold.id, f"{record.stamp(hold.at)} by {name(hold.by)}", line(hold.reason, 500), released
