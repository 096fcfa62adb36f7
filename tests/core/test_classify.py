"""What an alert is to us: level, rule, type, and the incident it belongs to."""

from dataclasses import replace

import pytest

from receiver.core.classify import Classified, Received, classify, is_heartbeat
from receiver.core.model import Instant
from receiver.core.plan import Playbook
from tests.core.alerts import START
from tests.core.guide import POLICY, TYPES

PLAYBOOK = Playbook.of(POLICY, "digest")
SLO_LABELS = {
    "section": "incident_response",
    "rule": "slo_violation",
    "severity_level": "3",
    "system": "fraud",
    "signal": "accuracy",
}


def classified(
    labels: dict[str, str], source: str = "", group: dict[str, str] | None = None, **more: object
) -> Classified:
    """One alert with these labels, classified."""
    received = Received(labels, {}, "f1", **{"starts_at": START, **more})
    return classify(PLAYBOOK, source, group or {}, received)


LEVELS = {
    "ours": ({"severity_level": "4", "severity": "info"}, 4, ""),
    "a level's name": ({"severity": "emergency"}, 4, ""),
    "capitals and blanks": ({"severity": " Critical "}, 3, ""),
    "info": ({"severity": "info"}, 1, ""),
    "none": ({"severity": "none"}, 1, ""),
    "minor": ({"severity": "minor"}, 2, ""),
    "medium": ({"severity": "medium"}, 2, ""),
    "ticket": ({"severity": "ticket"}, 2, ""),
    "error": ({"severity": "error"}, 3, ""),
    "major": ({"severity": "major"}, 3, ""),
    "page": ({"severity": "page"}, 3, ""),
    "fatal": ({"severity": "fatal"}, 4, ""),
    "disaster": ({"severity": "disaster"}, 4, ""),
    "unknown": ({"severity": "P1"}, 3, "severity 'P1' is unknown; taken as level 3"),
    "missing": ({}, 3, "no severity label; taken as level 3"),
    "a level that does not exist": ({"severity_level": "5"}, 3, "no severity label; taken as level 3"),
    "a level that is no number": ({"severity_level": "high", "severity": "warning"}, 2, ""),
    "of its type": ({"incident_type": "engine_failure"}, 4, ""),
    "of its type, though the severity is unknown": (
        {"incident_type": "engine_failure", "severity": "P1"},
        4,
        "severity 'P1' is unknown; taken as level 4",
    ),
    "its own, not its type's": ({"incident_type": "engine_failure", "severity": "warning"}, 2, ""),
    "of the rule that its type names": ({"incident_type": "safety_critical_failure"}, 4, ""),
    "of its rule": ({"section": "incident_response", "rule": "safety_critical_failure"}, 4, ""),
    "unknown type": ({"incident_type": "coffee"}, 3, "no severity label; taken as level 3"),
}


@pytest.mark.parametrize(("labels", "level", "note"), LEVELS.values(), ids=LEVELS)
def test_levels(labels, level, note):
    """The level comes from severity_level, else severity, else the type or rule, else the default, and doubts are noted."""
    alert = classified({"alertname": "X", **labels}).alert
    assert (alert.level, alert.level_note) == (level, note)


def test_the_policys_own_aliases_and_default():
    """The policy may name further severities, and another default."""
    playbook = Playbook.of(replace(POLICY, severity_aliases=(("p1", 4),), default_severity=2), "digest")
    assert classify(playbook, "", {}, Received({"severity": "P1"}, {}, "f", START)).alert.level == 4
    assert classify(playbook, "", {}, Received({"severity": "P9"}, {}, "f", START)).alert.level == 2


RULES = {
    "ours": (SLO_LABELS, "incident_response/slo_violation", "slo_violation"),
    "ours, with a type": (
        {**SLO_LABELS, "incident_type": "engine_failure"},
        "incident_response/slo_violation",
        "engine_failure",
    ),
    "ours, that the policy has lost": ({"section": "gone", "rule": "gone"}, "gone/gone", "gone"),
    "a type of a section": ({"section": "s", "incident_type": "t"}, "s/t", "t"),
    "a type": ({"alertname": "X", "incident_type": "engine_failure"}, TYPES[0].key, "engine_failure"),
    "a rule's name as type": (
        {"alertname": "X", "incident_type": "slo_violation"},
        "incident_response/slo_violation",
        "slo_violation",
    ),
    "an unknown type": ({"alertname": "X", "incident_type": "coffee"}, "X", "coffee"),
    "a stranger": ({"alertname": "KubePodCrashLooping"}, "KubePodCrashLooping", "KubePodCrashLooping"),
    "nameless": ({}, "alert", "alert"),
}


@pytest.mark.parametrize(("labels", "rule", "type_"), RULES.values(), ids=RULES)
def test_rules_and_types(labels, rule, type_):
    """The rule is the policy's where the labels name one, else the type's, else the alert's name."""
    found = classified(labels)
    assert (found.alert.rule, found.alert.type) == (rule, type_)
    assert len(found.why) == 3


SAME = {
    "different groupings of one signal": (
        classified(SLO_LABELS, group={"alertname": "a"}),
        classified(SLO_LABELS, group={"system": "fraud", "signal": "accuracy"}),
    ),
    "neighbours on one signal": (
        classified(SLO_LABELS),
        classified({**SLO_LABELS, "rule": "error_budget_exceeded", "severity_level": "4", "instance": "b"}),
    ),
    "a rule and its twin": (
        classified(SLO_LABELS),
        classified({**SLO_LABELS, "twin": "true", "alertname": "x_missing"}),
    ),
    "one group of strangers": (
        classified({"alertname": "X", "instance": "a"}, group={"alertname": "X", "system": "s"}),
        classified({"alertname": "X", "instance": "b"}, group={"system": "s", "alertname": "X"}),
    ),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_alerts_that_belong_together(one, other):
    """The same alert through different groupings, and neighbours on one signal, are one incident."""
    assert one.key == other.key


APART = {
    "sources": (classified(SLO_LABELS, "a"), classified(SLO_LABELS, "b")),
    "systems": (classified(SLO_LABELS), classified({**SLO_LABELS, "system": "pricing"})),
    "signals": (classified(SLO_LABELS), classified({**SLO_LABELS, "signal": "latency"})),
    "names": (classified({"alertname": "X"}), classified({"alertname": "Y"})),
    "groups": (classified({"alertname": "X"}, group={"ns": "a"}), classified({"alertname": "X"}, group={"ns": "b"})),
    "a signal and a group of that look": (
        classified({"system": "s", "signal": "{}"}),
        classified({"alertname": "s"}),
    ),
    "parts that run together": (
        classified({"system": "a", "signal": "bc"}),
        classified({"system": "ab", "signal": "c"}),
    ),
}


@pytest.mark.parametrize(("one", "other"), APART.values(), ids=APART)
def test_alerts_that_do_not(one, other):
    """Another source, system, signal, name or group is another incident."""
    assert one.key != other.key


def test_what_an_alert_keeps():
    """Starts are cut to milliseconds; firing is the absence of an end; twins are marked."""
    alert = classified({"twin": "true"}, starts_at=Instant(START + 123_456), ended_at=Instant(START + 5_000_000)).alert
    assert (alert.starts_at, alert.firing, alert.twin) == (START + 123_000, False, True)
    assert classified({}).alert.firing


def test_hostile_labels_do_not_break_the_key():
    """A label that no encoding can write, or that looks like another's JSON, still gives a key of its own."""
    keys = {classified({"alertname": name}).key for name in ("\ud800", "\x00", "\u2028", '"], "', "")}
    assert len(keys) == 5
    assert all(len(key) == 64 for key in keys)


@pytest.mark.parametrize(
    ("labels", "is_one"),
    [
        ({"heartbeat": "true"}, True),
        ({"alertname": "Watchdog"}, True),
        ({"alertname": "TocsinHeartbeat"}, True),
        ({"alertname": "X"}, False),
        ({"heartbeat": "false"}, False),
    ],
)
def test_heartbeats(labels, is_one):
    """Alerts that only prove that alerting lives are known by their label or name."""
    assert is_heartbeat(labels) is is_one
