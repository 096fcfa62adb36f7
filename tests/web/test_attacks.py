"""Attacks that are bounded and local: what strangers and viewers may take of the process, and that it comes back."""

import asyncio
import os
import re
import sys
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from receiver.web.body import BODIES, STRANGERS_LIMIT, STRANGERS_TOTAL, Budget
from receiver.web.console.live import MOST_EACH
from tests.web.conftest import Running

UNPACKED = 15 << 20
"""Bytes that a small body would have, unpacked."""

STRANGERS = (
    "/login",
    f"/act/1-1-{'a' * 32}",
    "/callbacks/slack/actions",
    "/callbacks/twilio/sms",
    "/callbacks/pagerduty",
)
SETTINGS = {
    "TOCSIN_API_TOKENS": "ann:admin:anns-token, eve:viewer:see",
    "TOCSIN_EXTERNAL_URL": "https://tocsin.example.test",
    "TOCSIN_SLACK_SIGNING_SECRET": "s" * 32,
    "TOCSIN_PAGERDUTY_WEBHOOK_SECRET": "s" * 32,
    "TOCSIN_TWILIO_ACCOUNT_SID": "AC1",
    "TOCSIN_TWILIO_AUTH_TOKEN": "auth-token",
    "TOCSIN_TWILIO_FROM": "+12025550100",
}


def bomb() -> bytes:
    """The beginning of a gzip body: 15 kB that unpack to 15 MiB, and no end."""
    packing = zlib.compressobj(9, wbits=31)
    return packing.compress(b"\0" * UNPACKED) + packing.flush(zlib.Z_SYNC_FLUSH)


def head(path: str, length: int, *more: str) -> bytes:
    """The head of a POST."""
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {length}", *more, "", ""]).encode()


async def send(port: int, sent: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which that was sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    return reader, writer


async def status_of(reader: asyncio.StreamReader) -> int:
    """The status of the answer that comes."""
    async with asyncio.timeout(20):
        return int((await reader.readline()).split(b" ", 2)[1])


@dataclass
class Process:
    """`tocsin serve` as a process, and what it logs."""

    url: str
    port: int
    pid: int
    lines: list[str]

    def megabytes(self) -> float:
        """What it has of the machine's memory."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(60):
            while not is_so():
                await asyncio.sleep(0.1)


@asynccontextmanager
async def serving(folder: Path, port: int) -> AsyncIterator[Process]:
    """Serve in that folder, with all the ways in for strangers."""
    command = ["-m", "receiver.cli", "serve", "--listen", f"127.0.0.1:{port}", "--database", "sqlite://"]
    pipes: dict[str, Any] = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.STDOUT}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=folder, env={**os.environ, **SETTINGS}, **pipes
    )
    assert process.stdout is not None
    lines: list[str] = []

    async def read(out: asyncio.StreamReader) -> None:
        while line := await out.readline():
            lines.append(line.decode())

    reading = asyncio.create_task(read(process.stdout))
    serving = Process(f"http://127.0.0.1:{port}", port, process.pid, lines)
    try:
        await serving.until(lambda: any("listening" in line for line in lines))
        yield serving
    finally:
        process.kill()
        await process.wait()
        await reading


async def test_strangers_cannot_take_the_memory(tmp_path: Path, unused_tcp_port: int) -> None:
    """A hundred unfinished bodies and heads, packed and plain, leave the process as it was, and no traceback behind."""
    plain, packed = b"a" * (STRANGERS_LIMIT - 1), bomb()
    heads = b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: " % n + b"a" * 8000 + b"\r\n" for n in range(60))
    async with serving(tmp_path, unused_tcp_port) as process, aiohttp.ClientSession() as session:
        before = process.megabytes()
        connections = []
        for number in range(100):
            path = STRANGERS[number % len(STRANGERS)]
            gzipped = head(path, len(packed) + 1, "Content-Encoding: gzip") + packed
            kinds = gzipped, head(path, len(plain) + 1) + plain, heads
            connections += [await send(process.port, sent) for sent in kinds]
        async with session.get(f"{process.url}/-/healthy") as answer:
            assert answer.status == 200
        assert process.megabytes() < before + 150, "without the limits it is thousands"
        for _, writer in connections:
            writer.transport.abort()
        await process.until(lambda: process.megabytes() < 1.2 * before)
    assert not [line for line in process.lines if "level=error" in line or "Traceback" in line]


async def test_bodies_of_strangers(start: Callable[..., Any]) -> None:
    """What strangers send is small and never unpacked; callers we know may send what is packed."""
    receiver = await start(**SETTINGS)
    for path in STRANGERS:
        if path.startswith("/act"):
            continue  # refused by its seal, before a body is looked at
        assert (await receiver.post(path, b"a" * (STRANGERS_LIMIT + 1)))[0] == 413, path
        assert (await receiver.post(path, bomb(), headers={"Content-Encoding": "gzip"}))[0] == 415, path
    assert receiver.app[BODIES].strangers.held == 0


async def test_strangers_give_way_to_each_other(start: Callable[..., Any]) -> None:
    """Of strangers' bodies that never end the oldest give way: an honest one finds room, and nothing stays held."""
    receiver = await start(**SETTINGS)
    budget = receiver.app[BODIES].strangers
    waiting = []
    for _ in range(STRANGERS_TOTAL // STRANGERS_LIMIT + 10):
        body = b"a" * (STRANGERS_LIMIT - 1)
        waiting.append(await send(receiver.port, head("/callbacks/pagerduty", STRANGERS_LIMIT) + body))
    assert await status_of(waiting[0][0]) == 503
    assert budget.held <= STRANGERS_TOTAL
    assert (await receiver.post("/callbacks/pagerduty", b"{}"))[0] == 401, "it was read"
    for _, writer in waiting:
        writer.transport.abort()
    async with asyncio.timeout(20):
        while budget.held:
            await asyncio.sleep(0.02)


async def test_a_body_that_grows_is_the_one_that_ends() -> None:
    """Where the oldest itself wants more than there is, it is refused and nobody else is ended for it."""
    budget = Budget(100)
    async with asyncio.timeout(60) as one, asyncio.timeout(60) as two:
        old, new = budget.begin(one), budget.begin(two)
        assert old.take(60)
        assert new.take(40)
        assert not old.take(1)
        assert (old.size, new.size, budget.held) == (60, 40, 100)
        assert new.take(20), "the oldest gives way"
        assert (old.size, budget.held) == (0, 60)
        two.reschedule(None)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(20)
        asyncio.current_task().uncancel()  # type: ignore[union-attr]


async def test_bodies_of_callers_we_know_have_a_total(start: Callable[..., Any]) -> None:
    """Alertmanager's bodies have a total too; one that finds no room is told to come again."""
    receiver = await start(TOCSIN_BODY_LIMIT="1024", TOCSIN_WEBHOOK_TOKEN="hook")
    known = receiver.app[BODIES].known
    bearer = "Authorization: Bearer hook"
    waiting = [await send(receiver.port, head("/webhook/alertmanager", 1024, bearer) + b"{" * 1000) for _ in range(3)]
    assert await status_of(waiting[0][0]) == 503
    assert known.held <= 2 * 1024
    assert (await receiver.post("/webhook/alertmanager", b'{"alerts": []}', headers={"Authorization": "Bearer hook"}))[
        0
    ] == 200
    for _, writer in waiting:
        writer.close()


ABORTS = [head(path, 1000) + b"abc" for path in (*STRANGERS, "/webhook/alertmanager", "/api/v1/incidents", "/declare")]
ABORTS += [
    b"POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + rest for rest in (b"3\r\nab", b"zz\r\n")
]
ABORTS += [
    b"GET / HTTP/1.1\r\n" + b"A" * 9000,
    b"\x16\x03\x01",
    b"GET /history.csv HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
]


async def test_what_breaks_off_is_no_error(receiver: Running, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a stranger sends and wherever it breaks off, it is logged as no error and with no traceback."""
    with capture_logs() as logs:
        for sent in ABORTS:
            for _ in range(3):
                _, writer = await send(receiver.port, sent)
                await writer.drain()
                assert (await receiver.get("/-/healthy"))[0] == 200
                writer.transport.abort()
        assert (await receiver.get("/-/healthy"))[0] == 200
    assert not [line for line in logs if line["log_level"] in {"error", "critical"} or line.get("exc_info")]
    assert not [record for record in caplog.records if record.levelname == "ERROR" or record.exc_info], "aiohttp's own"


async def test_streams_of_one_caller(start: Callable[..., Any]) -> None:
    """A viewer who takes five hundred streams gets twenty, and again as many as are closed; others still get theirs."""
    receiver = await start(**SETTINGS)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def watch(token: str = "see") -> aiohttp.ClientResponse:
            return await session.get(f"{receiver.url}/events", headers={"Authorization": f"Bearer {token}"})

        streams = await asyncio.gather(*(watch() for _ in range(500)))
        assert sorted(each.status for each in streams) == [200] * MOST_EACH + [429] * (500 - MOST_EACH)
        assert (await watch("anns-token")).status == 200
        next(each for each in streams if each.status == 200).close()
        async with asyncio.timeout(20):
            while (await watch()).status != 200:
                await asyncio.sleep(0.02)
