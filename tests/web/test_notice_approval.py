"""The API that tells the outside world: held notices with approval, and follow-up actions."""

from collections.abc import Callable
from typing import Any

import pytest

from rules.policy import HOUR
from tests.web.conftest import Running

ONE = "/api/v1/incidents/1"
TOKENS = "rita:responder:rrr,cleo:approver:ccc"
RESPONDER, APPROVER = ({"Authorization": f"Bearer {token}"} for token in ("rrr", "ccc"))


@pytest.fixture
async def acknowledged(start: Callable[..., Any]) -> Running:
    """A receiver with tokens and an acknowledged emergency."""
    receiver: Running = await start(TOCSIN_API_TOKENS=TOKENS)
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"}, headers=RESPONDER)
    await receiver.post(f"{ONE}/acknowledge", {}, headers=RESPONDER)
    return receiver


async def held(receiver: Running) -> dict[str, Any]:
    """The last notice."""
    _, found = await receiver.get(f"{ONE}/notices", headers=RESPONDER)
    notice: dict[str, Any] = found["notices"][-1]
    return notice


async def edited(receiver: Running) -> dict[str, Any]:
    """The last notice, after a responder gave it a contact."""
    known = await held(receiver)
    text = known["text"].replace("Contact: not yet known", "Contact: status@company.com")
    said = {"hash": known["hash"], "subject": known["subject"], "text": text}
    status, found = await receiver.ask("PUT", f"{ONE}/notices/{known['id']}", said, headers=RESPONDER)
    assert status == 200, found
    notice: dict[str, Any] = found["notices"][-1]
    return notice


async def test_a_held_notice_shows_its_text(acknowledged: Running) -> None:
    """It is the policy's template, filled, with whom it would reach, and reads the same a while later."""
    notice = await held(acknowledged)
    assert (notice["standing"], notice["subject"]) == ("held", "INCIDENT ALERT: emergency - engine_failure")
    assert "- Incident acknowledged" in notice["text"]
    assert notice["recipients"] == ["customers@company.com", "partners@company.com", "regulators@company.com"]
    acknowledged.clock.now += 3 * HOUR // 60
    assert await held(acknowledged) == notice


async def test_an_approval_sends_what_was_read(acknowledged: Running) -> None:
    """With the text's hash it goes out, by whom and when is kept, and nothing else can be sent by it."""
    notice = await edited(acknowledged)
    path = f"{ONE}/notices/{notice['id']}/approve"
    status, found = await acknowledged.post(path, {"hash": notice["hash"]}, headers=APPROVER)
    sent = found["notices"][0]
    assert (status, sent["standing"], sent["decided_by"], sent["text"]) == (200, "sent", "cleo", notice["text"])
    _, messages = await acknowledged.get(f"{ONE}/notifications", headers=RESPONDER)
    external = [each["recipient"] for each in messages["notifications"] if each["kind"] == "external"]
    assert external == notice["recipients"]
    _, found = await acknowledged.get(f"{ONE}/checklists", headers=RESPONDER)
    assert "Call " not in str(found), "nobody can call an e-mail address"
    assert (await acknowledged.post(path, {"hash": notice["hash"]}, headers=APPROVER))[0] == 409


async def test_an_approval_names_whom(acknowledged: Running) -> None:
    """Only those get it, and a stranger is refused; the updates after it are meant for the same."""
    notice = await edited(acknowledged)
    assert (notice["choices"], notice["only_to"]) == (notice["recipients"], [])
    path = f"{ONE}/notices/{notice['id']}/approve"
    said = {"hash": notice["hash"], "recipients": ["eve@example.org"]}
    status, answer = await acknowledged.post(path, said, headers=APPROVER)
    assert (status, "has no eve@example.org" in answer["detail"]) == (409, True)
    said = {"hash": notice["hash"], "recipients": ["partners@company.com"]}
    status, found = await acknowledged.post(path, said, headers=APPROVER)
    assert (status, found["notices"][0]["only_to"]) == (200, ["partners@company.com"])
    _, messages = await acknowledged.get(f"{ONE}/notifications", headers=RESPONDER)
    external = [each["recipient"] for each in messages["notifications"] if each["kind"] == "external"]
    assert external == ["partners@company.com"]
    await acknowledged.post(f"{ONE}/updates", {"text": "better"}, headers=RESPONDER)
    draft = await held(acknowledged)
    assert (draft["moment"], draft["standing"], draft["only_to"]) == ("updated", "held", ["partners@company.com"])
    assert (draft["due_at"] is not None, "Next update by" in draft["text"]) == (True, True)


async def test_a_contact_that_is_none_is_not_sent(acknowledged: Running) -> None:
    """The policy names no contact, and the owner's name is none: the notice says why it waits, and is not sent."""
    notice = await held(acknowledged)
    assert "rita" not in notice["text"]
    [problem] = notice["problems"]
    assert "contact_information" in problem
    path = f"{ONE}/notices/{notice['id']}/approve"
    status, answer = await acknowledged.post(path, {"hash": notice["hash"]}, headers=APPROVER)
    assert (status, problem in answer["detail"]) == (409, True)
    assert (await held(acknowledged))["standing"] == "held"


async def test_its_time_is_that_of_the_event(start: Callable[..., Any]) -> None:
    """Acknowledged an hour after it began, it tells when it began."""
    receiver: Running = await start(TOCSIN_API_TOKENS=TOKENS)
    await receiver.post("/api/v1/incidents", {"type": "communication_failure", "level": 3}, headers=RESPONDER)
    began = f"{receiver.clock.now // 1_000_000}"
    await receiver.pass_time(HOUR // 2)
    await receiver.post(f"{ONE}/acknowledge", {}, headers=RESPONDER)
    _, incident = await receiver.get(ONE, headers=RESPONDER)
    stamp = incident["opened_at"][:16].replace("T", " ")
    assert began
    assert f"- Time: {stamp} UTC" in (await held(receiver))["text"]


async def test_an_edit_is_kept_beside_what_was_proposed(acknowledged: Running) -> None:
    """A responder writes, an approver approves; both texts, who and when stand in the API, the report and on the page."""
    before = await held(acknowledged)
    notice = await edited(acknowledged)
    assert (notice["edited_by"], notice["problems"]) == ("rita", [])
    assert (notice["proposed_text"], notice["text"] != before["text"]) == (before["text"], True)
    said = {"hash": before["hash"], "subject": "x", "text": "y"}
    assert (await acknowledged.ask("PUT", f"{ONE}/notices/n1", said, headers=RESPONDER))[0] == 409
    await acknowledged.post(f"{ONE}/notices/n1/approve", {"hash": notice["hash"]}, headers=APPROVER)
    sent = await held(acknowledged)
    assert (sent["edited_by"], sent["decided_by"], sent["text"]) == ("rita", "cleo", notice["text"])
    _, report = await acknowledged.get(f"{ONE}/report", headers=RESPONDER)
    told = str(report)
    assert all(each in told for each in ("status@company.com", "Contact: not yet known", "proposed by the template"))


async def test_another_text_needs_another_approval(acknowledged: Running) -> None:
    """What changed since it was read is refused, and can be approved once it was read again."""
    old = await held(acknowledged)
    await acknowledged.ask("PATCH", ONE, {"facts": {"impact_description": "one engine"}}, headers=RESPONDER)
    path = f"{ONE}/notices/{old['id']}/approve"
    status, answer = await acknowledged.post(path, {"hash": old["hash"]}, headers=APPROVER)
    assert (status, "read it again" in answer["detail"]) == (409, True)
    new = await held(acknowledged)
    assert "one engine" in new["text"]
    new = await edited(acknowledged)
    assert (await acknowledged.post(path, {"hash": new["hash"]}, headers=APPROVER))[0] == 200


async def test_only_an_approver_decides(acknowledged: Running) -> None:
    """A responder may read, neither approve nor reject; an approver may reject."""
    notice = await held(acknowledged)
    path = f"{ONE}/notices/{notice['id']}"
    assert (await acknowledged.post(f"{path}/approve", {"hash": notice["hash"]}, headers=RESPONDER))[0] == 403
    assert (await acknowledged.post(f"{path}/reject", {}, headers=RESPONDER))[0] == 403
    status, found = await acknowledged.post(f"{path}/reject", {"note": "no customer is hit"}, headers=APPROVER)
    assert (status, found["notices"][0]["standing"], found["notices"][0]["text"]) == (200, "rejected", "")


@pytest.mark.parametrize(
    ("path", "said", "status"),
    [
        ("n9/approve", {"hash": "0" * 64}, 404),
        ("n1/approve", {"hash": "x"}, 400),
        ("n1/approve", {}, 400),
        ("n9/reject", {}, 409),
    ],
)
async def test_wrong_decisions(acknowledged: Running, path: str, said: dict[str, str], status: int) -> None:
    """What is not there or not named is refused."""
    assert (await acknowledged.post(f"{ONE}/notices/{path}", said, headers=APPROVER))[0] == status


async def test_follow_ups(receiver: Running) -> None:
    """Written down with owner and date, done with who and when."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    said = {"text": "Inspect the other engine", "owner": "ben", "due": "2026-12-01T12:00:00+01:00", "by": "ada"}
    status, found = await receiver.post(f"{ONE}/follow-ups", said)
    [action] = found["follow_ups"]
    assert (status, action["owner"], action["due_at"]) == (201, "ben", "2026-12-01T11:00:00.000Z")
    _, found = await receiver.post(f"{ONE}/follow-ups/f1/done", {"by": "ben"})
    assert (found["follow_ups"][0]["done_by"], found["follow_ups"][0]["done_at"]) == ("ben", "2026-11-23T02:13:20.000Z")
    assert (await receiver.get(f"{ONE}/follow-ups"))[1] == found
    for wrong in ({"text": " "}, {"text": "x", "due": "tomorrow"}, {"text": "x", "due": "2026-12-01T12:00:00"}):
        assert (await receiver.post(f"{ONE}/follow-ups", wrong))[0] == 400
    assert (await receiver.post(f"{ONE}/follow-ups/f2/done", {}))[0] == 409
