"""The errors people may meet, one class each; the docstring is the message where none is given."""


class TocsinError(Exception):
    """Something went wrong in Tocsin."""

    def __str__(self) -> str:
        return super().__str__() or (self.__doc__ or "").strip()


class SettingsError(TocsinError):
    """A setting (an environment variable TOCSIN_…) is missing or makes no sense."""


class StoreUnavailable(TocsinError):  # noqa: N818 - a state of the world, not a mistake
    """The database cannot be reached or written, or its answer was lost. Alertmanager will try again."""


class StoreConflict(TocsinError):  # noqa: N818 - expected between replicas; the engine runs the batch again
    """Another replica changed the same incidents at the same time; the batch has to run again."""


class SchemaTooNew(TocsinError):  # noqa: N818 - a state of the world, not a mistake
    """The database was written by a newer Tocsin. Start that version, or restore a backup made before it."""


class StoreDamaged(TocsinError):  # noqa: N818 - a state of the world, not a mistake
    """The database file is damaged. `tocsin restore BACKUP` puts a backup in its place."""


class RowUnreadable(StoreDamaged):
    """A row of the database cannot be read; the rest is not concerned."""


class DatabaseInUse(TocsinError):  # noqa: N818 - a state of the world, not a mistake
    """Another process serves this database file. One process serves one file; several replicas need PostgreSQL."""
