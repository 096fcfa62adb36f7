"""What a service starts ends with it: after a stop, after a start that failed half-way, and after a signal."""

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from receiver.clients.alertmanager import Alertmanager
from receiver.demo.stand_ins import start_web
from receiver.demo.tools import free_port
from receiver.errors import SettingsError
from receiver.service import Service
from receiver.settings import Settings
from tests.end_to_end.conftest import until
from tests.end_to_end.processes import POLICY, serving
from tests.patience import GIVES_UP


class ListsNothing:
    """Answers like an Alertmanager without alerts, and counts who is connected."""

    def __init__(self) -> None:
        self.connections: set[object] = set()
        self.app = web.Application()
        self.app.router.add_get("/api/v2/{what}", self.answer)

    async def answer(self, request: web.Request) -> web.Response:
        self.connections.add(request.transport)
        status = {"uptime": datetime.now(UTC).isoformat()}
        return web.json_response(status if request.match_info["what"] == "status" else [])

    @property
    def are_all_closed(self) -> bool:
        return all(each.is_closing() for each in self.connections)  # type: ignore[attr-defined] # transports


@pytest.fixture
async def alertmanager() -> AsyncIterator[tuple[ListsNothing, str]]:
    """It listens, at that URL."""
    it = ListsNothing()
    runner, url = await start_web(it.app)
    yield it, url
    await runner.cleanup()


def left_over() -> set[str]:
    """Names of what a service may leave behind in this process: threads, tasks, processes."""
    threads = {each.name for each in threading.enumerate() if each.name.startswith("tocsin")}
    tasks = {each.get_coro().__qualname__ for each in asyncio.all_tasks()}  # type: ignore[union-attr] # coroutines
    return threads | tasks | {f"process {each}" for each in children(os.getpid())}


def children(pid: int) -> set[int]:
    """The processes that a process has started and that have not been waited for."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):  # the thread has ended meanwhile
            found |= {int(each) for each in (task / "children").read_text().split()}
    return found


async def test_a_stop_ends_a_reload(environment: dict[str, str], tmp_path: Path) -> None:
    """A reload that a signal asked for and that is under way at the stop has ended when the service has."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    async with Service(Settings.read(environment), [policy]) as service:
        before = left_over()
        await service._files._one_at_a_time.acquire()  # another reload that takes its time
        service.reload_soon()
        assert (reload := left_over() - before)
    assert not reload & left_over()


async def test_a_stop_ends_everything(
    environment: dict[str, str], alertmanager: tuple[ListsNothing, str], tmp_path: Path
) -> None:
    """After a stop no thread, task, process or connection of the service is left, and the database is free."""
    listing, url = alertmanager
    before = left_over()
    settings = Settings.read({**environment, "TOCSIN_ALERTMANAGER_URL": url, "TOCSIN_PROMETHEUS_URL": url})
    async with Service(settings, [], record=tmp_path / "webhooks"):
        await until(lambda: listing.connections, what="the Alertmanager was asked")
        assert left_over() - before
    await until(lambda: listing.are_all_closed, what="the connections are closed")
    await until(lambda: left_over() - before == set(), what="nothing is left")
    async with Service(Settings.read(environment), []):
        pass


async def test_a_start_that_fails_leaves_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    """The port is taken, which the start finds out last: what it had opened is undone, and the next start works."""
    before = left_over()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings.read({**environment, "TOCSIN_LISTEN": f"127.0.0.1:{taken.getsockname()[1]}"})
        with pytest.raises(SettingsError, match="another program has this port"):
            async with Service(settings, [], record=tmp_path / "webhooks"):
                pass
    await until(lambda: left_over() - before == set(), what="nothing is left")
    async with Service(Settings.read(environment), []):
        pass


async def test_a_start_that_is_cancelled_leaves_nothing(environment: dict[str, str]) -> None:
    """As SIGTERM does it: while the process that writes is starting, the start is cancelled, and that process ends."""
    before, known = left_over(), children(os.getpid())
    service = Service(Settings.read(environment), [])
    starting = asyncio.create_task(service.__aenter__())
    await until(lambda: children(os.getpid()) - known, what="the process that writes is starting")
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await until(lambda: left_over() - before == set(), what="nothing is left")
    async with Service(Settings.read(environment), []):
        pass


async def test_sigterm_ends_everything(environment: dict[str, str], tmp_path: Path) -> None:
    """A process that is told to end ends well, its writer with it, and the next one can serve the same database."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    for _ in range(2):
        async with serving(policy, environment, free_port()) as process:
            started = children(process.pid)
            assert started
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(GIVES_UP):
                assert await process.wait() == 0
            await until(lambda: not any(Path(f"/proc/{each}").exists() for each in started), what="the writer ended")  # noqa: B023


async def test_sigterm_during_the_start(environment: dict[str, str]) -> None:
    """A process that waits for a database that is away ends as soon as it is told to."""
    away = {**os.environ, **environment, "TOCSIN_DATABASE": f"postgresql://127.0.0.1:{free_port()}/tocsin"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "receiver.cli", "serve", env=away, stderr=asyncio.subprocess.STDOUT, stdout=asyncio.subprocess.PIPE
    )  # fmt: skip
    assert process.stdout
    async with asyncio.timeout(GIVES_UP):
        while b"trying again" not in (line := await process.stdout.readline()):
            assert line, "it ended by itself"
        process.send_signal(signal.SIGTERM)
        said = await process.stdout.read()
        await process.wait()
    assert b"Traceback" not in said


async def test_an_alertmanager_is_asked_on_one_connection(alertmanager: tuple[ListsNothing, str]) -> None:
    """Each question takes the connection of the one before; closing the client closes it."""
    listing, url = alertmanager
    client = Alertmanager(url)
    for _ in range(3):
        assert (await client.list()).alerts == ()
    assert len(listing.connections) == 1
    await client.close()
    await until(lambda: listing.are_all_closed, what="the connection is closed")
