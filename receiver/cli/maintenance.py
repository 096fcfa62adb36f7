"""`tocsin backup` and `tocsin restore`: a SQLite database's file."""

import os
from pathlib import Path
from typing import Annotated

import typer

from receiver.cli.output import console, fail
from receiver.clock import wall_clock
from receiver.settings import Settings

Database = Annotated[
    str | None, typer.Option("--database", help="sqlite:///path [TOCSIN_DATABASE].", show_default=False)
]


def backup(
    file: Annotated[
        Path, typer.Argument(help="Where the copy goes; in a folder it gets a name by the moment, tocsin-….db.")
    ],
    database: Database = None,
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


def restore(file: Annotated[Path, typer.Argument(help="The backup.")], database: Database = None) -> None:
    """Replace the database, which must not be served, by a backup; the replaced one is kept beside it."""
    from receiver.store import restore as put_back

    url = Settings.read(os.environ, database=database).database
    kept = put_back(url, file)
    console.print(f"{file} is in place" + (f"; what was there is kept as {kept}" if kept else ""))
