"""The API: what it shows and does, and what it answers when that is impossible."""

from collections.abc import Callable
from typing import Any

import pytest

from rules.policy import HOUR, MINUTE
from tests.web.conftest import Running, payload

ONE = "/api/v1/incidents/1"
FIELDS = {
    "id", "number", "type", "level", "level_name", "state", "title", "labels", "alerts", "opened_at",
    "acknowledged_at", "acknowledged_by", "resolved_at", "escalation", "response_due_at", "recurrences", "exercise",
}  # fmt: skip
MISSING = {"nobody": "99", "text": "abc", "a long number": "9" * 40, "an id": "0" * 32, "a quote": "'", "%2F": "a%2Fb"}
MISSING |= {"a NUL": "%00", "not UTF-8": "%ff", "an Arabic digit": "%D9%A1", "a minus": "-1", "two hashes": "%23%231"}


@pytest.fixture
async def open_incident(receiver: Running) -> Running:
    """A receiver with one open incident of level 3."""
    await receiver.send("single_firing")
    return receiver


async def test_incident(open_incident: Running) -> None:
    """An incident carries what DESIGN promises; its instants are RFC 3339 in UTC."""
    status, found = await open_incident.get(ONE)
    assert status == 200
    assert set(found) >= FIELDS
    assert (found["level"], found["level_name"], found["state"]) == (3, "critical", "open")
    assert (found["opened_at"], found["response_due_at"]) == ("2026-11-23T02:13:20.000Z", "2026-11-23T03:13:20.000Z")
    assert found["escalation"] == {"step": 0, "next_at": "2026-11-23T02:43:20.000Z"}
    assert (found["acknowledged_at"], found["acknowledged_by"], found["resolved_at"]) == (None, None, None)


async def test_names_of_an_incident(open_incident: Running) -> None:
    """An incident is found by its id, its number, and its number with the hash."""
    _, found = await open_incident.get(ONE)
    for name in (found["id"], "1", "%231"):
        assert (await open_incident.get(f"/api/v1/incidents/{name}")) == (200, found)


@pytest.mark.parametrize("name", MISSING.values(), ids=MISSING.keys())
async def test_no_such_incident(open_incident: Running, name: str) -> None:
    """A name of no incident is 404, for reading and for acting."""
    for path in ("", "/timeline", "/notifications", "/alerts"):
        assert (await open_incident.get(f"/api/v1/incidents/{name}{path}"))[0] == 404
    assert (await open_incident.post(f"/api/v1/incidents/{name}/acknowledge", {}))[0] == 404


FILTERS: dict[str, tuple[str, list[int]]] = {
    "all, the newest first": ("", [4, 3, 2, 1]),
    "a state": ("?state=acknowledged", [2]),
    "states": ("?state=open,acknowledged", [4, 3, 2, 1]),
    "a state nobody is in": ("?state=closed", []),
    "a level": ("?level=2", [2, 1]),
    "a type": ("?type=Nagging", [1]),
    "a word of the title": ("?search=error%20RATE", [3]),
    "a wildcard is no wildcard": ("?search=%25", [3]),
    "an underscore is none either": ("?search=_", []),
    "all at once": ("?state=open&level=3&type=HighErrorRate&search=rate&limit=1", [3]),
    "an empty filter is none": ("?state=&level=&type=&cursor=", [4, 3, 2, 1]),
}


@pytest.mark.parametrize(("query", "numbers"), FILTERS.values(), ids=FILTERS.keys())
async def test_filters(receiver: Running, query: str, numbers: list[int]) -> None:
    """The list shows what is asked for."""
    await receiver.send("repeat_1", "truncated_firing", "single_firing", "silenced_then_expired_firing")
    await receiver.post("/api/v1/incidents/2/acknowledge", {})
    _, answer = await receiver.get(f"/api/v1/incidents{query}")
    assert [incident["number"] for incident in answer["incidents"]] == numbers


async def test_paging(receiver: Running) -> None:
    """Pages follow each other without gap or repeat, although incidents open meanwhile."""
    for name in range(5):
        await receiver.post("/api/v1/incidents", {"type": f"type-{name}", "new_type": True})
    seen, cursor = [], ""
    while cursor is not None:
        _, answer = await receiver.get(f"/api/v1/incidents?limit=2&cursor={cursor}")
        seen += [incident["number"] for incident in answer["incidents"]]
        cursor = answer["next"]
        await receiver.post("/api/v1/incidents", {"type": "later", "new_type": True})
    assert seen == [5, 4, 3, 2, 1]


BAD_QUERIES = ["state=broken", "state=open,", "level=0", "level=5", "level=x", "limit=0", "limit=201", "limit=-1"]
BAD_QUERIES += ["cursor=x", "cursor=before-", "cursor=before--1", "cursor=before-" + "9" * 30, "colour=red"]


@pytest.mark.parametrize("query", BAD_QUERIES)
async def test_bad_queries(receiver: Running, query: str) -> None:
    """A wrong filter is 400 with words, never an empty or an unfiltered list."""
    status, answer = await receiver.get(f"/api/v1/incidents?{query}")
    assert (status, answer["status"]) == (400, 400)


async def test_acknowledge(open_incident: Running) -> None:
    """Acknowledging answers with the incident as it is now, and a hold is kept."""
    status, found = await open_incident.post(f"{ONE}/acknowledge", {"by": "ann", "note": "on it", "hold": "2h"})
    assert (status, found["state"], found["acknowledged_by"]) == (200, "acknowledged", "ann")
    assert found["acknowledgement_expires_at"] == "2026-11-23T04:13:20.000Z"
    assert found["escalation"]["next_at"] is None
    _, timeline = await open_incident.get(f"{ONE}/timeline")
    [said] = [entry for entry in timeline["timeline"] if entry["fact"] == "acknowledged"]
    assert (said["by"], said["data"]["note"]) == ("ann", "on it")


async def test_action_without_a_body(open_incident: Running) -> None:
    """An action needs no body: who acts is the caller."""
    status, found = await open_incident.post(f"{ONE}/acknowledge")
    assert (status, found["acknowledged_by"]) == (200, "local")


async def test_escalate(open_incident: Running) -> None:
    """Escalating by hand takes the next step at once."""
    status, found = await open_incident.post(f"{ONE}/escalate", {"note": "need help"})
    assert (status, found["escalation"]["step"], found["state"]) == (200, 1, "open")


async def test_ask_for_help_answer_and_give_back(open_incident: Running) -> None:
    """Asking keeps the owner; another answers; given back it is open. All of it is audited and stands in the history."""
    await open_incident.post(f"{ONE}/acknowledge", {"by": "amir"})
    status, found = await open_incident.post(f"{ONE}/escalate", {"by": "amir", "note": "two disks"})
    assert (status, found["state"], found["owner"], found["help_asked_by"]) == (200, "acknowledged", "amir", ["amir"])
    assert found["escalation"]["next_at"]
    status, found = await open_incident.post(f"{ONE}/withdraw", {"by": "zoe"})
    assert (status, found["detail"]) == (409, "amir asked for help: acknowledge the incident to answer")
    _, found = await open_incident.post(f"{ONE}/acknowledge", {"by": "ben"})
    assert (found["owner"], found["help_asked_by"]) == ("amir", [])
    await open_incident.post(f"{ONE}/escalate", {"by": "amir"})
    _, found = await open_incident.post(f"{ONE}/withdraw", {"by": "amir"})
    assert (found["owner"], found["help_asked_by"]) == ("amir", [])
    status, found = await open_incident.post(f"{ONE}/give-back", {"by": "amir", "state": "acknowledged"})
    assert (status, found["state"], found["owner"]) == (200, "open", None)
    assert [(each["deed"], each["by"]) for each in found["history"]] == [
        ("acknowledged", "amir"),
        ("asked_for_help", "amir"),
        ("answered", "ben"),
        ("asked_for_help", "amir"),
        ("withdrew", "amir"),
        ("given_back", "amir"),
    ]
    words = [entry.action for _, entry in open_incident.store.newest_audits(100)]
    assert {"escalate", "withdraw", "giveback"} <= set(words)


async def test_notes_and_updates(open_incident: Running) -> None:
    """Notes and updates stand in the timeline, by either name of their text."""
    for path, body in [("notes", {"text": "first"}), ("notes", {"note": "second"}), ("updates", {"note": "third"})]:
        assert (await open_incident.post(f"{ONE}/{path}", body))[0] == 200
    _, answer = await open_incident.get(f"{ONE}/timeline")
    said = [(entry["fact"], entry["data"]["text"]) for entry in answer["timeline"] if "text" in entry["data"]]
    assert said == [("noted", "first"), ("noted", "second"), ("updated", "third")]


async def test_change(open_incident: Running) -> None:
    """Facts are kept; the level changes with a reason."""
    facts = {"root_cause": "a full disk", "impact_description": "slow"}
    status, found = await open_incident.ask("PATCH", ONE, {"facts": facts})
    assert (status, found["facts"]) == (200, facts)
    status, found = await open_incident.ask("PATCH", ONE, {"level": 2, "reason": "one customer only"})
    assert (status, found["level"], found["level_name"], found["facts"]) == (200, 2, "warning", facts)


async def test_resolve_and_replan(receiver: Running) -> None:
    """A declared incident is resolved by a person; replanning one in use is no error."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure", "by": "ann"})
    assert (await receiver.post(f"{ONE}/replan", {"by": "ann"}))[0] == 200
    status, found = await receiver.post(f"{ONE}/resolve", {"by": "ann", "note": "false alarm"})
    assert (status, found["state"], found["resolved_by"]) == (200, "resolved", "ann")


async def test_declare(receiver: Running) -> None:
    """Declaring opens an incident of the type's level, marked as declared."""
    body = {"type": "engine_failure", "by": "ann", "note": "smoke", "labels": {"aircraft": "D-ABCD"}, "exercise": True}
    status, found = await receiver.post("/api/v1/incidents", body)
    assert (status, found["level"], found["declared"], found["exercise"]) == (201, 4, True, True)
    assert found["labels"] == {"aircraft": "D-ABCD"}


async def test_declare_once(receiver: Running) -> None:
    """The same Idempotency-Key declares one incident, however often it is sent; another key another."""
    key = {"Idempotency-Key": "one"}
    first = await receiver.post("/api/v1/incidents", {"type": "engine_failure"}, headers=key)
    assert await receiver.post("/api/v1/incidents", {"type": "engine_failure"}, headers=key) == first
    for number, headers in [(2, {"Idempotency-Key": "two"}), (3, {}), (4, {})]:
        _, found = await receiver.post("/api/v1/incidents", {"type": "engine_failure"}, headers=headers)
        assert found["number"] == number
    long = {"Idempotency-Key": "x" * 201}
    assert (await receiver.post("/api/v1/incidents", {"type": "engine_failure"}, headers=long))[0] == 400


REFUSED: dict[str, tuple[list[str], str, dict[str, Any], str, str]] = {
    "acknowledging what was acknowledged meanwhile": (
        ["acknowledge"], "acknowledge", {"state": "open"}, "acknowledged", "acknowledged by now, not open",
    ),
    "escalating what was acknowledged meanwhile": (
        ["acknowledge"], "escalate", {"state": "open"}, "acknowledged", "acknowledged by now",
    ),
    "resolving what fires": ([], "resolve", {}, "open", "1 of its alerts still fire"),
    "resolving by force without a reason": ([], "resolve", {"force": True}, "open", "needs a reason"),
    "acknowledging what is resolved": (["resolve"], "acknowledge", {}, "resolved", "resolved already"),
    "resolving what is resolved": (["resolve"], "resolve", {}, "resolved", "resolved already"),
    "a level without a reason": ([], "", {"level": 4}, "open", "needs a reason"),
    "a level of what is over": (["resolve"], "", {"level": 4, "reason": "x"}, "resolved", "cannot change"),
}  # fmt: skip


@pytest.mark.parametrize(("before", "action", "body", "state", "why"), REFUSED.values(), ids=REFUSED.keys())
async def test_refused(
    open_incident: Running, before: list[str], action: str, body: dict[str, Any], state: str, why: str
) -> None:
    """What cannot be done is 409 with the reason, the state that is true now, and the incident; nothing changes."""
    for each in before:
        await open_incident.post(f"{ONE}/{each}", {"force": True, "note": "x"} if each == "resolve" else {})
    _, found = await open_incident.get(ONE)
    method, path = ("POST", f"{ONE}/{action}") if action else ("PATCH", ONE)
    status, answer = await open_incident.ask(method, path, body)
    assert (status, answer["status"], answer["state"]) == (409, 409, state)
    assert why in answer["detail"]
    assert answer["incident"] == found
    assert (await open_incident.get(ONE))[1] == found


BAD_BODIES: dict[str, tuple[str, Any]] = {
    "no JSON": ("acknowledge", b"by=ann"),
    "a list": ("acknowledge", []),
    "null": ("acknowledge", b"null"),
    "an unknown key": ("acknowledge", {"who": "ann"}),
    "a state nobody knows": ("acknowledge", {"state": "broken"}),
    "a hold that is none": ("acknowledge", {"hold": "soon"}),
    "a negative hold": ("acknowledge", {"hold": "-2h"}),
    "a hold of a hundred years": ("acknowledge", {"hold": "100y"}),
    "a name of 201": ("acknowledge", {"by": "x" * 201}),
    "a number for a name": ("acknowledge", {"by": 5}),
    "a lone surrogate": ("notes", b'{"note": "\\ud800"}'),
    "not UTF-8": ("notes", b'{"note": "\xff"}'),
    "nothing said": ("notes", {}),
    "nothing but blanks": ("updates", {"note": " \0 "}),
    "too much said": ("notes", {"note": "x" * 8193}),
    "force that is neither": ("resolve", {"force": "perhaps"}),
    "deep nesting": ("notes", b'{"note":' + b"[" * 100_000),
}


@pytest.mark.parametrize(("action", "body"), BAD_BODIES.values(), ids=BAD_BODIES.keys())
async def test_bad_bodies(open_incident: Running, action: str, body: Any) -> None:
    """A body that is wrong is 400, with what is wrong where."""
    status, answer = await open_incident.post(f"{ONE}/{action}", body)
    assert (status, answer["status"]) == (400, 400)
    assert answer["errors"]
    assert (await open_incident.get(ONE))[1]["version"] == 1


async def test_large_body(open_incident: Running) -> None:
    """The API takes no body over 1 MiB."""
    assert (await open_incident.post(f"{ONE}/notes", b" " * ((1 << 20) + 1)))[0] == 413


async def test_an_unknown_type_is_asked_back(receiver: Running) -> None:
    """A declared type that the policy does not have is refused with the nearest name, unless it is said to be new."""
    status, answer = await receiver.post("/api/v1/incidents", {"type": "safty_critical_failure"})
    assert (status, "did you mean safety_critical_failure?" in answer["detail"]) == (409, True)
    status, found = await receiver.post("/api/v1/incidents", {"type": "coffee", "new_type": True})
    assert (status, found["type"], found["level"]) == (201, "coffee", 3)


BAD_DECLARATIONS = [{}, {"type": ""}, {"type": 5}, {"type": "x" * 201}, {"type": "a\0b"}, {"type": "<b>"}]
BAD_DECLARATIONS += [{"type": "x", "level": 0}, {"type": "x", "level": 5}, {"type": "x", "labels": {"a b": "c"}}]


@pytest.mark.parametrize("body", BAD_DECLARATIONS, ids=str)
async def test_bad_declarations(receiver: Running, body: dict[str, Any]) -> None:
    """A declaration that is wrong is 400 and opens nothing."""
    assert (await receiver.post("/api/v1/incidents", body))[0] == 400
    assert (await receiver.get("/api/v1/incidents"))[1]["incidents"] == []


async def test_policy(start: Callable[..., Any]) -> None:
    """The policy is shown: its version, its levels, its channels."""
    receiver = await start()
    _, answer = await receiver.get("/api/v1/policy")
    assert answer["digest"] == receiver.engine.current.digest
    assert [(level["level"], level["response_time"]) for level in answer["levels"]][-1] == (4, 900)
    assert "engine_failure" in answer["incident_types"]


async def test_notifications(open_incident: Running) -> None:
    """Who was told what on which channel is shown."""
    _, answer = await open_incident.get(f"{ONE}/notifications")
    assert {(each["channel"], each["kind"], each["status"]) for each in answer["notifications"]} == {
        (channel, "page", "waiting") for channel in ("email", "slack", "pagerduty")
    }


async def test_response_time_breached(open_incident: Running) -> None:
    """What time does shows: the step, the breach, the next step."""
    await open_incident.pass_time(HOUR + MINUTE)
    _, found = await open_incident.get(ONE)
    assert (found["escalation"]["step"], found["breached_at"]) == (2, "2026-11-23T03:14:20.000Z")
    assert found["escalation"]["next_at"] == "2026-11-23T03:43:20.000Z"


async def test_second_alert_shows(receiver: Running) -> None:
    """Firing alerts come first, and each says whether it fires."""
    await receiver.post("/webhook/alertmanager", payload("truncated_firing"))
    half = payload("truncated_status_lies").replace(
        b'"status":"resolved","labels":{"alertname":"ManyAlerts","instance":"h1"',
        b'"status":"firing","labels":{"alertname":"ManyAlerts","instance":"h1"',
    )
    await receiver.post("/webhook/alertmanager", half)
    _, found = await receiver.get(ONE)
    assert [alert["status"] for alert in found["alerts"]] == ["firing", "resolved"]
