"""A clock that jumps: time goes on, never back; early beats late, and every window fires once."""

from receiver.clock import ALLOWED, Clock, Verdict
from receiver.core.events import AlertsReceived
from receiver.core.model import Fact, Instant
from receiver.engine import Engine
from receiver.store import open_store
from rules.policy import HOUR, MINUTE, SECOND
from tests.core.alerts import KEY, START, alert
from tests.core.guide import ALL, POLICY


class Reference:
    """A wall clock that somebody sets, and a steady clock that the test moves."""

    def __init__(self) -> None:
        self.steadily, self.ahead = 5 * HOUR, 0

    def __call__(self) -> Instant:
        return Instant(START + self.steadily + self.ahead)

    def steady(self) -> int:
        """Microseconds that only grow."""
        return self.steadily

    def clock(self) -> Clock:
        """The receiver's time by both."""
        return Clock(self, self.steady)

    def look(self, clock: Clock, times: int = 1) -> Verdict:
        """So many comparisons, half a minute apart; what the last came to."""
        for _ in range(times):
            self.steadily += 30 * SECOND
            verdict = clock.adjust()
        return verdict


def test_a_jump_that_comes_back_changes_nothing() -> None:
    """An hour ahead and back again before the second look: time was right all along, and the jump is counted."""
    reference = Reference()
    clock = reference.clock()
    for ahead in (HOUR, -HOUR, 90 * SECOND):
        reference.ahead = ahead
        assert reference.look(clock) is Verdict.DOUBTED
        assert clock.skew == ahead
        reference.ahead = 0
        assert reference.look(clock) is Verdict.AGREED
        assert (clock(), clock.skew) == (reference(), 0)
    assert clock.jumps == 3


def test_a_clock_set_forward_is_followed_when_it_stays() -> None:
    """An hour forward, and still so at the second look: what is due by the new time is due."""
    reference = Reference()
    clock = reference.clock()
    reference.ahead = HOUR
    assert reference.look(clock) is Verdict.DOUBTED
    assert clock() == reference() - HOUR
    assert reference.look(clock) is Verdict.FOLLOWED
    assert clock() == reference()
    assert reference.look(clock) is Verdict.AGREED
    assert (clock.skew, clock.jumps) == (0, 1)


def test_two_different_answers_are_no_second_one() -> None:
    """A clock that says something else each time is not followed."""
    reference = Reference()
    clock = reference.clock()
    for ahead in (HOUR, 2 * HOUR, HOUR, -HOUR, 3 * HOUR):
        reference.ahead = ahead
        assert reference.look(clock) is Verdict.DOUBTED
    assert clock() == START + reference.steadily


def test_a_clock_set_back_puts_nothing_off_and_is_found_again() -> None:
    """An hour back: time goes on, slower by a twentieth at most, until both agree; no restart is needed."""
    reference = Reference()
    clock = reference.clock()
    reference.ahead = -HOUR
    before, began = clock(), reference.steadily
    while reference.look(clock) is not Verdict.AGREED:
        now, passed = clock(), reference.steadily - began
        assert now >= before
        assert now - START >= 5 * HOUR + passed - passed // 20
        before = now
    assert abs(clock() - reference()) <= ALLOWED
    assert passed <= 21 * HOUR
    assert clock.jumps == 1


def test_small_differences_are_followed_at_once() -> None:
    """Within the allowed second, ahead or behind, without a word; and time does not go back."""
    reference = Reference()
    clock = reference.clock()
    for ahead in (SECOND, SECOND // 2, 0, -SECOND, -SECOND // 3):
        reference.ahead = ahead
        before = clock()
        assert reference.look(clock) is Verdict.AGREED
        assert before <= clock() <= reference() + ALLOWED
    assert clock.jumps == 0


def test_windows_are_not_early_for_a_jump_that_comes_back() -> None:
    """Between the looks the jump is not believed: an escalation stays where it was."""
    reference = Reference()
    clock = reference.clock()
    store = open_store("sqlite://")
    engine = Engine(store, POLICY, ALL, clock())
    (result,) = engine.handle([AlertsReceived(KEY, "", (alert(level=3, starts_at=START),))], clock())
    assert result.incident is not None
    for ahead in (2 * HOUR, 0, 2 * HOUR, 0):
        reference.ahead = ahead
        reference.look(clock)
        engine.fire_due(clock())
    facts = [entry.fact for entry in store.reads().timeline(result.incident.id)]
    assert Fact.ESCALATED not in facts
    assert Fact.BREACHED not in facts
    reference.steadily += 28 * MINUTE
    assert engine.fire_due(clock()) == 1
    assert Fact.ESCALATED in [entry.fact for entry in store.reads().timeline(result.incident.id)]
    store.close()


def test_each_window_fires_once_however_the_clock_jumps() -> None:
    """Two hours forward and back again: the steps that were due fire or are missed, and none of them twice."""
    reference = Reference()
    clock = reference.clock()
    store = open_store("sqlite://")
    engine = Engine(store, POLICY, ALL, clock())
    (result,) = engine.handle([AlertsReceived(KEY, "", (alert(level=3, starts_at=START),))], clock())
    assert result.incident is not None
    for jump in (40 * MINUTE, -40 * MINUTE, 2 * HOUR, -2 * HOUR):
        reference.ahead += jump
        reference.look(clock, 2)
        engine.fire_due(clock())
        engine.fire_due(clock())
    entries = store.reads().timeline(result.incident.id)
    facts = [entry.fact for entry in entries]
    assert facts.count(Fact.ESCALATED) == 1
    assert facts.count(Fact.BREACHED) == 1
    assert [each.at for each in entries] == sorted(each.at for each in entries)
    store.close()
