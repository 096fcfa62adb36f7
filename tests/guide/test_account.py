"""One account of an incident: what fires now, with its value and its links, in every medium, by the local providers."""

import re
from typing import Any

import pytest

from receiver.core.model import Instant
from receiver.messages.times import moment
from rules.compile import compile as compile_rules
from rules.policy import MINUTE
from rules.promtool.input_series import told
from rules.promtool.vectors import Sample
from tests.guide.conftest import GUIDE, Hall

MEDIA = ("email", "slack", "pagerduty", "sms", "phone")


def body(*alerts: dict[str, Any], now: Instant, **group: str) -> dict[str, Any]:
    """Alertmanager's body about these alerts: each has a unit, and what else differs from a foreign emergency."""
    made = []
    for each in alerts:
        over = each.pop("over", False)
        unit = each.pop("unit")
        made.append(
            {
                "status": "resolved" if over else "firing",
                "labels": {"alertname": "DiskFull", "severity": "emergency", "cluster": "eu", "instance": unit},
                "annotations": {"summary": f"Disk of {unit} is full", "value": "97.3", "unit": "%"},
                "startsAt": moment(Instant(now - MINUTE)).isoformat(),
                "endsAt": moment(now).isoformat() if over else "0001-01-01T00:00:00Z",
                "fingerprint": unit,
                "generatorURL": "http://prometheus.example.org/graph?g0.expr=disk",
                **each,
            }
        )
    return {"version": "4", "status": "firing", "alerts": made, "groupLabels": group, "groupKey": "g"}


async def tell(hall: Hall, *alerts: dict[str, Any], **group: str) -> dict[str, str]:
    """They are received and told; what each medium says of them, headline and text, but for what approvers hear."""
    del hall.heard[:]
    await hall.api("POST", "webhook/alertmanager", body(*alerts, now=hall.clock.now, **group))
    await hall.pass_time(MINUTE // 60)
    told = [each for each in hall.heard if "The notice n" not in each.text]
    return {each.medium: f"{each.headline}\n{each.text}" for each in told}


async def test_value_runbook_and_links_reach_every_medium(hall: Hall) -> None:
    """Value with unit in each; runbook, graph, dashboard and description wherever there is room."""
    notes = {
        "summary": "Disk of db1 is full",
        "value": "97.3",
        "unit": "%",
        "description": "Writes fail soon.",
        "runbook_url": "https://runbooks.example.org/disk",
        "dashboard_url": "https://grafana.example.org/d/disk",
    }
    heard = await tell(hall, {"unit": "db1", "annotations": notes})
    assert set(heard) == set(MEDIA) - {"phone"}
    for medium, text in heard.items():
        assert "Disk of db1 is full: 97.3 %" in text or medium == "email", text
        assert "97.3 %" in text, medium
    for medium in ("email", "slack"):
        for said in ("Writes fail soon.", "runbooks.example.org/disk", "grafana.example.org/d/disk", "g0.expr=disk"):
            assert said in heard[medium], (medium, heard[medium])


async def test_the_report_has_values_and_links(hall: Hall) -> None:
    """Long over: what was measured, and where it is drawn, stand among the report's details and in its table."""
    notes = {"summary": "Disk of db1 is full", "value": "97.3", "unit": "%", "runbook_url": "https://r.example/disk"}
    await tell(hall, {"unit": "db1", "annotations": notes})
    await tell(hall, {"unit": "db1", "annotations": notes, "over": True})
    await hall.api("POST", "api/v1/incidents/1/resolve", {"by": "dana"})
    report = await hall.api("GET", "api/v1/incidents/1/report?format=md")
    for said in ("Disk of db1 is full: 97.3 %", "r.example/disk", "g0.expr=disk", "| value |"):
        assert said in report, report


async def test_a_link_that_is_none_is_left_out(hall: Hall) -> None:
    """Only addresses that a browser may open become links, of all that an alert names."""
    notes = {"summary": "Disk", "runbook_url": "javascript:alert(1)", "dashboard_url": f"https://x/{'a' * 3000}"}
    heard = await tell(hall, {"unit": "db1", "annotations": notes, "generatorURL": 'http://x/"><script>'})
    for text in heard.values():
        assert not any(bad in text for bad in ("javascript:", "aaaaaaaa", "<script>"))


async def test_grafanas_value_and_addresses_are_told(hall: Hall) -> None:
    """Of Grafana's alerts the values, the dashboard and the panel reach people."""
    grafana = {
        "annotations": {"summary": "Disk"},
        "values": {"B": 97.25},
        "dashboardURL": "https://grafana.example.org/d/1",
        "panelURL": "https://grafana.example.org/d/1?viewPanel=2",
    }
    heard = await tell(hall, {"unit": "db1", **grafana})
    assert "97.25" in heard["sms"]
    for said in ("97.25", "Dashboard", "https://grafana.example.org/d/1", "viewPanel=2"):
        assert said in heard["email"]


async def test_db9_is_not_db1(hall: Hall) -> None:
    """db1 recovered and db9 fires: the pages name db9, and none names db1."""
    await tell(hall, {"unit": "db1"})
    await hall.api("POST", "api/v1/incidents/1/acknowledge", {"by": "dana"})
    await tell(hall, {"unit": "db1", "over": True})
    await hall.pass_time(5 * MINUTE)
    await hall.api("POST", "api/v1/incidents/1/resolve", {"by": "dana"})
    heard = await tell(hall, {"unit": "db9"})
    assert set(heard) >= {"email", "slack", "pagerduty", "sms"}
    for medium, text in heard.items():
        assert "db9" in text, (medium, text)
        assert "db1" not in text, (medium, text)
    assert (await hall.api("GET", "api/v1/incidents/1"))["title"] == "Disk of db9 is full"


async def test_another_that_fires_is_named(hall: Hall) -> None:
    """A further unit in an acknowledged emergency: the page names it, with its value, and how many fire by now."""
    await tell(hall, {"unit": "db1"})
    await hall.api("POST", "api/v1/incidents/1/acknowledge", {"by": "dana"})
    heard = await tell(hall, {"unit": "db1"}, {"unit": "db9"})
    assert "It got worse: DiskFull fired: Disk of db9 is full: 97.3 %" in heard["email"]
    assert "2 firing: db1 (97.3 %), db9 (97.3 %)" in heard["email"]
    assert "Disk of db9 is full" in heard["slack"]


async def test_a_worse_value_is_told_with_its_own_time(hall: Hall) -> None:
    """At 95 % since 02:13, at 99 % an hour later: no message says that it was 99 % at 02:13."""
    notes = {"summary": "Disk of db1 is full", "value": "95", "unit": "%"}
    milder = {"alertname": "DiskFull", "severity": "critical", "instance": "db1"}
    began = moment(Instant(hall.clock.now - MINUTE)).isoformat()
    first = await tell(hall, {"unit": "db1", "annotations": notes, "labels": milder, "startsAt": began})
    assert "95 % at 02:13" in first["email"]
    await hall.pass_time(60 * MINUTE)
    worse = {**notes, "value": "99"}
    heard = await tell(hall, {"unit": "db1", "annotations": worse, "startsAt": began})
    assert "99 % at 03:13" in heard["email"]
    report = await hall.api("GET", "api/v1/incidents/1/report?format=md")
    assert "99 %, told at 2026-11-23 03:13 UTC" in report


async def test_what_recovered_is_not_in_the_title(hall: Hall) -> None:
    """Two fire, the first recovers, both unacknowledged: the escalation speaks of the other."""
    await tell(hall, {"unit": "db1"}, {"unit": "db9"})
    await tell(hall, {"unit": "db1", "over": True})
    del hall.heard[:]
    await hall.pass_time(GUIDE.level(4).escalation_time)
    assert hall.heard
    for each in hall.heard:
        assert "db1" not in f"{each.headline}\n{each.text}", each


async def test_the_console_is_titled_by_what_fires(hall: Hall) -> None:
    """db1 gave the title and clears in a webhook of its own, db9 fires on: Now, the page and its tab name db9 alone."""
    for unit, value in (("db1", "97.3"), ("db9", "98.6")):
        notes = {"summary": f"Disk of {unit} is full", "value": value, "unit": "%"}
        await tell(hall, {"unit": unit, "annotations": notes})
    assert "Disk of db1 is full: 97.3 %, and 1 more" in await hall.api("GET", "incidents/1")
    await tell(hall, {"unit": "db1", "over": True})
    for path in ("", "incidents/1"):
        page = await hall.api("GET", path)
        shown = re.findall(r"<(?:title|h1|h2)[^>]*>(.*?)</(?:title|h1|h2)>", page, re.DOTALL)
        told = [each for each in shown if "Disk of" in each]
        assert told, shown
        assert all("Disk of db9 is full: 98.6 %" in each for each in told), told


async def test_of_two_hundred_the_first_are_named(hall: Hall) -> None:
    """200 pods: how many, and the first ones by name."""
    heard = await tell(hall, *({"unit": f"web-{number:03}"} for number in range(200)))
    said = "200 firing: web-000 (97.3 %), web-001 (97.3 %), web-002 (97.3 %), web-003 (97.3 %), web-004 (97.3 %) and 195 more"
    for medium in ("email", "slack"):
        assert said in heard[medium], heard[medium]
    assert "Disk of web-000 is full: 97.3 %, and 199 more" in heard["sms"]


TWIN = next(
    alert
    for group in compile_rules(GUIDE)
    for alert in group.alerts
    if alert.lost is not None and alert.lost.name == "failure_probability"
)


async def test_missing_data_claims_nothing(hall: Hall) -> None:
    """A twin's page says in every medium that the value is unknown, and in none that the condition is exceeded."""
    labels, annotations = told(TWIN, Sample((("system", "landing-7"),), 1.0))
    alert = {"labels": {"alertname": TWIN.alert, **dict(labels)}, "annotations": dict(annotations)}
    heard = await tell(hall, {"unit": "t", **alert})
    assert heard
    for medium, text in heard.items():
        assert "failure_probability is not measured on landing-7" in text or medium == "phone", text
        assert "UNKNOWN. Treat it as if it did" in text, (medium, text)
        assert "failure_probability_exceeded" not in text.partition("\n")[0], (medium, text)


@pytest.mark.parametrize("medium", ["email", "slack", "sms"])
async def test_a_compiled_alert_is_told_in_its_sentence(hall: Hall, medium: str) -> None:
    """The rule's own sentence, with the value, is what people read first."""
    alert = next(
        each
        for group in compile_rules(GUIDE)
        for each in group.alerts
        if each.rule is not None and each.rule.name == "safety_critical_failure"
    )
    labels, annotations = told(alert, Sample((("system", "landing-7"),), 0.4213))
    one = {"labels": {"alertname": alert.alert, **dict(labels)}, "annotations": dict(annotations)}
    heard = await tell(hall, {"unit": "t", **one})
    assert "safety_margin is below 0.95 on landing-7" in heard[medium]
    assert "0.4213" in heard[medium]
