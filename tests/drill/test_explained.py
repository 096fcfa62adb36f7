"""`explain` tells what one alert would do, and is right about whom it reaches."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from typer.testing import CliRunner

from receiver.cli import app

PAYLOADS = Path(__file__).parent.parent / "payloads"
RUN = CliRunner()


def told(*words, **environ):
    """What the command says as JSON, and its exit code."""
    result = RUN.invoke(app, ["explain", *words, "--json"], env=environ)
    return json.loads(result.stdout), result.exit_code


def test_a_compiled_alert_is_explained():
    """Rule, level, why, plan and the table of who is told when, of the shipped policy."""
    labels = ["section=incident_response", "rule=safety_critical_failure", "severity_level=4", "signal=safety_margin"]
    answer, code = told("alertname=SafetyCriticalFailure", *labels)
    (alert,) = answer["alerts"]
    assert code == 0
    assert (alert["rule"], alert["level_name"]) == ("incident_response/safety_critical_failure", "emergency")
    assert alert["why"][:2] == [
        "rule incident_response/safety_critical_failure: labels section and rule",
        "level 4: label severity_level",
    ]
    pages = {(each["at"], each["channel"]) for each in alert["told"] if each["what"].startswith("page")}
    assert {at for at, _ in pages} == {0, 300, 900, 1200}
    assert {channel for at, channel in pages if at == 0} == {"email", "slack", "pagerduty", "sms"}
    assert [each["recipient"] for each in alert["told"] if each["what"] == "the response time is breached"] == [
        "management@company.com",
        "technical-team@company.com",
    ]


def test_a_webhook_body_is_explained():
    """Alertmanager's body works too: what fires is told, what is resolved opens nothing."""
    answer, code = told("--alert", str(PAYLOADS / "mixed_firing_resolved.json"))
    assert code == 0
    assert sum("ignored" in each for each in answer["alerts"]) == 2
    assert {each["level"] for each in answer["alerts"] if "level" in each} == {2}


def test_times_of_a_body_are_those_of_today(tmp_path):
    """A body that came just now has nothing to repair, and one from the future has."""
    now = datetime.now(UTC)
    for begins, repaired in ((now, False), (now + timedelta(days=1), True)):
        body = tmp_path / "body.json"
        alert = {"status": "firing", "labels": {"alertname": "A"}, "startsAt": begins.isoformat()}
        body.write_text(json.dumps({"alerts": [alert]}))
        said = RUN.invoke(app, ["explain", "--alert", str(body)]).stdout
        assert ("repaired: startsAt cannot be" in said) is repaired


def test_nobody_reached_is_a_failure():
    """With the environment's settings, which configure nothing, no one would be reached: exit code 1."""
    answer, code = told("--settings", "severity=critical", TOCSIN_DATABASE="sqlite://")
    assert code == 1
    assert not answer["alerts"][0]["reaches_somebody"]
    said = RUN.invoke(app, ["explain", "--settings", "severity=critical"])
    assert "Nobody would be reached" in said.stdout
    assert "not configured" in said.stdout


def test_a_heartbeat_is_no_incident():
    """A heartbeat is said to open nothing, an unknown watchdog to mean nothing; neither sends a page: exit code 1."""
    for alertname, said in (("TocsinHeartbeat", "a heartbeat"), ("Watchdog", "means nothing")):
        answer, code = told(f"alertname={alertname}")
        assert code == 1
        (alert,) = answer["alerts"]
        assert said in alert["ignored"]
        assert not alert["reaches_somebody"]


def test_what_is_over_reaches_nobody():
    """A body in which nothing fires sends no page: exit code 1."""
    answer, code = told("--alert", str(PAYLOADS / "single_resolved.json"))
    assert code == 1
    assert all("ignored" in each for each in answer["alerts"])


def test_a_body_without_alerts_reaches_nobody(tmp_path):
    """A body that lists nothing is said to: exit code 1."""
    body = tmp_path / "body.json"
    body.write_text('{"alerts": []}')
    result = RUN.invoke(app, ["explain", "--alert", str(body)])
    assert (result.exit_code, "lists no alert" in result.stderr) == (1, True)


def test_signals_that_were_never_there_are_one_incident():
    """Of a twin whose signal was never there, `explain` names the incident that it opens."""
    twin = [
        "section=incident_response",
        "rule=signal_lost",
        "incident_type=safety_critical_failure",
        "severity_level=4",
    ]
    never, lost = (told(*twin, "twin=true", "signal=safety_margin", f"seen={each}")[0] for each in ("never", "always"))
    assert never["alerts"][0]["why"][-1] == "one incident for all signals that were never there"
    assert lost["alerts"][0]["why"][-1] == "one incident per signal safety_margin"


def test_wrong_usage_is_said(tmp_path):
    """No labels, a file that is none, a body that is none: each says what to do, and exits 2."""
    broken = tmp_path / "body.json"
    broken.write_text('{"alerts": [{}]}')
    for words in ([], ["--alert", str(tmp_path / "none.json")], ["--alert", str(broken)]):
        result = RUN.invoke(app, ["explain", *words])
        assert result.exit_code == 2, words
        assert "tocsin explain" in result.stderr


def test_what_is_no_label_is_refused():
    """A value without a label's name is wrong usage, not an alert."""
    refused = RUN.invoke(app, ["explain", "=critical"])
    assert refused.exit_code == 2
    assert "'' is no label's name" in refused.stderr


def test_what_makes_it_one_incident_is_said_in_words():
    """The last step of the classification tells what alerts must share to be one incident."""
    answer, _ = told("--alert", str(PAYLOADS / "group_firing.json"))
    assert (
        answer["alerts"][0]["why"][-1]
        == "one incident per alertname InstanceDown, group alertname=InstanceDown t=group"
    )
    ours = ["section=incident_response", "rule=safety_critical_failure"]
    answer, _ = told(*ours, "signal=safety_margin", "system=landing-7", "severity=critical")
    assert answer["alerts"][0]["why"][-1] == "one incident per system landing-7, signal safety_margin"


SENDERS = """
incident_response:
  alert_channels: [{name: sms, type: sms, number: "+4930123456"}]
  detection: {rules: [{name: margin, condition: "safety_margin < 0.95", severity: 3, channels: [sms]}]}
severities: [{source: grafana, map: {P2: 4, boring: 0}}]
ignore: [{matchers: ['alertname="Noise"', 'namespace=~"dev-.*"']}]
"""


def test_words_of_a_source(tmp_path):
    """With the source that tells of it, an alert has the level that its word means there."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(SENDERS)
    levels = [
        told(str(policy), *more, "severity=P2")[0]["alerts"][0]["level"] for more in ((), ("--source", "grafana"))
    ]
    assert levels == [3, 4]
    answer, _ = told(str(policy), "--source", "grafana", "severity=boring")
    assert "level 0: label severity=boring: kept in the history, nobody is told" in answer["alerts"][0]["ignored"]
    answer, _ = told(str(policy), "alertname=InfoInhibitor", "severity=none")
    assert "nobody is told" in answer["alerts"][0]["ignored"]


def test_what_is_ignored_is_said(tmp_path):
    """An alert that the policy ignores is told so, with the matchers."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(SENDERS)
    answer, _ = told(str(policy), "alertname=Noise", "namespace=dev-7")
    assert 'alertname="Noise",namespace=~"dev-.*"' in answer["alerts"][0]["ignored"]
    answer, _ = told(str(policy), "alertname=Noise", "namespace=prod")
    assert answer["alerts"][0]["level"] == 3


def test_a_body_that_is_read_in_part(tmp_path):
    """Of a body with unreadable alerts the others are explained, and what is wrong is said."""
    result = RUN.invoke(app, ["explain", "--alert", str(PAYLOADS / "senders" / "template_firing.json")])
    assert result.exit_code == 0
    assert "alert 2 cannot be read: it has no labels" in result.stderr
    assert "level: 2 warning" in result.stdout
