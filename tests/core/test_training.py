"""Training that is due: who is reminded, when, and what becomes of the incident that keeps watch over it."""

from dataclasses import replace

import pytest
from msgspec.structs import replace as replace_struct

from receiver.core.events import TrainingRead
from receiver.core.model import Fact, Incident, Instant, Kind, Reason, State, Target, Window
from receiver.core.response import Practice, Response
from receiver.core.training import KEY
from receiver.messages import MessageRenderer
from receiver.reports.held_drill import HeldDrill
from receiver.reports.training_roster import roster
from rules.policy import HOUR, Micros, Person, ResponseRole
from tests.core.guide import POLICY
from tests.core.test_assignment import INTERNAL
from tests.core.truth import OneMessage, Record, check, texts
from tests.core.world import World

DAY = 24 * HOUR
PEOPLE = (Person("bob", contacts=(("email", "bob@company.com"),), aliases=("robert",)), Person("zoe"))
BLANK = Incident("", "", "", 3, "", "", Instant(0), Instant(0))
WANTED = replace(POLICY, drills_every=Micros(90 * DAY), people=PEOPLE)


def watched(*practices: tuple[str, str, int], policy=WANTED) -> World:
    """A world whose record of drills says so; (person, subject, due in days)."""
    world = World(policy)
    tell(world, *practices)
    return world


def tell(world: World, *practices: tuple[str, str, int]) -> None:
    """What the record of drills says now."""
    start = world.now if not hasattr(world, "began") else world.began
    world.began = start
    found = tuple(
        Practice(person, subject, Instant(start + days * DAY) if subject else Instant(0))
        for person, subject, days in practices
    )
    world.decide(TrainingRead(KEY, found))
    world.advance(minutes=0.1)


def reminders(world: World) -> list[tuple[str, str, str]]:
    """(reason, recipient, whom it is about) of every reminder."""
    planned = world.planned(Kind.REMINDER)
    return [(each.reason.value, each.recipient, each.data["training"]) for each in planned]


def test_a_person_is_reminded_before_and_the_owner_hears_what_is_overdue():
    """Two weeks before by the person's own mailbox; overdue, the person and the internal groups, each once."""
    world = watched(("robert", "engine_failure", 20))
    assert world.incidents == {}
    world.advance(minutes=7 * 24 * 60)
    tell(world, ("robert", "engine_failure", 20))
    assert reminders(world) == [("due", "bob@company.com", "robert")]
    tell(world, ("robert", "engine_failure", 20))
    world.advance(minutes=14 * 24 * 60)
    tell(world, ("robert", "engine_failure", 20))
    owners = [("overdue", each.recipient, "everybody") for each in INTERNAL]
    assert reminders(world)[1:] == [("overdue", "bob@company.com", "robert"), *owners]


def test_the_policy_names_the_owner_of_training():
    """An address or a channel; about a person without an e-mail address, only the owner hears."""
    policy = replace(WANTED, drills_owner="#incident-response")
    world = watched(("zoe", "", 0), policy=policy)
    assert reminders(world) == [("overdue", "#incident-response", "everybody")]


def test_it_pages_nobody_and_closes_when_all_have_practised():
    """It is for the history only: no page, no deadline to answer; the next that is due opens another."""
    world = watched(("bob", "engine_failure", 0), ("bob", "scribe", 3))
    assert (world.incident.state, world.incident.recorded_only) == (State.RESOLVED, True)
    assert set(world.incident.windows) == {Window.TRAINING}
    assert world.planned(Kind.PAGE) == []
    tell(world, ("bob", "scribe", 3))
    assert [each.subject for each in world.incident.response.training] == ["scribe"]
    tell(world)
    assert world.incident.state is State.CLOSED
    assert len(world.entries(Fact.TRAINING)) == 2


@pytest.mark.parametrize("whom", [0, 1])
def test_what_reminders_say_is_so(whom):
    """Of one person and of everybody: each type and role with its time, and whether it has passed."""
    world = watched(("bob", "engine_failure", 0), ("bob", "scribe", 3), ("zoe", "", 0))
    message = world.planned(Kind.REMINDER, Reason.OVERDUE)[whom]
    delivery = OneMessage([(message, world.incident)], world.context())
    told = MessageRenderer("https://tocsin.example.org").render(delivery, world.now)
    assert "bob is to practise in a drill: engine_failure (was due by" in told.text
    assert "scribe (is due by" in told.text
    assert ("zoe is to practise in a drill: any (no drill yet)." in told.text) is bool(whom)
    entries = world.timeline
    check(texts(told), Record(world.incident, entries, world.now, message=message))


def drill(number: int, days: int, *acted: str, kind: str = "engine_failure", **roles: str) -> HeldDrill:
    """A drill on that day."""
    response = Response(roles=roles)
    held = replace_struct(BLANK, number=number, type=kind, opened_at=Instant(days * DAY), response=response)
    return HeldDrill(held, None, None, None, acted, acted)


def test_a_person_is_one_under_all_names():
    """Practised under a login of before, an alias and another spelling: one line each, due by the last."""
    first, last = drill(1, 0, "Robert", kind="engine_failure"), drill(2, 60, "bob", scribe="robert")
    known = roster([last, first], replace(WANTED, roles=(ResponseRole("scribe"),)))
    assert [(each.person, each.subject, each.drill, each.due_at // DAY) for each in known] == [
        ("bob", "engine_failure", 2, 150),
        ("bob", "scribe", 2, 150),
    ]


def test_what_the_policy_no_longer_has_is_never_due():
    """A type that was removed cannot be practised again; that a person once did stays on record."""
    [known] = roster([drill(1, 0, "bob", kind="steam_failure")], WANTED)
    assert (known.subject, known.due_at) == ("steam_failure", None)


def test_nobody_is_reminded_of_what_a_policy_does_not_want():
    """Without `drills: every` nothing is read, and what was watched closes."""
    world = watched(("bob", "engine_failure", 0))
    world.use(replace(WANTED, drills_every=None))
    world.decide(TrainingRead(KEY, ()))
    assert world.incident.state is State.CLOSED
    assert Target("email", "bob@company.com") in {Target(e.channel, e.recipient) for e in world.planned(Kind.REMINDER)}
