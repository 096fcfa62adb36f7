"""Who is trained for what: by the live drills that a person took part in, until the policy wants another."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from receiver.core.model import Instant
from receiver.messages.incident_text import name
from receiver.messages.plain import line
from receiver.reports.held_drill import HeldDrill
from receiver.reports.report import Table
from receiver.reports.report_clock import ReportClock
from rules.policy import Policy

NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Training:
    """A person has practised an incident type or a role."""

    person: str
    subject: str
    """The type, or the role."""
    last: Instant
    """When the last drill of it was opened."""
    due_at: Instant | None
    """When another is due (`drills: every`); None: the policy wants none."""

    def is_overdue(self, now: Instant) -> bool:
        """Whether it is too long ago."""
        return self.due_at is not None and self.due_at <= now


def roster(drills: Iterable[HeldDrill], policy: Policy) -> list[Training]:
    """What each person has practised, by person and subject. Whoever was only named to a role has practised nothing."""
    last: dict[tuple[str, str], Instant] = {}
    for each in drills:
        roles = [(holder, role) for role, holder in each.incident.response.roles.items() if holder in each.acted]
        for key in (*((person, each.incident.type) for person in each.acted), *roles):
            last[key] = max(each.incident.opened_at, last.get(key, each.incident.opened_at))
    every = policy.drills_every
    return [
        Training(person, subject, at, None if every is None else Instant(at + every))
        for (person, subject), at in sorted(last.items())
    ]


def roster_tables(drills: Sequence[HeldDrill], policy: Policy, now: Instant) -> tuple[Table, ...]:
    """By person, those who never practised too; and by type and role, where it shows what only one person knows."""
    known = roster(drills, policy)
    clock = ReportClock(policy.time_zone)
    practised = {each.person for each in known}
    rows = [
        (name(each.person), line(each.subject), clock.stamp(each.last), _due(each, clock, now)) for each in known
    ] + [(line(each.name), "nothing yet", "", "") for each in policy.people if each.name not in practised]
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
