"""Silences in Alertmanager: they pause levels 1 to 3, never an emergency, and never for longer than they were told."""

import pytest
from msgspec.structs import replace

from receiver.core.classify import Received, classify, incident_key
from receiver.core.events import SilenceAnswered, Silenced
from receiver.core.model import Fact, Incident, Instant, Kind, Reason, State, Window
from receiver.core.reconcile import Findings, HeldAlert, Listed, Listing, Memory, Terms, reconcile
from receiver.core.silences import Order, Silence, Wishes, silence_acknowledged
from rules.policy import HOUR, MINUTE
from tests.core.alerts import BUDGET, SAFETY, START, alert
from tests.core.world import World

PAGING = {Window.ESCALATE, Window.BREACH, Window.RESCUE}


def silenced(level: int = 3, minutes: float = 60) -> World:
    """Opened at 0, silenced at 2."""
    world = World()
    world.fire("a", level=level, rule=SAFETY if level == 4 else None)
    world.advance(2)
    world.silence(minutes)
    return world


def test_while_all_is_silenced_nobody_is_paged_and_then_it_pages_as_at_0() -> None:
    """Levels 1 to 3 pause: no window pages, the threads hear of it once, and the end of the silence pages again."""
    world = silenced()
    assert not PAGING & set(world.incident.windows)
    assert [each.data["whom"] for each in world.entries(Fact.SILENCED)] == ["ada: disk swap"]
    assert {each.channel for each in world.planned(Kind.NOTICE, Reason.SILENCED)} == {"email", "slack"}
    world.advance(59.9)
    assert len(world.pages()) == 1
    world.advance(0.2)
    assert world.pages()[-1][:2] == (62, Reason.SILENCE_ENDED)
    assert world.incident.silenced_until is None
    world.advance(90)
    assert Reason.BREACHED in [reason for _, reason, _ in world.pages()], "and it goes on as ever"


def test_an_emergency_still_needs_an_answer() -> None:
    """Level 4 records the silence and goes on paging."""
    world = silenced(4)
    world.advance(30)
    assert [reason for _, reason, _ in world.pages()][:3] == [Reason.OPENED, Reason.ESCALATED, Reason.BREACHED]
    assert world.entries(Fact.SILENCED)
    assert not world.planned(Kind.NOTICE, Reason.SILENCED)


def test_paging_resumes_when_one_alert_is_not_silenced() -> None:
    """Alertmanager says that something of it is not silenced: it is paged at once."""
    world = silenced()
    world.advance(5)
    world.silence(None)
    assert world.pages()[-1][:2] == (7, Reason.SILENCE_ENDED)


def test_a_level_lowered_under_a_silence_goes_on_pausing() -> None:
    """Nothing is left with neither a window nor a silence that will end."""
    world = silenced()
    world.change("ada", level=1, reason="assessed")
    assert Window.SILENCE in world.incident.windows
    world.advance(60)
    assert world.pages()[-1][1] is Reason.SILENCE_ENDED


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        pytest.param(lambda world: world.fire("b"), Reason.SILENCE_ENDED, id="another alert"),
        pytest.param(lambda world: world.fire("b", rule=BUDGET), Reason.SILENCE_ENDED, id="another rule"),
        pytest.param(lambda world: world.fire("b", level=4, rule=SAFETY), Reason.NEW_DANGER, id="a higher level"),
        pytest.param(lambda world: world.escalate(), Reason.ESCALATED, id="a person asks for help"),
        pytest.param(lambda world: world.change(level=4, reason="worse"), Reason.NEW_DANGER, id="a person raises it"),
    ],
)
def test_anything_new_ends_the_pause(what, reason) -> None:
    """What is silenced is not told of; what is told of is new, and pages."""
    world = silenced()
    world.advance(1)
    what(world)
    assert world.pages()[-1][:2] == (3, reason)
    assert world.incident.silenced_until is None


def test_what_was_said_of_other_alerts_says_nothing() -> None:
    """Between the look and its decision another alert fired: the word is about the others, and nothing pauses."""
    world = World()
    world.fire("a", "b")
    world.silence(60, alerts=1)
    assert world.incident.silenced_until is None


def test_a_silence_that_is_made_longer_is_followed() -> None:
    """The pause ends when the silence ends, as far as it was told last; the same word again writes nothing."""
    world = silenced(minutes=10)
    world.advance(5)
    world.silence(60)
    before = world.incident
    world.silence(60)
    assert world.incident == before
    world.advance(30)
    assert len(world.pages()) == 1


def test_an_acknowledgement_holds_as_long_as_the_silence() -> None:
    """The owner is neither reminded nor relieved while it is silenced; afterwards the time runs anew."""
    world = World()
    world.fire("a")
    world.acknowledge()
    world.silence(24 * 60)
    world.note()
    world.advance(23 * 60)
    assert world.incident.state is State.ACKNOWLEDGED
    assert not world.planned(Kind.REMINDER)
    world.advance(61)
    assert world.window(Window.ACK_EXPIRY) is not None


def test_a_silenced_incident_that_recovers_is_over() -> None:
    """A resolve that comes while it is silenced is verified like any other, and leaves no silence behind."""
    world = silenced()
    world.clear("a")
    world.advance(15)
    assert world.incident.state is State.RESOLVED
    assert (world.incident.silenced_until, world.window(Window.SILENCE)) == (None, None)


def test_a_page_given_up_while_silenced_tells_no_fallback() -> None:
    """What is under way when the silence begins may fail; the end of the silence pages anew."""
    world = World(down=("email", "slack"))
    world.fire("a")
    world.silence(60)
    before = len(world.planned(Kind.PAGE))
    world.reject("email").reject("slack")
    assert len(world.planned(Kind.PAGE)) == before


# What Alertmanager lists.

NOW = Instant(START + 60 * MINUTE)
RULE = {"section": "incident_response", "rule": "slo_violation"}
LABELS = {"alertname": "High", **RULE, "severity_level": "3", "signal": "load", "system": "x"}
THEIRS = {"s1": Silence("s1", Instant(NOW + HOUR), "ada: swap"), "s2": Silence("s2", Instant(NOW + 2 * HOUR), "ben")}
OURS = {"o1": Silence("o1", Instant(NOW + HOUR), "tocsin", incident_id="i1")}


def received(name: str = "f1") -> Received:
    return Received({**LABELS, "unit": name}, {}, name, Instant(NOW - 5 * MINUTE))


def held(*names: str) -> list[HeldAlert]:
    classified = [classify(World().current, "", {}, received(name)) for name in names]
    return [HeldAlert(each.key, each.alert) for each in classified]


def listing(silences: dict[str, Silence], **by: tuple[str, ...]) -> Listing:
    alerts = (Listed(received(name), ("tocsin",), not ids, ids) for name, ids in by.items())
    return Listing(Instant(START), tuple(alerts), silences)


def look(ours: list[HeldAlert], *theirs: Listing | None, memory: Memory | None = None) -> Findings:
    return reconcile(World().current, ours, theirs, NOW, memory or Memory(silenced=frozenset()), Terms())


@pytest.mark.parametrize(
    ("theirs", "until"),
    [
        pytest.param([listing(THEIRS, f1=("s1",), f2=("s1", "s2"))], NOW + HOUR, id="all: until the first is not"),
        pytest.param([listing(THEIRS, f1=("s1",), f2=())], "loud", id="one is not"),
        pytest.param([listing(THEIRS, f1=("s1",))], None, id="one is not listed: nothing is said"),
        pytest.param([None], None, id="no answer"),
        pytest.param([listing({}, f1=("s1",), f2=("s1",))], None, id="an unknown silence: nothing is said yet"),
        pytest.param([listing(OURS, f1=("o1",), f2=("o1",))], "loud", id="only our own"),
        pytest.param(
            [listing(THEIRS, f1=("s2",), f2=("s2",)), listing({}, f1=(), f2=())],
            "loud",
            id="not in another Alertmanager",
        ),
        pytest.param([listing(THEIRS, f1=("s2",), f2=("s2",)), None], NOW + 2 * HOUR, id="another does not answer"),
    ],
)
def test_an_incident_is_silenced_when_all_that_fires_is(theirs: list[Listing | None], until: object) -> None:
    """Only where every firing alert is listed, and silenced wherever it is, is the incident; and until the first ends."""
    ours = held("f1", "f2")
    found = look(ours, *theirs, memory=Memory(silenced=frozenset({ours[0].key}))).silenced
    wanted = () if until is None else ((2, None if until == "loud" else until),)
    assert tuple((each.alerts, each.until) for each in found) == wanted


def test_an_alert_of_level_0_does_not_keep_a_silence_from_counting() -> None:
    """An alert of level 0 does not count as firing, so it need not be silenced either."""
    first, second = held("f1", "f2")
    ours = [first, HeldAlert(second.key, replace(second.alert, level=0))]
    (found,) = look(ours, listing(THEIRS, f1=("s1",), f2=())).silenced
    assert (found.alerts, found.until) == (1, NOW + HOUR)


def test_what_is_not_silenced_is_said_after_a_start_and_after_a_silence_only() -> None:
    """A look costs no transaction per incident: only what was silenced, or may have been before the start, is told."""
    first = look(held("f1"), listing({}, f1=()), memory=Memory())
    assert [each.until for each in first.silenced] == [None]
    assert look(held("f1"), listing({}, f1=()), memory=first.memory).silenced == ()
    assert look(held("f1"), listing(THEIRS, f1=("s1",)), memory=first.memory).memory.silenced == {held("f1")[0].key}


def test_our_own_silence_swallows_no_new_danger() -> None:
    """An alert that only Tocsin silenced is taken in without a webhook; one that people silenced is not."""
    assert look([], listing(OURS, f1=("o1",))).taken_in == 1
    assert look([], listing(OURS | THEIRS, f1=("o1", "s1"))).taken_in == 0


# What an acknowledgement asks for.


def acknowledged(**labels: str) -> Incident:
    world = World()
    world.receive(replace(alert("a"), labels=labels or LABELS))
    world.acknowledge()
    return world.incident


def test_an_acknowledgement_is_silenced_for_as_long_as_it_holds() -> None:
    """A new silence, asked of one Alertmanager at a time; one that is about right is left alone."""
    incident = acknowledged()
    until = incident.windows[Window.ACK_EXPIRY]
    wishes = silence_acknowledged([incident], [[], []])
    assert wishes.orders == [Order(0, "", until, incident)]
    there = Silence("o1", Instant(until - MINUTE // 2), "tocsin", incident.id)
    assert silence_acknowledged([incident], [[there], []]).orders == [Order(1, "", until, incident)]
    assert silence_acknowledged([incident], [[there], None]).orders == []


def test_a_silence_follows_its_acknowledgement() -> None:
    """Renewed it is made longer; void, expired or resolved it ends; what others silence is theirs."""
    incident = acknowledged()
    until = incident.windows[Window.ACK_EXPIRY]
    short = Silence("o1", Instant(until - 5 * MINUTE), "tocsin", incident.id)
    assert silence_acknowledged([incident], [[short]]).orders == [Order(0, "o1", until, incident)]
    assert silence_acknowledged([], [[short, THEIRS["s1"]]]).orders == [Order(0, "o1")]


def test_strangers_are_not_silenced() -> None:
    """Alerts that share neither their name nor a signal would take others with them: that is refused, and said why."""
    incident = acknowledged(severity="critical")
    wishes = silence_acknowledged([incident], [[]])
    assert (wishes.orders, list(wishes.refused)) == ([], [incident.id])


def test_a_signal_silences_only_what_it_is_the_identity_of() -> None:
    """Alerts of ours are one incident by their signal, and are silenced by it; a stranger's label of that name is not."""
    stranger = acknowledged(signal="load", system="x")
    ours = replace(stranger, key=incident_key(("", "x", "load")), id="ours")
    wishes = silence_acknowledged([ours, stranger], [[]])
    assert ([order.incident for order in wishes.orders], list(wishes.refused)) == ([ours], [stranger.id])


def test_another_clusters_alerts_are_not_silenced() -> None:
    """For an incident of a `?source=` only those Alertmanagers are asked for a silence that list its alerts."""
    incident = replace(acknowledged(), source="staging")
    assert silence_acknowledged([incident], [[]]) == Wishes([], {})
    assert len(silence_acknowledged([incident], [[]], {incident.key}).orders) == 1


def test_what_became_of_it_stands_in_the_timeline() -> None:
    """Made or not, people read it; the acknowledgement holds either way."""
    world = World()
    world.fire("a")
    world.acknowledge()
    world.decide(SilenceAnswered(world.incident.key, world.now, "Alertmanager answered 500"))
    world.decide(SilenceAnswered(world.incident.key, world.now))
    assert world.facts()[-2:] == [Fact.SILENCE_FAILED, Fact.SILENCE_MADE]
    assert world.incident.state is State.ACKNOWLEDGED


def test_a_word_about_nothing_changes_nothing() -> None:
    """Of an incident that is over, or that never was silenced, nothing is written."""
    world = World()
    world.fire("a")
    before = world.incident
    world.silence(None)
    assert world.incident == before
    assert world.decide(Silenced("unknown", 1, None)).incident is None
