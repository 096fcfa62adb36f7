"""What is decided first: by rank, then by age, in order within an incident, and the old have their share."""

import pytest

from receiver.core.events import Acknowledge, AlertsReceived, Declare, Event, Note, Silenced, TimePassed, Unheard
from receiver.core.inquiry import Answered, Inquiry
from receiver.core.model import Instant
from receiver.core.urgency import AGED, ANSWERS, CLAIMS, EMERGENCIES, PEOPLE, STEPS, Queue, rank
from rules.policy import SECOND
from tests.core.alerts import START, alert

RANKS: dict[str, tuple[Event, int]] = {
    "an emergency": (AlertsReceived("key", "", (alert(level=4),)), EMERGENCIES),
    "an emergency that clears": (AlertsReceived("key", "", (alert(level=4, firing=False),)), EMERGENCIES),
    "the highest of several alerts": (AlertsReceived("key", "", (alert(level=2), alert("b", 3), alert("c", 1))), 3),
    "no alert": (AlertsReceived("key", "", ()), ANSWERS),
    "a declaration": (Declare("key", "fire", "ada"), PEOPLE),
    "an acknowledgement": (Acknowledge("ada"), PEOPLE),
    "a note": (Note("ada", "smoke"), PEOPLE),
    "what Alertmanager says of silences": (Silenced("key", 1, None), ANSWERS),
    "alerts that nobody repeats": (Unheard("key", START), ANSWERS),
    "what Prometheus answered": (Answered(Inquiry.CHECK, ok=True), ANSWERS),
    "a window": (TimePassed(), ANSWERS),
}


@pytest.mark.parametrize(("event", "expected"), RANKS.values(), ids=RANKS)
def test_rank(event: Event, expected: int) -> None:
    """People's actions before all, alerts by their highest level, answers to Tocsin's own questions last."""
    assert rank(event) == expected


def queue(*waiting: tuple[str, str, int], at: int = START) -> Queue[str]:
    """Of (name, key, rank), each a millisecond after the one before."""
    made: Queue[str] = Queue()
    for number, (name, key, its_rank) in enumerate(waiting):
        made.put(name, key, its_rank, Instant(at + number * SECOND // 1000))
    return made


def test_the_most_urgent_first() -> None:
    """A person, the emergency, windows and outcomes, claims, then by level; within a level the older."""
    waiting = queue(
        *(("w1", "a", 2), ("c1", "b", 3), ("w2", "c", 2), ("e", "d", EMERGENCIES), ("person", "e", PEOPLE)),
        *(("i", "f", 1), ("claim", "g", CLAIMS), ("outcome", "h", STEPS)),
    )
    assert waiting.take(START, 2) == ["person", "e"]
    assert waiting.take(START, 9) == ["outcome", "claim", "c1", "w1", "w2", "i"]
    assert (waiting.take(START, 9), len(waiting)) == ([], 0)


def test_an_incident_keeps_its_order() -> None:
    """What came earlier for a key is decided before what is urgent of it: no resolve overtakes its firing."""
    waiting = queue(
        ("fires", "a", 2), ("other", "b", 3), ("clears", "a", 2), ("worse", "a", 4), ("clears again", "a", 1)
    )
    assert waiting.take(START, 9) == ["fires", "clears", "worse", "other", "clears again"]


def test_the_old_have_their_share() -> None:
    """Half a batch belongs to what has waited too long, the oldest first; the other half stays the most urgent's."""
    waiting = queue(("i1", "a", 1), ("w1", "b", 2), ("i2", "c", 1))
    now = Instant(START + AGED + SECOND)
    for number in range(4):
        waiting.put(f"e{number}", f"e{number}", 4, now)
    assert waiting.take(now, 4) == ["e0", "e1", "i1", "w1"]
    assert waiting.take(now, 4) == ["e2", "e3", "i2"]


def test_nothing_is_old_too_early() -> None:
    """Until then emergencies have the whole batch."""
    waiting = queue(("i1", "a", 1))
    now = Instant(START + AGED)
    for number in range(4):
        waiting.put(f"e{number}", f"e{number}", 4, now)
    assert waiting.take(now, 2) == ["e0", "e1"]
    assert waiting.take(now, 4) == ["e2", "e3", "i1"]


def test_what_is_large_leaves_the_old_their_turn() -> None:
    """Emergencies that each fill a batch alone do not keep the old waiting for ever."""
    waiting = queue(("old", "a", 1))
    now = Instant(START + AGED + SECOND)
    for number in range(2):
        waiting.put(f"e{number}", f"e{number}", 4, now, weight=5000)
    assert waiting.take(now, 100) == ["e0", "old"]
    assert waiting.take(now, 100) == ["e1"]


def test_a_batch_ends_where_its_room_does() -> None:
    """By weight, not by number; one that is larger than the room goes alone."""
    waiting: Queue[str] = Queue()
    for name, weight in (("a", 3), ("b", 1), ("c", 7), ("d", 1)):
        waiting.put(name, name, 3, START, weight)
    assert [waiting.take(START, 4) for _ in range(3)] == [["a", "b"], ["c"], ["d"]]
