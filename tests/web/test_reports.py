"""Reports over HTTP and from the shell: of one incident, and of a period."""

import asyncio
import re
import sys
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest

from receiver.reports.render import render
from receiver.reports.report import Report, SectionContent, Table
from rules.policy import MINUTE, Policy
from tests.web.conftest import Running

ONE = "/api/v1/incidents/1"


@pytest.fixture
async def resolved(receiver: Running) -> Running:
    """What `open_and_resolve` leaves."""
    return await open_and_resolve(receiver)


async def open_and_resolve(receiver: Running) -> Running:
    """Incident #1: fired at level 4, acknowledged after four minutes, documented, resolved after twenty."""
    labels = {
        "alertname": "SafetyCriticalFailure",
        "section": "incident_response",
        "rule": "safety_critical_failure",
        "severity_level": "4",
        "system": "landing-7",
    }
    alert = {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": "The margin is 0.93", "value": "0.93"},
        "startsAt": "2026-11-23T02:13:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": "f1",
        "generatorURL": "http://prometheus/graph?g0.expr=safety_margin",
    }
    body = {"version": "4", "status": "firing", "alerts": [alert], "groupLabels": labels, "groupKey": "g"}
    status, answer = await receiver.post("/webhook/alertmanager", body)
    assert status == 200, answer
    await receiver.pass_time(4 * MINUTE)
    await receiver.post(f"{ONE}/acknowledge", {"by": "ann", "note": "on it"})
    facts = {"root_cause": "a stale model", "lessons_learned": "pin the model\nalarm on age", "revenue_loss": "none"}
    await receiver.ask("PATCH", ONE, {"by": "ann", "facts": facts})
    await receiver.pass_time(16 * MINUTE)
    alert |= {"status": "resolved", "endsAt": "2026-11-23T02:33:00Z"}
    await receiver.post("/webhook/alertmanager", {**body, "status": "resolved", "alerts": [alert]})
    status, _ = await receiver.post(f"{ONE}/resolve", {"by": "ann", "note": "model pinned"})
    assert status == 200
    return receiver


def sections(report: dict) -> dict:
    """Name → section."""
    return {section["name"]: section for section in report["sections"]}


def fields(section: dict) -> dict[str, list[str]]:
    """All fields of a section."""
    return {name: values for part in section["parts"] for name, values in part["fields"].items()}


async def test_only_evidence_is_told_as_preserved(resolved: Running) -> None:
    """Of the links of ticked steps, those of the investigation and of what speaks of evidence; recommended is what
    must still be done, not what was done in the first minutes; the level tells its examples.
    """
    _, found = await resolved.get(f"{ONE}/checklists")
    steps = {step["text"]: step["id"] for each in found["checklists"] for step in each["steps"]}
    for text, link in (("Gather system logs", "https://logs/1"), ("Deploy fix to production", "https://deploys/2")):
        await resolved.ask("PUT", f"{ONE}/steps/{steps[text]}", {"by": "ann", "done": True, "link": link})
    await resolved.post(f"{ONE}/follow-ups", {"by": "ann", "text": "alarm on the model's age", "owner": "bo"})
    _, report = await resolved.get(f"{ONE}/report")
    technical, summary = fields(sections(report)["technical_report"]), fields(sections(report)["executive_summary"])
    assert technical["evidence_preserved"] == [
        "Gather system logs: https://logs/1",
        "query of incident_response/safety_critical_failure: http://prometheus/graph?g0.expr=safety_margin",
    ]
    assert summary["immediate_actions"] == ["alarm on the model's age (bo)"]
    assert (
        "for example: Safety-critical system failures, Data breaches, Regulatory violations"
        in (summary["severity_level"])
    )
    for path in ("/incidents/1", "/policy"):
        _, page = await resolved.get(path, headers={"Accept": "text/html"})
        assert "Safety-critical system failures, Data breaches, Regulatory violations" in page


async def test_the_words_of_each_level_are_shown_where_people_choose_and_read(
    receiver: Running, policy: Policy
) -> None:
    """Description where a level is chosen; with impact and examples on the policy's page; all of its own in the report."""
    await receiver.post("/api/v1/incidents", {"type": "slo_violation", "by": "ann"})
    pages = [unescape((await receiver.get(each))[1]) for each in ("/declare", "/incidents/1", "/policy")]
    for level in policy.levels:
        assert all(level.description in each for each in pages)
        assert f"Impact: {level.impact}. Examples: {', '.join(level.examples)}." in pages[2]
    _, report = await receiver.get(f"{ONE}/report")
    told, own = fields(sections(report)["executive_summary"]), policy.level(3)
    assert told["severity_level"] == ["3 critical", own.description, f"for example: {', '.join(own.examples)}"]
    assert told["business_impact"] == [f"usual at level 3: {own.impact}"]


async def test_what_did_not_fire_is_not_told_as_met(receiver: Running) -> None:
    """An incident that a person declares as one of a rule has no condition that was met, and no error message."""
    await receiver.post("/api/v1/incidents", {"type": "safety_critical_failure"})
    _, text = await receiver.get("/api/v1/incidents/1/report?format=md")
    assert "condition that was met" not in text
    assert re.search(r"Not yet known:.*Error messages", text)


async def test_a_lowered_level_hides_no_emergency(receiver: Running) -> None:
    """The summary and the executive summary say what it was at its worst, who lowered it and why."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure", "by": "ann"})
    body = {"by": "ann", "level": 3, "reason": "one aircraft, on the ground"}
    assert (await receiver.ask("PATCH", ONE, body))[0] == 200
    _, text = await receiver.get(f"{ONE}/report?format=md")
    happened = re.search(r"What happened:.*?\n- \*\*", text, re.DOTALL)
    assert happened
    assert "level 3 (critical), declared by a person" in happened[0]
    assert (
        "at its worst it was level 4 (emergency); level is now 3 (one aircraft, on the ground), ann on " in happened[0]
    )
    _, report = await receiver.get(f"{ONE}/report")
    assert fields(sections(report)["executive_summary"])["severity_level"][-1] == "at its worst 4 emergency"


async def test_structure_as_the_policy_says(resolved: Running, policy: Policy) -> None:
    """The sections are those of incident_report.structure in its order, then the technical report."""
    _, report = await resolved.get(f"{ONE}/report")
    assert tuple(sections(report)) == (*policy.reports.structure, "technical_report")
    assert len(policy.reports.structure) == 9
    reports = replace(policy.reports, structure=("timeline", "executive_summary"))
    engine = resolved.engine
    changed = replace(policy, reports=reports)
    await resolved.queue.run(engine.keep_policy, changed, resolved.clock.now)
    engine.adopt(changed, frozenset())
    await resolved.ask("POST", f"{ONE}/replan", {"by": "ann"})
    _, report = await resolved.get(f"{ONE}/report")
    assert tuple(sections(report)) == ("timeline", "executive_summary", "technical_report")


async def test_every_field_of_both_templates_is_there(resolved: Running, policy: Policy) -> None:
    """Each field that the two report templates name stands in its part, known or not."""
    _, report = await resolved.get(f"{ONE}/report")
    for name, parts in (
        ("executive_summary", policy.reports.executive_summary),
        ("technical_report", policy.reports.technical),
    ):
        told = {part["title"]: tuple(part["fields"]) for part in sections(report)[name]["parts"]}
        assert told == {part.title: part.content for part in parts}


async def test_what_responders_entered_is_told(resolved: Running) -> None:
    """What was entered under a field's name stands in every section that has the field."""
    _, report = await resolved.get(f"{ONE}/report")
    told = sections(report)
    assert fields(told["executive_summary"])["root_cause"] == ["a stale model"]
    assert fields(told["technical_report"])["root_cause_found"] == ["a stale model"]
    assert fields(told["lessons_learned"])["lessons_learned"] == ["pin the model", "alarm on age"]
    assert fields(told["impact_assessment"])["revenue_loss"] == ["none"]
    assert fields(told["recommendations"])["process_changes"] == []


async def test_checklists(resolved: Running) -> None:
    """Each checklist stands in the section it belongs to, with who did which step and the evidence for it."""
    step = {"by": "ben", "note": "kept", "link": "https://logs.example/7"}
    status, _ = await resolved.ask("PUT", f"{ONE}/steps/root_cause_analysis.data_collection.1", step)
    assert status == 200
    _, report = await resolved.get(f"{ONE}/report")
    told = sections(report)
    [table, *_] = told["root_cause_analysis"]["tables"]
    assert table["rows"][0][:2] == ["done", "Gather system logs"]
    assert table["rows"][0][2].startswith("ben, ")
    assert table["rows"][1][0] == "open"
    technical = fields(told["technical_report"])
    assert "Gather system logs: https://logs.example/7" in technical["evidence_preserved"]
    assert "Gather system logs (ben: kept; https://logs.example/7)" in technical["data_collected"]
    [untouched] = fields(told["follow_up_actions"])["no_step_ticked_of"]
    assert "Monitor system stability (4 steps)" in untouched


async def test_follow_ups_and_notices(resolved: Running) -> None:
    """Each with the id that the timeline names: follow-up actions with owner and due date, notices with what became of them."""
    body = {"by": "ann", "text": "pin the model", "owner": "ben", "due": "2026-11-23T03:00:00Z"}
    assert (await resolved.post(f"{ONE}/follow-ups", body))[0] == 201
    await resolved.pass_time(60 * MINUTE)
    _, report = await resolved.get(f"{ONE}/report")
    told = sections(report)
    tables = {each["title"]: each["rows"] for section in told.values() for each in section["tables"]}
    assert tables["Follow-up actions"] == [["f1", "overdue", "pin the model", "ben", "2026-11-23 03:00 UTC"]]
    why = "void: nobody has the incident any more"
    assert tables["External notices"][0][:5] == ["n1", "external_notification", "acknowledged", why, ""]


async def test_markdown_says_what_nobody_knows(resolved: Running) -> None:
    """What is not yet known is named on one line, of a section or of a part; nothing is left out."""
    status, text = await resolved.get(f"{ONE}/report?format=md")
    assert status == 200
    assert "## Recommendations: not yet known (Long term improvements, Process changes)" in text
    assert "- **Not yet known:** Contributing factors" in text
    assert "acknowledged (on it)" in text


class Page(HTMLParser):
    """The tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append(tag)


async def test_page_is_drawn_prints_and_runs_nothing(resolved: Running) -> None:
    """The HTML has a drawn timeline, a style for paper, and a content policy that allows its style only."""
    async with resolved.http.get(f"{resolved.url}{ONE}/report?format=html") as answer:
        text, policy = await answer.text(), answer.headers["Content-Security-Policy"]
        assert answer.content_type == "text/html"
    page = Page()
    page.feed(text)
    assert {"svg", "section", "table"} <= set(page.tags)
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert "@media print" in text
    assert re.search(r"default-src 'none'; style-src 'sha256-[\w+/]{43}='", policy)


async def test_page_escapes_what_others_wrote(resolved: Running) -> None:
    """Markup in what a responder or an alert says is text, in the page and in Markdown."""
    await resolved.ask("PATCH", ONE, {"by": "<i>eve</i>", "facts": {"root_cause": "<script>alert(1)</script> *x*"}})
    _, page = await resolved.get(f"{ONE}/report?format=html")
    assert "<script" not in page
    assert "<i>eve" not in page
    assert "&lt;script&gt;" in page
    _, text = await resolved.get(f"{ONE}/report?format=md")
    assert r"\<script>alert(1)\</script> \*x\*" in text


async def test_unknown_format_and_incident(resolved: Running) -> None:
    """A format that is none is a 400, an incident that is none a 404."""
    assert (await resolved.get(f"{ONE}/report?format=pdf"))[0] == 400
    assert (await resolved.get("/api/v1/incidents/99/report"))[0] == 404
    assert (await resolved.get("/api/v1/report?period=soon"))[0] == 400


async def test_period(resolved: Running) -> None:
    """A period's report has MTTA, MTTR and deadlines by level and type, and counts exercises apart."""
    await resolved.post("/api/v1/incidents", {"type": "engine_failure", "exercise": True})
    await resolved.pass_time(15 * MINUTE)
    await resolved.post("/api/v1/incidents/2/acknowledge", {"by": "ann"})
    _, report = await resolved.get("/api/v1/report?period=30d")
    told = sections(report)
    by_level, by_type = told["incidents"]["tables"]
    assert by_level["columns"][1:] == [
        "incidents",
        "acknowledged",
        "MTTA",
        "resolved",
        "MTTR",
        "response time kept",
        "breached",
    ]
    assert by_level["rows"] == [
        ["4 emergency", "1", "1", "4 minutes", "1", "20 minutes", "1", "0"],
        ["all", "1", "1", "4 minutes", "1", "20 minutes", "1", "0"],
    ]
    assert [row[0] for row in by_type["rows"]] == ["safety_critical_failure"]
    assert told["exercises"]["tables"][1]["rows"] == [["engine_failure", "1", "1", "15 minutes", "0", "-", "0", "1"]]


async def test_period_without_incidents(receiver: Running) -> None:
    """A quiet month says none, in every format."""
    for form, said in (("md", "none"), ("html", "none"), ("json", None)):
        status, text = await receiver.get(f"/api/v1/report?period=30d&format={form}")
        assert status == 200
        assert said is None or said in text


async def tocsin(running: Running, *arguments: str) -> tuple[int, str, str]:
    """Run the command against the receiver."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "receiver.cli", "report", *arguments, "--url", running.url, stdout=-1, stderr=-1
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_command(resolved: Running) -> None:
    """`tocsin report 1` prints Markdown, `--format json` JSON, `--period 30d` the period; both or none is wrong usage."""
    code, text, _ = await tocsin(resolved, "#1")
    assert (code, text.startswith("# Incident report #1")) == (0, True)
    code, text, _ = await tocsin(resolved, "--period", "30d", "--format", "json")
    assert code == 0
    assert '"incidents"' in text
    code, _, said = await tocsin(resolved)
    assert (code, "--period" in said) == (2, True)


WRITTEN = {
    "#1: engine_failure: x < 0.95 & y": "#1: engine_failure: x < 0.95 & y",
    "<b>x [l](u) *b* a|b &lt; `c`": "\\<b>x \\[l\\](u) \\*b\\* a\\|b \\&lt; \\`c\\`",
    "__init__ _em_": "\\_\\_init\\_\\_ \\_em\\_",
    "- item": "\\- item",
    "> said": "\\> said",
    "## head": "\\## head",
}


@pytest.mark.parametrize(("text", "written"), WRITTEN.items())
def test_markdown_escapes_only_what_would_be_markup(text: str, written: str) -> None:
    """Reports are mailed as Markdown: names and comparisons stay readable, foreign markup is none."""
    table = Table("", ("what",), ((text,),))
    report = Report("report", "", exercise=False, sections=(SectionContent("s", (), (table,)),))
    assert f"| {written} |" in render(report, "md").splitlines()
