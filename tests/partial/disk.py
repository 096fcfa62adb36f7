"""A file system for one site alone, on a loop device: it can break as a disk's does, with everything open on it."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SIZE = "64M"


def may_be_mounted() -> bool:
    """Whether there can be one: it needs root, and loop devices."""
    return Path("/dev/loop-control").exists() and _succeeds("unshare", "--mount", "true")


@contextmanager
def of_its_own(place: Path) -> Iterator[None]:
    """A fresh file system is mounted there, and gone afterwards."""
    place.mkdir()
    image = place.with_suffix(".img")
    _run("truncate", f"--size={SIZE}", str(image))
    _run("mkfs.ext4", "-q", "-F", str(image))
    mount(place)
    try:
        yield
    finally:
        _run("umount", "--lazy", str(place))


def mount(place: Path) -> None:
    """The file system that was made for that place."""
    _run("mount", "-o", "loop", str(place.with_suffix(".img")), str(place))


def break_down(place: Path) -> None:
    """What ext4 does when it finds itself damaged, or its disk fails: read-only from now on, also for open files."""
    _run("mount", "-o", "remount,abort", str(place))


def mount_again(place: Path) -> None:
    """Mounts it again, once no process has a file open on it."""
    for _ in range(100):
        if _succeeds("umount", str(place)):
            break
        time.sleep(0.1)
    else:
        pytest.fail(f"{place} is still in use")
    mount(place)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=60, stdin=subprocess.DEVNULL)


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, check=False, timeout=60, capture_output=True).returncode == 0
