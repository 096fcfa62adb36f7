"""A SQLite database as a file: its ownership, its backup and its restoration.

One process serves one file. It holds an advisory lock on a file beside it; the operating system releases the lock when
all processes with its handle have ended. Used by the store when it opens a file to serve it, and by `tocsin backup` and
`tocsin restore`.
"""

import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from receiver.core.model import Instant
from receiver.errors import CannotError, DatabaseInUse, SettingsError, StoreDamaged, StoreUnavailable
from receiver.store.database import Database, Identity, file_of, parse_url

_LOOK_AGAIN = 0.05
"""Seconds between attempts to lock a file that another process holds."""

_SIDES = ("-wal", "-shm")
"""Suffixes of the files that SQLite keeps beside a database."""

ELSEWHERE = "name another place"

_OF_THE_COPY = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC}
)
"""SQLite errors of writing a copy; the source is only read."""


BACKUPS = "tocsin-*.db"
"""File name pattern of the backups in a folder; its other files are not touched."""


def lock_of(path: Path) -> Path:
    """The lock file of a database: beside the real file, links resolved."""
    real = Path(os.path.realpath(path))
    return real.with_name(f"{real.name}.lock")


def identify_handle(handle: int) -> Identity:
    """Device and inode of an open file."""
    found = os.fstat(handle)
    return found.st_dev, found.st_ino


def require_one_name(path: Path) -> None:
    """Raises DatabaseInUse where the file has more than one hard link.

    SQLite's journal and the lock file are named after the path: a process that uses another name sees neither.
    """
    names = path.stat().st_nlink
    if names > 1 and path.is_file():
        raise DatabaseInUse(
            f"{path} has {names} names (hard links): another Tocsin could serve it by another one, and destroy it",
            f"find them (find FOLDER -samefile {path.name}) and remove the others; `tocsin backup` makes a true copy",
        )


def take_ownership(path: Path, patience: float = 0.0, lock: Path | None = None) -> int | None:
    """Lock the file for this process, until all copies of the returned handle are closed.

    `patience`: seconds to wait for another process's lock. `lock`: the lock file, if not `lock_of(path)`. Returns None
    on a system without such locks. Raises DatabaseInUse, and StoreUnavailable where the lock file cannot be made.
    """
    try:
        import fcntl  # noqa: PLC0415 - not on every system; without it there is no lock
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
    """Copy a SQLite database into a file, also while it is served; the file is replaced when the copy is complete.

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
    """Copy a database into another. Raises CannotError (`failed`, and the cause) where the copy cannot be written."""
    try:
        source.backup(copy)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode not in _OF_THE_COPY:
            raise
        raise CannotError(f"{failed}: {error}", "make room there, or name another place") from error


def back_up(url: str, path: Path) -> None:
    """Copy the database of a URL, also while it is served, without migrating it.

    Raises StoreUnavailable, SettingsError, CannotError.
    """
    own = _file(url, "pg_dump --format=custom --file FILE URL, also while it is served")
    if not own.exists():
        raise StoreUnavailable(f"there is no database {own}")
    database = Database(url)
    try:
        copy_out(database, path)
    finally:
        database.close()


def restore(url: str, backup: Path) -> Path | None:
    """Replace the database by a backup; returns the path of the replaced one, or None where there was none.

    Raises DatabaseInUse while it is served, StoreDamaged and SchemaTooNew for an unusable backup, CannotError,
    StoreUnavailable and SettingsError.
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
    """Read the whole backup. Raises StoreDamaged unless it is an intact Tocsin database, CannotError if missing."""
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
    """Open the backup read-only. Without a journal beside it, also in a folder that cannot be written (`immutable`)."""
    has_journal = any(each.exists() for each in _beside(backup))
    alone = "" if has_journal else "&immutable=1"
    return sqlite3.connect(f"{backup.absolute().as_uri()}?mode=ro{alone}", uri=True)


def _prepare(backup: Path, fresh: Path) -> None:
    """Copy the backup to `fresh` and migrate it to this version's schema."""
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
    """Rename the database and its side files, so that a restore loses nothing; returns the new path."""
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
    """Delete an unfinished database and its side files."""
    for leftover in (*_beside(path), path.with_name(f"{path.name}-journal"), path):
        with suppress(OSError):
            leftover.unlink()


def _beside(path: Path) -> tuple[Path, ...]:
    return tuple(path.with_name(path.name + side) for side in _SIDES)


def _settle(written: Path, path: Path) -> None:
    """Flush a file to disk, then rename it atomically."""
    _make_last(written)
    written.replace(path)


def _make_last(written: Path) -> None:
    """Flush a file and its folder to disk."""
    for place in (written, written.absolute().parent):
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def back_up_into(url: str, folder: Path, now: Instant) -> Path:
    """Make a backup in the folder, named after `now` in UTC; returns its path. Raises as `back_up` does."""
    made = folder / f"tocsin-{datetime.fromtimestamp(now // 1_000_000, UTC):%Y%m%dT%H%M%SZ}.db"
    back_up(url, made)
    return made


def forget_all_but(keep: int, folder: Path, made: Path) -> Sequence[Path]:
    """Delete all but the `keep` newest backups, `made` among those kept; returns the deleted paths.

    `made` is checked before anything is deleted, so that an unusable backup does not replace an older one.
    Raises StoreDamaged, CannotError.
    """
    check_backup(made)
    older = sorted(each for each in folder.glob(BACKUPS) if each != made)
    gone = older[: max(0, len(older) - (keep - 1))]
    for each in gone:
        try:
            each.unlink()
        except OSError as error:
            raise CannotError(f"the old backup {each} cannot be deleted: {error.strerror}") from error
    return gone
