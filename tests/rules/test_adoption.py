"""Rules that a team has already become a policy that compiles to the same alerts; what it cannot hold is said."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from receiver.cli import app
from rules.expression import syntax
from rules.load import load_text
from rules.outputs import Options, render
from rules.prometheus_template import fault, filled
from tests.rules.corpus import NOT_PROVED, PROVED, conditions

ADDED = {"incident_type", "rule", "section", "severity_level", "signal"}

WORDS = {
    "summary": "{{ $labels.job }} is at {{ $value }}",
    "share": '{{ $value | humanizePercentage }}, {{ printf "%.2f" $value }}, {{ humanizeDuration $value }}',
    "runbook_url": "https://runbooks.example.org/100%",
    "description": "{{- with $labels.instance }} on {{ . }}{{ end }}: {{ $value | humanize }} of {{ .Value }}\n",
}
"""Annotations as people write them; only Prometheus can tell the last."""


def rule_file(*rules: dict, **group: object) -> str:
    return yaml.safe_dump({"groups": [{"name": "own", "rules": list(rules), **group}]}, sort_keys=False, width=10_000)


def existing() -> list[dict]:
    """Rules with every condition of the corpus that is no bare metric, each with what a rule may have."""
    severities = ("critical", "warning", "page", "info", "P1")
    waits = ({}, {"for": "2m"}, {"for": "5m", "keep_firing_for": "3m"})
    found = [each for each in conditions(PROVED | NOT_PROVED) if not each[1].endswith("_flag")]
    return [
        {
            "alert": f"Alert {name}" if number % 7 == 0 else name.title().replace("_", ""),
            "expr": expr,
            **waits[number % 3],
            "labels": {"severity": severities[number % 5], "team": "own"},
            "annotations": dict(list(WORDS.items())[: number % 5]),
        }
        for number, (name, expr) in enumerate(found)
    ]


def adopted(folder: Path, written: str, *further: str) -> tuple[str, dict, dict[str, bytes]]:
    """The policy, what was said of it, and what it compiles to."""
    (folder / "own.yml").write_text(written)
    policy = folder / "policy.yaml"
    ran = CliRunner().invoke(
        app, ["adopt", str(folder / "own.yml"), "--out", str(policy), "--email", "a@example.org", "--json", *further]
    )
    assert ran.exit_code == 0, ran.output
    made = load_text(policy.read_text()).policy
    return policy.read_text(), json.loads(ran.stdout), dict(render(made, Options(watch=False)).files)


def alerts(compiled: bytes) -> list[dict]:
    return [each for group in yaml.safe_load(compiled)["groups"] for each in group["rules"] if "alert" in each]


def test_each_adopted_rule_is_one_alert_as_before(tmp_path):
    """Name, expression, `for`, `keep_firing_for`, annotations and labels of every rule of the corpus are kept."""
    own = existing()
    _, said, files = adopted(tmp_path, rule_file(*own))
    assert (said["adopted"], said["left_out"], said["guessed"]) == (len(own), [], [])
    compiled = {each["alert"]: each for each in alerts(files["rules.yml"])}
    assert len(compiled) == len(own)
    for each in own:
        made = compiled[each["alert"]]
        assert str(syntax(made["expr"])) == str(syntax(each["expr"]))
        assert [made.get(key) for key in ("for", "keep_firing_for")] == [
            each.get(key) for key in ("for", "keep_firing_for")
        ]
        assert made["annotations"].items() >= each["annotations"].items()
        assert made["labels"].items() >= each["labels"].items()
        assert set(made["labels"]) - set(each["labels"]) == ADDED


def test_the_same_alerts_fire(each_promtool, tmp_path):
    """On the series that prove the policy, the rules of before fire the same alerts, but for what was added."""
    low = {"alert": "Hot", "expr": "heat > 80", "for": "2m", "labels": {"severity": "warning"}, "annotations": WORDS}
    high = {"alert": "Hot", "expr": "heat > 90", "labels": {"severity": "critical"}, "annotations": WORDS}
    kept = {
        "alert": "Hot",
        "expr": "heat > 90 and on() cooling == 0",
        "keep_firing_for": "3m",
        "labels": {"severity": "p1"},
    }
    own = [low, high, kept, *existing()]
    _, _, files = adopted(tmp_path, rule_file(*own, interval="1m"))
    names = {each["alert"]: set(each["annotations"]) for each in reversed([{"annotations": {}, **one} for one in own])}
    tests = yaml.safe_load(files["rules_test.yml"])
    fired = 0
    for test in tests["tests"]:
        test.pop("promql_expr_test", None)
        for check in test["alert_rule_test"]:
            for each in check["exp_alerts"]:
                fired += 1
                each["exp_labels"] = {k: v for k, v in each["exp_labels"].items() if k not in ADDED}
                if each["exp_labels"]["severity"] == "p1":
                    each["exp_annotations"] = {}
                words = each["exp_annotations"]
                each["exp_annotations"] = {k: v for k, v in words.items() if k in names[check["alertname"]]}
    (tmp_path / "test.yml").write_text(
        yaml.safe_dump({**tests, "rule_files": ["own.yml"], "group_eval_order": ["own"]})
    )
    answer = each_promtool("test", "rules", "test.yml", folder=tmp_path)
    assert answer.returncode == 0, (answer.stdout + answer.stderr)[:4000]
    assert fired > 100


def test_what_is_adopted_is_proved(each_promtool, tmp_path):
    """The tests of an adopted policy pass, also where one name is several alerts and only Prometheus knows the words."""
    own = existing()
    for each in own[:6]:
        each["alert"] = "OneName"
    _, _, files = adopted(tmp_path, rule_file(*own))
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    answer = each_promtool("test", "rules", "rules_test.yml", folder=tmp_path)
    assert answer.returncode == 0, (answer.stdout + answer.stderr)[:4000]


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({"alert": "Watchdog", "expr": "vector(1)", "labels": {"severity": "none"}}, "nobody is told"),
        ({"alert": "Bare", "expr": "some_metric"}, "say what is bad"),
        ({"alert": "Always", "expr": "count(up)"}, "it would always alert"),
        ({"alert": "Wrong", "expr": "up ==="}, "cannot be read"),
        (
            {"alert": "Graded", "expr": "a > 1", "labels": {"severity": "{{ $labels.level }}"}},
            "a rule of each severity",
        ),
        ({"alert": "Copied", "expr": "a > 1", "labels": {"host": "{{ $labels.instance }}"}}, "would stay as it stands"),
        ({"alert": "Ruled", "expr": "a > 1", "labels": {"rule": "r"}}, "Tocsin gives its alerts this label"),
        ({"alert": "Broken", "expr": "a > 1", "annotations": {"summary": "{{ if $value }}"}}, "has no `{{ end }}`"),
        ({"alert": "Unknown", "expr": "a > 1", "annotations": {"summary": "{{ $label.job }}"}}, "there is no `$label`"),
        ({"alert": "TocsinDown", "expr": "a > 1"}, "is taken"),
        ({"alert": "Later", "expr": "a > 1", "for": "soon"}, "not a duration"),
        ({"alert": "Fine", "expr": "b > 1", "labels": {"severity": "warning"}}, "the same rule stands in"),
        ({"expr": "a > 1"}, "no alerting rule"),
    ],
)
def test_what_cannot_be_held_is_said(rule, reason, tmp_path):
    """A rule that no policy can hold is left out, with its line and the reason; the others are adopted."""
    fine = {"alert": "Fine", "expr": "b > 1", "labels": {"severity": "warning"}}
    _, said, files = adopted(tmp_path, rule_file(fine, rule))
    assert said["adopted"] == 1
    assert [(each["name"], each["line"] > 0) for each in said["left_out"]] == [(rule.get("alert", ""), True)]
    assert reason in said["left_out"][0]["reason"]
    assert [each["alert"] for each in alerts(files["rules.yml"])] == ["Fine"]


def test_severities_groups_and_kubernetes(tmp_path):
    """A PrometheusRule is read too; an unknown word is a guess, and said; groups keep their intervals."""
    group = {
        "name": "g",
        "interval": "15s",
        "labels": {"team": "x"},
        "limit": 5,
        "rules": [{"record": "a:b", "expr": "a"}],
    }
    group["rules"].append({"alert": "Odd", "expr": "a > 1", "labels": {"severity": "purple"}})
    document = {"kind": "PrometheusRule", "spec": {"groups": [group]}}
    written, said, files = adopted(tmp_path, yaml.safe_dump(document))
    assert "check_interval: 15s" in written
    assert [each["reason"] for each in said["guessed"]] == [
        "severity 'purple' is no word that is known: taken as level 3"
    ]
    assert [each["reason"] for each in said["left_out"]] == ["`limit` of the group is not taken over"]
    assert said["recordings"] == 1
    (made,) = alerts(files["rules.yml"])
    assert (made["labels"]["team"], made["labels"]["severity_level"]) == ("x", "3")


def test_newer_expressions_say_their_prometheus(tmp_path):
    """A rule that only Prometheus 3 reads makes a policy for Prometheus 3."""
    written, said, _ = adopted(tmp_path, rule_file({"alert": "Quoted", "expr": '{"model.accuracy"} < 0.9'}))
    assert (said["adopted"], "prometheus: '3.0'" in written) == (1, True)


def test_nothing_is_written_over(tmp_path):
    """A policy that is there stays; an unreadable file and one without rules are said in words."""
    (tmp_path / "policy.yaml").write_text("mine")
    (tmp_path / "own.yml").write_text("groups: [")
    (tmp_path / "none.yml").write_text("{}")
    run = lambda *words: CliRunner().invoke(app, ["adopt", *words])  # noqa: E731
    there = run(str(tmp_path / "own.yml"), "--out", str(tmp_path / "policy.yaml"))
    assert (there.exit_code, (tmp_path / "policy.yaml").read_text()) == (1, "mine")
    assert "not YAML" in str(run(str(tmp_path / "own.yml")).exception)
    empty = run(str(tmp_path / "none.yml"))
    assert (empty.exit_code, "no alerting rules are here" in empty.output) == (1, True)


def test_templates_read_as_prometheus_reads_them():
    """What a template says is told as Go tells it, or not at all; what Prometheus would refuse is a fault."""
    labels = {"job": "api"}
    for text, value, said in (
        ("{{ $value }}", 1234567.0, "1.234567e+06"),
        ("{{$value}}", 0.00001, "1e-05"),
        ("{{ .Value }}%", 12.5, "12.5%"),
        ("{{ $value | humanize }}", 1234567.0, "1.235M"),
        ("{{ humanize1024 $value }}", 2048.0, "2ki"),
        ("{{ $value | humanizeDuration }}", 3725.0, "1h 2m 5s"),
        ('{{ $value | printf "%.1f" }}', 2.0, "2.0"),
        ("a {{- $labels.job -}} b", 1.0, "aapib"),
        ("{{ $labels.nothing }}|{{ .Labels.job | toUpper }}", 1.0, "|API"),
        ("{{ `{{` }}", 1.0, "{{"),
        ("{{ if gt $value 1.0 }}a{{ end }}", 2.0, None),
        ("{{ query `up` | first | value }}", 2.0, None),
        ("{{ printf \"%c\" 'x' }}{{ printf `%q` '\\'' }}", 2.0, None),
        ("{{ printf `%.1f` -1.5 }}", 2.0, "-1.5"),
        ("{{-1}}", 2.0, "-1"),
    ):
        assert fault(text) == ("", "")
        assert filled(text, labels, value) == said, text
    for text in ("{{ $valu }}", "{{ .Nope }}", "{{ end }}", "{{ $value.x }}", "{{ humanise $value }}", "{{ $value"):
        assert fault(text)[0], text
