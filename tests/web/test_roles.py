"""Roles and training: who does what in an incident, and what the record of live drills tells."""

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from receiver.cli import app
from receiver.drill.script_file import read, relive
from receiver.drill.simulator import World
from receiver.jobs.training_watch import report_practices
from receiver.messages import MessageRenderer
from receiver.reports.queries import Records
from receiver.service import Service
from receiver.settings import Settings
from rules.load import load
from rules.policy import CRITICAL, HOUR, MINUTE, Micros, Person, Policy, ResponseRole
from tests.web.conftest import Running

ONE = "/api/v1/incidents/1"
ROLES = (
    ResponseRole("incident_commander", "Decides, and says who does what.", CRITICAL),
    ResponseRole("communications", "Tells everybody else."),
)


@pytest.fixture
def policy() -> Policy:
    """The packs, with two roles."""
    return replace(load(), roles=ROLES)


async def declared(receiver: Running, **more: Any) -> Running:
    """With one incident."""
    status, answer = await receiver.post("/api/v1/incidents", {"type": "engine_failure", "by": "ann", **more})
    assert status == 201, answer
    return receiver


def holders(incident: dict[str, Any]) -> dict[str, str | None]:
    """Role → who holds it."""
    return {each["name"]: each["held_by"] for each in incident["roles"]}


async def test_an_incident_shows_who_holds_which_role(receiver: Running) -> None:
    """A role is taken, passed on and given back; each is in the timeline, and shows in the report."""
    await declared(receiver)
    _, found = await receiver.get(ONE)
    assert holders(found) == {"incident_commander": None, "communications": None}
    assert all(each["wanted"] for each in found["roles"])
    for role, to in (("incident_commander", "ann"), ("communications", "bob"), ("communications", "eve")):
        status, found = await receiver.ask("PUT", f"{ONE}/roles/{role}", {"by": "ann", "to": to})
        assert status == 200, found
    assert holders(found) == {"incident_commander": "ann", "communications": "eve"}
    _, report = await receiver.get(f"{ONE}/report")
    details = next(each for each in report["sections"] if each["name"] == "incident_details")
    assert details["parts"][0]["fields"]["roles"] == ["incident_commander: ann", "communications: eve"]
    status, found = await receiver.ask("PUT", f"{ONE}/roles/communications", {"by": "ann"})
    assert holders(found)["communications"] is None
    _, timeline = await receiver.get(f"{ONE}/timeline")
    told = [each["text"] for each in timeline["timeline"] if each["fact"].startswith("role")]
    assert told == [
        "ann is incident_commander now",
        "bob is communications now",
        "eve is communications now",
        "eve is communications no longer",
    ]


async def test_a_mild_incident_wants_no_commander(receiver: Running) -> None:
    """`from_level` is the lowest level that wants the role."""
    await declared(receiver, type="odd", level=2, new_type=True)
    _, found = await receiver.get(ONE)
    assert {each["name"]: each["wanted"] for each in found["roles"]} == {
        "incident_commander": False,
        "communications": True,
    }


@pytest.mark.parametrize(
    ("role", "to", "says"),
    [
        ("pilot", "ann", "the policy has no role pilot; it has incident_commander, communications"),
        ("communications", "", "nobody is communications"),
    ],
)
async def test_what_cannot_be_assigned_is_said(receiver: Running, role: str, to: str, says: str) -> None:
    """An unknown role, and giving up a role that has no holder, are refused with words."""
    await declared(receiver)
    status, problem = await receiver.ask("PUT", f"{ONE}/roles/{role}", {"by": "ann", "to": to})
    assert status == 409
    assert says in problem["detail"]


async def test_live_drills_are_recorded(receiver: Running) -> None:
    """Who took part, when and how long they took: of exercises only, in words and as data."""
    await declared(receiver)
    await declared(receiver, exercise=True)
    two = "/api/v1/incidents/2"
    await receiver.pass_time(4 * MINUTE)
    await receiver.post(f"{two}/acknowledge", {"by": "bob"})
    await receiver.ask("PUT", f"{two}/roles/incident_commander", {"by": "bob", "to": "eve"})
    await receiver.pass_time(6 * MINUTE)
    await receiver.post(f"{two}/resolve", {"by": "bob"})
    _, found = await receiver.get("/api/v1/drills")
    (drill,) = found["drills"]
    assert (drill["number"], drill["type"], drill["kept"]) == (2, "engine_failure", True)
    assert (drill["acknowledged_after"], drill["resolved_after"]) == (240, 600)
    assert (drill["people"], drill["roles"]) == (["ann", "bob", "eve"], {"incident_commander": "eve"})
    _, text = await receiver.get("/api/v1/drills?format=md")
    assert "ann, bob, eve (incident_commander)" in text.replace("\\_", "_")
    assert "4 minutes" in text
    _, none = await receiver.get("/api/v1/drills?period=1m")
    assert none == {"drills": [], "trained": []}


def test_how_often_is_the_policys(tmp_path: Path) -> None:
    """`drills: every` is read; a policy without it wants no drill."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("drills: {every: 90d}\n")
    assert load([Path(__file__).parents[1] / "policies" / "guide.md", policy]).drills_every == 90 * 24 * HOUR
    assert load().drills_every is None


async def test_who_is_trained_for_what(receiver: Running) -> None:
    """By type and role, from drills in which a person did something themselves, until the policy wants another."""
    engine = receiver.engine
    changed = replace(engine.current.policy, roles=ROLES, drills_every=Micros(90 * 24 * HOUR), people=(Person("zoe"),))
    await receiver.queue.run(engine.keep_policy, changed, receiver.clock.now)
    engine.adopt(changed, frozenset())
    await declared(receiver, exercise=True)
    one = "/api/v1/incidents/1"
    await receiver.post(f"{one}/acknowledge", {"by": "bob"})
    await receiver.ask("PUT", f"{one}/roles/incident_commander", {"by": "bob", "to": "bob"})
    await receiver.ask("PUT", f"{one}/roles/scribe", {"by": "bob", "to": "eve"})
    await receiver.post(f"{one}/resolve", {"by": "bob"})
    await receiver.pass_time(MINUTE)
    _, found = await receiver.get("/api/v1/drills")
    trained = [(each["person"], each["subject"], each["overdue"]) for each in found["trained"]]
    assert trained == [
        ("bob", "engine_failure", False),
        ("bob", "incident_commander", False),
    ], "ann only held it, eve was only named"
    receiver.clock.now += 91 * 24 * HOUR
    _, found = await receiver.get("/api/v1/drills")
    assert [each["overdue"] for each in found["trained"]] == [True] * 2
    _, text = await receiver.get("/api/v1/drills?format=md")
    rows = text.replace("\\_", "_").splitlines()
    assert any("bob" in row and "incident_commander" in row and "overdue since" in row for row in rows)
    assert any("zoe" in row and "nothing yet" in row for row in rows)
    assert any("engine_failure" in row and "nobody" in row for row in rows), "nobody is trained for it any more"


async def test_the_command_line_assigns_and_lists() -> None:
    """`assign`, `show` and `report --drills`, against a running receiver."""
    run, settings = CliRunner(), Settings.read({"TOCSIN_DATABASE": "sqlite://", "TOCSIN_LISTEN": "127.0.0.1:0"})
    async with Service(settings, [], replace(load(), roles=ROLES)) as service:

        async def tocsin(*words: str) -> str:
            result = await asyncio.to_thread(run.invoke, app, [*words, "--url", service.address])
            assert result.exit_code == 0, result.output
            return result.stdout

        assert "none" in await tocsin("report", "--drills")
        assert "EXERCISE #1" in await tocsin("drill", "--live", "--incident", "engine_failure")
        assert "incident commander: ann" in await tocsin("assign", "1", "incident_commander", "ann", "--by", "bob")
        assert "communications: nobody yet" in await tocsin("show", "1")
        listed = await tocsin("report", "--drills")
        assert "bob" in listed
        assert "ann" in listed


async def test_a_declared_incident_becomes_a_drill_script(receiver: Running) -> None:
    """No rule fired, so promtool has nothing to test; what people did is a script all the same."""
    await declared(receiver, exercise=True)
    await receiver.ask("PUT", f"{ONE}/roles/communications", {"by": "ann", "to": "bob"})
    _, found = await receiver.get(f"{ONE}/test")
    assert list(found["files"]) == ["incident_1.drill.yaml"]
    assert found["notes"] == ["NOT TESTED by promtool: a person declared it, no rule fired"]
    script = read(found["files"]["incident_1.drill.yaml"])
    relived = relive(World(replace(load(), roles=ROLES), now=script.began_at), script)
    assert not relived.fails
    assert relived.refused == ()
    assert relived.played is not None
    assert relived.played.incident.exercise
    assert relived.played.incident.response.roles == {"communications": "bob"}


@pytest.fixture
async def practised(receiver: Running) -> Running:
    """Bob has practised engine_failure and the lead of it; zoe of the policy nothing. Drills are wanted every 90 days."""
    engine = receiver.engine
    changed = replace(engine.current.policy, roles=ROLES, drills_every=Micros(90 * 24 * HOUR), people=(Person("zoe"),))
    await receiver.queue.run(engine.keep_policy, changed, receiver.clock.now)
    engine.adopt(changed, frozenset())
    await declared(receiver, exercise=True)
    await receiver.post(f"{ONE}/acknowledge", {"by": "bob"})
    await receiver.ask("PUT", f"{ONE}/roles/incident_commander", {"by": "bob", "to": "bob"})
    await receiver.post(f"{ONE}/resolve", {"by": "bob"})
    return receiver


async def test_the_console_shows_who_is_trained(practised: Running) -> None:
    """Who, for which type or role, the last drill, when another is due; who took part in none; untrained types."""
    _, text = await practised.get("/training")
    assert "1 overdue" in text, "zoe"
    assert 'href="/incidents/1">#1' in text
    assert "has taken part in no drill" in text
    assert "quality_control_failure" in text.partition("Nobody is trained for")[2]
    practised.clock.now += 91 * 24 * HOUR
    _, text = await practised.get("/training")
    assert "3 overdue" in text
    assert text.count("overdue since") == 2
    _, rows = await practised.get("/training.csv")
    assert rows.splitlines()[1].startswith("bob,type,engine_failure,2026-11-23T")
    assert rows.splitlines()[1].endswith(",yes")


async def test_the_report_of_a_period_has_the_training(practised: Running) -> None:
    """However long ago the drills were; a policy that wants none has no such section."""
    practised.clock.now += 91 * 24 * HOUR
    _, found = await practised.get("/api/v1/report?period=7d")
    [training] = [each for each in found["sections"] if each["name"] == "training"]
    overdue = training["parts"][0]["fields"]["overdue"]
    assert overdue[0].startswith("bob is overdue to practise engine_failure: the last drill was 2026-11-23")
    assert "zoe has taken part in no drill" in overdue
    assert "engine_failure" in overdue[-1], "nobody is trained for it any more"
    practised.engine.adopt(replace(practised.engine.current.policy, drills_every=None), frozenset())
    _, found = await practised.get("/api/v1/report?period=7d")
    assert "training" not in [each["name"] for each in found["sections"]]


async def test_check_asks_a_receiver_who_is_trained(tmp_path: Path) -> None:
    """What is overdue by the policy at hand is a warning; what could not be asked is said, and no policy fails by it."""
    run, settings = CliRunner(), Settings.read({"TOCSIN_DATABASE": "sqlite://", "TOCSIN_LISTEN": "127.0.0.1:0"})
    policy = tmp_path / "policy.yaml"
    policy.write_text("drills: {every: 1ms}\npeople: [{name: zoe, contacts: {email: zoe@company.com}}]\n")
    guide = Path(__file__).parents[1] / "policies" / "guide.md"

    async def tocsin(*words: str) -> str:
        result = await asyncio.to_thread(run.invoke, app, words)
        assert result.exit_code == 0, result.output
        return result.output

    check = ("check", str(guide), str(policy))
    assert "who has practised is not in the policy" in await tocsin(*check)
    assert "practised" not in await tocsin("check", str(guide)), "a policy that wants no drills"
    async with Service(settings, [], load()) as service:
        url = ("--url", service.address)
        await tocsin("drill", "--live", "--incident", "engine_failure", *url)
        await tocsin("acknowledge", "1", "--by", "bob", *url)
        told = await tocsin(*check, *url)
        assert "bob is overdue to practise engine_failure" in told
        assert "zoe has taken part in no drill" in told
        assert "nobody is trained for" in told
        found = json.loads(await tocsin(*check, *url, "--json"))["training"]
        assert (found["asked"], found["overdue"][0].split(":")[0]) == (
            True,
            "bob is overdue to practise engine_failure",
        )
    unanswered = await tocsin(*check, "--url", "http://127.0.0.1:9")
    assert "no answer from http://127.0.0.1:9" in unanswered
    assert "who has practised is not in the policy" in unanswered


async def test_a_past_incident_becomes_a_sheet_for_a_tabletop(practised: Running) -> None:
    """What happens stands apart from what was done, and no person is named."""
    await practised.ask(
        "PATCH", ONE, {"by": "bob", "facts": {"root_cause": "a worn bobbin, says bob", "lessons_learned": "look"}}
    )
    await practised.post(f"{ONE}/notes", {"by": "amy", "text": "bob hears the bobbin"})
    told = await asyncio.to_thread(CliRunner().invoke, app, ["drill", "--from-incident", "1", "--url", practised.url])
    assert told.exit_code == 0, told.output
    first, second = told.stdout.split("## Part 2")
    assert "declared" in first
    assert "What do you do first" in first
    assert "Activate engine failure procedures" in first
    assert "acknowledged" not in first.partition("Part 1")[2]
    assert "acknowledged" in second
    assert "a worn bobbin, says somebody" in second
    assert "somebody hears the bobbin" in second
    assert not re.search(r"\b(bob|amy)\b", told.stdout)


async def test_the_record_of_drills_reminds(practised: Running) -> None:
    """What is read from it reaches the core: whose training is overdue, and who of the policy has none."""
    records = Records(practised.store.reads(), MessageRenderer(), practised.engine)
    practised.engine.adopt(replace(practised.engine.current.policy, people=()), frozenset({"email"}))
    await report_practices(practised.queue, practised.engine, records)
    assert (await practised.get("/api/v1/incidents/2"))[0] == 404, "nothing is due yet"
    await practised.pass_time(91 * 24 * HOUR)
    await report_practices(practised.queue, practised.engine, records)
    await practised.pass_time(MINUTE)
    _, found = await practised.get("/api/v1/incidents/2/timeline")
    told = [each["text"] for each in found["timeline"]]
    assert told[:2] == ["whose training is due soon, or overdue: bob", "the training of bob is overdue"]
    _, text = await practised.get("/incidents/2")
    assert "Training that the policy wants" in text
    _, text = await practised.get("/")
    assert "Training that the policy wants" not in text, "nobody has to take it"
