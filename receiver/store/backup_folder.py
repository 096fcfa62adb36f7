"""A folder of dated backups of a SQLite database; only the newest are kept. Used by `tocsin backup FOLDER`, which the
CronJobs in deploy/ run.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from receiver.core.model import Instant
from receiver.errors import CannotError
from receiver.store.files import back_up, check_backup

NAMES = "tocsin-*.db"
"""File name pattern of the backups; other files in the folder are not touched."""


def back_up_into(url: str, folder: Path, now: Instant) -> Path:
    """Make a backup in the folder, named after `now` in UTC; returns its path. Raises as `back_up` does."""
    made = folder / f"tocsin-{datetime.fromtimestamp(now // 1_000_000, UTC):%Y%m%dT%H%M%SZ}.db"
    back_up(url, made)
    return made


def forget_all_but(keep: int, folder: Path, made: Path) -> Sequence[Path]:
    """Delete all but the `keep` newest backups, `made` among those kept; returns the deleted paths.

    `made` is checked before anything is deleted, so that an unusable backup does not replace an older one.
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
