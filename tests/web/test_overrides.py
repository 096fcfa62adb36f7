"""Who is on call, and overrides: by the API and from a shell, and in effect for the next page."""

from typing import Any

import pytest

from receiver.core.model import Instant
from receiver.messages.times import rfc3339
from rules.load import load_text
from rules.policy import HOUR, Policy
from tests.web.conftest import Running
from tests.web.test_responding_cli import tocsin

POLICY = """
incident_response:
  alert_channels:
    - {name: email, type: email, recipients: [team@example.org]}
    - {name: sms, type: sms, recipients: ["@primary"]}
people:
  - {name: dana, contacts: {sms: "+4917010000001"}}
  - {name: ben, contacts: {sms: "+4917010000002"}}
schedules:
  - name: primary
    time_zone: Europe/Berlin
    layers: [{people: [dana, ben], starts: "2026-01-05T09:00", every: 1w}]
"""


@pytest.fixture(scope="session")
def policy() -> Policy:
    """One schedule of two people."""
    return load_text(POLICY).policy


def after(receiver: Running, hours: float) -> str:
    """A time from now, as RFC 3339."""
    return rfc3339(Instant(receiver.clock.now + round(hours * HOUR)))


async def who(receiver: Running) -> list[str]:
    """Who is on call now."""
    _, found = await receiver.get("/api/v1/on-call")
    return [each["person"] for each in found["schedules"][0]["now"]]


async def take(receiver: Running, person: str, more: dict[str, Any] | None = None) -> tuple[int, Any]:
    """Puts a person on call for an hour."""
    said = {"schedule": "primary", "person": person, "ends": after(receiver, 1), "reason": "swap", "by": "ann"}
    status, found = await receiver.post("/api/v1/overrides", said | (more or {}))
    return status, found


async def test_who_is_on_call_until_when_and_who_is_next(receiver: Running) -> None:
    """The shift that holds now, in UTC, and the one after it."""
    _, found = await receiver.get("/api/v1/on-call")
    [schedule] = found["schedules"]
    [now] = schedule["now"]
    assert (schedule["name"], schedule["time_zone"], now["source"]) == ("primary", "Europe/Berlin", "layer 1")
    assert {now["person"], schedule["next"]["person"]} == {"dana", "ben"}
    assert now["ends"] == schedule["next"]["starts"]
    assert now["starts"] == "2026-11-16T08:00:00.000Z"
    assert now["ends"].endswith("T08:00:00.000Z")  # nine in Berlin, in winter


async def test_an_override_is_in_effect_at_once_and_until_it_is_cancelled(receiver: Running) -> None:
    """It is listed with who and why, it puts the person on call, and the page after it goes there; both are audited."""
    [usual] = await who(receiver)
    other = "ben" if usual == "dana" else "dana"
    status, found = await take(receiver, other)
    assert status == 201
    [made] = found["overrides"]
    assert (made["number"], made["person"], made["by"], made["reason"], made["void"]) == (1, other, "ann", "swap", "")
    assert await who(receiver) == [other]
    await receiver.post(
        "/api/v1/incidents", {"type": "safety_critical_failure", "by": "ann", "level": 4, "new_type": True}
    )
    _, told = await receiver.get("/api/v1/incidents/1/notifications")
    sms = next(each for each in told["notifications"] if each["channel"] == "sms")
    assert sms["person"] == other
    status, found = await receiver.post("/api/v1/overrides/1/cancel", {"by": "ann"})
    assert (status, found["overrides"]) == (200, [])
    assert await who(receiver) == [usual]
    actions = [entry.action for _, entry in receiver.store.newest_audits(3)]
    assert actions == ["cancel-override", "declare", "override"]


REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "an unknown schedule": ({"schedule": "secondary"}, 409, "the policy has no schedule 'secondary'; it has primary"),
    "an unknown person": ({"person": "eve"}, 409, "the policy has nobody named 'eve'; it has dana, ben"),
    "no time": ({"ends": "tomorrow"}, 409, '"tomorrow" is no time'),
    "in the past": ({"ends": "2020-01-01T09:00"}, 409, "and is over"),
    "backwards": ({"starts": "2099-01-02", "ends": "2099-01-01"}, 409, "before it begins"),
}


@pytest.mark.parametrize(("said", "status", "words"), REFUSED.values(), ids=REFUSED)
async def test_what_cannot_be_is_refused_in_words(
    receiver: Running, said: dict[str, Any], status: int, words: str
) -> None:
    """Nothing is kept, and the answer says what is wrong."""
    got, answer = await take(receiver, "ben", said)
    assert (got, words in str(answer)) == (status, True), answer
    assert (await receiver.get("/api/v1/overrides"))[1] == {"overrides": []}


async def test_overrides_from_a_shell(receiver: Running) -> None:
    """One is made, listed and cancelled by commands; a number that is none is said."""
    made = ("override", "primary", "--who", "ben", "--until", after(receiver, 2), "--reason", "dentist")
    code, said = await tocsin(receiver, *made)
    assert (code, "ben" in said, "dentist" in said) == (0, True, True), said
    assert ("CET" in said, "UTC" in said) == (True, True), "in the schedule's zone and in UTC"
    assert "dentist" in (await tocsin(receiver, "overrides"))[1]
    code, said = await tocsin(receiver, "overrides", "--cancel", "1")
    assert (code, "No override is in effect" in said) == (0, True), said
    assert (await tocsin(receiver, "overrides", "--cancel", "7"))[0] == 1
