"""The real promtool and amtool: tests that need them skip, with the reason, where they are not installed."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.patience import GIVES_UP

Run = Callable[..., subprocess.CompletedProcess[str]]


def _tool(name: str) -> Run:
    path = shutil.which(name)
    if path is None:
        reason = f"{name} is not installed (tests/install-tools installs it)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)

    def run(*arguments: str | Path, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [path, *map(str, arguments)], cwd=folder, capture_output=True, text=True, check=False, timeout=GIVES_UP
        )

    return run


@pytest.fixture(scope="session")
def promtool() -> Run:
    """Runs promtool; the answer has `returncode`, `stdout`, `stderr`."""
    return _tool("promtool")


@pytest.fixture(scope="session", params=["the system's", "the newest"])
def each_promtool(request: pytest.FixtureRequest) -> Run:
    """The same of both: the oldest that is supported, where the system is Debian 12, and the newest."""
    return request.getfixturevalue("promtool" if request.param == "the system's" else "newest_promtool")


@pytest.fixture(scope="session")
def newest_promtool() -> Run:
    """The promtool of Prometheus 3 (tests/install-newest)."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return _tool(str(cache / "tocsin-tests" / "newest" / "usr" / "bin" / "promtool"))


@pytest.fixture(scope="session")
def amtool() -> Run:
    """Runs amtool."""
    return _tool("amtool")
