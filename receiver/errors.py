"""The errors shown to people, one class each; a class's docstring is the message where no reason is given.

All code that cannot do something raises one, with a reason and a remedy in words. The outermost layers translate them:
`receiver.cli` to stderr and an exit code, handlers to a `receiver.web.http.problem_details.Problem`. A refusal of the
core (`receiver.core.draft.Refusal`) and the outcome of sending (`receiver.core.events.Outcome`) are stored data, not
errors.
"""


class TocsinError(Exception):
    """Something went wrong in Tocsin."""

    def __init__(self, reason: str = "", cure: str = "") -> None:
        """`reason`: a sentence without a full stop. `cure`: what the person can do about it, likewise."""
        super().__init__(reason, cure)
        self.reason = reason or (self.__doc__ or "").strip()
        self.cure = cure

    def __str__(self) -> str:
        return f"{self.reason}; {self.cure}" if self.cure else self.reason


class CannotError(TocsinError):
    """What was asked for cannot be done."""


class CursorError(CannotError):
    """A cursor that names no place in a list."""


class SettingsError(TocsinError):
    """A setting (an environment variable TOCSIN_…) is missing or makes no sense."""


class StoreUnavailable(TocsinError):  # noqa: N818 - an external state, not a bug
    """The database cannot be reached or written, or its answer was lost. Alertmanager will try again."""


class StoreConflict(TocsinError):  # noqa: N818 - expected between replicas; the engine runs the batch again
    """Another replica changed the same incidents at the same time; the batch has to run again."""


class SchemaTooNew(TocsinError):  # noqa: N818 - an external state, not a bug
    """The database was written by a newer Tocsin. Start that version, or restore a backup made before it."""


class UpgradeNotAllowed(TocsinError):  # noqa: N818 - a decision for the operator
    """The schema would change so that the Tocsin before cannot go on with it."""


class StoreDamaged(TocsinError):  # noqa: N818 - an external state, not a bug
    """The database file is damaged. `tocsin restore BACKUP` puts a backup in its place."""


class RowUnreadable(StoreDamaged):
    """A row of the database cannot be read; the rest is not concerned."""


class DatabaseInUse(TocsinError):  # noqa: N818 - an external state, not a bug
    """Another process serves this database file. One process serves one file; several replicas need PostgreSQL."""
