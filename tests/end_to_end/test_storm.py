"""A storm from a real Alertmanager: no connection is refused, so no attempt fails."""

import asyncio
import io
import json
import re
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
import uvloop

from receiver.demo import tools
from receiver.demo.tools import free_port
from receiver.service import Service
from receiver.settings import Settings
from receiver.web.http.connections import BACKLOG
from tests.end_to_end.conftest import need
from tests.end_to_end.processes import POLICY, serving, webhook

GROUPS = 4000
"""Groups that Alertmanager sends at once: many more than the 128 connections that aiohttp lets wait by default."""

STALLED = 60
"""Seconds without a group taken after which nothing more is expected."""

ALLOWED = int(Path("/proc/sys/net/core/somaxconn").read_text())

ROUTES = """
route: {{receiver: tocsin, group_by: ['...'], group_wait: 0s}}
receivers:
  - name: tocsin
    webhook_configs: [{{url: "{url}/webhook/alertmanager"}}]
"""


@pytest.fixture
async def receiver(tmp_path: Path, environment: dict[str, str]) -> AsyncIterator[str]:
    """The URL of a `tocsin serve` in a process of its own."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    port = free_port()
    async with serving(tmp_path / "policy.yaml", environment, port):
        yield f"http://127.0.0.1:{port}"


async def test_thousands_of_connections_may_wait(receiver: str) -> None:
    """The kernel says so of the real socket: 4,096 wait until they are accepted, or as many as the system allows."""
    need("ss")
    port = receiver.rpartition(":")[2]
    process = await asyncio.create_subprocess_exec("ss", "-ltnH", f"sport = :{port}", stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert int(said.split()[2]) == min(BACKLOG, ALLOWED), said


async def test_no_attempt_fails(receiver: str, tmp_path: Path) -> None:
    """Alertmanager sends more groups at once than it ever should: each is taken at the first attempt, also where the
    machine is so busy that the last of them wait for longer than the database may take.
    """
    need("prometheus-alertmanager")
    alertmanager = await tools.start_alertmanager(tmp_path, ROUTES.format(url=receiver).encode(), 1)
    try:
        async with aiohttp.ClientSession() as session:
            body = io.BytesIO(json.dumps(storm()).encode())
            headers = {"Content-Type": "application/json"}
            async with session.post(f"{alertmanager.url}/api/v2/alerts", data=body, headers=headers) as response:
                assert response.status == 200
            await until_sent(session, alertmanager.url, tmp_path / "prometheus-alertmanager.log")
    finally:
        await alertmanager.stop()


def storm() -> list[dict[str, object]]:
    """Alerts of as many units, each a group of its own."""
    now = datetime.now(UTC)
    when = {"startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=1)).isoformat()}
    return [{"labels": webhook(serial, level=3)["alerts"][0]["labels"], **when} for serial in range(GROUPS)]


async def until_sent(session: aiohttp.ClientSession, url: str, log: Path) -> None:
    """Until every group was sent, none of them twice, however long that takes while there is any progress."""
    before, loop = 0, asyncio.get_running_loop()
    async with asyncio.timeout(STALLED) as stalled:
        while before < GROUPS:
            tried, failed = await attempts(session, url)
            assert failed == 0, why(log)
            if tried > before:
                before = tried
                stalled.reschedule(loop.time() + STALLED)
            await asyncio.sleep(0.2)


def why(log: Path) -> list[str]:
    """Some of what Alertmanager says about attempts that failed."""
    return [line for line in log.read_text().splitlines() if "err=" in line][:5]


async def attempts(session: aiohttp.ClientSession, url: str) -> tuple[int, int]:
    """What Alertmanager counts of its attempts to send webhooks: all of them, and those that failed."""
    async with session.get(f"{url}/metrics") as response:
        text = await response.text()
    pattern = r'^alertmanager_notification_requests_{}{{integration="webhook"}} (\S+)$'
    total, failed = (re.findall(pattern.format(each), text, re.MULTILINE) for each in ("total", "failed_total"))
    return int(float(total[0])), int(float(failed[0]))


def test_many_are_accepted_in_a_turn_of_the_event_loop() -> None:
    """uvloop takes one connection a turn from a listening socket; a storm's must not wait unread for that."""
    many = 30

    async def turns() -> int:
        settings = Settings.read({"TOCSIN_LISTEN": "127.0.0.1:0", "TOCSIN_DATABASE": "sqlite://"})
        async with Service(settings, []) as service:
            address = service.address.removeprefix("http://").split(":")
            callers = [socket.create_connection((address[0], int(address[1]))) for _ in range(many)]
            taken: list[int] = []
            for _ in range(1000):
                taken.append(len(service._runner.server.connections))
                await asyncio.sleep(0)
            for each in callers:
                each.close()
            return taken.index(many)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(turns()) < many
