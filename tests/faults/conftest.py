"""The real receiver beside local servers, as in the tests from end to end; a database server that a test may stop."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import start_postgresql
from tests.end_to_end.conftest import environment, told
from tests.faults.machine import house, policy

__all__ = ["environment", "house", "policy", "told"]


@pytest.fixture
def server() -> Iterator[Any]:
    """A PostgreSQL of this test's own, which it may stop and start."""
    here = Path(tempfile.mkdtemp(prefix="tocsin-stopped-"))
    server = start_postgresql(here)
    yield server
    server.cleanup()
    shutil.rmtree(here, ignore_errors=True)
