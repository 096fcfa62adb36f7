"""The reports about an incident that authorities must get: deadline, filing, and its evidence."""

from collections.abc import Iterator

from receiver.core.obligations import OwedReport, owed_or_filed
from receiver.core.response import Filing, Obligation
from receiver.messages.incident_text import name
from receiver.messages.plain import line
from receiver.reports.evidence_kept import kept_as
from receiver.reports.incident_record import IncidentRecord
from receiver.reports.report import Table

COLUMNS = ("authority", "report", "due", "filed", "reference", "file")


def filings(record: IncidentRecord) -> tuple[Table, ...]:
    """Returns the table of reports; none if no report was due and no obligation was judged."""
    incident, policy = record.case.incident, record.case.policy
    rows = [row for each in owed_or_filed(incident, policy) for row in _rows(record, each)]
    for obligation in policy.reporting_obligations:
        judged = incident.response.obligations.get(obligation.name)
        if judged is not None and judged.by:
            said = _verdict(record, judged)
            rows.append((line(obligation.authority), line(obligation.name), "", said, "", ""))
    return (Table("Reports to authorities", COLUMNS, tuple(rows)),) if rows else ()


def _verdict(record: IncidentRecord, judged: Obligation) -> str:
    """Returns a person's decision whether an obligation applies."""
    verdict = "applies" if judged.applies else "does not apply"
    on = f" on {record.stamp(judged.judged_at)}" if judged.judged_at is not None else ""
    counted = f", counted from {record.stamp(judged.counted_from)}" if judged.counted_from is not None else ""
    return line(f"{verdict}, says {name(judged.by)}{on}{counted}: {judged.reason}", 500)


def _rows(record: IncidentRecord, owed: OwedReport) -> Iterator[tuple[str, ...]]:
    """Yields a row for each record that a report was filed; one more if none stands."""
    report = line(f"{owed.stage.name.replace('_', ' ')} ({owed.obligation.name})")
    by_law = f" ({owed.obligation.source})" if owed.obligation.source else ""
    begin = (line(f"{owed.obligation.authority}{by_law}", 500), report, record.stamp(owed.due_at))
    for each in owed.withdrawn:
        on = "" if each.withdrawn_at is None else record.stamp(each.withdrawn_at)
        recorded = f"recorded by {name(each.by)} on {record.stamp(each.at)}"
        said = f"{recorded}; not filed after all, says {name(each.withdrawn_by)} on {on}: {each.withdrawn_why}"
        yield *begin, line(said, 500), line(each.reference), _file(record, each)
    for each in owed.filings:
        recorded = f" on {record.stamp(each.at)}" if each.at != each.filed_at else ""
        how = "practised, filed with nobody, " if record.case.incident.exercise else ""
        filed = f"{how}{record.stamp(each.filed_at)}, recorded by {name(each.by)}{recorded}"
        yield *begin, filed, line(each.reference), _file(record, each)
    if owed.is_owed and not owed.filings:
        yield *begin, "practised by nobody" if record.case.incident.exercise else "not filed", "", ""


def _file(record: IncidentRecord, filing: Filing) -> str:
    """The filed file: its name, its SHA-256, and the evidence file that has it."""
    kept = f"({kept})" if (kept := kept_as(record, filing.sha256)) else ""
    return " ".join(filter(None, (line(filing.file), f"SHA-256 {filing.sha256}" if filing.sha256 else "", kept)))
