"""The real SQLite store in memory, with faults: it fails before a commit, after it, or the process dies there."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import cache, cached_property
from typing import Any

from sqlalchemy import Connection

from receiver.core.storage import Changes
from receiver.errors import StoreConflict, StoreUnavailable
from receiver.on_call.override_log import OverrideChange
from receiver.store import SqlStore, schema
from receiver.store.database import Database


class Crash(BaseException):
    """The process dies here."""


class Fate(StrEnum):
    """What becomes of a transaction."""

    WELL = "well"
    REFUSED = "refused"
    """The database does not answer."""
    UNDONE = "undone"
    """It fails at the end, and nothing is stored."""
    CONFLICT = "conflict"
    """Another replica was quicker."""
    BUG = "bug"
    """It fails with an unexpected error."""
    ANSWER_LOST = "answer lost"
    """It is stored, and the answer never comes."""
    DIES_BEFORE = "dies before the commit"
    DIES_AFTER = "dies after the commit"


FAILURES = (Fate.REFUSED, Fate.UNDONE, Fate.CONFLICT, Fate.ANSWER_LOST, Fate.BUG)
DEADLY = (Fate.DIES_BEFORE, Fate.DIES_AFTER)
BEFORE: dict[Fate, Callable[[], BaseException]] = {
    Fate.UNDONE: lambda: StoreUnavailable("the disk is full"),
    Fate.CONFLICT: StoreConflict,
    Fate.BUG: lambda: RuntimeError("nobody expects this"),
    Fate.DIES_BEFORE: Crash,
}
AFTER: dict[Fate, Callable[[], BaseException]] = {
    Fate.ANSWER_LOST: lambda: StoreUnavailable("the connection was cut"),
    Fate.DIES_AFTER: Crash,
}


class OneConnection(Database):
    """The database, always on the same connection: taking one from the pool each time was a third of everything."""

    @contextmanager
    def write(self) -> Iterator[Connection]:
        with self.translated(), self._one.begin():
            yield self._one

    read = write

    @cached_property
    def _one(self) -> Connection:
        return self.writer.connect()


@cache
def database() -> Database:
    """One database in memory, its schema made once."""
    made = OneConnection("sqlite://")
    made.migrate()
    return made


def empty_store() -> SqlStore:
    """The store as it is on the first day."""
    with database().write() as connection:
        for table in schema.metadata.sorted_tables:
            connection.exec_driver_sql(f"DELETE FROM {table.name}")
        connection.exec_driver_sql("INSERT INTO meta (name, value) VALUES ('audit_head', '0 ')")
    return SqlStore(database())


class Observed:
    """A transaction that remembers what was saved in it."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.saved: list[Changes] = []
        self.swapped: list[tuple[int, OverrideChange]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def save(self, changes: Changes) -> None:
        self.saved.append(changes)
        self._inner.save(changes)

    def add_override_change(self, change: OverrideChange) -> int:
        number: int = self._inner.add_override_change(change)
        self.swapped.append((number, change))
        return number


class FaultyStore:
    """A store whose every transaction has its fate. `committed` hears what was stored, `swapped` of overrides."""

    def __init__(
        self,
        inner: Any,
        fate: Callable[[], Fate],
        committed: Callable[[Sequence[Changes]], None],
        swapped: Callable[[int, OverrideChange], None] = lambda *_: None,
    ) -> None:
        self._inner = inner
        self._fate = fate
        self._committed = committed
        self._swapped = swapped

    @contextmanager
    def transaction(self) -> Iterator[Observed]:
        fate = self._fate()
        if fate is Fate.REFUSED:
            raise StoreUnavailable("the database does not answer")
        with self._inner.transaction() as transaction:
            observed = Observed(transaction)
            yield observed
            if fate in BEFORE and (observed.saved or fate is not Fate.CONFLICT):
                failure = BEFORE[fate]()
                raise failure
        for number, change in observed.swapped:
            self._swapped(number, change)
        self._committed(observed.saved)
        if fate in AFTER:
            failure = AFTER[fate]()
            raise failure

    def next_due(self) -> Any:
        match self._fate():
            case Fate.REFUSED | Fate.UNDONE:
                raise StoreUnavailable("the database does not answer")
            case Fate.DIES_BEFORE | Fate.DIES_AFTER:
                raise Crash
        return self._inner.next_due()
