"""Live drills, as `tocsin report --drills` lists them; each person's training by them, and when the next is due."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from receiver.core.model import Instant
from receiver.messages.incident_text import name
from receiver.messages.plain import line
from receiver.messages.times import duration
from receiver.on_call.references import whose_name
from receiver.reports.held_drill import HeldDrill
from receiver.reports.report import Field, Part, Report, SectionContent, Table
from receiver.reports.report_clock import ReportClock
from rules.policy import Policy

NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Training:
    """One person's practice of an incident type or a role."""

    person: str
    subject: str
    """The incident type, or the role."""
    last: Instant
    """When the last drill of it was opened."""
    due_at: Instant | None
    """When the next is due (`drills: every`); None: the policy requires none."""
    drill: int = 0
    """The number of that drill."""
    is_role: bool = False

    def is_overdue(self, now: Instant) -> bool:
        """Whether the next drill is overdue."""
        return self.due_at is not None and self.due_at <= now


def roster(drills: Iterable[HeldDrill], policy: Policy) -> list[Training]:
    """Returns each person's practice, by person and subject. A person with a role who did not act has not practised.

    A person of the policy is one person under all names. What the policy no longer has is never due again.
    """
    last: dict[tuple[str, bool, str], Training] = {}
    names = ((each.name for each in listed) for listed in (policy.incident_types, policy.rules, policy.roles))
    subjects = set(chain.from_iterable(names))
    for each in sorted(drills, key=lambda each: each.incident.opened_at):
        acted = {_own_name(policy, person) for person in each.acted}
        held = ((_own_name(policy, holder), role) for role, holder in each.incident.response.roles.items())
        roles = [(holder, True, role) for holder, role in held if holder in acted]
        for key in (*((person, False, each.incident.type) for person in acted), *roles):
            person, is_role, subject = key
            found = practised(person, subject, each.incident.opened_at, policy, each.incident.number, is_role)
            last[key] = found if subject in subjects else replace(found, due_at=None)
    return [last[key] for key in sorted(last)]


def _own_name(policy: Policy, name: str) -> str:
    """Returns the name that the policy has for a person; of others the given one."""
    known = whose_name(policy, name)
    return known.name if known else name


def practised(
    person: str, subject: str, at: Instant, policy: Policy, drill: int = 0, is_role: bool = False
) -> Training:
    """Returns a person's practice at that time, and when the policy requires the next."""
    every = policy.drills_every
    return Training(person, subject, at, None if every is None else Instant(at + every), drill, is_role)


def never_practised(known: Iterable[Training], policy: Policy) -> list[str]:
    """Returns the people of the policy who took part in no drill, by any of their names."""
    seen = {each.person.casefold() for each in known}
    named = ((each.name, {each.name.casefold(), *map(str.casefold, each.aliases)}) for each in policy.people)
    return [person for person, names in named if not names & seen]


def untrained(known: Sequence[Training], policy: Policy, now: Instant) -> list[str]:
    """Returns the incident types and roles of the policy for which no person is trained now."""
    return [subject for subject, who in _by_subject(known, policy, now) if who == NOBODY]


def lapses(known: Sequence[Training], policy: Policy, now: Instant) -> Iterator[str]:
    """Yields overdue and missing training, in words; none if the policy requires none."""
    if policy.drills_every is None:
        return
    clock = ReportClock(policy.time_zone)
    for each in known:
        if each.is_overdue(now):
            last = f"the last drill was {clock.stamp(each.last)}"
            yield f"{name(each.person)} is overdue to practise {line(each.subject)}: {last}"
    yield from (f"{name(each)} has taken part in no drill" for each in never_practised(known, policy))
    nobody = untrained(known, policy, now)
    if nobody:
        yield f"nobody is trained for {', '.join(nobody)}"


def roster_tables(known: Sequence[Training], policy: Policy, now: Instant) -> tuple[Table, ...]:
    """Returns tables by person, including people who never practised, and by type and role."""
    clock = ReportClock(policy.time_zone)
    rows = [
        (name(each.person), line(each.subject), clock.stamp(each.last), _due(each, clock, now)) for each in known
    ] + [(name(each), "nothing yet", "", "") for each in never_practised(known, policy)]
    return (
        Table("Who is trained for what", ("who", "for", "last", "due again"), tuple(rows)),
        Table("Types and roles", ("type or role", "who is trained now"), tuple(_by_subject(known, policy, now))),
    )


def _due(each: Training, clock: ReportClock, now: Instant) -> str:
    if each.due_at is None:
        return ""
    return f"{'overdue since ' if each.is_overdue(now) else ''}{clock.stamp(each.due_at)}"


def _by_subject(known: Sequence[Training], policy: Policy, now: Instant) -> Iterator[tuple[str, str]]:
    wanted = [*(each.name for each in policy.incident_types), *(each.name for each in policy.roles)]
    for subject in dict.fromkeys((*wanted, *(each.subject for each in known))):
        who = [name(each.person) for each in known if each.subject == subject and not each.is_overdue(now)]
        yield line(subject), ", ".join(who) or NOBODY


def training_section(known: Sequence[Training], policy: Policy, now: Instant) -> SectionContent:
    """Returns the section for a period's report: training, and what is overdue."""
    overdue = tuple(lapses(known, policy, now))
    part = Part("", (Field("overdue", overdue or ("nothing",)),))
    return SectionContent("training", (part,), roster_tables(known, policy, now))


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
