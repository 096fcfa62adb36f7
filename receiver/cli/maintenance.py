"""`tocsin backup` and `tocsin restore`: of a SQLite database, on its file."""

import os
from pathlib import Path
from typing import Annotated

import typer

from receiver.cli.output import console
from receiver.settings import Settings

Database = Annotated[
    str | None, typer.Option("--database", help="sqlite:///path [TOCSIN_DATABASE].", show_default=False)
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(backup)
    app.command()(restore)


def backup(file: Annotated[Path, typer.Argument(help="Where the copy goes.")], database: Database = None) -> None:
    """Copy the database into a file, while it is served."""
    from receiver.store import back_up

    url = Settings.read(os.environ, database=database).database
    back_up(url, file)
    console.print(f"{file}: {file.stat().st_size} bytes")


def restore(file: Annotated[Path, typer.Argument(help="The backup.")], database: Database = None) -> None:
    """Put a backup in the place of the database, which must not be served; the replaced one is kept beside it."""
    from receiver.store import restore as put_back

    url = Settings.read(os.environ, database=database).database
    kept = put_back(url, file)
    console.print(f"{file} is in place" + (f"; what was there is kept as {kept}" if kept else ""))
