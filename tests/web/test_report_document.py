"""An incident's report as a document: who made and approved it, which version it is, what proves it, what it says."""

import asyncio
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

from receiver.core.events import Note
from receiver.core.model import Instant
from receiver.engine.commands import ForIncident
from receiver.reports.report_clock import ReportClock
from receiver.store.reads import OUTLINED
from receiver.store.store import SqlStore
from rules.policy import MINUTE, Policy, ResponseRole
from tests.web.conftest import Running
from tests.web.test_console import page, press
from tests.web.test_reports import ONE, fields, open_and_resolve, resolved, sections, tocsin

__all__ = ["resolved"]

HASHED = ("title", "subtitle", "exercise", "organisation", "version", "changes", "summary", "sections")


def by_hand(report: dict) -> str:
    """The hash computed by the recipe in docs/reports.md."""
    content = {name: report[name] for name in HASHED}
    return sha256(json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


async def report_of(running: Running, query: str = "") -> dict:
    """The report of incident #1."""
    status, report = await running.get(f"{ONE}/report{query}")
    assert status == 200, report
    return report


async def approve(running: Running, **said: str) -> tuple[int, dict]:
    """Approve what it says now."""
    report = await report_of(running)
    return await running.post(f"{ONE}/report/approve", {"hash": report["sha256"], "by": "dana", **said})


def summary(report: dict) -> dict[str, list[str]]:
    """What a director reads."""
    return fields(report["summary"])


async def test_cover(resolved: Running, policy: Policy) -> None:
    """Every format tells organisation, version, who prepared it, that it has no approval, hash and audit head."""
    changed = replace(policy, reports=replace(policy.reports, organisation="Example Air"))
    await resolved.queue.run(resolved.engine.keep_policy, changed, resolved.clock.now)
    resolved.engine.adopt(changed, frozenset())
    report = await report_of(resolved)
    assert (report["organisation"], report["version"]) == ("Example Air", 1)
    assert report["cover"]["prepared_by"] == "local"
    assert report["cover"]["approved_by"] == ""
    assert re.fullmatch(r"\d+:[0-9a-f]{64}", report["cover"]["audit_head"])
    assert report["sha256"] == by_hand(report)
    for form in ("md", "html"):
        _, text = await resolved.get(f"{ONE}/report?format={form}")
        link = report["cover"]["audit_head"].partition(":")[2]
        for told in ("Example Air", "1, draft, not approved", "local", "nobody yet", report["sha256"], link):
            assert told in text, (form, told)


async def test_approval_freezes_the_version(resolved: Running) -> None:
    """An approved version stays as it was read, byte for byte, with who approved it, when, and the audit's head."""
    draft = await report_of(resolved)
    status, approved = await approve(resolved, prepared_by="amir")
    assert status == 200
    assert approved["cover"]["approved_by"] == "dana"
    assert approved["cover"]["approved_at"]
    assert approved["cover"]["prepared_by"] == "amir"
    assert approved["cover"]["audit_head"] == draft["cover"]["audit_head"]
    assert {name: approved[name] for name in HASHED} == {name: draft[name] for name in HASHED}
    await resolved.ask("PATCH", ONE, {"by": "ann", "facts": {"root_cause": "a worn sensor"}})
    assert await report_of(resolved, "?version=1") == approved
    assert by_hand(approved) == approved["sha256"]


async def test_approval_changes_nothing_by_itself(resolved: Running) -> None:
    """While nothing else is known the approved version is the report, days later too."""
    _, approved = await approve(resolved)
    resolved.clock.now = Instant(
        resolved.clock.now + 3 * 24 * 60 * MINUTE
    )  # nothing fires due windows: it is not closed
    later = await report_of(resolved)
    assert later["changes"] == []
    assert later["sha256"] == approved["sha256"]
    status, answer = await approve(resolved)
    assert (status, "approved already" in answer["detail"]) == (409, True)


async def test_later_facts_make_the_next_version(resolved: Running) -> None:
    """What becomes known after the approval is a draft of version 2, which says what changed; then that is approved."""
    await approve(resolved)
    facts = {"root_cause": "a worn sensor", "process_changes": "inspect yearly"}
    await resolved.ask("PATCH", ONE, {"by": "ann", "facts": facts})
    report = await report_of(resolved)
    assert (report["version"], report["cover"]["approved_by"]) == (2, "")
    assert "Root cause: a worn sensor (before: a stale model)" in report["changes"]
    assert "Process changes: inspect yearly" in report["changes"]
    assert sum("a worn sensor (before" in each for each in report["changes"]) <= 2
    for form in ("md", "html"):
        _, text = await resolved.get(f"{ONE}/report?format={form}")
        assert "Changed since version 1" in text
        assert "inspect yearly" in text
    status, approved = await approve(resolved)
    assert (status, approved["version"]) == (200, 2)
    assert (await report_of(resolved, "?version=1"))["cover"]["approved_by"] == "dana"
    assert (await resolved.get(f"{ONE}/report?version=4"))[0] == 404


async def test_only_what_was_read_is_approved(resolved: Running) -> None:
    """A report that reads differently by now is not approved."""
    read = (await report_of(resolved))["sha256"]
    await resolved.ask("PATCH", ONE, {"by": "ann", "facts": {"root_cause": "a worn sensor"}})
    status, answer = await resolved.post(f"{ONE}/report/approve", {"hash": read})
    assert (status, "reads differently" in answer["detail"]) == (409, True)


async def test_approval_is_audited(resolved: Running) -> None:
    """The audit log and the timeline have the approval with its version and hash; the log does not hold the report."""
    _, approved = await approve(resolved)
    assert isinstance(resolved.store, SqlStore)
    (_, audit), *_ = resolved.store.newest_audits(1)
    assert (audit.action, audit.outcome) == ("approvereport", "done")
    assert audit.data["sha256"] == approved["sha256"]
    assert audit.data["version"] == "1"
    assert "document" not in audit.data
    _, timeline = await resolved.get(f"{ONE}/timeline")
    assert timeline["timeline"][-1]["text"] == f"version 1 of the report approved: SHA-256 {approved['sha256']}"


async def test_summary_is_read_in_a_minute(resolved: Running) -> None:
    """What happened, the measured value, to whom, how long, what was done, whether it is over, what remains: at the top."""
    await resolved.ask("PATCH", ONE, {"by": "ann", "facts": {"immediate_actions_taken": "landed by hand"}})
    await resolved.post(f"{ONE}/follow-ups", {"by": "ann", "text": "pin the model", "owner": "ben"})
    told = summary(await report_of(resolved))
    assert list(told)[:4] == ["what_happened", "measured", "who_was_affected", "how_long"]
    assert told["measured"] == ["The margin is 0.93 on landing-7, told at 2026-11-23 02:13 UTC"]
    assert told["who_was_affected"] == ["system: landing-7", *told["who_was_affected"][1:]]
    assert told["how_long"][0].startswith("20 minutes")
    assert told["what_was_done"] == ["landed by hand", "model pinned (ann, on resolving it)"]
    assert told["is_it_over"][0].startswith("resolved")
    assert any("pin the model (ben" in each for each in told["what_remains"])
    _, text = await resolved.get(f"{ONE}/report?format=md")
    assert text.index("0.93") < text.index("## Executive summary")


async def test_what_opened_it_and_what_came_later_are_told_apart(receiver: Running) -> None:
    """Its title is of what fired last; what opened it, and when each value was told, stand as they were."""

    async def tell(**said: str) -> None:
        alerts = [
            {
                "status": status,
                "labels": {"alertname": "Pump", "severity": "critical", "service": unit},
                "annotations": {"summary": f"Pump {unit} is slow", "value": f"1.{unit}"},
                "startsAt": "2026-11-23T02:13:00Z",
                "endsAt": "2026-11-23T02:30:00Z" if status == "resolved" else "0001-01-01T00:00:00Z",
                "fingerprint": unit,
            }
            for unit, status in ((name[1:], each) for name, each in said.items())
        ]
        body = {"version": "4", "status": "firing", "alerts": alerts, "groupLabels": {}, "groupKey": "g"}
        assert (await receiver.post("/webhook/alertmanager", body))[0] == 200

    await tell(p1="firing")
    await receiver.pass_time(4 * MINUTE)
    await tell(p1="firing", p9="firing")
    await tell(p1="resolved", p9="firing")
    await receiver.post(f"{ONE}/resolve", {"by": "ann", "note": "the valve was shut", "force": True})
    told = summary(await report_of(receiver))
    assert told["what_happened"] == [
        "Pump 1 is slow: level 3 (critical), opened by an alert on 2026-11-23 02:13 UTC",
        "later: Pump 9 is slow",
    ]
    assert "Pump 9 is slow: 1.9, told at 2026-11-23 02:17 UTC" in told["measured"]
    assert told["what_was_done"] == ["the valve was shut (ann, on resolving it)"]


async def test_grades_have_their_range(resolved: Running) -> None:
    """A grade stands with what it means on its scale, however it was said."""
    await resolved.ask("PATCH", ONE, {"by": "ann", "facts": {"revenue_impact": "high", "customer_impact": "high"}})
    _, text = await resolved.get(f"{ONE}/report?format=md")
    assert "revenue impact: high (20-50% revenue impact)" in text
    assert "customer impact: high (Significant customer impact)" in text
    assert "high (high)" not in text
    await resolved.ask("PATCH", ONE, {"by": "ann", "facts": {"revenue_impact": "0.3"}})
    _, text = await resolved.get(f"{ONE}/report?format=md")
    assert "revenue impact: high (20-50% revenue impact; said: 0.3)" in text


async def test_open_steps_take_few_lines(resolved: Running) -> None:
    """A checklist has a line for each done step and one for all open ones; one of which nothing is done has one line."""
    await resolved.ask("PUT", f"{ONE}/steps/root_cause_analysis.data_collection.1", {"by": "ben"})
    report = await report_of(resolved)
    rows = [row for section in report["sections"] for table in section["tables"] for row in table["rows"]]
    assert sum(row[0] == "open" for row in rows) <= 3
    [untouched] = fields(sections(report)["resolution_actions"])["no_step_ticked_of"]
    assert "Verify fix effectiveness (4 steps); " in untouched


async def test_deadlines_agree(receiver: Running) -> None:
    """The table of deadlines says by how much and by whom; summary, details and period say the same of each."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    await receiver.pass_time(23 * MINUTE)
    await receiver.queue.run(receiver.engine.fire_due, receiver.clock.now)
    await receiver.post(f"{ONE}/acknowledge", {"by": "amir"})
    report = await report_of(receiver)
    [table] = report["summary"]["tables"]
    rows = {row[0]: row for row in table["rows"]}
    assert rows["response"][1] == "15 minutes from the declaration"
    assert rows["response"][3:5] == ["breached", "8 minutes late"]
    assert rows["response"][5].startswith("amir, ")
    assert rows["escalation"][3:5] == ["breached", "18 minutes late"]
    assert rows["initial response: severity assessment"][3] == "running"
    assert summary(report)["deadlines"][0] == "0 of 3 kept"
    [response] = fields(sections(report)["incident_details"])["response_time"]
    assert response.startswith("breached: response, 15 minutes from the declaration: amir")
    assert response.endswith("8 minutes late")


async def test_sent_notices_stand_word_for_word(receiver: Running) -> None:
    """What the outside was told stands in the report as it was approved, with who approved it and when."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    await receiver.post(f"{ONE}/acknowledge", {"by": "amir"})
    _, found = await receiver.get(f"{ONE}/notices")
    [held] = [each for each in found["notices"] if each["standing"] == "held"]
    edit = {
        "hash": held["hash"],
        "by": "amir",
        "subject": "Engine 2",
        "text": "We work on it.\nContact: ops@example.com",
    }
    status, found = await receiver.ask("PUT", f"{ONE}/notices/{held['id']}", edit)
    assert status == 200, found
    [notice] = [each for each in found["notices"] if each["standing"] == "held"]
    said = {"hash": notice["hash"], "by": "dana"}
    status, answer = await receiver.post(f"{ONE}/notices/{notice['id']}/approve", said)
    assert status == 200, answer
    report = await report_of(receiver)
    tables = {each["title"]: each["rows"] for each in sections(report)["incident_details"]["tables"]}
    [_, text, by, when] = tables["What the external groups were told"][-1]
    assert (text, by) == ("Engine 2\n\nWe work on it.\nContact: ops@example.com", "dana")
    assert when


async def test_printed_pages_have_their_name(resolved: Running) -> None:
    """On paper each page has the report's name, version, organisation and its number; foreign text cannot leave that."""
    await resolved.post("/api/v1/incidents", {"type": "x", "new_type": True, "title": '"} </style><b>{content: url(x)'})
    _, page = await resolved.get("/api/v1/incidents/2/report?format=html")
    style = page.partition("<style>")[2].partition("</style>")[0]
    assert 'content: "Page " counter(page) " of " counter(pages)' in style
    assert page.count("</style>") == 1
    assert "url(" not in style
    assert "<b>" not in page


async def test_every_format_says_the_same(resolved: Running) -> None:
    """Markdown and HTML have every value of the JSON."""
    await approve(resolved)
    await resolved.ask("PATCH", ONE, {"by": "ann", "facts": {"root_cause": "worn sensor", "revenue_impact": "high"}})
    report = await report_of(resolved)
    parts = [part for section in (report["summary"], *report["sections"]) for part in section["parts"]]
    values = {value for part in parts for field in part["fields"].values() for value in field} | set(report["changes"])
    cells = {cell for each in (report["summary"], *report["sections"]) for table in each["tables"]
             for row in table["rows"] for cell in row}  # fmt: skip
    for form in ("md", "html"):
        _, text = await resolved.get(f"{ONE}/report?format={form}")
        bare = re.sub(r"\\(?=\W|_)", "", text)
        for value in values | cells:
            shown = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("'", "&#39;")
            assert value in bare or shown.replace('"', "&#34;") in bare, (form, value)


async def test_period_and_drills_have_a_cover(resolved: Running) -> None:
    """The report of a period says who asked for it, when, and the audit's head; it has no version."""
    report = (await resolved.get("/api/v1/report?period=30d"))[1]
    assert report["cover"]["prepared_by"] == "local"
    assert report["cover"]["as_of"]
    assert (report["version"], report["sha256"]) == (0, by_hand(report))
    _, text = await resolved.get("/api/v1/drills?format=md")
    assert "- **Prepared by:** local" in text
    assert "Approved by" not in text


async def test_command_approves(resolved: Running) -> None:
    """`tocsin approve-report` approves what was read, by its hash; `tocsin report --version` prints it ever after."""
    draft = await report_of(resolved)
    command = ("approve-report", "1", "--hash", draft["sha256"], "--by", "dana", "--prepared-by", "amir")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "receiver.cli", *command, "--url", resolved.url, stdout=-1, stderr=-1
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err
    assert "Version 1 is approved by dana" in out.decode()
    code, text, _ = await tocsin(resolved, "1", "--version", "1")
    assert (code, "**Version:** 1, approved" in text, draft["sha256"] in text) == (0, True, True)
    code, _, said = await tocsin(resolved, "--period", "30d", "--version", "1")
    assert (code, "--version" in said) == (2, True)


async def test_console_approves(resolved: Running) -> None:
    """The console shows the summary and the hash; its button approves exactly that, and the page says who did."""
    text = await page(resolved, "/incidents/1/report")
    draft = await report_of(resolved)
    assert draft["sha256"] in text
    assert "20 minutes" in text
    status, where = await press(resolved, 1, "approve-report", hash=draft["sha256"], prepared_by="amir")
    assert (status, where) == (303, "/incidents/1?done=approve-report#said")
    text = await page(resolved, "/incidents/1/report")
    assert "Nothing has changed since version 1 was approved" in text
    assert "prepared by amir" in text


async def test_only_approvers_approve(start: Callable[..., Any]) -> None:
    """A responder cannot approve a report; an approver can."""
    tokens = {name: f"{name}-token-0123456789" for name in ("ron", "dana")}
    receiver = await start(TOCSIN_API_TOKENS=f"ron:responder:{tokens['ron']},dana:approver:{tokens['dana']}")
    ron, dana = ({"Authorization": f"Bearer {token}"} for token in tokens.values())
    assert (await receiver.post("/api/v1/incidents", {"type": "engine_failure"}, headers=ron))[0] == 201
    _, report = await receiver.get(f"{ONE}/report", headers=ron)
    said = {"hash": report["sha256"]}
    assert (await receiver.post(f"{ONE}/report/approve", said, headers=ron))[0] == 403
    status, approved = await receiver.post(f"{ONE}/report/approve", said, headers=dana)
    assert (status, approved["cover"]["approved_by"]) == (200, "dana")


async def test_deadlines_of_a_long_incident(receiver: Running) -> None:
    """What lies in the left-out middle of a long timeline decides on deadlines all the same."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    notes = [ForIncident((await receiver.get(ONE))[1]["id"], Note("ann", "looking"))] * OUTLINED
    await receiver.queue.run(receiver.engine.handle, notes, receiver.clock.now)
    await receiver.pass_time(23 * MINUTE)
    await receiver.post(f"{ONE}/acknowledge", {"by": "amir"})
    await receiver.queue.run(receiver.engine.handle, notes * 2, receiver.clock.now)
    report = await report_of(receiver)
    rows = {row[0]: row for row in report["summary"]["tables"][0]["rows"]}
    assert rows["response"][3:5] == ["breached", "8 minutes late"]
    assert "lines are left out" in str(sections(report)["timeline"])


async def under(policy: Policy, receiver: Running) -> Running:
    """Incident #1, opened and resolved under this policy."""
    await receiver.queue.run(receiver.engine.keep_policy, policy, receiver.clock.now)
    receiver.engine.adopt(policy, frozenset())
    return await open_and_resolve(receiver)


async def test_times_stand_in_the_policys_zone_too(receiver: Running, policy: Policy) -> None:
    """UTC, and in brackets the zone that the subtitle names once; a day that is another there has its date."""
    running = await under(replace(policy, time_zone="Asia/Tokyo"), receiver)
    report = await report_of(running)
    assert report["subtitle"].endswith("; times are UTC, in brackets Asia/Tokyo")
    stamps = re.findall(r"2026-11-23 (\d\d):\d\d UTC( \(.*?\))?", json.dumps(report))
    assert stamps
    assert all(beside == f" ({int(hour) + 9:02}{beside[4:]}" for hour, beside in stamps), stamps
    assert ReportClock("Asia/Tokyo").second(Instant(1_795_459_500_000_000)) == "2026-11-23 18:45:00 (11-24 03:45:00)"
    for form in ("md", "html"):
        _, text = await running.get(f"{ONE}/report?format={form}")
        assert text.count("Asia/Tokyo") == 1


async def test_the_policys_approver_approves(receiver: Running, policy: Policy) -> None:
    """Only who holds the role that the policy names; the cover says in which role."""
    role = ResponseRole("safety_officer")
    changed = replace(policy, roles=(role,), reports=replace(policy.reports, approver=role.name))
    running = await under(changed, receiver)
    status, answer = await approve(running)
    assert (status, "nobody is that yet" in answer["detail"]) == (409, True)
    await running.ask("PUT", f"{ONE}/roles/{role.name}", {"by": "ann", "to": "ben"})
    status, answer = await approve(running)
    assert (status, "who is ben" in answer["detail"]) == (409, True)
    status, approved = await approve(running, by="ben")
    assert (status, approved["cover"]["approved_as"]) == (200, role.name)
    _, text = await running.get(f"{ONE}/report?format=md")
    assert "ben (safety\\_officer), " in text or "ben (safety_officer), " in text
