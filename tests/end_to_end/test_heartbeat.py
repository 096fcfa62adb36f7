"""The heartbeat through the whole receiver: heard by the webhook, missed, an emergency; and the outside watcher."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from receiver.core.classify import Received
from receiver.core.model import Instant
from receiver.demo.stand_ins import start_web
from receiver.engine.engine import Engine
from receiver.engine.heartbeat_cache import Heartbeats
from receiver.engine.queue import CommandQueue
from receiver.jobs.heartbeat import HeartbeatWatch
from receiver.service import Service
from receiver.settings import Settings
from receiver.store import SqlStore
from rules.load import load
from rules.policy import MINUTE, SECOND, Micros
from tests.core.guide import ALL, POLICY
from tests.core.world import START
from tests.end_to_end.conftest import Told, until
from tests.end_to_end.processes import webhook
from tests.patience import GIVES_UP

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
        await asyncio.wait_for(pings.wait(), GIVES_UP)
        assert await incidents(service) == []
        await until(lambda: told.on("sms") and told.on("email", "blind"), "the silence is told")
        (incident,) = await incidents(service)
        assert (incident["type"], incident["level"], incident["state"]) == ("alerting_is_blind", 4, "open")
    await runner.cleanup()


async def test_the_outside_is_pinged_only_while_pages_leave(environment: dict[str, str]) -> None:
    """Writes fail, or an emergency is unreached for two minutes: the outside watcher hears nothing."""
    dead = {name: "http://127.0.0.1:9" for name in environment if name.endswith("_API_URL")}
    environment |= {**dead, "TOCSIN_SMTP_URL": "smtp://127.0.0.1:9"}
    async with Service(Settings.read(environment), [], load()) as service:
        assert await service._can_page()
        service.state.writing.fail("the disk is full")
        assert not await service._can_page()
        service.state.writing.prove()
        assert await service._can_page()
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{service.address}/webhook/alertmanager", json=webhook(1)) as response,
        ):
            assert response.status == 200
        assert await service._can_page()
        service.clock._offset += 2 * MINUTE + SECOND
        assert not await service._can_page()


async def test_whoever_cannot_page_does_not_ping(open_stores: Callable[[str], SqlStore]) -> None:
    """The ping is left out where pages do not leave, and comes with the next look after they do."""
    pings: list[str] = []

    async def ping(request: web.Request) -> web.Response:
        pings.append(request.path)
        return web.Response()

    app = web.Application()
    app.router.add_get("/ping", ping)
    runner, url = await start_web(app)
    store, can = open_stores("sqlite://"), [False, True]
    engine = Engine(store, POLICY, ALL, START)
    queue = CommandQueue(engine, lambda: Instant(START))

    async def can_page() -> bool:
        return can.pop(0)

    heartbeats = Heartbeats(queue.clock)
    watch = HeartbeatWatch(queue, engine, store, heartbeats, f"{url}/ping", can_page)
    heartbeats.hear(POLICY, "", [Received({"alertname": "TocsinHeartbeat"}, {}, "f", Instant(START))])
    await watch.look()
    assert pings == []
    await watch.look()
    assert pings == ["/ping"]
    await watch.close()
    await runner.cleanup()
