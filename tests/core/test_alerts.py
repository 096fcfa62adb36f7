"""Alerts that come twice, late, mixed, or not at all; incidents that people declare, and the updates they get."""

import pytest
from msgspec.structs import replace

from receiver.core.model import Kind, Reason, Recovery, State, Window
from rules.policy import MINUTE
from rules.reserved import MARK, MARKED
from tests.core.alerts import BUDGET, SLO, alert
from tests.core.guide import POLICY
from tests.core.world import World


def test_a_resolve_of_the_unknown_is_nothing():
    """The resolve of an alert that we never knew, or knew resolved already, changes nothing."""
    world = World()
    assert world.receive(alert("a", firing=False)).incident is None
    assert not world.incidents
    world.fire("a")
    world.clear("a")
    before = world.incident
    world.clear("a")
    assert world.incident is before


def test_absence_is_never_resolution():
    """An alert that a payload does not list is not concerned."""
    world = World()
    world.fire("a", "b")
    world.clear("a")
    assert world.incident.firing == (0, 0, 1, 0)
    assert world.incident.recovery is Recovery.NONE


def test_an_old_resolve_does_not_clear_a_newer_firing():
    """A resolve that belongs to an earlier firing of the alert comes too late to count."""
    world = World()
    world.fire("a")
    world.advance(minutes=2)
    world.fire("a")
    world.receive(alert("a", firing=False))
    assert world.incident.firing == (0, 0, 1, 0)


def test_one_payload_may_hold_both():
    """Resolved and firing alerts in one payload are each taken for themselves; both of one alert: the later start."""
    world = World()
    world.fire("a", "b")
    world.receive(
        alert("a", firing=False), alert("c"), alert("b", firing=False), alert("b", starts_at=world.now + 2 * MINUTE)
    )
    assert world.incident.firing == (0, 0, 2, 0)
    assert {name for name, each in world.stored_alerts[world.incident.id].items() if each.firing} == {"b", "c"}


TITLES = {
    "which system": ({"system": "landing-7"}, "safety_margin < 0.95", "safety_margin < 0.95 on landing-7"),
    "which SLO": ({"system": "s", "slo": "recall"}, "violated", "violated (recall) on s"),
    "not twice": ({"system": "landing-7", "slo": "x"}, "x of landing-7 is low", "x of landing-7 is low"),
    "neither": ({}, "violated", "violated"),
    "which unit": (
        {"system": "payments", "instance": "db9:9100"},
        "disk is full",
        "disk is full on payments, db9:9100",
    ),
    "which unit, not twice": (
        {"system": "payments", "instance": "db9:9100"},
        "disk of db9 is full",
        "disk of db9 is full on payments",
    ),
    "which unit of a named system": ({"system": "s7", "host": "db9"}, "s7 is out of disk", "s7 is out of disk, db9"),
    "a unit alone": ({"pod": "web-3", "instance": "kube-state:8080"}, "not ready", "not ready on web-3"),
    "a unit that is the system": ({"system": "landing-7", "instance": "landing-7:9100"}, "low", "low on landing-7"),
    "part of a word": ({"node": "a"}, "a-b is low", "a-b is low on a"),
    "kept when cut": ({"system": "landing-7"}, "x" * 400_000, f"{'x' * 146}… on landing-7"),
    "endless itself": ({"system": "s" * 400_000}, "low", f"low on {'s' * 60}"),
}


@pytest.mark.parametrize(("labels", "summary", "title"), TITLES.values(), ids=TITLES)
def test_the_title_says_what_is_wrong_with_which_system(labels, summary, title):
    """The first line of a message, and of an SMS, names the system."""
    world = World()
    world.receive(replace(alert("a"), labels=labels, annotations={"summary": summary}))
    assert world.incident.title == title


@pytest.mark.parametrize(("label", "where"), [("instance", ""), ("pod", ""), ("unit", ", db9"), ("host", ", db9")])
def test_a_compiled_alert_is_not_named_by_where_it_is_measured(label, where):
    """Scraping adds instance and pod; a unit of the signal is named, unless its sentence has it already."""
    world = World()
    labels, notes = {"system": "landing-7", label: "db9"}, {MARK: MARKED, "summary": "x is low on landing-7: 0.9"}
    world.receive(replace(alert("a"), labels=labels, annotations={**notes, "value": "0.9"}))
    assert world.incident.title == f"x is low on landing-7{where}"


def test_of_two_units_with_one_value_the_page_names_the_one_that_fired():
    """The title of a page is that of its news."""
    world = World()
    for name in ("db1", "db9"):
        labels = {"alertname": "Disk", "system": "payments", "instance": f"{name}:9100"}
        world.receive(replace(alert(name, 4), labels=labels, annotations={"value": "93"}))
    told = next(each for each in reversed(world.outbox.values()) if each.kind is Kind.NOTICE or each.page > 1)
    assert told.data["summary"].endswith(" on payments, db9:9100: 93")


def test_declared_incidents_resolve_only_by_a_person():
    """A declared incident pages like its type, has no alerts, and ends when a person says so."""
    world = World()
    world.declare("engine_failure", note="smoke")
    assert (world.incident.level, world.incident.declared, world.incident.title) == (4, True, "Aircraft engine failure")
    assert world.pages() == [(0, Reason.OPENED, "email slack pagerduty sms")]
    world.advance(minutes=100)
    assert world.incident.state is State.OPEN
    assert world.resolve() is None
    assert world.incident.state is State.RESOLVED


DECLARED = {
    "a type of its own": ("communication_failure", None, 3, "aviation_safety_incident_response/communication_failure"),
    "a detection rule's name": ("error_budget_exceeded", None, 3, BUDGET),
    "a name nobody knows": ("coffee", None, POLICY.default_severity, "coffee"),
    "with a level of its own": (
        "communication_failure",
        1,
        1,
        "aviation_safety_incident_response/communication_failure",
    ),
}


@pytest.mark.parametrize(("type_", "asked", "level", "rule"), DECLARED.values(), ids=DECLARED)
def test_declaring_takes_the_types_level(type_, asked, level, rule):
    """A declared incident has its type's level unless the person names one."""
    world = World()
    world.declare(type_, level=asked, new_type=type_ == "coffee")
    assert (world.incident.level, dict(world.incident.rules)) == (level, {rule: level})


UNKNOWN = {
    "a slip of the pen": ("safty_critical_failure", "did you mean safety_critical_failure?"),
    "in capitals": ("ENGINE_FAILURE", "did you mean engine_failure?"),
    "like nothing known": ("coffee", "If the type is new on purpose, say so"),
}


@pytest.mark.parametrize(("type_", "says"), UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_type_is_asked_back(type_, says):
    """A declared type that the policy does not have opens nothing; the answer names the one that may be meant."""
    world = World()
    refusal = world.declare(type_).refusal
    assert refusal is not None
    assert says in refusal.reason
    assert not world.incidents


def test_the_same_declaration_twice_is_one():
    """A declaration that is sent again changes nothing."""
    world = World()
    world.declare()
    before = world.incident
    world.declare()
    assert world.incident is before


def test_updates_go_out_when_something_changed():
    """After a note who was told gets an update when the interval since the last one has passed; then the next is set."""
    world = World()
    world.fire("a")
    world.acknowledge()
    world.advance(minutes=10)
    world.note()
    assert world.window(Window.UPDATE) == 60
    world.advance(minutes=55)
    assert {target.channel for target in world.heard(Kind.UPDATE)} == {"email", "slack"}
    assert (world.incident.changed, world.window(Window.UPDATE)) == (False, 120)


def test_a_persons_update_puts_the_next_one_off():
    """What a person tells is the update; the next one comes an interval after it."""
    world = World()
    world.fire("a")
    world.note()
    world.advance(minutes=50)
    world.update()
    assert world.window(Window.UPDATE) == 110
    world.note()
    assert world.window(Window.UPDATE) == 110
    assert world.incident.rules == {SLO: 3}
