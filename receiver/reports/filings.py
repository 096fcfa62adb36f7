"""The reports about an incident that authorities must get: deadline, filing, and its evidence."""

from collections.abc import Iterator

from receiver.core.obligations import OwedReport, reports
from receiver.messages.incident_text import name
from receiver.messages.plain import line
from receiver.reports.evidence_kept import kept_as
from receiver.reports.incident_record import IncidentRecord
from receiver.reports.report import Table

COLUMNS = ("authority", "report", "due", "filed", "reference", "file")


def filings(record: IncidentRecord) -> tuple[Table, ...]:
    """Returns the table of reports; none if no report was due and no obligation was judged."""
    incident, policy = record.case.incident, record.case.policy
    rows = [row for each in reports(incident, policy) for row in _rows(record, each)]
    for obligation in policy.reporting_obligations:
        judged = incident.response.obligations.get(obligation.name)
        if judged is not None and not judged.applies:
            said = line(f"does not apply, says {name(judged.by)}: {judged.reason}", 500)
            rows.append((line(obligation.authority), line(obligation.name), "", said, "", ""))
    return (Table("Reports to authorities", COLUMNS, tuple(rows)),) if rows else ()


def _rows(record: IncidentRecord, owed: OwedReport) -> Iterator[tuple[str, ...]]:
    """Yields a row for each filing of a report; one row if it was not filed."""
    report = line(f"{owed.stage.name.replace('_', ' ')} ({owed.obligation.name})")
    by_law = f" ({owed.obligation.source})" if owed.obligation.source else ""
    begin = (line(f"{owed.obligation.authority}{by_law}", 500), report, record.stamp(owed.due_at))
    for each in owed.filings:
        recorded = f" on {record.stamp(each.at)}" if each.at != each.filed_at else ""
        how = "practised, filed with nobody, " if record.case.incident.exercise else ""
        filed = f"{how}{record.stamp(each.filed_at)}, recorded by {name(each.by)}{recorded}"
        kept = f"({kept})" if (kept := kept_as(record, each.sha256)) else ""
        file = " ".join(filter(None, (line(each.file), f"SHA-256 {each.sha256}" if each.sha256 else "", kept)))
        yield *begin, filed, line(each.reference), file
    if not owed.filings:
        yield *begin, "practised by nobody" if record.case.incident.exercise else "not filed", "", ""
