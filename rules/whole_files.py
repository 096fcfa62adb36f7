"""Reading a file whose name came from outside: policies, secrets, certificates, scripts, recordings.

A pipe that nobody writes to would be waited for without end, and a device has no end. So both are refused, and so is
what is longer than the caller has use for.
"""

import errno
import os
import stat
from pathlib import Path

_KINDS = {
    stat.S_IFIFO: "it is a pipe",
    stat.S_IFSOCK: "it is a socket",
    stat.S_IFCHR: "it is a device",
    stat.S_IFBLK: "it is a device",
}
_AT_ONCE = getattr(os, "O_NONBLOCK", 0)
"""What became a pipe since it was looked at is not waited for either."""


def read_whole(path: Path, most: int) -> bytes:
    """What the file holds. `most`: bytes it may have.

    Raises OSError, whose `strerror` is fit for people, also where it is no regular file or a longer one.
    """
    require_file(path)
    with open(os.open(path, os.O_RDONLY | _AT_ONCE), "rb") as file:  # noqa: PTH123 - Path.open has no flags
        content = file.read(most + 1) or b""
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it is larger than {_shown(most)}", str(path))
    return content


def require_file(path: Path) -> None:
    """Raises OSError where nothing, or no regular file, has that name; for what others open by its name."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, f"{_KINDS.get(stat.S_IFMT(mode), 'it is none')}, and a file is needed", str(path))


def _shown(size: int) -> str:
    return f"{size >> 20} MiB" if size >> 20 else f"{size >> 10} KiB"
