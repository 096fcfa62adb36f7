"""An incident that comes back begins anew: what was done and entered before is set apart, and did not hold."""

from dataclasses import replace

import pytest

from receiver.core.checklists import attached, done, next_steps
from receiver.core.episodes import EARLIER_KEPT
from receiver.core.events import ApproveNotice, RejectNotice, Tick
from receiver.core.model import Fact, Kind, Reason, State, Window
from receiver.core.occurrences import KEPT, begun_at
from rules.policy import MINUTE, Policy
from tests.core.alerts import alert
from tests.core.guide import AVIATION_SECTION, WHOLE
from tests.core.truth import WORDS, OneMessage, texts
from tests.core.world import World

ENGINE = f"{AVIATION_SECTION}/engine_failure"
CAUSE, FIX = "a stuck fuel valve", "the valve was replaced"


def resolved(policy=WHOLE) -> World:
    """An engine failure that was acknowledged, worked on, explained and resolved, and whose alert has cleared."""
    world = World(policy)
    world.fire("a", level=4, rule=ENGINE)
    world.acknowledge()
    for step in ("immediate_actions.1", "immediate_actions.2", "initial_response.2"):
        world.act(Tick("ada", step))
    world.change(root_cause=CAUSE, fix_description=FIX, revenue_impact="0.3", level=4, reason="assessed")
    world.advance(minutes=5)
    world.clear("a")
    world.resolve()
    return world


def back(policy: Policy = WHOLE) -> World:
    """The same, an hour later, when it fires again."""
    world = resolved(policy)
    world.advance(minutes=60)
    world.fire("a", level=4, rule=ENGINE)
    return world


def said(world: World, kind: Kind, channel: str) -> str:
    """All that the newest message of that kind on that channel says."""
    each = [each for each in world.planned(kind) if each.channel == channel][-1]
    return texts(WORDS.render(OneMessage([(each, world.incident)], world.context()), world.now))


def test_a_recurrence_has_fresh_checklists():
    """Nothing is ticked any more, and the first actions are those of the type again."""
    world = back()
    assert next_steps(world.incident, world.current)[:2] == ["Activate backup", "Notify crew"]
    assert attached(world.incident, world.current)[0].key == "immediate_actions"
    assert not any(
        done(world.incident, *step) for each in attached(world.incident, world.current) for step in each.numbered()
    )
    page = said(world, Kind.PAGE, "email")
    assert page.index("Activate backup") < page.index("Notify crew")


def test_what_was_done_before_is_kept_with_its_occurrence():
    """Ticks, facts and grades of the first occurrence stand with it, with when it began, was resolved and ended."""
    [before] = back().incident.response.occurrences
    assert [each.text for each in before.checklists.done.values()].count("Activate backup") == 1
    assert (before.number, before.facts["root_cause"], before.resolved_by) == (1, CAUSE, "ada")
    assert [World.since(at) for at in (before.began_at, before.resolved_at, before.ended_at)] == [0, 5, 65]
    assert before.impacts["revenue_impact"].grade == "high"


def test_the_earlier_cause_did_not_hold():
    """The page says so; nothing of it is known of what fires now, and it must be assessed again."""
    world = back()
    assert (dict(world.incident.facts), dict(world.incident.response.impacts)) == ({}, {})
    assert world.incident.response.assessed_at is None
    page = said(world, Kind.PAGE, "email")
    assert f"did not hold (cause: {CAUSE}; fix: {FIX})" in page


def test_the_second_resolution_does_not_repeat_the_disproved_cause():
    """Neither the disproved cause nor its fix is told with the end; the duration is that of this occurrence."""
    asks = replace(WHOLE.templates.resolution, body="Cause: {root_cause}. Fix: {fix_description}.")
    world = back(replace(WHOLE, templates=replace(WHOLE.templates, resolution=asks)))
    world.advance(minutes=10)
    world.clear("a")
    world.resolve()
    told = said(world, Kind.RESOLVED, "email")
    assert "Cause: not yet known. Fix: not yet known." in told
    assert CAUSE not in told
    assert FIX not in told
    assert "after 10 min" in told


def test_an_occurrence_has_its_own_deadlines():
    """Response, escalation, and the limits of the initial response run from when it came back."""
    world = back()
    assert world.since(world.incident.response_due_at) == 65 + 15
    assert (world.window(Window.ESCALATE), world.window(Window.ACKNOWLEDGE_LIMIT)) == (70, 80)
    world.acknowledge()
    assert world.window(Window.ASSESS_LIMIT) == 65 + 30


def test_nobody_says_that_it_waited_while_it_was_resolved():
    """Escalated after it came back, how long it has waited is told from then on."""
    world = World()
    world.fire("a")
    world.clear("a")
    world.advance(minutes=5)
    world.advance(minutes=10 * 60)
    world.fire("a")
    world.advance(minutes=31)
    assert "Nobody has acknowledged it in 31 min" in said(world, Kind.PAGE, "email")


def test_resolved_by_force_and_still_firing_is_an_occurrence_too():
    """The claim that it was over did not hold: it begins anew, as if it had fired again."""
    world = World(WHOLE)
    world.fire("a", level=4, rule=ENGINE)
    world.change(root_cause="a broken probe")
    world.resolve(note="a broken probe", force=True)
    world.advance(minutes=15)
    assert (world.incident.state, world.incident.recurrences, dict(world.incident.facts)) == (State.OPEN, 1, {})
    assert world.entries(Fact.REOPENED)[-1].data["reason"] == Reason.STILL_FIRING
    assert "did not hold (cause: a broken probe)" in said(world, Kind.PAGE, "email")


def test_alerts_keep_the_times_that_they_fired_before():
    """What an alert did in an earlier occurrence is not overwritten by its next firing."""
    world = back()
    found = world.stored_alerts[world.incident.id]["a"]
    [earlier] = found.earlier
    assert (world.since(earlier.began_at), world.since(earlier.ended_at), earlier.level) == (0, 5, 4)
    assert world.since(found.starts_at) == 65


def test_a_flash_keeps_them_too():
    """What fired and cleared between two notifications is one time more, and takes nothing away."""
    world = resolved()
    world.advance(minutes=60)
    world.receive(alert("a", 4, ENGINE, firing=False, starts_at=world.now))
    assert [world.since(each.began_at) for each in world.stored_alerts[world.incident.id]["a"].earlier] == [0]


def test_of_many_firings_the_first_and_the_last_are_kept():
    """However often an alert fires again, its record stays small, and says how many are left out."""
    world = World()
    for _ in range(3 * EARLIER_KEPT + 1):
        world.fire("a")
        world.advance(minutes=1)
        world.clear("a")
        world.advance(minutes=1)
    found = world.stored_alerts[world.incident.id]["a"]
    assert (len(found.earlier), found.forgotten) == (2 * EARLIER_KEPT, EARLIER_KEPT)
    assert [world.since(each.began_at) for each in (found.earlier[0], found.earlier[-1])] == [
        0,
        2 * 3 * EARLIER_KEPT - 2,
    ]


def test_an_incident_carries_its_last_occurrences():
    """What comes back again and again does not grow for ever; the numbers go on."""
    world = World()
    for _ in range(KEPT + 3):
        world.fire("a")
        world.clear("a")
        world.resolve()
    kept = world.incident.response.occurrences
    assert [each.number for each in (kept[0], kept[-1])] == [3, KEPT + 2]
    assert begun_at(world.incident) == kept[-1].ended_at


TOLD = {
    "told of the trouble": ([("acknowledged", True)], True),
    "told of its end too": ([("acknowledged", True), ("resolved", True)], False),
    "the end was rejected": ([("acknowledged", True), ("resolved", False)], True),
    "never told": ([("acknowledged", False)], False),
}


@pytest.mark.parametrize(("decisions", "offered"), TOLD.values(), ids=TOLD)
def test_who_was_told_in_an_earlier_occurrence_is_offered_the_end(decisions, offered):
    """Customers who were sent ALERT are offered RESOLVED in the occurrence that ends it, and only once."""
    world = World()
    world.fire("a")
    world.acknowledge()
    for moment, sent in decisions:
        if moment == "resolved":
            world.clear("a")
            world.resolve()
        [notice] = [each for each in world.incident.response.notices if each.standing == "held"]
        world.act(ApproveNotice("cleo", notice.id, "s", "b") if sent else RejectNotice("cleo", notice.id))
    if world.incident.is_live:
        world.clear("a")
        world.resolve()
    world.fire("a")
    world.advance(minutes=1)
    world.clear("a")
    world.resolve()
    held = [each for each in world.incident.response.notices if each.standing == "held"]
    assert [(each.moment, each.episode) for each in held] == ([("resolved", 1)] if offered else [])


def test_an_old_incident_without_occurrences_goes_on():
    """One that came back under an older release has none: it began with its opening."""
    world = World()
    world.fire("a")
    assert begun_at(world.incident) == world.incident.opened_at
    assert world.advance(minutes=3).now - begun_at(world.incident) == 3 * MINUTE
