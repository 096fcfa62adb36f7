"""What is said of who has an incident is so: after an answer, a call for help, an expiry, a void, a handover."""

from dataclasses import replace

import pytest

from receiver.core.model import Kind, Notification, Reason
from receiver.messages import Message
from receiver.messages.timeline import sentence
from receiver.reports.incident_record import IncidentRecord
from receiver.reports.incident_report import write
from tests.core.alerts import BUDGET
from tests.core.guide import WHOLE
from tests.core.truth import WORDS, OneMessage, check, report_text, texts
from tests.core.truth.record import moment
from tests.core.world import World


def worded(world: World, notification: Notification) -> Message:
    """The message as it leaves now."""
    incident = world.incident
    return WORDS.render(OneMessage([(notification, incident)], world.context(incident.policy)), world.now)


def last(world: World, kind: Kind = Kind.PAGE) -> Message:
    """The last message of that kind, checked against the timeline."""
    message = worded(world, world.planned(kind)[-1])
    check(texts(message), world.record(message=world.planned(kind)[-1]))
    return message


def report(world: World) -> str:
    """All that the report says, checked."""
    incident = world.incident
    case = WORDS.case(incident, world.context(incident.policy), world.now)
    written = write(IncidentRecord(case, [], world.entries(), list(world.outbox.values())))
    lines = {
        tuple(each.lower() for each in (f"{moment(entry.at):%Y-%m-%d %H:%M:%S}", sentence(entry), entry.by or "Tocsin"))
        for entry in world.entries()
    }
    said = report_text(written)
    check(said, replace(world.record(), lines=frozenset(lines)))
    return said


def acknowledged(level: int = 4) -> World:
    """Amir has it since 08:54 UTC, a minute after it was opened at 08:53."""
    world = World(WHOLE)
    world.fire("a", level=level)
    world.advance(minutes=1)
    world.acknowledge("amir")
    return world


def test_asked_for_help_says_who_acknowledged_and_that_nobody_else_has_answered():
    """The page, the state of every message and the console's sentence say the same."""
    world = acknowledged().advance(minutes=2)
    world.escalate("amir")
    page = last(world)
    so = "amir acknowledged at 08:54 UTC and asked for help at 08:56 UTC; no other answer yet"
    assert page.lead == f"Help wanted: {so}."
    assert so in page.text
    heard = "asked for help at eight fifty-six in the morning; no other answer yet"
    assert page.speech.count(heard) == 1, "a voice does not say it twice"
    assert page.headline.startswith("HELP WANTED #1 EMERGENCY: "), (
        "whose telephone rings does not read that it is taken"
    )
    assert page.short.startswith("T#1 HELP WANTED")
    assert page.short.endswith("Help now: reply ACK 1")
    assert "Acknowledge #1: https://tocsin.example.org/incidents/1" in page.text
    case = WORDS.case(world.incident, world.context(world.incident.policy), world.now)
    assert case.who_has_it == "amir has it; amir asked for help at 08:56 UTC; no other answer yet"


def test_answered_says_who_helps():
    """Of the answer, the threads hear who answers and who goes on having it."""
    world = acknowledged()
    world.escalate("amir")
    world.acknowledge("ben")
    answered = last(world, Kind.ACKNOWLEDGED)
    assert answered.lead == "ben answers the call for help; amir goes on having it."
    assert answered.headline.startswith("ACKNOWLEDGED #1")
    assert "INCIDENT ALERT" not in answered.text, "the initial template went out with the acknowledgement"
    assert [sentence(each) for each in world.entries()][-6:].count("acknowledged, and helps amir") <= 1
    assert "acknowledged, and helps amir" in [sentence(each) for each in world.entries()]
    assert "amir asked for help" not in WORDS.case(world.incident, world.context(), world.now).stands


def test_withdrawn_says_so():
    """The people who were paged hear that help is no longer wanted, and who owns it."""
    world = acknowledged()
    world.escalate("amir")
    world.withdraw("amir")
    message = last(world, Kind.ACKNOWLEDGED)
    assert "amir asks for help no more; amir has it." in message.text
    assert "INCIDENT ALERT" not in message.text


def test_a_doubt_names_who_has_it():
    """Ben asks, amir has it and is asked to say that they are at it."""
    world = acknowledged().advance(minutes=1)
    world.escalate("ben")
    assert last(world).lead == (
        "Help wanted: amir acknowledged at 08:54 UTC; ben asked for help at 08:55 UTC; no answer yet. "
        "amir has it: acknowledge again if you are at it, or give it back."
    )


@pytest.mark.parametrize("kind", [Kind.PAGE, Kind.BREACH])
def test_after_an_expiry_the_breach_says_who_acknowledged(kind):
    """Neither the page nor management's message says that it was never acknowledged."""
    world = acknowledged().advance(minutes=31)
    lead = last(world, kind).lead
    assert "amir acknowledged at 08:54 UTC; the acknowledgement of amir expired at 09:09 UTC; no answer since" in lead
    assert "breached (due by 09:24 UTC)" in lead
    assert last(world, kind).text.count("no answer since") == 1


def test_every_page_after_an_expiry_says_so():
    """The expiry itself, the escalations before the breach and the repeats after it."""
    world = acknowledged().advance(minutes=60)
    for each in world.planned(Kind.PAGE):
        check(texts(worded(world, each)), world.record(message=each))
    assert {each.reason for each in world.planned(Kind.PAGE)} >= {Reason.ACK_EXPIRED, Reason.ESCALATED, Reason.REPEATED}


def test_asked_by_who_had_it_before_the_expiry():
    """It has no owner; the message names the former owner and the one who asks."""
    world = acknowledged().advance(minutes=20)
    world.escalate("amir")
    assert last(world).lead == (
        "Escalated: amir acknowledged at 08:54 UTC; the acknowledgement of amir expired at "
        "09:09 UTC; amir asked for help at 09:14 UTC; no answer since."
    )


def test_after_a_void_the_escalation_says_what_voided_it():
    """New danger reopened it: amir acknowledged, and did not know of it."""
    world = acknowledged(level=3).advance(minutes=1)
    world.fire("b", rule=BUDGET)
    world.advance(minutes=31)
    assert (
        "amir acknowledged at 08:54 UTC; new danger voided the acknowledgement of amir at 08:55 UTC" in last(world).lead
    )


def test_what_was_taken_back_is_no_answer():
    """It says so once; later pages and the breach say that it was never acknowledged, and name who answers next."""
    world = acknowledged()
    world.undo("amir")
    assert last(world).lead == "Answer taken back: amir took the answer back: nobody has it."
    assert last(world).text.count("amir") == 1
    world.advance(minutes=14)
    assert "Nobody has acknowledged it within the response time of 15 minutes" in last(world, Kind.BREACH).lead
    world.acknowledge("ben")
    world.escalate("ben")
    assert last(world).lead == (
        "Help wanted: ben acknowledged at 09:08 UTC and asked for help at 09:08 UTC; no other answer yet."
    )
    report(world)


def test_a_help_that_was_taken_back_leaves_the_call_as_it_was():
    """Amir has it and still asks; ben's slip is in the timeline."""
    world = acknowledged()
    world.escalate("amir")
    world.acknowledge("ben")
    world.undo("ben")
    assert last(world).lead == "Answer taken back: ben took the answer back: amir still asks for help."
    world.advance(minutes=31)
    lead = last(world).lead
    assert "amir acknowledged at 08:54 UTC and asked for help at 08:54 UTC; the acknowledgement of amir expired" in lead
    assert "ben" not in last(world).text


@pytest.mark.parametrize("how", ["expired", "voided"])
def test_what_ended_an_acknowledgement_is_said_once(how):
    """In the mail and on the telephone."""
    world = acknowledged(level=3)
    if how == "expired":
        world.advance(minutes=61)
        page = worded(world, world.planned(Kind.PAGE, Reason.ACK_EXPIRED)[-1])
    else:
        world.fire("b", rule=BUDGET)
        page = last(world)
    assert (page.text.count(f"{how} "), page.speech.count(f"{how} ")) == (1, 1)


def test_that_it_is_unacknowledged_is_said_once():
    """In the call of a repeat: how long, and by when an answer was due."""
    world = World(WHOLE)
    world.fire("a", level=4)
    world.advance(minutes=21)
    page = last(world)
    assert (
        page.speech.lower().count("nobody has acknowledged") == page.text.lower().count("nobody has acknowledged") == 1
    )
    assert "Open; an answer was due by 09:08 UTC; next escalation" in page.text


def test_an_answer_at_once_is_told_in_words():
    """A program acknowledged: not "0 seconds after the opening"."""
    world = World(WHOLE)
    world.fire("a", level=4)
    world.acknowledge("amir")
    answered = last(world, Kind.ACKNOWLEDGED)
    assert answered.lead == "Acknowledged by amir at 08:53 UTC, less than a second after the opening."
    assert answered.text.count("amir") == 1
    report(world)


def test_given_back_says_that_nobody_has_it():
    """And later pages say who had it."""
    world = acknowledged(level=3)
    world.give_back("amir")
    assert last(world).lead == "Given back: amir gave it back: nobody has it."
    world.advance(minutes=31)
    assert last(world).lead == (
        "Escalated: amir acknowledged at 08:54 UTC and gave it back at 08:54 UTC; no answer since."
    )


def test_after_a_handover_who_asks_is_who_has_it():
    """Amir acknowledged, ben has it and asks."""
    world = acknowledged(level=3)
    world.hand_over("ben", "amir")
    world.escalate("ben")
    assert last(world).lead == (
        "Help wanted: amir acknowledged at 08:54 UTC and handed it over to ben at 08:54 UTC; "
        "ben asked for help at 08:54 UTC; no other answer yet."
    )


def test_asked_again_and_again_the_first_and_the_last_are_told():
    """However often help is asked for, the sentence stays readable."""
    world = acknowledged()
    for _ in range(20):
        world.escalate("amir")
    lead = last(world).lead
    assert lead.startswith("Help wanted: amir acknowledged at 08:54 UTC, asked for help at 08:54 UTC")
    assert len(lead) < 300


def test_never_acknowledged_is_said_where_it_is_so():
    """A breach without any acknowledgement says so, also after another person asked for the next step."""
    world = World(WHOLE)
    world.fire("a", level=4)
    world.escalate("ben")
    world.advance(minutes=15)
    assert "Nobody has acknowledged it within the response time of 15 minutes" in last(world, Kind.BREACH).lead


def test_taken_over_is_said_of_who_took_it_and_when():
    """Carla took over at 08:58: nothing says that she acknowledged when amir did."""
    world = acknowledged().advance(minutes=4)
    world.acknowledge("carla")
    assert "acknowledged by carla at 08:58 UTC" in dict(last(world, Kind.ACKNOWLEDGED).facts)["State"]
    assert "acknowledged, and took over from amir" in [sentence(each) for each in world.entries()]


def test_the_report_tells_each_response_time_and_who_had_it():
    """One line for each that began; none says "unacknowledged" beside the line that names who acknowledged."""
    world = acknowledged()
    world.escalate("amir")
    world.advance(minutes=40)
    said = report(world)
    assert "kept: response, 15 minutes from the opening: amir, 14 minutes before" in said
    assert "breached: response, 15 minutes from the expiry of the acknowledgement: nobody answered" in said
    assert "amir: asked for help" in said
    assert "1 call for help" in said


def test_a_call_for_help_breaches_nothing_in_the_report():
    """Answered in time, and asked for help: one response time, kept."""
    world = acknowledged(level=3)
    world.escalate("amir")
    world.advance(minutes=50)
    said = report(world)
    assert "kept: response, 1 hour from the opening: amir, 59 minutes before" in said
    assert "breached: response" not in said
