"""Canaries: when they are sent, what their answers come to, and who hears that a channel is broken."""

import pytest
from msgspec.structs import replace

from receiver.core.canary import TYPE, Canary, is_due, judge, tell
from receiver.core.events import Delivered, Rejected, Retry
from receiver.core.model import Instant, Kind, State
from rules.policy import HOUR, MINUTE
from tests.core.alerts import START
from tests.core.world import World

DAY = 24 * HOUR
NOW = Instant(START)


def tried(minutes_ago: float, failures: int = 0) -> Canary:
    at = Instant(NOW - round(minutes_ago * MINUTE))
    return Canary(at, at, failures, at if failures else None)


@pytest.mark.parametrize(
    ("last", "due"),
    [
        pytest.param(None, True, id="none yet"),
        pytest.param(tried(24 * 60 - 1), False, id="not yet"),
        pytest.param(tried(24 * 60), True, id="a day"),
        pytest.param(tried(4, failures=1), False, id="failed just now"),
        pytest.param(tried(5, failures=1), True, id="failed: again soon"),
        pytest.param(tried(-60), True, id="by a clock that was ahead"),
    ],
)
def test_when_it_is_due(last: Canary | None, due: bool) -> None:
    """On its schedule, and soon again after a failure."""
    assert is_due(last, DAY, NOW) is due


def test_one_answer_that_is_no_delivery_is_a_failure() -> None:
    """It got through when it did to everybody; the first failure's time and the last success's are kept."""
    good = judge(None, [Delivered(), Delivered()], NOW)
    assert (good.delivered_at, good.failures) == (NOW, 0)
    later = Instant(NOW + MINUTE)
    bad = judge(good, [Delivered(), Retry("busy")], later)
    assert (bad.delivered_at, bad.failures, bad.failing_since, bad.detail) == (NOW, 1, later, "busy")
    worse = judge(bad, [Rejected("gone")], Instant(NOW + HOUR))
    assert (worse.failures, worse.failing_since, worse.is_broken) == (2, later, True)
    assert judge(None, [], NOW).failures == 1


def test_a_broken_channel_is_an_incident_that_pages_others_and_ends_when_it_is_whole() -> None:
    """One failure notifies no one; two open an incident on its level's channels; a canary that gets through ends it."""
    world = World(down=("email",))
    first = judge(None, [Retry("busy")], world.now)
    assert tell("email", None, first) is None
    world.advance(5)
    second = judge(first, [Retry("busy")], world.now)
    event = tell("email", first, second)
    assert event is not None
    world.decide(event)
    assert (world.incident.type, world.incident.level, world.incident.state) == (TYPE, 3, State.OPEN)
    assert {each.channel for each in world.delivered if each.kind is Kind.PAGE} - {"email"}
    before = world.incident
    world.decide(replace(event))
    assert replace(world.incident, heard_at=None, version=0) == replace(before, heard_at=None, version=0)
    world.advance(5)
    whole = judge(second, [Delivered()], world.now)
    event = tell("email", second, whole)
    assert event is not None
    world.decide(event)
    world.advance(30)
    assert world.incident.state is State.RESOLVED
    assert tell("email", whole, judge(whole, [Delivered()], world.now)) is None
