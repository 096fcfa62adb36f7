"""What `make soak` does to its replicas beside killing them: what only half fails, for some seconds, and then ends.

Each is a context manager over the run. The process's own clock cannot be moved from outside, so a clock jumps where the
clock is PostgreSQL's.
"""

import asyncio
import resource
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psycopg
from aiohttp import web
from aiohttp.typedefs import Handler
from sqlalchemy import make_url

SLOW = 5.0
"""Seconds that a slow provider takes."""


@dataclass
class ChannelFaults:
    """How the provider of chat is."""

    rejects: bool = False
    slow: bool = False
    refused: int = field(default=0, init=False)

    @web.middleware
    async def between(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Stands before the provider."""
        if self.rejects:
            self.refused += 1
            return web.Response(status=503)
        if self.slow:
            await asyncio.sleep(SLOW)
        return await handler(request)


class Process(Protocol):
    """A replica."""

    def send(self, number: signal.Signals) -> None:
        """A signal to it."""

    def send_to_writer(self, number: signal.Signals) -> None:
        """A signal to the process that writes for it."""

    def pids(self) -> Sequence[int]:
        """It, and the processes that it started."""


@dataclass(frozen=True, slots=True)
class Victim:
    """What is made to fail."""

    process: Process
    database: str
    channel_faults: ChannelFaults

    @property
    def file(self) -> Path:
        """The SQLite file."""
        return Path(make_url(self.database).database or "")

    def run(self, *statements: str) -> None:
        """In the PostgreSQL database."""
        with psycopg.connect(_plain(self.database), autocommit=True) as connection:
            for each in statements:
                connection.execute(each.encode())


Fault = Callable[[Victim], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def provider_rejects(victim: Victim) -> AsyncIterator[None]:
    """It answers 503."""
    victim.channel_faults.rejects = True
    try:
        yield
    finally:
        victim.channel_faults.rejects = False


@asynccontextmanager
async def provider_slow(victim: Victim) -> AsyncIterator[None]:
    """It answers after seconds."""
    victim.channel_faults.slow = True
    try:
        yield
    finally:
        victim.channel_faults.slow = False


@asynccontextmanager
async def writer_stopped(victim: Victim) -> AsyncIterator[None]:
    """It stands still and does not die; after ten seconds another has its place."""
    victim.process.send_to_writer(signal.SIGSTOP)
    try:
        yield
    finally:
        victim.process.send_to_writer(signal.SIGCONT)


@asynccontextmanager
async def event_loop_stuck(victim: Victim) -> AsyncIterator[None]:
    """It takes connections and does nothing; the process that writes for it goes on."""
    victim.process.send(signal.SIGSTOP)
    try:
        yield
    finally:
        victim.process.send(signal.SIGCONT)


@asynccontextmanager
async def file_deleted(victim: Victim) -> AsyncIterator[None]:
    """The file has no name any more."""
    elsewhere = victim.file.rename(victim.file.with_name("elsewhere"))
    try:
        yield
    finally:
        elsewhere.rename(victim.file)


@asynccontextmanager
async def file_locked(victim: Victim) -> AsyncIterator[None]:
    """Another program has begun to write and does not end."""
    with closing(sqlite3.connect(victim.file, timeout=30, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


@asynccontextmanager
async def disk_full(victim: Victim) -> AsyncIterator[None]:
    """No file may grow any more."""
    limit(victim.process.pids(), 1)
    try:
        yield
    finally:
        limit(victim.process.pids(), resource.RLIM_INFINITY)


@asynccontextmanager
async def tables_locked(victim: Victim) -> AsyncIterator[None]:
    """Somebody holds the incidents' table."""
    with psycopg.connect(_plain(victim.database)) as connection:
        connection.execute("LOCK TABLE incidents IN ACCESS EXCLUSIVE MODE")
        try:
            yield
        finally:
            with suppress(psycopg.OperationalError):  # the database was restarted meanwhile
                connection.rollback()


@asynccontextmanager
async def read_only(victim: Victim) -> AsyncIterator[None]:
    """As a standby is, or a server whose disk is nearly full."""
    victim.run("ALTER ROLE postgres SET default_transaction_read_only = on", DISCONNECT)
    try:
        yield
    finally:
        victim.run("SET default_transaction_read_only = off", "ALTER ROLE postgres RESET ALL", DISCONNECT)


@asynccontextmanager
async def clock_jumps(victim: Victim) -> AsyncIterator[None]:
    """The database's clock is ten minutes ahead, and then right again."""
    victim.run(CLOCK.format(off="10 minutes"), "ALTER ROLE postgres SET search_path = public, pg_catalog", DISCONNECT)
    try:
        yield
    finally:
        victim.run(CLOCK.format(off="0"))


DISCONNECT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = 'postgres'"
)
CLOCK = (
    "CREATE OR REPLACE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS"
    " $$SELECT pg_catalog.clock_timestamp() + interval '{off}'$$"
)
EVERYWHERE: dict[Fault, float] = {provider_rejects: 6, provider_slow: 6, writer_stopped: 13, event_loop_stuck: 8}
"""With how long each lasts, in seconds."""
SQLITE: dict[Fault, float] = {file_locked: 8, disk_full: 8, file_deleted: 8, **EVERYWHERE}
POSTGRESQL: dict[Fault, float] = {tables_locked: 8, read_only: 8, clock_jumps: 8, **EVERYWHERE}


def limit(pids: Sequence[int], size: int) -> None:
    """How large a file these processes may write, in bytes."""
    for each in pids:
        with suppress(ProcessLookupError):
            resource.prlimit(each, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _plain(database: str) -> str:
    return make_url(database).set(drivername="postgresql").render_as_string(hide_password=False)
