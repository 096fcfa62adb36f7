"""Which schema a database has, which one this Tocsin makes of it, and who can still read that.

A migration says in `readable_from` the revision of the oldest Tocsin that can work on the schema after it; one that
says nothing, or its own revision, breaks with those before. The database keeps the newest that its migrations named (in
`meta`), because an older Tocsin has never heard of them: by that it knows whether it may go on. Used by
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
"""The row of `meta`: a revision of the schema, and the oldest Tocsin that can work on that one; of any other it says
nothing."""

CURE = (
    "take a backup; then run `tocsin database upgrade --breaking` while nothing serves it, or start once with"
    " TOCSIN_UPGRADE=all"
)

_READ = text("SELECT value FROM meta WHERE name = :name")
_FORGET = text("DELETE FROM meta WHERE name = :name")
_KEEP = text("INSERT INTO meta (name, value) VALUES (:name, :value)")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    revision: str
    about: str
    """Its first sentence."""
    readable_from: str
    """The revision of the oldest Tocsin that can work on the schema after it."""

    @property
    def is_additive(self) -> bool:
        """Whether the Tocsin before it can work on it."""
        return self.readable_from < self.revision


@dataclass(frozen=True, slots=True)
class SchemaState:
    """A database's schema, as this Tocsin sees it."""

    found: str | None
    """The database's revision; None: it has no schema yet."""
    ours: str
    """The newest that this Tocsin knows."""
    readable_from: str
    """The oldest Tocsin, by its revision, that can work on it."""
    pending: tuple[Migration, ...]
    """What an upgrade would do."""

    @property
    def is_newer(self) -> bool:
        """Whether a newer Tocsin wrote it."""
        return self.found is not None and self.found > self.ours

    @property
    def can_be_read(self) -> bool:
        """Whether this Tocsin can work on it, as it is or after an upgrade."""
        return not self.is_newer or self.readable_from <= self.ours

    @property
    def breaking(self) -> tuple[Migration, ...]:
        """The pending ones after which the Tocsin that runs on it now could not go on; of a new database none."""
        return tuple(each for each in self.pending if not each.is_additive and self.found is not None)


@cache
def history() -> tuple[Migration, ...]:
    """Every migration, the oldest first."""
    revisions = reversed(list(ScriptDirectory.from_config(_config()).walk_revisions()))
    return tuple(
        Migration(each.revision, each.doc.partition("\n")[0], getattr(each.module, "readable_from", each.revision))
        for each in revisions
    )


def look(connection: Connection) -> SchemaState:
    """How things stand. Changes nothing."""
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
    """Bring the schema up to date, within a transaction; returns how it stood.

    A newer schema that says that we can read it stays as it is. `breaking`: whether migrations may run after which the
    Tocsin before cannot go on. Raises SchemaTooNew, UpgradeNotAllowed.
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
    """What the database says of its schema; None: nothing."""
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
