"""The API for working on an incident: checklists."""

import pytest

from tests.web.conftest import Running

ONE = "/api/v1/incidents/1"


@pytest.fixture
async def declared(receiver: Running) -> Running:
    """A receiver with one declared engine failure."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    return receiver


async def test_checklists(declared: Running) -> None:
    """The checklists of the moment, nearest to the type first, and which step is next."""
    status, found = await declared.get(f"{ONE}/checklists")
    assert status == 200
    keys = [each["key"] for each in found["checklists"]]
    assert keys[:3] == ["immediate_actions", "aviation_emergency_response", "safety_emergency_response"]
    assert found["next_step"]["id"] == "immediate_actions.1"
    assert found["next_step"]["text"] == "Activate engine failure procedures"


async def test_ticking(declared: Running) -> None:
    """A ticked step says who, when, and with which evidence; taken back, it is to do again."""
    said = {"by": "ada", "note": "both engines", "link": "https://wiki.example.org/7"}
    status, found = await declared.ask("PUT", f"{ONE}/steps/immediate_actions.1", said)
    step = found["checklists"][0]["steps"][0]
    assert (status, step["done"], step["done_by"], step["done_at"]) == (200, True, "ada", "2026-11-23T02:13:20.000Z")
    assert (step["note"], step["link"]) == ("both engines", "https://wiki.example.org/7")
    assert found["next_step"]["id"] == "immediate_actions.2"
    _, found = await declared.ask("PUT", f"{ONE}/steps/immediate_actions.1", {"done": False})
    assert found["next_step"]["id"] == "immediate_actions.1"
    _, timeline = await declared.get(f"{ONE}/timeline")
    assert [entry["text"] for entry in timeline["timeline"]][-2:] == [
        "done: Activate engine failure procedures (both engines; https://wiki.example.org/7)",
        "not done after all: Activate engine failure procedures",
    ]


WRONG = {
    "a step that is not there": ("immediate_actions.9", {}, 409),
    "no step at all": ("%20", {}, 409),
    "a link that runs something": ("immediate_actions.1", {"link": "javascript:alert(1)"}, 400),
    "a slip of the pen": ("immediate_actions.1", {"dnoe": True}, 400),
}


@pytest.mark.parametrize(("step", "said", "status"), WRONG.values(), ids=WRONG)
async def test_wrong_ticks(declared: Running, step: str, said: dict[str, object], status: int) -> None:
    """What cannot be ticked is refused with words, and nothing changes."""
    before = (await declared.get(f"{ONE}/checklists"))[1]
    answered, _ = await declared.ask("PUT", f"{ONE}/steps/{step}", said)
    assert answered == status
    assert (await declared.get(f"{ONE}/checklists"))[1] == before


async def test_handover(declared: Running) -> None:
    """A handover names another owner, any name in a policy without people; an unacknowledged incident is refused."""
    status, answer = await declared.post(f"{ONE}/handover", {"to": "ben"})
    assert (status, answer["state"]) == (409, "open")
    await declared.post(f"{ONE}/acknowledge", {"by": "ada"})
    status, found = await declared.post(f"{ONE}/handover", {"by": "ada", "to": "ben", "note": "shift ends"})
    assert (status, found["owner"], found["acknowledged_by"]) == (200, "ben", "ada")
    assert (await declared.post(f"{ONE}/handover", {"to": " "}))[0] == 400


async def test_assessment(declared: Running) -> None:
    """An assessed level or impact is kept with its time; until then there is none."""
    assert (await declared.get(ONE))[1]["assessed_at"] is None
    _, found = await declared.ask("PATCH", ONE, {"facts": {"impact_description": "one line stands"}})
    assert found["assessed_at"] == "2026-11-23T02:13:20.000Z"


async def test_impact(declared: Running) -> None:
    """A number is graded on the scale of its name, raises the level, and is shown with the policy's words."""
    await declared.post("/api/v1/incidents", {"type": "something", "level": 2, "new_type": True})
    two = "/api/v1/incidents/2"
    assert (await declared.get(two))[1]["impact"] == {"grade": None, "scales": []}
    status, found = await declared.ask("PATCH", two, {"facts": {"revenue_impact": 0.3}})
    assert (status, found["level"], found["impact"]["grade"]) == (200, 3, "high")
    means = {"scale": "revenue_impact", "grade": "high", "said": "0.3", "means": "20-50% revenue impact"}
    assert found["impact"]["scales"] == [means]
    _, timeline = await declared.get(f"{two}/timeline")
    assert "revenue_impact is high by 0.3: 20-50% revenue impact (calls for level 3 at least)" in [
        entry["text"] for entry in timeline["timeline"]
    ]


async def test_choices(receiver: Running) -> None:
    """The policy's scales are offered with their words, which are taken as they stand."""
    _, policy = await receiver.get("/api/v1/policy")
    [scale] = [each for each in policy["impact_scales"] if each["name"] == "customer_impact"]
    await receiver.post("/api/v1/incidents", {"type": "something", "new_type": True})
    _, found = await receiver.ask("PATCH", ONE, {"facts": {"customer_impact": scale["choices"]["critical"]}})
    assert found["impact"]["grade"] == "critical"


async def test_levels_say_what_they_mean(receiver: Running) -> None:
    """The policy's prose is there for pages and programs: description, impact, examples of each level."""
    _, policy = await receiver.get("/api/v1/policy")
    emergency = policy["levels"][-1]
    assert emergency["description"] == "Critical issues that may cause safety or business failure"
    assert emergency["impact"] == "Severe impact on safety or business operations"
    assert "data breaches" in [example.lower() for example in emergency["examples"]]
    assert policy["disabled_sections"] == []
