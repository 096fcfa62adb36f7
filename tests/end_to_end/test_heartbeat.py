"""The heartbeat through the whole receiver: heard by the webhook, missed, an emergency; and the outside watcher."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from receiver.demo.stand_ins import start_web
from receiver.service import Service
from receiver.settings import Settings
from rules.load import load
from rules.policy import SECOND, Micros
from tests.end_to_end.conftest import Told, until

HEARTBEAT = {
    "status": "firing",
    "groupLabels": {},
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "TocsinHeartbeat", "heartbeat": "true"},
            "startsAt": "2026-11-23T02:28:11.821Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "fingerprint": "00000000000000aa",
        }
    ],
}


async def incidents(service: Service) -> list[dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.get(f"{service.address}/api/v1/incidents") as response:
        return list((await response.json())["incidents"])


async def test_a_heartbeat_that_stops_is_an_emergency(environment: dict[str, str], told: Told, tmp_path: Path) -> None:
    """Heard once and then missing: a level 4 incident pages people, and the outside watcher is no longer pinged."""
    pings = asyncio.Event()

    async def ping(_request: web.Request) -> web.Response:
        pings.set()
        return web.Response()

    app = web.Application()
    app.router.add_get("/ping", ping)
    runner, url = await start_web(app)
    environment |= {"TOCSIN_HEARTBEAT_URL": f"{url}/ping"}
    policy = replace(load(), heartbeat_within=Micros(3 * SECOND))
    async with Service(Settings.read(environment), [], policy) as service:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{service.address}/webhook/alertmanager", json=HEARTBEAT) as response,
        ):
            assert await response.json() == {"incidents": []}
        await asyncio.wait_for(pings.wait(), 10)
        assert await incidents(service) == []
        await until(lambda: told.on("sms") and told.on("email", "blind"), 20, "the silence is told")
        (incident,) = await incidents(service)
        assert (incident["type"], incident["level"], incident["state"]) == ("alerting_is_blind", 4, "open")
    await runner.cleanup()
