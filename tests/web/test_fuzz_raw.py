"""Bytes that no client library sends: headers that are no text are answered 4xx, or as if they were not there."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.patience import GIVES_UP
from tests.web.conftest import Running
from tests.web.test_access import TOKENS
from tests.web.test_fuzz import FEW

SOME = settings(FEW, max_examples=60)
HEADERS = (b"Authorization: Bearer ", b"Authorization: Basic ", b"Cookie: tocsin=", b"Cookie: ", b"X-CSRF-Token: ")
HEADERS += (b"X-Forwarded-For: ", b"Origin: ", b"Idempotency-Key: ", b"Content-Type: ", b"Accept: ")
TARGETS = (b"GET /", b"GET /api/v1/incidents", b"GET /events", b"POST /logout", b"POST /login", b"POST /-/reload")
TARGETS += (b"POST /webhook/alertmanager", b"POST /api/v1/incidents", b"GET /act/1-1-x", b"GET /policy", b"PATCH /")
VALUES = st.binary(max_size=30).map(lambda value: value.translate(None, b"\r\n\0"))


@pytest.fixture
async def guarded(start: Callable[..., Any]) -> Running:
    """A receiver that asks everybody who they are."""
    return await start(**TOKENS)


async def ask(receiver: Running, target: bytes, header: bytes) -> int:
    """One request, byte for byte; the answer's status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
    writer.write(target + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 2\r\n")
    writer.write(header + b"\r\n\r\n{}")
    async with asyncio.timeout(GIVES_UP):
        line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return int(line.split()[1])


@SOME
@given(target=st.sampled_from(TARGETS), header=st.sampled_from(HEADERS), value=VALUES)
@example(target=b"GET /", header=b"Cookie: tocsin=", value=b"a.\xff.b")
async def test_any_header(guarded: Running, target: bytes, header: bytes, value: bytes) -> None:
    """An unauthenticated header of any bytes makes no 500 and gets nothing done."""
    status = await ask(guarded, target, header + value)
    assert 300 <= status < 500
    assert guarded.store.newest_audits(1) == []
