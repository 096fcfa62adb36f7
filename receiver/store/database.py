"""The database: its connections, the translation of its errors, and the migration of its schema.

Used within `receiver.store`. SQLite: one writer at a time (BEGIN IMMEDIATE), WAL, every commit synced to disk; in
memory reads and writes share one connection. PostgreSQL: READ COMMITTED, with timeouts of 5 s set in each transaction,
so that they hold behind a connection pooler too.
"""

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Row, StaticPool, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    NoSuchModuleError,
    PendingRollbackError,
    ResourceClosedError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from receiver.errors import SettingsError, StoreConflict, StoreDamaged, StoreUnavailable
from receiver.store.session import Session
from receiver.store.upgrade import SchemaState, look, upgrade

PATIENCE = 5
"""Seconds that a connection, a statement or a lock may take before the store counts as unavailable."""

WAL_LIMIT = 4 << 20
"""Bytes to which SQLite truncates the journal (WAL) when no connection uses it."""

WRITE_CACHE, READ_CACHE = 32 << 10, 8 << 10
"""KiB of a SQLite file that a connection caches. To write: the B-trees that a burst of alerts writes to. To read: less,
because the operating system caches the file too.
"""

_MIGRATION_LOCK = 0x70C514
"""Key of the advisory lock that lets one replica migrate at a time."""

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_OF_A_ROW = {0, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE}
"""Errors that one row can cause, so that the other rows may succeed (0: raised before SQLite was called). Every other
SQLite error concerns the file, the disk or the connection, and no row succeeds."""
_CONFLICTS = {"40001", "40P01"}
_READ_ONLY = "25006"


Identity = tuple[int, int]
"""Device and inode of a file, independent of its name."""


class Database:
    """Two engines: `writer` for transactions that write, `reader` for those that only read."""

    def __init__(self, url: str, identity: Identity | None = None) -> None:
        """`identity`: the file must be this one. Raises SettingsError for an invalid URL."""
        self.url = parse_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.file = file_of(self.url)
        self.in_memory = is_in_memory(url)
        self.name = "the database in memory" if self.in_memory else self.url.render_as_string(hide_password=True)
        self._turn: AbstractContextManager[Any] = threading.RLock() if self.in_memory else nullcontext()
        self.identity = identity
        """Of the file; None: no file."""
        if self.file is not None:
            self._require_file() if identity else _create_file(self.file)
            self.identity = identify(self.file)
        if self.is_sqlite:
            self.writer = _sqlite(self.url, in_memory=self.in_memory)
            self.reader = self.writer if self.in_memory else _sqlite(self.url, reads_only=True)
        else:
            self.writer, self.reader = _postgresql(self.url), _postgresql(self.url, reads_only=True)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write: committed at the end of the block, rolled back if it raises."""
        with self._turn, self.translated():
            self._require_file()
            with self.writer.begin() as connection:
                yield connection
                self._require_file()  # a commit into a file that was deleted or replaced would be lost

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with self._turn, self.translated():
            self._require_file()
            with self.reader.begin() as connection:
                yield connection

    def rows(self, sql: str, **parameters: Any) -> Sequence[Row[Any]]:
        """The rows of a query, in a transaction of its own."""
        with self.read() as connection:
            return Session(connection).rows(sql, **parameters)

    def run(self, sql: str, *rows: Mapping[str, Any]) -> None:
        """Run a statement that writes, once per row, in a transaction of its own."""
        with self.write() as connection:
            Session(connection).run(sql, *rows)

    @contextmanager
    def driver(self) -> Iterator[Any]:
        """The driver's own connection, outside any transaction."""
        with self._turn, self.translated(), closing(self.reader.raw_connection()) as connection:
            yield connection.driver_connection

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Translate the driver's errors to Tocsin's; errors that do not concern the store pass unchanged."""
        try:
            yield
        except Exception as error:
            ours = _ours(error, self.name)
            if ours is None:
                raise
            raise ours from error

    def shorten_journal(self) -> None:
        """Truncate a SQLite file's journal if it is longer than WAL_LIMIT and no reader uses it; does not wait.

        SQLite itself restarts the journal only when a write finds no reader at all.
        """
        if self.file is None or _size(self.file.with_name(f"{self.file.name}-wal")) <= WAL_LIMIT:
            return
        self._require_file()
        with self.translated(), closing(self.writer.raw_connection()) as connection:
            cursor = connection.cursor()
            try:
                cursor.execute("PRAGMA busy_timeout = 0")
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                cursor.execute(f"PRAGMA busy_timeout = {PATIENCE * 1000}")

    def migrate(self, *, breaking: bool = True) -> SchemaState:
        """Migrate the schema; `breaking` as in `receiver.store.upgrade.upgrade`. Returns its state before.

        Raises SchemaTooNew, UpgradeNotAllowed.
        """
        with self.write() as connection:
            if not self.is_sqlite:
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
                connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            return upgrade(connection, breaking=breaking)

    def schema(self) -> SchemaState:
        """The state of the schema. Changes nothing."""
        with self.read() as connection:
            return look(connection)

    def _require_file(self) -> None:
        """Raises StoreUnavailable if the opened file was deleted or replaced under its name."""
        if self.file is None or (found := identify(self.file)) == self.identity:
            return
        what = "was deleted" if found is None else "was replaced by another file"
        raise StoreUnavailable(
            f"{self.file} {what} while it was in use: put it back under its name, or restart Tocsin to go on with what "
            "lies there now"
        )

    def close(self) -> None:
        """Close all connections."""
        self.writer.dispose()
        self.reader.dispose()


def identify(path: Path) -> Identity | None:
    """Identity of the file with that name now; None: no such file, or no access to it."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def file_of(url: URL) -> Path | None:
    """The file of a SQLite database; None for memory and PostgreSQL."""
    is_file = url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"}
    return Path(str(url.database)) if is_file else None


def is_in_memory(url: str) -> bool:
    """Whether a URL means a database in memory, which only this process can open. Raises SettingsError."""
    parsed = parse_url(url)
    return parsed.get_backend_name() == "sqlite" and file_of(parsed) is None


def is_server(url: str) -> bool:
    """Whether a URL means a database server, which runs independently of Tocsin. Raises SettingsError."""
    return parse_url(url).get_backend_name() != "sqlite"


def without_secrets(url: str) -> str:
    """A database's URL for the log: without password and options. Raises SettingsError."""
    return parse_url(url).set(query={}).render_as_string(hide_password=True)


def parse_url(url: str) -> URL:
    """Parse a database URL. Raises SettingsError for an invalid or unsupported one."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: the port is not a number
        parsed = None
    if parsed is not None and parsed.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed is None or parsed.drivername != "sqlite":
        raise SettingsError(
            "the database is given as sqlite:// (memory), sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"
        )
    return parsed


def _sqlite(url: URL, *, in_memory: bool = False, reads_only: bool = False) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        connect_args={"isolation_level": None, "timeout": PATIENCE, "check_same_thread": False},
        **({"poolclass": StaticPool} if in_memory else {}),
    )
    event.listen(engine, "connect", lambda connection, _: _set_up_sqlite(connection, reads_only))
    begin = "BEGIN" if reads_only else "BEGIN IMMEDIATE"
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin) and None)
    return engine


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _create_file(path: Path) -> None:
    """Create the file, readable by its owner only: it holds labels, names and notes."""
    try:
        path.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"the database file {path} cannot be opened: {error.strerror}") from error


def _text(raw: bytes) -> str:
    """Decode text leniently: invalid UTF-8 then fails when its row is read and set aside, not when rows are fetched."""
    return raw.decode(errors="surrogateescape")


def _set_up_sqlite(connection: sqlite3.Connection, reads_only: bool) -> None:
    connection.text_factory = _text
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA cache_size = -{READ_CACHE if reads_only else WRITE_CACHE}")
    connection.execute("PRAGMA wal_autocheckpoint = 4000")  # pages: what a storm often rewrites is copied back once
    connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT}")
    connection.execute(f"PRAGMA query_only = {reads_only:d}")


def _postgresql(url: URL, *, reads_only: bool = False) -> Engine:
    try:
        engine = create_engine(
            url,
            hide_parameters=True,
            isolation_level="READ COMMITTED",
            pool_pre_ping=True,
            pool_timeout=PATIENCE,
            connect_args={
                "connect_timeout": PATIENCE,
                "tcp_user_timeout": PATIENCE * 1000,
                "prepare_threshold": None,
                "application_name": "tocsin",
            },
        )
    except (ImportError, NoSuchModuleError) as error:
        raise SettingsError("PostgreSQL needs psycopg: pip install 'tocsin[postgresql]'") from error
    wanted = {"statement_timeout": f"{PATIENCE}s", "lock_timeout": f"{PATIENCE}s"}
    if reads_only:  # a read-only server refuses "off" with an error that does not concern the store
        wanted["transaction_read_only"] = "on"
    settings = "SELECT " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in wanted.items())
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(settings) and None)
    return engine


def _ours(error: Exception, name: str) -> Exception | None:
    """Tocsin's error for a driver's error; None if it does not concern the store."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return _sqlite_error(cause, name)
    if hasattr(cause, "sqlstate"):
        return _postgresql_error(cause, name)
    if isinstance(error, PoolTimeout):
        return StoreUnavailable(f"{name}: every connection is in use")
    if isinstance(error, DisconnectionError | PendingRollbackError | ResourceClosedError | OSError | MemoryError):
        return StoreUnavailable(f"{name}: {str(error) or type(error).__name__}")
    return None


def _sqlite_error(error: sqlite3.Error, name: str) -> Exception | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _DAMAGED:
        return StoreDamaged(f"{name} is damaged ({error}). `tocsin restore BACKUP` puts a backup in its place.")
    if code == sqlite3.SQLITE_CONSTRAINT:
        return StoreConflict() if "incidents." in str(error) else None
    return None if code in _OF_A_ROW else StoreUnavailable(f"{name}: {error}")


def _postgresql_error(error: Any, name: str) -> Exception | None:
    """Conflicts can be caused by another replica; a duplicate key in any other table is a bug in Tocsin."""
    from psycopg import DataError, IntegrityError, ProgrammingError  # noqa: PLC0415 - PostgreSQL is an extra

    if error.sqlstate in _CONFLICTS or (error.sqlstate == "23505" and error.diag.table_name in {"incidents", "audit"}):
        return StoreConflict()
    never_sent = isinstance(error, ProgrammingError) and error.sqlstate is None
    if never_sent or isinstance(error, DataError | IntegrityError):  # errors that one row can cause
        return None
    said = error.diag.message_primary or str(error).partition("\n")[0]
    cure = "is it a standby? Name the server that takes writes" if error.sqlstate == _READ_ONLY else ""
    return StoreUnavailable(f"{name}: {said}", cure)
