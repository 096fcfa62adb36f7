"""A report section for each occurrence of an incident that came back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from receiver.core.measured import measured
from receiver.core.model import Alert, Entry, Fact, FiringRecord, Instant
from receiver.core.occurrences import DISPROVED
from receiver.core.response import Checklists, Impact, Occurrence
from receiver.messages.incident_text import name
from receiver.messages.now_firing import NowFiring
from receiver.messages.plain import line, plain
from receiver.reports.deadline_outcome import DeadlineOutcome
from receiver.reports.deadlines_kept import begins_an_occurrence
from receiver.reports.incident_record import IncidentRecord
from receiver.reports.report import Field, Part, SectionContent, Table
from receiver.reports.steps import evidence
from receiver.reports.summary import DEADLINE_COLUMNS, deadline_row

ALERT_COLUMNS = ("alert", "rule", "level", "value", "began", "ended")
DID_NOT_HOLD = "did not hold"


@dataclass(frozen=True, slots=True)
class Stretch:
    """One time that the incident was open, from the timeline."""

    number: int
    began: Entry
    resolved: Entry | None = None
    ended_at: Instant | None = None
    """When the incident came back; None: it did not."""
    kept: Occurrence | None = None
    """People's actions and entries until then; None for the last occurrence, and where the incident
    did not keep them."""

    @property
    def over_at(self) -> Instant | None:
        """The end of the time whose firing alerts belong to it."""
        return self.resolved.at if self.resolved else self.ended_at


def occurrences(record: IncidentRecord, deadlines: Sequence[DeadlineOutcome]) -> tuple[SectionContent, ...]:
    """Returns the sections; none if the incident never came back."""
    found = stretches(record)
    return tuple(_section(record, each, deadlines) for each in found) if len(found) > 1 else ()


def stretches(record: IncidentRecord) -> list[Stretch]:
    """Returns each time that the incident was open, the first one first."""
    kept = {each.number: each for each in record.case.incident.response.occurrences}
    found: list[Stretch] = []
    for entry in record.decisive:
        if begins_an_occurrence(entry):
            if found:
                found[-1] = replace(found[-1], ended_at=entry.at)
            found.append(Stretch(len(found) + 1, entry, kept=kept.get(len(found) + 1)))
        elif entry.fact is Fact.RESOLVED and found:
            found[-1] = replace(found[-1], resolved=entry)
    return found


def _section(record: IncidentRecord, each: Stretch, deadlines: Sequence[DeadlineOutcome]) -> SectionContent:
    title = f"Occurrence {each.number}"
    tables = (
        Table(f"{title}: alerts", ALERT_COLUMNS, tuple(_alerts(record, each))),
        Table(f"{title}: deadlines", DEADLINE_COLUMNS, tuple(_deadlines(record, each, deadlines))),
        Table(f"{title}: actions", ("action", "who", "when", "note"), tuple(_actions(record, each))),
    )
    part = Part(f"What is known of {title.lower()}", tuple(_fields(record, each)))
    return SectionContent(f"occurrence_{each.number}", (part,), tuple(table for table in tables if table.rows))


def _fields(record: IncidentRecord, each: Stretch) -> Iterator[Field]:
    summary = line(each.began.data.get("summary", ""))
    yield Field("began", (f"{record.stamp(each.began.at)}{f': {summary}' if summary else ''}",))
    if each.resolved is not None:
        by = name(each.resolved.by)
        note = line(each.resolved.data.get("note", ""), 2000)
        said = f"{record.stamp(each.resolved.at)} {f'by {by}' if by else 'by itself'}{f': {note}' if note else ''}"
        yield Field("resolved", (said,))
    if each.ended_at is not None:
        yield Field("came_back", (record.stamp(each.ended_at),))
    facts, impacts = _known(record, each)
    for wanted in DISPROVED:
        told = plain(facts.get(wanted, ""))
        mark = f" ({DID_NOT_HOLD})" if told and each.ended_at is not None else ""
        yield Field(wanted, (f"{told}{mark}",) if told else ())
    for entered, value in facts.items():
        if entered not in DISPROVED and entered not in impacts and value:
            yield Field(line(entered), tuple(plain(value).split("\n")))
    for scale, impact in impacts.items():
        yield Field(line(scale), (f"{impact.grade} (said: {line(impact.said)})",))


def _known(record: IncidentRecord, each: Stretch) -> tuple[Mapping[str, str], Mapping[str, Impact]]:
    """Returns the facts that people entered, and the grades."""
    incident = record.case.incident
    if each.ended_at is None:
        return incident.facts, incident.response.impacts
    return (each.kept.facts, each.kept.impacts) if each.kept else ({}, {})


def _actions(record: IncidentRecord, each: Stretch) -> Iterator[tuple[str, ...]]:
    last = each.ended_at is None
    lists = record.case.incident.response.checklists if last else each.kept.checklists if each.kept else Checklists()
    for done in sorted(lists.done.values(), key=lambda done: done.at):
        yield line(done.text), name(done.by), record.stamp(done.at), evidence(done)


def _deadlines(
    record: IncidentRecord, each: Stretch, deadlines: Sequence[DeadlineOutcome]
) -> Iterator[tuple[str, ...]]:
    for deadline in deadlines:
        if each.began.at <= deadline.began_at and (each.ended_at is None or deadline.began_at < each.ended_at):
            yield deadline_row(deadline, record)


def _alerts(record: IncidentRecord, each: Stretch) -> Iterator[tuple[str, ...]]:
    """Yields the alerts that fired while it was open; an alert may have fired in several occurrences."""
    called = _called(record)
    for alert in record.alerts:
        for firing in firings(alert):
            over = each.over_at is not None and firing.began_at > each.over_at
            before = firing.ended_at is not None and firing.ended_at < each.began.at
            if not (over or before):
                yield _row(record, called[alert.fingerprint], alert, firing)


def firings(alert: Alert) -> tuple[FiringRecord, ...]:
    """Returns the times that an alert fired, including the last."""
    ended_at = None if alert.firing else alert.ended_at
    return (*alert.earlier, FiringRecord(alert.starts_at, ended_at, alert.level, measured(alert)))


def alert_rows(record: IncidentRecord) -> Iterator[tuple[str, ...]]:
    """Yields a row of the table of alerts for each time that an alert fired."""
    called = _called(record)
    for alert in record.alerts:
        name_of_it = called[alert.fingerprint]
        yield from (_row(record, name_of_it, alert, each) for each in firings(alert))
        if alert.forgotten:
            more = f"{alert.forgotten} further times, which the timeline tells"
            yield name_of_it, line(alert.rule), "", more, "", ""


def _called(record: IncidentRecord) -> Mapping[str, str]:
    """Returns fingerprint → the alert's name with its unit: 200 alerts of one rule need distinct names."""
    firing = NowFiring(record.case.incident, record.alerts, identities=record.case.identities)
    named = zip(record.alerts, firing.names, strict=True)
    return {each.fingerprint: f"{line(each.labels.get('alertname', each.type))} {unit}".strip() for each, unit in named}


def _row(record: IncidentRecord, called: str, alert: Alert, each: FiringRecord) -> tuple[str, ...]:
    is_last = each.began_at == alert.starts_at
    ended = (
        "firing"
        if is_last and alert.firing
        else "cleared"
        if each.ended_at is None
        else record.clock.second(each.ended_at)
    )
    return called, line(alert.rule), str(each.level), line(each.value), record.clock.second(each.began_at), ended
