"""One SQL store for SQLite (memory, file) and PostgreSQL."""

from receiver.store.database import is_in_memory, is_server
from receiver.store.files import back_up, restore
from receiver.store.reads import Figures, Reads
from receiver.store.store import SqlStore, open_store

__all__ = ["Figures", "Reads", "SqlStore", "back_up", "is_in_memory", "is_server", "open_store", "restore"]
