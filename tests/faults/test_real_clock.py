"""A clock that jumps: time goes on, never back; early beats late, and every window fires once."""

from receiver.clock import Clock, steady_clock
from receiver.core.events import AlertsReceived
from receiver.core.model import Fact, Instant
from receiver.engine import Engine
from receiver.store import open_store
from rules.policy import HOUR, MINUTE, SECOND
from tests.core.alerts import KEY, START, alert
from tests.core.guide import ALL, POLICY


class Reference:
    """A wall clock that somebody sets."""

    def __init__(self) -> None:
        self.ahead = START - steady_clock()

    def __call__(self) -> Instant:
        return Instant(steady_clock() + self.ahead)


def test_a_clock_set_back_puts_nothing_off() -> None:
    """An hour back: the receiver's time goes on as it was, and the difference is said."""
    reference = Reference()
    clock = Clock(reference)
    before = clock()
    reference.ahead -= HOUR
    clock.adjust()
    assert clock() >= before
    assert abs(clock.skew - HOUR) < SECOND


def test_a_clock_set_forward_is_followed() -> None:
    """An hour forward: what is due by the new time is due; set right again, time waits for nobody."""
    reference = Reference()
    clock = Clock(reference)
    reference.ahead += HOUR
    clock.adjust()
    assert abs(clock() - reference()) < SECOND
    assert clock.skew == 0
    reference.ahead -= HOUR
    clock.adjust()
    assert abs(clock.skew - HOUR) < SECOND


def test_each_window_fires_once_however_the_clock_jumps() -> None:
    """Two hours forward and back again: the steps that were due fire or are missed, and none of them twice."""
    reference = Reference()
    clock = Clock(reference)
    store = open_store("sqlite://")
    engine = Engine(store, POLICY, ALL, clock())
    (result,) = engine.handle([AlertsReceived(KEY, "", (alert(level=3, starts_at=START),))], clock())
    assert result.incident is not None
    for jump in (40 * MINUTE, -40 * MINUTE, 2 * HOUR, -2 * HOUR):
        reference.ahead += jump
        clock.adjust()
        engine.fire_due(clock())
        engine.fire_due(clock())
    entries = store.reads().timeline(result.incident.id)
    facts = [entry.fact for entry in entries]
    assert facts.count(Fact.ESCALATED) == 1
    assert facts.count(Fact.BREACHED) == 1
    assert [each.at for each in entries] == sorted(each.at for each in entries)
    store.close()
