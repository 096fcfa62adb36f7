"""A database's schema revision, the migrations to this Tocsin's, and which Tocsin versions can use the result.

A migration's `readable_from` is the revision of the oldest Tocsin that can use the schema after it; without one, or
with its own revision, it breaks all older ones. The newest of these revisions is kept in the database (in `meta`),
because an older Tocsin does not know the migration: it reads there whether it can continue. Used by
`receiver.store.database` when a database is opened, and by `tocsin database`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from receiver.errors import SchemaTooNew, UpgradeNotAllowed

READABLE_FROM = "schema_readable_from"
"""Name of the row in `meta`: a schema revision, and the oldest Tocsin that can use it; ignored for other revisions."""

CURE = (
    "take a backup; then run `tocsin database upgrade --breaking` while nothing serves it, or start once with"
    " TOCSIN_UPGRADE=all"
)

_READ = text("SELECT value FROM meta WHERE name = :name")
_FORGET = text("DELETE FROM meta WHERE name = :name")
_KEEP = text("INSERT INTO meta (name, value) VALUES (:name, :value)")


@dataclass(frozen=True, slots=True)
class Migration:
    """One migration of the schema."""

    revision: str
    about: str
    """The first line of its docstring."""
    readable_from: str
    """The revision of the oldest Tocsin that can use the schema after it."""

    @property
    def is_additive(self) -> bool:
        """Whether the previous Tocsin version can use the schema after it."""
        return self.readable_from < self.revision


@dataclass(frozen=True, slots=True)
class SchemaState:
    """A database's schema, as this Tocsin sees it."""

    found: str | None
    """The database's revision; None: it has no schema."""
    ours: str
    """The newest revision that this Tocsin knows."""
    readable_from: str
    """The revision of the oldest Tocsin that can use the schema."""
    pending: tuple[Migration, ...]
    """The migrations that an upgrade would run."""

    @property
    def is_newer(self) -> bool:
        """Whether a newer Tocsin made the schema."""
        return self.found is not None and self.found > self.ours

    @property
    def can_be_read(self) -> bool:
        """Whether this Tocsin can use the schema, now or after an upgrade."""
        return not self.is_newer or self.readable_from <= self.ours

    @property
    def breaking(self) -> tuple[Migration, ...]:
        """Pending migrations that break the Tocsin version in use now; none for a new database."""
        return tuple(each for each in self.pending if not each.is_additive and self.found is not None)


@cache
def history() -> tuple[Migration, ...]:
    """All migrations, the oldest first."""
    revisions = reversed(list(ScriptDirectory.from_config(_config()).walk_revisions()))
    return tuple(
        Migration(each.revision, each.doc.partition("\n")[0], getattr(each.module, "readable_from", each.revision))
        for each in revisions
    )


def look(connection: Connection) -> SchemaState:
    """The state of a database's schema. Changes nothing."""
    found = MigrationContext.configure(connection).get_current_revision()
    known = history()
    ours = known[-1].revision
    kept = _kept(connection, found) if found is not None else None
    readable_from = (
        kept or _readable_from([each for each in known if found and each.revision <= found]) or (found or "")
    )
    if found is not None and found > ours:
        return SchemaState(found, ours, kept or found, ())
    return SchemaState(found, ours, readable_from, tuple(each for each in known if not found or each.revision > found))


def upgrade(connection: Connection, *, breaking: bool = True) -> SchemaState:
    """Run pending migrations within a transaction; returns the state before.

    A newer schema that this Tocsin can use stays unchanged. `breaking`: allow migrations that break the previous Tocsin
    version. Raises SchemaTooNew, UpgradeNotAllowed.
    """
    state = look(connection)
    if not state.can_be_read:
        raise SchemaTooNew
    if state.breaking and not breaking:
        named = ", ".join(f"{each.revision} ({each.about})" for each in state.breaking)
        raise UpgradeNotAllowed(
            f"the schema would change so that the Tocsin before cannot go on with it: {named}", CURE
        )
    if state.pending:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    if not state.is_newer:
        _keep(connection, f"{state.ours} {_readable_from(history())}")
    return state


def _readable_from(migrations: Sequence[Migration]) -> str:
    return max((each.readable_from for each in migrations), default="")


def _kept(connection: Connection, found: str) -> str | None:
    """The stored `readable_from` of revision `found`; None: none is stored for it."""
    value = str(connection.execute(_READ, {"name": READABLE_FROM}).scalar() or "")
    revision, _, readable_from = value.partition(" ")
    return readable_from if revision == found else None


def _keep(connection: Connection, value: str) -> None:
    if connection.execute(_READ, {"name": READABLE_FROM}).scalar() != value:
        connection.execute(_FORGET, {"name": READABLE_FROM})
        connection.execute(_KEEP, {"name": READABLE_FROM, "value": value})


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "receiver:store/migrations")
    return config
