"""`tocsin database status|plan|upgrade`, `copy`, `backup` and `restore`: the schema, and copies of the database."""

import asyncio
import json
import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from receiver.cli.output import console, fail
from receiver.clock import wall_clock
from receiver.errors import CannotError
from receiver.settings import Settings
from rules.load import load
from rules.reserved import WATCH

if TYPE_CHECKING:
    from receiver.store.upgrade import SchemaState

Url = Annotated[
    str | None,
    typer.Option("--database", help="sqlite:///path or postgresql://… [TOCSIN_DATABASE].", show_default=False),
]
_CURE = (
    "nobody pages during the copy. Compile with --fallback-email and load the routes, name the Alertmanager, "
    "or say --without-fallback where a person watches Alertmanager meanwhile"
)

Json = Annotated[bool, typer.Option("--json", help="For programs.")]

OPTION = "TOCSIN_DATABASE (--database)"

database = typer.Typer(help="The database's schema: which it is, what an upgrade would do, and the upgrade.")


@database.command()
def status(database: Url = None, as_json: Json = False) -> None:
    """Show whether this Tocsin can serve the database. Exit code 1: not without `tocsin database upgrade`."""
    schema = _look(database)
    said = {
        "schema": schema.found,
        "this Tocsin's": schema.ours,
        "readable from": schema.readable_from,
        "pending": [each.revision for each in schema.pending],
        "breaking": [each.revision for each in schema.breaking],
        "can be read": schema.can_be_read,
    }
    console.print(json.dumps(said) if as_json else "\n".join(_lines(said)), markup=False, soft_wrap=True)
    if schema.breaking or not schema.can_be_read:
        raise typer.Exit(1)


@database.command()
def plan(database: Url = None) -> None:
    """List the migrations of an upgrade, and whether the previous Tocsin can serve the database afterwards."""
    schema = _look(database)
    for each in schema.pending:
        way_back = "the Tocsin before can go on" if each.is_additive else "NO WAY BACK but a backup"
        console.print(f"{each.revision}  {each.about}  ({way_back})", markup=False, soft_wrap=True)
    if not schema.pending:
        console.print("nothing: the schema is up to date" if schema.can_be_read else "nothing: a newer Tocsin made it")


@database.command()
def upgrade(
    database: Url = None,
    breaking: Annotated[
        bool, typer.Option("--breaking", help="Also migrations after which the Tocsin before cannot go on.")
    ] = False,
) -> None:
    """Upgrade the schema."""
    from receiver.store.database import Database
    from receiver.store.files import take_ownership

    url = Settings.read(os.environ, database=database).database
    with closing(Database(url)) as opened:
        lock = take_ownership(opened.file) if opened.file else None
        try:
            before = opened.migrate(breaking=breaking)
        finally:
            if lock is not None:
                os.close(lock)
    done = [each.revision for each in before.pending]
    console.print(f"schema {before.ours}" + (f": ran {', '.join(done)}" if done else ", as it was"), markup=False)


def copy(
    source: Annotated[str, typer.Option("--from", help="The database as it is: sqlite:///path or postgresql://…")],
    target: Annotated[str, typer.Option("--to", help="An empty one, of either kind.")],
    without_fallback: Annotated[
        bool, typer.Option("--without-fallback", help="Also where nobody is told meanwhile that Tocsin is down.")
    ] = False,
) -> None:
    """Copy everything into another database and verify it: rows, audit log, open windows. Serve neither meanwhile.

    Tocsin sends no pages during the copy, so each Alertmanager of TOCSIN_ALERTMANAGER_URL is checked first: it must
    have a route that tells people without Tocsin that Tocsin is down. Run it again to continue after an interruption.
    """
    from receiver.store.copying import copy as copy_all

    if not without_fallback:
        asyncio.run(_require_fallback(Settings.read(os.environ)))
    done = copy_all(existing(source, "--from"), target, lambda line: console.print(line, markup=False))
    console.print(
        f"the same on both sides: {sum(done.rows.values())} rows, audit log to {done.audit_head[:20]}, "
        f"{done.open_windows} open windows. Serve the new one; never the old one again",
        markup=False,
        soft_wrap=True,
    )


async def _require_fallback(settings: Settings) -> None:
    """Exits with a message unless every Alertmanager is known and tells people that Tocsin is down."""
    from receiver.clients.alertmanager import Alertmanager
    from receiver.clients.egress import Egress

    if not settings.alertmanager_url:
        fail(
            f"tocsin copy: TOCSIN_ALERTMANAGER_URL is not set, so whether there is a fallback is not known: {_CURE}", 2
        )
    for url in settings.alertmanager_url:
        client = Alertmanager(url, egress=Egress.of(settings))
        try:
            listing, routes = await client.list(), await client.routes()
        except CannotError as error:
            fail(f"tocsin copy: Alertmanager {client.name}: {error}; whether there is a fallback is not known: {_CURE}")
        finally:
            await client.close()
        beats = [each.received.labels for each in listing.alerts if each.received.labels.get("alertname") == WATCH[0]]
        told = {name for labels in beats for name in routes.around_tocsin(labels, load())}
        if not told:
            why = "has no TocsinHeartbeat, so its Prometheus runs no rule that" if not beats else "has no route that"
            fail(f"tocsin copy: Alertmanager {client.name} {why} tells people when Tocsin is down: {_CURE}")
        console.print(f"meanwhile Alertmanager {client.name} tells: {', '.join(sorted(told))}", markup=False)


def existing(url: str, option: str) -> str:
    """Returns the URL. Exits if its file is missing: opened, it would be made."""
    from receiver.store.database import file_of, parse_url

    file = file_of(parse_url(url))
    if file is not None and not file.exists():
        fail(f"tocsin: {option}: there is no database {file}; name the one that the receiver has")
    return url


def _look(url: str | None) -> "SchemaState":
    from receiver.store.database import Database

    url = existing(Settings.read(os.environ, database=url).database, OPTION)
    with closing(Database(url)) as opened:
        return opened.schema()


def _lines(said: dict[str, Any]) -> list[str]:
    return [f"{name}: {', '.join(value) if isinstance(value, list) else value}" for name, value in said.items()]


File = Annotated[str | None, typer.Option("--database", help="sqlite:///path [TOCSIN_DATABASE].", show_default=False)]


def backup(
    file: Annotated[
        Path, typer.Argument(help="Where the copy goes; in a folder it gets a name by the moment, tocsin-….db.")
    ],
    database: File = None,
    keep: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Of a folder's backups keep so many, the newest; the new one is read whole before one is deleted.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Copy the database into a file, while it is served."""
    from receiver.store import back_up
    from receiver.store.files import back_up_into, forget_all_but

    url = Settings.read(os.environ, database=database).database
    if not file.is_dir():
        if keep is not None:
            fail(
                f"tocsin backup: --keep is for a folder of backups, and {file} is none: make it, or leave --keep out", 2
            )
        back_up(url, file)
        console.print(f"{file}: {file.stat().st_size} bytes", markup=False, soft_wrap=True)
        return
    made = back_up_into(url, file, wall_clock())
    console.print(f"{made}: {made.stat().st_size} bytes", markup=False, soft_wrap=True)
    for gone in forget_all_but(keep, file, made) if keep else ():
        console.print(f"deleted {gone}", markup=False, soft_wrap=True)


def restore(file: Annotated[Path, typer.Argument(help="The backup.")], database: File = None) -> None:
    """Replace the database, which must not be served, by a backup; the replaced one is kept beside it."""
    from receiver.store import restore as put_back

    url = Settings.read(os.environ, database=database).database
    kept = put_back(url, file)
    console.print(f"{file} is in place" + (f"; what was there is kept as {kept}" if kept else ""))
