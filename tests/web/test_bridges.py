"""A bridge that gives all its alerts one fingerprint: each is an alert of its own, and ends by its own end."""

from typing import Any

import pytest

from receiver.core.model import Instant
from receiver.core.shared_fingerprints import SHARED
from rules.policy import HOUR, MINUTE
from tests.web.conftest import Running
from tests.web.test_webhook import PATH, alert, body

A, B = ({"alertname": "DiskFull", "host": name, "severity": "critical"} for name in "ab")
C = {"alertname": "MemoryFull", "host": "a", "severity": "critical"}


def told(labels: dict[str, str], **changes: Any) -> dict[str, Any]:
    """One of the bridge's alerts."""
    return alert(labels=labels, fingerprint="constant", **changes)


async def post(receiver: Running, *alerts: dict[str, Any]) -> list[int]:
    """Send a body; the incidents concerned."""
    status, answer = await receiver.post(PATH, body(*alerts))
    assert status == 200, answer
    found: list[int] = answer["incidents"]
    return found


async def firing(receiver: Running, number: int = 1) -> set[tuple[str, str]]:
    """Name and host of what fires in an incident."""
    _, found = await receiver.get(f"/api/v1/incidents/{number}")
    return {
        (each["labels"]["alertname"], each["labels"]["host"]) for each in found["alerts"] if each["status"] == "firing"
    }


@pytest.mark.parametrize("together", [True, False], ids=["in one body", "one after the other"])
async def test_each_fires_and_ends_by_itself(receiver: Running, together: bool) -> None:
    """The second is not swallowed, the end of one is none of the other's, and repeats of either are repeats."""
    for bodies in ([A, B],) if together else ([A], [B], [A], [B]):
        assert await post(receiver, *map(told, bodies)) == [1]
    assert await firing(receiver) == {("DiskFull", "a"), ("DiskFull", "b")}
    _, found = await receiver.get("/api/v1/incidents/1")
    assert (found["firing"], sorted(len(each["repairs"]) for each in found["alerts"])) == (2, [0, 1])
    _, lines = await receiver.get("/api/v1/incidents/1/timeline")
    assert any(SHARED in each["text"] for each in lines["timeline"])
    await receiver.post("/api/v1/incidents/1/acknowledge", {"by": "ada"})
    receiver.clock.now = Instant(receiver.clock.now + HOUR)
    ended = {"status": "resolved", "endsAt": "2026-11-23T03:00:00Z"}
    await post(receiver, told(A, **ended))
    assert await firing(receiver) == {("DiskFull", "b")}
    assert (await receiver.get("/api/v1/incidents/1"))[1]["recovery"] == ""
    await post(receiver, told(B, **ended))
    assert await firing(receiver) == set()
    assert (await receiver.get("/api/v1/incidents/1"))[1]["recovery"] == "verifying"


async def test_in_two_incidents(receiver: Running) -> None:
    """Of two incidents each has its own, also after the first is closed: the other is still known by its labels."""
    one, other, two = ({**each, "severity": "warning"} for each in (A, B, C))  # level 2 closes by itself
    assert [await post(receiver, told(each)) for each in (one, two)] == [[1], [2]]
    receiver.clock.now = Instant(receiver.clock.now + HOUR)
    await post(receiver, told(one, status="resolved", endsAt="2026-11-23T03:00:00Z"))
    for _ in range(60):
        await receiver.pass_time(HOUR)
        await post(receiver, told(two))
    _, first = await receiver.get("/api/v1/incidents/1")
    assert first["state"] == "closed"
    assert await post(receiver, told(two)) == [2]
    assert await firing(receiver, 2) == {("MemoryFull", "a")}
    assert await post(receiver, told(other, startsAt="2026-11-25T12:00:00Z")) == [3]
    await post(receiver, told(two, status="resolved", endsAt="2026-11-25T12:30:00Z"))
    assert (await firing(receiver, 2), await firing(receiver, 3)) == (set(), {("DiskFull", "b")})


async def test_what_is_stored_keeps_its_name(receiver: Running) -> None:
    """An alert that is held under a sender's fingerprint goes on under it when its labels tell more, or are worse."""
    await post(receiver, told({"alertname": "DiskFull", "host": "a", "severity": "warning"}))
    await receiver.pass_time(MINUTE)
    await post(receiver, told({**A, "value": "97"}))
    _, found = await receiver.get("/api/v1/incidents/1")
    assert [(each["fingerprint"], each["level"]) for each in found["alerts"]] == [("constant", 3)]
    receiver.clock.now = Instant(receiver.clock.now + HOUR)
    await post(receiver, told({**A, "value": "3"}, status="resolved", endsAt="2026-11-23T03:00:00Z"))
    assert await firing(receiver) == set()
