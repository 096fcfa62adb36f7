"""Duties with clocks: a block with a time limit has a deadline, an owner who is reminded, and who hears when it is late."""

from dataclasses import replace

import pytest

from receiver.core.duties import running
from receiver.core.events import Tick
from receiver.core.instant import Jump
from receiver.core.model import Fact, Instant, Kind, Reason, State, Target, Window
from receiver.core.plan import PolicyVersion
from receiver.core.windows import put_off
from receiver.reports.deadline_outcome import DeadlineResult
from receiver.reports.duties_kept import duty_outcomes
from rules.policy import HOUR, MINUTE, ImpactMetrics, Micros, Policy, Procedure, TimedActions
from tests.core.guide import POLICY, SAFETY_SECTION, WHOLE
from tests.core.test_assignment import INTERNAL, LIMITED
from tests.core.truth import WORDS, OneMessage
from tests.core.world import World

LIMIT = Micros(4 * HOUR)
DAY = 24 * 60
THREADS = [Target("email", "incident-response@company.com"), Target("slack", "#incident-response")]


def limited(**blocks: object) -> Policy:
    """The guide's policy with these blocks instead of its own."""
    none = {"initial_response": (), "investigation": (), "impact_metrics": (), "fix_implementation": ()}
    return replace(WHOLE, **{**none, "post_incident": (), **blocks})


def block(name: str, limit: int = LIMIT, **more: object) -> tuple[TimedActions, ...]:
    """One block with two actions and a limit."""
    return (TimedActions(name, "", ("Look", "Tell"), Micros(limit), **more),)


ANALYSIS = limited(investigation=block("analysis"))
TICKED = ("root_cause_analysis.analysis.1", "root_cause_analysis.analysis.2")


def taken(policy: Policy = ANALYSIS, level: int = 3) -> World:
    """An incident that ada has from its first minute on, and goes on working on."""
    world = World(policy)
    world.fire("a", level=level)
    world.acknowledge(hold=30 * 24 * HOUR)
    return world


def told(world: World, reason: Reason) -> list[tuple[float, Target]]:
    """Who was told when, for that reason."""
    found = world.planned(Kind.REMINDER, reason)
    return [(world.since(each.created_at), Target(each.channel, each.recipient)) for each in found]


BLOCKS = {
    "investigation": (limited(investigation=block("analysis")), "root_cause_analysis.analysis"),
    "fix": (limited(fix_implementation=block("immediate_fix")), "fix_implementation.immediate_fix"),
    "impact": (
        limited(impact_metrics=(ImpactMetrics("business", "", ("revenue",), LIMIT),)),
        "impact_assessment.business",
    ),
    "a further block of the initial response": (
        limited(initial_response=block("team_notification")),
        "initial_response.team_notification",
    ),
    "a procedure": (
        limited(procedures=(Procedure("incident_response", "containment", "", ("Isolate",), "opened", LIMIT),)),
        "containment",
    ),
    "a section's procedure": (
        replace(
            limited(procedures=(Procedure(SAFETY_SECTION, "evidence", "", ("Keep",), "opened", LIMIT),)),
            rules=tuple(replace(each, section=SAFETY_SECTION) for each in WHOLE.rules),
        ),
        "evidence",
    ),
}


@pytest.mark.parametrize(("policy", "key"), BLOCKS.values(), ids=BLOCKS)
def test_every_block_of_procedures_has_its_clock(policy, key):
    """From when the incident gets the checklist: reminded when a quarter is left, overdue at the limit."""
    world = World(policy)
    rule = next(each.key for each in policy.rules if each.section == SAFETY_SECTION or key != "evidence")
    world.fire("a", rule=rule)
    world.acknowledge(hold=30 * 24 * HOUR)
    duty = world.incident.response.duties[key]
    assert world.since(duty.due_at) == 240
    assert world.window(Window.DUTY) == 180
    world.advance(minutes=241)
    assert [world.since(each.at) for each in world.entries(Fact.REMINDED) if "what" in each.data] == [180]
    assert [world.since(each.at) for each in world.entries(Fact.OVERDUE)] == [240]


@pytest.mark.parametrize("name", ["documentation", "monitoring"])
def test_what_follows_the_resolution_has_its_clock_beyond_the_close(name):
    """The limit of post-incident actions counts from the resolution, and runs on when the incident is closed."""
    world = taken(limited(post_incident=block(name, 3 * 24 * HOUR)))
    world.clear("a")
    world.advance(minutes=5)
    assert world.incident.state is State.RESOLVED
    world.advance(minutes=2 * DAY)
    assert world.incident.state is State.CLOSED
    assert set(world.incident.windows) == {Window.DUTY}
    world.advance(minutes=DAY + 60)
    assert [world.since(each.at) for each in world.entries(Fact.OVERDUE)] == [5 + 3 * DAY]
    assert world.incident.windows == {}


def test_the_owner_hears_first_and_then_the_stakeholders():
    """Reminded and overdue in the threads, by name; an escalation time later the internal stakeholders, once each."""
    world = taken().advance(minutes=DAY)
    assert told(world, Reason.DUE) == [(180, target) for target in THREADS]
    overdue = told(world, Reason.OVERDUE)
    assert overdue == [(240, target) for target in THREADS] + [(270, target) for target in INTERNAL]
    assert {each.data["whom"] for each in world.planned(Kind.REMINDER, Reason.OVERDUE)} == {"ada"}
    assert len(world.pages()) == 1


def test_where_nobody_has_it_the_stakeholders_hear_at_once():
    """Given back, there is no owner to wait for; who is in the threads hears it once."""
    world = taken()
    world.give_back()
    world.advance(minutes=240)
    overdue = [target for at, target in told(world, Reason.OVERDUE) if at == 240]
    assert len(overdue) == len(set(overdue))
    assert set(overdue) == {*THREADS, *INTERNAL}


def test_stakeholders_of_a_higher_level_are_not_bothered():
    """At level 2, below their `from_level`, only the owner hears that it is late."""
    world = taken(level=2).advance(minutes=2 * DAY)
    assert {target for _, target in told(world, Reason.OVERDUE)} <= set(THREADS)
    assert told(world, Reason.OVERDUE)


def test_what_is_done_is_never_late():
    """All steps ticked, the clock is gone; one unticked, it runs as before."""
    world = taken()
    for step in TICKED:
        world.act(Tick("ada", step))
    assert world.incident.response.duties == {}
    assert Window.DUTY not in world.incident.windows
    world.act(Tick("ada", TICKED[0], done=False))
    assert world.since(world.incident.response.duties["root_cause_analysis.analysis"].due_at) == 240
    world.act(Tick("ada", TICKED[0]))
    world.advance(minutes=2 * DAY)
    assert world.entries(Fact.OVERDUE) == []


def test_after_downtime_only_the_last_is_told():
    """Tocsin was away for all of it: one message to each, that it is overdue."""
    world = taken().sleep(2 * DAY)
    assert told(world, Reason.DUE) == []
    overdue = told(world, Reason.OVERDUE)
    assert len(overdue) == len(set(overdue))
    assert {target for _, target in overdue} == {*THREADS, *INTERNAL}


def test_the_fix_of_what_is_over_is_not_asked_for():
    """Resolved by itself, the fix is wanted no more; the investigation still is."""
    world = taken(limited(fix_implementation=block("immediate_fix"), investigation=block("analysis")))
    world.clear("a")
    world.advance(minutes=5)
    assert list(world.incident.response.duties) == ["root_cause_analysis.analysis"]


def test_below_its_level_a_block_has_no_limit():
    """`from_level` of a block: a milder incident has the checklist, and no clock."""
    world = taken(limited(investigation=block("analysis", from_level=4)))
    assert world.incident.response.duties == {}
    assert "root_cause_analysis.analysis" in world.incident.response.checklists.attached


def test_a_late_rise_has_the_whole_limit():
    """The limit of `from_level` counts from the rise to that level, each time it rises; so it is in the report."""
    world = taken(limited(investigation=block("analysis", from_level=4))).advance(minutes=DAY)
    for hours in (0, 2):
        world.advance(minutes=hours * 60)
        world.change(level=3, reason="not so bad")
        world.change(level=4, reason="worse than thought")
        [duty] = world.incident.response.duties.values()
        assert world.since(duty.due_at) == DAY + hours * 60 + 240
    assert world.entries(Fact.OVERDUE) == []
    [outcome] = duty_outcomes(world.incident, world.timeline, world.current, world.now)
    assert (outcome.due_at, outcome.since) == (duty.due_at, "when its limit began")


def test_alerts_of_a_higher_level_begin_a_limit_too():
    """The level rises by an alert: the limit counts from then."""
    world = taken(limited(investigation=block("analysis", from_level=4))).advance(minutes=DAY)
    world.fire("b", level=4)
    assert [world.since(each.due_at) for each in world.incident.response.duties.values()] == [DAY + 240]


def test_a_rise_leaves_running_limits():
    """A limit that all levels have goes on from when the checklist was attached."""
    world = taken().advance(minutes=60)
    world.change(level=4, reason="worse than thought")
    assert [world.since(each.due_at) for each in world.incident.response.duties.values()] == [240]


def test_a_jump_of_the_clock_takes_no_time_away():
    """The clock jumps an hour ahead: the limit lasts as long as it was to last, and the report says so too."""
    world = taken()
    jumped = put_off(world.incident, [Jump(Instant(world.now + MINUTE), HOUR)])
    [duty] = jumped.response.duties.values()
    assert world.since(duty.due_at) == 300
    [outcome] = duty_outcomes(jumped, world.timeline, world.current, world.now)
    assert outcome.due_at == duty.due_at


def test_a_closed_incident_gets_no_new_clock_of_a_checklist():
    """All steps were done when it closed: no person is reminded of a step that is unticked afterwards."""
    world = taken()
    for step in TICKED:
        world.act(Tick("ada", step))
    world.clear("a")
    world.advance(minutes=2 * DAY)
    assert world.incident.state is State.CLOSED
    assert world.act(Tick("ada", TICKED[0], done=False)) is None
    assert (world.incident.response.duties, world.incident.windows) == ({}, {})


def test_who_heard_that_it_is_late_hears_the_end():
    """Told of an overdue checklist, and of nothing else before the breach, the internal stakeholders get the all-clear."""
    world = World(
        limited(procedures=(Procedure("incident_response", "containment", "", ("Isolate",), "opened", 10 * MINUTE),))
    )
    world.fire("a", level=3)
    world.advance(minutes=20)
    assert world.planned(Kind.BREACH) == []
    assert set(INTERNAL) <= {target for _, target in told(world, Reason.OVERDUE)}
    world.clear("a")
    world.advance(minutes=5)
    assert set(INTERNAL) <= {Target(each.channel, each.recipient) for each in world.planned(Kind.RESOLVED)}


@pytest.mark.parametrize("reason", [Reason.DUE, Reason.OVERDUE])
def test_its_words_say_what_is_so(reason):
    """Who, what, until when; done meanwhile, it says so."""
    world = taken().advance(minutes=241)
    message = world.planned(Kind.REMINDER, reason)[0]
    worded = WORDS.render(OneMessage([(message, world.incident)], world.context()), world.now)
    assert 'ada: the checklist "analysis" was due by' in worded.lead
    assert "Due soon" not in worded.text
    for step in TICKED:
        world.act(Tick("ada", step))
    worded = WORDS.render(OneMessage([(message, world.incident)], world.context()), world.now)
    assert "is done by now" in worded.lead


@pytest.mark.parametrize("level", [1, 2])
def test_level_1_and_2_have_their_own_time_to_answer(level):
    """The guide's 15 minutes are for levels 3 and 4: level 1 has its 24 hours, and no reminder comes earlier."""
    everybody = replace(LIMITED, stakeholders=tuple(replace(each, from_level=1) for each in LIMITED.stakeholders))
    world = World(everybody)
    world.fire("a", level=level)
    assert Window.ACKNOWLEDGE_LIMIT not in world.incident.windows
    response = everybody.level(level).response_time // MINUTE
    world.advance(minutes=response - 1)
    assert world.entries(Fact.OVERDUE) == []
    assert world.planned(Kind.REMINDER) == []
    world.acknowledge(hold=40 * HOUR)
    assert world.window(Window.ASSESS_LIMIT) == world.minutes + response


def test_a_lowered_level_has_its_own_time():
    """Opened at level 3 and lowered to 1 within the quarter of an hour, nothing is overdue."""
    world = World(LIMITED)
    world.fire("a", level=3)
    world.change(level=1, reason="harmless")
    world.advance(minutes=59)
    assert world.entries(Fact.OVERDUE) == []


def test_from_level_says_for_whom_the_limit_is():
    """A block of the initial response with `from_level: 1` holds for level 1 too."""
    strict = tuple(replace(each, from_level=1) for each in LIMITED.initial_response)
    world = World(replace(POLICY, initial_response=strict))
    world.fire("a", level=1)
    assert world.window(Window.ACKNOWLEDGE_LIMIT) == 15


def test_what_runs_is_listed_in_the_order_it_is_due():
    """The page, the command line and the API show the same list."""
    world = taken(limited(fix_implementation=block("immediate_fix", HOUR), investigation=block("analysis")))
    version = PolicyVersion.of(world.current.policy, world.current.digest)
    assert [task.key for task, _ in running(world.incident, version)] == [
        "fix_implementation.immediate_fix",
        "root_cause_analysis.analysis",
    ]


def test_a_closed_exercise_owes_no_checklist():
    """No reminder of the investigation is sent after a drill has closed, and its report tells no breach."""
    world = World(limited(investigation=block("analysis", 2 * 24 * HOUR)))
    world.declare(exercise=True)
    world.acknowledge(hold=HOUR)
    world.resolve()
    world.advance(minutes=5 * DAY)
    assert world.incident.state is State.CLOSED
    assert (world.entries(Fact.OVERDUE), world.incident.windows) == ([], {})
    [outcome] = duty_outcomes(world.incident, world.timeline, world.current, world.now)
    assert outcome.result is DeadlineResult.NOT_NEEDED


def test_what_begins_with_the_recovery_outlives_the_incident():
    """The limit of a procedure that comes with the recovery runs on after the resolution: the check is still owed."""
    check = Procedure("incident_response", "aftercare", "", ("Inspect",), "recovered", LIMIT)
    world = taken(limited(procedures=(check,)), level=2)
    world.clear("a")
    world.advance(minutes=10)
    assert world.incident.state is State.RESOLVED
    assert "aftercare" in world.incident.response.duties
