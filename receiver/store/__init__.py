"""One SQL store for SQLite (memory, file) and PostgreSQL."""

from receiver.store.files import back_up, restore
from receiver.store.reads import Figures, Reads
from receiver.store.store import SqlStore, open_store

__all__ = ["Figures", "Reads", "SqlStore", "back_up", "open_store", "restore"]
