"""Each deadline of an incident is kept or breached by the first answer after it began: the report's table of them."""

from dataclasses import replace

import pytest

from receiver.core.events import AddFollowUp, FinishFollowUp, Tick
from receiver.core.model import Fact, Instant, Kind
from receiver.reports.deadline_outcome import DeadlineOutcome, DeadlineResult, result_of
from receiver.reports.deadlines_kept import deadlines_of
from rules.policy import HOUR, MINUTE, Micros, TimedActions
from tests.core.guide import WHOLE
from tests.core.world import World

KEPT, BREACHED, RUNNING = DeadlineResult.KEPT, DeadlineResult.BREACHED, DeadlineResult.RUNNING
NOT_NEEDED, SUSPENDED = DeadlineResult.NOT_NEEDED, DeadlineResult.SUSPENDED


def found(world: World, name: str = "response") -> list[DeadlineOutcome]:
    """The deadlines of that name."""
    policy_version = world.context().policy_version
    return [
        each
        for each in deadlines_of(world.incident, world.timeline, policy_version, world.now)
        if each.name.startswith(name)
    ]


OUTCOMES = [
    (10, 20, 9, None, False, KEPT),
    (10, 20, 10, None, False, KEPT),
    (10, 20, 11, None, False, BREACHED),
    (10, 9, None, None, False, RUNNING),
    (10, 11, None, None, False, BREACHED),
    (10, 20, None, 9, False, NOT_NEEDED),
    (10, 20, None, 12, False, BREACHED),
    (10, 20, 11, None, True, SUSPENDED),
    (10, 20, 9, None, True, KEPT),
]


@pytest.mark.parametrize(("due", "now", "met", "ended", "suspended", "result"), OUTCOMES)
def test_outcome(due: int, now: int, met: int | None, ended: int | None, suspended: bool, result: str) -> None:
    """The first answer decides, to the microsecond; without one, whether an answer was still due."""
    answer = None if met is None else Instant(met)
    over = None if ended is None else Instant(ended)
    assert result_of(Instant(due), Instant(now), answer, over, suspended=suspended) is result


def test_answered_late() -> None:
    """A breached response time says by how much and by whom; the steps before it likewise."""
    world = World()
    world.fire("a", level=4)
    world.advance(18)
    world.acknowledge("amir")
    [response] = found(world)
    assert (response.result, response.by, response.late) == (BREACHED, "amir", 3 * MINUTE)
    [escalation] = found(world, "escalation")
    assert (escalation.result, escalation.late) == (BREACHED, 13 * MINUTE)


def test_every_reopening_begins_a_new_one() -> None:
    """What was breached first may be kept the next time, and is told apart."""
    world = World()
    world.fire("a", level=4)
    world.advance(18)
    world.acknowledge("amir")
    world.advance(15)
    assert world.incident.state == "open"
    world.advance(2)
    world.acknowledge("ben")
    first, second = found(world)
    assert (first.result, first.by) == (BREACHED, "amir")
    assert (second.result, second.by, second.since) == (KEPT, "ben", "the expiry of the acknowledgement")
    assert second.late == -13 * MINUTE


def test_not_needed() -> None:
    """What recovers by itself before its time needed no answer; while it is open the time runs."""
    world = World()
    world.fire("a", level=1)
    [running] = found(world)
    assert running.result is RUNNING
    world.clear("a")
    world.advance(60)
    [response] = found(world)
    assert (response.result, response.met_at) == (NOT_NEEDED, None)


def test_asking_for_help_begins_no_deadline() -> None:
    """Who escalates what they took asks for help and keeps it: what they answered stays kept, and nothing new runs."""
    world = World()
    world.fire("a", level=4)
    world.advance(1)
    world.acknowledge("amir")
    world.advance(2)
    world.escalate("amir")
    world.advance(8)
    [response] = found(world)
    assert (response.result, response.by) == (KEPT, "amir")


def test_silenced() -> None:
    """While a silence pauses paging no answer is due; when it ends, a time of its own begins."""
    world = World()
    world.fire("a", level=3)
    world.silence(120)
    world.advance(61)
    [response] = found(world)
    assert response.result is SUSPENDED
    world.advance(60)
    _, after = found(world)
    assert (after.since, after.result) == ("the end of the silence", RUNNING)
    world.acknowledge("amir")
    assert found(world)[1].result is KEPT


def test_initial_response() -> None:
    """The limits of the initial response run once for each opening: to acknowledge, and from then on to assess."""
    world = World(WHOLE)
    world.fire("a", level=4)
    world.advance(16)
    world.acknowledge("amir")
    [acknowledgement, assessment] = found(world, "initial response")
    assert (acknowledgement.result, acknowledgement.late) == (BREACHED, MINUTE)
    assert assessment.result is RUNNING
    world.advance(10)
    world.change("amir", revenue_impact="high")
    assert (found(world, "initial response")[1].result, found(world, "initial response")[1].by) == (KEPT, "amir")


def test_follow_ups() -> None:
    """A follow-up action with a day is a deadline too."""
    world = World()
    world.fire("a", level=4)
    world.act(AddFollowUp("amir", "pin the model", "ben", Instant(world.now + 10 * MINUTE)))
    [running] = found(world, "follow-up action")
    world.advance(12)
    [missed] = found(world, "follow-up action")
    world.act(FinishFollowUp("ben", "f1"))
    [late] = found(world, "follow-up action")
    assert (running.result, missed.result, late.result, late.late) == (RUNNING, BREACHED, BREACHED, 2 * MINUTE)


LIMITS = replace(
    WHOLE,
    initial_response=(),
    investigation=(TimedActions("analysis", "", ("Look", "Tell"), Micros(4 * HOUR)),),
    fix_implementation=(TimedActions("fix", "", ("Mend",), Micros(2 * HOUR), from_level=4),),
)
ANALYSIS = ("root_cause_analysis.analysis.1", "root_cause_analysis.analysis.2")


def limited(level: int = 3) -> World:
    """An incident with a limit on its analysis and, from level 4 on, one on its fix."""
    world = World(LIMITS)
    world.fire("a", level=level)
    world.acknowledge("amir", hold=48 * HOUR)
    return world


def test_a_checklist_is_kept_by_its_last_step() -> None:
    """One step is not all of it; the last tick says when and by whom, late or in time."""
    world = limited()
    world.act(Tick("ben", ANALYSIS[0]))
    assert [each.result for each in found(world, "checklist")] == [RUNNING]
    world.advance(180)
    world.act(Tick("amir", ANALYSIS[1]))
    [kept] = found(world, "checklist")
    assert (kept.result, kept.by, kept.late) == (KEPT, "amir", -60 * MINUTE)
    late = limited().advance(300)
    for step in ANALYSIS:
        late.act(Tick("ben", step))
    assert [(each.result, each.late) for each in found(late, "checklist")] == [(BREACHED, 60 * MINUTE)]


def test_a_checklist_outlives_what_it_investigates() -> None:
    """The analysis runs on after the resolution; of the fix nothing was needed any more."""
    world = limited(level=4)
    world.advance(60)
    world.clear("a")
    world.resolve("amir")
    assert {each.name: each.result for each in found(world, "checklist")} == {
        'checklist "analysis"': RUNNING,
        'checklist "fix"': NOT_NEEDED,
    }
    world.advance(240)
    assert found(world, 'checklist "analysis"')[0].result is BREACHED


def test_an_occurrence_has_its_own_limits() -> None:
    """What was late before it came back stays late; what a raised level asks for was not asked of the first time."""
    world = limited()
    world.advance(300)
    world.clear("a")
    world.advance(10)
    world.fire("a")
    world.change("amir", level=4, reason="worse")
    world.acknowledge("amir", hold=48 * HOUR)
    assert [(each.name, each.result) for each in found(world, "checklist")] == [
        ('checklist "analysis"', BREACHED),
        ('checklist "analysis"', RUNNING),
        ('checklist "fix"', RUNNING),
    ]


def test_a_lowered_level_hides_no_missed_limit() -> None:
    """Late while it was level 4, it stays late; lowered in time, it is not needed; never at that level, it is not told."""
    late, lowered = limited(level=4).advance(130), limited(level=4).advance(30)
    for world in (late, lowered):
        world.change("amir", level=3, reason="milder")
        world.advance(200)
    assert [each.result for each in found(late, 'checklist "fix"')] == [BREACHED]
    assert [each.result for each in found(lowered, 'checklist "fix"')] == [NOT_NEEDED]
    assert found(limited(), 'checklist "fix"') == []


@pytest.mark.parametrize("act", [World.acknowledge, lambda world, by: world.resolve(by, note="mended", force=True)])
def test_an_answer_after_a_downtime_records_the_breach(act):
    """Tocsin was down when the response time ended: the timeline says that it was breached, as the report does."""
    world = World(WHOLE)
    world.fire("a", level=4)
    world.now = Instant(world.now + 40 * MINUTE)
    act(world, "amir")
    [breach] = world.entries(Fact.BREACHED)
    assert int(breach.data["due_at"]) == found(world)[0].due_at
    assert [each.result for each in found(world)] == [BREACHED]
    assert not world.planned(Kind.BREACH)
