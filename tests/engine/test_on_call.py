"""Who is on call, through the engine and each kind of store: overrides are kept, and looked up at the decision and again
when a page leaves.
"""

import pytest

from receiver.core.audit_log import Origin, audit_of
from receiver.core.events import Acknowledge, Escalate
from receiver.core.model import Instant, Reason, Status
from receiver.engine.commands import ForIncident
from receiver.on_call.override_log import OverrideChange
from receiver.store import SqlStore
from rules.load import load_text
from rules.policy import HOUR, MINUTE
from tests.core.world import START
from tests.engine.world import EngineWorld, messages, on

POLICY = """
incident_response:
  alert_channels:
    - {name: email, type: email, recipients: [team@example.org]}
    - {name: sms, type: sms, recipients: ["@primary"]}
people:
  - {name: dana, contacts: {sms: "+4917010000001"}}
  - {name: ben, contacts: {sms: "+4917010000002"}}
schedules:
  - name: primary
    time_zone: UTC
    layers: [{people: [dana], starts: "2020-01-01T09:00", every: 1w}]
"""


@pytest.fixture
def world(store: SqlStore) -> EngineWorld:
    """An engine over each kind of store, with one schedule that always has dana."""
    return EngineWorld(store, load_text(POLICY).policy)


def override(world: EngineWorld, at: int = 0, **said: object) -> int:
    """Makes or cancels an override as ann. Returns its number."""
    change = OverrideChange(START + at, "ann", **said)  # type: ignore[arg-type]
    return world.engine.override(change, audit_of(Origin("ann", "api"), Instant(START + at), "override"))


def taking(person: str, starts: int = 0, ends: int = HOUR) -> dict[str, object]:
    """An override of the schedule."""
    return {"schedule": "primary", "person": person, "starts": START + starts, "ends": START + ends}


def test_an_override_holds_at_once_and_until_it_is_cancelled(world: EngineWorld) -> None:
    """The next decision after it is made, and after it is cancelled, goes by it; both are in the audit log."""
    number = override(world, **taking("ben"))
    first = on("sms", messages(world.claim()) if world.fire("one", level=4) else [])
    assert (first.person, first.via, first.shift) == ("ben", "@primary", "override by ann")
    override(world, MINUTE, cancels=number)
    two = world.fire("two", level=4, at=MINUTE)
    second = on("sms", [each for each in messages(world.claim(MINUTE)) if each.incident_id == two.id])
    assert (second.person, second.shift) == ("dana", "layer 1")
    assert world.reads.audit_head().startswith("2:")


def test_a_page_that_waits_is_planned_anew_for_who_is_on_call(world: EngineWorld) -> None:
    """Claimed after the override was made, the page goes to the new person and not to the one it was planned for."""
    incident = world.fire(level=4)
    override(world, MINUTE, **taking("ben"))
    world.deliver_all(MINUTE)
    told = [each for each in world.reads.notifications(incident.id) if each.channel == "sms"]
    assert [(each.person, each.status) for each in told] == [
        ("dana", Status.SUPERSEDED),
        ("ben", Status.ACCEPTED),
    ]
    assert "relieved" in world.facts(incident.id)


def test_another_engine_hears_of_an_override(world: EngineWorld) -> None:
    """A replica on the same store decides by it without being told."""
    other = EngineWorld(world.store, load_text(POLICY).policy)
    other.fire("before", level=4)
    other.deliver_all()
    override(world, **taking("ben"))
    after = other.fire("after", level=4)
    assert on("sms", [each for each in messages(other.claim()) if each.incident_id == after.id]).person == "ben"


def test_an_override_pages_whom_it_puts_on_call_of_what_is_open(world: EngineWorld) -> None:
    """At once, for unacknowledged incidents; an owned one stays with its owner. A cancellation tells no one twice."""
    opened, taken = world.fire("open", level=4), world.fire("taken", level=4)
    world.handle(ForIncident(taken.id, Acknowledge("ada")))
    world.deliver_all()
    number = override(world, MINUTE, **taking("ben"))
    sent = messages(world.claim(MINUTE))
    assert [(each.incident_id, each.person, each.reason) for each in sent] == [(opened.id, "ben", Reason.HANDOFF)]
    world.report(sent, at=MINUTE)
    override(world, 2 * MINUTE, cancels=number)
    assert messages(world.claim(2 * MINUTE)) == []


def test_an_override_pages_whom_it_puts_on_call_where_help_is_asked_for(world: EngineWorld) -> None:
    """The owner asks for help with an incident: the person who comes on call then is asked too, at once."""
    taken = world.fire(level=4)
    world.handle(ForIncident(taken.id, Acknowledge("ada")))
    world.handle(ForIncident(taken.id, Escalate("ada")))
    world.deliver_all()
    override(world, MINUTE, **taking("ben"))
    assert on("sms", messages(world.claim(MINUTE))).person == "ben"


def test_an_override_to_come_hands_over_when_it_begins(world: EngineWorld) -> None:
    """Made while an incident is open, it is a handoff at its own beginning."""
    world.fire(level=4)
    world.deliver_all()
    override(world, MINUTE, **taking("ben", 5 * MINUTE))
    assert messages(world.claim(MINUTE)) == []
    world.fire_due(5 * MINUTE)
    assert on("sms", messages(world.claim(5 * MINUTE))).person == "ben"
