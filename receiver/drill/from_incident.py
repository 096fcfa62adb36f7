"""A past incident → a drill script and firings for promtool; written by `tocsin report ID --as-test`.

The store keeps the last state of each alert, and the timeline the events with their times; webhooks are reconstructed
from both. Actions of people are taken from the timeline verbatim. Nothing is invented: the file lists what cannot be
reconstructed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from receiver.core.model import Alert, Entry, Fact, Incident, Instant, Kind, Notification, Reason, Status
from receiver.drill.script_file import ACTIONS, FORMAT, worst_level
from receiver.messages.plain import line
from receiver.messages.timeline import sentence
from receiver.messages.times import rfc3339
from receiver.reports.incident_record import IncidentRecord
from rules.condition import sources
from rules.durations import format_duration
from rules.policy import SECOND, Micros
from rules.promtool.incident_replay import Firing, IncidentReplay, RecordedSeries, clock, relive
from rules.yaml_text import text

FIRES = frozenset({
    Fact.OPENED, Fact.ALERT_JOINED, Fact.RULE_JOINED, Fact.LEVEL_ROSE, Fact.ACK_VOIDED, Fact.FIRED_AGAIN, Fact.REOPENED
})  # fmt: skip
"""Facts caused by an alert."""

ARRIVED = frozenset({Status.ACCEPTED, Status.DELIVERED})
"""A provider accepted the message."""

GOT_OUT = frozenset({Reason.FALLBACK})
"""Pages sent only because a provider failed: the policy does not require them."""

KEPT = frozenset({
    "by", "note", "text", "to", "step", "role", "link", "hold", "obligation", "stage", "reference", "filing"
})  # fmt: skip
"""The fields of an entry that an action uses."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """The output of `--as-test`."""

    files: Mapping[str, str]
    notes: tuple[str, ...]
    """What was reconstructed, with its source, and what could not be."""


def recall(record: IncidentRecord) -> Recalled:
    """The test files of an incident, under the policy version that it had."""
    incident, name = record.case.incident, f"incident_{record.case.incident.number}"
    title = f"incident #{incident.number} ({line(incident.title)})"
    tests = _promtool(record, title)
    files = {f"{name}.drill.yaml": _script(record, title)}
    for index, (interval, content) in enumerate(tests.files.items()):
        further = f"_{format_duration(interval)}" if index else ""
        files[f"{name}_test{further}.yml"] = content.decode()
    cut = (f"NOT TESTED: {record.left_out} lines of the timeline",) if record.left_out else ()
    if not record.alerts:
        return Recalled(files, ("NOT TESTED by promtool: a person declared it, no rule fired", *cut))
    return Recalled(files, (*tests.notes, *(f"NOT TESTED: {each}" for each in tests.missing), *cut))


def _promtool(record: IncidentRecord, title: str) -> IncidentReplay:
    first: dict[tuple[str, str], Alert] = {}
    for alert in sorted(record.alerts, key=lambda each: each.starts_at):
        first.setdefault((alert.rule, alert.labels.get("alertname", "") if alert.twin else ""), alert)
    firings = [
        Firing(rule, alert.level, twin, Micros(alert.starts_at), _micros(alert.ended_at), alert.labels)
        for (rule, twin), alert in first.items()
    ]
    return relive(record.case.policy, title, firings, list(_courses(record)))


def _micros(at: Instant | None) -> Micros | None:
    return None if at is None else Micros(at)


def _courses(record: IncidentRecord) -> Iterator[RecordedSeries]:
    """The evidence from the opening; a series whose name cannot be parsed is omitted."""
    for entry in record.entries(Fact.EVIDENCE):
        if entry.data.get("inquiry") != "opened":
            continue
        for name, points in orjson.loads(entry.data["series"]):
            try:
                (selector,) = sources(name)
            except ValueError:
                continue
            labels = tuple((label, value) for label, _, value in selector.matchers)
            yield RecordedSeries(selector.name, labels, tuple((clock(at), float(value)) for at, value in points))


def _script(record: IncidentRecord, title: str) -> str:
    incident = record.case.incident
    document = {
        "format": FORMAT,
        "incident": title,
        "happened_at": rfc3339(incident.opened_at),
        "happened": [*_happened(record)],
        "expect": {"level": worst_level(record.timeline), "told": _told(incident, record.notifications)},
    }
    head = (
        f"{title}, once more: what came in and what people did, and who heard of it how soon.\n"
        "tocsin drill POLICY --script FILE fails where a channel hears later than then, or not at all.\n"
        "The webhooks are rebuilt from the alerts as they were last, and the timeline."
    )
    return text(document, head).decode()


def _told(incident: Incident, notifications: Iterable[Notification]) -> dict[str, str]:
    """Channel → the due time of its first page that a provider accepted, without fallbacks."""
    told: dict[str, str] = {}
    for each in notifications:
        if each.kind is Kind.PAGE and each.status in ARRIVED and each.reason not in GOT_OUT:
            told.setdefault(each.channel, _after(incident, each.created_at))
    return told


def _after(incident: Incident, at: Instant) -> str:
    """Rounded up to the millisecond, so that windows due at that time are processed first."""
    return format_duration(-(-(at - incident.opened_at) // 1000) * 1000)


def _happened(record: IncidentRecord) -> Iterator[dict[str, Any]]:
    incident, alerts = record.case.incident, _Alerts(record.alerts)
    moments: dict[Instant, list[Entry]] = {}
    for entry in record.timeline:
        moments.setdefault(entry.at, []).append(entry)
    for at, entries in moments.items():
        after = {"after": _after(incident, at)}
        webhook = alerts.follow(at, entries)
        if webhook:
            yield after | {"webhook": {"source": incident.source, "alerts": webhook}}
        acknowledges = any(each.fact is Fact.ACKNOWLEDGED for each in entries)
        for each in entries:
            if each.by and not (acknowledges and each.fact is Fact.STEP_DONE):  # an acknowledgement ticks its step
                yield after | _action(incident, each)


def _action(incident: Incident, entry: Entry) -> dict[str, Any]:
    """A person's action in the script's form; an action that a drill cannot repeat becomes a note."""
    said = {"by": entry.by} | {name: value for name, value in entry.data.items() if name in KEPT}
    match entry.fact:
        case Fact.DECLARED:
            return {"declare": said | {"type": entry.data["type"], "level": int(entry.data["level"]),
                                       "exercise": incident.exercise}}  # fmt: skip
        case Fact.CHANGED if entry.data["field"] == "level":
            return {"change": said | {"level": int(entry.data["value"]), "reason": entry.data.get("reason", "")}}
        case Fact.CHANGED:
            return {"change": said | {"facts": {entry.data["field"]: entry.data["value"]}}}
        case Fact.RESOLVED:
            return {"resolve": said | ({"force": True} if entry.data.get("forced") else {})}
        case fact if fact in ACTIONS:
            return {ACTIONS[fact]: said}
        case _:
            return {"note": {"by": entry.by, "text": sentence(entry)}}


@dataclass(slots=True)
class _Alerts:
    """The incident's alerts in the course of the timeline."""

    known: Sequence[Alert]
    firing: dict[str, Alert] = field(default_factory=dict)

    def follow(self, at: Instant, entries: Sequence[Entry]) -> list[dict[str, Any]]:
        """The webhook's alerts at that moment."""
        told = [each for entry in entries if entry.fact in FIRES for each in self._fire(at, entry)]
        for entry in entries:
            if entry.fact is Fact.ALERT_CLEARED:
                told += self._clear(at, entry)
        return told

    def _fire(self, at: Instant, entry: Entry) -> list[dict[str, Any]]:
        """As many alerts of the entry's rules as it counts; those that had begun by then first."""
        if entry.fact is Fact.REOPENED and entry.data.get("reason") != Reason.RECURRED:
            return []
        rules = set(filter(None, entry.data.get("rule", "").split(", ")))
        quiet = [each for each in self.known if each.fingerprint not in self.firing]
        of_rules = [each for each in quiet if each.rule in rules]
        if rules and not of_rules:
            return []  # another entry of the same moment has them
        begun = sorted(of_rules or quiet, key=lambda each: (each.starts_at > at, -each.level, each.starts_at))
        fired = begun[: int(entry.data.get("alerts", "1"))]
        if entry.fact is Fact.OPENED:
            others = (each for each in quiet if each not in fired and each.starts_at <= at)
            fired += list(others)[: int(entry.data.get("alerts", "1")) - len(fired)]
        self.firing.update((each.fingerprint, each) for each in fired)
        return [_as_told(each, min(each.starts_at, at)) for each in fired]

    def _clear(self, at: Instant, entry: Entry) -> list[dict[str, Any]]:
        ended = sorted(self.firing.values(), key=lambda each: (each.ended_at or at) > at)
        cleared = ended[: max(0, len(self.firing) - int(entry.data.get("firing", "0")))]
        for each in cleared:
            del self.firing[each.fingerprint]
        return [_as_told(each, min(each.starts_at, at), at) for each in cleared]


def _as_told(alert: Alert, starts_at: int, ended_at: Instant | None = None) -> dict[str, Any]:
    told = {
        "status": "firing" if ended_at is None else "resolved",
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": rfc3339(Instant(starts_at // SECOND * SECOND)),
        "fingerprint": alert.fingerprint,
    }
    return told if ended_at is None else {**told, "endsAt": rfc3339(ended_at)}
