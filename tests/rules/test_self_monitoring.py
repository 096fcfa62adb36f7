"""The alerts on Tocsin, for one of several on the same Prometheus."""

import json
import re
from dataclasses import replace

import pytest
import yaml

from receiver.core.classify import Received, classify
from receiver.core.model import Instant
from receiver.core.plan import PolicyVersion
from rules import self_monitoring
from rules.matchers import match, parse
from rules.meaning import USUAL_WORDS
from rules.outputs import Options, render
from rules.policy import Heartbeat, IncidentType, Micros
from tests.rules.policies import policy, rule, write

POLICY = policy(rule("margin", "safety_margin < 0.95", 4))
INSTANCES = {
    "one label": 'namespace="prod"',
    "two labels": 'namespace="prod",cluster="eu"',
    "another job": 'job="pager"',
    "what it is not": 'namespace!="staging"',
}


@pytest.mark.parametrize("instance", INSTANCES.values(), ids=INSTANCES)
def test_everything_speaks_of_this_tocsin(promtool, tmp_path, instance):
    """Compiled for an instance, each metric of Tocsin's is asked for with its labels, and the unit tests hold."""
    matchers = parse(instance)
    assert write(POLICY, tmp_path, instance=matchers) == ()
    for name in ("rules.yml", "self-rules.yml"):
        assert promtool("check", "rules", tmp_path / name).returncode == 0
    answer = promtool("test", "rules", "rules_test.yml", folder=tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    text = (tmp_path / "rules.yml").read_text() + (tmp_path / "self-rules.yml").read_text()
    asked = re.findall(r"\b(?:up|tocsin_\w+)\{([^}]*)\}", text)
    asked += re.findall(r"\btocsin_\w+\{([^}]*)\}", (tmp_path / "dashboard.json").read_text().replace('\\"', '"'))
    assert len(asked) > 25
    for each in asked:
        assert set(parse(instance)) <= set(parse(each)), each
        assert ('job="tocsin"' in each) == ("job" not in instance), each
    assert not re.search(r"\b(?:up|tocsin_\w+)[\[ )]", "".join(a["expr"] for a in alerts(tmp_path / "rules.yml")))


def test_a_metrics_name_tells_no_tocsin_from_another():
    """It is each metric's own: rules that ask for another one as well are none that Prometheus reads."""
    with pytest.raises(ValueError, match="__name__"):
        Options(instance=parse('namespace="prod",__name__="up"'))


def alerts(path):
    """The alerts of a rule file."""
    return [each for group in yaml.safe_load(path.read_text())["groups"] for each in group["rules"]]


def test_another_tocsin_masks_nothing(promtool, tmp_path):
    """A staging Tocsin that is up does not hide that this one is down; its failed deliveries fire no alert here."""
    write(POLICY, tmp_path, instance=parse('namespace="prod"'))
    staging = 'job="tocsin",namespace="staging"'
    test = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": f"up{{{staging}}}", "values": "1x10"},
                    {"series": f"tocsin_oldest_undelivered_emergency_seconds{{{staging}}}", "values": "999x10"},
                    {"series": f"tocsin_store_up{{{staging}}}", "values": "0x10"},
                    {"series": 'up{job="tocsin",namespace="prod"}', "values": "0x3 1x7"},
                    {"series": 'tocsin_heartbeat_age_seconds{job="tocsin",namespace="prod"}', "values": "0x10"},
                    {"series": 'ALERTS{alertname="X",alertstate="firing",severity="Emergency"}', "values": "1x10"},
                ],
                "promql_expr_test": [
                    told(1, self_monitoring.DOWN, 1),
                    told(1, self_monitoring.FAIL_THROUGH, 1),
                    told(5, self_monitoring.DOWN, None),
                    told(5, self_monitoring.FAIL_THROUGH, None),
                ],
            }
        ],
    }
    (tmp_path / "other.yml").write_text(yaml.safe_dump(test))
    answer = promtool("test", "rules", "other.yml", folder=tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr


SPOKEN = (
    *(
        "emergency",
        "Emergency",
        " EMERGENCY ",
        "SEV-1",
        "sev 1",
        "P1",
        "p-0",
        "Severity: 1",
        "prio#1",
        "S_0",
        "Burning!",
    ),
    *("critical", "SEV-2", "P10", "non-emergency", "emergency2", "1", "", "none", "!!"),
)


FOREIGN = replace(
    policy(rule("margin", "safety_margin < 0.95", 4), rule("slow", "latency > 1", 2)),
    severity_aliases=(*((word, level) for word, level in USUAL_WORDS.items()), ("burning!", 4)),
    severities=(("grafana", (("page", 4), ("look", 2))), ("staging", (("burning!", 1), ("odd", 2)))),
    incident_types=(IncidentType("s", "reactor.fire", 4),),
)


@pytest.mark.parametrize("default", [3, 4])
@pytest.mark.parametrize("source", ["", "grafana", "staging"])
def test_a_foreign_emergency_is_what_the_receiver_takes_for_one(source, default):
    """Prometheus and Alertmanager find an alert of level 4 by all spellings that mean it to Tocsin from that source, by
    its type, by the rule that its type names, and where level 4 is what no word means.
    """
    made = replace(FOREIGN, default_severity=default)
    known = PolicyVersion.of(made, "x")
    found = self_monitoring.foreign_emergencies(made, source)
    for severity in (*SPOKEN, "page", "look", "odd"):
        for type_ in ("", "reactor.fire", "reactorxfire", "margin"):
            labels = {"alertname": "X", "severity": severity, "incident_type": type_}
            alert = classify(known, source, {}, Received(labels, {}, "f", Instant(0))).alert
            assert any(match(each, labels) for each in found) == (alert.level == 4), labels


PASSED_OVER: dict[str, tuple[dict[str, str], bool]] = {
    "a watchdog": ({"alertname": "Watchdog"}, True),
    "ignored": ({"alertname": "X", "team": "play"}, True),
    "ignored by a label that is another": ({"alertname": "Y", "team": "play"}, True),
    "ignored by a label that may be added on the way": ({"alertname": "Y"}, False),
    "not ignored": ({"alertname": "Y", "team": "core"}, False),
    "a heartbeat that the policy names": ({"alertname": "Pulse"}, True),
    "another source's heartbeat": ({"alertname": "Pulse of another"}, False),
}


@pytest.mark.parametrize(("labels", "is_passed_over"), PASSED_OVER.values(), ids=PASSED_OVER)
def test_what_opens_no_incident_is_no_emergency(promtool, tmp_path, labels, is_passed_over):
    """An alert that the policy ignores, or takes for a sign of life, fires no fail-through, though its severity is the
    highest; one that ALERTS cannot tell apart, because labels are added on the way, does.
    """
    ignored = 'alertname="X",team="play"', 'alertname="Y",team!="core"', 'alertname="Y",alertstate=~"|firing"'
    pulses = (("", 'alertname="Pulse"'), ("other", 'alertname="Pulse of another"'))
    minute = Micros(60_000_000)
    made = replace(
        POLICY,
        ignore=tuple(map(parse, ignored)),
        heartbeats=tuple(Heartbeat(str(n), parse(text), minute, source) for n, (source, text) in enumerate(pulses)),
    )
    assert write(made, tmp_path) == ()
    series = ",".join(f'{label}="{value}"' for label, value in labels.items())
    name = labels["alertname"]
    expr = f'count(ALERTS{{alertname="{self_monitoring.FAIL_THROUGH}",emergency="{name}"}})'
    test = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": 'up{job="tocsin"}', "values": "0x10"},
                    {"series": f'ALERTS{{alertstate="firing",severity="emergency",{series}}}', "values": "1x10"},
                ],
                "promql_expr_test": [
                    {
                        "expr": expr,
                        "eval_time": "5m",
                        "exp_samples": [] if is_passed_over else [{"labels": "{}", "value": 1}],
                    }
                ],
            }
        ],
    }
    (tmp_path / "other.yml").write_text(yaml.safe_dump(test))
    answer = promtool("test", "rules", "other.yml", folder=tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def told(minute, alertname, count):
    """How many of them fire; emergencies of the unfed policy are left out."""
    expr = f'count(ALERTS{{alertname="{alertname}",alertstate="firing",emergency=~"|X"}})'
    samples = [{"labels": "{}", "value": count}] if count else []
    return {"expr": expr, "eval_time": f"{minute}m", "exp_samples": samples}


def test_the_heartbeat_tells_when_it_was_evaluated():
    """The heartbeat has a group of its own and says its evaluation time with all its digits."""
    heartbeat, others = self_monitoring.groups(POLICY)
    (alert,) = heartbeat.rules
    assert (alert.alert, alert.expr) == (self_monitoring.HEARTBEAT, "vector(time())")
    assert dict(alert.annotations)["evaluated_at"] == '{{ printf "%.3f" $value }}'
    assert heartbeat.name != others.name


def test_which_prometheus_it_is_says_the_receivers_url():
    """The fail-through asks for the heartbeat of the source under which this Prometheus' alerts come in."""
    tocsin = self_monitoring.Tocsin((), "http://tocsin:8095/webhook/alertmanager?source=eu%201")
    assert 'source="eu 1"' in " ".join(self_monitoring.ways_to_fail(tocsin))
    assert 'source=""' in " ".join(self_monitoring.ways_to_fail(self_monitoring.THE_ONLY))


def test_a_policys_heartbeat_has_its_route():
    """A heartbeat that the policy names is repeated several times within its limit."""
    named = Heartbeat("other", parse('alertname="Watchdog"'), Micros(600_000_000))
    document = yaml.safe_load(render(replace(POLICY, heartbeats=(named,)), Options()).files["alertmanager.yml"])
    (route,) = (each for each in document["route"]["routes"] if each["matchers"] == ['alertname="Watchdog"'])
    assert (route["receiver"], route["group_interval"], route["repeat_interval"]) == ("tocsin", "10s", "2m30s")
    assert json.dumps(route).count("heartbeat") == 0
