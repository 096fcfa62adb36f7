"""Which Prometheus a policy is for: what each understands, and that the real ones agree."""

import json

import pytest

from rules.expression import ConditionError
from rules.load import PolicyError, load_text
from rules.outputs import render
from rules.policy import Signal
from rules.prometheus_versions import FLAG, LATEST, VERSIONS, needs, require_known, requirement
from tests.rules.policies import policy, rule, write

FROM = {
    '{"model.accuracy"} < 0.9': "3.0",
    '{"model.accuracy", job="x"} < 0.9': "3.0",
    '{__name__="model.accuracy"} < 0.9': "3.0",
    'requests{"service.name"="api"} > 3': "3.0",
    'sum by ("service.name") (requests) > 3': "3.0",
    'sum without("service.name") (requests) > 3': "3.0",
    'errors / on("service.name") group_left("k8s.pod") requests > 3': LATEST,
    'label_replace(requests, "service.name", "$1", "job", "(.*)") > 3': "3.0",
    'label_join(requests, "service.name", "-", "job") > 3': "3.0",
    'count_values("service.name", requests) > 3': "3.0",
    "age_seconds > 5m": "3.0",
    "avg_over_time(load[300]) > 3": "3.0",
    "load offset 300 > 3": "3.0",
    "histogram_avg(sizes) > 3": "3.0",
    "histogram_stddev(sizes) > 3": "3.0",
    "info(load) > 3": "3.0",
    "limitk(2, load) > 3": "3.0",
    "limit_ratio(0.5, load) > 3": "3.0",
    "mad_over_time(load[5m]) > 3": "3.0",
    "double_exponential_smoothing(load[5m], 0.5, 0.5) > 3": "3.0",
    "ts_of_max_over_time(load[5m]) > 3": "3.5",
    "first_over_time(load[5m]) > 3": LATEST,
    'errors and ignoring("service.name") requests > 3': LATEST,
    "load > 3": "2.42",
    'load{job="a.b"} > 3': "2.42",
    'label_replace(requests, "site", "a.b", "job", "a.*") > 3': "2.42",
}
"""Condition → the first version that understands it; all newer ones do, too."""


def understood(condition: str, target: str | None) -> bool:
    try:
        require_known(condition, target)
    except ConditionError:
        return False
    return True


@pytest.mark.parametrize(("condition", "since"), FROM.items())
def test_a_condition_is_understood_from_its_version_on(condition, since):
    """By that version and all newer ones; a policy that says no version gets what the oldest understands."""
    assert [understood(condition, each) for each in VERSIONS] == [
        VERSIONS.index(each) >= VERSIONS.index(since) for each in VERSIONS
    ]
    assert understood(condition, None) is (since == "2.42")


def test_the_real_tools_agree(promtool, newest_promtool, tmp_path):
    """promtool 2.42 accepts what is understood by 2.42, that of 3.5 what is understood by 3.5: no more, no less."""
    for condition, since in {**FROM, "holt_winters(load[5m], 0.5, 0.5) > 3": "2.42"}.items():
        accepted = []
        for tool in (promtool, newest_promtool):
            rules = {"groups": [{"name": "a", "rules": [{"alert": "A", "expr": condition}]}]}
            (tmp_path / "rules.yml").write_text(json.dumps(rules))
            flag = [FLAG] if tool is newest_promtool else []
            accepted.append(tool(*flag, "check", "rules", tmp_path / "rules.yml").returncode == 0)
        is_2 = "2.42.0" in promtool("--version").stdout + promtool("--version").stderr
        if is_2 and "label_" not in condition and "count_values" not in condition and "__name__" not in condition:
            assert accepted[0] is understood(condition, "2.42"), condition  # it finds bad names when it evaluates
        if " on(" in condition or "ignoring(" in condition:
            continue  # promtool reads it, and fails when it evaluates it
        assert accepted[1] is understood(condition, "3.5"), (condition, since)


@pytest.mark.parametrize("target", [None, "3.0", "3.5", LATEST])
def test_holt_winters_is_of_2_only(target):
    """It is refused with its new name, unless the policy is for 2.42, where it is compiled as written."""
    with pytest.raises(ConditionError, match=r"write double_exponential_smoothing\(\), or `prometheus: "):
        require_known("holt_winters(load[5m], 0.5, 0.5) > 3", target)
    made = render(policy(rule("smooth", "holt_winters(load[5m], 0.5, 0.5) > 3")))
    assert b"expr: holt_winters(load[5m], 0.5, 0.5) > 3" in made.files["rules.yml"]
    assert b"Needs Prometheus 2.42 or newer, but older than 3.0." in made.files["rules.yml"]


def written(condition: str, **further: object) -> str:
    detection = {"rules": [{"name": "r", "condition": condition, "severity": 3, "channels": ["email"]}]}
    channels = [{"name": "email", "type": "email", "recipients": ["ann@example.com"]}]
    return json.dumps(further | {"incident_response": {"alert_channels": channels, "detection": detection}})


def test_a_policy_says_its_version_and_is_held_against_it():
    """A newer function is refused with a caret and the version that has it, accepted where the policy says that one."""
    with pytest.raises(PolicyError) as refused:
        load_text(written("load > 1 and limitk(2, load) > 3"))
    (problem,) = [each for each in refused.value.problems if each.severity == "error"]
    assert 'Prometheus 2.42 knows no limitk(): write `prometheus: "3.0"`' in problem.message
    assert problem.source[problem.column - 1 :].startswith("limitk(2")
    loaded = load_text(written("limitk(2, load) > 3", prometheus="3.0"))
    assert [each.name for each in loaded.warnings if FLAG in each.message] == ["experimental-function"]


@pytest.mark.parametrize(("said", "message"), [(3.5, 'write "3.5" with quotes'), ("3.1", "2.42, 3.0, 3.5 or latest")])
def test_a_version_is_one_of_four_in_quotes(said, message):
    """A number would make 3.1 of 3.10."""
    with pytest.raises(PolicyError, match=message):
        load_text(written("load > 3", prometheus=said))


def test_names_of_signals_and_identities_are_any_text_on_3():
    """Refused for 2.42, with what to write; for 3.0 they are taken."""
    signals = {"model.accuracy": {"expr": "accuracy", "identity": ["service.name"]}}
    with pytest.raises(PolicyError) as refused:
        load_text(written("load > 3", signals=signals))
    told = [each.message for each in refused.value.problems if each.severity == "error"]
    assert any('"model.accuracy" is not a metric' in each and 'write `prometheus: "3.0"`' in each for each in told)
    assert any('"service.name" is not a label' in each for each in told)
    load_text(written('{"model.accuracy"} < 3', signals=signals, prometheus="3.0"))


UTF8 = policy(
    rule("accuracy", '{"model.accuracy"} < 0.9'),
    rule("total", 'sum by ("service.name") (requests) > 3'),
    rule("share", "errors / on(job) group_left served > 0.05"),
    rule("labelled", 'label_replace(pressure, "a.b", "$1", "instance", "(.*)") > 3'),
    rule("of one", 'queue{"service.name"="api"} > 3'),
    rule("recorded", '{"my.ratio"} > 0.5'),
    rule("old", "age_seconds > 5m"),
    signals=(
        Signal("model.accuracy", identity=("service.name",)),
        Signal("my.ratio", 'label_replace(part / whole, "a.b", "x", "", "")'),
    ),
)


def test_utf8_names_are_proved_on_3(newest_promtool, tmp_path):
    """Metrics, labels, joins, recordings, twins and the words of their alerts pass with quoted names."""
    assert write(UTF8, tmp_path) == ()
    for what in ("check", "test"):
        file = "rules.yml" if what == "check" else "rules_test.yml"
        answer = newest_promtool(what, "rules", file, folder=tmp_path)
        assert answer.returncode == 0, (answer.stdout + answer.stderr)[:4000]
    assert b"Needs Prometheus 3.0 or newer." in (tmp_path / "rules.yml").read_bytes()


def test_what_the_files_need_is_said_with_the_flag():
    """The oldest version that understands all, and the flag where a function is behind one."""
    assert requirement(["load > 3"]) == "Prometheus 2.42 or newer"
    assert requirement(["load > 3", "limitk(2, x) > 3"]) == f"Prometheus 3.0 or newer, with {FLAG} (promtool, too)"
    assert [need.flag for need in needs("info(load) > 3")] == [True]


@pytest.mark.parametrize(
    ("condition", "target", "said"),
    [
        ('latency_bucket{le="1"} > 3', None, ['le="1" is le="1.0" there']),
        ('latency_bucket{le="1"} > 3', "3.5", ['le="1" is le="1.0" there']),
        ('latency_bucket{le="1"} > 3', "2.42", []),
        ("count_over_time(load[5m]) < 3", None, ["count_over_time() counts no sample"]),
        ("count_over_time(load[5m]) < 3", "3.0", []),
        ("avg_over_time(load[5m]) < 3", None, []),
    ],
)
def test_what_means_something_else_on_3_is_noted(condition, target, said):
    """A note, where the policy does not say which Prometheus runs it, or where it cannot be meant so on 3."""
    loaded = load_text(written(condition, **({"prometheus": target} if target else {})))
    notes = [each.message for each in loaded.notes if each.name == "differs-on-3"]
    assert len(notes) == len(said)
    assert all(text in note for text, note in zip(said, notes, strict=True))
