"""New SQLite databases, copied: the migrations of one take 60 ms of CPU, and thousands of tests begin with one."""

import sqlite3
from functools import cache

from receiver.store import SqlStore, open_store
from receiver.store.database import Database


def new_store(url: str) -> SqlStore:
    """As `open_store`; a new SQLite database has the newest schema before it is opened."""
    database = Database(url)
    if database.is_sqlite and database.schema().found is None:
        with database.writer.connect() as connection:
            copied = connection.connection.driver_connection
            assert isinstance(copied, sqlite3.Connection)
            _template().backup(copied)
    if database.in_memory:
        return SqlStore(database)
    database.close()
    return open_store(url)


@cache
def _template() -> sqlite3.Connection:
    database = Database("sqlite://")
    database.migrate()
    connection = database.writer.raw_connection().driver_connection
    assert isinstance(connection, sqlite3.Connection)
    return connection
