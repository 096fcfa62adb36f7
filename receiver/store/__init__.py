"""One SQL store for SQLite (memory, file) and PostgreSQL: it keeps the promises of `receiver.core.storage`.

`store` is opened by the service and used by the engine; `transaction` is one transaction's SQL, `reads` what pages and
jobs read, `statements` every statement by its name, `codec` how rows become the core's data, `migrations` how older
databases become today's. Imports the core and the errors, nothing above them; decides nothing. Begin with
`transaction`.
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
