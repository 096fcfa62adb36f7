"""Over HTTP, on the page and from the shell: what keeps an incident from closing, who closes it, and what came back."""

import asyncio
import csv
import sys
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from receiver.cli.watch import Board
from rules.policy import HOUR, MINUTE
from tests.web.conftest import Running

ONE = "/api/v1/incidents/1"
TOKENS = "rita:responder:rrr,cleo:approver:ccc,carl:approver:kkk"
RITA, CLEO, CARL = ({"Authorization": f"Bearer {token}"} for token in ("rrr", "ccc", "kkk"))
LABELS = {
    "alertname": "EngineFailure",
    "section": "aviation_safety_incident_response",
    "rule": "engine_failure",
    "severity_level": "4",
    "system": "ax-7",
}


@pytest.fixture
async def resolved(start: Callable[..., Any]) -> Running:
    """A declared emergency that an approver resolved."""
    receiver: Running = await start(TOCSIN_API_TOKENS=TOKENS)
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"}, headers=RITA)
    await receiver.post(f"{ONE}/acknowledge", {}, headers=RITA)
    status, _ = await receiver.post(f"{ONE}/resolve", {}, headers=CLEO)
    assert status == 200
    return receiver


async def complete(receiver: Running) -> None:
    """All but the signature."""
    await receiver.ask("PATCH", ONE, {"facts": {"root_cause": "a worn bearing"}}, headers=RITA)
    _, found = await receiver.get(f"{ONE}/checklists", headers=RITA)
    for step in (step for checklist in found["checklists"] for step in checklist["steps"]):
        await receiver.ask("PUT", f"{ONE}/steps/{step['id']}", {}, headers=RITA)


async def test_what_is_missing_is_said(resolved: Running) -> None:
    """In the API, on the page, in the shell and in the words that Slack's thread shows."""
    _, incident = await resolved.get(ONE, headers=RITA)
    assert incident["outstanding"][0] == "the root cause is not known"
    assert incident["outstanding"][-1] == "nobody other than cleo, who resolved it, has signed it off"
    _, page = await resolved.get("/incidents/1", headers=RITA)
    assert "Before it closes" in page
    assert "the root cause is not known" in page
    shell = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "receiver.cli", "show", "1", "--url", resolved.url, "--token", "rrr"),
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await shell.communicate()
    assert b"not closed yet: the root cause is not known" in told
    await resolved.pass_time(24 * HOUR + MINUTE)
    _, incident = await resolved.get(ONE, headers=RITA)
    assert incident["state"] == "resolved"
    _, timeline = await resolved.get(f"{ONE}/timeline", headers=RITA)
    [kept] = [each for each in timeline["timeline"] if each["fact"] == "kept_open"]
    assert kept["text"].startswith("not closed yet: the root cause is not known; ")


async def test_a_second_person_signs_it_off(resolved: Running) -> None:
    """Not a responder, not who resolved it, and not before all else is there; then it closes."""
    assert (await resolved.post(f"{ONE}/sign-off", {}, headers=RITA))[0] == 403
    status, refused = await resolved.post(f"{ONE}/sign-off", {}, headers=CARL)
    assert (status, "cannot be signed off yet" in refused["detail"]) == (409, True)
    await complete(resolved)
    status, refused = await resolved.post(f"{ONE}/sign-off", {}, headers=CLEO)
    assert (status, "another person signs it off" in refused["detail"]) == (409, True)
    status, refused = await resolved.post(f"{ONE}/sign-off", {"by": "carl"}, headers=CLEO)
    assert (status, "under one's own name" in refused["detail"]) == (403, True)
    status, incident = await resolved.post(f"{ONE}/sign-off", {"note": "read"}, headers=CARL)
    assert (status, incident["signed_off_by"], incident["outstanding"]) == (200, "carl", [])
    await resolved.pass_time(24 * HOUR + MINUTE)
    _, incident = await resolved.get(ONE, headers=RITA)
    assert incident["state"] == "closed"


async def test_only_an_approver_closes_it_anyway(resolved: Running) -> None:
    """With a reason, which the timeline and the report keep beside what was missing."""
    assert (await resolved.post(f"{ONE}/close", {"note": "duplicate"}, headers=RITA))[0] == 403
    assert (await resolved.post(f"{ONE}/close", {"note": " "}, headers=CLEO))[0] == 400
    status, incident = await resolved.post(f"{ONE}/close", {"note": "a duplicate of #0"}, headers=CLEO)
    assert (status, incident["state"]) == (200, "closed")
    _, timeline = await resolved.get(f"{ONE}/timeline", headers=RITA)
    [closed] = [each for each in timeline["timeline"] if each["fact"] == "closed"]
    assert closed["by"] == "cleo"
    assert closed["text"].startswith("closed by hand, although the root cause is not known; ")
    _, page = await resolved.get("/incidents/1", headers=RITA)
    assert "Root cause" in page, "what becomes known later can be entered there"
    _, report = await resolved.get(f"{ONE}/report", headers=RITA)
    assert "closed by cleo" in str(report["summary"])
    assert "a duplicate of #0" in str(report["summary"])


def body(status: str, starts: str, ends: str, value: str) -> dict[str, Any]:
    """A webhook of one engine failure."""
    alert = {
        "status": status,
        "labels": LABELS,
        "annotations": {"summary": "Aircraft engine failure", "value": value},
        "startsAt": starts,
        "endsAt": ends,
        "fingerprint": "f1",
        "generatorURL": "",
    }
    return {"version": "4", "status": status, "alerts": [alert], "groupLabels": LABELS, "groupKey": "g"}


@pytest.fixture
async def back(receiver: Running) -> Running:
    """An engine failure that was explained, mended and resolved, and fires again six hours later."""
    never = "0001-01-01T00:00:00Z"
    await receiver.post("/webhook/alertmanager", body("firing", "2026-11-23T02:13:00Z", never, "0.41"))
    await receiver.post(f"{ONE}/acknowledge", {"by": "ann"})
    await receiver.ask("PUT", f"{ONE}/steps/immediate_actions.1", {"by": "ann", "note": "done at 02:20"})
    facts = {"root_cause": "a stuck fuel valve", "fix_description": "valve replaced"}
    await receiver.ask("PATCH", ONE, {"by": "ann", "facts": facts})
    await receiver.pass_time(10 * MINUTE)
    await receiver.post(
        "/webhook/alertmanager", body("resolved", "2026-11-23T02:13:00Z", "2026-11-23T02:33:00Z", "0.41")
    )
    await receiver.post(f"{ONE}/resolve", {"by": "ann"})
    await receiver.pass_time(6 * HOUR)
    await receiver.post("/webhook/alertmanager", body("firing", "2026-11-23T08:33:00Z", never, "0.22"))
    await receiver.post(f"{ONE}/acknowledge", {"by": "ben"})
    return receiver


async def test_each_occurrence_has_its_section_in_the_report(back: Running) -> None:
    """Its alerts, deadlines and actions; of the earlier one the cause and the fix did not hold."""
    await back.ask("PUT", f"{ONE}/steps/immediate_actions.2", {"by": "ben"})
    await back.ask("PATCH", ONE, {"by": "ben", "facts": {"root_cause": "a cracked fuel line"}})
    _, report = await back.get(f"{ONE}/report")
    told = {section["name"]: section for section in report["sections"]}
    first, second = told["occurrence_1"], told["occurrence_2"]
    [fields] = [part["fields"] for part in first["parts"]]
    assert fields["root_cause"] == ["a stuck fuel valve (did not hold)"]
    assert fields["fix_description"] == ["valve replaced (did not hold)"]
    tables = {table["title"]: table["rows"] for section in (first, second) for table in section["tables"]}
    assert [row[3] for row in tables["Occurrence 1: alerts"]] == ["0.41"]
    assert [row[3] for row in tables["Occurrence 2: alerts"]] == ["0.22"]
    assert {row[1] for row in tables["Occurrence 1: actions"]} == {"ann"}
    assert ["Activate engine failure procedures", "ann", "done at 02:20"] in [
        [row[0], row[1], row[3]] for row in tables["Occurrence 1: actions"]
    ]
    assert {row[1] for row in tables["Occurrence 2: actions"]} == {"ben"}
    for number, by in (("1", "ann"), ("2", "ben")):
        [response] = [row for row in tables[f"Occurrence {number}: deadlines"] if row[0] == "response"]
        assert (response[3], response[5].startswith(by)) == ("kept", True)
    assert [part["fields"]["root_cause"] for part in second["parts"]] == [["a cracked fuel line"]]
    assert told["root_cause_analysis"]["parts"][0]["fields"]["root_cause"] == ["a cracked fuel line"]
    alerts = next(each for each in told["incident_details"]["tables"] if each["title"] == "Alerts")
    assert [row[3] for row in alerts["rows"]] == ["0.41", "0.22"]


async def test_what_came_back_shows_what_did_not_hold(back: Running) -> None:
    """In the API and on the page, with what was done then; the first actions are those of the type again."""
    _, incident = await back.get(ONE)
    [before] = incident["occurrences"]
    assert (before["number"], before["facts"]["root_cause"], incident["facts"]) == (1, "a stuck fuel valve", {})
    assert {each["id"] for each in before["steps"]} >= {"immediate_actions.1"}
    _, page = await back.get("/incidents/1")
    assert "Earlier occurrences" in page
    assert "did not hold" in page
    first = page[page.index('<div class="first">') :]
    assert first.index("Activate engine failure procedures") < first.index("Plan emergency landing")


async def test_now_lists_what_is_resolved_and_not_closed(resolved: Running) -> None:
    """With all that is missing, from the resolution until it closes; the page is told when it changes."""
    _, text = await resolved.get("/", headers=RITA)
    assert "Resolved, not closed" in text
    assert "the root cause is not known" in text
    assert "nobody other than cleo, who resolved it, has signed it off" in text
    assert "Nothing needs anybody" not in text
    mark = resolved.store.reads().overview.mark(None, 50)
    await complete(resolved)
    assert resolved.store.reads().overview.mark(None, 50) != mark
    await resolved.post(f"{ONE}/sign-off", {}, headers=CARL)
    _, text = await resolved.get("/", headers=RITA)
    assert "Resolved, not closed" not in text


async def test_the_terminal_lists_it_too() -> None:
    """`tocsin watch` tells what is missing of what is resolved."""
    missing = {"number": 7, "level": 4, "level_name": "emergency", "title": "Engine", "outstanding": ["no cause"]}
    shown = Console(width=120, file=StringIO())
    shown.print(Board(unclosed=[missing], problem="").render())
    told = shown.file.getvalue()
    assert "Resolved, not closed" in told
    assert "#7 4 emergency Engine: no cause" in told


async def test_the_steps_of_every_occurrence_are_exported(start: Callable[..., Any]) -> None:
    """A row for each step of each occurrence, with its number; what was ticked in the first stands there."""
    receiver: Running = await start()
    await receiver.send("single_firing")
    await receiver.post(f"{ONE}/acknowledge", {"by": "ann"})
    await receiver.send("single_resolved")
    await receiver.post(f"{ONE}/resolve", {"by": "ann"})
    await receiver.pass_time(HOUR)
    await receiver.send("single_refire")
    await receiver.post(f"{ONE}/acknowledge", {"by": "bo"})
    _, text = await receiver.get("/incidents/1/steps.csv")
    rows = list(csv.DictReader(StringIO(text)))
    done = {(row["occurrence"], row["done_by"]) for row in rows if row["done"]}
    assert done == {("1", "ann"), ("2", "bo")}
