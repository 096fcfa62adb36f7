"""Reads files with names from outside: policies, secrets, certificates, scripts, recordings.

A pipe without a writer would block forever, and a device may have no end. Both are refused, as are files longer than
the caller's limit.
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
"""Non-blocking, in case the file became a pipe since it was checked."""


def read_whole(path: Path, most: int) -> bytes:
    """The file's content. `most`: the limit in bytes.

    Raises OSError with a `strerror` for users, also for a file that is not regular or is too long.
    """
    require_file(path)
    with open(os.open(path, os.O_RDONLY | _AT_ONCE), "rb") as file:  # noqa: PTH123 - Path.open has no flags
        content = file.read(most + 1) or b""
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it is larger than {_shown(most)}", str(path))
    return content


def require_file(path: Path) -> None:
    """Raises OSError unless the name is that of a regular file; for files that other code opens by name."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, f"{_KINDS.get(stat.S_IFMT(mode), 'it is none')}, and a file is needed", str(path))


def _shown(size: int) -> str:
    return f"{size >> 20} MiB" if size >> 20 else f"{size >> 10} KiB"
