"""Slow unauthenticated senders of little or nothing hold up no other caller."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.patience import GIVES_UP
from tests.web.conftest import payload

STRANGERS = 300
FEW_FILES = 200
"""The soft limit of open files that the process begins with: less than there are strangers."""


@asynccontextmanager
async def serving(folder: Path, port: int) -> AsyncIterator[str]:
    """`tocsin serve` as a process that begins with few open files."""
    limited = (
        f'ulimit -S -n {FEW_FILES}; exec "$0" -m receiver.cli serve --listen 127.0.0.1:{port} --database sqlite://'
    )
    process = await asyncio.create_subprocess_exec(
        "sh",
        "-c",
        limited,
        sys.executable,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(GIVES_UP):
            while b"listening" not in await process.stdout.readline():
                pass
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        await process.communicate()


BEGINNINGS = {
    "nothing": b"",
    "half a header": b"POST /webhook/alertmanager HTTP/1.1\r\nHost: x\r\nX-Slow",
    "no body": b"POST /webhook/alertmanager HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
    "a login": b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nname=ron",
}


async def test_many_slow_strangers(tmp_path: Path, unused_tcp_port: int) -> None:
    """Hundreds of connections that send nothing, half a header or half a body hold up no webhook, no page, no probe."""
    writers = []
    async with serving(tmp_path, unused_tcp_port) as url, aiohttp.ClientSession() as session:
        for number in range(STRANGERS):
            _, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
            writer.write(list(BEGINNINGS.values())[number % len(BEGINNINGS)])
            writers.append(writer)
        for path, body in (("/webhook/alertmanager", payload("single_firing")), ("/-/ready", None), ("/", None)):
            method = "POST" if body else "GET"
            async with asyncio.timeout(20), session.request(method, url + path, data=body) as answer:
                assert answer.status == 200, path
        for writer in writers:
            writer.close()
