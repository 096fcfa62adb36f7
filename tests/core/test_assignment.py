"""The first minutes: limits for acknowledging and assessing, the owner and the handover."""

from dataclasses import replace

import pytest

from receiver.core.model import Fact, Kind, Reason, State, Target, Window
from rules.policy import MINUTE, Micros, Person, Policy, TimedActions
from tests.core.guide import POLICY
from tests.core.world import World

INTERNAL = [
    Target("email", "incident-response@company.com"),
    Target("email", "management@company.com"),
    Target("email", "technical-team@company.com"),
    Target("slack", "#incident-response"),
]
LIMITED = replace(
    POLICY,
    initial_response=(
        TimedActions("incident_acknowledgment", time_limit=Micros(15 * MINUTE)),
        TimedActions("severity_assessment", time_limit=Micros(30 * MINUTE)),
    ),
)


def opened(level: int = 3, acknowledged_at: float | None = None) -> World:
    """An incident under the guide's limits, perhaps acknowledged by ada."""
    world = World(LIMITED)
    world.fire("a", level=level)
    if acknowledged_at is not None:
        world.advance(minutes=acknowledged_at)
        world.acknowledge()
    return world


def overdue(world: World) -> list[tuple[float, str]]:
    """When which limit passed, by the timeline."""
    return [(world.since(each.at), each.data["what"]) for each in world.entries(Fact.OVERDUE)]


def test_an_acknowledgement_that_is_overdue_is_told_to_the_internal_stakeholders():
    """After 15 minutes the timeline and the internal stakeholders have it; no page is sent for it."""
    world = opened().advance(minutes=16)
    assert overdue(world) == [(15, "acknowledgement")]
    told = world.planned(Kind.REMINDER, Reason.OVERDUE)
    assert [Target(each.channel, each.recipient) for each in told] == INTERNAL
    assert len(world.pages()) == 1


@pytest.mark.parametrize(("level", "response"), [(1, 24 * 60), (3, 60), (4, 15)])
def test_the_limit_never_tightens_the_response_time(level, response):
    """The response time is the level's, and its breach comes at the same time for every limit."""
    world = opened(level)
    assert world.since(world.incident.response_due_at) == response
    assert world.window(Window.BREACH) == response


def test_who_hears_of_the_breach_need_not_hear_of_the_limit():
    """At level 4 both come at once: one message, two lines in the timeline."""
    world = opened(level=4).advance(minutes=16)
    assert overdue(world) == [(15, "acknowledgement")]
    assert world.planned(Kind.REMINDER, Reason.OVERDUE) == []
    assert world.heard(Kind.BREACH)


def test_an_acknowledgement_in_time_is_never_overdue():
    """Acknowledged, the limit is gone, and a reopening by expiry does not bring it back."""
    world = opened(acknowledged_at=10)
    world.change(impact_description="none")
    world.advance(minutes=200)
    assert world.incident.state is State.OPEN
    assert overdue(world) == []


def test_the_severity_assessment_counts_from_the_acknowledgement():
    """Half an hour after the acknowledgement, not the opening; taking over does not begin it anew."""
    world = opened(acknowledged_at=10)
    assert world.window(Window.ASSESS_LIMIT) == 40
    world.advance(minutes=20)
    world.acknowledge("ben")
    world.advance(minutes=11)
    assert overdue(world) == [(40, "severity assessment")]
    assert len(world.planned(Kind.REMINDER, Reason.OVERDUE)) == len(INTERNAL)


ASSESSMENTS = {
    "the level": {"level": 2, "reason": "half as bad"},
    "the same level": {"level": 3, "reason": "looked at it"},
    "an impact": {"revenue_impact": "0.01"},
    "a description": {"impact_description": "one line stands"},
}


@pytest.mark.parametrize("said", ASSESSMENTS.values(), ids=ASSESSMENTS)
def test_saying_level_or_impact_is_the_assessment(said):
    """A set level or impact counts as the assessment: nothing is overdue."""
    world = opened(acknowledged_at=10)
    world.change(**said)
    assert world.since(world.incident.response.assessed_at) == 10
    assert Window.ASSESS_LIMIT not in world.incident.windows


def test_another_fact_is_no_assessment():
    """A root cause says nothing about how bad it is."""
    world = opened(acknowledged_at=10)
    world.change(root_cause="disk")
    assert world.window(Window.ASSESS_LIMIT) == 40


def test_assessed_before_the_acknowledgement_is_assessed():
    """Who assessed first and acknowledged then owes nothing."""
    world = opened()
    world.change(impact_description="none")
    world.acknowledge()
    assert Window.ASSESS_LIMIT not in world.incident.windows


def test_a_recurrence_is_answered_anew():
    """Back again, both limits run again."""
    world = opened(acknowledged_at=1)
    world.change(level=3, reason="so it is")
    world.clear("a")
    world.advance(minutes=10)
    world.fire("a")
    assert world.window(Window.ACKNOWLEDGE_LIMIT) == 26
    world.acknowledge()
    assert world.window(Window.ASSESS_LIMIT) == 41


def test_who_acknowledges_is_the_owner_until_it_is_open_again():
    """An open incident has no owner; an acknowledgement sets one, its expiry removes it."""
    world = opened()
    assert world.incident.response.owner == ""
    world.acknowledge()
    assert world.incident.response.owner == "ada"
    world.advance(minutes=61)
    assert (world.incident.state, world.incident.response.owner) == (State.OPEN, "")


def test_a_handover_makes_another_the_owner():
    """The new owner is reminded, the threads hear of it, and the acknowledgement holds on."""
    world = opened(acknowledged_at=10)
    world.advance(minutes=20)
    assert world.hand_over("ben") is None
    assert (world.incident.response.owner, world.incident.acknowledged_by) == ("ben", "ada")
    assert world.window(Window.ACK_EXPIRY) == 90
    [entry] = world.entries(Fact.HANDED_OVER)
    assert (entry.by, entry.data["to"]) == ("ada", "ben")
    assert {each.channel for each in world.planned(Kind.NOTICE, Reason.HANDED_OVER)} == {"email", "slack"}
    world.advance(minutes=45)
    assert world.entries(Fact.REMINDED)[-1].data["whom"] == "ben"


REFUSED = {
    "open": lambda world: None,
    "his already": lambda world: world.acknowledge("ben"),
    "closed": lambda world: (world.resolve(note="x", force=True), world.clear("a"), world.advance(minutes=25 * 60)),
}


@pytest.mark.parametrize("before", REFUSED.values(), ids=REFUSED)
def test_what_nobody_has_cannot_be_handed_over(before):
    """Open, closed, or his already: refused with words."""
    world = opened()
    before(world)
    assert world.hand_over("ben").reason
    assert world.entries(Fact.HANDED_OVER) == []


KNOWN = replace(LIMITED, people=(Person("Ben Ali"), Person("chris")))


def taken(policy: Policy = KNOWN, accounts: frozenset[str] = frozenset()) -> World:
    """An incident that ada has."""
    world = World(policy)
    world.accounts = accounts
    world.fire("a", level=3)
    world.acknowledge("ada")
    return world


def test_a_handover_goes_to_somebody_who_is_known():
    """A slip is refused with who may be meant; however a known name is written, it is the person that Tocsin knows."""
    world = taken()
    refusal = world.hand_over("Ben Aly")
    assert refusal.reason == "nobody is known as Ben Aly; did you mean Ben Ali? Known are Ben Ali, chris"
    assert world.hand_over("zoe").reason == "nobody is known as zoe. Known are Ben Ali, chris"
    assert world.incident.response.owner == "ada"
    assert world.hand_over(" ben  ALI") is None
    assert world.incident.response.owner == "Ben Ali"
    assert world.hand_over("ada", by="Ben Ali") is None, "who has had it is known too"


def test_who_may_log_in_is_known():
    """An incident can be handed over to each user of the console; where no user is known, to any name."""
    assert taken(LIMITED, frozenset({"zoe"})).hand_over("zoe") is None
    assert taken(LIMITED, frozenset({"zoe"})).hand_over("ben").reason
    assert taken(LIMITED).hand_over("ben") is None
