"""Taking an answer back that was a slip restores what it ended: deadlines run on, withdrawn pages go out, none is fresh."""

from receiver.core.draft import Refusal
from receiver.core.events import Undo
from receiver.core.model import Fact, Kind, Reason, State, Status, Window
from receiver.core.responder_history import response_times
from receiver.core.undo import can_undo
from tests.core.world import World


def undo(world: World, by: str = "ada") -> Refusal | None:
    """A person takes their answer back."""
    return world.act(Undo(by))


def acknowledged(down: tuple[str, ...] = ()) -> World:
    """ada acknowledges ten minutes in; the channels in `down` have delivered nothing by then."""
    world = World()
    world.down |= set(down)
    world.fire("a")
    world.advance(minutes=10)
    world.acknowledge()
    return world


def test_the_deadlines_that_ran_run_on_to_where_they_were_to_end():
    """Escalation and breach are where they were, not that much later; a step that the answer ticked is open again."""
    world = World()
    world.fire("a")
    world.advance(minutes=10)
    before, response_due_at = dict(world.incident.windows), world.incident.response_due_at
    done = world.incident.response.checklists.done
    world.acknowledge()
    assert world.window(Window.BREACH) is None
    world.advance(seconds=20)
    assert undo(world) is None
    incident = world.incident
    assert (incident.state, incident.holder, incident.acknowledged_at) == (State.OPEN, "", None)
    for window in (Window.ESCALATE, Window.BREACH):
        assert incident.windows[window] == before[window]
    assert (incident.response_due_at, incident.response.checklists.done) == (response_due_at, done)
    world.advance(minutes=60)
    assert (30, Reason.ESCALATED) in [(at, why) for at, why, _ in world.pages()]
    assert [(each.outcome, each.by) for each in response_times(world.entries())] == [("breached", "")]


def test_what_was_due_meanwhile_is_due_at_once():
    """A breach whose time passed while the slip stood comes when it is taken back, and not an hour later."""
    world = World()
    world.fire("a")
    world.advance(minutes=59, seconds=30)
    world.acknowledge()
    world.advance(minutes=1)
    undo(world)
    world.advance(seconds=1)
    assert world.incident.breached_at is not None


def test_pages_that_the_answer_withdrew_go_out_after_all():
    """What had not left is planned again, once, of the same page; what had arrived is not sent twice."""
    world = acknowledged(down=("slack",))
    world.deliver("slack")
    withdrawn = [each for each in world.planned(Kind.PAGE) if each.status is Status.SUPERSEDED]
    assert {each.channel for each in withdrawn} == {"slack"}
    undo(world)
    again = [each for each in world.waiting() if each.kind is Kind.PAGE]
    assert [(each.channel, each.recipient, each.reason) for each in again] == [
        (each.channel, each.recipient, each.reason) for each in withdrawn
    ]


def test_whoever_heard_of_the_answer_hears_that_it_was_none():
    """The threads are told; a pager that keeps a state of its own gets a page of its own, as no acknowledged one opens."""
    world = acknowledged()
    serial = world.incident.page.serial
    undo(world)
    assert [each.reason for each in world.planned(Kind.NOTICE)][-1] is Reason.UNDONE
    pages = [each for each in world.planned(Kind.PAGE) if each.page == serial + 1]
    assert {each.channel for each in pages} == {"pagerduty"}
    world.acknowledge("ben")
    assert (world.incident.holder, world.incident.state) == ("ben", State.ACKNOWLEDGED)


def test_a_call_for_help_that_was_answered_by_a_slip_goes_on():
    """Its owner goes on having it, and asks again when the call was to."""
    world = World()
    world.fire("a")
    world.acknowledge()
    world.advance(minutes=1)
    world.escalate("ada")
    due = world.incident.windows[Window.HELP]
    world.advance(minutes=1)
    world.acknowledge("ben")
    assert undo(world, "ben") is None
    assert (world.incident.holder, dict(world.incident.response.asked_by).keys()) == ("ada", {"ada"})
    assert world.incident.windows[Window.HELP] == due


def test_only_whoever_answered_and_only_while_nothing_has_come_between():
    """Another person, a later moment, a handover, new danger, an incident that is over: refused, and why."""
    world = acknowledged()
    assert "only whoever answered last" in undo(world, "ben").reason
    world.advance(minutes=2)
    assert not can_undo(world.incident, "ada", world.now)
    assert "give the incident back instead" in undo(world).reason
    world = acknowledged()
    world.hand_over("ben")
    assert undo(world) is not None
    world = acknowledged()
    world.fire("b", level=4)
    assert undo(world) is not None
    world = acknowledged()
    world.resolve(force=True, note="over")
    assert undo(world) is not None
    assert world.entries(Fact.ACK_UNDONE) == []
