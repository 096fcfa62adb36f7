"""Classification of an alert: its level, rule, type, and the incident it belongs to.

A missing or unknown severity means the policy's default, never a drop or a downgrade (DESIGN: Severity, Identity).
Foreign alerts may use the labels that Tocsin compiles with another meaning: `believed` alone decides which labels are
trusted, and all code reads such labels from its result.
"""

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import sha256

from msgspec import Struct
from msgspec.structs import replace

from receiver.core import impact
from receiver.core.events import AlertsReceived
from receiver.core.model import Alert, Instant
from receiver.core.plan import PolicyVersion
from receiver.core.response import Impact
from rules.matchers import match, written
from rules.policy import Heartbeat, Policy
from rules.reserved import COMPILED, MARK, MARKED, NAMES, TWIN, WATCH, WATCHDOG
from rules.reserved import NOT_WIRED as NOT_WIRED  # noqa: PLC0414 - for `receiver.core.alerts`

OWN_TYPES = NAMES.union(WATCH)
"""Types of incidents that an alert cannot declare, because Tocsin handles them specially."""

REASON_OF_ABSENCE = "grafana_state_reason"
"""Annotation of Grafana's alerts that are no longer measured: MissingSeries, NoData, Error, Paused, RuleDeleted,
Updated. For none of these reasons was a recovery measured."""
HEARTBEAT = WATCH[0]
"""The heartbeat among the rules that Tocsin compiles (`rules.self_monitoring`)."""

REMEMBERED = 2000
"""Longest identity, in characters, whose key is cached; a foreign alert's may be as long as a body."""

_canonical = json.JSONEncoder(sort_keys=True).encode
_quoted = json.encoder.encode_basestring_ascii  # the same as `_canonical` of a text, but faster


class Received(Struct, frozen=True):
    """One alert of a webhook, parsed. `ended_at` None: it fires. `starts_at` may have nanoseconds cut off."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    fingerprint: str
    starts_at: Instant
    ended_at: Instant | None = None
    generator_url: str = ""
    repairs: tuple[str, ...] = ()
    """What could not be read, and how it was interpreted."""
    start_unknown: bool = False
    """`starts_at` is the time of receipt: the sender gave no readable start."""


class Classified(Struct, frozen=True):
    """An alert, classified, and the key of its incident."""

    alert: Alert
    key: str
    steps: tuple[str, ...]
    source: str
    group_labels: Mapping[str, str]
    believed: Mapping[str, str]
    """The alert's trusted labels."""

    @property
    def why(self) -> tuple[str, ...]:
        """Each step in words, for `explain`."""
        return (*self.steps, _in_words(self.source, self.group_labels, self.believed))


def is_compiled_heartbeat(labels: Mapping[str, str]) -> bool:
    """Whether it is the heartbeat that Tocsin compiles."""
    return labels.get("alertname") == HEARTBEAT


def heartbeat_named(policy: Policy, source: str, labels: Mapping[str, str]) -> Heartbeat | None:
    """The policy's heartbeat that the labels name, or None."""
    return next(
        (each for each in policy.heartbeats if each.source in (None, source) and match(each.matchers, labels)), None
    )


def is_heartbeat(policy: Policy, source: str, labels: Mapping[str, str]) -> bool:
    """Whether the labels are those of the compiled heartbeat, or of one that the policy names."""
    return is_compiled_heartbeat(labels) or heartbeat_named(policy, source, labels) is not None


def is_watchdog(labels: Mapping[str, str]) -> bool:
    """Whether it is a foreign alert that always fires: ignored unless the policy names it as a heartbeat."""
    return labels.get("alertname") == WATCHDOG


def is_ours(policy_version: PolicyVersion, received: Received) -> bool:
    """Whether Tocsin compiled it: it has the mark, or (older releases) names a section and a rule of the policy."""
    return received.annotations.get(MARK) == MARKED or _knows(policy_version, received.labels)


def believed(policy_version: PolicyVersion, received: Received) -> Mapping[str, str]:
    """The alert's trusted labels: all if Tocsin compiled it, else those that Tocsin does not compile."""
    labels = received.labels
    if COMPILED.isdisjoint(labels) or is_ours(policy_version, received):
        return labels
    return {name: value for name, value in labels.items() if name not in COMPILED}


def _knows(policy_version: PolicyVersion, labels: Mapping[str, str]) -> bool:
    """Whether the policy has the rule that the labels name. A twin is looked up by its type, that of its rule."""
    rule = labels.get("rule", "")
    key = f"{labels.get('section', '')}/{labels.get('incident_type', '') if rule == TWIN else rule}"
    return key in policy_version.rules or key in policy_version.types


def _is_twin(labels: Mapping[str, str]) -> bool:
    """Whether it is a missing-data twin. A metric may have its own label `twin`, so `rule` must agree."""
    return labels.get("twin") == "true" and labels.get("rule") == TWIN


def _is_not_wired(labels: Mapping[str, str]) -> bool:
    """Whether it is a twin (`rules.missing_data`) whose signal never existed: all of these share one incident."""
    return _is_twin(labels) and labels.get("seen") == "never"


def ignored_by(policy_version: PolicyVersion, received: Received) -> str:
    """The policy's entry of `ignore` that the alert matches, in words; empty: none. Tocsin's own alerts match none."""
    entry = next((each for each in policy_version.policy.ignore if match(each, received.labels)), ())
    return written(entry) if entry and not is_ours(policy_version, received) else ""


def is_ignored(policy_version: PolicyVersion, received: Received) -> bool:
    """Whether the policy ignores it. An end is never ignored: its incident may be older than the policy's entry."""
    fires = received.ended_at is None and not is_compiled_heartbeat(received.labels)
    return fires and bool(ignored_by(policy_version, received))


def is_passed_over(policy_version: PolicyVersion, source: str, received: Received) -> bool:
    """Whether it opens no incident: it is a heartbeat, a watchdog, or ignored."""
    return is_sign_of_life(policy_version, source, received) or is_ignored(policy_version, received)


def is_sign_of_life(policy_version: PolicyVersion, source: str, received: Received) -> bool:
    """Whether it is a heartbeat or a watchdog. No other alert that Tocsin compiled is, even if its labels match one."""
    labels = received.labels
    if is_compiled_heartbeat(labels):
        return True
    is_one = is_watchdog(labels) or heartbeat_named(policy_version.policy, source, labels) is not None
    return is_one and not is_ours(policy_version, received)


def classify(
    policy_version: PolicyVersion, source: str, group_labels: Mapping[str, str], received: Received
) -> Classified:
    """Classify one alert. `source` is the webhook's ``?source=``, empty by default."""
    labels = believed(policy_version, received)
    rule, type_, why_rule = _rule(policy_version, labels)
    if _is_not_wired(labels):
        type_ = NOT_WIRED
    level, note, why_level = _level(policy_version, source, rule, labels)
    impacts = impact.of_alert(policy_version, rule, received.labels, received.annotations)
    level, why_impact = _raise(policy_version, level, impacts)
    identity = _identity(source, group_labels, labels)
    alert = Alert(
        fingerprint=received.fingerprint,
        starts_at=Instant(received.starts_at // 1000 * 1000),
        firing=received.ended_at is None,
        level=level,
        rule=rule,
        type=type_,
        labels=received.labels,
        annotations=received.annotations,
        twin=_is_twin(labels),
        level_note=note,
        generator_url=received.generator_url,
        ended_at=received.ended_at,
        repairs=(*received.repairs, *_ungraded(policy_version, received)),
        start_unknown=received.start_unknown,
        absent=received.ended_at is not None and bool(received.annotations.get(REASON_OF_ABSENCE)),
    )
    return Classified(alert, incident_key(identity), (why_rule, why_level, *why_impact), source, group_labels, labels)


def sort(
    policy_version: PolicyVersion,
    source: str,
    group_labels: Mapping[str, str],
    received: Iterable[Received],
    *,
    truncated: bool = False,
) -> list[AlertsReceived]:
    """The events of a webhook's alerts, one per incident key, without those passed over."""
    alerts: dict[str, list[Alert]] = {}
    for each in received:
        if not is_passed_over(policy_version, source, each):
            classified = classify(policy_version, source, group_labels, each)
            alert = classified.alert
            if ignored_by(policy_version, each):  # an end: it updates an existing incident only
                alert = replace(alert, level=0)
            alerts.setdefault(classified.key, []).append(alert)
    return [AlertsReceived(key, source, tuple(some), truncated) for key, some in alerts.items()]


def is_by_signal(key: str, source: str, labels: Mapping[str, str]) -> bool:
    """Whether the incident of that key is one of a signal: then Tocsin compiled its alerts and their label `signal`."""
    signal = labels.get("signal", "")
    return bool(signal) and key == incident_key((source, labels.get("system", ""), signal))


def incident_key(identity: tuple[str | tuple[tuple[str, str], ...], ...]) -> str:
    """SHA-256 of the identity as JSON, pairs as an object with its names sorted."""
    parts = tuple(_quoted(part) if isinstance(part, str) else _canonical(dict(part)) for part in identity)
    digest = _digest if sum(map(len, parts)) <= REMEMBERED else _digest.__wrapped__
    return digest(parts)


@lru_cache(1024)  # most alerts of a body share an identity, and bodies repeat
def _digest(parts: tuple[str, ...]) -> str:
    return sha256(f"[{', '.join(parts)}]".encode()).hexdigest()


def _level(policy_version: PolicyVersion, source: str, rule: str, labels: Mapping[str, str]) -> tuple[int, str, str]:
    """Level (0: no notification; never of a rule or type of the policy), a note if it is a guess, and the reason."""
    severity = labels.get("severity", "")
    known = policy_version.severity(source, severity)
    compiled = labels.get("severity_level", "")
    if compiled in {"1", "2", "3", "4"}:
        if not _knows(policy_version, labels) and labels.get("alertname") not in WATCH:
            level = max(int(compiled), known or 0, policy_version.policy.default_severity)
            said = f"rule {rule} is not in the policy in use"
            return level, f"{said}; taken as level {level}", f"level {level}: {said}, the highest of what it may be"
        return int(compiled), "", f"level {compiled}: label severity_level"
    named = policy_version.rules.get(rule) or policy_version.types.get(rule)
    if known or (known == 0 and named is None):
        silent = "" if known else ": kept in the history, nobody is told"
        return known, "", f"level {known}: label severity={severity}{silent}"
    if named is not None and (known == 0 or not severity):
        return named.level, "", f"level {named.level}: of {named.key}"
    default = max(policy_version.policy.default_severity, named.level if named else 0)
    said = f"severity {severity!r} is unknown" if severity else "no severity label"
    return default, f"{said}; taken as level {default}", f"level {default}: {said}, the policy's default_severity"


def _ungraded(policy_version: PolicyVersion, received: Received) -> tuple[str, ...]:
    return impact.ungraded(impact.scales(policy_version.policy), received.labels, received.annotations)


def _raise(policy_version: PolicyVersion, level: int, impacts: Mapping[str, Impact]) -> tuple[int, tuple[str, ...]]:
    """The level, raised if the alert's impacts call for it, and the reason."""
    if not impacts:
        return level, ()
    called_for = impact.level_for(policy_version.policy, impacts.values())
    if called_for <= level:
        return level, ()
    said = ", ".join(f"{name} is {each.grade} ({each.said})" for name, each in impacts.items())
    return called_for, (f"level {called_for}: {said}, by impact_raises",)


def _rule(policy_version: PolicyVersion, labels: Mapping[str, str]) -> tuple[str, str, str]:
    """Rule key, incident type, and the reason."""
    declared = labels.get("incident_type", "")
    type_ = "" if declared in OWN_TYPES else declared
    section, name = labels.get("section", ""), labels.get("rule", "")
    key = f"{section}/{name}"
    if section and name:
        return key, type_ or name, f"rule {key}: labels section and rule"
    kind = policy_version.types.get(f"{section}/{type_}") or policy_version.rules.get(f"{section}/{type_}")
    kind = kind or (policy_version.kind(type_) if type_ else None)
    if kind is not None:
        return kind.key, kind.name, f"incident type {kind.key}: label incident_type"
    alertname = labels.get("alertname", "") or "alert"
    return alertname, type_ or alertname, f"no rule of the policy: alertname {alertname}"


def _in_words(source: str, group_labels: Mapping[str, str], labels: Mapping[str, str]) -> str:
    """The identity in words; alerts that agree in it share one incident."""
    group = " ".join(f"{name}={value}" for name, value in group_labels.items())
    if _is_not_wired(labels):
        return "one incident for all signals that were never there"
    if labels.get("signal", ""):
        parts = {"source": source, "system": labels.get("system", ""), "signal": labels["signal"]}
    else:
        parts = {"source": source, "alertname": labels.get("alertname", ""), "group": group}
    return f"one incident per {', '.join(f'{name} {value}' for name, value in parts.items() if value) or 'source'}"


def _identity(
    source: str, group_labels: Mapping[str, str], labels: Mapping[str, str]
) -> tuple[str | tuple[tuple[str, str], ...], ...]:
    """Not `groupKey`: it changes when routes are edited, and one alert may arrive from several receivers."""
    if _is_not_wired(labels):
        return (source, NOT_WIRED)
    signal = labels.get("signal", "")
    if signal:
        return (source, labels.get("system", ""), signal)
    return (source, labels.get("alertname", ""), tuple(group_labels.items()))
