"""The partial failures of `make soak`: each lasts some seconds and then ends.

Each is a context manager for its duration. A process's own clock cannot be changed from outside, so clock jumps are of
PostgreSQL's.
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
"""Seconds until a slow provider answers."""


@dataclass
class ChannelFaults:
    """The state of the chat provider."""

    rejects: bool = False
    slow: bool = False
    refused: int = field(default=0, init=False)

    @web.middleware
    async def between(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Middleware of the provider."""
        if self.rejects:
            self.refused += 1
            return web.Response(status=503)
        if self.slow:
            await asyncio.sleep(SLOW)
        return await handler(request)


class Process(Protocol):
    """A replica."""

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""

    def send_to_writer(self, number: signal.Signals) -> None:
        """Send its writer process a signal."""

    def pids(self) -> Sequence[int]:
        """Its process and its child processes."""


@dataclass(frozen=True, slots=True)
class Victim:
    """The target of a failure."""

    process: Process
    database: str
    channel_faults: ChannelFaults

    @property
    def file(self) -> Path:
        """The SQLite file."""
        return Path(make_url(self.database).database or "")

    def run(self, *statements: str) -> None:
        """Run in the PostgreSQL database."""
        with psycopg.connect(_plain(self.database), autocommit=True) as connection:
            for each in statements:
                connection.execute(each.encode())


Fault = Callable[[Victim], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def provider_rejects(victim: Victim) -> AsyncIterator[None]:
    """The provider answers 503."""
    victim.channel_faults.rejects = True
    try:
        yield
    finally:
        victim.channel_faults.rejects = False


@asynccontextmanager
async def provider_slow(victim: Victim) -> AsyncIterator[None]:
    """The provider answers after SLOW seconds."""
    victim.channel_faults.slow = True
    try:
        yield
    finally:
        victim.channel_faults.slow = False


@asynccontextmanager
async def writer_stopped(victim: Victim) -> AsyncIterator[None]:
    """The writer is stopped but does not exit; after ten seconds it is replaced."""
    victim.process.send_to_writer(signal.SIGSTOP)
    try:
        yield
    finally:
        victim.process.send_to_writer(signal.SIGCONT)


@asynccontextmanager
async def event_loop_stuck(victim: Victim) -> AsyncIterator[None]:
    """The event loop accepts connections and does nothing; the writer process continues."""
    victim.process.send(signal.SIGSTOP)
    try:
        yield
    finally:
        victim.process.send(signal.SIGCONT)


@asynccontextmanager
async def file_deleted(victim: Victim) -> AsyncIterator[None]:
    """The file is unlinked."""
    elsewhere = victim.file.rename(victim.file.with_name("elsewhere"))
    try:
        yield
    finally:
        elsewhere.rename(victim.file)


@asynccontextmanager
async def file_locked(victim: Victim) -> AsyncIterator[None]:
    """Another program holds a write transaction."""
    with closing(sqlite3.connect(victim.file, timeout=30, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


@asynccontextmanager
async def disk_full(victim: Victim) -> AsyncIterator[None]:
    """No file may grow."""
    limit(victim.process.pids(), 1)
    try:
        yield
    finally:
        limit(victim.process.pids(), resource.RLIM_INFINITY)


@asynccontextmanager
async def tables_locked(victim: Victim) -> AsyncIterator[None]:
    """Another session locks the incidents' table."""
    with psycopg.connect(_plain(victim.database)) as connection:
        connection.execute("LOCK TABLE incidents IN ACCESS EXCLUSIVE MODE")
        try:
            yield
        finally:
            with suppress(psycopg.OperationalError):  # the database was restarted in the meantime
                connection.rollback()


@asynccontextmanager
async def read_only(victim: Victim) -> AsyncIterator[None]:
    """Read-only, as a standby or a server with a nearly full disk."""
    victim.run("ALTER ROLE postgres SET default_transaction_read_only = on", DISCONNECT)
    try:
        yield
    finally:
        victim.run("SET default_transaction_read_only = off", "ALTER ROLE postgres RESET ALL", DISCONNECT)


@asynccontextmanager
async def clock_jumps(victim: Victim) -> AsyncIterator[None]:
    """The database's clock is ten minutes ahead, then correct again."""
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
"""Failure → its duration, in seconds."""
SQLITE: dict[Fault, float] = {file_locked: 8, disk_full: 8, file_deleted: 8, **EVERYWHERE}
POSTGRESQL: dict[Fault, float] = {tables_locked: 8, read_only: 8, clock_jumps: 8, **EVERYWHERE}


def limit(pids: Sequence[int], size: int) -> None:
    """Limit the size of files that these processes may write, in bytes."""
    for each in pids:
        with suppress(ProcessLookupError):
            resource.prlimit(each, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _plain(database: str) -> str:
    return make_url(database).set(drivername="postgresql").render_as_string(hide_password=False)
