"""What a real pair of Alertmanagers told of one emergency, replayed: somebody acknowledges whatever is open, at once.

How each story came about, and what is odd in it: tests/payloads/pair/README.md.
"""

from datetime import datetime

import orjson
import pytest

from receiver.core.model import Instant
from rules.policy import SECOND
from tests.web.conftest import PAYLOADS, Running

STORIES = {path.stem: path.read_bytes().splitlines() for path in sorted((PAYLOADS / "pair").glob("*.jsonl"))}
TWICE = "fast-echoes", "pause-0.25", "pause-0.33", "cut-off-0.25", "cut-off-0.33", "one-clears-0.25", "one-clears-0.33"
"""Stories in which it truly fires again, once. In "fast-cut-off" it does too, but that cannot be known: nobody is asked
here what the peers list, and it ends again before it would be believed."""
HELD = 60 * SECOND
"""A firing that may be an echo is believed after so long at the latest."""


@pytest.mark.parametrize("name", STORIES)
async def test_what_a_pair_told_is_believed_once(receiver: Running, name: str) -> None:
    """Each true re-fire takes the acknowledgement back, nothing else does; in the end nothing fires, and that is known."""
    await _live(receiver, STORIES[name])
    _, incident = await receiver.get("/api/v1/incidents/1")
    assert (incident["state"], incident["firing"]) == ("acknowledged", 0)
    assert incident["recovery"] in {"verifying", "confirm"}
    _, answer = await receiver.get("/api/v1/incidents/1/timeline")
    assert [entry["fact"] for entry in answer["timeline"]].count("ack_voided") == (name in TWICE)
    assert len((await receiver.get("/api/v1/incidents"))[1]["incidents"]) == 1


async def _live(receiver: Running, story: list[bytes]) -> None:
    for line in story:
        record = orjson.loads(line)
        at = Instant(round(datetime.fromisoformat(record["received_at"]).timestamp() * SECOND))
        await receiver.pass_time(at - receiver.clock.now)
        assert (await receiver.post("/webhook/alertmanager", orjson.dumps(record["body"])))[0] == 200
        await _acknowledge(receiver)
    await receiver.pass_time(HELD)
    await _acknowledge(receiver)


async def _acknowledge(receiver: Running) -> None:
    _, incident = await receiver.get("/api/v1/incidents/1")
    if incident["state"] == "open":
        assert (await receiver.post("/api/v1/incidents/1/acknowledge", {"by": "dana"}))[0] == 200
