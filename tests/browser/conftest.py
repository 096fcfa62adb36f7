"""What the browser tests need: Chromium (Debian's), Node, and two packages from npm in a cache of their own."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.npm import installed, missing

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Browser:
    """Where things are."""

    node: str
    chromium: str
    modules: str
    """Folder with node_modules."""


@pytest.fixture(scope="session")
def browser() -> Browser:
    """The tools, or a skip with the reason."""
    chromium = shutil.which("chromium")
    if not chromium:
        missing("there is no chromium on this machine")
    node, folder = installed(HERE)
    return Browser(node, str(chromium), str(folder))
