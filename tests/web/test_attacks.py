"""Attacks that are bounded and local: what strangers and viewers may take of the process, and that it comes back."""

import asyncio
import json
import os
import re
import sys
import threading
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from receiver.core.model import Entry, Fact, Instant
from receiver.web.console.live import MOST_EACH
from receiver.web.http.connections import STRANGERS as SEATS
from receiver.web.http.request_body import BODIES, STRANGERS_LIMIT, STRANGERS_TOTAL, Budget
from rules.policy import SECOND
from tests.patience import GIVES_UP
from tests.store.samples import save
from tests.web.conftest import START, Running, payload
from tests.web.test_tls import Papers

UNPACKED = 15 << 20
"""Bytes that a small body would have, unpacked."""

STRANGERS = (
    "/login",
    f"/act/1-1-{'a' * 32}",
    "/callbacks/slack/actions",
    "/callbacks/twilio/sms",
    "/callbacks/vonage/sms",
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
    "TOCSIN_VONAGE_API_KEY": "a1b2c3d4",
    "TOCSIN_VONAGE_API_SECRET": "secret",
    "TOCSIN_VONAGE_FROM": "+12025550199",
    "TOCSIN_VONAGE_SIGNATURE_SECRET": "s" * 32,
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
    async with asyncio.timeout(GIVES_UP):
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

    def files(self) -> int:
        """Open files, connections among them."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(GIVES_UP):
            while not is_so():
                await asyncio.sleep(0.1)


@asynccontextmanager
async def serving(folder: Path, port: int, **more: str) -> AsyncIterator[Process]:
    """Serve in that folder, with all the ways in for strangers."""
    command = ["-m", "receiver.cli", "serve", "--listen", f"127.0.0.1:{port}", "--database", "sqlite://"]
    pipes: dict[str, Any] = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.STDOUT}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=folder, env={**os.environ, **SETTINGS, **more}, **pipes
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
    async with asyncio.timeout(GIVES_UP):
        while budget.held:
            await asyncio.sleep(0.02)


async def test_a_body_that_grows_is_the_one_that_ends() -> None:
    """Where the oldest body itself exceeds the budget, it is refused, and no other is ended."""
    budget = Budget(100)
    async with asyncio.timeout(60) as one, asyncio.timeout(60) as two:
        now = asyncio.get_running_loop().time
        old, new = budget.begin(lambda: one.reschedule(now())), budget.begin(lambda: two.reschedule(now()))
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
    waiting = [await send(receiver.port, head("/webhook/alertmanager", 1024, bearer) + b"{" * 1000) for _ in range(5)]
    assert await status_of(waiting[0][0]) == 503
    assert known.held <= 4 * 1024
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
    """Unauthenticated data that breaks off at any point is logged as no error and with no traceback."""
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
        streams.append(await watch("anns-token"))
        assert streams[-1].status == 200
        next(each for each in streams if each.status == 200).close()
        async with asyncio.timeout(GIVES_UP):
            while streams[-1].status != 200 or len(streams) == 501:
                streams.append(await watch())
        for each in streams:
            each.close()


async def test_a_large_body_keeps_nobody_waiting(receiver: Running) -> None:
    """While a body of 20,000 alerts is still being read, others are answered."""
    one = json.loads(payload("single_firing"))
    alerts = [{**one["alerts"][0], "fingerprint": f"{number:016x}"} for number in range(20_000)]
    sent = json.dumps({**one, "alerts": alerts}).encode()
    known = receiver.app[BODIES].known
    posting = asyncio.create_task(receiver.post("/webhook/alertmanager", sent))
    async with asyncio.timeout(GIVES_UP):
        while known.held < len(sent):
            await asyncio.sleep(0)
    assert (await receiver.get("/-/healthy"))[0] == 200
    assert receiver.metrics.registry.get_sample_value("tocsin_alerts_total", {"status": "firing"}) == 0, "not yet read"
    assert (await posting)[0] in {200, 503}


LINES = 20_000
MESSAGES = 2_500
ALERTS = "/api/v1/incidents/1/alerts"


@pytest.fixture
async def long_night(receiver: Running) -> Running:
    """A receiver with an incident that has 20,000 lines of timeline and 2,500 messages more than it began with; in the
    middle of the lines stands a signature.
    """
    _, opened = await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    incident = receiver.store.reads().incident(opened["id"])
    assert incident is not None
    first = receiver.store.reads().notifications(incident.id)[0]
    numbers = range(incident.entries + 1, incident.entries + 1 + LINES)
    entries = [Entry(incident.id, number, START, Fact.NOTED, "ann", {"text": f"line {number}"}) for number in numbers]
    entries[LINES // 2] = replace(entries[0], position=numbers[LINES // 2], fact=Fact.SIGNED_OFF, data={})
    planned = [
        replace(first, id=f"{incident.id}-{n}", sequence=n, created_at=Instant(START + n * SECOND), person=f"p{n}")
        for n in range(incident.sequence + 1, incident.sequence + MESSAGES + 1)
    ]
    grown = replace(
        incident,
        entries=incident.entries + LINES,
        sequence=incident.sequence + MESSAGES,
        version=incident.version + 1,
    )
    save(receiver.store, changed=[grown], entries=entries, planned=planned)
    return receiver


async def pages(receiver: Running, path: str, name: str, **query: str) -> list[list[dict[str, Any]]]:
    """All pages of a list."""
    found, cursor = [], ""
    while cursor is not None:
        status, page = await receiver.get(path, params={**query, **({"cursor": cursor} if cursor else {})})
        assert status == 200, page
        found.append(page[name])
        cursor = page["next"]
    return found


async def test_a_long_timeline_comes_in_pages(long_night: Running) -> None:
    """Of 20,000 lines no answer of the API has more than a thousand, and the pages together have each line once."""
    one = "/api/v1/incidents/1"
    found = await pages(long_night, f"{one}/timeline", "timeline", limit="1000")
    positions = [line["position"] for page in found for line in page]
    assert positions == list(range(1, len(positions) + 1))
    assert len(positions) > LINES
    assert max(map(len, found)) == 1000
    messages = [
        each["sequence"] for page in await pages(long_night, f"{one}/notifications", "notifications") for each in page
    ]
    assert len(set(messages)) == len(messages) > 2000
    assert len((await long_night.get(f"{one}/timeline"))[1]["timeline"]) == 500
    for query in (
        "limit=1001",
        "limit=0",
        "cursor=x",
        "cursor=after-x",
        "cursor=after-9999999999999999999",
        "cursor=after-",
    ):
        assert (await long_night.get(f"{one}/timeline?{query}"))[0] == 400, query
    assert (await long_night.get(f"{one}/alerts?cursor=after-none"))[0] == 404


async def test_the_console_shows_a_long_timeline_in_parts(long_night: Running) -> None:
    """The page has the newest lines and a link to older ones, again and again; the export has every line."""
    path, seen = "/incidents/1", []
    for _ in range(3):
        status, text = await long_night.get(path, headers={"Accept": "text/html"})
        assert status == 200
        assert len(text) < 200_000
        seen += [int(number) for number in re.findall(r"\bline (\d+)\b", text)]
        path = re.findall(r'href="(/incidents/1[?]lines_before=[0-9]+)#timeline">Older', text)[0]
    assert len(seen) == 3 * 80
    assert seen == sorted(set(seen), reverse=True)
    assert "messages_before=" in text
    assert (await long_night.get("/incidents/1?lines_before=x", headers={"Accept": "text/html"}))[0] == 400
    async with long_night.http.get(f"{long_night.url}/incidents/1/timeline.csv") as answer:
        assert answer.headers["Cache-Control"] == "no-store"
        assert (await answer.text()).count("\n") > LINES


async def test_reports_of_a_long_timeline_are_short(long_night: Running) -> None:
    """A report has the beginning and the end of a long timeline and of very many messages, says how many it leaves out,
    and where; what a regulator asks for is told from the middle too.
    """
    status, text = await long_night.get("/api/v1/incidents/1/report?format=md")
    assert status == 200
    assert 1900 < len(set(re.findall(r"\bline \d+\b", text))) < 2100
    assert re.search(r"\b18\d{3} lines are left out here", text)
    assert "**Signed off:** 2026-11-23 02:13 UTC by ann" in text
    told = re.findall(r"^\| .*? \| page \| .*? \| (p\d+) \|", text, re.MULTILINE)
    assert len(set(told)) == len(told) >= 140
    _, shown = await long_night.get("/api/v1/incidents/1")
    incident = long_night.store.reads().incident(shown["id"])
    assert incident is not None
    assert told[-1] == f"p{incident.sequence}"
    left_out = re.search(r"\b(2,\d{3}) messages left out here; the console has them all \|.*\n.*\| p(\d+) \|", text)
    assert left_out
    assert int(left_out[1].replace(",", "")) == MESSAGES - len(told)
    assert left_out[2] == told[-75][1:]
    status, answer = await long_night.get("/api/v1/incidents/1/test")
    assert (status, "lines of the timeline" in str(answer["notes"])) == (200, True)


async def test_alerts_come_in_pages(receiver: Running) -> None:
    """The pages of an incident's alerts have each of them once, in one order, where many are alike too."""
    one = json.loads(payload("single_firing"))
    alerts = [
        {**one["alerts"][0], "fingerprint": f"{number:016x}", "status": "resolved" if number % 3 else "firing"}
        for number in range(100)
    ]
    await receiver.post("/webhook/alertmanager", {**one, "alerts": [{**each, "status": "firing"} for each in alerts]})
    await receiver.post("/webhook/alertmanager", {**one, "alerts": alerts})
    whole = [[each["fingerprint"] for each in page] for page in await pages(receiver, ALERTS, "alerts")]
    parts = [each["fingerprint"] for page in await pages(receiver, ALERTS, "alerts", limit="7") for each in page]
    assert [parts] == whole
    assert len(set(parts)) == 100


async def test_long_reads_keep_no_page_waiting(receiver: Running) -> None:
    """While a long read runs, pages and acknowledgements are answered."""
    await receiver.send("single_firing")
    is_over = threading.Event()
    reading = asyncio.create_task(receiver.queue.browse(is_over.wait, 20))
    listing = asyncio.create_task(receiver.get("/api/v1/incidents/1/timeline"))
    for path in ("/", "/incidents/1", "/api/v1/incidents/1"):
        assert (await receiver.get(path))[0] == 200
    assert (await receiver.post("/api/v1/incidents/1/acknowledge", {}))[0] == 200
    assert not reading.done()
    assert not listing.done()
    is_over.set()
    assert (await listing)[0] == 200


CROWD = 2_000
"""Connections of the attack: more than there are seats for."""
LONG_HEAD = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n" + b"X-Long: " + b"a" * 8000 + b"\r\n"
SLOW = {
    "nothing": b"",
    "a head that is dripped": LONG_HEAD * 3,
    "a body that is dripped": head("/login", 1000) + b"n",
    "idle": b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n",
    "sent ahead": b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n" + LONG_HEAD * 20,
}


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "TLS that never begins"])
async def test_slow_connections_have_a_total(tmp_path: Path, unused_tcp_port: int, secured: bool) -> None:
    """Two thousand connections that send little take neither files nor memory, and Alertmanager's own is served on and on."""
    papers, tls = Papers(tmp_path), {}
    if secured:
        tls = {name: value for name, value in papers.environ().items() if "TLS" in name}
    context = papers.of("") if secured else None
    async with serving(tmp_path, unused_tcp_port, TOCSIN_WEBHOOK_TOKEN="hook", **tls) as process:
        alertmanager = await asyncio.open_connection("127.0.0.1", process.port, ssl=context)
        assert await tell(*alertmanager) == 200
        before, crowd = process.megabytes(), []
        for number in range(CROWD):
            sent = b"" if secured else list(SLOW.values())[number % len(SLOW)]
            with suppress(ConnectionError):
                crowd.append(await send(process.port, sent))
            if number % 500 == 0:
                assert await tell(*alertmanager) == 200
        assert await tell(*alertmanager) == 200
        another = await asyncio.open_connection("127.0.0.1", process.port, ssl=context)
        assert await tell(*another) == 200
        assert process.files() < SEATS + 150
        assert process.megabytes() < before + 100
        for _, writer in (alertmanager, another, *crowd):
            writer.transport.abort()
        await process.until(lambda: process.files() < 150)
    assert not [line for line in process.lines if "Traceback" in line]


async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    """Send a webhook on a connection that stays; the status of the answer."""
    body = payload("single_firing")
    writer.write(head("/webhook/alertmanager", len(body), "Authorization: Bearer hook") + body)
    async with asyncio.timeout(GIVES_UP):
        answer = (await reader.readuntil(b"\r\n\r\n")).decode()
        await reader.readexactly(int(re.findall(r"(?i)content-length: (\d+)", answer)[0]))
    return int(answer.split(" ", 2)[1])


async def test_a_head_without_an_end_is_refused(tmp_path: Path, unused_tcp_port: int) -> None:
    """A head of more than 32 kB is answered with 431, however it is dripped; leading empty lines hide nothing."""
    async with serving(tmp_path, unused_tcp_port) as process:
        for begin in (b"", b"\r\n\r\n"):
            reader, writer = await send(process.port, begin + b"GET / HTTP/1.1\r\nHost: x\r\n")
            for _ in range(5):
                writer.write(b"X-Long: " + b"a" * 8000 + b"\r\n")
                await writer.drain()
            assert await status_of(reader) == 431
            writer.close()
