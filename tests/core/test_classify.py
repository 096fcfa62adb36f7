"""What an alert is to us: level, rule, type, and the incident it belongs to."""

from dataclasses import replace

import pytest
from msgspec import structs

from receiver.core.classify import NOT_WIRED, Classified, Received, classify, is_heartbeat, is_ignored, sort
from receiver.core.model import Instant
from receiver.core.plan import PolicyVersion
from rules.matchers import parse
from rules.reserved import COMPILED, MARK, TWIN, WATCH
from tests.core.alerts import START
from tests.core.guide import POLICY, TYPES
from tests.core.world import World

POLICY_VERSION = PolicyVersion.of(POLICY, "digest")
MARKED = {MARK: "1"}
SLO_LABELS = {
    "section": "incident_response",
    "rule": "slo_violation",
    "severity_level": "3",
    "system": "fraud",
    "signal": "accuracy",
}


def classified(
    labels: dict[str, str],
    source: str = "",
    group: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    **more: object,
) -> Classified:
    """One alert with these labels, classified."""
    received = Received(labels, annotations or {}, "f1", **{"starts_at": START, **more})
    return classify(POLICY_VERSION, source, group or {}, received)


LEVELS = {
    "ours, of an older Tocsin": ({**SLO_LABELS, "severity_level": "4", "severity": "info"}, 4, ""),
    "a stranger's, lower": ({"severity_level": "1", "severity": "critical"}, 3, ""),
    "a stranger's, higher": ({"severity_level": "4", "severity": "info"}, 1, ""),
    "a stranger's alone": ({"severity_level": "1"}, 3, "no severity label; taken as level 3"),
    "a level's name": ({"severity": "emergency"}, 4, ""),
    "capitals and blanks": ({"severity": " Critical "}, 3, ""),
    "info": ({"severity": "info"}, 1, ""),
    "none": ({"severity": "none"}, 0, ""),
    "debug": ({"severity": "debug"}, 0, ""),
    "notice": ({"severity": "notice"}, 1, ""),
    "P0": ({"severity": "P0"}, 4, ""),
    "P1, the worst of those who begin with it": ({"severity": "p1"}, 4, ""),
    "P2": ({"severity": "P2"}, 3, ""),
    "P4": ({"severity": "P4"}, 1, ""),
    "SEV0": ({"severity": "SEV0"}, 4, ""),
    "sev-1": ({"severity": "sev-1"}, 4, ""),
    "Severity 2": ({"severity": "Severity 2"}, 3, ""),
    "SEV_3": ({"severity": "SEV_3"}, 2, ""),
    "panic": ({"severity": "panic"}, 4, ""),
    "alert": ({"severity": "ALERT"}, 4, ""),
    "a bare number": ({"severity": "1"}, 3, "severity '1' is unknown; taken as level 3"),
    "a bare zero": ({"severity": "0"}, 3, "severity '0' is unknown; taken as level 3"),
    "minor": ({"severity": "minor"}, 2, ""),
    "medium": ({"severity": "medium"}, 2, ""),
    "ticket": ({"severity": "ticket"}, 2, ""),
    "error": ({"severity": "error"}, 3, ""),
    "major": ({"severity": "major"}, 3, ""),
    "page": ({"severity": "page"}, 3, ""),
    "fatal": ({"severity": "fatal"}, 4, ""),
    "disaster": ({"severity": "disaster"}, 4, ""),
    "unknown": ({"severity": "odd"}, 3, "severity 'odd' is unknown; taken as level 3"),
    "missing": ({}, 3, "no severity label; taken as level 3"),
    "a level that does not exist": ({"severity_level": "5"}, 3, "no severity label; taken as level 3"),
    "a level that is no number": ({"severity_level": "high", "severity": "warning"}, 2, ""),
    "of its type": ({"incident_type": "engine_failure"}, 4, ""),
    "of its type, though the severity is unknown": (
        {"incident_type": "engine_failure", "severity": "odd"},
        4,
        "severity 'odd' is unknown; taken as level 4",
    ),
    "of its type, though the severity says nobody": ({"incident_type": "engine_failure", "severity": "none"}, 4, ""),
    "of its rule, though the severity says nobody": (
        {"section": "incident_response", "rule": "safety_critical_failure", "severity": "none"},
        4,
        "",
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
    policy_version = PolicyVersion.of(replace(POLICY, severity_aliases=(("p1", 4),), default_severity=2), "digest")
    assert classify(policy_version, "", {}, Received({"severity": "P1"}, {}, "f", START)).alert.level == 4
    assert classify(policy_version, "", {}, Received({"severity": "P9"}, {}, "f", START)).alert.level == 2


def test_a_source_has_words_of_its_own():
    """A source's words go before those for all, and say nothing about other sources."""
    policy = replace(POLICY, severities=(("grafana", (("critical", 2), ("none", 1), ("5", 4), ("boring", 0))),))
    policy_version = PolicyVersion.of(policy, "digest")

    def level(source, severity):
        return classify(policy_version, source, {}, Received({"severity": severity}, {}, "f", START)).alert.level

    assert [level("grafana", each) for each in ("Critical", "none", "5", "boring", "warning")] == [2, 1, 4, 0, 2]
    assert [level("", each) for each in ("Critical", "none", "5", "boring", "warning")] == [3, 0, 3, 3, 2]


def test_an_annotation_of_a_strangers_is_no_mark():
    """An alert whose annotation `tocsin` is a link or a word of its own is a stranger's: its labels mean nothing here."""
    for value in ("https://wiki.example.org/tocsin", "yes", ""):
        labels = {"alertname": "A", "severity": "info", "severity_level": "4", "signal": "s"}
        found = classified(labels, annotations={MARK: value})
        assert (found.alert.level, found.key) == (1, classified(labels).key)


@pytest.mark.parametrize("said", ["SEV-1", "sev1", "Sev 1", "SEV_1"])
def test_a_sources_word_is_found_without_its_signs(said):
    """What the policy writes with a sign between word and number is meant without it, too."""
    policy_version = PolicyVersion.of(replace(POLICY, severities=(("bridge", (("sev-1", 2),)),)), "digest")
    assert classify(policy_version, "bridge", {}, Received({"severity": said}, {}, "f", START)).alert.level == 2


IGNORING = PolicyVersion.of(
    replace(POLICY, ignore=(parse('alertname="Noise",namespace=~"dev-.*"'), parse('severity!=""'))),
    "digest",
)
IGNORED = {
    "all matchers met": ({"alertname": "Noise", "namespace": "dev-1"}, True),
    "one of two": ({"alertname": "Noise", "namespace": "prod"}, False),
    "another entry": ({"alertname": "X", "severity": "info"}, True),
    "a rule of ours": ({**SLO_LABELS, "severity": "critical"}, False),
    "a heartbeat": ({"alertname": "TocsinHeartbeat", "severity": "none"}, False),
}


@pytest.mark.parametrize(("labels", "is_one"), IGNORED.values(), ids=IGNORED)
def test_what_the_policy_ignores(labels, is_one):
    """Alerts that meet all matchers of an entry open nothing; ours and heartbeats are never among them."""
    assert is_ignored(IGNORING, Received(labels, {}, "f", START)) is is_one


def test_what_has_our_mark_is_not_ignored():
    """Alerts of rules that the policy does not know, and those that watch over Tocsin, are ours all the same."""
    ours = Received({"alertname": "TocsinDown", "severity": "emergency"}, {MARK: "1"}, "f", START)
    assert not is_ignored(IGNORING, ours)
    assert is_ignored(IGNORING, structs.replace(ours, annotations={}))


def test_the_end_of_an_alert_is_not_ignored():
    """An incident may be older than the policy that ignores its alerts: it still hears that they are over."""
    firing = Received({"alertname": "X", "severity": "info"}, {}, "f", START)
    over = Received(firing.labels, {}, "f", START, ended_at=Instant(START + 1))
    assert sort(IGNORING, "", {}, [firing]) == []
    (event,) = sort(IGNORING, "", {}, [over])
    assert not event.alerts[0].firing


REASONS = ("MissingSeries", "NoData", "Error", "Paused", "RuleDeleted", "Updated")


@pytest.mark.parametrize("reason", REASONS)
def test_an_end_for_want_of_data(reason):
    """A resolved alert that Grafana gives a reason for says nothing about whether all is well."""
    received = Received({"alertname": "X"}, {"grafana_state_reason": reason}, "f", START, ended_at=Instant(START + 1))
    assert classify(POLICY_VERSION, "", {}, received).alert.absent
    assert not classify(POLICY_VERSION, "", {}, structs.replace(received, ended_at=None)).alert.absent
    assert not classify(POLICY_VERSION, "", {}, structs.replace(received, annotations={})).alert.absent


RULES = {
    "ours": (SLO_LABELS, "incident_response/slo_violation", "slo_violation"),
    "ours, with a type": (
        {**SLO_LABELS, "incident_type": "engine_failure"},
        "incident_response/slo_violation",
        "engine_failure",
    ),
    "a stranger's section and rule": ({"alertname": "X", "section": "s", "rule": "r"}, "X", "X"),
    "a type of a section": (
        {"section": "business_incident_response", "incident_type": "compliance_violation"},
        "business_incident_response/compliance_violation",
        "compliance_violation",
    ),
    "a type of a section that does not have it": (
        {"section": "s", "incident_type": "compliance_violation"},
        "incident_response/compliance_violation",
        "compliance_violation",
    ),
    "a type of ours": ({"alertname": "X", "incident_type": NOT_WIRED}, "X", "X"),
    "the type of an alert of ours": ({"alertname": "X", "incident_type": WATCH[3]}, "X", "X"),
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
        classified({**SLO_LABELS, "rule": TWIN, "incident_type": "slo_violation", "twin": "true", "alertname": "x"}),
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
        classified({"system": "s", "signal": "{}"}, annotations=MARKED),
        classified({"alertname": "s"}),
    ),
    "strangers that share a signal": (
        classified({"alertname": "X", "signal": "logs"}),
        classified({"alertname": "Y", "signal": "logs"}),
    ),
    "a stranger on one of our signals": (
        classified(SLO_LABELS),
        classified({"alertname": "X", "system": "fraud", "signal": "accuracy"}),
    ),
    "a stranger that says what a twin says": (
        classified({"alertname": "X", "twin": "true", "seen": "never"}),
        classified({"alertname": "Y", "twin": "true", "seen": "never"}),
    ),
    "parts that run together": (
        classified({"system": "a", "signal": "bc"}, annotations=MARKED),
        classified({"system": "ab", "signal": "c"}, annotations=MARKED),
    ),
}


@pytest.mark.parametrize(("one", "other"), APART.values(), ids=APART)
def test_alerts_that_do_not(one, other):
    """Another source, system, signal, name or group is another incident."""
    assert one.key != other.key


def test_what_an_alert_keeps():
    """Starts are cut to milliseconds; firing is the absence of an end; twins are marked."""
    times = {"starts_at": Instant(START + 123_456), "ended_at": Instant(START + 5_000_000)}
    alert = classified({"twin": "true", "rule": TWIN}, annotations=MARKED, **times).alert
    assert (alert.starts_at, alert.firing, alert.twin) == (START + 123_000, False, True)
    assert classified({}).alert.firing


def test_hostile_labels_do_not_break_the_key():
    """A label that no encoding can write, or that looks like another's JSON, still gives a key of its own."""
    keys = {classified({"alertname": name}).key for name in ("\ud800", "\x00", "\u2028", '"], "', "")}
    assert len(keys) == 5
    assert all(len(key) == 64 for key in keys)


def test_no_label_of_a_stranger_means_what_ours_would():
    """An alert without our mark, and of no rule that we know, is the same to us with all the labels that we compile."""
    plain = {"alertname": "X", "severity": "warning", "namespace": "a"}
    theirs = plain | dict.fromkeys(COMPILED, "true") | {"severity_level": "1", "seen": "never", "signal": "logs"}
    one, other = classified(plain), classified(theirs)
    assert one.key == other.key
    assert replace_labels(one) == replace_labels(other)
    assert len(sort(POLICY_VERSION, "", {}, [Received(theirs, {}, "f", START)])) == 1


def replace_labels(found: Classified) -> tuple[object, ...]:
    """What an alert is to us, but for its labels as they came."""
    alert = found.alert
    return alert.level, alert.rule, alert.type, alert.twin, alert.level_note, found.why


NEWER = {"section": "incident_response", "rule": "newer", "signal": "drift", "system": "fraud"}
NOT_KNOWN = "rule incident_response/newer is not in the policy in use; taken as level"


@pytest.mark.parametrize(
    ("labels", "level"),
    [
        ({"severity_level": "4", "severity": "info"}, 4),
        ({"severity_level": "1", "severity": "emergency"}, 4),
        ({"severity_level": "1", "severity": "info"}, 3),
        ({"severity_level": "1"}, 3),
    ],
)
def test_rules_newer_than_the_policy_are_ours(labels, level):
    """With our mark, a rule that the policy lacks keeps its identity; its level is the highest of what it may be."""
    alert = classified(NEWER | labels, annotations=MARKED)
    assert (alert.alert.rule, alert.alert.level) == ("incident_response/newer", level)
    assert alert.alert.level_note == f"{NOT_KNOWN} {level}"
    assert alert.key == classified({**SLO_LABELS, "signal": "drift"}).key


def test_a_mark_without_a_rule_lowers_nothing():
    """A copy of a compiled rule that lost its section and rule has the highest level that it may have."""
    copied = {**SLO_LABELS, "alertname": "Copied", "severity_level": "1", "severity": "emergency"}
    for lost in ({"rule"}, {"section"}, {"section", "rule"}):
        labels = {name: value for name, value in copied.items() if name not in lost}
        assert classified(labels, annotations=MARKED).alert.level == 4


def test_a_twin_of_a_rule_that_we_know_keeps_its_level():
    """A twin is known by the rule that it follows: its level is what was compiled."""
    twin = {**SLO_LABELS, "rule": TWIN, "incident_type": "slo_violation", "twin": "true", "severity_level": "1"}
    for annotations in ({}, MARKED):
        alert = classified(twin, annotations=annotations).alert
        assert (alert.level, alert.level_note, alert.twin) == (1, "", True)


def test_our_own_alerts_need_no_rule():
    """What watches over Tocsin belongs to no section, and is as severe as it says."""
    alert = classified({"alertname": WATCH[1], "severity_level": "2"}, annotations=MARKED).alert
    assert (alert.level, alert.level_note) == (2, "")


def test_a_metrics_own_labels_make_no_twin_of_a_rule():
    """A digital twin's metric may carry `twin` and `seen`: the rule's alert stays with its signal, and is no twin."""
    own = classified(SLO_LABELS, annotations=MARKED)
    found = classified({**SLO_LABELS, "twin": "true", "seen": "never", "heartbeat": "true"}, annotations=MARKED)
    assert (found.key, found.alert.twin, found.alert.type) == (own.key, False, "slo_violation")
    assert not is_heartbeat(POLICY, "", found.alert.labels)


def test_the_end_of_what_is_ignored_is_no_news():
    """The end of a short emergency that is ignored is not sent either."""
    received = Received(
        {"alertname": "Noise", "namespace": "dev-1", "severity": "P0"}, {}, "f", START, Instant(START + 1)
    )
    (event,) = sort(IGNORING, "", {}, [received])
    assert [each.level for each in event.alerts] == [0]
    world = World(policy=IGNORING.policy)
    world.decide(event)
    assert (world.incidents, world.delivered) == ({}, [])
