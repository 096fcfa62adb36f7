"""The integrity check of a SQLite file, and its repair: indexes can be rebuilt from their tables.

`quick_check` does not compare indexes with tables, so `integrity_check` is used. Rows that violate a constraint of
their table are ignored here: transactions set them aside when they read them (`receiver.store.transaction`).
"""

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from enum import StrEnum
from pathlib import Path
from threading import Event, Timer

import structlog

from receiver.errors import StoreDamaged

_INDEX = re.compile(r"(?:missing from|wrong # of entries in|non-unique entry in|values differ from) index (\w+)")

AT_THE_START = 5.0
"""Seconds for the check at the start; if they do not suffice, the background check does the rest."""

AS_LONG_AS_IT_TAKES = 3600.0
"""Seconds for the check after a repair; the service does not run yet."""

_HARMLESS = re.compile(r"ok$|\*\*\* in database|(NULL|NUMERIC|TEXT) value in |Page \d+ is never used")
"""Starts of lines about single rows or unused pages, and of the line that reports no problem."""

log = structlog.get_logger()


class IntegrityFindings(StrEnum):
    """Result of the check at the start."""

    WHOLE = "whole"
    MENDED = "mended"
    UNKNOWN = "unknown"
    """The check ran out of time, or the file could not be accessed."""


def require_sound(path: Path) -> IntegrityFindings:
    """Check a file that no other process uses, and rebuild its indexes if needed. Raises StoreDamaged if that fails."""
    try:
        with closing(_connect(path)) as connection:
            problems = check(connection, AT_THE_START)
            if not problems:
                return IntegrityFindings.UNKNOWN if problems is None else IntegrityFindings.WHOLE
            log.error("the database file is damaged; its indexes are made anew", problem=problems[0])
            problems = _reindex(connection)
    except sqlite3.DatabaseError as error:
        if _is_about_access(error):
            return IntegrityFindings.UNKNOWN  # the next access reports the error
        problems = [str(error)]
    if problems:
        raise damaged(path, problems)
    log.warning("the database file is mended: its indexes are made anew")
    return IntegrityFindings.MENDED


def damaged(path: Path, problems: Sequence[str]) -> StoreDamaged:
    """The error for a file that new indexes do not repair."""
    return StoreDamaged(
        f"{path} is damaged ({problems[0]}), more than new indexes can mend. `tocsin restore BACKUP` puts a backup in "
        "its place and keeps the damaged file beside it; `sqlite3 FILE .recover` may save what is in that"
    )


def look(path: Path, seconds: float) -> list[str] | None:
    """Check a file in use for at most that many seconds. Returns its problems; None: out of time, or no access."""
    try:
        with closing(_connect(path)) as connection:
            connection.execute("PRAGMA query_only = 1")
            return check(connection, seconds)
    except sqlite3.DatabaseError as error:
        if _is_about_access(error):
            return None
        return [str(error)]


def indexes_of(problems: Sequence[str]) -> list[str]:
    """The indexes named in the problems; empty if a problem concerns anything else."""
    named = [_INDEX.search(problem) for problem in problems]
    return sorted({each[1] for each in named if each}) if all(named) else []


def check(connection: sqlite3.Connection, seconds: float) -> list[str] | None:
    """Run the check. Returns problems, except those of single rows; None: out of time."""
    is_late = Event()

    def give_up() -> None:
        is_late.set()
        connection.interrupt()

    late = Timer(seconds, give_up)
    late.start()
    try:
        lines = [line for (text,) in connection.execute("PRAGMA integrity_check") for line in str(text).splitlines()]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return None
        raise
    finally:
        late.cancel()
        late.join()
    if is_late.is_set():
        return None  # SQLite may have stopped early without an error
    return [line for line in lines if not _HARMLESS.match(line)]


def _reindex(connection: sqlite3.Connection) -> list[str]:
    """Rebuild all indexes, committed only if the check then passes; returns the remaining problems."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("REINDEX")
        problems = check(connection, AS_LONG_AS_IT_TAKES) or []
    except sqlite3.DatabaseError as error:
        problems = [str(error)]
    with suppress(sqlite3.DatabaseError):
        connection.execute("ROLLBACK" if problems else "COMMIT")
    return problems


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, timeout=5, check_same_thread=False)


def _is_about_access(error: sqlite3.DatabaseError) -> bool:
    """Whether an error concerns access to the file (space, permissions, locks), not its content."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF not in {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_CONSTRAINT,
    }
