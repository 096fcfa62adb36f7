"""A folder of dated backups of a SQLite database, of which the newest are kept. `tocsin backup FOLDER` makes them, as
the CronJobs of deploy/ do.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from receiver.core.model import Instant
from receiver.errors import CannotError
from receiver.store.files import back_up, check_backup

NAMES = "tocsin-*.db"
"""What a folder's backups are called; nothing else in it is touched."""


def back_up_into(url: str, folder: Path, now: Instant) -> Path:
    """A new backup in the folder, called after the moment, in UTC. Raises as `back_up` does."""
    made = folder / f"tocsin-{datetime.fromtimestamp(now // 1_000_000, UTC):%Y%m%dT%H%M%SZ}.db"
    back_up(url, made)
    return made


def forget_all_but(keep: int, folder: Path, made: Path) -> Sequence[Path]:
    """Delete all but the newest backups of the folder, `made` among those kept, and return what was deleted.

    `made` is checked before anything is deleted: a backup that cannot be restored takes no older one's place.
    Raises StoreDamaged, CannotError.
    """
    check_backup(made)
    older = sorted(each for each in folder.glob(NAMES) if each != made)
    gone = older[: max(0, len(older) - (keep - 1))]
    for each in gone:
        try:
            each.unlink()
        except OSError as error:
            raise CannotError(f"the old backup {each} cannot be deleted: {error.strerror}") from error
    return gone
