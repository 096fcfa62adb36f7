"""The table of partial failures (docs/operating.md), run for real: each row is broken, seen, told and mended."""

import asyncio
import itertools
import os
import time
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg
import pytest

from manual.partial_failures import NOT_RUN, ROWS, Row, Told
from tests.end_to_end.conftest import need, until
from tests.partial import disk
from tests.partial.faults import FAULTS, SETTINGS
from tests.partial.site import FOREIGN, LOW, OURS, PACE, PAGED, Site, until_true

ON_POSTGRESQL = ("PostgreSQL", "pool", "clock")
SLACK = 60 if PACE > 1 else 15
"""Seconds more: Tocsin's own time limits are not divided, and the machine has much to do."""
DISK = "disk"
"""Where a site's own file system is, in its folder."""
ONLY = os.environ.get("ROWS", "")
"""Names of rows with commas; empty: all that this machine can run."""
AT_ONCE = 3
"""Sites that start at one time: each then takes seconds, for any number of sites and other load of the machine."""


def needs_postgresql(row: Row) -> bool:
    """Whether the row is about PostgreSQL, or a clock that can be set without the machine's."""
    return row.state.startswith(ON_POSTGRESQL)


def needs_disk(row: Row) -> bool:
    """Whether the row is about a file system, which breaks for its site alone."""
    return row.state.startswith("file system")


def database(row: Row, folder: Path, server: Any) -> str:
    """The URL of a fresh database for the row's site."""
    if not needs_postgresql(row):
        return f"sqlite:///{folder / DISK / 'tocsin.db' if needs_disk(row) else folder / 'tocsin.db'}"
    role = row.state.lower().replace(" ", "_").replace("-", "_")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN")
        connection.execute(f"CREATE SCHEMA {role} AUTHORIZATION {role}")
    url = str(server.get_uri()).replace("//postgres:@", f"//{role}@")
    return f"{url}&options=-csearch_path%3D{role},pg_catalog"


def pace(row: Row) -> int:
    """Real time where Tocsin itself pages: by a shorter one, its own time limits (10 s until a writer is replaced) would
    be longer than what fail-through waits, and that would mail what is on its way.
    """
    return PACE if row.told is Told.AROUND else 1


def seconds_until_mended(site: Site) -> float:
    """Until Tocsin has paged what it could not (a rejected page: its escalation), and fail-through has ended."""
    return 90 + 330 / site.pace


TOLD_WITHIN = 180
"""Seconds from an emergency's first sample to a message around Tocsin when Tocsin cannot page. Scrapes and
evaluations of the emergency and of Tocsin's figures take up to four times 15 s, the fallback's `group_wait` a few; the
limits in `rules.self_monitoring` are the rest (docs/decisions/0016)."""


async def live_through(row: Row, site: Site) -> None:
    """Well, broken, told, seen, mended, well again: everything that the row promises."""
    within = TOLD_WITHIN / site.pace + SLACK
    async with site:
        async with FAULTS[row.state](site):
            site.exporter.values["safety_margin"] = LOW
            began = time.monotonic()
            if row.told is Told.AROUND:
                await until(site.mails_around, f"{row.state}: people are told around Tocsin", within=within)
                said = site.mails_around()[0]
                assert "TOCSIN FAILS" in said[3]
                await until(
                    lambda: FOREIGN in site.said_around() and OURS in site.said_around(),
                    "both are told",
                    within=within,
                )
                assert not site.told.on("email", PAGED), "Tocsin can page?"
            else:
                await until(lambda: site.told.on("email", PAGED), f"{row.state}: Tocsin pages", within=within)
            print(f"{row.state}: told after {(time.monotonic() - began) * site.pace:.0f} s of 180")
            await looks_like(row, site)
        if row.recovery != NOT_RUN:
            await recovers(site)
            if row.told is Told.AROUND:
                await until(
                    site.has_flushed_end,
                    "Alertmanager would tell the end of fail-through now",
                    within=seconds_until_mended(site),
                )
                await asyncio.sleep(1)  # what must not come cannot be awaited
        said = [tuple(name in text for name in (OURS, FOREIGN)) for *_, text in site.mails_around()]
        assert len(said) == len(set(said)), "each mail tells something new"
        assert row.told is Told.AROUND or not said
        assert not site.around.on("email", "RESOLVED")


async def looks_like(row: Row, site: Site) -> None:
    """Wait until what is seen from outside is what the row says."""
    wanted = {name: str(value) for name, value in asdict(row).items()}
    ends = time.monotonic() + SLACK
    for serial in itertools.count(1):
        seen = asdict(await site.see(serial))
        differs = {name: (value, wanted[name]) for name, value in seen.items() if value != wanted[name]}
        if not differs:
            return
        if time.monotonic() > ends:
            pytest.fail(f"{row.state}: (seen, promised): {differs}")
        await asyncio.sleep(1)


async def recovers(site: Site) -> None:
    """Without a restart of ours: ready, writing, and the emergency, which goes on, is paged."""
    await until(lambda: site.told.on("email", PAGED), "Tocsin pages the emergency", within=seconds_until_mended(site))

    async def is_well() -> bool:
        seen = await site.see(0)
        return (seen.ready, seen.store_up, seen.age) == ("200", "1", "0") and not await site.fail_through_fires()

    await until_true(is_well, seconds_until_mended(site), "Tocsin is well again, and fail-through has ended")


def chosen() -> list[Row]:
    """The rows to run; one that is named is run, or the test fails."""
    names = ONLY.split(",") if ONLY else [row.state for row in ROWS]
    rows = [row for row in ROWS if row.state in names]
    assert len(rows) == len(names), f"not a row: {set(names) - {row.state for row in rows}}"
    if not any(map(needs_disk, rows)) or disk.may_be_mounted():
        return rows
    if ONLY:
        pytest.fail("a file system cannot be mounted: run this as root, where there are loop devices")
    print("not run, because only root can mount a file system, on a loop device: what needs one")
    return [row for row in rows if not needs_disk(row)]


async def test_partial_failures(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Each state side by side: what is seen is what the table says; an alert that cannot be paged reaches people around
    Tocsin within three minutes, once, with what fires, and no all-clear follows when Tocsin is back.
    """
    need("prometheus", "prometheus-alertmanager")
    rows, starting = chosen(), asyncio.Semaphore(AT_ONCE)
    server = request.getfixturevalue("server") if any(map(needs_postgresql, rows)) else None
    outcomes = await asyncio.gather(*(run(row, tmp_path, server, starting) for row in rows), return_exceptions=True)
    failed = [f"{row.state}: {each!r}" for row, each in zip(rows, outcomes, strict=True) if each is not None]
    assert not failed, "\n".join(failed)


async def run(row: Row, folder: Path, server: Any, starting: asyncio.Semaphore) -> None:
    """One row, in a folder of its own."""
    here = folder / row.state.replace(" ", "-")
    url = database(row, here, server)
    settings = SETTINGS.get(row.state, {})
    site = Site(here, url, starting, row.state.startswith("certificate"), settings, pace(row))
    with disk.of_its_own(here / DISK) if needs_disk(row) else nullcontext():
        await live_through(row, site)


def test_every_row_is_run() -> None:
    """Every row of the table has a fault, and every fault has a row."""
    assert [row.state for row in ROWS if row.state not in FAULTS] == []
    assert len(FAULTS) == len(ROWS)
