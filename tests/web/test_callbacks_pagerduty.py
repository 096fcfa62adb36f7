"""PagerDuty's v3 webhooks: who acknowledges there has acknowledged here."""

import hmac
import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest

from tests.web.conftest import Running

PATH, SECRETS = "/callbacks/pagerduty", ("old-secret", "new-secret")


class PagerDuty:
    """PagerDuty as it calls a receiver with one open incident."""

    def __init__(self, receiver: Running) -> None:
        self.receiver = receiver
        self.key = f"{receiver.store.installation}-{receiver.store.reads().by_number(1).id}-1"
        self.events = 0

    def body(self, kind: str = "incident.acknowledged", agent: str = "user_reference", **changes: Any) -> bytes:
        """An event as PagerDuty describes it."""
        self.events += 1
        event = {
            "id": f"01E{self.events}",
            "event_type": kind,
            "resource_type": "incident",
            "occurred_at": "2026-11-23T02:13:21.000Z",
            "agent": {"id": "PAG1", "type": agent, "summary": "Tenex Engineer"},
            "data": {"id": "PGR1", "type": "incident", "incident_key": self.key, "status": "acknowledged"},
        }
        return json.dumps({"event": {**event, **changes}}).encode()

    async def send(self, body: bytes, header: str | None = None, secret: str = SECRETS[1]) -> int:
        mark = hmac.new(secret.encode(), body, sha256).hexdigest()
        given = f"v1={'0' * 64},v1={mark}" if header is None else header
        return (await self.receiver.post(PATH, body, headers={"X-PagerDuty-Signature": given}))[0]

    async def incident(self) -> dict[str, Any]:
        return (await self.receiver.get("/api/v1/incidents/1"))[1]


@pytest.fixture
async def pagerduty(start: Callable[..., Any]) -> PagerDuty:
    """A receiver that PagerDuty can reach, with one open incident."""
    receiver = await start(TOCSIN_PAGERDUTY_WEBHOOK_SECRET=", ".join(SECRETS))
    await receiver.send("single_firing")
    return PagerDuty(receiver)


@pytest.mark.parametrize("kind", ["incident.acknowledged", "incident.resolved"])
@pytest.mark.parametrize("secret", SECRETS)
async def test_acknowledged_there(pagerduty: PagerDuty, kind: str, secret: str) -> None:
    """An acknowledgement or a resolve there acknowledges here, in that person's name; either secret will do."""
    assert await pagerduty.send(pagerduty.body(kind), secret=secret) == 204
    found = await pagerduty.incident()
    assert (found["state"], found["acknowledged_by"]) == ("acknowledged", "Tenex Engineer")


async def test_double_press(pagerduty: PagerDuty) -> None:
    """Who comes second takes nothing over."""
    await pagerduty.send(pagerduty.body())
    assert await pagerduty.send(pagerduty.body().replace(b"Tenex Engineer", b"Eve")) == 204
    assert (await pagerduty.incident())["acknowledged_by"] == "Tenex Engineer"


async def test_our_own_deeds(pagerduty: PagerDuty) -> None:
    """An action of an integration there (such as our own) is no person's acknowledgement; nor are other events."""
    assert await pagerduty.send(pagerduty.body(agent="events_api_v2_inbound_integration_reference")) == 204
    assert await pagerduty.send(pagerduty.body("incident.triggered")) == 204
    assert await pagerduty.send(b'{"event": {"event_type": "pagey.ping"}}') == 204
    assert (await pagerduty.incident())["state"] == "open"


async def test_replay(pagerduty: PagerDuty) -> None:
    """The same event sent again, after the incident opened again, acknowledges nothing."""
    body = pagerduty.body()
    await pagerduty.send(body)
    await pagerduty.receiver.pass_time(2 * 3600 * 1_000_000)
    assert (await pagerduty.incident())["state"] == "open"
    assert await pagerduty.send(body) == 204
    assert await pagerduty.send(pagerduty.body()) == 204  # of page 1, which is over
    assert (await pagerduty.incident())["state"] == "open"


async def test_bad_signatures(pagerduty: PagerDuty) -> None:
    """What is not signed with a secret of ours does nothing."""
    body = pagerduty.body()
    good = hmac.new(SECRETS[0].encode(), body, sha256).hexdigest()
    for header in ("", "v1=", good, f"v0={good}", f"v1={good[:-1]}", "v1=é", "," * 1000):
        assert await pagerduty.send(body, header) == 401, header
    assert await pagerduty.send(body + b" ", f"v1={good}") == 401
    assert await pagerduty.send(body, secret="other") == 401
    assert (await pagerduty.incident())["state"] == "open"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"event": 1}', b'{"event": {"data": 1, "agent": []}}', b"\xff"]
)
async def test_nonsense(pagerduty: PagerDuty, body: bytes) -> None:
    """Signed nonsense is answered below 500."""
    assert await pagerduty.send(body) in {204, 400}


@pytest.mark.parametrize("key", ["", "x", "a-b-c", f"x-{'0' * 32}-1", f"x-{'0' * 32}-{'9' * 30}", None, 7])
async def test_other_keys(pagerduty: PagerDuty, key: object) -> None:
    """Incidents of others, in the same PagerDuty service, are none of our business."""
    data = {"id": "PGR1", "type": "incident", "incident_key": key}
    assert await pagerduty.send(pagerduty.body(data=data)) == 204


async def test_without_a_secret(start: Callable[..., Any]) -> None:
    """Without the secret there is no such callback."""
    assert (await (await start()).post(PATH, b"{}"))[0] == 404


async def test_a_call_for_help_is_answered_there(pagerduty: PagerDuty) -> None:
    """Help asked for in Tocsin rings as a page of its own; who acknowledges that in PagerDuty answers, and takes nothing."""
    await pagerduty.receiver.post("/api/v1/incidents/1/acknowledge", {"by": "amir"})
    await pagerduty.receiver.post("/api/v1/incidents/1/escalate", {"by": "amir"})
    pagerduty.key = f"{pagerduty.key[:-1]}2"
    assert await pagerduty.send(pagerduty.body()) == 204
    found = await pagerduty.incident()
    assert (found["owner"], found["help_asked_by"]) == ("amir", [])
    assert (found["history"][-1]["deed"], found["history"][-1]["by"]) == ("answered", "Tenex Engineer")
