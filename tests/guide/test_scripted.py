"""Scripted incidents: each detection rule and each incident type of the guide, from the alert that its compiled rule
raises to the report at the close, through the real receiver. What the guide describes is what people get.
"""

from typing import Any

import pytest

from receiver.core.model import Instant
from receiver.messages.times import moment
from rules.compile import compile as compile_rules
from rules.groups import AlertingRule
from rules.policy import EMERGENCY, HOUR, MINUTE, IncidentType, Rule
from rules.promtool.input_series import told
from rules.promtool.vectors import Sample
from tests.guide.conftest import GUIDE, Hall

ALERTS: dict[str, AlertingRule] = {
    alert.rule.key: alert
    for group in compile_rules(GUIDE)
    for alert in reversed(group.alerts)
    if alert.rule is not None and alert.lost is None
}
"""Rule key → the compiled alert; of those that an impact's grades have, the rule's own."""

SYSTEM = {"system": "landing-7"}
VALUE = "0.08"


def webhook(labels: dict[str, str], annotations: dict[str, str], begin: Instant, end: Instant | None = None) -> Any:
    """Alertmanager's body about one alert."""
    alert = {
        "status": "resolved" if end else "firing",
        "labels": labels,
        "annotations": annotations,
        "startsAt": moment(begin).isoformat().replace("+00:00", "Z"),
        "endsAt": moment(end).isoformat().replace("+00:00", "Z") if end else "0001-01-01T00:00:00Z",
        "fingerprint": "f1",
        "generatorURL": "http://prometheus/graph",
    }
    return {"version": "4", "status": alert["status"], "alerts": [alert], "groupLabels": labels, "groupKey": "g"}


def compiled(key: str) -> tuple[dict[str, str], dict[str, str]]:
    """Labels and annotations of the compiled alert, as Prometheus would send them."""
    labels, annotations = told(ALERTS[key], Sample(tuple(SYSTEM.items()), float(VALUE)))
    return {"alertname": ALERTS[key].alert, **dict(labels)}, dict(annotations)


def channels_of(what: Rule | IncidentType) -> set[str]:
    """Who is paged at once: its own channels, else its level's."""
    return set(what.channels or GUIDE.level_channels(what.level))


async def tell(hall: Hall, what: Rule | IncidentType, labels: dict[str, str], annotations: dict[str, str]) -> None:
    """The whole story of an incident that opens by an alert, and what must be true on the way."""
    level = GUIDE.level(what.level)
    begin = hall.clock.now
    one = "api/v1/incidents/1"
    await hall.api("POST", "webhook/alertmanager", webhook(labels, annotations, begin))

    # It opens at its level, and its channels are paged, under the incident's subject.
    incident = await hall.api("GET", one)
    assert (incident["level"], incident["type"]) == (what.level, what.name)
    assert {each.medium for each in hall.heard} == channels_of(what)
    [page] = hall.mails("incident-response@company.com")
    assert all("landing-7" in f"{each.headline}\n{each.text}".partition("\n\n")[0] for each in hall.heard)
    assert page.headline == f"#1 landing-7: {what.name}"
    if isinstance(what, IncidentType):
        for action in what.immediate_actions:
            assert action in page.text
        assert what.description in page.text

    # Unacknowledged: it escalates at the escalation time, and at the response time the stakeholders hear of it.
    await hall.pass_time(level.escalation_time)
    assert (await hall.api("GET", one))["escalation"]["step"] == 1
    await hall.pass_time(level.response_time - level.escalation_time)
    assert hall.mails("management@company.com")

    # dana acknowledges it: the initial template's body goes out.
    await hall.api("POST", f"{one}/acknowledge", {"by": "dana"})
    assert any(
        "Response Actions:\n- Incident acknowledged" in each.text for each in hall.mails("management@company.com")
    )
    facts = {
        "impact_description": "landings were delayed",
        "root_cause": "a stale model",
        "contributing_factors": "no age limit",
        "fix_description": "model rolled back",
        "lessons_learned": "pin the model",
        "long_term_improvements": "watch the model's age",
        "process_changes": "two reviews",
        "testing_performed": "replayed yesterday",
    }
    await hall.api("POST", f"{one}/notes", {"by": "dana", "text": "compared the two models"})
    await hall.api("PATCH", one, {"by": "dana", "facts": facts})

    # The signal recovers: by itself at levels 1 to 3, at level 4 a person confirms.
    await hall.pass_time(MINUTE)
    await hall.api("POST", "webhook/alertmanager", webhook(labels, annotations, begin, hall.clock.now))
    await hall.pass_time(level.resolve_after)
    incident = await hall.api("GET", one)
    if incident["level"] == EMERGENCY:
        assert (incident["state"], incident["recovery"]) == ("acknowledged", "confirm")
        await hall.api("POST", f"{one}/resolve", {"by": "dana"})
    resolution = [each for each in hall.mails("incident-response@company.com") if "Incident Resolution:" in each.text]
    assert len(resolution) == 1
    for said in ("Root Cause: a stale model", "Fix Applied: model rolled back", "pin the model"):
        assert said in resolution[0].text

    # After the guide's 24 hours of monitoring it closes, as all is there that it needs, and its report is mailed.
    await complete(hall)
    await hall.pass_time(24 * HOUR)
    assert (await hall.api("GET", one))["state"] == "closed"
    facts_told = [entry["fact"] for entry in (await hall.api("GET", f"{one}/timeline"))["timeline"]]
    order = ["opened", "paged", "escalated", "breached", "acknowledged", "recovered", "resolved", "closed"]
    assert [fact for fact in dict.fromkeys(facts_told) if fact in order] == order
    [mailed] = hall.mails("board@company.com")
    assert mailed.headline == f"#1 landing-7: {what.name}"
    assert "Incident report #1" in mailed.text
    await check_report(hall, what, facts, annotations)
    assert "a stale model" in mailed.text


async def complete(hall: Hall) -> None:
    """What is mandatory is ticked, and a second person signs it off where the level asks for that."""
    one = "api/v1/incidents/1"
    for checklist in (await hall.api("GET", f"{one}/checklists"))["checklists"]:
        if checklist["key"] in GUIDE.closing.checklists:
            for step in checklist["steps"]:
                await hall.api("PUT", f"{one}/steps/{step['id']}", {"by": "dana"})
    incident = await hall.api("GET", one)
    if incident["outstanding"]:
        assert incident["level"] == EMERGENCY
        assert incident["outstanding"] == ["nobody other than dana, who resolved it, has signed it off"]
        await hall.api("POST", f"{one}/sign-off", {"by": "erik"})


async def check_report(
    hall: Hall, what: Rule | IncidentType, facts: dict[str, str], annotations: dict[str, str]
) -> None:
    """The report has the guide's nine sections and every field of both templates; none is unknown in the end."""
    report = await hall.api("GET", "api/v1/incidents/1/report")
    assert tuple(each["name"] for each in report["sections"]) == (*GUIDE.reports.structure, "technical_report")
    sections = {each["name"]: each for each in report["sections"]}
    for name, parts in (
        ("executive_summary", GUIDE.reports.executive_summary),
        ("technical_report", GUIDE.reports.technical),
    ):
        told = {field: values for part in sections[name]["parts"] for field, values in part["fields"].items()}
        assert list(told) == [field for part in parts for field in part.content]
        unknown = {field for field, values in told.items() if not values} - {"immediate_actions"}  # no follow-up
        assert unknown <= ({"performance_metrics"} if "description" not in annotations else set())
        for field in facts.keys() & told.keys():
            assert told[field] == [facts[field]]


@pytest.mark.parametrize("rule", GUIDE.rules, ids=lambda rule: rule.key)
async def test_each_detection_rule(hall: Hall, rule: Rule) -> None:
    """The alert of each of the guide's rules becomes the incident, the messages and the report that it describes."""
    await tell(hall, rule, *compiled(rule.key))


@pytest.mark.parametrize("kind", GUIDE.incident_types, ids=lambda kind: kind.key)
async def test_each_incident_type_by_its_signal(hall: Hall, kind: IncidentType) -> None:
    """The boolean signal of each incident type opens it, with its description and immediate actions in the page."""
    await tell(hall, kind, *compiled(kind.key))


@pytest.mark.parametrize("kind", GUIDE.incident_types, ids=lambda kind: kind.key)
async def test_each_incident_type_by_a_label(hall: Hall, kind: IncidentType) -> None:
    """Any alert labelled `incident_type` opens it, at its level."""
    await tell(hall, kind, {"alertname": "Whatever", "incident_type": kind.name, **SYSTEM}, {"summary": "seen by us"})


@pytest.mark.parametrize("kind", GUIDE.incident_types, ids=lambda kind: kind.key)
async def test_each_incident_type_by_hand(hall: Hall, kind: IncidentType) -> None:
    """A person declares it: the same pages and actions, and only a person resolves it."""
    await hall.api("POST", "api/v1/incidents", {"type": kind.name, "by": "dana"})
    assert {each.medium for each in hall.heard} == channels_of(kind)
    [page] = hall.mails("incident-response@company.com")
    assert all(action in page.text for action in kind.immediate_actions)
    await hall.api("POST", "api/v1/incidents/1/acknowledge", {"by": "dana"})
    await hall.pass_time(HOUR // 4)
    assert (await hall.api("GET", "api/v1/incidents/1"))["state"] in {"open", "acknowledged"}
    await hall.api("POST", "api/v1/incidents/1/resolve", {"by": "dana"})
    await hall.api("PATCH", "api/v1/incidents/1", {"by": "dana", "facts": {"root_cause": "a worn bearing"}})
    await complete(hall)
    await hall.pass_time(24 * HOUR)
    assert hall.mails("board@company.com")


async def test_a_declared_incident_names_its_system_everywhere(hall: Hall) -> None:
    """Declared by hand for a system: the SMS has it as the mail does."""
    body = {"type": "flight_control_failure", "labels": SYSTEM, "by": "dana"}
    await hall.api("POST", "api/v1/incidents", body)
    assert {each.medium for each in hall.heard} == {"email", "slack", "pagerduty", "sms"}
    assert all("landing-7" in each.headline for each in hall.heard if each.medium in {"email", "sms"})


async def test_a_failure_that_comes_back(hall: Hall) -> None:
    """Explained and resolved, it fires again: people begin anew, no message names the disproved cause as the cause, and
    the report has both times. Facts that change after the close make a revised report.
    """
    kind = next(each for each in GUIDE.incident_types if each.name == "flight_control_failure")
    labels, annotations = compiled(kind.key)
    one, begin = "api/v1/incidents/1", hall.clock.now
    for cause in ("a loose connector", "a cracked actuator"):
        await hall.api("POST", "webhook/alertmanager", webhook(labels, annotations, begin))
        page = hall.mails("incident-response@company.com")[-1]
        assert all(action in page.text for action in kind.immediate_actions)
        await hall.api("POST", f"{one}/acknowledge", {"by": "dana"})
        facts = {"root_cause": cause, "fix_description": f"mended {cause}"}
        await hall.api("PATCH", one, {"by": "dana", "facts": facts})
        await complete(hall)
        await hall.pass_time(MINUTE)
        await hall.api("POST", "webhook/alertmanager", webhook(labels, annotations, begin, hall.clock.now))
        await hall.api("POST", f"{one}/resolve", {"by": "dana"})
        await complete(hall)
        await hall.pass_time(HOUR)
        begin = hall.clock.now
    assert "did not hold (cause: a loose connector; fix: mended a loose connector)" in page.text
    ends = [each.text for each in hall.mails("incident-response@company.com") if "Incident Resolution:" in each.text]
    assert ["a loose connector" in each for each in ends] == [True, False]
    assert "Root Cause: a cracked actuator" in ends[1]
    await hall.pass_time(24 * HOUR)
    assert (await hall.api("GET", one))["state"] == "closed"
    [mailed] = hall.mails("board@company.com")
    for said in (
        "Occurrence 1", "Occurrence 2", "a loose connector (did not hold)", "a cracked actuator",
        "occurrence 1: 1 minute, until it was resolved", "closed, it did not come back again", " by erik",
    ):  # fmt: skip
        assert said in mailed.text
    await hall.api("PATCH", one, {"by": "erik", "facts": {"root_cause": "a cracked bracket"}})
    await hall.pass_time(HOUR)
    [_, revised] = hall.mails("board@company.com")
    assert "Revision 2 of its report" in revised.text
    assert "this has changed: root cause" in revised.text
    assert "a cracked bracket" in revised.text
    assert "nobody other than dana, who resolved it, has signed it off" in revised.text
