"""Many incidents acknowledged at once: exactly those that were meant, and the answer lists them."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from receiver.core.model import Instant
from receiver.core.rate_limit import BUNDLE_WAIT, STORM_LIMIT
from receiver.engine.commands import Delivery
from receiver.messages import MessageRenderer
from receiver.web.auth.signing import Signing
from receiver.web.console.links import Links
from rules.policy import SECOND
from tests.web.conftest import Running
from tests.web.test_callbacks_twilio import ENVIRON, PUBLIC, Twilio

KEY = "k" * 32
BEYOND = 5
"""Incidents beyond what leaves alone."""
ALONE = STORM_LIMIT.count
SMS = "+1234567890"


class Night(Twilio):
    """A receiver in a storm of emergencies, each declared; time stands still unless it is let pass."""

    async def storm(self, count: int, level: int = 4) -> None:
        """So many more open."""
        for _ in range(count):
            status, _ = await self.receiver.post(
                "/api/v1/incidents", {"type": "engine_failure", "level": level}, headers={"Host": "localhost"}
            )
            assert status == 201

    async def deliver(self) -> list[Delivery]:
        """What may leave now is delivered; the messages, in order."""
        queue, sent = self.receiver.queue, []
        while claimed := await queue.run(self.receiver.engine.claim, self.receiver.clock(), "me", frozenset()):
            await self.report([notification for each in claimed for notification, _ in each.items])
            sent += claimed
        return sent

    async def bundle(self, channel: str) -> Delivery:
        """Everything is delivered, the bundles too; the bundle on that channel."""
        await self.deliver()
        self.receiver.clock.now = Instant(self.receiver.clock.now + BUNDLE_WAIT)
        found = [each for each in await self.deliver() if each.bundle and each.items[0][0].channel == channel]
        assert len(found) == 1
        return found[0]

    async def state(self, number: int) -> str:
        return (await self.receiver.get(f"/api/v1/incidents/{number}"))[1]["state"]

    async def acknowledged(self) -> set[int]:
        """Numbers."""
        _, found = await self.receiver.get("/api/v1/incidents?state=acknowledged&limit=200")
        return {each["number"] for each in found["incidents"]}


@pytest.fixture
async def night(start: Callable[..., Any]) -> Night:
    """A receiver that Twilio and people with links can reach."""
    return Night(await start(**ENVIRON, TOCSIN_SECRET_KEY=KEY))


def numbers(delivery: Delivery) -> set[int]:
    return {incident.number for _, incident in delivery.items}


async def test_ack_all_takes_what_was_sent_to_that_number(night: Night) -> None:
    """ACK ALL by SMS takes every incident that a message to this number named, bundles included, and lists them."""
    await night.storm(ALONE + BEYOND)
    await night.bundle("sms")
    assert await night.answer("ack all", SMS) == f"Acknowledged: #1-#{ALONE + BEYOND}."
    assert await night.acknowledged() == set(range(1, ALONE + BEYOND + 1))
    assert await night.answer("ACK ALL", SMS) == "Acknowledged: none. Nothing that was sent here waits for an answer."


async def test_ack_all_takes_nothing_that_was_not_sent_there(night: Night) -> None:
    """What still waits for its bundle, what went to others, and what rang again since are not taken."""
    await night.storm(ALONE + BEYOND)
    await night.deliver()
    await night.storm(1, level=3)
    await night.deliver()
    assert await night.answer("ACK ALL", SMS) == f"Acknowledged: #1-#{ALONE}."
    waiting = set(range(ALONE + 1, ALONE + BEYOND + 2))
    assert not waiting & await night.acknowledged()
    assert await night.answer("ACK ALL", "+15550001111") == ""


async def test_ack_all_is_carried_out_once(night: Night) -> None:
    """The same SMS delivered twice takes nothing that was sent after it was carried out."""
    await night.storm(2)
    await night.deliver()
    assert await night.answer("ACK ALL", SMS, message="SM-same") == "Acknowledged: #1-#2."
    await night.receiver.pass_time(16 * 60 * SECOND)
    await night.deliver()
    assert "Not changed: #1-#2 (this was carried out already)." in await night.answer("ACK ALL", SMS, message="SM-same")
    assert await night.acknowledged() == set()


async def test_a_key_answers_the_whole_call(night: Night) -> None:
    """A call about several incidents: key 1 takes exactly those that it named."""
    await night.storm(ALONE + BEYOND)
    call = await night.bundle("sms")  # as a call would be
    await night.storm(1)
    form = {"CallSid": "CA1", "Digits": "1", "To": SMS}
    status, answer = await night.post(f"/callbacks/twilio/digits?notification={call.name}", form)
    assert (status, f"Acknowledged: {len(call.items)} incidents. Thank you." in answer) == (200, True)
    assert await night.acknowledged() == numbers(call)


async def test_bad_news_of_a_bundle_concerns_all_of_it(night: Night) -> None:
    """A bundle that Twilio took and then lost is given up for every incident that it named."""
    await night.storm(ALONE + BEYOND)
    sms = await night.bundle("sms")
    form = {"MessageSid": "SM1", "MessageStatus": "undelivered"}
    assert (await night.post(f"/callbacks/twilio/status?notification={sms.name}", form))[0] == 204
    for number in numbers(sms):
        _, found = await night.receiver.get(f"/api/v1/incidents/{number}/notifications")
        assert "gave_up" in {each["status"] for each in found["notifications"] if each["channel"] == "sms"}


async def link_of(night: Night, bundle: Delivery) -> str:
    """The path of the bundle's link, the same in every medium."""
    words = MessageRenderer(
        PUBLIC, "inst", ack_url=Links(Signing(KEY, night.receiver.clock), night.receiver.store.installation, PUBLIC).url
    )
    said = words.render(bundle, night.receiver.clock())
    link = re.search(rf"{re.escape(PUBLIC)}(/act/\S+)", said.text)
    assert link is not None
    assert f"{PUBLIC}{link[1]}" in said.html
    assert f"{PUBLIC}{link[1]}" in said.short
    return link[1]


async def test_a_bundles_link_takes_its_own_list(night: Night) -> None:
    """A visit shows how many and takes none; the button takes those of the message, and never what came later."""
    await night.storm(ALONE + BEYOND)
    path = await link_of(night, bundle := await night.bundle("email"))
    await night.storm(2)
    status, page = await night.receiver.get(path)
    assert (status, f"Acknowledge these {BEYOND}" in page) == (200, True)
    assert await night.acknowledged() == set()
    status, page = await night.receiver.post(path, b"")
    assert (status, f"Acknowledged: #{ALONE + 1}-#{ALONE + BEYOND}." in page) == (200, True)
    assert await night.acknowledged() == numbers(bundle)
    assert (await night.receiver.post(path, b""))[0] == 409


async def test_each_try_of_a_bundle_has_its_own_list(night: Night) -> None:
    """A bundle that is sent again names what is wanted then; the link of the first try still takes the first list."""
    await night.storm(ALONE + BEYOND)
    await night.deliver()
    night.receiver.clock.now = Instant(night.receiver.clock.now + BUNDLE_WAIT)
    queue = night.receiver.queue

    async def claim() -> Delivery:
        claimed = await queue.run(night.receiver.engine.claim, night.receiver.clock(), "me", frozenset())
        return next(each for each in claimed if each.bundle and each.items[0][0].channel == "email")

    first = await claim()
    night.receiver.clock.now = Instant(night.receiver.clock.now + 60 * SECOND)
    second = await claim()
    paths = [await link_of(night, each) for each in (first, second)]
    assert paths[0] != paths[1]
    status, _ = await night.receiver.post(paths[0], b"")
    assert (status, await night.acknowledged()) == (200, numbers(first))


async def test_forged_bundle_links(night: Night) -> None:
    """A link cannot be turned into that of another message."""
    await night.storm(ALONE + BEYOND)
    path = await link_of(night, await night.bundle("email"))
    number, sequence, at, seal = path.removeprefix("/act/").split("-")
    for forged in ((number, sequence, seal), (number, sequence, f"{int(at) + 1}", seal), ("1", sequence, at, seal)):
        assert (await night.receiver.post(f"/act/{'-'.join(forged)}", b""))[0] == 404
    assert await night.acknowledged() == set()


async def several(receiver: Running, **body: Any) -> tuple[int, Any]:
    return await receiver.post("/api/v1/incidents/acknowledge", body, headers={"Host": "localhost"})


async def test_several_by_their_numbers(night: Night) -> None:
    """The API takes those that are named, and says of each of the others why not."""
    await night.storm(4)
    await night.receiver.post("/api/v1/incidents/2/resolve", {}, headers={"Host": "localhost"})
    status, answer = await several(night.receiver, incidents=[1, 2, 3, 99], by="ada", note="all one pump")
    assert (status, answer["taken"]) == (200, [1, 3])
    assert [each["number"] for each in answer["not_taken"]] == [2, 99]
    assert all(each["reason"] for each in answer["not_taken"])
    assert await night.acknowledged() == {1, 3}


async def test_several_by_their_level(night: Night) -> None:
    """A level takes what is open at exactly that level, and leaves to others what they have."""
    await night.storm(3, level=3)
    await night.storm(2, level=4)
    await night.receiver.post("/api/v1/incidents/1/acknowledge", {"by": "ron"}, headers={"Host": "localhost"})
    assert (await several(night.receiver, level=3, by="ada"))[1]["taken"] == [2, 3]
    assert await night.acknowledged() == {1, 2, 3}
    assert (await night.incident())["acknowledged_by"] == "ron"


@pytest.mark.parametrize("body", [{}, {"incidents": [], "by": "a"}, {"incidents": [1], "level": 3}, {"incidents": [0]}])
async def test_several_must_say_which(night: Night, body: dict[str, Any]) -> None:
    """Neither everything by a slip of the pen, nor nothing."""
    assert (await several(night.receiver, **body))[0] == 400
