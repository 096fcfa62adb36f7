"""What compiled alerts carry beside their words: our mark, the digest of the rules, the value."""

from dataclasses import fields, replace

import pytest

from rules import compile as compiler
from rules import self_monitoring
from rules.load import load
from rules.outputs import rule_file
from rules.policy import (
    Channel,
    ImpactScale,
    IncidentType,
    Micros,
    Place,
    Policy,
    Procedure,
    Recording,
    Rule,
    Signal,
    Stakeholders,
)
from rules.reserved import ALERTS, DIGEST, LABELS, MARK, NAMES
from rules.stored import rules_digest
from tests.policies import SYSTEMS
from tests.rules.policies import LEVELS, policy, rule, write

SCALE = ImpactScale("revenue_impact", "", (("low", "0-5% of it"),), (("low", 0.0, 0.05),))
POLICY = replace(
    policy(
        rule("margin", "safety_margin < 0.95", 4, labels=(("system", "x"),)),
        rule("latency", "latency_seconds > 1", 3, place=Place("a.yaml", 3)),
        rule("revenue", "revenue_impact > 0.1", 2),
        signals=(Signal("latency_seconds", unit="s"), Signal("revenue_impact", "lost / all_of_it")),
        types=(IncidentType("aviation", "engine_failure", 4, "An engine failed"),),
        recordings=(Recording("system:x", "share", "errors / requests"),),
    ),
    impact_scales=(SCALE,),
)


def rules_yml(made: Policy) -> bytes:
    """What Prometheus would be given, without the digest itself."""
    groups = [group.annotated({DIGEST: ""}) for group in (*compiler.compile(made), *self_monitoring.groups(made))]
    return rule_file.render(groups)


def every_alert(made: Policy):
    return [alert for group in (*compiler.compile(made), *self_monitoring.groups(made)) for alert in group.alerts]


@pytest.mark.parametrize("made", [POLICY, load([SYSTEMS])], ids=["small", "systems"])
def test_every_alert_carries_mark_and_digest(made):
    """Rules, types, twins and what watches over Tocsin: all have our mark and the digest of the policy they are of."""
    for alert in every_alert(made):
        annotations = dict(alert.annotations)
        assert annotations[MARK] == "1"
        assert annotations[DIGEST] == rules_digest(made)


def test_rules_carry_their_value():
    """Where the expression has a value that means something, it is an annotation, to ten digits; a twin's means nothing."""
    told = {alert.alert: dict(alert.annotations).get("value") for alert in every_alert(POLICY)}
    assert told["Margin"] == told["EngineFailure"] == '{{ printf "%.10g" $value }}'
    assert told["SafetyMarginSignalLost"] is None


VALUES = ("0.1234567890123", "1234567", "1e-07", "12345678901234", "-0.5", "100")


@pytest.mark.parametrize("threshold", VALUES)
def test_values_are_written_as_prometheus_writes_them(promtool, tmp_path, threshold):
    """Small, large, negative and long values: promtool finds the annotation that the unit tests expect."""
    write(policy(rule("margin", f"a >= {threshold}")), tmp_path)
    answer = promtool("test", "rules", "rules_test.yml", folder=tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def changed(part: str, index: int, **changes) -> Policy:
    parts = getattr(POLICY, part)
    return replace(POLICY, **{part: (*parts[:index], replace(parts[index], **changes), *parts[index + 1 :])})


def changes(part: str, index: int, skip: frozenset[str] = frozenset(("place",))):
    """The policy, with each field of a part in turn changed to something else of its kind."""
    for each in fields(getattr(POLICY, part)[index]):
        value = getattr(getattr(POLICY, part)[index], each.name)
        others = {
            "condition": "latency_seconds > 2",
            "expr": "lost / some_of_it",
            "identity": ("pod",),
            "interval": Micros(30_000_000),
            "hold": Micros(90_000_000),
            "keep_firing": Micros(7_200_000_000),
            "annotations": (("an_annotation", "{{ $value }}"),),
            "labels": (("system", "y"),),
            "channels": ("email", "sms"),
            "immediate_actions": ("Run",),
            "severity_level": 1,
            "level": 1,
            "ranges": (),
            "thresholds": (("low", "0-9% of it"),),
            "escalates_to": ("sms",),
            "examples": ("an example",),
            "resolution": "confirmed",
        }
        if each.name in skip:
            continue
        if isinstance(value, bool):
            other: object = not value
        elif each.name in others:
            other = others[each.name]
        elif isinstance(value, int) or value is None:
            other = Micros(7_000_000) if value is None else value + 1
        else:
            other = f"{value}_other"
        yield f"{part}.{each.name}", changed(part, index, **{each.name: other})


CHANGED = dict(
    [
        *changes("rules", 1),
        *changes("signals", 1),
        *changes("incident_types", 0),
        *changes("recordings", 0),
        *changes("levels", 2, frozenset(("level",))),
        *changes("impact_scales", 0),
    ]
)


@pytest.mark.parametrize("made", CHANGED.values(), ids=CHANGED)
def test_the_digest_is_another_where_the_rules_are(made):
    """For any change, the digest changes if and only if what Prometheus is given does."""
    assert (rules_digest(made) != rules_digest(POLICY)) == (rules_yml(made) != rules_yml(POLICY))


SAME = {
    "a phone number": replace(POLICY, channels=(Channel("phone", "phone", recipients=("+4930123456",)),)),
    "no channel at all": replace(POLICY, channels=()),
    "stakeholders": replace(POLICY, stakeholders=(Stakeholders("internal", "", ("a@b.example",), ("email",), False),)),
    "procedures": replace(POLICY, procedures=(Procedure("s", "p", "", ("Step",)),)),
    "a type that has no rule": replace(
        POLICY, incident_types=(*POLICY.incident_types, IncidentType("s", "declared", 3, fires=False))
    ),
    "times": replace(POLICY, levels=tuple(replace(each, response_time=Micros(1)) for each in LEVELS)),
    "who a rule tells": replace(POLICY, rules=tuple(replace(each, channels=("sms",)) for each in POLICY.rules)),
    "places": replace(POLICY, rules=tuple(replace(each, place=Place("b.yaml", 9)) for each in POLICY.rules)),
    "the order of rules": replace(POLICY, rules=POLICY.rules[::-1]),
    "default, retention": replace(POLICY, default_severity=2, retention=Micros(1)),
}


def test_words_for_an_emergency_are_of_the_rules():
    """Fail-through finds foreign emergencies by the words that mean level 4, and by the types of that level."""
    assert rules_digest(replace(POLICY, severity_aliases=(("p1", 4),))) != rules_digest(POLICY)
    declared = (*POLICY.incident_types, IncidentType("s", "declared", 4, fires=False))
    assert rules_digest(replace(POLICY, incident_types=declared)) != rules_digest(POLICY)


@pytest.mark.parametrize("made", SAME.values(), ids=SAME)
def test_what_rules_are_not_made_of_changes_no_digest(made):
    """Who is told, and when, and where things are written: the rules stay those of this policy."""
    assert rules_digest(made) == rules_digest(POLICY)


def test_a_digest_is_the_same_everywhere():
    """It is kept in Prometheus while Tocsin is upgraded: it must not change from one process or version to the next."""
    assert rules_digest(POLICY) == "7574912aa3a37867"


def test_all_that_we_compile_is_reserved():
    """Labels that compiled alerts carry beside the policy's own may not be the policy's; nor may our alerts' names."""
    own = {name for alert in every_alert(load([SYSTEMS])) for name, _ in alert.labels}
    own |= {name for alert in every_alert(POLICY) for name, _ in alert.labels}
    assert own - {"system"} <= LABELS
    assert {alert.alert for group in self_monitoring.groups(POLICY) for alert in group.alerts} <= ALERTS
    assert {dict(alert.labels)["rule"] for alert in every_alert(POLICY) if alert.lost} <= NAMES


def test_names_with_braces_stay_as_they_are(promtool, tmp_path):
    """A rule's and a section's name are labels that the receiver knows it by: Prometheus must not run what is in them."""
    made = policy(Rule("a {{ b }}_incident_response", "c {{ $value }}", "d < 1", 3, ("email",)))
    write(made, tmp_path)
    assert promtool("check", "rules", tmp_path / "rules.yml").returncode == 0
    answer = promtool("test", "rules", "rules_test.yml", folder=tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr
