"""What may happen to the file of a database that a real `tocsin serve` uses, and how it ends."""

import asyncio
import os
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Protocol


class Served(Protocol):
    """A receiver in a process of its own."""

    process: asyncio.subprocess.Process

    @property
    def database(self) -> Path:
        """The SQLite file."""

    def writer(self) -> int:
        """The process that writes to it."""


Fault = Callable[[Served], AbstractContextManager[None]]


@contextmanager
def full_disk(served: Served) -> Iterator[None]:
    """No file may be written any more."""
    processes = (served.process.pid, served.writer())
    for each in processes:
        resource.prlimit(each, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    yield
    for each in processes:
        resource.prlimit(each, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextmanager
def locked(served: Served) -> Iterator[None]:
    """Another program has begun to write and does not end; reading goes on."""
    with closing(sqlite3.connect(served.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def deleted(served: Served) -> Iterator[None]:
    """The file has no name any more."""
    served.database.rename(served.database.with_name("elsewhere"))
    yield
    served.database.with_name("elsewhere").rename(served.database)


@contextmanager
def replaced(served: Served) -> Iterator[None]:
    """Another file has its name: a copy, which is a whole database."""
    with (
        closing(sqlite3.connect(served.database)) as own,
        closing(sqlite3.connect(served.database.with_name("copy"))) as copy,
    ):
        own.backup(copy)
    os.link(served.database, served.database.with_name("elsewhere"))
    served.database.with_name("copy").replace(served.database)
    yield
    served.database.with_name("elsewhere").replace(served.database)
