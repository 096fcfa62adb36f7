"""Live drills: participants, times and durations. `tocsin report --drills` lists them."""

from collections.abc import Iterable, Sequence

from receiver.core.model import Instant
from receiver.messages.incident_text import name
from receiver.messages.plain import line
from receiver.messages.times import duration
from receiver.reports.held_drill import HeldDrill
from receiver.reports.report import Field, Part, Report, SectionContent, Table
from receiver.reports.report_clock import ReportClock
from receiver.reports.training_roster import roster, roster_tables
from rules.policy import Policy

NOTHING = "—"


def training(drills: Sequence[HeldDrill], policy: Policy, since: Instant, until: Instant) -> Report:
    """Returns the report of a period's drills and their participants."""
    title = f"Drills of {duration(until - since)}"
    clock = ReportClock(policy.time_zone)
    subtitle = f"opened from {clock.stamp(since)} to {clock.stamp(until)}{clock.words}"
    trained = roster_tables(roster(drills, policy), policy, until)
    if not drills:
        tables = trained if policy.drills_every is not None else ()
        none = SectionContent("drills", (Part("", (Field("drills", ("none",)),)),), tables)
        return Report(title, subtitle, exercise=True, sections=(none,))
    tables = (
        Table("Drills", ("drill", "when", "what", "level", "taken after", "in time", "resolved after", "who took part"),
              tuple(_row(each, policy) for each in drills)),
        Table("Who took part", ("who", "drills", "last"), tuple(_people(drills, clock))),
        *trained,
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
    """Yields each participant, the longest without practice last."""
    last: dict[str, Instant] = {}
    count: dict[str, int] = {}
    for each in drills:
        for person in each.people:
            last[person] = max(each.incident.opened_at, last.get(person, each.incident.opened_at))
            count[person] = count.get(person, 0) + 1
    for person in sorted(last, key=lambda each: (-last[each], each)):
        yield name(person), str(count[person]), clock.stamp(last[person])
