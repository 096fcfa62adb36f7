"""A SQLite database as a file: whose it is, its backup, and putting a backup in its place.

One Tocsin serves one file: an advisory lock on a file beside it says so, which the system lets go when the processes
that have its handle end, however they end. Used by the store when it is opened to be served, and by `tocsin backup` and
`tocsin restore`.
"""

import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from receiver.errors import CannotError, DatabaseInUse, SettingsError, StoreDamaged, StoreUnavailable
from receiver.store.database import Database, Identity, file_of, parse_url

_LOOK_AGAIN = 0.05
"""Seconds between looks whether another process has let a file go."""

_SIDES = ("-wal", "-shm")
"""What SQLite keeps beside a database; they belong to it."""

ELSEWHERE = "name another place"

_OF_THE_COPY = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC}
)
"""What goes wrong where a copy is written: its source is only read."""


def lock_of(path: Path) -> Path:
    """The file beside a database whose lock says who serves it: beside the file itself, whatever link leads to it."""
    real = Path(os.path.realpath(path))
    return real.with_name(f"{real.name}.lock")


def identify_handle(handle: int) -> Identity:
    """Which file a handle is of."""
    found = os.fstat(handle)
    return found.st_dev, found.st_ino


def require_one_name(path: Path) -> None:
    """Raises DatabaseInUse where the file has further names in its file system.

    SQLite keeps a journal beside each name, and so do we with the lock: who comes by another name sees neither.
    """
    names = path.stat().st_nlink
    if names > 1 and path.is_file():
        raise DatabaseInUse(
            f"{path} has {names} names (hard links): another Tocsin could serve it by another one, and destroy it",
            f"find them (find FOLDER -samefile {path.name}) and remove the others; `tocsin backup` makes a true copy",
        )


def take_ownership(path: Path, patience: float = 0.0, lock: Path | None = None) -> int | None:
    """Be the one that serves the file, until all copies of the handle that this returns are closed.

    `patience`: seconds that another may take to let it go. `lock`: what `lock_of` said when it was opened, else it is
    asked. Raises DatabaseInUse, and StoreUnavailable where the lock cannot be made. None: this system has no such
    locks.
    """
    try:
        import fcntl  # noqa: PLC0415 - not on every system; without it nothing can be promised
    except ImportError:
        return None
    lock = lock or lock_of(path)
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreUnavailable(f"{lock} cannot be written: {error.strerror}") from error
    given_up = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if time.monotonic() < given_up:
                time.sleep(_LOOK_AGAIN)
                continue
            os.close(handle)
            raise DatabaseInUse(
                f"another Tocsin serves {path}; stop it first (several replicas need PostgreSQL)"
            ) from error
        return handle


def copy_out(database: Database, path: Path) -> None:
    """Copy a SQLite database into a file (replaced when the copy is whole), while everything goes on.

    Raises CannotError where the file cannot be written, StoreUnavailable where the database cannot be read.
    """
    if not database.is_sqlite:
        raise StoreUnavailable("a PostgreSQL database is backed up with pg_dump")
    own = database.file
    if own is not None and path.exists() and path.samefile(own):
        raise CannotError(f"FILE: {path} is the database itself", "a backup needs another name")
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600)
        with database.driver() as source, closing(sqlite3.connect(partial)) as copy:
            _copy(source, copy, f"FILE: the backup {path} cannot be written")
        _settle(partial, path)
    except OSError as error:
        raise CannotError(f"FILE: the backup {path} cannot be written: {error.strerror}", ELSEWHERE) from error
    finally:
        _remove(partial)


def _copy(source: sqlite3.Connection, copy: sqlite3.Connection, failed: str) -> None:
    """One whole database into another. Raises CannotError (`failed`, and why) where the copy cannot be written."""
    try:
        source.backup(copy)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode not in _OF_THE_COPY:
            raise
        raise CannotError(f"{failed}: {error}", "make room there, or name another place") from error


def back_up(url: str, path: Path) -> None:
    """Copy the database of a URL, served or not; its schema stays as it is. Raises StoreUnavailable, SettingsError."""
    own = _file(url, "pg_dump --format=custom --file FILE URL, also while it is served")
    if not own.exists():
        raise StoreUnavailable(f"there is no database {own}")
    database = Database(url)
    try:
        copy_out(database, path)
    finally:
        database.close()


def restore(url: str, backup: Path) -> Path | None:
    """Put a backup in the place of the database; returns where the replaced one is kept (None: there was none).

    Raises DatabaseInUse while it is served, StoreDamaged and SchemaTooNew for a backup that cannot be used,
    CannotError, StoreUnavailable and SettingsError.
    """
    own = _file(url, "pg_restore --clean --if-exists --dbname URL FILE, with every replica stopped")
    if own.exists() and backup.exists() and backup.samefile(own):
        raise CannotError(f"FILE: {backup} is the database itself")
    check_backup(backup)
    handle = take_ownership(own)
    try:
        fresh = own.with_name(f"{own.name}.restoring")
        _prepare(backup, fresh)
        _make_last(fresh)
        kept = _set_aside(own)
        fresh.replace(own)
    except OSError as error:
        raise CannotError(
            f"{own} cannot be replaced: {error.strerror}", "make room there, or let this user write it"
        ) from error
    finally:
        if handle is not None:
            os.close(handle)
    return kept


def _file(url: str, postgresql: str) -> Path:
    parsed = parse_url(url)
    own = file_of(parsed)
    if own is None:
        in_memory = parsed.get_backend_name() == "sqlite"
        why = "a database in memory ends with its process" if in_memory else f"for PostgreSQL: {postgresql}"
        raise SettingsError(f"this is for SQLite files: {why}")
    return own


def check_backup(backup: Path) -> None:
    """Read all of it. Raises StoreDamaged where it is no whole database of ours, CannotError where there is none."""
    if not backup.is_file():
        raise CannotError(f"FILE: there is no backup {backup}")
    try:
        with closing(_look_into(backup)) as connection:
            problems = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error as error:
        raise StoreDamaged(f"the backup {backup} cannot be read: {error}") from error
    if problems != ["ok"]:
        raise StoreDamaged(f"the backup {backup} is damaged: {problems[0]}")
    if not {"alembic_version", "incidents"} <= tables:
        raise StoreDamaged(f"{backup} is a database, but none of Tocsin's")


def _look_into(backup: Path) -> sqlite3.Connection:
    """Read it, also where nothing can be written beside it: only one that has a journal needs that."""
    has_journal = any(each.exists() for each in _beside(backup))
    alone = "" if has_journal else "&immutable=1"
    return sqlite3.connect(f"{backup.absolute().as_uri()}?mode=ro{alone}", uri=True)


def _prepare(backup: Path, fresh: Path) -> None:
    """A copy of the backup, brought to this version's schema."""
    _remove(fresh)
    try:
        fresh.touch(mode=0o600)
        with (
            closing(_look_into(backup)) as source,
            closing(sqlite3.connect(fresh)) as copy,
        ):
            _copy(source, copy, f"{fresh} cannot be written")
        with closing(Database(f"sqlite:///{fresh}")) as database:
            database.migrate()
    except BaseException:
        _remove(fresh)
        raise


def _set_aside(own: Path) -> Path | None:
    """The database and what is beside it get another name, so that nothing is lost by a restore."""
    if not own.exists():
        return None
    number = 1
    while (kept := own.with_name(f"{own.name}.replaced-{number}")).exists():
        number += 1
    for path in (*_beside(own), own):
        if path.exists():
            path.rename(kept.with_name(kept.name + path.name.removeprefix(own.name)))
    return kept


def _remove(path: Path) -> None:
    """A database that was not finished, with what is beside it."""
    for leftover in (*_beside(path), path.with_name(f"{path.name}-journal"), path):
        with suppress(OSError):
            leftover.unlink()


def _beside(path: Path) -> tuple[Path, ...]:
    return tuple(path.with_name(path.name + side) for side in _SIDES)


def _settle(written: Path, path: Path) -> None:
    """Make it last, then give it its name in one step."""
    _make_last(written)
    written.replace(path)


def _make_last(written: Path) -> None:
    """On disk, with its name."""
    for place in (written, written.absolute().parent):
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
