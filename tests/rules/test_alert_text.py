"""What an alert says: the value with its unit, in the policy's own words or in a sentence that is made."""

from dataclasses import replace

import pytest
import yaml

from rules.alert_text import general, value_shown
from rules.compile import compile as compile_policy
from rules.load import load_text
from rules.outputs import render
from rules.policy import Signal
from rules.problems import PolicyError
from tests.rules.policies import policy, rule

SIGNALS = (
    Signal("brake_pressure", unit="bar"),
    Signal("margin", unit="ratio", identity=("system", "unit")),
    Signal("wear", identity=("unit",)),
)


def said(made, *signals):
    """The annotations of the rule's alert."""
    (group,) = compile_policy(policy(made, signals=signals or SIGNALS))
    return dict(group.alerts[0].annotations)


ON = "{{ with or $labels.system $labels.instance }} on {{ . }}{{ end }}"
ON_UNIT = "{{ with $labels.system }} on {{ . }}{{ end }}{{ with $labels.unit }}, unit {{ . }}{{ end }}"
SENTENCES = {
    "below": ("a < 0.95", f'a is below 0.95{ON}: {{{{ printf "%.6g" $value }}}}'),
    "turned round": ("100 < a", f'a is above 100{ON}: {{{{ printf "%.6g" $value }}}}'),
    "with a unit": ("brake_pressure < 3.5", f'brake_pressure is below 3.5 bar{ON}: {{{{ printf "%.6g" $value }}}} bar'),
    "of a window": (
        "avg_over_time(brake_pressure[5m]) >= 9",
        f'avg_over_time(brake_pressure[5m]) is at least 9 bar{ON}: {{{{ printf "%.6g" $value }}}} bar',
    ),
    "a rate has another unit": (
        "rate(brake_pressure[5m]) > 1",
        f'rate(brake_pressure[5m]) is above 1{ON}: {{{{ printf "%.6g" $value }}}}',
    ),
    "each unit": (
        "wear > 3",
        f'wear is above 3{ON_UNIT}: {{{{ printf "%.6g" $value }}}}',
    ),
    "equal": ("state == 3", f"state is 3{ON}"),
    "a bare boolean": ("door_open", f'door_open is above 0{ON}: {{{{ printf "%.6g" $value }}}}'),
    "one side of a boolean": (
        'door_open{side="left"}',
        f'door_open{{side="left"}} is above 0{ON}: {{{{ printf "%.6g" $value }}}}',
    ),
    "no comparison of its own": ("a > 1 and b < 2", f"“a > 1 and b < 2” holds{ON}"),
    "a long one": (f"a > 1 and {'b' * 80} < 2", f"The condition of made holds{ON}"),
}


@pytest.mark.parametrize(("condition", "summary"), SENTENCES.values(), ids=SENTENCES)
def test_a_sentence_is_made_where_the_policy_has_none(condition, summary):
    """Without a summary the alert says what holds, where and how much, with the unit where nothing changed it."""
    assert said(rule("made", condition))["summary"] == summary


@pytest.mark.parametrize("condition", ["door_open", f"a > 1 and {'b' * 80} < 2"])
def test_a_description_is_the_title_where_the_condition_says_little(condition):
    """A title is the description itself, a sentence of people's, without the rule's name before it."""
    assert said(rule("made", condition, description="A door stands open."))["summary"] == "A door stands open."


def test_the_title_of_no_alert_begins_with_a_name_and_a_colon():
    """Rules, incident types and missing-data twins without words of people's are told in a sentence."""
    made = (rule("self_test", "self_test_failed"), rule("both", "a > 1 and b < 2"), rule("low", "margin < 1"))
    alerts = [each for group in compile_policy(policy(*made, signals=SIGNALS)) for each in group.alerts]
    assert any(each.lost for each in alerts)
    for each in alerts:
        name, label = dict(each.annotations)["summary"], dict(each.labels)["rule"]
        assert not name.startswith((f"{label}:", f"{each.alert}:"))
        assert " is " in name or " holds" in name


LONG_LIMITS = {
    "a < 0.123456789": "0.123456788999",
    "a > 123456.789": "123456.789001",
    "a >= 1234567890.5": "1234567890.5",
    "a > 0.95": "0.95001",
}


@pytest.mark.parametrize(("condition", "value"), LONG_LIMITS.items())
def test_a_value_does_not_read_as_its_limit(condition, value):
    """Of a limit with many digits the value has more: "is below 0.123456789: 0.123457" said what is not so."""
    made = rule("made", condition, description="It is {{ $value }}, which is too much")
    tests = yaml.safe_load(render(policy(made)).files["rules_test.yml"])
    alerts = [
        alert for test in tests["tests"] for asked in test.get("alert_rule_test", ()) for alert in asked["exp_alerts"]
    ]
    told = [each["exp_annotations"] for each in alerts if each["exp_labels"].get("rule") == "made"]
    assert {each["description"] for each in told} == {f"It is {value}, which is too much."}
    assert {each["value"] for each in told} == {value}
    assert said(replace(made, description=""))["summary"].endswith(f": {value_shown(float(condition.split()[-1]))}")


def test_the_value_and_its_unit_are_annotations():
    """Programs read the value, to ten digits, and the signal's unit; where the unit is another, there is none."""
    told = said(rule("low", "brake_pressure < 3.5"))
    assert (told["value"], told["unit"]) == ('{{ printf "%.10g" $value }}', "bar")
    assert "unit" not in said(rule("low", "brake_pressure / margin < 3.5"))


def test_the_policys_words_hold_value_and_labels():
    """`summary` and `description` may name value and labels; a label of the rule's own is its value; braces are text."""
    made = rule(
        "low",
        "margin < 1",
        summary="{{$labels.system}} has {{ $value }} {{ left }}",
        description="Unit {{ $labels.unit }}",
        labels=(("system", "landing {{7}}"),),
    )
    told = said(made)
    assert told["summary"] == 'landing {{ `{{` }}7}} has {{ printf "%.6g" $value }} {{ `{{` }} left }}'
    assert told["description"] == 'Unit {{ $labels.unit }}. margin is {{ printf "%.6g" $value }}.'
    assert general(made.summary) == "… has … {{ left }}"


def test_the_unit_tests_know_the_words():
    """promtool is told what each alert says with its labels and its value in it."""
    made = rule("low", 'margin{system="s",unit="u"} < 1', summary="{{ $labels.unit }}: {{ $value }}")
    file = yaml.safe_load(render(policy(made, signals=SIGNALS)).files["rules_test.yml"])
    alerts = [each for test in file["tests"] for each in test["alert_rule_test"] if each["alertname"] == "Low"]
    told = {alert["exp_annotations"]["summary"] for each in alerts for alert in each["exp_alerts"]}
    assert told
    assert all(each.startswith("u: 0.") for each in told)


FAULTS = {
    "a function": ('{{ printf "%.2f" $value }}', '`{{ printf "%.2f" $value }}` is none of'),
    "a slip": ("{{ $valeu }}", "`{{ $valeu }}` is none of"),
    "Alertmanager's way": ("{{ .Value }}", "`{{ .Value }}` is none of"),
    "a label's name": ("{{ $labels.a-b }}", "`{{ $labels.a-b }}` is none of"),
    "without the sign": ("{{ labels.unit }}", "`{{ labels.unit }}` is none of"),
    "not closed": ("{{ $value", "`{{` is not closed by `}}`"),
}


@pytest.mark.parametrize("field", ["summary", "description"])
@pytest.mark.parametrize(("template", "says"), FAULTS.values(), ids=FAULTS)
def test_what_prometheus_would_not_fill_is_refused_with_a_caret(template, says, field):
    """What looks like a template and is none of the two is an error, with the caret under it."""
    text = (
        "incident_response:\n  detection:\n    rules:\n"
        f"    - name: low\n      condition: a < 1\n      severity: 3\n      {field}: 'Left {template}'\n"
    )
    with pytest.raises(PolicyError) as caught:
        load_text(text, "policy.yaml")
    (problem,) = (each for each in caught.value.problems if each.severity == "error")
    assert says in problem.message
    assert (problem.line, problem.column) == (7, len(f"      {field}: 'Left ") + 1)


FIXED = {
    "a value": ("labels: {§}", "reading: 'now {{ $value }}'", "{{ $value }}", "another alert of every value"),
    "a formatted value": ("labels: {§}", "reading: '{{ .Value }}'", "{{ .Value }}", "another alert of every value"),
    "a label": ("labels: {§}", "device: '{{ $labels.unit }}'", "{{ $labels.unit }}", "has its series' labels already"),
    "not closed": ("labels: {§}", "device: '{{ $labels.unit'", "{{ $labels.unit", "is not closed"),
    "the signal": ("signal: §", "'{{ $labels.unit }}'", "{{ $labels.unit }}", "would stay as it stands"),
    "the runbook": ("runbook_url: §", "'https://w/{{$labels.a}}'", "{{$labels.a}}", "would stay as it stands"),
    "the name": ("name: §", "'low {{ $value }}'", "{{ $value }}", "another alert of every value"),
}


@pytest.mark.parametrize(("field", "written", "template", "says"), FIXED.values(), ids=FIXED)
def test_a_template_is_refused_where_all_alerts_of_a_rule_say_the_same(field, written, template, says):
    """A label's value and its like are text: a template there is an error with a caret, that says what to write."""
    last = f"      {field.replace('§', written)}"
    name = "" if field.startswith("name") else "      name: low\n"
    text = (
        "incident_response:\n  detection:\n    rules:\n    - condition: a < 1\n      severity: 3\n" + name + last + "\n"
    )
    with pytest.raises(PolicyError) as caught:
        load_text(text, "policy.yaml")
    (problem,) = (each for each in caught.value.problems if each.severity == "error")
    assert says in problem.message
    assert (problem.line, problem.column) == (text.count("\n"), last.index(template) + 1)


def test_other_braces_in_a_label_stay_text():
    """What is no template of Prometheus's is a label's value as it stands."""
    (group,) = compile_policy(policy(rule("low", "margin < 1", labels=(("left", "{{ right }}"),)), signals=SIGNALS))
    assert dict(group.alerts[0].labels)["left"] == "{{ `{{` }} right }}"
