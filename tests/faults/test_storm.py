"""Thousands of incidents within a minute: bundled, each named, nothing lost, and the other emergency first."""

import os
from collections import Counter, defaultdict

from receiver.core.model import Kind, Notification, Status
from receiver.core.rate_limit import BUNDLE_WAIT, STORM_LIMIT
from receiver.engine.commands import Delivery
from receiver.engine.engine import BUNDLE_LIMIT
from receiver.store import open_store
from rules.policy import MINUTE, SECOND
from tests.engine.world import EngineWorld, firing, messages

INCIDENTS = int(os.environ.get("TOCSIN_STORM", "2500"))
"""How many; the promise is TOCSIN_STORM=10000, which takes half a minute."""
BATCH = 500
"""What one transaction takes of them, as the command queue does."""


class Storm:
    """The engine under it, and a dispatcher that starts 32 incidents' messages a second and each bundle when it is due."""

    def __init__(self) -> None:
        self.store = open_store("sqlite://")
        self.world = EngineWorld(self.store)
        self.sent: dict[str, list[Delivery]] = defaultdict(list)

    def send(self, at: int) -> list[Notification]:
        """One look of the dispatcher; everything it starts is delivered."""
        claimed = self.world.claim(at)
        for each in claimed:
            self.sent[each.items[0][0].channel].append(each)
        self.world.report(messages(claimed), at=at)
        return messages(claimed)

    def told(self, channel: str) -> Counter[str]:
        """How often each incident's page went out there."""
        pages = (each for delivery in self.sent[channel] for each, _ in delivery.items if each.kind is Kind.PAGE)
        return Counter(each.incident_id for each in pages)


def test_a_storm_tells_everybody_of_everything() -> None:
    """Everybody is told of all of them in a few dozen messages, and an emergency of another kind goes out at once."""
    storm = Storm()
    opened: list[str] = []
    steps = range(0, INCIDENTS, BATCH)
    for number, first in enumerate(steps):
        at = number * MINUTE // len(steps)
        flood = [firing(f"flood-{each}") for each in range(first, min(first + BATCH, INCIDENTS))]
        opened += [each.incident.id for each in storm.world.handle(*flood, at=at) if each.incident]
        if number == len(steps) // 2:
            emergency = storm.world.fire("other", level=4, at=at)
            first_out = storm.send(at)
            pages = [each for each in first_out if each.incident_id == emergency.id]
            assert {each.channel for each in pages} == set(storm.world.engine.current.level_channels[3])
            assert first_out[: len(pages)] == pages, "before anything of the flood"
        storm.send(at)
    assert len(set(opened)) == INCIDENTS
    at = MINUTE
    while storm.world.reads.figures(at).waiting:
        at += SECOND
        storm.send(at)
    assert at <= MINUTE + BUNDLE_WAIT + INCIDENTS // BUNDLE_LIMIT * SECOND
    for channel in ("email", "slack"):
        told = storm.told(channel)
        assert {each: told[each] for each in opened} == dict.fromkeys(opened, 1), "each once"
        bundles = INCIDENTS // BUNDLE_LIMIT + MINUTE // BUNDLE_WAIT + 2
        assert len(storm.sent[channel]) <= 3 * STORM_LIMIT.count + bundles + 1
    fates = {each.status for one in opened[::97] for each in storm.world.reads.notifications(one)}
    assert fates == {Status.ACCEPTED}
    storm.store.close()
