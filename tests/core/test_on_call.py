"""Pages to the person on call: references at each step, handoffs, overrides, and schedules without a person on call."""

from dataclasses import replace as replace_policy
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from receiver.core.events import Relieved, RosterChanged
from receiver.core.model import Fact, Instant, Kind, Reason, Status
from receiver.messages.timeline import sentence
from receiver.on_call.override_log import OverrideChange
from rules.load import load_text
from rules.policy import ReachStep
from tests.core.truth import WORDS, OneMessage
from tests.core.world import World

POLICY = """\
incident_response:
  classification:
    severity_levels:
      - {level: 4, name: Emergency, response_time: "1h", escalation_time: "20m"}
  alert_channels:
    - {name: email, type: email, recipients: [team@example.org]}
    - {name: sms, type: sms, recipients: ["@primary"]}
    - {name: phone, type: phone, recipients: ["+4930000000"]}
  detection:
    rules:
      - {name: margin, condition: "safety_margin < 0.95", severity: 4, channels: [CHANNELS]}
fallback: [phone]
people:
  - {name: dana, contacts: {sms: "+4917010000001"}}
  - {name: ben, contacts: {sms: "+4917010000002"}}
  - {name: chris, contacts: {email: chris@example.org}}
schedules:
  - name: primary
    time_zone: UTC
    layers:
      - {people: [PEOPLE], starts: "2026-01-01T09:00", every: 1d}
"""
DANA, BEN = "+4917010000001", "+4917010000002"
RULE = "incident_response/margin"
EIGHT = int(datetime(2026, 3, 1, 8, tzinfo=UTC).timestamp()) * 1_000_000
"""An hour before a handoff, on dana's last."""


def world(people="dana, ben", channels="email, sms", minutes=0):
    """Time is eight in the morning, so many minutes later; dana's shift ends at nine."""
    policy = load_text(POLICY.replace("PEOPLE", people).replace("CHANNELS", channels)).policy
    made = World(policy, configured=("email", "sms", "phone"))
    made.now = Instant(EIGHT + minutes * 60_000_000)
    return made


def paged(of, channel="sms"):
    """Whom pages were planned for on a channel, in order."""
    return [each.recipient for each in of.outbox.values() if each.page and each.channel == channel]


def test_who_is_on_call_is_paged_and_named():
    """`@primary` is the person whose shift it is; the message knows person, reference and shift."""
    one = world()
    one.fire("a", level=4, rule=RULE)
    [page] = [each for each in one.outbox.values() if each.channel == "sms"]
    assert (page.recipient, page.person, page.via, page.shift) == (DANA, "dana", "@primary", "layer 1")
    [mail] = [each for each in one.outbox.values() if each.channel == "email"]
    assert (mail.person, mail.via, mail.shift) == ("", "", "")


def test_a_handoff_pages_the_next_person_while_nobody_has_answered():
    """At nine ben comes on call: he is paged at once, by name, and dana is not paged again at the next step."""
    one = world(minutes=50)
    one.fire("a", level=4, rule=RULE)
    one.advance(10)
    assert paged(one) == [DANA, BEN]
    assert [each.reason for each in one.outbox.values() if each.recipient == BEN] == [Reason.HANDOFF]
    [entry] = one.entries(Fact.HANDED_OFF)
    assert entry.data["whom"] == "ben"
    one.advance(20)
    assert DANA not in paged(one)[1:]


def test_an_acknowledged_incident_stays_with_its_owner():
    """A handoff pages no one for an incident with an owner; on its expiry the person then on call is paged."""
    one = world(minutes=50)
    one.fire("a", level=4, rule=RULE)
    one.acknowledge("dana", hold=20 * 60_000_000)
    one.advance(15)
    assert paged(one) == [DANA]
    one.advance(10)
    assert paged(one) == [DANA, BEN]


def test_a_page_that_waits_goes_to_who_is_on_call_when_it_leaves():
    """What could not leave before the handoff is planned anew for the next person, once."""
    one = world(minutes=59)
    one.down.add("sms")
    one.fire("a", level=4, rule=RULE)
    one.incidents[one.incident.id] = replace(one.incident, windows={})  # the claim comes before the handoff
    one.now = Instant(one.now + 2 * 60_000_000)
    one.down.clear()
    one.send(["sms"])
    first, second = (each for each in one.outbox.values() if each.channel == "sms")
    assert (first.recipient, first.status) == (DANA, Status.SUPERSEDED)
    assert (second.recipient, second.status, second.page) == (BEN, Status.ACCEPTED, first.page)
    [entry] = one.entries(Fact.RELIEVED)
    assert (entry.data["whom"], entry.data["by_whom"]) == ("dana", "ben")


@pytest.mark.parametrize(("channels", "step"), [("email, sms", 1), ("sms", 2)])
def test_nobody_on_call_is_never_silence(channels, step):
    """Where a reference resolves to no reachable person, the fallback and the next step are told at once.

    A step with that reference alone reaches no one, so the step after it is taken too.
    """
    one = world(people="chris", channels=channels)
    one.fire("a", level=4, rule=RULE)
    assert [each.data["whom"] for each in one.entries(Fact.NOBODY_ON_CALL)] == ["@primary"]
    assert one.incident.step == step
    assert paged(one, "phone") == ["+4930000000"]
    assert [each for each in paged(one) if each != "@primary"] == []


def test_an_override_is_in_effect_at_once_and_ends():
    """While it lasts, the person whom it names is paged; cancelled, it is as if it had not been."""
    one = world()
    number = one.store.add_override_change(
        OverrideChange(one.now, "ann", "swap", "primary", "ben", one.now, one.now + 3_600_000_000)
    )
    one.fire("a", level=4, rule=RULE)
    [page] = [each for each in one.outbox.values() if each.channel == "sms"]
    assert (page.person, page.shift) == ("ben", "override by ann")
    one.store.add_override_change(OverrideChange(one.now, "ann", cancels=number))
    one.fire("b", level=4, rule=RULE)
    one.advance(20)
    assert paged(one)[-1] == DANA


def test_an_override_of_somebody_unknown_is_nobody():
    """A person whom the policy does not know counts as no person on call: the fallback is told."""
    one = world()
    one.store.add_override_change(
        OverrideChange(one.now, "ann", "", "primary", "eve", one.now, one.now + 3_600_000_000)
    )
    one.fire("a", level=4, rule=RULE)
    assert one.entries(Fact.NOBODY_ON_CALL)
    assert paged(one, "phone")


WISHES = """\
people:
  - name: dana
    contacts: {sms: "+4917010000001", email: dana@example.org, phone: "+4917010000011"}
    reach: [REACH]
  - {name: ben, contacts: {sms: "+4917010000002"}}
"""
PHONE = "+4917010000011"


def wishing(reach, channels="sms", level=4, repeat=""):
    """Dana is on call for long, and wants to be told so."""
    text = POLICY.replace("PEOPLE", "dana").replace("CHANNELS", channels).replace("severity: 4", f"severity: {level}")
    head, _, tail = text.partition("people:")
    people = WISHES.replace("[REACH]", f"[{reach}]\n    repeat: {repeat or 'true'}")
    policy = load_text(f"{head}{people}schedules:{tail.partition('schedules:')[2]}").policy
    made = World(policy, configured=("email", "sms", "phone"))
    made.now = Instant(EIGHT)
    made.fire("a", level=level, rule=RULE)
    return made


def told(of):
    """(channel, minute) of each page to dana, in order."""
    dana = {DANA, PHONE, "dana@example.org"}
    return [
        (each.channel, (each.created_at - EIGHT) / 60_000_000)
        for each in of.outbox.values()
        if each.page and each.recipient in dana
    ]


def test_later_steps_come_unless_somebody_answers():
    """At once by what the step names, three minutes later by phone; acknowledged before that, by no phone."""
    wish = "{by: [sms]}, {by: [phone], after: 3m}"
    one = wishing(wish)
    one.advance(4)
    assert told(one) == [("sms", 0), ("phone", 3)]
    [call] = [each for each in one.outbox.values() if each.channel == "phone"]
    assert (call.reason, call.person) == (Reason.REACH, "dana")
    other = wishing(wish)
    other.advance(2)
    other.acknowledge("dana")
    other.advance(5)
    assert told(other) == [("sms", 0)]


def test_a_step_may_add_a_way_and_take_away_none_that_wakes():
    """Mail is added; the SMS that the rule names goes out at level 4 although dana would rather be told later."""
    one = wishing("{by: [email]}, {by: [sms], after: 5m}")
    assert sorted(told(one)) == [("email", 0), ("sms", 0)]


def test_at_low_levels_a_person_may_order_what_the_step_offers():
    """At level 2 mail comes at once and nothing else, where dana wants it so."""
    one = wishing("{by: [email]}", channels="sms, email", level=2)
    assert told(one) == [("email", 0)]


def test_nobody_is_kept_waiting_for_the_first_page():
    """Where every step comes later, the first of them is taken at once."""
    one = wishing("{by: [email], after: 10m}, {by: [sms], after: 20m, levels: [2]}", channels="sms", level=2)
    assert told(one) == [("email", 0)]


def test_what_failed_brings_the_next_step_at_once():
    """The SMS is refused: the phone rings now, not in a quarter of an hour."""
    policy = wishing("{by: [sms]}, {by: [phone], after: 15m}").current.policy
    one = World(policy, configured=("email", "sms", "phone"))
    one.now, one.down = Instant(EIGHT), {"sms"}
    one.fire("a", level=4, rule=RULE)
    assert told(one) == [("sms", 0)]
    one.reject("sms", "no such number")
    assert told(one) == [("sms", 0), ("phone", 0)]


def test_who_wants_no_repetition_hears_again_at_the_breach():
    """`repeat: false` spares the escalation's page, never the breach's."""
    one = wishing("", repeat="false")
    one.advance(60)
    assert [minute for channel, minute in told(one) if channel == "sms"] == [0, 60]


def test_who_comes_on_call_after_a_gap_is_paged():
    """Before nine no person is on call, and the fallback is told; at nine dana is paged, as it is still open."""
    text = POLICY.replace("PEOPLE", "dana").replace("CHANNELS", "sms")
    hours = 'every: 1d, only: [{days: [mon, tue, wed, thu, fri, sat, sun], from: "09:00", to: "17:00"}]'
    one = World(load_text(text.replace("every: 1d", hours)).policy, configured=("email", "sms", "phone"))
    one.now = Instant(EIGHT + 50 * 60_000_000)
    one.fire("a", level=4, rule=RULE)
    assert paged(one, "phone")
    assert set(paged(one)) == {"@primary"}
    one.advance(10)
    assert [each for each in paged(one) if each != "@primary"] == [DANA]


def test_a_way_of_ones_own_is_looked_up_again_when_it_leaves():
    """Dana's `reach` added a call that could not leave before her shift ended: dana is not called, and ben is told."""
    text = POLICY.replace("PEOPLE", "dana, ben").replace("CHANNELS", "sms")
    head, _, tail = text.partition("people:")
    people = WISHES.replace("[REACH]", "[{by: [sms]}, {by: [phone], after: 1m}]")
    one = World(
        load_text(f"{head}{people}schedules:{tail.partition('schedules:')[2]}").policy, ("email", "sms", "phone")
    )
    one.now = Instant(EIGHT + 57 * 60_000_000)
    one.fire("a", level=4, rule=RULE)
    one.down.add("phone")
    one.advance(2)
    [call] = [each for each in one.outbox.values() if each.recipient == PHONE]
    assert (call.person, call.via, call.shift) == ("dana", "@primary", "layer 1")
    one.incidents[one.incident.id] = replace(one.incident, windows={})  # the claim comes before the handoff
    one.now = Instant(one.now + 2 * 60_000_000)
    one.down.clear()
    one.send(["phone"])
    [call] = [each for each in one.outbox.values() if each.recipient == PHONE]
    assert call.status is Status.SUPERSEDED
    assert paged(one) == [DANA, BEN]
    assert [each.data["whom"] for each in one.entries(Fact.RELIEVED)] == ["dana"]


@pytest.mark.parametrize("keeps_channel", [True, False])
def test_a_schedule_that_the_policy_has_lost_is_nobody(keeps_channel):
    """A page waits for who was on call, and a new policy knows neither the schedule nor, perhaps, the channel: that
    nobody is on call is said, and the fallback and the next step are told.
    """
    one = world(channels="sms")
    one.down.add("sms")
    one.fire("a", level=4, rule=RULE)
    text = POLICY.partition("people:")[0].replace("CHANNELS", "email")
    sms = '    - {name: sms, type: sms, recipients: ["@primary"]}\n'
    lost = text.replace(sms, sms.replace("@primary", "+4930000001") if keeps_channel else "")
    one.use(load_text(lost).policy)
    one.down.clear()
    one.send(["sms"])
    assert [each.status for each in one.outbox.values() if each.recipient == DANA] == [Status.SUPERSEDED]
    assert [each.data["whom"] for each in one.entries(Fact.NOBODY_ON_CALL)] == ["@primary"]
    assert paged(one, "phone")
    assert one.incident.step > 0


def test_a_step_whose_channel_and_schedule_are_lost_says_so():
    """An incident under an older policy escalates to a channel that is gone with its schedule: nobody is on call."""
    one = world(channels="sms")
    one.fire("a", level=4, rule=RULE)
    text = POLICY.partition("people:")[0].replace("CHANNELS", "email")
    one.use(load_text(text.replace('    - {name: sms, type: sms, recipients: ["@primary"]}\n', "")).policy)
    one.advance(20)
    assert "@primary" in one.entries(Fact.NOBODY_ON_CALL)[-1].data["whom"]
    assert paged(one, "phone")


def test_a_person_who_has_left_is_told_nothing_more():
    """Dana was paged, and is deleted from the policy: updates and the news of ben's answer go to the others only."""
    text = POLICY.replace("PEOPLE", "dana, ben").replace("CHANNELS", "email")
    text = text.replace("[team@example.org]", '[team@example.org, "@primary"]')
    text = text.replace("{sms: ", "{email: dana@example.org, sms: ", 1)
    one = World(load_text(text).policy, configured=("email", "sms", "phone"))
    one.now = Instant(EIGHT)
    one.fire("a", level=4, rule=RULE)
    assert "dana@example.org" in paged(one, "email")
    people = text.replace('  - {name: dana, contacts: {email: dana@example.org, sms: "+4917010000001"}}\n', "")
    one.use(load_text(people.replace("[dana, ben]", "[ben]")).policy)
    before = len(one.outbox)
    one.acknowledge("ben")
    one.update("ben", "We are on it.")
    news = [each for each in list(one.outbox.values())[before:] if each.channel == "email"]
    assert {each.kind for each in news} >= {Kind.ACKNOWLEDGED, Kind.UPDATE}
    assert {each.recipient for each in news} == {"team@example.org"}


def test_one_number_for_calls_and_sms_is_told_both_ways():
    """The rule calls it, and dana wants an SMS there too: one way does not stand for the other."""
    policy = wishing("{by: [sms]}", channels="phone").current.policy
    both = replace_policy(policy.people[0], contacts=(("sms", DANA), ("phone", DANA)))
    phone = replace_policy(policy.channels[2], recipients=("@primary",))
    changed = replace_policy(policy, people=(both, *policy.people[1:]), channels=(*policy.channels[:2], phone))
    assert sorted(told(alarmed(changed))) == [("phone", 0), ("sms", 0)]


def alarmed(policy, level=4):
    """At eight an alert of that policy fires."""
    one = World(policy, configured=("email", "sms", "phone", "phone2"))
    one.now = Instant(EIGHT)
    one.fire("a", level=level, rule=RULE)
    return one


def test_two_channels_that_name_one_person_call_once():
    """Dana is primary, and named herself on a second channel of the same type: her telephone rings once by each page."""
    policy = wishing("", channels="phone").current.policy
    first = replace_policy(policy.channels[2], recipients=("@primary",))
    second = replace_policy(first, name="phone2", recipients=("@dana",))
    rule = replace_policy(policy.rules[0], channels=("phone", "phone2"))
    changed = replace_policy(policy, channels=(*policy.channels[:2], first, second), rules=(rule,))
    assert [channel for channel, at in told(alarmed(changed)) if at == 0] == ["phone"]


def test_a_wish_that_comes_to_nothing_silences_nobody():
    """At level 2 an SMS wakes, and dana wishes nothing else: she is told by what the step offers."""
    policy = wishing("{by: [sms]}", channels="email", level=2).current.policy
    mail = replace_policy(policy.channels[0], recipients=("@primary",))
    changed = replace_policy(policy, channels=(mail, *policy.channels[1:]))
    assert told(alarmed(changed, level=2)) == [("email", 0)]


def test_who_has_heard_nothing_is_not_spared():
    """`repeat: false` applies to people who were told: a page that has not left by the escalation is planned anew."""
    policy = wishing("", repeat="false").current.policy
    one = World(policy, configured=("email", "sms", "phone"), down={"sms"})
    one.now = Instant(EIGHT)
    one.fire("a", level=4, rule=RULE)
    one.advance(20)
    [waits] = [each for each in one.waiting("sms") if not each.superseded]
    assert (waits.person, waits.reason) == ("dana", Reason.ESCALATED)


def test_a_call_for_help_is_no_repetition():
    """Who has it asks for help: dana hears of that, although she wants no page twice."""
    one = wishing("", repeat="false")
    one.acknowledge("ben")
    one.escalate("ben")
    assert [each.reason for each in one.outbox.values() if each.page and each.recipient == DANA][-1] is Reason.HELP


def swapped(one, person, minutes):
    """An override of the schedule from now on for `minutes`, in effect at once. Returns the override's number."""
    change = OverrideChange(one.now, "ann", "swap", "primary", person, one.now, one.now + minutes * 60_000_000)
    number = one.store.add_override_change(change)
    one.decide(RosterChanged())
    return number


def test_who_is_back_on_call_before_anything_has_left_is_paged():
    """Dana's page was dropped unsent as ben took over; she is back before his has left: hers is planned again."""
    one = world()
    one.down.add("sms")
    one.fire("a", level=4, rule=RULE)
    number = swapped(one, "ben", 60)
    one.down.clear()
    one.send(["email", "phone"])
    one.decide(Relieved(one.waiting("sms")[0]), settle=False)
    one.store.add_override_change(OverrideChange(one.now, "ann", cancels=number))
    one.decide(RosterChanged())
    assert [each.recipient for each in one.delivered if each.page and each.channel == "sms"] == [DANA]


def test_a_page_by_a_way_of_their_own_names_the_shift_and_is_dropped_when_it_ends():
    """Dana's telephone rings by her own wish, on a channel that names another number: she is called as `@primary`, and
    not after her shift.
    """
    one = World(wishing("{by: [sms, phone]}").current.policy, configured=("email", "sms", "phone"), down={"phone"})
    one.now = Instant(EIGHT)
    one.fire("a", level=4, rule=RULE)
    [call] = one.waiting("phone")
    assert (call.recipient, call.person, call.via, call.shift) == (PHONE, "dana", "@primary", "layer 1")
    swapped(one, "ben", 60)
    one.down.clear()
    one.send(["phone"])
    assert one.outbox[call.id].status is Status.SUPERSEDED


def test_a_way_of_their_own_leaves_the_fallback_to_be_told():
    """Dana was called as her `reach` asks, and did not answer: the fallback's own number is called all the same."""
    one = wishing("{by: [phone]}", channels="email")
    one.advance(2)
    assert "+4930000000" in paged(one, "phone")


def test_a_fallback_that_is_the_same_person_does_not_ring_twice():
    """Nobody is on call for an SMS, and two fallbacks call dana: the second is passed over, and the third told."""
    policy = world(people="chris").current.policy
    dana = replace_policy(policy.people[0], contacts=(*policy.people[0].contacts, ("phone", DANA)))
    first, again, other = (
        replace_policy(policy.channels[2], name=name, recipients=(whom,))
        for name, whom in (("phone", "@dana"), ("phone2", "@dana"), ("phone3", "+4930000001"))
    )
    changed = replace_policy(
        policy,
        people=(dana, *policy.people[1:]),
        channels=(*policy.channels[:2], first, again, other),
        fallback=("phone", "phone2", "phone3"),
    )
    more = ("phone2", "phone3")
    one = World(changed, configured=("email", "sms", "phone", *more), down=more)
    one.now = Instant(EIGHT)
    one.fire("a", level=4, rule=RULE)
    one.advance(3)
    calls = [(each.channel, each.recipient) for each in one.outbox.values() if each.page]
    assert [each for each in calls if each[0].startswith("phone")] == [("phone", DANA), ("phone3", "+4930000001")]


def test_a_handoff_goes_by_the_wishes_of_the_next_person():
    """What could not leave goes to ben as ben wants to be told, not by the channel on which it waited for dana."""
    policy = wishing("", channels="email, sms", level=2).current.policy
    ben = replace_policy(policy.people[1], contacts=(*policy.people[1].contacts, ("email", "ben@example.org")),
                         reach=(ReachStep(("email",)),))  # fmt: skip
    changed = replace_policy(policy, people=(policy.people[0], ben))
    one = alarmed(changed, level=2)
    swapped(one, "ben", 60)
    ways = [each.channel for each in one.outbox.values() if each.page and each.person == "ben"]
    assert ways == ["email"]


OFFICE = 'every: 1d, only: [{days: [mon, tue, wed, thu, fri, sat, sun], from: "09:00", to: "17:00"}]'


def test_a_shift_that_ends_in_a_gap_is_told_once():
    """At five the last shift ends: the vacancy is recorded, and the fallback and the next step are told at once.
    Another change of the schedule does not repeat it.
    """
    text = POLICY.replace("PEOPLE", "dana").replace("CHANNELS", "email, sms").replace("every: 1d", OFFICE)
    one = World(load_text(text).policy, configured=("email", "sms", "phone"))
    one.now = Instant(EIGHT + (8 * 60 + 50) * 60_000_000)
    one.fire("a", level=4, rule=RULE)
    one.advance(10)
    assert [each.data["whom"] for each in one.entries(Fact.NOBODY_ON_CALL)] == ["@primary"]
    assert one.incident.step == 1
    assert paged(one, "phone") == ["+4930000000"]
    one.decide(RosterChanged())
    one.decide(RosterChanged())
    assert len(one.entries(Fact.NOBODY_ON_CALL)) == 1


def test_who_is_on_call_without_a_contact_is_said_to_be():
    """Chris is on call, and has no number for an SMS: it is not said that nobody is on call."""
    one = world(people="chris")
    one.fire("a", level=4, rule=RULE)
    [entry] = one.entries(Fact.NOBODY_ON_CALL)
    assert sentence(entry) == "nobody is on call for @primary who can be told; without a contact there: chris"
    assert any(
        each.data["why"] == "nobody who can be told there is on call (@primary)"
        for each in one.entries(Fact.UNDELIVERABLE)
    )


def test_an_old_resolution_that_leaves_late_says_whose_it_was():
    """Ben's resolution waits, it comes back and ada resolves it: ben's tells what was, and what is."""
    one = world(channels="email")
    one.fire("a", level=4, rule=RULE)
    one.down.add("email")
    one.resolve("ben", note="because", force=True)
    one.advance(3)
    one.clear("a")
    one.fire("a", level=4, rule=RULE)
    one.advance(4)
    one.clear("a")
    one.resolve("ada")
    first = one.planned(Kind.RESOLVED)[0]
    said = WORDS.render(OneMessage([(first, one.incident)], one.context()), one.now)
    assert said.lead.startswith("It was resolved by ben, ")
    assert "by now it is resolved by ada" in said.lead


def test_a_channel_for_whoever_is_on_call_is_set_up():
    """The console says that a channel is not configured only where it is not, also when nobody is on call."""
    one = world(people="chris")
    context = one.context()
    assert not context.usable("sms")
    assert context.is_set_up("sms")
    one.configured = frozenset({"email"})
    assert not one.context().is_set_up("sms")
