"""Asking for help keeps the incident, pages until another answers, and costs no deadline; giving back is its own."""

import pytest

from receiver.core.model import Fact, Kind, Reason, State, Window
from receiver.core.responder_history import response_times
from receiver.core.response import Deed
from rules.policy import MINUTE, Micros
from tests.core.alerts import BUDGET
from tests.core.guide import with_level
from tests.core.world import World


def asked(level: int = 3, by: str = "ada", minutes: float = 10) -> World:
    """An incident that ada owns since its beginning, and for which `by` asks for help after `minutes`."""
    world = World()
    world.fire("a", level=level)
    world.acknowledge()
    world.advance(minutes=minutes)
    assert world.escalate(by) is None
    return world


def turns(world: World) -> list[tuple[float, Deed, str]]:
    """The history of who has it."""
    return [(world.since(each.at), each.deed, each.by) for each in world.incident.response.history]


def outcomes(world: World) -> list[tuple[float, str, str]]:
    """Each response time: when it began, what became of it, and who answered."""
    return [(world.since(each.began_at), each.outcome, each.by) for each in response_times(world.entries())]


def test_who_asks_for_help_keeps_the_incident():
    """The next step is paged at once; the owner stays, and no response time runs that could be breached."""
    world = asked()
    incident = world.incident
    assert (incident.state, incident.holder, incident.breached_at) == (State.ACKNOWLEDGED, "ada", None)
    assert world.pages()[1:] == [(10, Reason.HELP, "email slack pagerduty sms")]
    assert not {Window.ESCALATE, Window.BREACH} & set(incident.windows)
    world.note()
    world.advance(minutes=55)
    world.note()
    world.advance(minutes=55)
    assert world.incident.state is State.ACKNOWLEDGED
    assert world.heard(Kind.BREACH) == []
    assert outcomes(world) == [(0, "kept", "ada")]


def test_help_is_asked_for_again_until_another_person_answers():
    """Every escalation time the next step, also of the owner's own acknowledgement; another's ends it."""
    world = asked()
    world.advance(minutes=45)
    world.acknowledge("ada")
    world.advance(minutes=20)
    assert [(at, why) for at, why, _ in world.pages()[1:]] == [(10, Reason.HELP), (40, Reason.HELP), (70, Reason.HELP)]
    assert world.acknowledge("ben") is None
    world.advance(minutes=40)
    assert len(world.pages()) == 4
    assert (world.incident.holder, world.incident.response.asked_by, world.window(Window.HELP)) == ("ada", {}, None)
    assert turns(world) == [
        (0, Deed.ACKNOWLEDGED, "ada"),
        (10, Deed.ASKED_FOR_HELP, "ada"),
        (75, Deed.ANSWERED, "ben"),
    ]


def test_the_owner_withdraws_it():
    """No further page; what still waits is not sent, and pagers with a state of their own hear that it is taken."""
    world = asked()
    world.down = {"sms"}
    world.escalate()
    assert world.withdraw("ada") is None
    assert (world.incident.holder, world.window(Window.HELP), world.window(Window.RESCUE)) == ("ada", None, None)
    assert {each.channel for each in world.planned(Kind.ACKNOWLEDGED, Reason.WITHDRAWN)} == {
        "email",
        "slack",
        "pagerduty",
    }
    pages = len(world.pages())
    world.advance(minutes=40)
    assert len(world.pages()) == pages
    assert world.withdraw("ada").reason == "nobody asks for help with the incident"


def test_only_who_asked_or_has_it_withdraws():
    """A third person answers by acknowledging."""
    world = asked()
    assert world.withdraw("carla").reason == "ada asked for help: acknowledge the incident to answer"
    assert world.incident.response.asked_by


def test_asked_twice_the_next_step_comes_at_once_and_one_answer_ends_both():
    """Asking again pages again now; the window runs from the later call."""
    world = asked()
    world.advance(minutes=5)
    world.escalate()
    assert [at for at, _, _ in world.pages()] == [0, 10, 15]
    assert world.window(Window.HELP) == 45
    world.acknowledge("ben")
    assert world.incident.response.asked_by == {}


def test_another_persons_call_doubts_the_owner_and_pages_them_too():
    """The owner stays; the next step and all who were paged before are paged; the acknowledgement is not renewed."""
    world = World(with_level(3, escalates_to=("phone",)))
    world.fire("a")
    world.acknowledge()
    world.advance(minutes=10)
    world.escalate("ben")
    assert (world.incident.state, world.incident.holder) == (State.ACKNOWLEDGED, "ada")
    assert set(world.pages()[-1][2].split()) == {"phone", "email", "slack", "pagerduty"}
    assert world.window(Window.ACK_EXPIRY) == 60
    [entry] = world.entries(Fact.HELP_ASKED)
    assert (entry.by, entry.data["whom"]) == ("ben", "ada")


ANSWERS = {"the owner": ("ada", "ada"), "who doubted": ("ben", "ben"), "a third person": ("carla", "carla")}


@pytest.mark.parametrize(("by", "owner"), ANSWERS.values(), ids=ANSWERS)
def test_anybodys_answer_ends_a_doubt(by, owner):
    """The owner's answer confirms the ownership; another responder's answer takes the incident over."""
    world = asked(by="ben")
    world.acknowledge(by)
    assert (world.incident.holder, world.incident.response.asked_by, world.window(Window.HELP)) == (owner, {}, None)


def test_a_doubt_that_is_withdrawn_leaves_the_owners_own_call():
    """Each calls for themselves; the owner's withdrawal ends all of it."""
    world = asked()
    world.escalate("ben")
    world.withdraw("ben")
    assert list(world.incident.response.asked_by) == ["ada"]
    assert world.window(Window.HELP) == 40
    world.escalate("ben")
    world.withdraw("ada")
    assert world.incident.response.asked_by == {}


def test_after_a_handover_the_new_owner_asks():
    """Handed over to ben, ben's call keeps it ben's, and ada's doubts ben."""
    world = World()
    world.fire("a")
    world.acknowledge("ada")
    world.hand_over("ben")
    world.escalate("ben")
    assert (world.incident.holder, list(world.incident.response.asked_by)) == ("ben", ["ben"])
    world.acknowledge("ada")
    assert (world.incident.holder, world.incident.response.history[-1].deed) == ("ben", Deed.ANSWERED)
    world.escalate("ada")
    assert world.entries(Fact.HELP_ASKED)[-1].data["whom"] == "ben"


def test_a_call_survives_a_handover_until_somebody_answers():
    """The new owner has not answered yet: their acknowledgement is the answer."""
    world = asked()
    world.hand_over("ben")
    assert world.window(Window.HELP) == 40
    world.acknowledge("ben")
    assert (world.incident.holder, world.window(Window.HELP)) == ("ben", None)


def test_who_had_it_before_an_expiry_takes_the_next_step_and_breaks_nothing():
    """After the expiry the incident is unacknowledged: the next step goes out now, and the response time runs on."""
    world = World()
    world.fire("a")
    world.acknowledge()
    world.advance(minutes=70)
    world.escalate("ada")
    incident = world.incident
    assert (incident.state, incident.holder, world.window(Window.BREACH)) == (State.OPEN, "", 120)
    assert [each.deed for each in incident.response.history] == [
        Deed.ACKNOWLEDGED,
        Deed.EXPIRED,
        Deed.ASKED_FOR_HELP,
    ]
    world.advance(minutes=60)
    assert outcomes(world) == [(0, "kept", "ada"), (60, "breached", "")]


def test_an_owner_who_falls_silent_after_asking_is_not_stepped_back():
    """The acknowledgement expires with a call unanswered: it opens, and pages from the step that the call had reached."""
    world = asked(level=3, minutes=1)
    world.advance(minutes=62)
    assert world.incident.state is State.OPEN
    assert world.pages()[-1] == (61, Reason.ACK_EXPIRED, "email slack pagerduty sms")
    assert world.incident.response.asked_by == {}


def test_giving_back_opens_it_with_a_response_time_of_its_own():
    """It pages as at 0, and the deadline that begins then is kept by the next answer."""
    world = World()
    world.fire("a")
    world.acknowledge()
    world.advance(minutes=20)
    assert world.give_back() is None
    assert (world.incident.state, world.incident.holder) == (State.OPEN, "")
    assert world.pages()[-1] == (20, Reason.GIVEN_BACK, "email slack pagerduty")
    assert (world.window(Window.BREACH), world.window(Window.ACK_EXPIRY)) == (80, None)
    world.advance(minutes=5)
    world.acknowledge("ben")
    assert outcomes(world) == [(0, "kept", "ada"), (20, "kept", "ben")]
    assert (20, Deed.GIVEN_BACK, "ada") in turns(world)


REFUSED = {
    "nobody has it": (lambda world: None, "nobody has the incident"),
    "resolved": (lambda world: world.resolve(note="x", force=True), "the incident is resolved already"),
}


@pytest.mark.parametrize(("before", "why"), REFUSED.values(), ids=REFUSED)
def test_what_nobody_has_cannot_be_given_back(before, why):
    """Open or over: refused with words."""
    world = World()
    world.fire("a")
    before(world)
    assert world.give_back("ada").reason == why


def test_a_page_of_the_call_is_answered_like_any_page():
    """Its recipient saw a page, not a state: an answer that expects an open incident is not stale."""
    world = asked()
    assert world.acknowledge("+49301", expects=State.OPEN) is None
    assert world.incident.holder == "ada"
    assert world.acknowledge("+49302", expects=State.OPEN).reason == "the incident is acknowledged by now, not open"


def test_a_call_that_reaches_nobody_is_rescued():
    """A page for help goes to the fallback as any page does."""
    world = World(configured={"email", "slack", "pagerduty", "sms", "phone"})
    world.fire("a")
    world.acknowledge()
    world.down = {"email", "slack", "pagerduty", "sms"}
    world.escalate()
    world.advance(minutes=2)
    assert world.pages()[-1][1:] == (Reason.FALLBACK, "phone")


def test_a_silence_in_alertmanager_does_not_silence_a_call():
    """A call for help pages during a silence of Alertmanager and during Tocsin's own."""
    world = World()
    world.fire("a")
    world.acknowledge()
    world.silence(120)
    world.escalate()
    world.silence(120)
    world.advance(minutes=31)
    assert [why for _, why, _ in world.pages()] == [Reason.OPENED, Reason.HELP, Reason.HELP]
    world.acknowledge("ben")
    assert (world.window(Window.HELP), world.window(Window.ACK_EXPIRY)) == (None, None)


def test_a_downtime_makes_one_call_of_the_missed_ones():
    """What was due meanwhile becomes one page at once, and the rhythm goes on."""
    world = asked(level=3)
    world.escalate("ada")
    world.acknowledge("ada", hold=600 * MINUTE)
    world.sleep(100)
    assert [at for at, why, _ in world.pages() if why is Reason.HELP] == [10, 10, 110]
    assert world.window(Window.HELP) == 130
    assert [entry.data["steps"] for entry in world.entries(Fact.WINDOW_MISSED)] == ["2"]


def test_new_danger_voids_what_help_was_asked_for():
    """The history says so, and the deadline that begins then is answered by the next acknowledgement."""
    world = asked()
    world.fire("b", rule=BUDGET)
    assert turns(world)[-1] == (10, Deed.VOIDED, "ada")
    world.advance(minutes=3)
    world.acknowledge("ben")
    assert outcomes(world) == [(0, "kept", "ada"), (10, "kept", "ben")]


def test_each_reopening_begins_a_deadline_that_the_first_answer_decides():
    """Late after one reopening, in time after the next: each stands by itself."""
    world = World(with_level(3, resolve_after=Micros(0)))
    world.fire("a")
    world.advance(minutes=70)
    world.acknowledge("ada")
    world.give_back("ada")
    world.advance(minutes=1)
    world.acknowledge("ben")
    world.clear("a")
    world.advance(minutes=1)
    world.fire("a")
    assert outcomes(world) == [(0, "breached", "ada"), (70, "kept", "ben"), (72, "running", "")]


def test_the_history_keeps_its_last_turns():
    """However often it changes hands, the incident's row stays small."""
    world = World()
    world.fire("a")
    for number in range(60):
        world.acknowledge(f"person {number}")
    assert len(world.incident.response.history) == 50
    assert world.incident.response.history[-1].by == "person 59"
