"""What a real pair of Alertmanagers told of one emergency, replayed; open incidents are acknowledged at once.

How each story came about, and what is odd in it: tests/payloads/pair/README.md.
"""

from datetime import datetime
from typing import Any

import orjson
import pytest

from bench.night import POLICY
from receiver.core.events import EchoesListed
from receiver.core.model import Instant
from rules.load import load
from rules.policy import SECOND, Policy
from rules.reserved import MARK
from tests.web.conftest import PAYLOADS, Running

STORIES = {
    path.stem: [orjson.loads(line) for line in path.read_bytes().splitlines()]
    for path in sorted((PAYLOADS / "pair").glob("*.jsonl"))
}
REFIRES = {
    **dict.fromkeys(("fast-echoes", "pause-0.25", "pause-0.33", "cut-off-0.25", "cut-off-0.33"), 1),
    "fail-through-0.25": 2,
}
"""How often it truly fires again. In "fast-cut-off" it does too, but the receiver cannot know: the peers' lists are not
asked here, and it ends again before it would be believed.
"""
FLAPS = "one-clears-0.25", "one-clears-0.33"
"""Stories in which Alertmanager itself says each minute that it is over and that it fires, because two Prometheus
disagree, for a quarter of an hour. It fires all the time; that is found out once (docs/decisions/0014)."""
HELD = 60 * SECOND
"""A firing that may be an echo is believed after so long at the latest."""


@pytest.fixture(scope="session")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    """That of the stories: its rule is ours, and its route's pace is known."""
    path = tmp_path_factory.mktemp("policy") / "policy.yaml"
    path.write_text(POLICY.format(resolve_after="5m"))
    return load([path])


@pytest.mark.parametrize("name", STORIES)
async def test_what_a_pair_told_is_believed_once(receiver: Running, name: str) -> None:
    """Each true re-fire takes the acknowledgement back, nothing else does; in the end nothing fires, and that is known."""
    for record in STORIES[name]:
        await _hear(receiver, record)
    await receiver.pass_time(HELD)
    await _acknowledge(receiver)
    _, incident = await receiver.get("/api/v1/incidents/1")
    assert (incident["state"], incident["firing"]) == ("acknowledged", 0)
    assert incident["recovery"] in {"verifying", "confirm"}
    _, answer = await receiver.get("/api/v1/incidents/1/timeline")
    voided = [entry["fact"] for entry in answer["timeline"]].count("ack_voided")
    assert voided == (1 if name in FLAPS else REFIRES.get(name, 0))
    assert len((await receiver.get("/api/v1/incidents"))[1]["incidents"]) == 1


@pytest.mark.parametrize("name", FLAPS)
async def test_what_alertmanager_lists_is_ended_by_no_end_that_was_told_before(receiver: Running, name: str) -> None:
    """Asked, Alertmanager lists what is held: from then on it fires until an end is told that was not told before."""
    ends: list[str] = []
    for record in STORIES[name]:
        await _hear(receiver, record)
        held = receiver.store.reads().held_alerts()
        if held:
            await receiver.queue.handle([EchoesListed(each.key, frozenset({each.alert.fingerprint})) for each in held])
        (alert,) = record["body"]["alerts"]
        if alert["status"] == "resolved" and alert["endsAt"] in ends[:1]:
            assert (await receiver.get("/api/v1/incidents/1"))[1]["firing"] == 1
        ends += [alert["endsAt"]] * (alert["status"] == "resolved")
        await _acknowledge(receiver)
    assert len(set(ends)) < len(ends), "the story has no such end"
    _, answer = await receiver.get("/api/v1/incidents/1/timeline")
    voided = [entry["fact"] for entry in answer["timeline"]].count("ack_voided")
    assert 0 < voided <= 2, "once, and once more for an echo that was asked about in vain here"


async def _hear(receiver: Running, record: dict[str, Any]) -> None:
    at = Instant(round(datetime.fromisoformat(record["received_at"]).timestamp() * SECOND))
    await receiver.pass_time(at - receiver.clock.now)
    for alert in record["body"]["alerts"]:
        alert["annotations"][MARK] = "1"  # recorded before rules were marked
    assert (await receiver.post("/webhook/alertmanager", record["body"]))[0] == 200
    await _acknowledge(receiver)


async def _acknowledge(receiver: Running) -> None:
    _, incident = await receiver.get("/api/v1/incidents/1")
    if incident["state"] == "open":
        assert (await receiver.post("/api/v1/incidents/1/acknowledge", {"by": "dana"}))[0] == 200
