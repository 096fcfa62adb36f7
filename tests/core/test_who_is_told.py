"""Internal stakeholders hear of incidents from their level on, and that it is over where they heard that it began."""

from dataclasses import replace

import pytest

from receiver.core.events import Delivered, Reported
from receiver.core.model import Kind, Target
from rules.policy import Stakeholders
from tests.core.alerts import SLO
from tests.core.guide import AVIATION_SECTION, POLICY, SAFETY_SECTION
from tests.core.world import World

INTERNAL = {
    Target("email", each)
    for each in ("incident-response@company.com", "management@company.com", "technical-team@company.com")
}
MANAGEMENT = Target("email", "management@company.com")


def policy(from_level: int):
    """The guide's, with another level for the internal group."""
    [internal, external] = POLICY.stakeholders
    return replace(POLICY, stakeholders=(replace(internal, from_level=from_level), external))


@pytest.mark.parametrize(("from_level", "level", "hears"), [(3, 3, True), (3, 2, False), (4, 3, False), (2, 2, True)])
def test_stakeholders_hear_from_their_level_on(from_level, level, hears):
    """On the acknowledgement and at the end, or not at all."""
    world = World(policy(from_level))
    world.fire("a", level=level)
    world.acknowledge()
    world.resolve(note="x", force=True)
    for kind in (Kind.ACKNOWLEDGED, Kind.RESOLVED):
        assert (MANAGEMENT in world.heard(kind)) is hears


def test_the_default_is_level_3():
    """A group whose level the policy does not name hears of critical incidents and emergencies."""
    assert {group.from_level for group in POLICY.stakeholders} == {3}


def test_nobody_hears_the_end_of_what_they_never_heard_of():
    """Resolved before an acknowledgement and a breach: management heard nothing, and hears nothing."""
    world = World()
    world.fire("a")
    world.clear("a")
    world.advance(minutes=10)
    assert world.incident.resolved_at is not None
    assert MANAGEMENT not in world.heard(Kind.RESOLVED)
    assert set(world.heard(Kind.RESOLVED)) == set(world.incident.paged), "everybody who was paged does"


def test_who_heard_of_the_breach_hears_the_end():
    """Told at the breach, told at the end."""
    world = World()
    world.fire("a")
    world.advance(minutes=61)
    assert MANAGEMENT in world.heard(Kind.BREACH)
    world.resolve(note="x", force=True)
    assert world.heard(Kind.RESOLVED).count(MANAGEMENT) == 1


def test_whose_page_was_dropped_unsent_hears_nothing_of_the_end():
    """PagerDuty hangs, and a reader of the mail resolves it: nothing rang, so no call announces the end."""
    world = World(down=["pagerduty"])
    world.fire("a")
    world.resolve(note="x", force=True)
    pager = Target("pagerduty", "ml-systems")
    assert pager in world.incident.paged
    assert pager not in world.heard(Kind.RESOLVED)
    assert Target("email", "incident-response@company.com") in world.heard(Kind.RESOLVED)


def test_a_refused_page_needs_no_end():
    """A channel that refused the only page has told no one, so it sends no end."""
    world = World(down=["pagerduty"])
    world.fire("a")
    world.reject("pagerduty")
    world.resolve(note="x", force=True)
    assert Target("pagerduty", "ml-systems") not in world.heard(Kind.RESOLVED)


@pytest.mark.parametrize("fails_first", [True, False])
def test_whose_page_may_have_left_hears_the_end(fails_first):
    """A try whose answer was lost may have rung; so may one that is under way while it is resolved."""
    world = World(down=["pagerduty"])
    world.fire("a")
    pager = Target("pagerduty", "ml-systems")
    [page] = [each for each in world.waiting("pagerduty") if each.kind is Kind.PAGE]
    if fails_first:
        world.fail("pagerduty")
    world.resolve(note="x", force=True, by="ben")
    if not fails_first:
        assert pager not in world.heard(Kind.RESOLVED)
        world.decide(Reported(page, Delivered()), world.incident.id)
    [end] = [each for each in world.planned(Kind.RESOLVED) if each.channel == "pagerduty"]
    assert (end.data["by"], end.data["pages"]) == ("ben", f"{page.page}-{page.page}")


def test_stakeholders_whose_news_was_dropped_hear_nothing_of_the_end():
    """The mail server hangs from the acknowledgement on: management never heard that it began."""
    world = World(down=["email"])
    world.fire("a")
    world.acknowledge()
    world.resolve(note="x", force=True)
    assert MANAGEMENT not in world.heard(Kind.RESOLVED)


def test_a_lowered_level_does_not_leave_them_waiting():
    """Who was told at level 3 hears the end, although it ended at level 2."""
    world = World()
    world.fire("a")
    world.acknowledge()
    world.change(level=2, reason="less than it seemed")
    world.resolve(note="x", force=True)
    assert MANAGEMENT in world.heard(Kind.RESOLVED)


def test_another_episode_begins_anew():
    """Told of the first, not of the second: they hear the end of the first only."""
    world = World()
    world.fire("a")
    world.acknowledge()
    world.clear("a")
    world.advance(minutes=10)
    assert world.heard(Kind.RESOLVED).count(MANAGEMENT) == 1
    world.fire("a")
    world.clear("a")
    world.advance(minutes=10)
    assert world.heard(Kind.RESOLVED).count(MANAGEMENT) == 1


def test_a_group_of_a_section_hears_of_it_and_of_those_under_it():
    """A group with `sections` hears of the safety section's incidents and of aviation's under it, and of no others."""
    team = Stakeholders(
        "safety_team", "", ("safety@company.com",), ("email",), external=False, sections=(SAFETY_SECTION,)
    )
    theirs = replace(POLICY, stakeholders=(team,), under=((AVIATION_SECTION, SAFETY_SECTION),))
    heard = {}
    for rule in (f"{SAFETY_SECTION}/response_time_violation", f"{AVIATION_SECTION}/communication_failure", SLO):
        world = World(theirs)
        world.fire("a", rule=rule)
        world.advance(minutes=61)
        heard[rule] = bool(world.planned(Kind.BREACH))
    assert list(heard.values()) == [True, True, False]
