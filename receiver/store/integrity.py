"""Whether a SQLite file is whole, and mending what can be mended: indexes, which are made anew from their tables.

`quick_check` does not compare indexes with tables, so it is `integrity_check` that is asked. Rows that break a rule of
their table are not its business here: they are set aside when they are met (`receiver.store.transaction`).
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
"""Seconds that the check at the start may take; the rest is for the background."""

AS_LONG_AS_IT_TAKES = 3600.0
"""Seconds for the check after mending, while nobody is served."""

_HARMLESS = re.compile(r"ok$|\*\*\* in database|(NULL|NUMERIC|TEXT) value in |Page \d+ is never used")
"""How lines begin that speak of single rows, of room that is not used, or of nothing."""

log = structlog.get_logger()


class IntegrityFindings(StrEnum):
    """What the check at the start came to."""

    WHOLE = "whole"
    MENDED = "mended"
    UNKNOWN = "unknown"
    """There was not enough time for all of it, or it could not be asked."""


def require_sound(path: Path) -> IntegrityFindings:
    """Check a file that nobody else uses, and mend it if need be. Raises StoreDamaged for what cannot be mended."""
    try:
        with closing(_connect(path)) as connection:
            problems = check(connection, AT_THE_START)
            if not problems:
                return IntegrityFindings.UNKNOWN if problems is None else IntegrityFindings.WHOLE
            log.error("the database file is damaged; its indexes are made anew", problem=problems[0])
            problems = _reindex(connection)
    except sqlite3.DatabaseError as error:
        if _is_about_access(error):
            return IntegrityFindings.UNKNOWN  # whoever opens it next says so
        problems = [str(error)]
    if problems:
        raise damaged(path, problems)
    log.warning("the database file is mended: its indexes are made anew")
    return IntegrityFindings.MENDED


def damaged(path: Path, problems: Sequence[str]) -> StoreDamaged:
    """What to say of a file that cannot be mended."""
    return StoreDamaged(
        f"{path} is damaged ({problems[0]}), more than new indexes can mend. `tocsin restore BACKUP` puts a backup in "
        "its place and keeps the damaged file beside it; `sqlite3 FILE .recover` may save what is in that"
    )


def look(path: Path, seconds: float) -> list[str] | None:
    """The problems of a file that is in use, for so long; None: that was not long enough."""
    try:
        with closing(_connect(path)) as connection:
            connection.execute("PRAGMA query_only = 1")
            return check(connection, seconds)
    except sqlite3.DatabaseError as error:
        if _is_about_access(error):
            return None
        return [str(error)]


def indexes_of(problems: Sequence[str]) -> list[str]:
    """The indexes that problems speak of; none, where they speak of anything else too."""
    named = [_INDEX.search(problem) for problem in problems]
    return sorted({each[1] for each in named if each}) if all(named) else []


def check(connection: sqlite3.Connection, seconds: float) -> list[str] | None:
    """What is wrong with a file, rows aside; None: there was not enough time."""
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
        return None  # SQLite may have stopped looking without a word
    return [line for line in lines if not _HARMLESS.match(line)]


def _reindex(connection: sqlite3.Connection) -> list[str]:
    """Make all indexes anew, if then all is well; returns what is still wrong."""
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
    """Whether it says nothing of the file's content: no room, no right, a lock."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF not in {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_CONSTRAINT,
    }
