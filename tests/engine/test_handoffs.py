"""The shift log and the message at a handoff: once, to the old and the new, with what is open."""

from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import pytest

from receiver.channels import Outgoing
from receiver.channels.email import EmailSender
from receiver.channels.slack import SlackSender
from receiver.core.audit_log import Origin, audit_of
from receiver.core.events import Acknowledge, Delivered, Outcome, Rejected, Retry
from receiver.core.model import Instant, Status
from receiver.core.shift_log import LEASE
from receiver.demo.stand_ins import start_mailbox
from receiver.engine.commands import ForIncident
from receiver.engine.queue import CommandQueue
from receiver.jobs.handoffs import Handoffs
from receiver.on_call.override_log import OverrideChange
from receiver.store import SqlStore
from rules.load import load_text
from rules.policy import HOUR, MINUTE
from rules.problems import PolicyError
from tests.channels.servers.slack import SlackWorkspace
from tests.core.world import START
from tests.engine.world import EngineWorld, messages

POLICY = """
incident_response:
  alert_channels:
    - {name: email, type: email, recipients: [team@example.org]}
    - {name: sms, type: sms, recipients: ["@primary"]}
    - {name: slack, type: slack, channel: "#incidents"}
people:
  - {name: dana, contacts: {sms: "+4917010000001", slack: U024BE7LH}, time_zone: Europe/Berlin}
  - {name: ben, contacts: {sms: "+4917010000002", email: ben@example.org}}
  - {name: chris, contacts: {sms: "+4917010000003"}}
schedules:
  - name: primary
    time_zone: UTC
    layers: [{people: [dana, ben], starts: "2025-10-08T09:00", every: 1d}]
"""
NINE = 7 * MINUTE
"""A handoff from dana to ben is a little before that; the start is 08:53:20."""


class Told:
    """A sender that notes what it was handed."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []
        self.outcome: Outcome = Delivered("ref")

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Answers what it is told to."""
        message = outgoing.message
        self.sent.append((outgoing.notification.recipient, message.subject, message.text))
        return self.outcome

    async def close(self) -> None:
        """Nothing."""


class Replica:
    """One of several over a store, with a clock that is told the time."""

    def __init__(self, store: SqlStore, policy: str = POLICY, told: Any = None) -> None:
        self.world = EngineWorld(store, load_text(policy).policy)
        self.now, self.told = 0, told or Told()
        self.queue = CommandQueue(self.world.engine, lambda: Instant(START + self.now))
        senders = {"slack": self.told, "email": self.told}
        self.job = Handoffs(self.queue, self.world.engine, store, senders, "https://tocsin.example.org")

    async def look(self, now: int) -> list[tuple[str, str, str]]:
        """At that time; what was sent by then and not before."""
        self.now, before = now, len(self.told.sent)
        await self.job.look()
        return list(self.told.sent[before:])

    async def override(self, person: str, starts: int, ends: int, by: str = "ann") -> None:
        """`by` makes an override."""
        change = OverrideChange(START + self.now, by, "swap", "primary", person, START + starts, START + ends)
        entry = audit_of(Origin(by, "api"), Instant(START + self.now), "override")
        await self.queue.run(self.world.engine.override, change, entry)


async def test_a_handoff_is_told_to_both_once(store: SqlStore) -> None:
    """Who comes on call and who goes off hear what is open and who has it; a restart and another replica tell nothing."""
    one = Replica(store)
    assert await one.look(0) == []
    held = await one.queue.run(one.world.fire, "one")
    await one.queue.run(one.world.handle, ForIncident(held.id, Acknowledge(by="dana")))
    await one.queue.run(one.world.fire, "two", "two")
    new, old = await one.look(NINE)
    assert new[:2] == ("ben@example.org", "You are on call: primary until Fri 10 Oct, 09:00 UTC")
    assert "You came on call for primary at Thu 9 Oct, 09:00 UTC, by layer 1" in new[2]
    assert "You follow dana." in new[2]
    assert "Open at Thu 9 Oct, 09:00 UTC: 2 incidents\n" in new[2]
    assert "dana has it" in new[2]
    assert "nobody has it" in new[2]
    assert "https://tocsin.example.org/on-call" in new[2]
    assert old[:2] == ("U024BE7LH", "You are off call: primary")
    assert "at Thu 9 Oct, 11:00 CEST. ben is on call from then on." in old[2]
    assert "you have it" in old[2]
    assert await one.look(NINE + MINUTE) == []
    assert await Replica(store).look(NINE + 2 * MINUTE) == []
    reads = store.reads().handoffs
    assert [each.people for each in reads.entries("primary", Instant(0))] == [("dana",), ("ben",)]
    assert reads.entries("primary", Instant(0))[1].at % (24 * HOUR) == 9 * HOUR
    assert {each.status for each in reads.newest(9)} == {Status.ACCEPTED}


async def test_of_two_replicas_that_look_at_once_one_tells(store: SqlStore) -> None:
    """Both find the same change; the one that writes second writes and sends nothing."""
    one, two = Replica(store), Replica(store)
    await one.look(0)
    one.now = two.now = NINE
    position, noted = two.job._compare(Instant(START + NINE))
    assert len(await one.look(NINE)) == 2
    assert store.handoffs.note(position, noted) is False
    assert await two.look(NINE) == []


async def test_an_override_is_told_when_it_begins_and_when_it_ends(store: SqlStore) -> None:
    """Not when it is made: it may be for next week."""
    one = Replica(store)
    await one.look(0)
    await one.override("ben", MINUTE, 3 * MINUTE)
    assert await one.look(30_000_000) == []
    begun = await one.look(MINUTE)
    assert [each[0] for each in begun] == ["ben@example.org", "U024BE7LH"]
    assert "by override by ann" in begun[0][2]
    ended = await one.look(3 * MINUTE)
    assert [each[0] for each in ended] == ["U024BE7LH", "ben@example.org"]


async def test_an_override_whose_person_is_gone_is_void_at_once_and_said(store: SqlStore) -> None:
    """A policy without ben comes: nobody is on call by the override, its maker hears why, and what is open is paged on."""
    one = Replica(store)
    await one.look(0)
    await one.override("ben", 0, HOUR, by="dana")
    await one.look(MINUTE)
    incident = await one.queue.run(lambda: one.world.fire("one", level=4))
    [page] = [each for each in messages(await one.queue.run(one.world.claim, MINUTE)) if each.channel == "sms"]
    assert page.person == "ben"
    without = POLICY.replace("[dana, ben]", "[dana]").replace("name: ben", "name: eve")
    policy = load_text(without).policy
    one.world.engine.keep_policy(policy, Instant(START))
    one.world.engine.adopt(policy, ("email", "sms", "slack"))
    told = await one.look(2 * MINUTE)
    [void] = [each for each in told if "void" in each[1]]
    assert void[0] == "U024BE7LH"
    assert "the policy has nobody named ben. Nobody is on call by it. Cancel it, or make another." in void[2]
    assert "nobody_on_call" in one.world.facts(incident.id)
    assert await one.look(3 * MINUTE) == []


async def test_a_void_override_of_a_stranger_is_told_to_whom_it_concerns(store: SqlStore) -> None:
    """Its author is none of the people: those with turns in the schedule hear of it; where the schedule is gone, the
    person whom the override names.
    """
    one = Replica(store)
    await one.look(0)
    await one.override("ben", HOUR, 2 * HOUR, by="ops team")
    await one.override("chris", 3 * HOUR, 4 * HOUR, by="ops team")
    without = POLICY.replace("[dana, ben]", "[dana, eve]").replace("name: ben", "name: eve")
    gone = POLICY.partition("schedules:")[0].replace('"@primary"', '"@eve"').replace("ben", "eve")
    voids = []
    for minute, text in enumerate((without, gone.replace('"+4917010000003"', '"+4917010000003", email: c@x.org'))):
        policy = load_text(text).policy
        one.world.engine.keep_policy(policy, Instant(START))
        one.world.engine.adopt(policy, ("email", "sms", "slack"))
        told = await one.look((minute + 1) * MINUTE)
        voids.append({each[0]: each for each in told if each[1] == "An override of primary is void"})
    first, second = voids
    assert set(first) == {"U024BE7LH", "ben@example.org"}
    assert "The override by ops team that puts ben on call" in first["U024BE7LH"][2]
    assert set(second) == {"c@x.org"}


async def test_a_schedule_that_goes_tells_who_was_on_call(store: SqlStore) -> None:
    """They would think that they are still; that the same schedule comes back is a handoff."""
    one = Replica(store)
    await one.look(0)
    policy = load_text(POLICY.partition("schedules:")[0].replace('"@primary"', '"@dana"')).policy
    one.world.engine.keep_policy(policy, Instant(START))
    one.world.engine.adopt(policy, ("email", "sms", "slack"))
    [old] = await one.look(MINUTE)
    assert "as the policy has no schedule primary any more" in old[2]
    assert await one.look(2 * MINUTE) == []


@pytest.mark.parametrize(("by", "told"), [("[email]", ["ben@example.org"]), ("[]", [])])
async def test_the_policy_says_by_what_a_handoff_is_told(store: SqlStore, by: str, told: list[str]) -> None:
    """`handoff: {by: […]}`: of these ways the first that a person has; none where it is empty."""
    one = Replica(store, POLICY.replace("time_zone: UTC\n", f"time_zone: UTC\n    handoff: {{by: {by}}}\n"))
    await one.look(0)
    assert [each[0] for each in await one.look(NINE)] == told


def test_a_handoff_wakes_nobody() -> None:
    """What wakes is refused where the policy says how handoffs are told."""
    with pytest.raises(PolicyError, match="a handoff wakes nobody"):
        load_text(POLICY.replace("time_zone: UTC\n", "time_zone: UTC\n    handoff: {by: [phone]}\n"))


async def test_what_cannot_be_told_is_tried_again_and_kept(store: SqlStore) -> None:
    """Slack is down: it is told when it is up again; what is refused is kept with the reason."""
    one = Replica(store)
    await one.look(0)
    one.told.outcome = Retry("Slack is unwell")
    assert len(await one.look(NINE)) == 2
    assert await one.look(NINE + 1_000_000) == []
    one.told.outcome = Rejected("no such user")
    assert len(await one.look(NINE + HOUR)) == 2
    assert {(each.status, each.detail) for each in store.handoffs.newest(9)} == {(Status.GAVE_UP, "no such user")}
    assert await one.look(NINE + 2 * HOUR) == []


@pytest.fixture
async def slack() -> AsyncIterator[SlackWorkspace]:
    """A workspace whose messages can be looked at."""
    workspace = SlackWorkspace("xoxb-1", "U024BE7LH")
    async with workspace.wire:
        yield workspace


async def test_what_is_no_longer_true_is_not_told(store: SqlStore) -> None:
    """Where no message got through until ben was off call again, he is not told that he is on call, nor dana that she is
    off call: she is on call.
    """
    one = Replica(store)
    await one.look(0)
    one.told.outcome = Retry("nothing gets through")
    await one.look(NINE)
    await one.override("dana", NINE + MINUTE, NINE + 2 * HOUR)
    one.told.outcome = Delivered("ref")
    late = await one.look(NINE + HOUR)
    assert [each[:2] for each in late] == [
        ("U024BE7LH", "You are on call: primary until Thu 9 Oct, 13:00 CEST"),
        ("ben@example.org", "You are off call: primary"),
    ]
    found = store.reads().handoffs.newest(9)
    assert sorted((each.about, each.person, each.status) for each in found) == [
        ("off", "ben", Status.ACCEPTED),
        ("off", "dana", Status.SUPERSEDED),
        ("on", "ben", Status.SUPERSEDED),
        ("on", "dana", Status.ACCEPTED),
    ]


async def test_slack_shows_it_without_buttons(store: SqlStore, slack: SlackWorkspace) -> None:
    """A direct message with headline, sentence and list; nothing in it asks for an answer."""
    one = Replica(store, told=SlackSender("xoxb-1", f"{slack.wire.url}/api", 5.0))
    one.told.sent = []
    await one.look(0)
    await one.queue.run(one.world.fire, "one")
    await one.look(NINE)
    [shown] = [each for each in slack.shown if "off call" in each["text"]]
    assert shown["text"].startswith("You are off call: primary")
    assert "Open at" in str(shown["blocks"])
    assert "actions" not in {block["type"] for block in shown["blocks"]}


async def test_a_mail_is_sent_once(store: SqlStore) -> None:
    """What a mail host took is kept as taken: it is not sent again when the claim would have run out."""
    mails: list[tuple[str, ...]] = []
    host, url = await start_mailbox(lambda *mail: mails.append(mail))
    one = Replica(store, told=EmailSender(url, "tocsin@example.org", 5.0))
    one.told.sent = []
    with closing(host):
        for now in (0, NINE, NINE + LEASE + 1):
            await one.look(now)
    assert [(to, subject[:15]) for _, to, subject, _ in mails] == [("ben@example.org", "You are on call")]
    [kept] = [each for each in store.handoffs.newest(9) if each.channel == "email"]
    assert (kept.status, kept.reference.count("@")) == (Status.ACCEPTED, 1)
