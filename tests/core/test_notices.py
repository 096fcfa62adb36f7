"""External stakeholders: what is held for them, what voids it, and that only an approval sends."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from receiver.core.events import ApproveNotice, EditNotice, RejectNotice
from receiver.core.model import Fact, Kind, Reason, State, Status, Window
from receiver.core.outside import KEPT_IN
from receiver.core.response import Standing
from receiver.messages.times import rfc3339
from rules.policy import HOUR
from tests.core.guide import CHANNELS, DETAILED, OUTSIDE, POLICY, SHARED, with_channel
from tests.core.world import World

GROUP = "external_notification"
BODY = {"subject": "INCIDENT ALERT", "body": "We are looking into it."}


def opened(level: int = 3, policy=POLICY) -> World:
    """An open incident of that level."""
    world = World(policy)
    world.fire("a", level=level)
    return world


def standings(world: World) -> list[tuple[str, str]]:
    """Moment and standing of every notice."""
    return [(each.moment.value, each.standing.value) for each in world.incident.response.notices]


def approve(world: World, notice: str = "n1"):
    """Approved by cleo."""
    return world.act(ApproveNotice("cleo", notice, **BODY))


HELD = {
    "acknowledged": (3, lambda world: world.acknowledge(), [("acknowledged", "held")]),
    "breached": (3, lambda world: world.advance(minutes=61), [("breached", "held")]),
    "open": (4, lambda world: world.advance(minutes=10), []),
    "level 2": (2, lambda world: world.acknowledge(), []),
    "level 2, assessed as 3": (
        2,
        lambda world: (world.acknowledge(), world.change(level=3, reason="worse"), world.acknowledge()),
        [("acknowledged", "held")],
    ),
}


@pytest.mark.parametrize(("level", "happens", "expected"), HELD.values(), ids=HELD)
def test_a_notice_is_held_from_level_3_on_breach_and_acknowledgement(level, happens, expected):
    """At these levels and events, and no others, a notice is held for each external group; nothing is sent."""
    world = opened(level)
    happens(world)
    assert standings(world) == expected
    assert len(world.entries(Fact.NOTICE_HELD)) == len(expected)
    assert world.planned(Kind.EXTERNAL) == []


def test_an_approval_sends_exactly_the_approved_text():
    """It goes to every recipient with an address; a recipient without a number becomes a step: a call to make."""
    world = opened()
    world.acknowledge()
    assert approve(world) is None
    sent = world.planned(Kind.EXTERNAL)
    assert [(each.channel, each.recipient) for each in sent] == [
        ("email", "customers@company.com"),
        ("email", "regulators@company.com"),
    ]
    assert all((each.data["subject"], each.data["body"]) == ("INCIDENT ALERT", BODY["body"]) for each in sent)
    assert world.incident.response.checklists.calls == (), "nobody can call an e-mail address"
    [entry] = world.entries(Fact.NOTICE_SENT)
    assert (entry.by, standings(world)) == ("cleo", [("acknowledged", "sent")])


def test_numbers_are_called_and_dead_channels_are_said():
    """A recipient with a number is phoned; a channel that cannot carry it is recorded as undeliverable."""
    [internal, external] = POLICY.stakeholders
    numbered = replace(external, recipients=("+4930123456", "customers@company.com"))
    policy = with_channel("email", replace(POLICY, stakeholders=(internal, numbered)), enabled=False)
    world = opened(policy=policy)
    world.acknowledge()
    approve(world)
    told = {(each.channel, each.recipient): each.status for each in world.planned(Kind.EXTERNAL)}
    assert told == {("phone", "+4930123456"): Status.ACCEPTED, ("email", GROUP): Status.UNDELIVERABLE}
    assert world.incident.response.checklists.calls == ()


def test_without_a_phone_channel_numbers_and_names_are_called_by_hand():
    """The guide's group names the type `phone`, and no channel of that type needs to exist; an address is no number."""
    [internal, external] = POLICY.stakeholders
    callable_ = replace(external, recipients=("+4930123456", "The regulator's desk", "customers@company.com"))
    world = opened(policy=replace(POLICY, channels=CHANNELS[:4], stakeholders=(internal, callable_)))
    world.acknowledge()
    approve(world)
    assert world.incident.response.checklists.calls == (
        "Call +4930123456 (external_notification): INCIDENT ALERT",
        "Call The regulator's desk (external_notification): INCIDENT ALERT",
    )


def test_a_group_of_addresses_that_is_only_called_is_said_to_be_unreachable():
    """Nothing is sent, and the record says so."""
    [internal, external] = POLICY.stakeholders
    world = opened(policy=replace(POLICY, stakeholders=(internal, replace(external, channels=("phone",)))))
    world.acknowledge()
    approve(world)
    assert [each.status for each in world.planned(Kind.EXTERNAL)] == [Status.UNDELIVERABLE]
    assert "can be called" in world.entries(Fact.UNDELIVERABLE)[-1].data["why"]


VOIDED = {
    "a reopening": lambda world: world.give_back(),
    "a resolution": lambda world: world.resolve(note="x", force=True),
    "new danger": lambda world: world.fire("b", level=4),
}


@pytest.mark.parametrize("happens", VOIDED.values(), ids=VOIDED)
def test_a_change_of_state_voids_it(happens):
    """What speaks of another state cannot be approved any more."""
    world = opened()
    world.acknowledge()
    happens(world)
    assert standings(world)[0] == ("acknowledged", "void")
    assert approve(world).reason == "the notice n1 is void already"
    assert world.planned(Kind.EXTERNAL) == []


def test_a_new_one_is_held_where_it_is_due():
    """Acknowledged again, a new notice waits in the place of the one that was voided."""
    world = opened()
    world.acknowledge()
    world.give_back()
    world.acknowledge()
    assert standings(world) == [("acknowledged", "void"), ("acknowledged", "held")]


@pytest.mark.parametrize("decision", [ApproveNotice("cleo", "n1", **BODY), RejectNotice("cleo", "n1", "not needed")])
def test_what_a_person_decided_is_not_asked_again(decision):
    """Sent or rejected, no second notice of the same moment follows, and the first cannot be decided again."""
    world = opened()
    world.acknowledge()
    world.act(decision)
    world.give_back()
    world.acknowledge()
    assert len(standings(world)) == 1
    assert approve(world).reason
    assert world.act(RejectNotice("cleo", "n1")).reason


def test_who_was_told_of_it_is_told_of_the_end():
    """On the resolution a notice is held for the groups that got one, and for no other."""
    told, untold = opened(), opened()
    for world in (told, untold):
        world.acknowledge()
    approve(told)
    for world in (told, untold):
        world.resolve(note="x", force=True)
    assert standings(told) == [("acknowledged", "sent"), ("resolved", "held")]
    assert standings(untold) == [("acknowledged", "void")]


def test_a_recurrence_is_told_anew():
    """Back again it is another story: its notices are held as at first."""
    world = opened()
    world.acknowledge()
    approve(world)
    world.clear("a")
    world.advance(minutes=10)
    world.fire("a")
    world.acknowledge()
    assert standings(world)[-1] == ("acknowledged", "held")


def test_an_approved_notice_is_not_dropped_by_the_resolution():
    """What a person approved and still waits goes out, although the incident is over."""
    world = World(down={"email"})
    world.fire("a")
    world.acknowledge()
    approve(world)
    world.resolve(note="x", force=True)
    world.down.clear()
    world.advance(minutes=1)
    assert {each.status for each in world.planned(Kind.EXTERNAL)} == {Status.ACCEPTED}


def test_an_unknown_notice_is_refused():
    """Approving what is not there says so."""
    world = opened()
    assert approve(world, "n7").reason == "the incident has no notice 'n7'; it has none"
    assert world.incident.state is State.OPEN


PROPOSED = ("INCIDENT ALERT", "Time: 2025-10-09\nContact: dana")
CONTACTS = {
    "dana": False,
    "": False,
    "not yet known": False,
    "dana@": False,
    "the on-call engineer #12": False,
    "status@company.com": True,
    "Operations, ops@company.com": True,
    "+49 30 123456": True,
    "https://status.company.com": True,
}


@pytest.mark.parametrize(("contact", "fits"), CONTACTS.items())
def test_a_contact_that_nobody_outside_can_use_is_refused(contact, fits):
    """A responder's name is no contact; an address, a number or a page is."""
    world = opened()
    world.acknowledge()
    refused = world.act(ApproveNotice("cleo", "n1", "INCIDENT", f"We look into it.\n\n- Contact: {contact}\n"))
    assert (refused is None) is fits
    assert fits or "contact" in refused.reason
    assert fits or world.planned(Kind.EXTERNAL) == []


@pytest.mark.parametrize(
    ("written", "fits"),
    [
        ("2025-10-09 08:53 UTC", True),
        ("2025-10-09", True),
        ("2024-10-09 08:53 UTC", False),
        ("2025-09-09 08:53", False),
        ("2026-10-09 08:53", False),
        ("2025-13-09 08:53", False),
    ],
)
def test_a_time_that_is_not_the_incidents_is_refused(written, fits):
    """A wrong day, month or year in a text is found before it goes out; the start of the tests is 2025-10-09."""
    world = opened()
    world.acknowledge()
    refused = world.act(ApproveNotice("cleo", "n1", "INCIDENT", f"It began at {written}."))
    assert (refused is None) is fits, refused


@pytest.mark.parametrize(
    ("text", "contact"),
    [
        ("Seit 00:10 gestört. Kontakt: dana. Die Nächste folgt.", "dana"),
        ("Fragen an: niemand", "niemand"),
        ("Questions: dana", "dana"),
        ("Kontakt: Leitstelle, +49 30 5550100", ""),
        ("Questions: ops@company.com", ""),
    ],
)
def test_a_contact_is_one_in_german_and_within_a_line(text, contact):
    """How to reach us is looked for where people write it, not only where a line begins with "Contact"."""
    world = opened()
    world.acknowledge()
    refused = approve_text(world, "INCIDENT", text)
    assert (refused.reason.partition(",")[0] if refused else "") == (f"its contact is {contact}" if contact else "")


def test_an_edited_notice_keeps_both_texts():
    """What was proposed, how it reads now, who wrote it and when, and who approved it."""
    world = opened()
    world.acknowledge()
    assert approve_text(world, *PROPOSED).reason.startswith("its contact is dana")
    assert world.act(EditNotice("rita", "n1", "INCIDENT", "Contact: ops@company.com", *PROPOSED)) is None
    assert world.act(EditNotice("rita", "n1", "x", "y", *PROPOSED)).reason.startswith("rita has edited")
    assert approve_text(world, *PROPOSED).reason.startswith("rita has edited")
    world.advance(minutes=1)
    assert approve_text(world, "INCIDENT", "Contact: ops@company.com") is None
    [notice] = world.incident.response.notices
    assert (notice.proposed_subject, notice.proposed_body) == PROPOSED
    assert (notice.subject, notice.body) == ("INCIDENT", "Contact: ops@company.com")
    assert (notice.edited_by, notice.by) == ("rita", "cleo")
    assert notice.edited_at < notice.decided_at
    assert {each.data["body"] for each in world.planned(Kind.EXTERNAL)} == {"Contact: ops@company.com"}
    assert Fact.NOTICE_EDITED in world.facts()


def approve_text(world: World, subject: str, body: str):
    """Approved by cleo, as it reads."""
    return world.act(ApproveNotice("cleo", "n1", subject, body))


def test_an_edit_of_what_is_decided_is_refused():
    """Sent is sent."""
    world = opened()
    world.acknowledge()
    approve(world)
    assert "already" in world.act(EditNotice("rita", "n1", "x", "y", *PROPOSED)).reason


def test_both_texts_are_kept_where_nobody_edited():
    """They are the same then."""
    world = opened()
    world.acknowledge()
    approve(world)
    [notice] = world.incident.response.notices
    assert (notice.proposed_subject, notice.proposed_body) == (notice.subject, notice.body)


@pytest.mark.parametrize(("from_level", "level", "held"), [(3, 3, 1), (4, 3, 0), (4, 4, 1), (2, 2, 1), (3, 2, 0)])
def test_an_external_group_hears_from_its_level_on(from_level, level, held):
    """A notice is held only for incidents that the group is told of."""
    [internal, external] = POLICY.stakeholders
    world = opened(level, replace(POLICY, stakeholders=(internal, replace(external, from_level=from_level))))
    world.acknowledge()
    assert len(standings(world)) == held


def test_a_lowered_level_voids_what_waits():
    """The group hears nothing of an incident that turned out milder than its level."""
    world = opened()
    world.acknowledge()
    world.change(level=2, reason="only one unit")
    assert standings(world) == [("acknowledged", "void")]


APPROVERS = [
    ("email", "chief@company.com"),
    ("slack", "#incident-response"),
    ("sms", "+4930999999"),
]


def told(world: World, reason: Reason) -> list[tuple[float, str, str]]:
    """When, on which channel and who was told of notices, for that reason."""
    found = world.planned(Kind.APPROVAL, reason)
    return [(world.since(each.created_at), each.channel, each.recipient) for each in found]


def test_a_notice_that_waits_is_told_to_its_approvers_and_the_owner_at_once_and_at_half_its_time():
    """By name where the policy names them; the owner reads in the threads."""
    world = opened(policy=DETAILED)
    world.acknowledge(hold=10 * HOUR)
    assert sorted(set(told(world, Reason.WAITS))) == sorted(
        (0.0, *each) for each in {*APPROVERS, ("email", "incident-response@company.com")}
    )
    world.advance(minutes=29)
    assert told(world, Reason.STILL_WAITS) == []
    world.advance(minutes=2)
    again = told(world, Reason.STILL_WAITS)
    assert sorted(again) == sorted((30.0, *each) for each in {*APPROVERS, ("email", "incident-response@company.com")})
    world.advance(minutes=10)
    assert told(world, Reason.STILL_WAITS) == again, "once"


def test_without_named_approvers_the_internal_groups_are_told():
    """Of the incident's level, as the guide has them."""
    world = opened()
    world.acknowledge()
    assert {each[2] for each in told(world, Reason.WAITS)} == {
        "incident-response@company.com",
        "management@company.com",
        "technical-team@company.com",
        "#incident-response",
    }


def test_nobody_is_reminded_of_what_is_decided():
    """Approved in time, it waits no more."""
    world = opened()
    world.acknowledge()
    approve(world)
    assert Window.NOTICE not in world.incident.windows
    world.advance(minutes=40)
    assert told(world, Reason.STILL_WAITS) == []


WHY = {
    "a reopening": (lambda world: world.give_back(), "nobody has the incident any more"),
    "a resolution": (
        lambda world: world.resolve(note="x", force=True),
        "the incident was resolved before anybody approved it",
    ),
    "a lower level": (
        lambda world: world.change(level=2, reason="only one"),
        "the level is 2 now, and the group hears of 3 and worse",
    ),
}


@pytest.mark.parametrize(("happens", "why"), WHY.values(), ids=WHY)
def test_a_plain_word_says_that_one_is_void_and_why(happens, why):
    """In the timeline, to the approvers and to the owner."""
    world = opened(policy=DETAILED)
    world.acknowledge()
    happens(world)
    assert world.entries(Fact.NOTICE_VOID)[0].data["why"] == why
    assert world.incident.response.notices[0].why == why
    void = [each for each in world.planned(Kind.APPROVAL, Reason.VOIDED) if each.data["void"] == "n1"]
    owners = {("email", "incident-response@company.com")} if world.incident.holder else set()
    assert {(each.channel, each.recipient) for each in void} == {*APPROVERS, *owners}


def test_one_message_tells_of_what_is_void_and_of_what_waits_instead():
    """After a breach and a late acknowledgement, no recipient gets two messages at once."""
    world = opened(policy=DETAILED)
    world.advance(minutes=61)
    before = len(world.planned(Kind.APPROVAL))
    world.acknowledge()
    fresh = world.planned(Kind.APPROVAL)[before:]
    assert {(each.data["waits"], each.data["void"]) for each in fresh} == {("n2", "n1")}
    assert len({(each.channel, each.recipient) for each in fresh}) == len(fresh)


def recurring(world: World, decide: Callable[[World], object]) -> None:
    """The incident resolves by itself, `decide` acts on the notice that waits then, and the incident recurs."""
    world.clear("a")
    world.advance(minutes=10)
    assert world.incident.state is State.RESOLVED
    decide(world)
    world.fire("a")


ENDED = {
    "nobody decided on it": (lambda world: None, "void"),
    "it was rejected": (lambda world: world.act(RejectNotice("cleo", "n2", "too early")), "rejected"),
    "it was sent, and the trouble told anew": (lambda world: approve(world, "n2"), "sent"),
}


@pytest.mark.parametrize(("decide", "standing"), ENDED.values(), ids=ENDED)
def test_who_was_told_is_offered_the_end_in_a_later_episode(decide, standing):
    """Recipients who heard of the trouble and not of its end are due the end, however the first end notice stood."""
    world = opened()
    world.acknowledge()
    approve(world)
    recurring(world, decide)
    assert standings(world)[1] == ("resolved", standing)
    if standing == "sent":
        world.acknowledge()
        assert standings(world)[2:] == [("acknowledged", "held")]
        approve(world, "n3")
    world.clear("a")
    world.advance(minutes=10)
    assert world.incident.state is State.RESOLVED
    assert standings(world)[-1] == ("resolved", "held")


def test_who_was_told_the_end_is_not_told_it_twice():
    """It recurred and ended, and the recipients outside did not hear of the recurrence: they need no second end."""
    world = opened()
    world.acknowledge()
    approve(world)
    recurring(world, lambda world: approve(world, "n2"))
    world.clear("a")
    world.advance(minutes=10)
    assert world.incident.state is State.RESOLVED
    assert standings(world) == [("acknowledged", "sent"), ("resolved", "sent")]


def test_the_end_can_be_told_after_the_incident_is_closed():
    """The end notice stays on offer after the incident closes, a day without an approval later."""
    world = opened()
    world.acknowledge()
    approve(world)
    world.clear("a")
    world.advance(minutes=10 + 25 * 60)
    assert world.incident.state is State.CLOSED
    assert standings(world)[-1] == ("resolved", "held")
    assert approve(world, "n2") is None
    assert standings(world)[-1] == ("resolved", "sent")


def test_a_lowered_level_keeps_who_was_told():
    """They hear the rest of it, however mild it turned out to be."""
    world = opened()
    world.acknowledge(hold=10 * HOUR)
    approve(world)
    world.change(level=2, reason="only one unit")
    world.advance(minutes=61)
    assert standings(world)[-1] == ("updated", "held")
    world.resolve(note="x", force=True)
    assert standings(world)[-1] == ("resolved", "held")


def updated(world: World) -> list[tuple[float, str]]:
    """When each draft of an update was held, and what became of it."""
    notices = world.incident.response.notices
    return [(world.since(each.held_at), each.standing.value) for each in notices if each.moment.value == "updated"]


def test_external_groups_get_a_draft_of_the_update_on_the_clock():
    """Before it is due, for approval; nothing goes out unapproved, and the next takes its place."""
    world = opened()
    world.acknowledge(hold=10 * HOUR)
    approve(world)
    sent = len(world.planned(Kind.EXTERNAL))
    world.advance(minutes=61)
    assert updated(world) == [(45, "held")]
    assert len(world.planned(Kind.EXTERNAL)) == sent
    draft = world.incident.response.notices[-1]
    assert (world.since(draft.due_at), world.since(draft.next_at)) == (60, 120)
    world.advance(minutes=60)
    assert updated(world) == [(45, "void"), (105, "held")]
    assert world.incident.response.notices[1].why == "the next update takes its place"
    assert approve(world, "n3") is None
    world.advance(minutes=60)
    assert updated(world) == [(45, "void"), (105, "sent"), (165, "held")]


def test_who_was_not_told_gets_no_update():
    """A notice without an approval was not sent; its text keeps promising the next update."""
    world = opened()
    world.acknowledge(hold=10 * HOUR)
    assert world.since(world.incident.response.notices[0].next_at) == 60
    world.advance(minutes=61)
    assert standings(world) == [("acknowledged", "held")]
    assert world.since(world.incident.response.notices[0].next_at) == 120


def test_a_written_update_makes_a_draft_for_those_outside():
    """Without that person's words, and not sent."""
    world = opened()
    world.acknowledge()
    approve(world)
    sent = len(world.planned(Kind.EXTERNAL))
    world.advance(minutes=10)
    world.update(text="Bob broke it")
    assert updated(world) == [(10, "held")]
    assert len(world.planned(Kind.EXTERNAL)) == sent


PARTNER = "customers@company.com"


def test_a_notice_is_sent_to_some_of_the_group():
    """The recipients left out hear neither updates nor the end; an approver may still choose others."""
    world = opened()
    world.acknowledge(hold=10 * HOUR)
    assert world.act(ApproveNotice("cleo", "n1", **BODY, recipients=(PARTNER,))) is None
    assert [each.recipient for each in world.planned(Kind.EXTERNAL)] == [PARTNER]
    assert world.entries(Fact.NOTICE_SENT)[0].data["to"] == PARTNER
    world.advance(minutes=61)
    assert world.incident.response.notices[-1].recipients == (PARTNER,)
    assert approve(world, "n2") is None
    world.resolve(note="x", force=True)
    assert world.incident.response.notices[-1].recipients == (PARTNER,)
    both = ("customers@company.com", "regulators@company.com")
    assert world.act(ApproveNotice("cleo", "n3", **BODY, recipients=both)) is None
    assert [each.recipient for each in world.planned(Kind.EXTERNAL)][2:] == list(both)


@pytest.mark.parametrize("wrong", [("nobody@company.com",), (PARTNER, "nobody@company.com"), ("email",)])
def test_a_recipient_whom_the_group_has_not_is_refused(wrong):
    """A slip of the pen must not tell a stranger, nor everybody."""
    world = opened()
    world.acknowledge()
    refused = world.act(ApproveNotice("cleo", "n1", **BODY, recipients=wrong))
    assert refused.reason.startswith("external_notification has no ")
    assert world.planned(Kind.EXTERNAL) == []


def test_an_exercise_practises_the_approval_and_tells_nobody_outside():
    """Held, told, approved: the text goes to the approvers, marked as an exercise, also where an edit lost the mark."""
    world = World(DETAILED)
    world.declare(exercise=True)
    world.acknowledge()
    assert standings(world) == [("acknowledged", "held")]
    assert told(world, Reason.WAITS)
    assert approve(world) is None
    sent = world.planned(Kind.EXTERNAL)
    assert [(each.channel, each.recipient) for each in sent] == APPROVERS
    assert {(each.data["subject"], each.data["body"]) for each in sent} == {
        (f"EXERCISE: {BODY['subject']}", f"EXERCISE: {BODY['body']}")
    }
    assert "exercise" in world.entries(Fact.NOTICE_SENT)[0].data["practised"]


def test_an_exercise_asks_for_no_call_to_a_real_number():
    """Who would be called by hand is practised as well, without the number."""
    [internal, external] = POLICY.stakeholders
    callable_ = replace(external, recipients=("+4930123456", "The regulator's desk"))
    world = World(replace(POLICY, channels=CHANNELS[:4], stakeholders=(internal, callable_)))
    world.declare(exercise=True)
    world.acknowledge()
    approve(world)
    [call] = world.incident.response.checklists.calls
    assert call.startswith("EXERCISE: call nobody.")
    assert "+4930123456" not in call


def test_no_message_of_an_exercise_reaches_an_address_outside():
    """Not a page, an update, an all-clear or a report, although the policy has the same addresses for those."""
    world = World(SHARED)
    world.declare(exercise=True)
    world.advance(minutes=20)
    world.acknowledge(hold=10 * HOUR)
    approve(world, world.incident.response.notices[-1].id)
    world.advance(minutes=40)
    world.update()
    world.resolve(note="over")
    world.advance(minutes=25 * 60)
    assert world.incident.state is State.CLOSED
    assert world.delivered
    assert not [each for each in world.delivered if each.recipient.lower() in OUTSIDE]
    assert "board@company.com" in {each.recipient for each in world.heard(Kind.REPORT)}
    kept_in = [each for each in world.planned(Kind.PAGE) if each.recipient.lower() in OUTSIDE]
    assert kept_in
    assert {each.status for each in kept_in} == {Status.UNDELIVERABLE}
    assert {each.data["why"] for each in kept_in} == {KEPT_IN}
    assert KEPT_IN in {each.data.get("why") for each in world.entries(Fact.UNDELIVERABLE)}


def test_what_is_real_still_goes_there():
    """The same policy, no exercise: the shared addresses are paged."""
    world = World(SHARED)
    world.declare()
    assert {"Customers@Company.com", "+4930111222"} <= {each.recipient for each in world.delivered}


PROMISES = {
    "to come": ("Next update by 2025-10-09 09:30 UTC.", 0, True),
    "past": ("Next update by 2025-10-09 09:30 UTC.", 45, False),
    "without its date": ("next update: 09:30", 45, False),
    "after midnight": ("Next update by 00:10 UTC.", 45, True),
    "what happened": ("At 09:01 UTC the landing was stopped.", 45, True),
    "of a zone without a name, to come": ("Next update by 2025-10-09 15:15 UTC+5:45.", 0, True),
    "of a zone without a name, past": ("Next update by 2025-10-09 15:15 UTC+5:45.", 45, False),
    "east, past": ("next update: 12:30 UTC+3", 45, False),
    "west, to come": ("next update: 06:30 UTC-3", 15, True),
}


@pytest.mark.parametrize(("written", "later", "fits"), PROMISES.values(), ids=PROMISES)
def test_an_edited_text_promises_no_update_by_a_time_that_has_passed(written, later, fits):
    """It is checked when it is approved, however long after the edit that is; the tests begin at 09:00 UTC."""
    world = opened()
    world.acknowledge()
    assert world.act(EditNotice("rita", "n1", "INCIDENT", written, *PROPOSED)) is None
    world.advance(minutes=later)
    refused = approve_text(world, "INCIDENT", written)
    assert (refused is None) is fits, refused
    assert fits or "which has passed: edit the text" in refused.reason


def test_a_time_that_the_template_proposed_is_a_promise_in_any_words():
    """The notice knows the time of the next update, also when an edit rewords it."""
    world = opened()
    world.acknowledge()
    [notice] = world.incident.response.notices
    told = rfc3339(notice.next_at)[:16].replace("T", " ")
    assert world.act(EditNotice("rita", "n1", "VORFALL", f"Wieder um {told} UTC.", *PROPOSED)) is None
    world.now = notice.next_at
    assert "which has passed" in approve_text(world, "VORFALL", f"Wieder um {told} UTC.").reason


def test_what_nobody_edited_promises_the_update_that_is_to_come():
    """A notice that waits past the next update names the one after it."""
    world = opened()
    world.acknowledge(hold=24 * HOUR)
    for _ in range(6):
        world.advance(minutes=35)
        held = [each for each in world.incident.response.notices if each.standing is Standing.HELD]
        assert held
        assert all(each.next_at > world.now for each in held)


def test_who_was_told_hears_of_a_recurrence_below_their_level():
    """They know of the trouble: that it is back concerns them, although its level was lowered in between."""
    world = opened()
    world.acknowledge()
    approve(world)
    world.change(level=2, reason="less than thought")
    world.clear("a")
    world.advance(minutes=10)
    approve(world, "n2")
    world.fire("a", level=2)
    world.acknowledge()
    assert (world.incident.level, standings(world)[-1]) == (2, ("acknowledged", "held"))
