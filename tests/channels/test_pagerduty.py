"""PagerDuty: what it is told, how its answers are judged, and that nothing it does holds us up."""

import asyncio
import dataclasses
import gc
import logging
import subprocess
import sys

import pytest
from msgspec.structs import replace

from receiver.channels.pagerduty import PagerDutySender
from receiver.core.events import Delivered, Rejected, Retry
from receiver.core.model import Kind, Reason
from receiver.demo.tools import free_port
from receiver.messages.renderer import SEVERITIES
from tests.channels import stories
from tests.channels.outgoings import outgoing, until_delivered
from tests.channels.servers import wire
from tests.channels.servers.pagerduty import SEVERITIES as KNOWN
from tests.channels.servers.pagerduty import PagerDuty
from tests.channels.servers.wire import Reply
from tests.messages import samples

KEY = "R0UTINGKEY0123456789abcdefWXYZ98"
MINUTE = 60_000_000


@pytest.fixture
async def pagerduty():
    account = PagerDuty(KEY)
    async with account.wire:
        yield account


@pytest.fixture
async def sender(pagerduty):
    sender = PagerDutySender(lambda service: KEY, api_url=pagerduty.wire.url)
    yield sender
    await sender.close()


@pytest.fixture
async def make(pagerduty):
    """Makes senders that wait so many seconds for an answer; they are closed in the end."""
    made = []

    def make(patience):
        timeout = (patience / 2, patience / 2)
        made.append(
            PagerDutySender(lambda service: KEY, api_url=pagerduty.wire.url, timeout=timeout, deadline=patience)
        )
        return made[-1]

    yield make
    for sender in made:
        await sender.close()


def page(serial=1, **changes):
    return outgoing("pagerduty", "ml-systems", page=serial, **changes)


def news(kind, pages, **changes):
    return outgoing("pagerduty", "ml-systems", kind=kind, reason=Reason.ACTION, pages=pages, **changes)


async def test_page_says_what_is_wrong(pagerduty, sender):
    """A page triggers an alert with summary, severity, facts and links, under the incident's and the page's key."""
    assert await sender.send(page()) == Delivered("install-0198c0de-1")
    (event,) = pagerduty.events
    assert event["dedup_key"] == "install-0198c0de-1"
    assert event["payload"]["summary"] == "#12 EMERGENCY safety_critical_failure: safety margin below 0.95"
    assert event["payload"]["severity"] == "critical"
    assert event["payload"]["source"] == "flight-control"
    assert event["payload"]["custom_details"]["level"] == 4
    assert event["payload"]["custom_details"]["notes"] == ["First: engage the fallback controller."]
    assert event["payload"]["custom_details"]["firing"]["alerts"][0]["value"] == "0.91"
    assert [link["href"] for link in event["links"]] == [
        "https://tocsin.example/incidents/12",
        "https://runbooks.example/safety",
    ]
    assert event["client_url"] == "https://tocsin.example/incidents/12"


async def test_details_are_what_event_rules_route_on(pagerduty, sender):
    """Numbers are numbers, lists are lists, labels stand by their names, and nothing is a hint for a shell."""
    labels = {"alertname": "X", "severity_level": "4", "rule": "r", "system": "landing-7", "team": "ground"}
    await sender.send(stories.outgoing("pagerduty", incident=replace(samples.INCIDENT, labels=labels)))
    (event,) = pagerduty.events
    details = event["payload"]["custom_details"]
    wanted = {
        "number": 12,
        "level": 4,
        "level_name": "emergency",
        "state": "open",
        "reason": "opened",
        "type": "safety_margin_violation",
        "system": "landing-7",
        "exercise": False,
        "opened_at": "2026-11-23T12:02:00.000Z",
        "acknowledge_by": "2026-11-23T12:17:00.000Z",
        "rules": ["safety_incident_response/safety_margin_violation"],
        "labels": {"system": "landing-7", "team": "ground"},
        "first_actions": ["Immediately stop affected operations"],
        "condition": "safety_margin < 0.95",
    }
    assert {name: details[name] for name in wanted} == wanted
    assert all(name == name.lower() and " " not in name for name in details)
    assert "tocsin acknowledge" not in str(event)
    assert "minutes left" not in str(event)
    assert event["payload"]["timestamp"] == "2026-11-23T12:02:00.000Z"
    assert {"href": "https://runbooks.example.org/safety-margin", "text": "Runbook"} in event["links"]


async def test_each_page_rings_and_all_are_closed_together(pagerduty, sender):
    """Every page step opens an alert of its own; an acknowledgement and a resolve reach all of them."""
    for serial in (1, 2, 3):
        await sender.send(page(serial, number=f"n{serial}"))
    assert len(pagerduty.opened) == 3
    await sender.send(news(Kind.ACKNOWLEDGED, range(1, 4), number="n4"))
    assert set(pagerduty.alerts.values()) == {"acknowledged"}
    await sender.send(news(Kind.RESOLVED, range(1, 4), number="n5"))
    assert set(pagerduty.alerts.values()) == {"resolved"}


async def test_page_after_a_resolve_rings_anew(pagerduty, sender):
    """An incident that comes back pages under a key of its own; what was resolved stays so, and a resolve of it is dropped."""
    await sender.send(page(1))
    await sender.send(news(Kind.RESOLVED, range(1, 2), number="n2"))
    await sender.send(page(2, number="n3"))
    assert pagerduty.alerts == {"install-0198c0de-1": "resolved", "install-0198c0de-2": "triggered"}
    await sender.send(news(Kind.RESOLVED, range(2, 4), number="n4"))  # 3 never went out: PagerDuty knows no such key
    assert pagerduty.alerts == {"install-0198c0de-1": "resolved", "install-0198c0de-2": "resolved"}


async def test_long_keys_are_cut_to_what_is_taken(pagerduty, sender):
    """However long an installation's name, trigger and resolve use one key of at most 255 characters."""
    ref = "i" * 400
    assert isinstance(await sender.send(dataclasses.replace(page(), incident_ref=ref)), Delivered)
    resolve = dataclasses.replace(news(Kind.RESOLVED, range(1, 2), number="n2"), incident_ref=ref)
    assert isinstance(await sender.send(resolve), Delivered)
    assert list(pagerduty.alerts.values()) == ["resolved"]


async def test_each_service_has_its_key_for_all_that_it_is_told(pagerduty):
    """Page and resolve of one service go out under that service's routing key (PagerDuty drops them under another)."""
    sender = PagerDutySender({"ml-systems": KEY, "plant": KEY[::-1]}.__getitem__, api_url=pagerduty.wire.url)
    await sender.send(page())
    await sender.send(news(Kind.RESOLVED, range(1, 2), number="n2"))
    assert [event["routing_key"] for event in pagerduty.events] == [KEY, KEY]
    refused = await sender.send(outgoing("pagerduty", "plant", number="n3"))
    assert isinstance(refused, Rejected)
    await sender.close()


def test_every_level_has_a_severity_that_pagerduty_knows():
    """Each level is told as one of PagerDuty's four severities, the worst as critical."""
    assert {SEVERITIES[level] for level in (1, 2, 3, 4)} == KNOWN
    assert SEVERITIES[4] == "critical"


async def test_page_sent_twice_rings_once(pagerduty, sender):
    """A page whose answer was lost is sent again without ringing again."""
    pagerduty.wire.faults.append(Reply(503))
    await sender.send(page())
    await sender.send(page())
    await sender.send(page())
    assert pagerduty.opened == ["install-0198c0de-1"]


async def test_closing_goes_on_where_it_stopped(pagerduty, sender):
    """A resolve of many pages that meets a 429 waits, and does not begin again with the first page."""
    for serial in range(1, 21):
        await sender.send(page(serial, number=f"n{serial}"))
    sent = len(pagerduty.events)
    pagerduty.wire.faults[:] = []
    resolve = news(Kind.RESOLVED, range(1, 21), number="r")
    original, count = pagerduty.wire._answer, 0

    def limited(request):
        nonlocal count
        count += 1
        return Reply(429, {"status": "throttle exceeded"}) if count == 10 else original(request)

    pagerduty.wire._answer = limited
    outcome = await sender.send(resolve)
    assert isinstance(outcome, Retry)
    assert outcome.after >= MINUTE
    assert isinstance(await sender.send(resolve), Delivered)
    assert set(pagerduty.alerts.values()) == {"resolved"}
    assert len(pagerduty.events) - sent == 20


async def test_other_news_is_not_sent(pagerduty, sender):
    """Kinds that mean nothing to PagerDuty are done without a request."""
    for kind in (Kind.NOTICE, Kind.REMINDER, Kind.UPDATE, Kind.BREACH):
        assert await sender.send(news(kind, range(1, 2))) == Delivered()
    assert pagerduty.wire.requests == []


async def test_limits_are_kept(pagerduty, sender):
    """The longest and strangest message is cut to what PagerDuty takes."""
    strange = "🔥\u2028\x00\ud800é" * 20_000
    facts = [(f"Label {number} {strange[:200]}", strange) for number in range(200)]
    message = {"headline": strange, "facts": facts, "paragraphs": [strange] * 50, "actions": [strange] * 50}
    message["labels"] = [(f"{number}{strange}", strange) for number in range(30)]
    assert isinstance(await sender.send(page(message=message)), Delivered)
    (event,) = pagerduty.events
    assert len(event["payload"]["summary"]) <= 1024


@pytest.mark.parametrize(
    ("reply", "kind", "after"),
    [
        (Reply(429), Retry, MINUTE),
        (Reply(429, headers={"Retry-After": "5"}), Retry, MINUTE),
        (Reply(429, headers={"Retry-After": "120"}), Retry, 2 * MINUTE),
        (Reply(429, headers={"Retry-After": "soon"}), Retry, MINUTE),
        (
            Reply(
                429,
                headers={
                    "Date": "Mon, 02 Jan 2023 10:00:00 GMT",
                    "Retry-After": "Mon, 02 Jan 2023 10:05:00 GMT",
                },
            ),
            Retry,
            5 * MINUTE,
        ),
        (Reply(500), Retry, None),
        (Reply(502, b"<html>bad gateway"), Retry, None),
        (Reply(503, headers={"Retry-After": "30"}), Retry, MINUTE // 2),
        (Reply(504), Retry, None),
        (Reply(200, b"<html>log in to the wireless network"), Retry, None),
        (Reply(202, b"[1]"), Retry, None),
        (Reply(202, b""), Retry, None),
        (Reply(302, headers={"Location": "http://127.0.0.1:1/"}), Rejected, None),
        (Reply(400, {"errors": ["'payload.source' is missing"]}), Rejected, None),
        (Reply(400, b"\xff\xfe"), Rejected, None),
        (Reply(401, {"message": f"key {KEY} is unknown"}), Rejected, None),
        (Reply(403), Rejected, None),
        (Reply(404), Rejected, None),
        (wire.hang, Retry, None),
        (wire.reset_unread, Retry, None),
        (wire.reset_read, Retry, None),
        (wire.garbage, Retry, None),
        (wire.broken_off(202), Retry, None),
        (wire.broken_off(400), Rejected, None),
        (wire.trickle(202), Retry, None),
        (wire.trickle_head, Retry, None),
        (wire.endless(202), Retry, None),
    ],
    ids=lambda value: getattr(value, "__name__", None) or (f"{value.status}" if isinstance(value, Reply) else None),
)
async def test_answers_are_judged(pagerduty, make, reply, kind, after, caplog):
    """Each answer means what PagerDuty's documentation says; nothing shows the key, and the next message gets out."""
    caplog.set_level(logging.DEBUG)
    pagerduty.wire.faults.append(reply)
    sender = make(wire.patience(reply))
    outcome = await sender.send(page())
    assert isinstance(outcome, kind)
    if isinstance(outcome, Retry):
        assert outcome.after == after
    assert KEY not in f"{outcome!r}{sender!r}{caplog.text}"
    assert KEY[-4:] not in f"{outcome!r}{sender!r}{caplog.text}"
    assert len(pagerduty.wire.requests) <= 1
    assert await until_delivered(sender, page(2, number="n2")) == Delivered("install-0198c0de-2")


async def test_refusal_says_why(pagerduty, sender):
    """What PagerDuty objects to is told, so that it can be mended."""
    pagerduty.wire.faults.append(Reply(400, {"errors": ["Length of 'routing_key' is incorrect", f"was {KEY}"]}))
    outcome = await sender.send(page())
    assert outcome == Rejected("PagerDuty refuses the event (400): Length of 'routing_key' is incorrect; was …")


async def test_nobody_there():
    """A PagerDuty that cannot be reached means trying again."""
    sender = PagerDutySender(lambda service: KEY, api_url=f"http://127.0.0.1:{free_port()}")
    outcome = await sender.send(page())
    await sender.close()
    assert isinstance(outcome, Retry)
    assert "cannot be reached" in outcome.reason


async def test_service_without_a_key_names_the_setting():
    """A service without a routing key is refused with the name of the setting that is missing."""
    sender = PagerDutySender(lambda service: "")
    outcome = await sender.send(page())
    assert isinstance(outcome, Rejected)
    assert "TOCSIN_PAGERDUTY_ROUTING_KEY_ML_SYSTEMS" in outcome.reason


async def test_proxies_of_the_environment_are_not_used(pagerduty, monkeypatch):
    """A proxy that the environment names sees no routing key."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    sender = PagerDutySender(lambda service: KEY, api_url=pagerduty.wire.url)
    assert isinstance(await sender.send(page()), Delivered)
    await sender.close()


async def test_slow_messages_do_not_hold_up_others(pagerduty, sender, make):
    """While messages hang, others are sent."""
    pagerduty.wire.faults.extend([wire.trickle_head] * 4)
    impatient = make(wire.patience(wire.trickle_head))
    stuck = [asyncio.create_task(impatient.send(page(n, number=f"n{n}"))) for n in range(1, 5)]
    while len(pagerduty.wire.requests) < 4:
        pagerduty.wire.arrived.clear()
        await pagerduty.wire.arrived.wait()
    assert await sender.send(page(9, number="n9")) == Delivered("install-0198c0de-9")
    assert {type(outcome) for outcome in await asyncio.gather(*stuck)} == {Retry}


EXITING = """
import asyncio, sys
from receiver.channels.pagerduty import PagerDutySender
from tests.channels.outgoings import outgoing

async def main():
    sender = PagerDutySender(lambda service: "k" * 32, api_url=sys.argv[1], deadline=0.5)
    outcome = await sender.send(outgoing("pagerduty", "ml-systems"))
    await sender.close()
    return outcome

print(type(asyncio.run(main())).__name__, flush=True)
"""


@pytest.mark.parametrize("fault", [wire.trickle_head, wire.trickle(202)], ids=["head", "body"])
async def test_exit_does_not_wait_for_a_trickle(pagerduty, fault):
    """The process ends while an answer still trickles in (the server would go on until it has ended)."""
    pagerduty.wire.faults.append(fault)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", EXITING, pagerduty.wire.url, stdout=subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert said.decode().strip() == "Retry"
    assert process.returncode == 0


async def test_connections_are_let_go(pagerduty):
    """Closing the sender leaves no connection behind."""
    sender = PagerDutySender(lambda service: KEY, api_url=pagerduty.wire.url)
    await sender.send(page())
    await sender.close()
    del sender
    gc.collect()


async def test_answer_without_end_is_not_waited_for(pagerduty, sender):
    """An answer that grows and grows is cut at a length, long before the deadline."""
    pagerduty.wire.faults.append(wire.endless(202))
    outcome = await sender.send(page())
    assert isinstance(outcome, Retry)
    assert "not one of the Events API" in outcome.reason
