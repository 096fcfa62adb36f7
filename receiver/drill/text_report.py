"""A drill as text: the lines of `tocsin drill`, and its JSON."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from receiver.core.events import Delivered
from receiver.core.model import Entry, Fact, Instant
from receiver.core.plan import PolicyVersion
from receiver.drill.repeats import Repeated
from receiver.drill.script import Deadline, Played
from receiver.messages.timeline import readable, sentence
from receiver.on_call.references import whom
from receiver.reports.duties_kept import duty_outcomes
from rules.durations import format_duration
from rules.policy import SECOND

LOUD = frozenset(
    {Fact.BREACHED, Fact.GAVE_UP, Fact.FALLBACK_EXHAUSTED, Fact.STEP_EMPTY, Fact.UNDELIVERABLE, Fact.NOBODY_ON_CALL}
)
GOOD = frozenset({Fact.ACKNOWLEDGED, Fact.RESOLVED, Fact.CLOSED, Fact.CONFIRMED})
SENDING = {
    Fact.ACCEPTED: "{kind} accepted: {whom}",
    Fact.DELIVERED: "{kind} delivered: {whom}",
    Fact.SUPERSEDED: "{kind} overtaken, not sent: {whom}",
}
"""Facts that get one line for all recipients of a moment."""


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One event."""

    at: str
    """Time since the incident began: ``+7m``."""
    text: str
    tone: str
    """`loud`, `good`, `quiet` (a message) or `plain`."""


def lines(played: Played) -> Iterator[ReportLine]:
    """The timeline as lines for people."""
    later = deque(played.repeated)
    for (at, fact, kind), group in groupby(played.entries, lambda each: (each.at, each.fact, _kind(each))):
        while later and later[0].since < at:
            yield _again(later.popleft(), played.began_at)
        entries = list(group)
        since = offset(at - played.began_at)
        if fact in SENDING:
            told = dict.fromkeys(f"{each.data['channel']} {each.data['recipient']}" for each in entries)
            yield ReportLine(since, SENDING[fact].format(kind=kind, whom=", ".join(told)), "quiet")
            continue
        for entry in entries:
            who = f" by {entry.by}" if entry.by else ""
            yield ReportLine(since, f"{sentence(entry)}{who}", _tone(entry))
    for each in later:
        yield _again(each, played.began_at)


def _again(repeated: Repeated, began_at: Instant) -> ReportLine:
    times = f"{repeated.times:,} times" if repeated.times > 1 else "once"
    until, every = offset(repeated.until - began_at), format_duration(repeated.every)
    text = f"and so on: the same every {every} until {until}, {times} more ({repeated.sent} messages each time)"
    return ReportLine(offset(repeated.begins - began_at), text, "plain")


def _kind(entry: Entry) -> str:
    return entry.data.get("kind", "") if entry.fact in SENDING else ""


def offset(micros: int) -> str:
    """Time since the beginning, to the second: ``+0s``, ``+1h30m``."""
    return f"+{format_duration(micros // SECOND * SECOND)}"


def _tone(entry: Entry) -> str:
    if entry.fact in LOUD:
        return "loud"
    if entry.fact in GOOD:
        return "good"
    return "quiet" if entry.fact is Fact.SEND_FAILED else "plain"


def deadline_words(deadline: Deadline, began_at: Instant) -> str:
    """The outcome of a response time, as text."""
    limit = f"somebody to take it by {offset(deadline.due_at - began_at)}"
    when = offset((deadline.ended_at or deadline.due_at) - began_at)
    match deadline.outcome:
        case "kept":
            return f"kept: {limit}; taken at {when}"
        case "breached":
            return f"breached: {limit}; nobody had"
        case "over":
            return f"not needed: {limit}; overtaken at {when}"
        case _:
            return f"still running: {limit}"


def owed(played: Played) -> Iterator[tuple[str, str, str]]:
    """(duty, due time since the incident began, outcome) of every duty with a time limit: a checklist, a report to an
    authority.
    """
    policy_version = PolicyVersion.of(played.policy, "")
    for each in duty_outcomes(played.incident, played.entries, policy_version, played.ended_at):
        yield each.name, offset(each.due_at - played.began_at), each.result.value


def as_json(played: Played) -> dict[str, Any]:
    """The drill as JSON; times are seconds since the incident began."""

    def since(at: Instant | None) -> float | None:
        return None if at is None else (at - played.began_at) / SECOND

    return {
        "type": played.incident.type,
        "level": played.incident.level,
        "state": played.incident.state,
        "why": list(played.why),
        "reached_after": None if played.reached_after is None else played.reached_after / SECOND,
        "lasted": since(played.ended_at),
        "timeline": [
            {
                "at": since(each.at),
                "fact": each.fact,
                "by": each.by,
                "text": sentence(each),
                "data": dict(readable(each)),
            }
            for each in played.entries
        ],
        "repeated": [
            {
                "from": since(each.since),
                "every": each.every / SECOND,
                "times": each.times,
                "until": since(each.until),
                "timeline": each.entries,
                "messages": each.sent,
            }
            for each in played.repeated
        ],
        "messages": [
            {
                "at": since(each.at),
                "kind": each.notification.kind,
                "reason": each.notification.reason,
                "channel": each.notification.channel,
                "recipient": whom(played.policy, each.notification.channel, each.notification.recipient),
                "delivered": isinstance(each.outcome, Delivered),
            }
            for each in played.sent
        ],
        "deadlines": [
            {"from": since(each.began_at), "due": since(each.due_at), "at": since(each.ended_at), "is": each.outcome}
            for each in played.deadlines
        ],
        "duties": [{"what": what, "due": due, "is": result} for what, due, result in owed(played)],
    }
