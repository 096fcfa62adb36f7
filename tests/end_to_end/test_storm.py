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
    """Alertmanager sends more groups at once than it ever should: each is taken at the first attempt."""
    need("prometheus-alertmanager")
    alertmanager = await tools.start_alertmanager(tmp_path, ROUTES.format(url=receiver).encode(), 1)
    try:
        async with aiohttp.ClientSession() as session:
            body = io.BytesIO(json.dumps(storm()).encode())
            headers = {"Content-Type": "application/json"}
            async with session.post(f"{alertmanager.url}/api/v2/alerts", data=body, headers=headers) as response:
                assert response.status == 200
            async with asyncio.timeout(90):
                while await sent(session, alertmanager.url, "total") < GROUPS:
                    assert await sent(session, alertmanager.url, "failed_total") == 0
                    await asyncio.sleep(0.2)
            assert await sent(session, alertmanager.url, "failed_total") == 0
    finally:
        await alertmanager.stop()


def storm() -> list[dict[str, object]]:
    """Alerts of as many units, each a group of its own."""
    now = datetime.now(UTC)
    when = {"startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=1)).isoformat()}
    return [{"labels": webhook(serial, level=3)["alerts"][0]["labels"], **when} for serial in range(GROUPS)]


async def sent(session: aiohttp.ClientSession, url: str, which: str) -> int:
    """What Alertmanager counts of its attempts to send webhooks."""
    async with session.get(f"{url}/metrics") as response:
        text = await response.text()
    counted = re.findall(
        rf'^alertmanager_notification_requests_{which}{{integration="webhook"}} (\S+)$', text, re.MULTILINE
    )
    return int(float(counted[0]))


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
