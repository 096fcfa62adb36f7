"""What is known of one incident at one moment, and what follows from it: read from the record alone."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from receiver.core.model import Alert, Entry, Fact, Incident, Instant, Notification, State
from receiver.core.plan import PolicyVersion

SECOND = 1_000_000
SHORTEST = "less than a second"
UNITS = {"second": SECOND, "minute": 60 * SECOND, "hour": 3600 * SECOND, "day": 86_400 * SECOND}
BEGINS = frozenset({Fact.OPENED, Fact.DECLARED, Fact.REOPENED, Fact.ACK_VOIDED, Fact.ACK_EXPIRED, Fact.GIVEN_BACK})
"""From here on the incident has no owner and must be answered."""
ENDS = (BEGINS - {Fact.OPENED, Fact.DECLARED}) | {Fact.RESOLVED}
"""The owner loses it from here on."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UntrueError(AssertionError):
    """A text states an untruth, or something that no statement checks."""


@dataclass(frozen=True)
class Record:
    """One incident at one moment. `alerts`: all of them; `notifications`: all, or those that one commit wrote."""

    incident: Incident
    entries: Sequence[Entry]
    now: Instant
    policy: PolicyVersion | None = None
    alerts: Collection[Alert] = ()
    notifications: Collection[Notification] = ()
    message: Notification | None = None
    """The one whose words are checked."""
    before: Incident | None = None
    """Of a timeline's line: the incident before it was written."""
    earlier: Collection[Incident] = ()
    """Closed incidents like it, which a page may tell of."""
    on_call: Mapping[str, Mapping[str, str]] | None = None
    """Reference → person → the shift that has them on call now, as it is; None: there are no schedules, or it is not
    known but by the code that is tested."""
    lines: Collection[tuple[str, str, str]] = field(default_factory=frozenset)
    """Of a report or a page: the timeline's lines (time, sentence, who), each checked when it was written."""

    @property
    def entry(self) -> Entry:
        """The line that is checked: the last."""
        return self.entries[-1]

    @property
    def firing(self) -> list[Alert]:
        """Alerts that fire and have a level."""
        return [each for each in self.alerts if each.firing and each.level]

    @property
    def is_firing(self) -> bool:
        """Whether anything fires."""
        return any(self.incident.firing)

    @property
    def is_over(self) -> bool:
        """Whether no person has to act any more."""
        return self.incident.state in {State.RESOLVED, State.CLOSED}

    @property
    def occurrence(self) -> Sequence[Entry]:
        """The timeline since it opened, or since it came back last."""
        came_back = (
            place
            for place, each in enumerate(self.entries)
            if each.fact is Fact.REOPENED and "recurrences" in each.data
        )
        return self.entries[max(came_back, default=0) :]

    @property
    def began(self) -> Collection[int]:
        """From when on it may be said to last: the opening, and each return."""
        returns = (each.at for each in self.entries if each.fact is Fact.REOPENED and "recurrences" in each.data)
        return {self.incident.opened_at, *returns}

    def lasts(self, words: str, until: int | None, after: str = "") -> bool:
        """Whether the words tell how long after the opening, or after it came back, that instant is."""
        begins = {self.incident.opened_at} if after == "the opening" else self.began
        return until is not None and any(self.is_long(words, until - at) for at in begins)

    def has(self, *facts: Fact, by: str | None = None, at: str = "", **data: str) -> bool:
        """Whether the timeline has such a line: of that person, of that time as it is told, with that data."""
        return any(True for _ in self.find(*facts, by=by, at=at, **data))

    def find(self, *facts: Fact, by: str | None = None, at: str = "", **data: str) -> Iterator[Entry]:
        """Such lines, the newest first; names are compared without their case."""
        for each in reversed(self.entries):
            if (
                each.fact in facts
                and by in (None, each.by.lower())
                and (not at or self.is_at(at, each.at))
                and all(each.data.get(name, "").lower() == value for name, value in data.items())
            ):
                yield each

    def last(self, *facts: Fact) -> Fact | None:
        """Which of these facts came last."""
        return next((each.fact for each in reversed(self.entries) if each.fact in facts), None)

    def is_at(self, words: str, at: int | None) -> bool:
        """Whether the words name that instant, in UTC; without a date they mean today."""
        if at is None:
            return False
        if words.startswith("@"):  # sentences tell the minute: of two instants in one a page may have the other
            return int(words.strip("@")) // UNITS["minute"] == at // UNITS["minute"]
        when = moment(at)
        today = moment(self.now).date() == when.date()
        short, day = f"{when:%H:%M} utc", f"{when.day} {when:%b} ".lower()
        return words in {
            short if today else f"{day}{short}",
            f"{when:%Y-%m-%d %H:%M} utc",
            f"{when:%Y-%m-%d %H:%M:%S}",
        }

    def is_long(self, words: str, micros: int | None) -> bool:
        """Whether the words tell that duration, cut to their smallest unit."""
        if micros is None:
            return False
        if words == SHORTEST:
            return micros < SECOND
        parts = [(int(count), UNITS[unit]) for count, unit in re.findall(r"(\d+) (second|minute|hour|day)s?", words)]
        told, least = sum(count * unit for count, unit in parts), min(unit for _, unit in parts)
        return told <= max(0, micros) < told + least


def moment(at: int) -> datetime:
    """An instant in UTC."""
    return _EPOCH + timedelta(microseconds=at)


@dataclass(frozen=True)
class Hands:
    """Who has an incident and who asks for help with it, by its timeline."""

    owner: str
    asked: frozenset[str]

    @property
    def waits(self) -> bool:
        """Whether help is asked for, and no other person has answered."""
        return bool(self.asked)


def hands(entries: Sequence[Entry]) -> Hands:
    """Who asks for help and has the incident cannot answer themselves; another's answer ends the call."""
    owner, asked = "", set[str]()
    before = owner, asked
    for each in entries:
        if each.fact is Fact.ACKNOWLEDGED:
            before = owner, set(asked)
        match each.fact:
            case Fact.HELP_ASKED:
                asked.add(each.by)
            case Fact.HELP_WITHDRAWN:
                asked -= asked if each.by == owner else {each.by}
            case Fact.HANDED_OVER:
                owner = each.data["to"]
            case Fact.ACKNOWLEDGED if not (each.by == owner and owner in asked):
                asked.clear()
                owner = owner if each.data.get("helps") else each.by
            case Fact.ACK_UNDONE:
                owner, asked = before[0], set(before[1])
            case fact if fact in ENDS:
                owner = ""
                asked.clear()
            case _:
                pass
    return Hands(owner, frozenset(asked))


def standing(entries: Sequence[Entry]) -> list[Entry]:
    """The timeline without the answers that were taken back."""
    found: list[Entry] = []
    for each in entries:
        found.append(each)
        if each.fact is Fact.ACK_UNDONE:
            answers = [other for other in found if other.fact is Fact.ACKNOWLEDGED]
            found = [other for other in found if other not in answers[-1:]]
    return found


def since_alarm(entries: Sequence[Entry]) -> Sequence[Entry]:
    """The timeline from where the last alarm began."""
    place = max((place for place, each in enumerate(entries) if each.fact in BEGINS), default=0)
    return entries[place:]


Found = Mapping[str, str]
"""What a statement's pattern found, by name; lower case."""
Holds = Callable[[Record, Found], bool]


@dataclass(frozen=True)
class Statement:
    """Words, and whether they are so."""

    kind: str
    pattern: re.Pattern[str]
    holds: Holds


TIME = r"(?:(?:\d+ [a-z]{3} )?\d\d:\d\d utc|\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d| utc)|@\d+@)"
SPAN = rf"(?:{SHORTEST}|\d+ (?:second|minute|hour|day)s?(?: \d+ (?:second|minute|hour)s?)?)"
NAME = r"[\w.@-]+"


def statements(kind: str, told: Mapping[str, Holds]) -> tuple[Statement, ...]:
    """Statements of one kind. In a pattern ``<at>`` stands for a time, ``<span>`` for a duration, ``<by>`` and
    ``<to>`` for names, ``<in>`` for where a label or a state begins, ``<what>`` for what an alert says.
    """
    compiled = {_PLACE.sub(lambda found: PLACES[found[1]], each): each for each in told}
    return tuple(Statement(kind, re.compile(pattern), told[each]) for pattern, each in compiled.items())


PLACES = {
    name: f"(?P<{name}>{words})"
    for name, words in (("at", TIME), ("span", SPAN), ("by", NAME), ("to", NAME), ("notice", r"n\d+"))
}
PLACES["in"] = (
    "(?:^|: |¤ |^it is |^exercise,? |^(?:exercise,? )?(?:t#\\d+ |(?:informational|warning|critical|emergency) ))"
)
PLACES["what"] = "(?P<what>: (?:unit (?P<unit>\\S+) is out of bounds(?:: [\\d.]+)?|[\\w ]+(?=[.;¤]|$)))?"
_PLACE = re.compile(rf"(?<!\?P)<({'|'.join(PLACES)})>")
