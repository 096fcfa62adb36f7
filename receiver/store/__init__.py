"""One SQL store for SQLite (memory, file) and PostgreSQL."""

from receiver.store.reads import Figures, Reads
from receiver.store.store import SqlStore, open_store

__all__ = ["Figures", "Reads", "SqlStore", "open_store"]
