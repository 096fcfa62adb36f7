"""One SQL store for SQLite (memory, file) and PostgreSQL."""

from receiver.store.database import is_in_memory, is_server, without_secrets
from receiver.store.figures import StoreFigures
from receiver.store.files import back_up, restore
from receiver.store.reads import LAST, Reads, Span
from receiver.store.store import SqlStore, open_store

__all__ = [
    "LAST",
    "Reads",
    "Span",
    "SqlStore",
    "StoreFigures",
    "back_up",
    "is_in_memory",
    "is_server",
    "open_store",
    "restore",
    "without_secrets",
]
