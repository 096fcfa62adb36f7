"""The heartbeat's silence is an emergency like any other."""

from receiver.core.heartbeat import KEY, TYPE, is_silent, silence
from receiver.core.model import Instant, State
from rules.policy import MINUTE
from tests.core.alerts import START
from tests.core.world import World

WITHIN = 5 * MINUTE


def test_nothing_is_watched_before_the_first_heartbeat() -> None:
    """A receiver that never had a heartbeat does not wake anybody because of it."""
    assert not is_silent(None, START, WITHIN)


def test_silence_opens_an_emergency_and_repeats_change_nothing() -> None:
    """A heartbeat missing for longer than allowed opens one level 4 incident; looking again changes nothing."""
    world = World()
    last = Instant(world.now - WITHIN - 1)
    world.decide(silence(last, world.now, WITHIN))
    incident = world.incident
    assert (incident.key, incident.type, incident.level, incident.state) == (KEY, TYPE, 4, State.OPEN)
    world.decide(silence(last, Instant(world.now + MINUTE), WITHIN))
    assert world.incident.version == incident.version


def test_a_heartbeat_that_is_back_recovers_but_a_person_closes() -> None:
    """When it is heard again the incident recovers; at level 4 a person confirms."""
    world = World()
    world.decide(silence(Instant(world.now - WITHIN - 1), world.now, WITHIN))
    world.decide(silence(world.now, world.now, WITHIN))
    assert not world.incident.is_firing
    assert world.incident.state is State.OPEN
