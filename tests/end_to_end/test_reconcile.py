"""Reconciliation with a real Alertmanager: what its webhook never told is found by asking it."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from receiver.clients.alertmanager import Alertmanager
from receiver.core.reconcile import Terms
from receiver.demo import tools
from receiver.demo.stand_ins import start_web
from receiver.jobs.reconcile import Reconciliation
from receiver.service import Service
from receiver.settings import Settings
from receiver.store import open_store
from rules.load import load
from rules.policy import MINUTE
from tests.end_to_end.conftest import Told, need, until
from tests.patience import GIVES_UP

SILENT = b"""
route: {receiver: tocsin, group_by: [system, signal]}
receivers: [{name: tocsin}]
"""
"""Routes to our receiver, which has no webhook: none will ever come."""

LABELS = {
    "alertname": "SafetyMarginViolation",
    "section": "safety_incident_response",
    "rule": "safety_margin_violation",
    "severity_level": "4",
    "signal": "safety_margin",
    "system": "landing-7",
}


async def push(url: str, labels: dict[str, str], *, firing: bool) -> None:
    """Tell Alertmanager what Prometheus would, of an alert that began three minutes ago."""
    now = datetime.now(UTC)
    alert = {
        "labels": labels,
        "annotations": {"summary": "margin low"},
        "startsAt": (now - timedelta(minutes=3)).isoformat(),
        "endsAt": (now + timedelta(hours=1) if firing else now).isoformat(),
    }
    async with aiohttp.ClientSession() as session, session.post(f"{url}/api/v2/alerts", json=[alert]) as response:
        assert response.status == 200


async def get(service: Service, path: str) -> dict[str, Any]:
    async with aiohttp.ClientSession() as session, session.get(f"{service.address}/api/v1/incidents{path}") as response:
        return dict(await response.json())


async def listed(url: str) -> list[Any]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/api/v2/alerts") as response:
        return list(await response.json())


async def silence(url: str, **labels: str) -> str:
    """A person silences alerts with these labels for an hour; the silence's id."""
    now = datetime.now(UTC)
    document = {
        "matchers": [{"name": name, "value": value, "isRegex": False} for name, value in labels.items()],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "ada",
        "comment": "disk swap",
    }
    async with aiohttp.ClientSession() as session, session.post(f"{url}/api/v2/silences", json=document) as response:
        return str((await response.json())["silenceID"])


async def silences(url: str) -> list[Any]:
    """Those in force."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/api/v2/silences") as response:
        return [each for each in await response.json() if each["status"]["state"] == "active"]


async def act(service: Service, what: str, **body: object) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{service.address}/api/v1/incidents/1/{what}", json={"by": "ben", **body}) as response,
    ):
        assert response.status == 200, await response.text()


async def until_suppressed(url: str, count: int) -> None:
    """Alertmanager works out which alerts a silence is for when it is asked, or when it flushes: wait for it."""
    async with asyncio.timeout(GIVES_UP):
        while sum(each["status"]["state"] == "suppressed" for each in await listed(url)) != count:
            await asyncio.sleep(0.1)


async def test_a_silence_pauses_and_an_acknowledgement_silences(
    environment: dict[str, str], told: Told, tmp_path: Path
) -> None:
    """Silenced there, it is quiet here until the silence ends; acknowledged here, it is silenced there as long."""
    need("prometheus-alertmanager")
    alertmanager = await tools.start_alertmanager(tmp_path, SILENT, 1)
    critical = {**LABELS, "severity_level": "3"}
    try:
        await push(alertmanager.url, critical, firing=True)
        async with Service(Settings.read(environment), [], load()) as service:
            reads = open_store(environment["TOCSIN_DATABASE"]).reads()
            peer, quick = Alertmanager(alertmanager.url, "tocsin-test"), Terms(unheard=0)
            watch = Reconciliation(
                service.queue,
                service.engine,
                reads,
                service.metrics,
                [peer],
                service.heartbeats,
                quick,
                makes_silences=True,
            )
            await watch.look()
            assert (await get(service, "/1"))["escalation"]["next_at"]

            made = await silence(alertmanager.url, signal="safety_margin")
            await until_suppressed(alertmanager.url, 1)
            await watch.look()
            paused = await get(service, "/1")
            assert paused["silenced_until"]
            assert paused["escalation"]["next_at"] is None
            await until(lambda: told.on("slack", "Silenced"), "the thread hears of the pause")

            async with aiohttp.ClientSession() as session:
                await session.delete(f"{alertmanager.url}/api/v2/silence/{made}")
            await until_suppressed(alertmanager.url, 0)
            await watch.look()
            assert (await get(service, "/1"))["silenced_until"] is None
            await until(lambda: told.on("slack", "no longer says that it is silenced"), "it is paged again")

            await act(service, "acknowledge", note="mine")
            await watch.look()
            (ours,) = await silences(alertmanager.url)
            assert (ours["createdBy"], ours["endsAt"][:16]) == (
                "tocsin-test",
                (await get(service, "/1"))["acknowledgement_expires_at"][:16],
            )
            await push(alertmanager.url, {**critical, "unit": "2"}, firing=True)
            await until_suppressed(alertmanager.url, 2)
            await watch.look()
            assert (await get(service, "/1"))["firing"] == 2, "our own silence hides nothing from us"

            await act(service, "resolve", note="replaced", force=True)
            await watch.look()
            assert await silences(alertmanager.url) == []
            said = [entry["fact"] for entry in (await get(service, "/1/timeline"))["timeline"]]
            assert [each for each in said if each.startswith("silence")] == [
                "silenced",
                "silence_ended",
                "silence_made",
            ]
            await peer.close()
    finally:
        await alertmanager.stop()


async def test_a_webhook_that_never_came_is_taken_in_and_its_end_is_noticed(
    environment: dict[str, str], told: Told, tmp_path: Path
) -> None:
    """Listed but never told: paged within a look. Listed no more and never resolved: recovered, and said so."""
    need("prometheus-alertmanager")
    alertmanager = await tools.start_alertmanager(tmp_path, SILENT, 1)
    try:
        await push(alertmanager.url, LABELS, firing=True)
        await push(alertmanager.url, {"alertname": "Strange", "severity": "critical"}, firing=True)
        environment |= {"TOCSIN_ALERTMANAGER_URL": f"{alertmanager.url}/"}
        async with Service(Settings.read(environment), [], load()) as service:
            await until(lambda: told.on("sms"), "the alert that no webhook told is paged")
            (incident,) = (await get(service, ""))["incidents"]
            assert (incident["level"], incident["type"]) == (4, "safety_margin_violation")
            said = [entry["fact"] for entry in (await get(service, "/1/timeline"))["timeline"]]
            assert said[:2] == ["opened", "reconciled"]

            await push(alertmanager.url, LABELS, firing=False)
            async with asyncio.timeout(GIVES_UP):
                while len(await listed(alertmanager.url)) > 1:
                    await asyncio.sleep(0.1)
            store = open_store(environment["TOCSIN_DATABASE"])
            peer, terms = Alertmanager(alertmanager.url), Terms(gone=0, settled=0)
            impatient = Reconciliation(
                service.queue, service.engine, store.reads(), service.metrics, [peer], service.heartbeats, terms
            )
            await impatient.look()
            assert (await get(service, "/1"))["recovery"] == ""  # one look proves nothing
            await impatient.look()
            assert (await get(service, "/1"))["recovery"] == "verifying"
            await peer.close()
            store.close()
    finally:
        await alertmanager.stop()


async def test_a_silence_that_cannot_be_made_is_said_once_and_blocks_nothing(environment: dict[str, str]) -> None:
    """Alertmanager refuses: the acknowledgement holds, and the timeline says why, once."""
    now = datetime.now(UTC).isoformat()
    alert = {
        "labels": LABELS,
        "fingerprint": "f1",
        "startsAt": now,
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
        "receivers": [{"name": "tocsin"}],
    }
    answers = {"status": {"uptime": now}, "alerts": [alert], "silences": []}

    async def answer(request: web.Request) -> web.Response:
        if request.method == "POST":
            return web.Response(status=400, text="too many silences")
        return web.json_response(answers[request.match_info["what"]])

    app = web.Application()
    app.router.add_route("*", "/api/v2/{what}", answer)
    runner, url = await start_web(app)
    async with Service(Settings.read(environment), [], load()) as service:
        reads = open_store(environment["TOCSIN_DATABASE"]).reads()
        peer = Alertmanager(url, "tocsin-test")
        terms = Terms(unheard=-MINUTE)
        watch = Reconciliation(
            service.queue,
            service.engine,
            reads,
            service.metrics,
            [peer],
            service.heartbeats,
            terms,
            makes_silences=True,
        )
        await watch.look()
        await act(service, "acknowledge")
        await watch.look()
        await watch.look()
        timeline = (await get(service, "/1/timeline"))["timeline"]
        (said,) = [entry["text"] for entry in timeline if entry["fact"] == "silence_failed"]
        assert said == "no silence for the acknowledgement: Alertmanager answered 400: too many silences"
        await peer.close()
        assert (await get(service, "/1"))["state"] == "acknowledged"
    await runner.cleanup()
