"""On a first install no signal is there yet: one incident says so of all of them, and hides nothing."""

from msgspec.structs import replace

from receiver.core.classify import NOT_WIRED, Received, sort
from receiver.core.events import AlertsReceived
from receiver.core.model import Instant, Kind, Recovery, State
from rules.reserved import MARK
from tests.core.world import World

MARKED = {MARK: "1"}


def twin(signal: str, level: int = 3, **labels: str) -> Received:
    own = {"alertname": f"{signal}SignalLost", "section": "s", "rule": "signal_lost", "twin": "true", "signal": signal}
    return Received({**own, "severity_level": str(level), "system": "x", **labels}, MARKED, f"f-{signal}", Instant(0))


def told(world: World, *received: Received) -> list[AlertsReceived]:
    events = sort(world.current, "", {}, received)
    for event in events:
        world.decide(event)
    return events


def test_never_seen_signals_are_one_incident() -> None:
    """Signals of all sections and levels form one incident of the highest level; each further one sends no message."""
    world = World()
    for number in range(12):
        told(world, twin(f"a{number}", 4 if number == 7 else 3, seen="never"))
    assert len(world.incidents) == 1
    assert (world.incident.type, world.incident.level, sum(world.incident.firing)) == (NOT_WIRED, 4, 12)
    assert world.incident.title.startswith("Not wired yet")
    assert not world.planned(Kind.NOTICE)


def test_a_signal_that_was_there_and_is_lost_has_an_incident_of_its_own() -> None:
    """A loss is danger: it belongs to its signal, as its rules do."""
    world = World()
    told(world, twin("a", seen="never"))
    (lost,) = told(world, twin("b"))
    (bad,) = sort(
        world.current, "", {}, [Received({"signal": "b", "system": "x", "section": "s"}, MARKED, "f", Instant(0))]
    )
    assert len(world.incidents) == 2
    assert lost.key == bad.key


def test_a_rule_cannot_hide_there() -> None:
    """Only twins are folded: a rule's own alert stays with its signal, for any labels."""
    world = World()
    told(world, twin("a", seen="never"), twin("b", seen="never", twin="false"))
    assert len(world.incidents) == 2


def test_wired_it_waits_for_a_person() -> None:
    """When every signal is there, a person says that it is over: a twin's clearing proves no more than data."""
    world = World()
    told(world, twin("a", seen="never"))
    told(world, replace(twin("a", seen="never"), ended_at=world.now))
    world.advance(20)
    assert (world.incident.state, world.incident.recovery) == (State.OPEN, Recovery.UNVERIFIED)
