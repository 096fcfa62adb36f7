"""Follow-up actions: they outlive the incident, and what is overdue is told once."""

import pytest

from receiver.core.events import AddFollowUp, FinishFollowUp
from receiver.core.model import Fact, Kind, Reason, State, Window
from rules.policy import HOUR
from tests.core.world import World

DAY = 24 * 60


def with_follow_up(due_in: int | None = 72) -> World:
    """A resolved incident with an action for ben, due in so many hours."""
    world = World()
    world.fire("a")
    world.acknowledge()
    world.act(AddFollowUp("ada", "Alert on disk space", "ben", due_in and world.now + due_in * HOUR))
    world.clear("a")
    world.advance(minutes=10)
    return world


def test_it_is_kept_and_stands_in_the_timeline():
    """Text, owner, due date and who wrote it down."""
    world = with_follow_up()
    [action] = world.incident.response.follow_ups
    assert (action.id, action.text, action.owner, action.by) == ("f1", "Alert on disk space", "ben", "ada")
    assert world.since(action.due_at) == 72 * 60
    assert world.entries(Fact.FOLLOW_UP_ADDED)[0].by == "ada"


def test_it_outlives_the_incident_and_is_told_when_overdue():
    """The incident closes after a day; two days later the internal stakeholders hear of the action, once."""
    world = with_follow_up()
    world.advance(minutes=DAY + 10)
    assert world.incident.state is State.CLOSED
    assert set(world.incident.windows) == {Window.FOLLOW_UP}
    world.advance(minutes=10 * DAY)
    told = world.planned(Kind.REMINDER, Reason.OVERDUE)
    assert {each.recipient for each in told} >= {"management@company.com"}
    assert told[0].data["text"] == "Alert on disk space (ben)."
    assert [world.since(each.at) for each in world.entries(Fact.OVERDUE)] == [72 * 60]
    assert world.incident.windows == {}


@pytest.mark.parametrize("late", [False, True])
def test_what_is_done_is_never_overdue(late):
    """Done in time or after the end: no reminder is sent, and who did it is kept."""
    world = with_follow_up()
    world.advance(minutes=2 * DAY if late else 0)
    assert world.act(FinishFollowUp("ben", "f1", "rule added")) is None
    world.advance(minutes=10 * DAY)
    assert world.entries(Fact.OVERDUE) == []
    assert world.incident.response.follow_ups[0].done_by == "ben"
    assert world.entries(Fact.FOLLOW_UP_DONE)[0].data["note"] == "rule added"


def test_without_a_date_nothing_is_overdue():
    """An action may have no date."""
    world = with_follow_up(None).advance(minutes=10 * DAY)
    assert world.entries(Fact.OVERDUE) == []


def test_done_twice_is_done_once_and_the_unknown_is_refused():
    """The second click changes nothing."""
    world = with_follow_up()
    for by in ("ben", "ada"):
        world.act(FinishFollowUp(by, "f1"))
    assert len(world.entries(Fact.FOLLOW_UP_DONE)) == 1
    assert world.act(FinishFollowUp("ben", "f2")).reason == "the incident has no follow-up action 'f2'; it has f1"
