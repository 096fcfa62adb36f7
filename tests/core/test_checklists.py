"""Checklists: attached at the right moment, ticked by people, and what is next."""

from dataclasses import replace

import pytest

from receiver.core.checklists import attached, done, next_steps, steps
from receiver.core.events import Tick
from receiver.core.model import Fact, State, Window
from receiver.messages.timeline import sentence
from rules.policy import Policy, Procedure
from tests.core.alerts import SAFETY, SLO
from tests.core.guide import AVIATION_SECTION, PROCEDURES, SAFETY_SECTION, WHOLE
from tests.core.truth import UntrueError, check_line
from tests.core.world import World

SECTION, AVIATION = SAFETY_SECTION, AVIATION_SECTION
SAFETY_RULE = f"{SECTION}/{SAFETY.rpartition('/')[2]}"


def opened(rule: str = SAFETY_RULE, level: int = 4, policy: Policy = WHOLE) -> World:
    """An incident of that rule."""
    world = World(policy)
    world.fire("a", level=level, rule=rule)
    return world


def keys(world: World) -> list[str]:
    """The incident's checklists, in order."""
    return [each.key for each in attached(world.incident, world.current)]


def to_do(world: World) -> list[str]:
    """What is next."""
    return next_steps(world.incident, world.current)


def test_an_opening_brings_the_sections_emergency_procedure_and_the_initial_response():
    """A safety incident gets safety's own procedure first, then what concerns every incident; the timeline says so."""
    world = opened()
    expected = ["safety_emergency_response", "initial_response", "initial_response.incident_acknowledgment"]
    assert keys(world) == expected
    assert [each.data["procedures"] for each in world.entries(Fact.PROCEDURE_ATTACHED)] == [", ".join(expected)]


def test_another_sections_procedures_do_not_concern_it():
    """An incident of the basic section gets only the basic procedures, a stranger's too."""
    for rule in (SLO, "Stranger"):
        assert keys(opened(rule, 3)) == ["initial_response", "initial_response.incident_acknowledgment"]


def test_a_type_brings_its_immediate_actions_first():
    """The immediate actions of a declared type come before every procedure, and are what is next."""
    world = World(WHOLE)
    world.declare()
    assert keys(world)[:2] == ["immediate_actions", "aviation_emergency_response"]
    assert to_do(world)[:2] == ["Activate backup", "Notify crew"]


MOMENTS = {
    "escalation": (lambda world: world.advance(minutes=5), ["escalation"]),
    "escalation by a person": (lambda world: world.escalate(), ["escalation"]),
    "acknowledgement": (
        lambda world: world.acknowledge(),
        [
            "initial_response.severity_assessment",
            "root_cause_analysis.analysis",
            "impact_assessment.business_impact",
            "fix_implementation.immediate_fix",
        ],
    ),
    "recovery": (lambda world: world.clear("a"), ["safety_investigation", "resolution"]),
    "resolution": (
        lambda world: world.resolve(note="it is", force=True),
        ["safety_investigation", "resolution", "post_incident_actions.documentation"],
    ),
    "a rule of another section": (
        lambda world: world.fire("b", level=4, rule=f"{AVIATION}/engine_failure"),
        ["immediate_actions", "aviation_emergency_response"],
    ),
    "another alert of the same": (lambda world: world.fire("b", level=4, rule=SAFETY_RULE), []),
}


@pytest.mark.parametrize(("happens", "expected"), MOMENTS.values(), ids=MOMENTS)
def test_each_moment_brings_its_own(happens, expected):
    """What happens brings the checklists of that moment, once, with a line in the timeline."""
    world = opened()
    before = keys(world)
    happens(world)
    assert sorted(set(keys(world)) - set(before)) == sorted(expected)
    assert len(world.entries(Fact.PROCEDURE_ATTACHED)) == 1 + bool(expected)


def test_nothing_is_attached_twice():
    """Escalations, an expired acknowledgement and a recurrence bring no checklist that is there already."""
    world = opened()
    world.advance(minutes=40)
    world.acknowledge()
    world.advance(minutes=20)
    world.acknowledge()
    said = [key for each in world.entries(Fact.PROCEDURE_ATTACHED) for key in each.data["procedures"].split(", ")]
    assert len(said) == len(set(said))


def test_ticking_says_who_and_when_with_evidence():
    """A ticked step is kept with the person, the time, note and link, stands in the timeline, and is next no more."""
    world = opened()
    world.advance(minutes=3)
    assert world.act(Tick("ada", "safety_emergency_response.1", note="line 4", link="https://wiki/4")) is None
    found = done(world.incident, "safety_emergency_response.1", "Stop operations")
    assert (found.by, world.since(found.at), found.note, found.link) == ("ada", 3, "line 4", "https://wiki/4")
    [entry] = world.entries(Fact.STEP_DONE)
    assert (entry.by, entry.data["text"], entry.data["link"]) == ("ada", "Stop operations", "https://wiki/4")
    assert to_do(world)[0] == "Notify the safety team"


def test_ticking_twice_is_ticking_once():
    """The second click of two people changes nothing; a note added later is taken."""
    world = opened()
    for by in ("ada", "ben"):
        world.act(Tick(by, "safety_emergency_response.1"))
    assert done(world.incident, "safety_emergency_response.1", "Stop operations").by == "ada"
    assert len(world.entries(Fact.STEP_DONE)) == 1
    world.act(Tick("ben", "safety_emergency_response.1", note="seen"))
    assert len(world.entries(Fact.STEP_DONE)) == 2


def test_a_tick_can_be_taken_back():
    """Unticked, it is to do again, and the timeline has both."""
    world = opened()
    for is_done in (True, False, False):
        world.act(Tick("ada", "safety_emergency_response.1", done=is_done))
    assert to_do(world)[0] == "Stop operations"
    assert len(world.entries(Fact.STEP_UNDONE)) == 1


@pytest.mark.parametrize("step", ["safety_emergency_response.3", "escalation.1", "", "nonsense"])
def test_a_step_that_is_not_there_is_refused(step):
    """What the incident has not got (yet) cannot be ticked; the answer names what it has."""
    refusal = opened().act(Tick("ada", step))
    assert "safety_emergency_response.1" in refusal.reason


def test_acknowledging_does_the_steps_that_ask_for_it():
    """`Acknowledge incident …` is ticked for the person who acknowledges."""
    world = opened()
    world.acknowledge("ben")
    assert done(world.incident, "initial_response.1", "Acknowledge incident in time").by == "ben"
    assert len(world.entries(Fact.STEP_DONE)) == 1


def test_ticking_is_activity():
    """A ticked step keeps the acknowledgement."""
    world = opened()
    world.acknowledge()
    world.advance(minutes=10)
    world.act(Tick("ada", "safety_emergency_response.1"))
    assert world.window(Window.ACK_EXPIRY) == 25


def test_documentation_is_ticked_after_the_end():
    """A closed incident's steps can still be ticked; it gets no new ones."""
    world = opened()
    world.resolve(note="it is", force=True)
    world.clear("a")
    world.advance(minutes=24 * 60 + 30)
    assert world.incident.state is State.CLOSED
    assert world.act(Tick("ada", "post_incident_actions.documentation.1")) is None


def test_a_tick_counts_for_the_words_that_were_ticked():
    """Moved to a policy where the same place asks for something else, the step is to do again."""
    world = opened()
    world.act(Tick("ada", "safety_emergency_response.1"))
    other = replace(PROCEDURES[3], steps=("Sound the alarm", "Stop operations"))
    world.use(replace(WHOLE, procedures=(*PROCEDURES[:3], other, *PROCEDURES[4:])))
    world.replan()
    assert to_do(world)[:2] == ["Sound the alarm", "Stop operations"]


def test_procedures_of_one_name_in_two_sections_stay_apart():
    """Two sections' procedures of the same name are known with their sections."""
    twice = replace(
        WHOLE, procedures=(Procedure(SECTION, "drill", "", ("x",)), Procedure(AVIATION, "drill", "", ("y",)))
    )
    world = opened(policy=twice)
    assert f"{SECTION}.drill.1" in steps(world.incident, world.current)


def test_a_late_acknowledgement_ticks_no_step_as_in_time():
    """An answer after the breach ticks "Acknowledge incident within response time", and says that it is late."""
    world = opened()
    world.advance(minutes=40)
    world.acknowledge("amir")
    [step] = world.entries(Fact.STEP_DONE)
    assert sentence(step) == "done: Acknowledge incident in time (late, after the response time)"
    record = world.record()
    record = replace(record, entries=record.entries[: step.position], now=step.at)
    check_line(sentence(step), record)
    with pytest.raises(UntrueError):
        check_line("done: Acknowledge incident in time", record)
