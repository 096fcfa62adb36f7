"""Fetched calendars: when they are fetched, what a fetch comes to, and who hears of one that is in doubt."""

import pytest
from msgspec.structs import replace

from receiver.core.fetched_calendars import (
    FETCHED_EVERY,
    MISSING_AFTER,
    OLD_AFTER,
    TYPE,
    CalendarFetches,
    begin,
    confirm,
    fail,
    is_due,
    take,
    tell,
)
from receiver.core.model import Instant, State
from receiver.on_call.copy_verdict import CopyVerdict
from rules.policy import HOUR, MINUTE
from tests.core.alerts import START
from tests.core.world import World

GOOD = CopyVerdict(True, "", 100, 100)
THINNER = CopyVerdict(True, "it covers less", 100, 60)
REFUSED = CopyVerdict(False, "it is no calendar")


def at(micros: int, last: CalendarFetches | None = None, source: str = "u") -> CalendarFetches:
    """A fetch that begins so long after the start."""
    return begin(last, source, Instant(START + micros))


@pytest.mark.parametrize(
    ("last", "source", "due"),
    [
        pytest.param(None, "u", True, id="none yet"),
        pytest.param(at(1 - FETCHED_EVERY), "u", False, id="not yet"),
        pytest.param(at(-FETCHED_EVERY), "u", True, id="it is time"),
        pytest.param(at(-1), "v", True, id="another URL"),
        pytest.param(at(HOUR), "u", True, id="by a clock that was ahead"),
    ],
)
def test_when_it_is_due(last: CalendarFetches | None, source: str, due: bool) -> None:
    """Every few minutes, and at once from another URL."""
    assert is_due(last, source, START) is due


def test_people_hear_of_a_day_without_a_good_fetch_and_of_its_end() -> None:
    """A failed fetch notifies no one; a day of failures opens one incident of level 3; the next good fetch ends it."""
    world = World()
    good = take(at(0), GOOD, "tag", "date")
    early = fail(at(OLD_AFTER - 1, good), "404")
    assert tell("primary", good, early) is None
    late = take(at(OLD_AFTER, early), REFUSED, "other", "")
    event = tell("primary", early, late)
    assert event is not None
    world.decide(event)
    assert (world.incident.type, world.incident.level, world.incident.state) == (TYPE, 3, State.OPEN)
    again = fail(at(OLD_AFTER + HOUR, late), "404")
    assert tell("primary", late, again) is None
    assert (again.good_at, again.etag) == (good.good_at, "tag"), "of what was not taken nothing is kept"
    whole = confirm(at(OLD_AFTER + 2 * HOUR, again))
    event = tell("primary", again, whole)
    assert event is not None
    world.decide(event)
    world.advance(30)
    assert world.incident.state is State.RESOLVED


def test_a_calendar_that_never_came_is_told_of_soon() -> None:
    """Nobody is on call by it, so people hear within a quarter of an hour."""
    first = fail(at(0), "refused")
    assert first.old_since is None
    assert fail(at(MISSING_AFTER, first), "refused").old_since == START + MISSING_AFTER


def test_a_thinner_copy_is_told_of_until_one_covers_as_much_again() -> None:
    """It is in use meanwhile; a copy in between that covers only a little more does not end it."""
    thin = take(at(0), THINNER, "", "")
    event = tell("primary", None, thin)
    assert event is not None
    assert event.alerts[0].firing
    between = take(at(MINUTE, thin), CopyVerdict(True, "", 60, 80), "", "")
    assert tell("primary", thin, between) is None
    whole = take(at(HOUR, between), GOOD, "", "")
    event = tell("primary", between, whole)
    assert event is not None
    assert not event.alerts[0].firing
    assert replace(whole, tried_at=START, good_at=START) == replace(take(at(0), GOOD, "", ""))


def test_another_url_is_not_asked_by_the_names_of_the_first() -> None:
    """What one server called its copy says nothing of another's; the copy stays in use."""
    moved = at(MINUTE, take(at(0), GOOD, "tag", "date"), "v")
    assert (moved.etag, moved.modified, moved.good_at) == ("", "", START)
