"""What people read in a night of twenty incidents and took for something else: each sentence by its kind."""

import pytest
from msgspec.structs import replace

from receiver.core.model import Fact, Kind, Reason, State
from receiver.messages.short import sayable
from receiver.messages.timeline import sentence
from receiver.web.api.several import Taken
from tests.core.alerts import SLO
from tests.core.guide import WHOLE
from tests.core.test_what_fires import disk
from tests.core.truth import WORDS, OneMessage, UntrueError, check, check_several, texts
from tests.core.world import World


def told(world, reason, kind=Kind.PAGE):
    """The last message of that reason, as it leaves now, checked against the record."""
    notification = [each for each in world.outbox.values() if (each.kind, each.reason) == (kind, reason)][-1]
    incident = world.incident
    firing = sorted(
        (each for each in world.stored_alerts[incident.id].values() if each.firing),
        key=lambda each: (-each.level, each.starts_at),
    )
    context = world.context(incident.policy)
    message = WORDS.render(OneMessage([(notification, incident)], context, alerts={incident.id: firing}), world.now)
    check(texts(message), world.record(message=notification))
    return message


@pytest.fixture
def world():
    """Disk of db1 is full, at level 4, and amir has it."""
    world = World(WHOLE)
    world.receive(disk(world, "db1", 4))
    world.advance(minutes=1)
    world.acknowledge("amir")
    return world


def test_a_page_for_what_got_worse_names_that(world):
    """Not what fired before it: in the SMS, the call, the headline and the value, with how many others fire."""
    world.advance(minutes=1)
    world.receive(disk(world, "db9", 4, value="99.8"))
    page = told(world, Reason.NEW_DANGER)
    assert page.short.startswith("T#1 WORSE EMERGENCY: Disk of db9 is full: 99.8 %, and 1 more. Ack by")
    assert page.headline == "#1 EMERGENCY: Disk of db9 is full: 99.8 %, and 1 more"
    assert "Disk of db9 is full: 99.8 %, and 1 more. It got worse" in page.speech


def test_who_asks_for_help_is_not_said_to_have_acknowledged(world):
    """Of what recovered the SMS says both, and asks for the answer that the mail asks for."""
    world.clear("db1")
    world.advance(minutes=6)
    world.escalate("erik")
    page = told(world, Reason.HELP)
    assert page.short.startswith("T#1 HELP WANTED, SIGNAL RECOVERED EMERGENCY by erik: ")
    assert "Help now: reply ACK 1" in page.short
    assert "ACKNOWLEDGED" not in page.short


def test_a_call_says_nothing_twice(world):
    """Who acknowledged and who asked for help is heard once; a title that ends a sentence ends it once."""
    world.advance(minutes=1)
    world.escalate("amir")
    speech = told(world, Reason.HELP).speech
    assert speech.count("asked for help") == speech.count("acknowledged at") == 1
    assert "acknowledged by amir" not in speech
    world = World(WHOLE)
    blind = replace(disk(world, "db1", 4), annotations={"summary": "It is not measured. Treat it as if it held."})
    world.receive(blind)
    assert ".." not in told(world, Reason.OPENED).speech


def test_a_deadline_that_ends_now_was_not_seconds_ago():
    """The call of the breach is made at that second."""
    world = World(WHOLE)
    world.receive(disk(world, "db1", 4))
    world.advance(minutes=15)
    speech = told(world, Reason.BREACHED).speech
    assert " 0 seconds" not in speech
    assert speech.lower().count("nobody has acknowledged") == 1


def test_an_update_by_sms_says_how_it_stands(world):
    """An SMS that only has the title sounds as if it still fired."""
    world.clear("db1")
    world.advance(minutes=6)
    world.update("amir", "waiting for the vendor")
    update = told(world, Reason.ACTION, Kind.UPDATE)
    assert update.short.startswith("T#1 ACKNOWLEDGED, SIGNAL RECOVERED EMERGENCY: Disk of db1 is full. Status update")


def test_what_fires_again_is_no_further_alert():
    """Nothing else fired that it could be further to."""
    world = World(WHOLE)
    world.receive(disk(world, "db1", 2))
    world.clear("db1")
    world.advance(minutes=1)
    world.receive(disk(world, "db1", 2))
    notice = told(world, Reason.FIRED_AGAIN, Kind.NOTICE)
    assert notice.lead == (
        "Fired again: It fires again, before its recovery was believed: Disk of db1 is full: 97.3 %."
    )


def test_an_end_tells_no_other_value(world):
    """What an end is told with was measured later: reports and messages tell what was told when it fired."""
    alert = world.stored_alerts[world.incident.id]["db1"]
    over = replace(alert, firing=False, ended_at=world.now, annotations={**alert.annotations, "value": "12"})
    world.receive(over)
    assert world.stored_alerts[world.incident.id]["db1"].annotations["value"] == "97.3"


def test_a_title_with_a_value_gives_way_when_its_unit_clears(world):
    """A summary of the policy's own may hold the value; the end of that alert tells another."""
    first = replace(disk(world, "db2", 4), annotations={"summary": "db2 is at 97 %", "value": "97"})
    second = replace(disk(world, "db3", 4), annotations={"summary": "db3 is at 98 %", "value": "98"})
    world.clear("db1")
    world.receive(first)
    world.receive(second)
    assert world.incident.title == "db2 is at 97 %"
    world.advance(minutes=1)
    ended = {"summary": "db2 is at 3 %", "value": "3"}
    world.receive(replace(first, firing=False, ended_at=world.now, annotations=ended))
    assert world.incident.title == "db3 is at 98 %"


def test_labels_name_no_unit_where_another_one_cleared_last(world):
    """The labels of the opening are of the first unit; when nothing fires, the title may be of another."""
    world.receive(disk(world, "db9", 4))
    world.clear("db1")
    world.clear("db9")
    recovered = told(world, Reason.RECOVERED, Kind.NOTICE)
    assert "db9" in recovered.headline
    assert "unit" not in dict(recovered.labels)


def test_an_answer_for_several_gives_each_its_own_reason():
    """What is acknowledged and what is resolved by now are not told as one; the oracle reads it, and catches lies."""
    first, second, third = (World(WHOLE) for _ in range(3))
    for number, each in enumerate((first, second, third), 1):
        each.fire("a", level=4)
        each.acknowledge("amir")
        incident = replace(each.incident, number=number)
        each.incidents[incident.id] = incident
    second.resolve("amir", force=True, note="tested")
    refused = [(each.incident, each.acknowledge("ben", expects=State.OPEN).reason) for each in (second, third)]
    said = " ".join(Taken((first.incident,), tuple(refused)).words("Acknowledged"))
    assert said == (
        "Acknowledged: #1. Not changed: #2 (the incident is resolved already). "
        "Not changed: #3 (the incident is acknowledged by now, not open)."
    )
    records = [each.record() for each in (first, second, third)]
    check_several(said, records)
    for lie in (said.replace("#1", "#1, #3"), said.replace("resolved", "closed"), said.partition(" Not")[0]):
        with pytest.raises(UntrueError):
            check_several(lie, records)


def test_nothing_to_acknowledge_is_said_as_that():
    """ACK ALL from a number that was sent nothing that waits."""
    assert Taken((), ()).words("Acknowledged") == (
        "Acknowledged: none. Nothing that was sent here waits for an answer.",
    )


TOLD_ONLY = {
    "a raised level": (lambda world: world.change("amir", level=4, reason="worse"), Kind.NOTICE, Reason.NEW_DANGER),
    "a breach": (lambda world: world.advance(minutes=61), Kind.BREACH, Reason.BREACHED),
}


@pytest.mark.parametrize(("happens", "kind", "reason"), TOLD_ONLY.values(), ids=TOLD_ONLY)
def test_who_is_only_told_is_not_asked_to_acknowledge(happens, kind, reason):
    """Management that acknowledged to say "I have read it" would stop the paging of those who can mend it: it may open
    the incident. The recipient of a page is asked.
    """
    world = World(WHOLE)
    world.fire("a")
    happens(world)
    assert world.incident.wants_answer
    letter = told(world, reason, kind)
    assert "https://tocsin.example.org/incidents/1" in letter.text
    assert "cknowledge #1" not in letter.text
    assert "tocsin acknowledge" not in letter.text
    assert not letter.asks_reader
    assert "ACK" not in letter.short
    paged = next(each for each in reversed(world.outbox.values()) if each.kind is Kind.PAGE)
    assert "Acknowledge #1: " in told(world, paged.reason).text


def pump(world, system, unit, level=4):
    """An alert about a pump of a system, where one incident is of several systems."""
    alert = disk(world, unit, level, value="1.5")
    return replace(alert, labels={**alert.labels, "system": system})


def test_messages_are_of_the_system_that_fires():
    """The one of the opening is well while another burns: neither SMS nor PagerDuty nor the subject names it."""
    world = World(WHOLE)
    world.receive(pump(world, "south", "p1"))
    world.receive(pump(world, "north", "p9"))
    world.clear("p1")
    world.advance(minutes=5)
    page = told(world, Reason.ESCALATED)
    assert page.short.startswith("T#1 ESCALATED EMERGENCY north: Disk of p9 is full")
    assert (page.system, page.subject) == ("north", "#1 north: safety_critical_failure")


def test_a_subject_stays_while_its_system_fires():
    """Another one joins and is what the page tells of; the thread goes on under its subject."""
    world = World(WHOLE)
    world.receive(pump(world, "south", "p1"))
    subject = told(world, Reason.OPENED).subject
    world.acknowledge("amir")
    world.receive(pump(world, "north", "p9"))
    page = told(world, Reason.NEW_DANGER)
    assert (page.subject, page.system) == (subject, "north")


def test_rows_of_several_name_what_fired():
    """A message about two incidents tells of each what fired now, not what had fired before."""
    worlds = [World(WHOLE) for _ in range(2)]
    for number, world in enumerate(worlds, 1):
        world.receive(disk(world, f"db{number}", 4))
        world.acknowledge("amir")
        world.receive(disk(world, f"new{number}", 4))
    items, alerts = [], {}
    for number, world in enumerate(worlds, 1):
        page = [each for each in world.outbox.values() if each.reason is Reason.NEW_DANGER][-1]
        incident = replace(world.incident, id=f"i{number}", number=number)
        items.append((replace(page, incident_id=incident.id), incident))
        alerts[incident.id] = list(world.stored_alerts[world.incident.id].values())
    message = WORDS.render(OneMessage(items, worlds[0].context(), alerts=alerts), worlds[0].now)
    assert "#1 Disk of new1 is full: 97.3 %, and 1 more" in message.text
    assert "#2 Disk of new2 is full: 97.3 %, and 1 more" in message.text


def test_an_sms_of_what_was_resolved_while_it_fires_says_so(world):
    """A reader of "resolved" alone takes the incident for over."""
    world.resolve("amir", force=True, note="a false alarm")
    assert told(world, Reason.ACTION, Kind.RESOLVED).short.endswith("is full: 97.3 %. Alerts still fire.")


def test_an_sms_for_whoever_calls_others_to_what_recovered_says_both():
    """An unacknowledged incident is escalated by hand after its signal recovered."""
    world = World(WHOLE)
    world.receive(disk(world, "db1", 4))
    world.clear("db1")
    world.escalate("erik")
    page = told(world, Reason.ESCALATED)
    assert page.short.startswith("T#1 ESCALATED, SIGNAL RECOVERED EMERGENCY by erik: ")


def test_what_expired_says_until_when_somebody_had_it(world):
    """Not that nothing was heard: others may have written, and alerts may have come."""
    world.advance(minutes=40)
    page = told(world, Reason.ACK_EXPIRED)
    assert page.lead == "Acknowledgement expired: The acknowledgement of amir expired at 09:09 UTC."
    assert "Open; amir acknowledged at 08:54 UTC; no answer since; " in page.text
    assert page.text.count(" expired at ") == page.speech.count(" expired at ") == 1


def test_after_the_breach_the_first_action_is_no_answer_in_time():
    """No page asks for "Acknowledge incident in time" any more: it asks for the answer itself."""
    world = World(WHOLE)
    world.receive(disk(world, "db1", 4))
    assert "1. Acknowledge incident in time" in told(world, Reason.OPENED).text
    world.advance(minutes=15)
    text = told(world, Reason.BREACHED).text
    assert "in time" not in text
    assert "Acknowledge #1: " in text


def test_what_was_due_is_named(world):
    """What was due is said: "Open; due by 12:43" leaves that open."""
    world.advance(minutes=30)
    assert world.entries(Fact.ACK_EXPIRED)
    world.advance(minutes=25)
    assert "an answer was due by" in told(world, Reason.REPEATED).text


def test_one_unit_of_which_two_rules_fire_has_no_two_values():
    """Of "P2 (0.1 bar), P2 (2.2 bar)" which rule told which is said, where nothing else tells them apart."""
    world = World(WHOLE)
    low, gone = (
        replace(disk(world, name, 4, value=value), labels={"unit": "P2"})
        for name, value in (("a", "2.2"), ("b", "0.1"))
    )
    world.receive(low)
    world.receive(replace(gone, rule=SLO))
    counted = dict(told(world, Reason.OPENED).facts)["Alerts"]
    assert f"{SLO.rpartition('/')[2]} (0.1 %)" in counted
    assert counted.count(" (") == 2


def test_units_of_measure_are_spoken():
    """A value of "9.43 mm/s" is said as people do, and the names of rules stay apart."""
    assert sayable("9.43 mm/s on s/slo", "UTC").startswith("9.43 mm per s on s slo")


def test_lines_that_a_person_wrote_stay_apart_in_the_timeline(world):
    """Two actions are not read as one."""
    world.change("amir", immediate_actions_taken="landing stopped\nthe tower was told")
    assert sentence(world.entries()[-1]) == "immediate_actions_taken is now landing stopped; the tower was told"
