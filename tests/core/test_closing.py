"""A resolved incident closes when nothing is missing: its cause, mandatory steps, a second person's signature."""

from dataclasses import replace

import pytest

from receiver.core.checklists import attached
from receiver.core.closing import is_or_are, outstanding
from receiver.core.events import Close, SignOff, Tick
from receiver.core.model import Fact, Incident, Instant, Kind, Reason, State, Status, Window
from rules.load import load
from rules.policy import HOUR, Closing, Micros, Reports
from tests.core.guide import POLICY, WHOLE, with_channel
from tests.core.truth import WORDS, OneMessage
from tests.core.world import World

DAY = 24 * 60
TERMS = Closing(from_level=3, facts=("root_cause",), checklists=("immediate_actions", "resolution"), sign_off_from=4)
STRICT = replace(WHOLE, closing=TERMS, reports=Reports(recipients=("board@company.com",)))
CAUSE = {"root_cause": "a worn bearing"}


def resolved(policy=STRICT, level: int = 3, rule: str | None = None, **more) -> World:
    """Acknowledged by ada, cleared, resolved by ada in the first minute."""
    world = World(policy, **more)
    world.fire("a", level=level, rule=rule)
    world.acknowledge()
    world.clear("a")
    world.resolve()
    return world


def missing(world: World) -> list[str]:
    """What keeps it from closing."""
    return outstanding(world.incident, world.context(world.incident.policy).policy_version)


def tick_all(world: World) -> None:
    """Every step of every checklist."""
    for each in attached(world.incident, world.current):
        for step, _ in each.numbered():
            world.act(Tick("ada", step))


def test_an_incident_with_nothing_done_does_not_close():
    """The monitoring ends, and it stays resolved; what is missing is written down."""
    world = resolved()
    world.advance(minutes=DAY)
    assert world.incident.state is State.RESOLVED
    assert missing(world) == [
        "the root cause is not known",
        "1 of 1 steps of resolution not ticked: resolution.1 (Verify the fix)",
    ]
    assert world.entries(Fact.KEPT_OPEN)[-1].data["missing"] == "; ".join(missing(world))
    assert world.planned(Kind.REPORT) == []


def test_the_owner_is_reminded_then_management():
    """At the end of the monitoring those who were paged read what is missing of whom; a day later management too."""
    world = resolved()
    world.advance(minutes=DAY)
    first = world.planned(Kind.REMINDER, Reason.KEPT_OPEN)
    assert {each.channel for each in first} == {"email", "slack"}
    assert "management@company.com" not in {each.recipient for each in first}
    assert {each.data["whom"] for each in first} == {"ada"}
    slack = next(each for each in first if each.channel == "slack")
    message = WORDS.render(OneMessage([(slack, world.incident)], world.context()), world.now)
    assert message.lead.startswith(
        "Not closed yet: ada: it is resolved and cannot close yet: the root cause is not known; "
    )
    assert dict(message.facts)["State"].endswith("(Verify the fix)")
    world.advance(minutes=DAY)
    again = world.planned(Kind.REMINDER, Reason.KEPT_OPEN)[len(first) :]
    assert "management@company.com" in {each.recipient for each in again}


def test_it_closes_as_soon_as_nothing_is_missing():
    """What comes in after the monitoring closes it at once; before its end nothing does."""
    world = resolved()
    world.change(**CAUSE)
    tick_all(world)
    assert (missing(world), world.incident.state) == ([], State.RESOLVED)
    world.advance(minutes=DAY)
    assert world.incident.state is State.CLOSED
    late = resolved()
    late.advance(minutes=DAY + 60)
    late.change(**CAUSE)
    assert late.incident.state is State.RESOLVED
    late.act(Tick("ada", "resolution.1"))
    assert (late.incident.state, late.window(Window.CLOSE)) == (State.CLOSED, None)


@pytest.mark.parametrize("cause", ["", "unknown", "Not yet known.", "?", "TBD", "n/a"])
def test_a_cause_that_says_nothing_is_none(cause):
    """Writing that it is unknown does not make it known."""
    world = resolved()
    world.change(root_cause=cause)
    assert "the root cause is not known" in missing(world)


def test_an_incident_that_resolves_by_itself_obeys_too():
    """An incident without an owner stays open, and the reminder says that it has none."""
    world = World(STRICT)
    world.fire("a")
    world.clear("a")
    world.advance(minutes=DAY + 6)
    assert world.incident.state is State.RESOLVED
    assert {each.data.get("whom", "") for each in world.planned(Kind.REMINDER, Reason.KEPT_OPEN)} == {""}


@pytest.mark.parametrize("level", [1, 2])
def test_milder_levels_close_by_themselves(level):
    """It holds from the level that the policy says."""
    world = resolved(level=level)
    world.advance(minutes=DAY)
    assert world.incident.state is State.CLOSED


def test_a_policy_of_an_older_release_lets_them_close():
    """An incident that runs under a stored policy version without these terms closes as it did."""
    world = resolved(POLICY, level=4)
    world.use(STRICT)
    world.advance(minutes=DAY)
    assert world.incident.state is State.CLOSED


def test_moved_to_a_milder_policy_it_closes():
    """Who relaxes the terms moves what is stuck to the policy in use."""
    world = resolved()
    world.advance(minutes=DAY)
    world.use(replace(STRICT, closing=Closing()))
    world.replan()
    assert world.incident.state is State.CLOSED


def emergency() -> World:
    """Level 4, resolved by ada, nothing missing but a signature; an exercise likewise."""
    world = resolved(level=4)
    world.change(**CAUSE)
    tick_all(world)
    return world


def test_an_emergency_wants_another_persons_signature():
    """Not whose who resolved it, however they write their name."""
    world = emergency()
    assert missing(world) == ["nobody other than ada, who resolved it, has signed it off"]
    assert world.act(SignOff(" Ada")).reason == " Ada resolved the incident: another person signs it off"
    assert world.act(SignOff("ben")) is None
    assert (missing(world), world.incident.response.signed_off_by) == ([], "ben")
    world.advance(minutes=DAY)
    assert world.incident.state is State.CLOSED


def test_an_exercise_wants_it_too():
    """Who practises practises this."""
    world = World(STRICT)
    world.declare(exercise=True)
    world.resolve()
    assert missing(world)[-1] == "nobody other than ada, who resolved it, has signed it off"


def test_nothing_is_signed_off_that_is_not_complete():
    """The answer says what is missing."""
    world = resolved(level=4)
    assert "it cannot be signed off yet: the root cause is not known; " in world.act(SignOff("ben")).reason


def test_what_changes_after_the_signature_is_signed_again():
    """A signature is for what was read."""
    world = emergency()
    world.act(SignOff("ben"))
    world.change(root_cause="a cracked housing")
    assert missing(world) == ["nobody other than ada, who resolved it, has signed it off"]
    assert world.entries(Fact.SIGN_OFF_VOID)[0].data["whom"] == "ben"


def test_a_revision_can_be_signed_off():
    """What changes after the close voids the signature too, and can be signed again."""
    world = emergency()
    world.act(SignOff("ben"))
    world.advance(minutes=DAY)
    world.change(root_cause="a cracked housing")
    assert missing(world) == ["nobody other than ada, who resolved it, has signed it off"]
    assert world.act(SignOff("cleo")) is None
    assert (world.incident.state, world.incident.response.signed_off_by) == (State.CLOSED, "cleo")


def test_a_recurrence_wants_a_signature_of_its_own():
    """What was signed off came back."""
    world = emergency()
    world.act(SignOff("ben"))
    world.fire("a", level=4)
    world.clear("a")
    world.resolve()
    assert "nobody other than ada, who resolved it, has signed it off" in missing(world)


def test_a_person_may_close_it_anyway_with_a_reason():
    """No incident is stuck for ever: who closes it and why is written down, with what it closes without."""
    world = resolved()
    assert world.act(Close("cleo", "")).reason == "closing an incident by hand needs a reason"
    assert world.act(Close("cleo", "the team is gone")) is None
    [entry] = world.entries(Fact.CLOSED)
    assert (entry.by, entry.data["note"]) == ("cleo", "the team is gone")
    assert entry.data["missing"].startswith("the root cause is not known; ")
    assert world.incident.state is State.CLOSED
    assert world.planned(Kind.REPORT) != []


NOT_CLOSABLE = {
    "open": (lambda world: world.fire("a"), "the incident is open: resolve it first"),
    "still firing": (
        lambda world: (world.fire("a"), world.resolve(note="broken probe", force=True)),
        "alerts of the incident fire, or may fire: it would be lost to sight",
    ),
}


@pytest.mark.parametrize(("happens", "reason"), NOT_CLOSABLE.values(), ids=NOT_CLOSABLE)
def test_what_is_not_over_cannot_be_closed(happens, reason):
    """Closing is no way around resolving."""
    world = World(STRICT)
    happens(world)
    assert world.act(Close("cleo", "enough")).reason == reason


def closed(**more) -> World:
    """Closed, and its report has gone out."""
    world = resolved(**more)
    world.act(Close("cleo", "enough"))
    world.advance(minutes=1)
    return world


def test_a_revised_report_goes_to_whoever_got_the_first():
    """Facts that change after the close: one revision for all that was written within a quarter of an hour, numbered."""
    world = closed()
    world.use(replace(STRICT, reports=Reports(recipients=("others@company.com",))))
    world.change(root_cause="a cracked housing")
    world.advance(minutes=5)
    world.change(fix_description="replaced")
    world.advance(minutes=15)
    world.change(root_cause="a cracked bracket")
    world.advance(minutes=20)
    first, *revised = world.planned(Kind.REPORT)
    assert [each.recipient for each in (first, *revised)] == ["board@company.com"] * 3
    assert [(each.data["number"], each.data["changed"]) for each in revised] == [
        ("2", "root cause, fix description"),
        ("3", "root cause"),
    ]
    assert [each.data["number"] for each in world.entries(Fact.REPORT_REVISED)] == ["2", "3"]


def test_nobody_gets_a_revision_who_got_no_report():
    """Without recipients there is nothing to revise; a fact that is entered again as it was changes nothing."""
    silent = closed(policy=replace(STRICT, reports=Reports()))
    silent.change(**CAUSE)
    assert silent.incident.windows == {}
    world = closed()
    world.change(**CAUSE)
    world.advance(minutes=20)
    world.change(**CAUSE)
    assert (world.incident.windows, len(world.planned(Kind.REPORT))) == ({}, 2)


def test_a_revision_that_no_channel_carries_is_recorded():
    """As the first report is: said, and never dropped."""
    world = closed()
    world.use(with_channel("email", STRICT, enabled=False))
    world.change(**CAUSE)
    world.advance(minutes=20)
    assert [each.status for each in world.planned(Kind.REPORT)] == [Status.ACCEPTED, Status.UNDELIVERABLE]


def test_how_often_it_reminds_is_the_policys():
    """`remind_every`."""
    world = resolved(replace(STRICT, closing=replace(TERMS, remind_every=Micros(4 * HOUR))))
    world.advance(minutes=DAY + 8 * 60)
    assert len(world.entries(Fact.KEPT_OPEN)) == 3


def test_a_policy_that_says_nothing_has_terms_for_levels_3_and_4():
    """The guide's own policy, shipped."""
    closing = load([]).closing
    assert (closing.from_level, closing.sign_off_from, closing.facts) == (3, 4, ("root_cause",))


def test_what_is_only_recorded_is_asked_nothing():
    """An incident of level 0 closes by itself."""
    blank = Incident("", "", "", 4, "", "", Instant(0), Instant(0), recorded_only=True)
    assert outstanding(blank, World(STRICT).current) == []


SUBJECTS = {
    "final results to the authority (aviation_analysis)": "are",
    "occurrence report to the authority (reports)": "is",
    "notice to customers of ours": "is",
    "lessons learned": "are",
    "preliminary analysis": "is",
    "status": "is",
    'checklist "Verify the fixes"': "is",
}


@pytest.mark.parametrize(("what", "verb"), SUBJECTS.items())
def test_several_things_are_and_one_is(what, verb):
    """The verb goes with what is named, not with whom it is for."""
    assert is_or_are(what) == verb


def test_a_lowered_emergency_still_wants_a_second_person():
    """Who lowers the level takes no signature away, before the end or after it; what never was one wants none."""
    world = World(STRICT)
    world.fire("a", level=3)
    world.acknowledge()
    world.change(level=4, reason="a patient is hurt")
    world.acknowledge()
    world.change(level=2, reason="it was a bruise")
    world.clear("a")
    world.resolve()
    said = "nobody other than ada, who resolved it, has signed it off (it was level 4 before it was lowered)"
    assert missing(world) == [said]
    world.advance(minutes=DAY)
    assert world.incident.state is State.RESOLVED
    assert world.act(SignOff("ben")) is None
    assert world.incident.state is State.CLOSED
    mild = World(STRICT)
    mild.fire("a", level=3)
    mild.change(level=1, reason="harmless")
    mild.clear("a")
    mild.resolve()
    assert missing(mild) == []
