"""One incident as texts show it: sanitised values, and derived values that sentences need.

All other modules here read an IncidentText, not an incident, so that every value passes through `plain`.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from receiver.core.checklists import next_steps
from receiver.core.closing import outstanding
from receiver.core.impact import BUSINESS, GRADES, words
from receiver.core.measured import is_told
from receiver.core.model import Alert, Incident, Instant, Recovery, State, Window, system_of
from receiver.core.occurrences import DISPROVED, begun_at
from receiver.core.plan import DecisionContext, Plan
from receiver.core.response import Impact
from receiver.messages.now_firing import NowFiring
from receiver.messages.plain import cut_words, line, plain, web_address
from receiver.messages.responders import account, help_wanted, last_taken, was_answered
from receiver.messages.spoken_times import spoken_clock
from receiver.messages.times import Manner, as_set, clock, duration, left, stamp
from receiver.messages.unsaid import KEPT_OPEN
from rules.policy import SECOND, IncidentType, Level, Policy, Rule
from rules.reserved import NOT_WIRED, TWIN
from rules.time_zones import time_zone

TITLE = 160
NAME = 80
MISSING = 500
"""Maximum characters of what keeps an incident from closing."""
STEPS = 5
"""Maximum steps that a message names."""
LABELS = 30
"""Maximum labels that are shown."""

RECOVERED = {
    Recovery.UNREPORTED: "no longer reported",
    Recovery.VERIFYING: "signal recovered",
    Recovery.CHECKING: "signal recovered",
    Recovery.CONFIRM: "signal recovered",
    Recovery.UNVERIFIED: "recovery unverified",
}

LIVE = frozenset({State.OPEN, State.ACKNOWLEDGED})


@dataclass(frozen=True)
class IncidentText:
    """One incident at one moment. `page_url`: the incident's page; empty: no external address is configured.

    Values that messages use several times are cached, except texts with times, each of which must be recorded in
    `instants`.
    """

    incident: Incident
    context: DecisionContext
    now: Instant
    page_url: str
    ack_url: str = ""
    """URL at which this message's reader can acknowledge without logging in; empty: none."""
    asks_reader: bool = True
    """Whether the reader is one of the responders, not only informed."""
    zone_of_channel: str = ""
    """The zone of the channel; empty: the policy's."""
    manner: Manner = Manner.WRITTEN
    instants: dict[str, Instant] = field(default_factory=dict, compare=False)
    """Each time that a text named, by its words."""
    alerts: Sequence[Alert] = ()
    """The alerts that fire now, the worst and oldest first; as many as texts may name."""
    news: str = ""
    """The newly fired alert that the message reports; empty: none."""

    @property
    def policy(self) -> Policy:
        """The policy version that the incident runs under."""
        return self.context.policy_version.policy

    @cached_property
    def plan(self) -> Plan:
        """The incident's plan."""
        return self.context.policy_version.plan(self.incident)

    @property
    def level(self) -> Level:
        """The incident's level."""
        return self.policy.level(self.incident.level)

    @property
    def number(self) -> str:
        """The number as people write it: ``#12``."""
        return f"#{self.incident.number}"

    @cached_property
    def title(self) -> str:
        """The title on one line."""
        return cut_words(line(self.firing.title, 2 * TITLE), TITLE) or self.type

    @property
    def system(self) -> str:
        """The incident's system: the first system label of the alert that gives the title, or of the incident if none
        fires. Empty: no label names one.
        """
        named = None if self.incident.declared else self.firing.named
        return line(system_of(named.labels if named else self.incident.labels), NAME)

    @property
    def _first_system(self) -> str:
        """The system of the incident's own labels while alerts of that system fire or may fire: the subject stays
        constant.
        """
        own = line(self.incident.system, NAME)
        known = {line(system_of(each.labels), NAME) for each in self.alerts}
        is_over = self.alerts and self.firing.count == len(self.alerts) and own not in known
        return self.system if is_over else own

    @property
    def subject(self) -> str:
        """The constant subject: number, system, and the rule that opened the incident.

        Level and title are left out because they change. The system changes only if only another system still fires.
        """
        opened_by = next(iter(self.incident.rules), "")
        version = self.context.policy_version
        known = version.rules.get(opened_by) or version.types.get(opened_by)
        lost = opened_by.rpartition("/")[2] == TWIN
        what = line(known.name, NAME) if known else self._missing if lost else line(self.incident.type, NAME)
        exercise = "EXERCISE: " if self.incident.exercise else ""
        system = self._first_system
        return f"{exercise}{self.number} {system}{': ' if system else ''}{what}"

    @property
    def state_words(self) -> str:
        """The state in two or three words: ``open``, ``open, signal recovered``."""
        if self.incident.recorded_only:
            return "recorded"
        recovered = RECOVERED.get(self.incident.recovery, "") if self.live else ""
        return ", ".join(filter(None, (self.incident.state.value, recovered)))

    @property
    def wants_answer(self) -> bool:
        """Whether the reader must answer. An informed reader who acknowledges to confirm reading would stop the paging
        of the responders.
        """
        return self.asks_reader and self.incident.wants_answer

    @property
    def awaits_answer(self) -> bool:
        """Whether an acknowledgement is missing: the incident is open and its signal has not recovered."""
        return self.incident.state is State.OPEN and not self.recovered

    @property
    def recovered(self) -> bool:
        """Whether the signal is reported recovered, verified or not; a signal that is no longer reported does not
        count.
        """
        return self.incident.recovery not in {Recovery.NONE, Recovery.UNREPORTED}

    @cached_property
    def firing(self) -> NowFiring:
        """The alerts that fire now."""
        return NowFiring(self.incident, self.alerts, self.news, self.identities)

    @property
    def identities(self) -> dict[str, tuple[str, ...]]:
        """Signal → the labels that identify its units within a system, where the policy states them."""
        return {
            each.name: tuple(name for name in each.identity if name != "system")
            for each in self.policy.signals
            if each.identity is not None
        }

    @property
    def value_told(self) -> str:
        """The value and when it was reported; messages do not measure it again. Empty: no value was reported."""
        told_at = self.firing.told_at
        return f"{self.firing.value} at {self.time(told_at)}" if self.firing.value and told_at is not None else ""

    @property
    def what(self) -> str:
        """The title with the value and the number of further alerts, for media with little room."""
        return self.what_in(2 * TITLE)

    def what_in(self, room: int) -> str:
        """Returns the same in `room` characters: the title is cut, the value and the number are not."""
        whole = _joined(self.title, self._more if self.tells_value(self.title) else self.measure)
        return whole if len(whole) <= room else _joined(cut_words(self.title, room - len(self.measure)), self.measure)

    @property
    def measure(self) -> str:
        """The value and the number of further alerts, to follow a title: ``: 0.91, and 3 more``."""
        value = self.firing.value
        return f"{f': {value}' if value else ''}{self._more}"

    @property
    def _more(self) -> str:
        more = self.firing.count - 1
        return f", and {more} more" if more > 0 and self.live else ""

    def tells_value(self, text: str) -> bool:
        """Whether the text contains the value, or there is no value."""
        return is_told(self.firing.value, text)

    @cached_property
    def type(self) -> str:
        """The incident type's name; if only missing data is reported, a name that does not state
        the rule's condition.
        """
        named = line(self.incident.type, NAME) or "incident"
        if not self.firing.is_blind or self.incident.type == NOT_WIRED:
            return named
        return self._missing

    @property
    def _missing(self) -> str:
        return f"missing data of {line(self.incident.labels.get('signal', ''), NAME) or 'a signal'}"

    @property
    def labels(self) -> tuple[tuple[str, str], ...]:
        """The labels that all firing alerts share, by name."""
        return tuple((line(name, NAME), line(value)) for name, value in list(self.firing.labels.items())[:LABELS])

    @property
    def live(self) -> bool:
        """Whether the incident still needs action."""
        return self.incident.state in LIVE

    @property
    def owner(self) -> str:
        """The present owner; empty: none."""
        return name(self.incident.holder)

    @property
    def responders(self) -> str:
        """The actions of the responders and the missing answer; empty: no actions."""
        return account(self.incident, self.time)

    @property
    def was_answered(self) -> bool:
        """Whether the incident was ever acknowledged."""
        return was_answered(self.incident)

    @property
    def next_update(self) -> str:
        """When the next status update is due; empty: none is promised, or it is being sent."""
        due = self.incident.windows.get(Window.UPDATE) if self.live else None
        return self.time(due) if due is not None and due > self.now else ""

    @property
    def who_has_it(self) -> str:
        """The present owner, and calls for help."""
        if not self.owner:
            return f"nobody has it; {self.responders}" if self.was_answered else "nobody has it"
        return "; ".join(filter(None, (f"{self.owner} has it", help_wanted(self.incident, self.time))))

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The policy's rules that fired, the worst first."""
        keys = sorted(self.incident.rules, key=lambda key: -self.incident.rules[key])
        return tuple(rule for key in keys if (rule := self.context.policy_version.rules.get(key)))

    @property
    def kind(self) -> IncidentType | None:
        """The policy's incident type of that name, if any."""
        named = (self.context.policy_version.types.get(key) for key in self.incident.rules)
        return next((kind for kind in named if kind), None) or self.policy.incident_type(self.incident.type)

    @property
    def conditions(self) -> str:
        """The conditions of the rules as written, or of the first alert's annotation."""
        asked = [rule.condition for rule in self.rules[:5]]
        told = [each.annotations.get("condition", "") for each in self.alerts[:1]]
        return "; ".join(dict.fromkeys(map(line, asked or told)))

    @property
    def runbook(self) -> str:
        """The alert's runbook, else the first rule's that is a valid web address."""
        return self.firing.runbook or next((url for rule in self.rules if (url := web_address(rule.runbook_url))), "")

    @property
    def links(self) -> tuple[tuple[str, str], ...]:
        """(label, URL), the most useful first: the incident's page, the runbook, the graphs."""
        own = ((f"Incident {self.number}", self.page_url), ("Runbook", self.runbook))
        return tuple((text, url) for text, url in (*own, *self.firing.links) if url)

    @property
    def first_actions(self) -> tuple[str, ...]:
        """The immediate actions that are not done, else the next step."""
        steps = next_steps(self.incident, self.context.policy_version)
        immediate = set(self.kind.immediate_actions) if self.kind else set()
        return tuple(line(step) for step in steps if step in immediate) or self.next_steps[:1]

    @property
    def next_steps(self) -> tuple[str, ...]:
        """The next few steps of the checklists; the incident's page has the others."""
        return tuple(line(step) for step in next_steps(self.incident, self.context.policy_version)[:STEPS])

    @property
    def zone_name(self) -> str:
        """The time zone of the readers."""
        return self.zone_of_channel or self.context.current.policy.time_zone

    def as_set(self, micros: int) -> str:
        """Returns a duration of the policy in the policy's unit."""
        return as_set(micros, self.policy.spellings)

    def time(self, at: Instant) -> str:
        """Returns an instant, relative to now."""
        zone = time_zone(self.zone_name)
        if self.manner is Manner.SPOKEN:
            return spoken_clock(at, self.now, zone)
        return self._told(at, clock(at, self.now, zone))

    def stamp(self, at: Instant) -> str:
        """Returns an instant with its date."""
        return self._told(at, stamp(at, time_zone(self.zone_name)))

    def _told(self, at: Instant, words: str) -> str:
        self.instants[words] = at
        return words

    def left(self, until: Instant, before: str = " (", after: str = ")") -> str:
        """Returns the distance to an instant for texts that are read immediately; empty for texts
        that are read later.
        """
        is_now = 0 <= self.now - until < SECOND
        return "" if self.manner is Manner.WRITTEN or is_now else f"{before}{left(until, self.now)}{after}"

    @property
    def stands(self) -> str:
        """The state as a sentence without a full stop."""
        incident = self.incident
        if incident.response.training:
            return "it keeps watch over who is to practise, and nobody has to take it"
        if incident.recorded_only:
            return "recorded for the history: its alerts have level 0, and nobody is told of them"
        match incident.state:
            case State.OPEN:
                return "; ".join(filter(None, (self._open, self.recovery, *self.doubts)))
            case State.ACKNOWLEDGED:
                taken_at = last_taken(incident) or incident.acknowledged_at
                at = f" at {self.time(taken_at)}" if taken_at else ""
                by = name(self.incident.acknowledged_by) or "somebody"
                handed = f"handed over to {self.owner}" if self.owner not in {"", by} else ""
                wanted = help_wanted(self.incident, self.time)
                told = (f"acknowledged by {by}{at}", handed, wanted, self.recovery, *self.doubts)
                return "; ".join(filter(None, told))
            case State.RESOLVED:
                at = f" at {self.time(incident.resolved_at)}" if incident.resolved_at else ""
                by = f" by {name(incident.resolved_by)}" if incident.resolved_by else ""
                kept = self.outstanding if incident.response.kept_open else []
                missing = "; ".join(line(each, MISSING) for each in kept)
                return f"resolved{by}{at}{f'; {KEPT_OPEN}{missing}' if missing else ''}"
            case State.CLOSED:
                return "closed"

    @property
    def outstanding(self) -> list[str]:
        """What keeps the incident from closing."""
        return outstanding(self.incident, self.context.policy_version)

    @property
    def _open(self) -> str:
        """Open, with the times by which to acknowledge and of the next escalation."""
        due = self.incident.response_due_at
        before = f"open; {self.responders}" if self.was_answered else "open"
        if self.incident.is_paused:
            return before
        if due > self.now:
            told = f"{before}; acknowledge by {self.time(due)}{self.left(due)}"
        elif self.was_answered:
            told = f"{before}; an answer was due by {self.time(due)}{self.left(due, ', ', '')}"
        else:
            told = f"open; nobody has acknowledged, due by {self.time(due)}{self.left(due, ', ', '')}"
        following = self.incident.windows.get(Window.ESCALATE)
        return f"{told}; next escalation at {self.time(following)}" if following and following > self.now else told

    @property
    def recovery(self) -> str:
        """The state of the recovery; empty: no recovery."""
        match self.incident.recovery:
            case Recovery.NONE:
                return ""
            case Recovery.UNREPORTED:
                return "no longer reported, checking whether Prometheus lives"
            case Recovery.VERIFYING:
                until = self.incident.windows.get(Window.VERIFY)
                return "signal recovered, verifying" + (f" until {self.time(until)}" if until else "")
            case Recovery.CHECKING:
                return "signal recovered, Prometheus is asked whether it is well"
            case Recovery.CONFIRM:
                return "signal recovered, a person must confirm"
            case Recovery.UNVERIFIED:
                return "recovery unverified: nothing proves that it is well, a person must confirm"

    @property
    def doubts(self) -> tuple[str, ...]:
        """Silences, and alerts that are not repeated: reasons why the incident may be worse than it appears."""
        silenced, stale = self.incident.silenced_until, self.incident.stale_since
        found = []
        if silenced is not None:
            pages = "nobody is paged meanwhile" if self.incident.is_paused else "it needs an answer all the same"
            until = "" if self.incident.inhibited else f" until {self.time(silenced)}"  # each look moves it
            found.append(f"{'inhibited' if self.incident.inhibited else 'silenced'} in Alertmanager{until}: {pages}")
        if stale is not None:
            since = self.time(self.incident.heard_at or self.incident.opened_at)
            found.append(
                f"its alerts have not been repeated since {since}: they may be over, or the way to here is cut"
            )
        return tuple(found)

    @property
    def impact(self) -> str:
        """The reported impact, else the level's usual impact; empty: unknown."""
        return self.current_impact or line(self.level.impact)

    @property
    def current_impact(self) -> str:
        """The impact as a person or an alert reported it, the worst first; empty: not reported."""
        impacts = self.incident.response.impacts
        ordered = sorted(impacts, key=lambda each: -GRADES.index(impacts[each].grade))
        told = "; ".join(self._impact(each, impacts[each]) for each in ordered)
        return self.fact("current_impact") or self.fact("impact_description") or told

    def _impact(self, scale: str, impact: Impact) -> str:
        if scale == BUSINESS and impact.said.lower() != impact.grade:
            return f"{impact.grade} (business impact of {name(impact.said)})"
        meaning = line(words(self.policy, scale, impact))
        said = "" if impact.said.lower() in {impact.grade, meaning.lower()} else f" ({line(scale)} {line(impact.said)})"
        return f"{impact.grade}: {meaning or line(scale)}{said}"

    def fact(self, wanted: str) -> str:
        """Returns what responders entered under that name; empty: nothing."""
        return plain(self.incident.facts.get(wanted, ""))

    @property
    def lasted(self) -> str:
        """The duration from the opening (or the return) to the resolution, or to now."""
        return duration((self.incident.resolved_at or self.now) - begun_at(self.incident))

    def after_it_began(self, at: Instant) -> str:
        """Returns ``3 minutes after the opening``; of an incident that had come back by then, after its return."""
        returns = (each.ended_at for each in self.incident.response.occurrences if each.ended_at <= at)
        began = max(returns, default=self.incident.opened_at)
        what = "after the opening" if began == self.incident.opened_at else "after it came back"
        return f"{duration(at - began)} {what}"

    @property
    def did_not_hold(self) -> str:
        """The cause and the fix entered before the incident last came back; empty: none."""
        earlier = self.incident.response.occurrences[-1:]
        told = [
            f"{label}: {line(each.facts[fact])}"
            for each in earlier
            for fact, label in zip(DISPROVED, ("cause", "fix"), strict=True)
            if each.facts.get(fact)
        ]
        return "; ".join(told)


def _joined(title: str, measure: str) -> str:
    return f"{title.rstrip('.')}{measure}" if measure else title


def name(person: str) -> str:
    """Returns a person's name on one line."""
    return line(person, NAME)


MOST_SYSTEMS = 3
"""Systems that a subject names."""


def systems(cases: Iterable[IncidentText]) -> str:
    """Returns the systems of several incidents: ``landing-7``, ``landing-7, landing-8``, ``5 systems``; empty: none is
    named.
    """
    named = tuple(dict.fromkeys(case.system for case in cases if case.system))
    return f"{len(named)} systems" if len(named) > MOST_SYSTEMS else ", ".join(named)


MOST_RUNS = 6
"""Runs of numbers that a title or an SMS names."""


def brief(of: Collection[int]) -> str:
    """Returns incident numbers in few characters: ``#12-#31, #40``, or if that is long ``between #12 and #1999``."""
    told = numbers(of)
    return told if told.count(",") < MOST_RUNS else f"between #{min(of)} and #{max(of)}"


def numbers(of: Iterable[int]) -> str:
    """Returns incident numbers with runs combined: ``#12-#31, #40``."""
    runs: list[list[int]] = []
    for number in sorted(set(of)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return ", ".join("-".join(f"#{end}" for end in run) for run in runs)
