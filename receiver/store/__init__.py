"""One SQL store for SQLite (memory, file) and PostgreSQL: it implements `receiver.core.storage`.

The service opens a `store`, and the engine uses it. `transaction` is the SQL access of one transaction, `reads` the
queries of pages and jobs, `statements` the named SQL, `codec` the conversion of rows to the core's data, `migrations`
the upgrade of older databases. Imports only the core and the errors; decides nothing. Begin with `transaction`.
"""

from receiver.store.database import is_in_memory, is_server, without_secrets
from receiver.store.figures import StoreFigures
from receiver.store.files import back_up, restore
from receiver.store.reads import LAST, PolicyEntry, Reads, Span
from receiver.store.store import SqlStore, open_store

__all__ = [
    "LAST",
    "PolicyEntry",
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
