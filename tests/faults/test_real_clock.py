"""A clock that jumps: time goes on, never back; early beats late, and every window fires once."""

from collections.abc import Sequence
from contextlib import closing

import pytest
from msgspec.structs import replace

from receiver.clock import ALLOWED, Clock, ClockVerdict
from receiver.core.events import AlertsReceived
from receiver.core.instant import Jump
from receiver.core.model import Fact, Incident, Instant, Window
from receiver.core.windows import put_off
from receiver.engine.engine import Engine
from receiver.store import SqlStore, open_store
from rules.policy import HOUR, MINUTE, SECOND
from tests.core.alerts import KEY, START, alert
from tests.core.guide import ALL, POLICY


class Reference:
    """A wall clock and a steady clock that the test sets."""

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

    def look(self, clock: Clock, times: int = 1) -> ClockVerdict:
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
        assert reference.look(clock) is ClockVerdict.DOUBTED
        assert clock.skew == ahead
        reference.ahead = 0
        assert reference.look(clock) is ClockVerdict.AGREED
        assert (clock(), clock.skew) == (reference(), 0)
    assert clock.jumps == 3


def test_a_clock_set_forward_is_followed_when_it_stays() -> None:
    """An hour forward, and still so at the second look: from then on it is that late."""
    reference = Reference()
    clock = reference.clock()
    reference.ahead = HOUR
    assert reference.look(clock) is ClockVerdict.DOUBTED
    assert clock() == reference() - HOUR
    assert reference.look(clock) is ClockVerdict.FOLLOWED
    assert clock() == reference()
    assert reference.look(clock) is ClockVerdict.AGREED
    assert (clock.skew, clock.jumps) == (0, 1)


def test_two_different_answers_are_no_second_one() -> None:
    """A clock that says something else each time is not followed."""
    reference = Reference()
    clock = reference.clock()
    for ahead in (HOUR, 2 * HOUR, HOUR, -HOUR, 3 * HOUR):
        reference.ahead = ahead
        assert reference.look(clock) is ClockVerdict.DOUBTED
    assert clock() == START + reference.steadily


def test_a_clock_set_back_puts_nothing_off_and_is_found_again() -> None:
    """An hour back: time goes on, slower by a twentieth at most, until both agree; no restart is needed."""
    reference = Reference()
    clock = reference.clock()
    reference.ahead = -HOUR
    before, began = clock(), reference.steadily
    while reference.look(clock) is not ClockVerdict.AGREED:
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
        assert reference.look(clock) is ClockVerdict.AGREED
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
    engine.standing.jumps = clock.followed
    (result,) = engine.handle([AlertsReceived(KEY, "", (alert(level=3, starts_at=START),))], clock())
    assert result.incident is not None
    for jump in (40 * MINUTE, -40 * MINUTE, 2 * HOUR, -2 * HOUR):
        reference.ahead += jump
        reference.look(clock, 2)
        engine.fire_due(clock())
        engine.fire_due(clock())
    for _ in range(7):
        reference.steadily += 10 * MINUTE
        engine.fire_due(clock())
        engine.fire_due(clock())
    entries = store.reads().timeline(result.incident.id)
    facts = [entry.fact for entry in entries]
    assert facts.count(Fact.ESCALATED) == 1
    assert facts.count(Fact.BREACHED) == 1
    assert [each.at for each in entries] == sorted(each.at for each in entries)
    store.close()


def opened(engine: Engine, clock: Clock, key: str = KEY) -> str:
    """The id of an incident of level 3 that opens now: it escalates after 30 minutes, and is breached after 60."""
    (result,) = engine.handle([AlertsReceived(key, "", (alert(key, level=3, starts_at=clock()),))], clock())
    assert result.incident is not None
    return result.incident.id


def minutes_until(
    fact: Fact, incident: str, reference: Reference, replicas: Sequence[tuple[Clock, Engine]], store: SqlStore
) -> int:
    """How many minutes pass, truly, until that is in the timeline; each replica looks at its clock and its windows."""
    for minutes in range(1, 3 * 60):
        for clock, engine in replicas:
            reference.look(clock)
            engine.fire_due(clock())
        reference.steadily += MINUTE - len(replicas) * 30 * SECOND
        if fact in [entry.fact for entry in store.reads().timeline(incident)]:
            return minutes
    raise AssertionError(fact)


def replica(store: SqlStore, reference: Reference) -> tuple[Clock, Engine]:
    """A clock and an engine as the service puts them together."""
    clock = reference.clock()
    engine = Engine(store, POLICY, ALL, clock())
    engine.standing.jumps = clock.followed
    return clock, engine


@pytest.mark.parametrize("ahead", [20 * SECOND, 45 * MINUTE, 400 * 24 * HOUR])
@pytest.mark.parametrize("replicas", [1, 2])
def test_a_window_lasts_as_long_as_it_was_to_last(ahead: int, replicas: int) -> None:
    """However far the clock jumps ahead and stays there, and is followed: windows pass with the time that passes, for
    incidents of before and after, whichever replica looks first.
    """
    reference = Reference()
    with closing(open_store("sqlite://")) as store:
        both = [replica(store, reference) for _ in range(replicas)]
        (clock, engine), *_ = both
        before = opened(engine, clock, "before")
        reference.ahead = ahead
        late = replicas  # minutes: two replicas may each take a short jump for one of its own
        assert 30 <= minutes_until(Fact.ESCALATED, before, reference, both, store) <= 31 + late
        assert clock() >= reference() - ALLOWED
        after = opened(engine, clock, "after")
        assert 29 <= minutes_until(Fact.BREACHED, before, reference, both, store) <= 31 + late
        assert minutes_until(Fact.ESCALATED, after, reference, both, store) <= 1 + late


def test_every_jump_is_followed_by_the_windows() -> None:
    """Again and again ahead, by more than the window is long: it still lasts as long as it was to."""
    reference = Reference()
    with closing(open_store("sqlite://")) as store:
        clock, engine = replica(store, reference)
        incident = opened(engine, clock)
        for jump in (HOUR, 2 * MINUTE, 5 * HOUR):
            reference.ahead += jump
            reference.look(clock, 6)
            engine.fire_due(clock())
        assert len(clock.followed) == 3
        facts = [entry.fact for entry in store.reads().timeline(incident)]
        assert Fact.ESCALATED not in facts
        assert 21 <= minutes_until(Fact.ESCALATED, incident, reference, [(clock, engine)], store) <= 22


def test_what_was_named_by_the_clock_is_not_put_off() -> None:
    """A silence ends when Alertmanager said, for any jump of the clock; and nothing is put off twice."""
    incident = Incident("abc", "key", "policy", 3, "engine_failure", "title", START, START)
    incident = replace(incident, windows={Window.SILENCE: Instant(START + HOUR), Window.BREACH: START})
    jumps = (Jump(START, 2 * HOUR),)
    once = put_off(incident, jumps)
    assert once.windows == {Window.SILENCE: START + HOUR, Window.BREACH: START + 2 * HOUR}
    assert once.response_due_at == incident.response_due_at + 2 * HOUR
    assert put_off(once, jumps) == once
