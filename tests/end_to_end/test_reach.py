"""A page must reach a person: an emergency with one, two or four of five providers dead."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import combinations
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from receiver.core.model import Fact
from receiver.demo.stand_ins import Providers, start_mailbox, start_web
from receiver.demo.tools import free_port
from receiver.service import Service
from receiver.settings import Settings
from rules.load import load_text
from rules.policy import Policy
from rules.time_scale import faster
from tests.end_to_end.conftest import Told, until
from tests.patience import GIVES_UP

MEDIA = ("email", "slack", "pagerduty", "sms", "phone")
DEAD = [*combinations(MEDIA, 1), *combinations(MEDIA, 2), *combinations(MEDIA, 4)]
FACTOR = 60
"""The rescue time, a minute in the policy (a fifth of level 4's escalation time), is 1 s here."""


def policy(channels: str) -> Policy:
    text = f"""
incident_response:
  classification:
    severity_levels:
      - {{level: 1, name: informational, response_time: 24h, escalation_time: 12h}}
      - {{level: 2, name: warning, response_time: 4h, escalation_time: 2h}}
      - {{level: 3, name: critical, response_time: 1h, escalation_time: 30m}}
      - {{level: 4, name: emergency, response_time: 15m, escalation_time: 5m}}
  alert_channels:
    - {{name: email, type: email, recipients: [oncall@example.com]}}
    - {{name: slack, type: slack, channel: "#incidents"}}
    - {{name: pagerduty, type: pagerduty, service: ml-systems}}
    - {{name: sms, type: sms, recipients: ["+15550111"]}}
    - {{name: phone, type: phone, recipients: ["+15550112"]}}
  detection:
    rules:
      - {{name: safety_margin_low, condition: "safety_margin < 0.95", severity: 4, channels: [{channels}]}}
"""
    return faster(load_text(text).policy, FACTOR)


class Broken:
    """Answers 500 at the paths of dead providers, and lets the others through."""

    def __init__(self, told: Told, dead: tuple[str, ...]) -> None:
        self.providers = Providers(told.show)
        self._dead = dead
        self.providers.app.middlewares.append(self._refuse)

    @web.middleware
    async def _refuse(self, request: web.Request, handler: Any) -> web.StreamResponse:
        medium = "pagerduty" if "/pagerduty/" in request.path else "slack" if "/slack/" in request.path else ""
        medium = medium or ("phone" if request.path.endswith("Calls.json") else "sms")
        if medium in self._dead:
            return web.Response(status=500)
        answer: web.StreamResponse = await handler(request)
        return answer


@asynccontextmanager
async def receiver(folder: Path, told: Told, dead: tuple[str, ...], channels: str) -> AsyncIterator[Service]:
    mailbox, smtp_url = await start_mailbox(told.show)
    runner, providers = await start_web(Broken(told, dead).providers.app)
    settings = Settings.read(
        {
            "TOCSIN_LISTEN": "127.0.0.1:0",
            "TOCSIN_DATABASE": f"sqlite:///{folder / 'tocsin.db'}",
            "TOCSIN_SMTP_URL": f"smtp://127.0.0.1:{free_port()}" if "email" in dead else smtp_url,
            "TOCSIN_EMAIL_FROM": "tocsin@example.test",
            "TOCSIN_SLACK_TOKEN": "xoxb-test",
            "TOCSIN_SLACK_API_URL": f"{providers}/slack/api/",
            "TOCSIN_PAGERDUTY_ROUTING_KEY": "0123456789abcdef0123456789abcdef",
            "TOCSIN_PAGERDUTY_API_URL": f"{providers}/pagerduty",
            "TOCSIN_TWILIO_ACCOUNT_SID": "AC00000000000000000000000000000000",
            "TOCSIN_TWILIO_AUTH_TOKEN": "test",
            "TOCSIN_TWILIO_FROM": "+15550100",
            "TOCSIN_TWILIO_API_URL": f"{providers}/twilio",
        }
    )
    async with Service(settings, [], policy(channels)) as service:
        yield service
    mailbox.close()
    await runner.cleanup()


async def declare(service: Service) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{service.address}/api/v1/incidents", json={"type": "safety_margin_low", "by": "test"}
        ) as response,
    ):
        assert response.status == 201


async def facts(service: Service) -> list[dict[str, Any]]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{service.address}/api/v1/incidents/1/timeline") as response,
    ):
        return list((await response.json())["timeline"])


@pytest.mark.parametrize("dead", DEAD, ids="+".join)
async def test_the_living_channels_tell_at_once(dead: tuple[str, ...], tmp_path: Path) -> None:
    """With any one, two or four of five providers dead, every other one tells a person, and the failures are recorded."""
    told = Told()
    async with receiver(tmp_path, told, dead, ", ".join(MEDIA)) as service:
        await declare(service)
        alive = [medium for medium in MEDIA if medium not in dead]
        await until(lambda: all(told.on(medium) for medium in alive), f"{alive} told")
        async with asyncio.timeout(GIVES_UP):
            while {
                entry["data"]["channel"] for entry in await facts(service) if entry["fact"] == Fact.SEND_FAILED
            } != set(dead):
                await asyncio.sleep(0.05)
        outcomes = {medium: "retry" if medium in dead else "accepted" for medium in MEDIA}
        counted = [f'tocsin_notifications_total{{channel="{each}",outcome="{outcomes[each]}"}}' for each in MEDIA]
        async with aiohttp.ClientSession() as session, asyncio.timeout(GIVES_UP):
            metrics = ""
            while not all(line in metrics for line in counted):
                async with session.get(f"{service.address}/metrics") as response:
                    metrics = await response.text()
    assert not [each for each in told.messages if each[0] in dead]


@pytest.mark.parametrize("alive", [medium for medium in MEDIA if medium != "email"])
async def test_the_fallback_reaches_the_one_that_lives(alive: str, tmp_path: Path) -> None:
    """A rule that names only a dead channel: the fallbacks are told in order, one per rescue time, until one delivers."""
    told = Told()
    dead = tuple(medium for medium in MEDIA if medium != alive)
    order = ("phone", "sms", "pagerduty", "slack")
    async with receiver(tmp_path, told, dead, "email") as service:
        await declare(service)
        await until(lambda: told.on(alive), f"{alive} told")
        tried = [entry["data"]["channel"] for entry in await facts(service) if entry["fact"] == Fact.FALLBACK]
    assert tried == list(order[: order.index(alive) + 1])
