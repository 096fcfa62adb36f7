"""The framework's own system configurations beside a policy: what is used, what is listed, what is asked."""

from decimal import Decimal

import pytest

from rules.document.values import Vocabulary
from rules.load import load, load_text, load_with_warnings
from rules.meaning import USUAL_WORDS
from rules.policy import HOUR, MINUTE
from rules.source import Sources, read
from rules.systems import read_systems
from tests.policies import FRAMEWORK, GUIDE, SYSTEMS


def systems_of(text):
    sources = Sources()
    sources.add("system.yaml", text)
    systems, unused = read_systems(sources.documents, Vocabulary(frozenset({"email"}), USUAL_WORDS), 3, sources)
    return systems, unused, sources.problems


@pytest.mark.parametrize("systems", [SYSTEMS, FRAMEWORK], ids=["ours", "framework"])
def test_systems_load_beside_the_guide(systems):
    """Our systems, and every example of the framework as it stands, with nothing worse than a warning."""
    if not systems.exists():
        pytest.skip("the framework's examples do not lie beside the project")
    loaded = load_with_warnings([GUIDE, systems])
    assert all(warning.severity == "warning" for warning in loaded.warnings)
    assert {rule.section for rule in loaded.policy.rules} > {rule.section for rule in load([GUIDE]).rules}
    assert loaded.policy.recordings


def test_numbers_stay_as_they_were_written():
    """Targets and limits are decimal: five nines have exactly one hundred thousandth to spare."""
    sources = read([SYSTEMS / "cargo-drone.yaml"])
    ((system,), _) = read_systems(sources.documents, Vocabulary(frozenset(), USUAL_WORDS), 3, sources)
    slo = next(slo for slo in system.slos if slo.name == "obstacle_confidence")
    assert (slo.target, 1 - slo.target, slo.window) == (Decimal("0.99999"), Decimal("0.00001"), 24 * HOUR)
    threshold = next(each for each in system.safety_thresholds if each.name == "response_time_p99")
    assert (threshold.min, threshold.max, threshold.place.line) == (None, Decimal(500), 36)
    assert (system.name, system.criticality) == ("Cargo Drone", "safety_critical")


def test_what_is_not_used_is_listed():
    """Collectors, evaluators, reports and unknown keys are named with their system, and are no fault."""
    policy = load([GUIDE, SYSTEMS])
    assert "Cargo Drone: evaluators" in policy.unused
    assert "Parcel Prices: quality_framework" in policy.unused


def test_a_system_alone_takes_the_shipped_policy_and_says_so():
    """Who only says what to watch gets the packs' channels and levels, with a warning."""
    loaded = load_with_warnings([SYSTEMS / "cargo-drone.yaml"])
    assert loaded.policy.channel("pagerduty")
    assert "only systems here, no policy" in loaded.warnings[0].message


@pytest.mark.parametrize("spelling", ["safety-critical", "safety_critical", "Safety-Critical"])
def test_both_spellings_of_the_criticality_are_read(spelling):
    """The framework's documentation writes a hyphen, its enumeration an underscore."""
    ((system,), _, _) = systems_of(f"system: {{name: s, criticality: {spelling}}}\n")
    assert system.criticality == "safety_critical"


SHAPES = {
    "names by severity": "alerts: {critical: [a], info: [b]}",
    "a list of mappings": "alerts: [{name: a, severity: critical}, {name: b, severity: info}]",
    "under a heading": "compliance_alerts: {enabled: true, alerts: [{name: a, severity: high}, {name: b, severity: low}]}",
    "by name below monitoring": "monitoring: {alerts: {a: {level: critical, channels: [x]}, b: {level: info}}}",
}


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_alerts_without_a_condition_are_read_in_every_shape(text):
    """However the framework writes them, names without a condition are types with a level."""
    ((system,), _, problems) = systems_of(f"system: {{name: s}}\n{text}\n")
    assert [(alert.name, alert.level) for alert in system.alerts] == [("a", 3), ("b", 1)]
    assert (system.monitoring_rules, problems) == ((), [])


CONDITIONS = {
    "monitoring": ("monitoring: {rules: [%s]}", False),
    "slo alert rules": ("slo: {alert_rules: [%s]}", False),
    "slo validation": ("slo: {validation: {rules: [%s]}}", True),
    "budget alerts": ("error_budget_alerts: {enabled: true, alerts: [%s]}", False),
    "alerts by severity": ("alerts: {critical: [%s]}", False),
    "alerts as a list": ("alerts: [%s]", False),
}


@pytest.mark.parametrize(("text", "must_hold"), CONDITIONS.values(), ids=CONDITIONS)
def test_rules_with_a_condition_are_read_under_every_heading(text, must_hold):
    """Wherever a rule with a condition stands, it is watched; under `validation` the condition is what must hold."""
    rule = "{name: a, condition: 'x > 1', severity: critical, window: 1h, duration: 5m, channels: [email, teams]}"
    ((system,), unused, problems) = systems_of(f"system: {{name: s}}\n{text % rule}\n")
    (read_rule,) = system.monitoring_rules
    assert (read_rule.level, read_rule.window, read_rule.hold) == (3, HOUR, 5 * MINUTE)
    assert (read_rule.must_hold, read_rule.channels) == (must_hold, ("email",))
    assert any(entry.endswith("the channel teams") for entry in unused)
    assert problems == []


def test_alert_channels_and_routing_of_the_framework_are_not_taken_for_alerts():
    """The framework's own `channels` and `routing` under `alerts` are listed as not used."""
    ((system,), unused, _) = systems_of(
        "system: {name: s}\nalerts: {channels: [{name: slack, type: slack}], routing: {critical: [slack]}}\n"
    )
    assert system.alerts == ()
    assert set(unused) == {"s: alerts.channels", "s: alerts.routing"}


def test_a_condition_about_the_configuration_is_left_out_with_a_word():
    """``system.type == 'aviation'`` is no metric: the rule is left out, and a warning points to it."""
    ((system,), _, (warning,)) = systems_of(
        "system: {name: s}\nmonitoring:\n  rules:\n    - {name: a, condition: \"system.type == 'aviation'\"}\n"
    )
    assert system.monitoring_rules == ()
    assert (warning.severity, warning.line) == ("warning", 4)


def test_two_documents_of_one_system_are_one_system():
    """What several files say about one system is joined; two systems stay two."""
    one = "system: {name: s}\nslos: {a: {target: 0.9, window: 1d}}\n"
    two = "system: {name: s}\nslos: {b: {target: 0.9, window: 1d}}\n"
    other = "system: {name: t}\nslos: {a: {target: 0.9, window: 1d}}\n"
    systems, _, _ = systems_of(f"{one}---\n{two}---\n{other}")
    assert [(system.name, [slo.name for slo in system.slos]) for system in systems] == [("s", ["a", "b"]), ("t", ["a"])]


def test_a_policy_section_in_a_system_file_counts():
    """Channels written in the same document as a system belong to the policy."""
    text = "system: {name: s}\nincident_response: {alert_channels: [{name: e, type: email, recipients: [a@b.org]}]}\n"
    assert [channel.name for channel in load_text(text).policy.channels] == ["e"]


def test_one_name_for_money_and_for_a_ratio_is_a_warning():
    """The guide's ``revenue_impact > 0.05`` and a target of money cannot be one metric."""
    loaded = load_with_warnings([GUIDE, SYSTEMS / "parcel-prices.yaml"])
    (warning,) = [each for each in loaded.warnings if "revenue_impact" in each.message and "ratio" in each.message]
    assert (warning.path.rpartition("/")[2], warning.line) == ("parcel-prices.yaml", 19)
