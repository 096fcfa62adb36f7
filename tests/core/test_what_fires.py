"""What an incident is about: its title, labels and pages name what fires now, not what fired at its opening."""

import pytest
from msgspec.structs import replace

from receiver.core.measured import measured, without_value
from receiver.core.model import Kind, Reason, State
from rules.reserved import MARK, MARKED
from tests.core.alerts import alert
from tests.core.world import World


def disk(world, unit, level=3, value="97.3", **more):
    """An alert about the disk of a unit, with its value."""
    notes = {"summary": f"Disk of {unit} is full", "value": value, "unit": "%"}
    return replace(alert(unit, level, starts_at=world.now, **more), annotations=notes)


def words(world, reason):
    """The words of the last message of that reason."""
    return [each.data for each in world.outbox.values() if each.reason is reason][-1]


def test_again_names_what_fires():
    """Resolved, and another unit fires: title, labels and page are of that one, with its value."""
    world = World()
    world.receive(disk(world, "db1"))
    world.clear("db1")
    world.advance(minutes=60)
    assert world.incident.state is State.RESOLVED
    world.receive(disk(world, "db9"))
    assert (world.incident.title, world.incident.labels["unit"]) == ("Disk of db9 is full", "db9")
    assert words(world, Reason.RECURRED)["summary"] == "Disk of db9 is full: 97.3 %"


def test_fired_again_before_its_recovery_was_believed_is_of_what_fires():
    """All clear, not yet believed, and another unit fires: the incident is about that one."""
    world = World()
    world.receive(disk(world, "db1"))
    world.clear("db1")
    world.receive(disk(world, "db9"))
    assert world.incident.title == "Disk of db9 is full"
    assert words(world, Reason.FIRED_AGAIN)["summary"] == "Disk of db9 is full: 97.3 %"


def test_worse_names_what_fired():
    """A worse alert, acknowledged or not: the page says which, with its value."""
    world = World()
    world.receive(disk(world, "db1"))
    world.acknowledge()
    world.receive(disk(world, "db9", 4))
    assert words(world, Reason.NEW_DANGER)["summary"] == "Disk of db9 is full: 97.3 %"


def test_while_others_fire_the_labels_of_the_opening_stay():
    """A silence is made of the labels: another unit that fires beside the first does not widen it."""
    world = World()
    world.receive(disk(world, "db1"))
    before = world.incident.labels
    world.receive(disk(world, "db9"))
    assert world.incident.labels == before


def test_the_title_leaves_what_cleared():
    """The alert that gave the title clears while another that was told with it fires: that one gives it."""
    world = World()
    first, second = disk(world, "db1"), disk(world, "db9")
    world.receive(first, second)
    assert world.incident.title == "Disk of db1 is full"
    world.advance(minutes=1)
    world.receive(replace(first, firing=False, ended_at=world.now), second)
    assert world.incident.title == "Disk of db9 is full"


@pytest.mark.parametrize("level", [2, 3, 4])
def test_the_title_leaves_what_cleared_alone(level):
    """It clears in a body that names nothing else: the worst of the others that still fire, told earlier, gives it."""
    world = World()
    world.receive(disk(world, "db1", 3))
    world.receive(disk(world, "db8", 2))
    world.receive(disk(world, "db9", level))
    world.clear("db1")
    assert world.incident.title == f"Disk of {'db8' if level == 2 else 'db9'} is full"
    world.clear("db9", "db8")
    assert world.incident.title == f"Disk of {'db8' if level == 2 else 'db9'} is full"


@pytest.mark.parametrize("others", [1, 2])
def test_the_labels_leave_what_cleared(others):
    """What they name has cleared: they are what all shares that still fires, also where a body names one alone."""
    world = World()
    world.receive(disk(world, "db1"))
    for number in range(others):
        world.receive(disk(world, f"db{number + 8}"))
    world.clear("db1")
    alone = {"alertname": "Alert", "unit": "db8"}
    assert world.incident.labels == (alone if others == 1 else {"alertname": "Alert"})


@pytest.mark.parametrize("level", [3, 4])
def test_a_declared_incident_keeps_its_title(level):
    """A person's title stays for all alerts that join, of any level."""
    world = World()
    world.declare(title="Smoke in hall 3", level=3)
    world.receive(disk(world, "db1", level))
    assert world.incident.title == "Smoke in hall 3"


def test_a_title_has_no_value():
    """The value at the end of the sentence that we compile is no part of the title: it changes."""
    world = World()
    notes = {"summary": "heat is above 9 W on a: 1.23457e+06 W", "value": "1234567.25", "unit": "W", MARK: MARKED}
    world.receive(replace(alert("a"), annotations=notes))
    assert world.incident.title == "heat is above 9 W on a"
    assert [each.kind for each in world.delivered][:1] == [Kind.PAGE]


VALUES = {
    "ours": ({"value": "0.91"}, "0.91"),
    "with a unit": ({"value": "3.25", "unit": "bar"}, "3.25 bar"),
    "a share": ({"value": "0.4213000001", "unit": "ratio"}, "0.4213"),
    "large": ({"value": "1234567890"}, "1234567890"),
    "not a number": ({"value": "NaN", "unit": "bar"}, "not a number"),
    "near its limit": ({"value": "0.9499999999", "condition": "a < 0.95"}, "0.9499999999"),
    "near a long limit": ({"value": "123456.68", "condition": "a < 123456.7"}, "123456.68"),
    "at its limit": ({"value": "0.95", "condition": "a <= 0.95"}, "0.95"),
    "of another": ({"value": "12 of 40 pods"}, "12 of 40 pods"),
    "Grafana's only one": ({"values": "B=22.5"}, "22.5"),
    "Grafana's several": ({"values": "B=22.5, C=1"}, "B=22.5, C=1"),
    "none": ({"summary": "x"}, ""),
}


def test_values_are_told_as_people_write_them():
    """Six digits, more where six would read as the limit; no exponent, the unit behind it; what is no number as it came."""
    told = {name: measured(replace(alert(), annotations=notes)) for name, (notes, _) in VALUES.items()}
    assert told == {name: said for name, (_, said) in VALUES.items()}


TITLES = {
    "b is above 123456.789: 123456.789001": "b is above 123456.789",
    "b is above 123456.789: 123457": "b is above 123456.789",
    "b is above 123456.789: see line 3": "b is above 123456.789: see line 3",
}


def test_a_title_has_no_value_in_however_many_digits_it_is_written():
    """With the digits that its limit asks for, or with six, as rules of an older release have it."""
    told = {said: without_value(said, {"value": "123456.789001"}) for said in TITLES}
    assert told == TITLES
