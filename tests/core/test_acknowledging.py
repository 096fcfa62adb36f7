"""Acknowledgements stop the paging, hold while the owner works, expire, and are voided by new danger."""

import pytest
from msgspec.structs import replace

from receiver.core.model import Fact, Kind, Reason, State, Status, Window
from rules.policy import HOUR, MINUTE, Micros, Rule
from rules.reserved import FAIL_THROUGH, MARK
from tests.core.alerts import BUDGET, SAFETY, SLO, alert
from tests.core.guide import with_level, with_rule
from tests.core.world import World

TELLING = {Window.UPDATE, Window.UPDATE_REMINDER, Window.NOTICE}
"""Windows by which people beside the responders are told; they lead to no other state."""


def acknowledged(level: int = 3, at: float = 10, **more: object) -> World:
    """An incident of one alert, acknowledged by ada."""
    world = World(**more)
    world.fire("a", level=level)
    world.advance(minutes=at)
    world.acknowledge()
    return world


def test_an_acknowledgement_stops_the_paging():
    """Acknowledged, nothing is paged any more, and only the acknowledgement's own windows are left."""
    world = acknowledged()
    assert set(world.incident.windows) - TELLING == {Window.ACK_REMINDER, Window.ACK_EXPIRY}
    world.advance(minutes=59)
    assert len(world.pages()) == 1
    assert (world.incident.acknowledged_by, world.since(world.incident.acknowledged_at)) == ("ada", 10)


def test_an_acknowledgement_is_told_to_threads_pagers_and_stakeholders():
    """E-mail, Slack and PagerDuty hear of it where they were paged, and the internal stakeholders; each once."""
    heard = acknowledged(level=4).heard(Kind.ACKNOWLEDGED)
    assert sorted((target.channel, target.recipient) for target in heard) == [
        ("email", "incident-response@company.com"),
        ("email", "management@company.com"),
        ("email", "technical-team@company.com"),
        ("pagerduty", "ml-systems"),
        ("slack", "#incident-response"),
    ]


def test_an_acknowledgement_overtakes_what_still_waits():
    """A page that still waits when a responder acknowledges is never sent."""
    world = World(down={"slack"})
    world.fire("a")
    world.acknowledge()
    world.deliver()
    assert [(each.kind, each.status) for each in world.outbox.values() if each.channel == "slack"] == [
        (Kind.PAGE, Status.SUPERSEDED),
        (Kind.ACKNOWLEDGED, Status.ACCEPTED),
        (Kind.APPROVAL, Status.ACCEPTED),
    ]


def test_it_expires_after_the_response_time_and_pages_as_at_the_opening():
    """Without activity the owner is reminded at two thirds; at the response time it reopens, with fresh windows."""
    world = acknowledged()
    world.advance(minutes=40)
    assert [world.since(entry.at) for entry in world.entries(Fact.REMINDED)] == [50]
    assert {target.channel for target in world.heard(Kind.REMINDER)} == {"email", "slack"}
    world.advance(minutes=20)
    assert world.incident.state is State.OPEN
    assert world.pages()[-1] == (70, Reason.ACK_EXPIRED, "email slack pagerduty")
    assert (world.window(Window.ESCALATE), world.window(Window.BREACH)) == (100, 130)
    assert (world.incident.acknowledged_by, world.incident.step) == ("", 0)


ACTIVITIES = {
    "a note": lambda world: world.note(),
    "an update": lambda world: world.update(),
    "an assessment": lambda world: world.change(root_cause="disk"),
    "acknowledging again": lambda world: world.acknowledge("ben"),
}


@pytest.mark.parametrize("activity", ACTIVITIES.values(), ids=ACTIVITIES)
def test_activity_renews_it(activity):
    """Human activity starts the acknowledgement's time again, the reminder's too."""
    world = acknowledged()
    world.advance(minutes=30)
    activity(world)
    assert (world.window(Window.ACK_REMINDER), world.window(Window.ACK_EXPIRY)) == (80, 100)


def test_alerts_are_no_activity():
    """An alert that joins does not renew an acknowledgement: no human did anything."""
    world = acknowledged()
    world.advance(minutes=30)
    world.fire("b")
    assert world.window(Window.ACK_EXPIRY) == 70


def test_it_can_be_snoozed():
    """`--for 2h` holds two hours, with the reminder at two thirds."""
    world = World()
    world.fire("a")
    world.acknowledge(hold=2 * HOUR)
    assert (world.window(Window.ACK_REMINDER), world.window(Window.ACK_EXPIRY)) == (80, 120)


def test_taking_over_names_both():
    """Acknowledging another person's incident takes it over and records the former owner; the first time stays."""
    world = acknowledged()
    world.advance(minutes=5)
    world.acknowledge("ben")
    entry = world.entries(Fact.ACKNOWLEDGED)[-1]
    assert (entry.by, entry.data["taken_over_from"]) == ("ben", "ada")
    assert world.since(world.incident.acknowledged_at) == 10


def test_a_reminder_missed_in_downtime_is_not_sent_with_the_expiry():
    """After downtime past both, only the expiry speaks."""
    world = acknowledged()
    world.sleep(100)
    assert world.entries(Fact.REMINDED) == []
    assert world.pages()[-1][:2] == (110, Reason.ACK_EXPIRED)


DANGERS = {
    "a risen level": (3, 4, SAFETY),
    "a further rule of the same level": (3, 3, BUDGET),
    "a further rule of a lower level": (3, 2, "HighLoad"),
    "level 4: another alert of the same rule": (4, 4, SAFETY),
    "level 4: an alert of a lower level": (4, 3, SLO),
}


@pytest.mark.parametrize(("level", "new_level", "rule"), DANGERS.values(), ids=DANGERS)
def test_new_danger_voids_it(level, new_level, rule):
    """New danger reopens an acknowledged incident, pages as at the opening, and starts fresh windows."""
    world = acknowledged(level)
    world.advance(minutes=2)
    world.fire("b", level=new_level, rule=rule)
    incident = world.incident
    assert (incident.state, incident.acknowledged_by, incident.step) == (State.OPEN, "", 0)
    assert world.pages()[-1][:2] == (12, Reason.NEW_DANGER)
    response = 15 if incident.level == 4 else min(60, {2: 240}.get(new_level, 60))
    assert world.window(Window.BREACH) == 12 + response
    assert world.window(Window.ACK_EXPIRY) is None
    voided = world.entries(Fact.ACK_VOIDED)[0]
    assert (voided.by, voided.data["whom"]) == ("", "ada")


@pytest.mark.parametrize("level", [1, 2, 3])
def test_the_same_rule_again_is_told_in_the_thread(level):
    """At levels 1 to 3 another alert of an acknowledged rule voids nothing; the threads hear of it."""
    world = acknowledged(level)
    world.fire("b", level=level)
    assert world.incident.state is State.ACKNOWLEDGED
    assert len(world.pages()) == 1
    assert {target.channel for target in world.heard(Kind.NOTICE)} <= {"email", "slack"}
    assert [each.reason for each in world.planned(Kind.NOTICE)][-1] is Reason.ALERT_JOINED


@pytest.mark.parametrize(("annotations", "holds"), [({MARK: "1"}, True), ({}, False)])
def test_an_alert_that_says_nobody_may_have_been_told_voids_nothing(annotations, holds):
    """TocsinFailThrough of our own compiler (marked) keeps an acknowledged emergency; an unmarked one is any alert."""
    world = acknowledged(level=4)
    pages = len(world.pages())
    world.receive(replace(alert("b", 4), labels={"alertname": FAIL_THROUGH}, annotations=annotations))
    assert (world.incident.state is State.ACKNOWLEDGED, len(world.pages()) == pages) == (holds, holds)
    assert bool(world.planned(Kind.NOTICE, Reason.ALERT_JOINED)) is holds


def test_repeats_void_nothing():
    """A repeat of what already fires changes nothing, at level 4 too, but that it was heard of."""
    world = acknowledged(4)
    world.receive(*world.stored_alerts[world.incident.id].values())
    before = world.incident
    assert world.receive(*world.stored_alerts[before.id].values()).incident is None
    assert world.incident is before
    assert before.state is State.ACKNOWLEDGED


@pytest.mark.parametrize("state", [State.OPEN, State.ACKNOWLEDGED])
def test_a_level_that_a_person_raises_is_new_danger_too(state):
    """Raised by a person, the level pages as at the opening, voids an acknowledgement, and says who raised it."""
    world = World()
    world.fire("a")
    world.advance(minutes=10)
    if state is State.ACKNOWLEDGED:
        world.acknowledge()
    world.change("ben", level=4, reason="people may be hurt")
    assert (world.incident.state, world.incident.level) == (State.OPEN, 4)
    assert world.pages()[-1][:2] == (10, Reason.NEW_DANGER)
    assert world.window(Window.BREACH) == 25
    assert [entry.data["note"] for entry in world.entries(Fact.ACK_VOIDED)] == ["people may be hurt"] * (
        state is State.ACKNOWLEDGED
    )


def test_only_a_person_lowers_a_level_and_says_why():
    """Lowering needs a reason; alerts of a lower level never do it; a new alert of a higher level raises it again."""
    world = World()
    world.fire("a", level=4)
    world.fire("b", level=2)
    assert world.incident.level == 4
    assert world.change(level=2).reason == "changing the level needs a reason"
    world.change(level=2, reason="a test bench")
    assert world.incident.level == 2
    world.fire("c", level=4)
    assert world.incident.level == 4


RISES = {
    "the running breach is sooner": (55, 3, 4, (60, 60)),
    "the new windows are sooner": (10, 3, 4, (15, 25)),
    "the running escalation is sooner": (119, 2, 3, (120, 179)),
}


@pytest.mark.parametrize(("at", "level", "to", "windows"), RISES.values(), ids=RISES)
@pytest.mark.parametrize("by", ["an alert", "a person"])
def test_no_running_deadline_is_put_off_by_a_rise(at, level, to, windows, by):
    """An open incident that rises pages as at the opening; each deadline is the sooner of the old and the new."""
    world = World()
    world.fire("a", level=level)
    world.advance(minutes=at)
    world.fire("b", level=to) if by == "an alert" else world.change(level=to, reason="worse")
    escalate, breach = windows
    assert world.pages()[-1][:2] == (at, Reason.NEW_DANGER)
    assert (world.window(Window.ESCALATE), world.window(Window.BREACH)) == (escalate, breach)
    assert world.since(world.incident.response_due_at) == breach


def test_a_rise_to_a_level_without_escalation_keeps_the_running_one():
    """Where the new level's E is not before its R, an escalation that already runs still comes."""
    world = World(with_level(4, escalation_time=Micros(20 * MINUTE)))
    world.fire("a")
    world.advance(minutes=29)
    world.fire("b", level=4)
    assert (world.window(Window.ESCALATE), world.window(Window.BREACH)) == (30, 44)


def test_a_breach_before_the_escalation_misses_nothing():
    """A breach that a rise left before the escalation is no downtime: nothing is recorded as missed."""
    world = World()
    world.fire("a")
    world.advance(minutes=58)
    world.fire("b", level=4)
    world.advance(minutes=3)
    assert world.pages()[-1][:2] == (60, Reason.BREACHED)
    assert world.entries(Fact.WINDOW_MISSED) == []


PHONES = with_rule(Rule("x", "calls", "calls > 1", 3, ("slack", "phone", "sms")))


def test_a_further_rule_of_an_open_incident_pages_its_new_channels():
    """A rule that joins pages the channels that it adds, and only those; the threads are told, once each."""
    world = World(PHONES)
    world.fire("a")
    world.fire("b", rule="x/calls")
    assert world.pages()[1:] == [(0, Reason.RULE_JOINED, "sms phone")]
    assert [target.channel for target in world.heard(Kind.NOTICE)] == ["email", "slack"]
    assert world.incident.page.serial == 1


def test_the_dead_channels_of_a_further_rule_are_recorded():
    """What a rule that joins adds and cannot carry a message is recorded; what was recorded before is not again."""
    world = World(PHONES, configured={"email", "sms"})
    world.fire("a")
    recorded = len(world.entries(Fact.UNDELIVERABLE))
    world.fire("b", rule="x/calls")
    assert [entry.data["channel"] for entry in world.entries(Fact.UNDELIVERABLE)[recorded:]] == ["phone"]


def test_the_page_of_a_further_rule_is_rescued():
    """Where the fallbacks were exhausted, a rule that joins starts the rescue clock again."""
    world = World(configured=())
    world.fire("a")
    world.configured = frozenset({"phone", "sms"})
    world.down = {"phone", "sms"}
    world.use(PHONES)
    world.replan()
    world.fire("b", rule="x/calls")
    assert world.pages() == [(0, Reason.RULE_JOINED, "sms phone")]
    assert world.window(Window.RESCUE) == 1


def test_acknowledging_again_tells_nobody():
    """A repeated acknowledgement, also one for longer, renews the hold and notifies no one."""
    world = acknowledged(level=4)
    before = len(world.planned(Kind.ACKNOWLEDGED))
    world.advance(minutes=5)
    world.acknowledge(hold=2 * HOUR)
    world.deliver()
    assert len(world.planned(Kind.ACKNOWLEDGED)) == before
    assert world.window(Window.ACK_EXPIRY) == 15 + 120


def test_who_takes_it_over_is_told_to_who_was_paged():
    """The people who were paged hear of it, as of a handover; the stakeholders hear that the incident has an owner."""
    world = acknowledged(level=4)
    first = world.heard(Kind.ACKNOWLEDGED)
    world.acknowledge("ben")
    world.deliver()
    told = world.heard(Kind.ACKNOWLEDGED)[len(first) :]
    assert {each.recipient for each in told} == {"incident-response@company.com", "ml-systems", "#incident-response"}


def alerts_told(world: World) -> list[bool]:
    """Of each message about an acknowledgement, in order, whether it carries the initial template."""
    world.deliver()
    sent = [each for each in world.delivered if each.kind is Kind.ACKNOWLEDGED and each.channel == "email"]
    return ["again" not in each.data for each in sent]


def test_the_initial_alert_is_told_once_for_each_danger():
    """It is sent again after new danger and after a recurrence, not when an expired incident is acknowledged."""
    world = acknowledged()
    assert set(alerts_told(world)) == {True}
    count = len(alerts_told(world))
    world.advance(minutes=70)
    assert world.incident.state is State.OPEN
    world.acknowledge("ben")
    assert set(alerts_told(world)[count:]) == {False}
    count = len(alerts_told(world))
    world.fire("b", level=4, rule=SAFETY)
    world.acknowledge("ben")
    assert set(alerts_told(world)[count:]) == {True}
    count = len(alerts_told(world))
    world.clear("a")
    world.clear("b")
    world.resolve()
    world.advance(minutes=60)
    world.fire("b", level=4, rule=SAFETY)
    assert world.incident.recurrences == 1
    world.acknowledge("ben")
    assert set(alerts_told(world)[count:]) == {True}
