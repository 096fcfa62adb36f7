"""Live drills: who took part, when, how long they took. `tocsin report --drills` lists them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from receiver.core.model import Entry, Fact, Incident, Instant
from receiver.messages.incident_text import name
from receiver.messages.plain import line
from receiver.messages.times import duration
from receiver.reports.report import Field, Part, Report, SectionContent, Table
from receiver.reports.report_clock import ReportClock
from rules.policy import Policy

NOTHING = "—"


@dataclass(frozen=True, slots=True)
class HeldDrill:
    """One drill that was held with real people."""

    incident: Incident
    acknowledged_after: int | None
    """Microseconds; None: nobody did."""
    resolved_after: int | None
    kept: bool | None
    """Whether somebody took it within the response time; None: it still runs, or was resolved untaken."""
    people: tuple[str, ...]
    """Everybody who did something or held a role, in that order."""


def held(incident: Incident, entries: Iterable[Entry]) -> HeldDrill:
    """What came of an exercise. `entries`: what people did, and whether it was breached."""
    done = list(entries)
    people = [each.by for each in done if each.by]
    people += [each.data["to"] for each in done if each.fact in {Fact.ROLE_TAKEN, Fact.HANDED_OVER}]
    first = next((each.at for each in done if each.fact is Fact.ACKNOWLEDGED), None)
    breached = any(each.fact is Fact.BREACHED for each in done)
    return HeldDrill(
        incident,
        None if first is None else first - incident.opened_at,
        None if incident.resolved_at is None else incident.resolved_at - incident.opened_at,
        False if breached else True if first is not None else None,
        tuple(dict.fromkeys(people)),
    )


def training(drills: Sequence[HeldDrill], policy: Policy, since: Instant, until: Instant) -> Report:
    """The list of a period's drills, and of everybody who took part in them."""
    title = f"Drills of {duration(until - since)}"
    clock = ReportClock(policy.time_zone)
    subtitle = f"opened from {clock.stamp(since)} to {clock.stamp(until)}{clock.words}"
    if not drills:
        none = SectionContent("drills", (Part("", (Field("drills", ("none",)),)),))
        return Report(title, subtitle, exercise=True, sections=(none,))
    tables = (
        Table("Drills", ("drill", "when", "what", "level", "taken after", "in time", "resolved after", "who took part"),
              tuple(_row(each, policy) for each in drills)),
        Table("Who took part", ("who", "drills", "last"), tuple(_people(drills, clock))),
    )  # fmt: skip
    return Report(title, subtitle, exercise=True, sections=(SectionContent("drills", tables=tables),))


def _row(each: HeldDrill, policy: Policy) -> tuple[str, ...]:
    incident = each.incident
    return (
        f"#{incident.number}",
        ReportClock(policy.time_zone).stamp(incident.opened_at),
        line(incident.type),
        f"{incident.level} {line(policy.level(incident.level).name)}",
        _after(each.acknowledged_after),
        {True: "yes", False: "no", None: NOTHING}[each.kept],
        _after(each.resolved_after),
        ", ".join(_with_role(each, person) for person in each.people) or "nobody",
    )


def _with_role(each: HeldDrill, person: str) -> str:
    roles = [role for role, holder in each.incident.response.roles.items() if holder == person]
    return f"{name(person)} ({', '.join(map(line, roles))})" if roles else name(person)


def _after(micros: int | None) -> str:
    return NOTHING if micros is None else duration(micros)


def _people(drills: Sequence[HeldDrill], clock: ReportClock) -> Iterable[tuple[str, str, str]]:
    """Everybody, whoever has not practised for longest last."""
    last: dict[str, Instant] = {}
    count: dict[str, int] = {}
    for each in drills:
        for person in each.people:
            last[person] = max(each.incident.opened_at, last.get(person, each.incident.opened_at))
            count[person] = count.get(person, 0) + 1
    for person in sorted(last, key=lambda each: (-last[each], each)):
        yield name(person), str(count[person]), clock.stamp(last[person])
