"""How each state of the table is brought about, for real, and how it ends: a context manager for each."""

import asyncio
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from typing import Any

import psycopg
import trustme
from sqlalchemy import make_url

from tests.faults import database_file
from tests.partial import disk
from tests.partial.site import Site, until_true

Fault = Callable[[Site], AbstractAsyncContextManager[None]]
FAULTS: dict[str, Fault] = {}
PADDING = 10_000
"""Characters in an annotation, where TOCSIN_BODY_LIMIT is 4 kB."""


def fault(state: str) -> Callable[[Callable[[Site], AsyncIterator[None]]], Fault]:
    """Marks how a state of the table comes and goes."""

    def mark(function: Callable[[Site], AsyncIterator[None]]) -> Fault:
        FAULTS[state] = asynccontextmanager(function)
        return FAULTS[state]

    return mark


# The database file, and who writes to it.


def of_the_file(function: database_file.Fault) -> Callable[[Site], AsyncIterator[None]]:
    """The same for a site."""

    async def comes_and_goes(site: Site) -> AsyncIterator[None]:
        with function(site):
            yield

    return comes_and_goes


fault("disk full")(of_the_file(database_file.full_disk))
fault("file locked")(of_the_file(database_file.locked))
fault("file deleted")(of_the_file(database_file.deleted))
fault("file replaced")(of_the_file(database_file.replaced))


@fault("file system read-only")
async def file_system_read_only(site: Site) -> AsyncIterator[None]:
    """Its disk failed; to mend it the file system is mounted anew, for which no process may use it."""
    disk.break_down(site.database.parent)
    yield
    site.process.kill()
    await site.process.wait()
    await asyncio.to_thread(disk.mount_again, site.database.parent)
    await site.start_tocsin()


@fault("writer stopped")
async def writer_stopped(site: Site) -> AsyncIterator[None]:
    """It stands still and does not die."""
    os.kill(site.writer(), signal.SIGSTOP)
    yield


@fault("writer looping")
async def writer_looping(site: Site) -> AsyncIterator[None]:
    """Each write takes all time there is: the one that replaces it does no better."""
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
    with closing(sqlite3.connect(site.database, isolation_level=None)) as other:
        for number, moment in enumerate(("UPDATE ON meta", "INSERT ON incidents")):
            await _execute(other, f"CREATE TRIGGER endless_{number} BEFORE {moment} BEGIN {endless}; END")
        yield
        for number in range(2):
            await _execute(other, f"DROP TRIGGER endless_{number}")


async def _execute(connection: sqlite3.Connection, statement: str) -> None:
    """As soon as no other connection holds the file."""
    async with asyncio.timeout(60):
        while True:
            with suppress(sqlite3.OperationalError):
                connection.execute("PRAGMA busy_timeout = 20")
                connection.execute(statement)
                return
            await asyncio.sleep(0.01)


# The process.


@fault("event loop stuck")
async def loop_stuck(site: Site) -> AsyncIterator[None]:
    """The process takes connections and does nothing."""
    site.process.send_signal(signal.SIGSTOP)
    yield
    site.process.send_signal(signal.SIGCONT)


@fault("out of memory")
async def out_of_memory(site: Site) -> AsyncIterator[None]:
    """What the system does to a process that takes too much: it is killed. Its supervisor starts it again."""
    site.process.kill()
    await site.process.wait()
    yield
    await site.start_tocsin()


# PostgreSQL: each site has a role and a schema of its own on one server.


@fault("PostgreSQL read-only")
async def read_only(site: Site) -> AsyncIterator[None]:
    """As a standby is, or a server whose disk is nearly full."""
    _as_owner(site, "ALTER ROLE {role} SET default_transaction_read_only = on", DISCONNECT)
    yield
    _as_owner(site, "ALTER ROLE {role} RESET default_transaction_read_only", DISCONNECT)


@fault("PostgreSQL away")
async def away(site: Site) -> AsyncIterator[None]:
    """It refuses all logins, and ends every connection."""
    _as_owner(site, "ALTER ROLE {role} NOLOGIN", DISCONNECT)
    yield
    _as_owner(site, "ALTER ROLE {role} LOGIN")


@fault("pool exhausted")
async def pool_exhausted(site: Site) -> AsyncIterator[None]:
    """The server has no connection left for Tocsin."""
    _as_owner(site, "ALTER ROLE {role} CONNECTION LIMIT 0", DISCONNECT)
    yield
    _as_owner(site, "ALTER ROLE {role} CONNECTION LIMIT -1")


@fault("clock ahead")
async def clock_ahead(site: Site) -> AsyncIterator[None]:
    """The clock that Tocsin goes by, its database's, is two hours ahead."""
    async for _ in _clock_off_by(site, "2 hours"):
        yield


@fault("clock back")
async def clock_back(site: Site) -> AsyncIterator[None]:
    """Two hours behind."""
    async for _ in _clock_off_by(site, "-2 hours"):
        yield


DISCONNECT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"
CLOCK = (
    "CREATE OR REPLACE FUNCTION {role}.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS"
    " $$SELECT pg_catalog.clock_timestamp() + interval '{off}'$$"
)


async def _clock_off_by(site: Site, off: str) -> AsyncIterator[None]:
    _as_owner(site, CLOCK, off=off)

    async def jumped() -> bool:
        return (await site.figures())["tocsin_clock_jumps_total"] > 0

    await until_true(jumped, 90, "Tocsin notices the clock")
    yield
    _as_owner(site, CLOCK, off="0")


def _as_owner(site: Site, *statements: str, **words: str) -> None:
    url = make_url(site.url)
    owner = url.set(username="postgres", query={"host": url.query["host"]})
    with psycopg.connect(owner.render_as_string(hide_password=False), autocommit=True) as connection:
        for each in statements:
            statement: Any = each.format(role=url.username, **words)
            connection.execute(statement)


# The way out.


@fault("every channel rejected")
async def rejected(site: Site) -> AsyncIterator[None]:
    """Revoked credentials: every provider answers, and takes nothing."""
    site.channel_faults.rejects = True
    yield
    site.channel_faults.rejects = False


@fault("provider slow")
async def slow(site: Site) -> AsyncIterator[None]:
    """No provider answers before it is given up."""
    site.channel_faults.answers.clear()
    yield
    site.channel_faults.answers.set()


@fault("DNS gone")
async def dns_gone(_site: Site) -> AsyncIterator[None]:
    """Names that do not resolve are set from the start: a resolver cannot be taken from one process."""
    yield


NAMELESS = {"TOCSIN_SMTP_URL": "smtp://mail.invalid:25", "TOCSIN_SLACK_API_URL": "https://slack.invalid/api/"}
SETTINGS = {"DNS gone": NAMELESS, "body too large": {"TOCSIN_BODY_LIMIT": "4096"}}
"""Of the state's Tocsin alone."""

# The way in.


@fault("token revoked")
async def revoked(site: Site) -> AsyncIterator[None]:
    """Alertmanager shows a token that Tocsin does not know."""
    known, site.token = site.token, "revoked-0123456789abcdef"
    (site.folder / "token").write_text(site.token)
    yield
    site.token = known
    (site.folder / "token").write_text(site.token)


@fault("certificate wrong")
async def certificate_wrong(site: Site) -> AsyncIterator[None]:
    """Alertmanager trusts another CA than the one that signed Tocsin's certificate."""
    assert site.trusted
    known = site.trusted.read_bytes()
    trustme.CA().cert_pem.write_to_path(str(site.trusted))
    site.alertmanager.reload()
    yield
    site.trusted.write_bytes(known)
    site.alertmanager.reload()


@fault("URL wrong")
async def url_wrong(site: Site) -> AsyncIterator[None]:
    """Alertmanager posts to a path that is none."""
    known, site.path = site.path, "/webhook/alertmanger"
    site.configure_alertmanager()
    site.alertmanager.reload()
    yield
    site.path = known
    site.configure_alertmanager()
    site.alertmanager.reload()


@fault("body too large")
async def too_large(site: Site) -> AsyncIterator[None]:
    """The alerts' annotations are longer than a body may be; the heartbeat is not."""
    site.padding = "x" * PADDING
    site.write_rules()
    site.prometheus.reload()
    yield
    site.padding = ""
    site.write_rules()
    site.prometheus.reload()
