"""A message that leaves late says what was, and what is by now: each was true only at the moment it was planned."""

from receiver.core.model import Kind, Reason
from rules.policy import HOUR
from tests.core.guide import ALL, WHOLE
from tests.core.truth import WORDS, OneMessage, check, texts
from tests.core.world import World


def late(world: World, kind: Kind, reason: Reason) -> str:
    """The first message of that kind and reason as it would leave now, checked against the record."""
    notification, incident = world.planned(kind, reason)[0], world.incident
    record = world.record(message=notification)
    alerts = {incident.id: record.firing}
    context = world.context(incident.policy)
    message = WORDS.render(OneMessage([(notification, incident)], context, alerts=alerts), world.now)
    check(texts(message), record)
    return message.text


def fired(level: int = 3) -> World:
    """An incident of which nothing has left yet."""
    world = World(WHOLE, down=ALL)
    world.fire("a", level=level)
    return world.advance(minutes=1)


def test_a_recovery_that_is_over_is_told_as_what_was():
    """It fires again when the notice of its recovery leaves."""
    world = fired()
    world.clear("a")
    world.advance(minutes=1)
    world.fire("a")
    said = late(world, Kind.NOTICE, Reason.RECOVERED)
    assert "At 08:54 UTC no alert fired any more; by now it is open" in said
    assert "RECOVERED" not in said


def test_nobody_is_asked_to_confirm_what_fires_again():
    """The recovery that a person should have confirmed did not hold."""
    world = fired(level=4)
    world.clear("a")
    world.advance(minutes=16)
    world.fire("a", level=4)
    assert "must confirm" not in late(world, Kind.NOTICE, Reason.CONFIRM)


def test_a_recurrence_is_told_as_what_was_when_it_has_cleared():
    """Nothing fires any more when the page that it does leaves."""
    world = fired()
    world.clear("a")
    world.resolve()
    world.fire("a")
    world.advance(minutes=1)
    world.clear("a")
    assert "It fired again after it was resolved (first time)" in late(world, Kind.PAGE, Reason.RECURRED)


def test_a_resolution_that_did_not_hold_is_told_as_what_was():
    """Neither the sentence nor the policy's template says that it is resolved."""
    world = fired()
    world.deliver()
    world.clear("a")
    world.resolve()
    world.advance(minutes=2)
    world.fire("a")
    said = late(world, Kind.RESOLVED, Reason.ACTION)
    assert "It was resolved by ada, 1 minute after the opening; by now it is open" in said
    assert "INCIDENT RESOLVED" not in said


def test_an_all_clear_is_of_its_own_resolution():
    """It came back, and was resolved by force while its alerts fire: the first all-clear claims no recovery for that."""
    world = fired()
    world.deliver()
    world.clear("a")
    world.advance(minutes=60)
    world.fire("a")
    world.advance(minutes=1)
    world.resolve("ben", "a test", force=True)
    said = late(world, Kind.RESOLVED, Reason.RECOVERED)
    assert "stayed recovered" not in said
    assert "by now it is resolved by ben" in said


def test_an_acknowledgement_is_told_with_its_own_time():
    """However late it leaves; and one that has expired is told as what was."""
    world = fired()
    world.acknowledge()
    world.advance(minutes=5)
    assert "Acknowledged by ada at 08:54 UTC, 1 minute after the opening." in late(
        world, Kind.ACKNOWLEDGED, Reason.ACTION
    )
    world.give_back()
    said = late(world, Kind.ACKNOWLEDGED, Reason.ACTION)
    assert "At 08:54 UTC ada acknowledged it; by now it is open; ada acknowledged at 08:54 UTC and gave it back" in said


def test_a_reminder_names_when_the_acknowledgement_expires_by_now():
    """A note renewed it after the reminder was planned; given back, the reminder is no longer due."""
    world = fired(level=4)
    world.acknowledge()
    world.advance(minutes=11)
    world.note()
    assert "ada: your acknowledgement expires at 09:20 UTC" in late(world, Kind.REMINDER, Reason.ACK_EXPIRED)
    world.give_back()
    assert "Nobody need be reminded any more; by now it is open" in late(world, Kind.REMINDER, Reason.ACK_EXPIRED)


def test_a_silence_that_is_over_is_told_as_what_was():
    """Paging has begun again when the notice of the silence leaves."""
    world = fired()
    world.silence(20)
    assert "Silenced in Alertmanager until 09:14 UTC by ada: disk swap. Nobody is paged meanwhile." in late(
        world, Kind.NOTICE, Reason.SILENCED
    )
    world.silence(None)
    assert "At 08:54 UTC it was silenced in Alertmanager; by now it is open" in late(
        world, Kind.NOTICE, Reason.SILENCED
    )


def test_a_fallback_says_nobody_was_reached_only_where_it_is_so():
    """A page came through between the plan and the leaving."""
    world = fired(level=4)
    assert "This page has reached nobody yet" in late(world, Kind.PAGE, Reason.FALLBACK)
    world.deliver("pagerduty")
    assert "This page had reached nobody in time" in late(world, Kind.PAGE, Reason.FALLBACK)


def test_a_breach_names_the_response_time_that_was_breached():
    """Another has begun when the message to the stakeholders leaves."""
    world = fired(level=4).advance(minutes=20)
    world.change(level=3, reason="milder")
    world.silence(1)
    world.advance(minutes=2)
    assert "within the response time of 15 minutes (due by 09:08 UTC)" in late(world, Kind.BREACH, Reason.BREACHED)


def test_what_was_overdue_and_is_done_was_not_done_in_time():
    """The severity was assessed before the reminder left."""
    world = fired()
    world.acknowledge(hold=10 * HOUR)
    world.advance(minutes=40)
    assert "The severity assessment is overdue" in late(world, Kind.REMINDER, Reason.OVERDUE)
    world.change(level=3, reason="as it was", impact_description="none")
    assert "The severity assessment was not done in time" in late(world, Kind.REMINDER, Reason.OVERDUE)
