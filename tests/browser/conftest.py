"""What the browser tests need: Chromium (Debian's), Node, and two packages from npm in a cache of their own."""

import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tocsin-tests"


@dataclass(frozen=True)
class Browser:
    """Where things are."""

    node: str
    chromium: str
    modules: str
    """Folder with node_modules."""


def _missing(what: str) -> None:
    """No tool, no test; but where CI is set the tools must be there."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}, and CI is set: tests/install-tools installs it")
    pytest.skip(f"{what}; tests/install-tools installs it")


@pytest.fixture(scope="session")
def browser() -> Browser:
    """The tools, or a skip with the reason."""
    node, npm = shutil.which("node"), shutil.which("npm")
    chromium = shutil.which("chromium")
    if not node or not npm:
        _missing("there is no Node with npm on this machine")
    if not chromium:
        _missing("there is no chromium on this machine")
    wanted = (HERE / "package.json").read_bytes()
    folder = CACHE / hashlib.sha256(wanted).hexdigest()[:16]
    if not all(
        (folder / "node_modules" / name / "package.json").exists() for name in json.loads(wanted)["dependencies"]
    ):
        _install(str(npm), folder)
    return Browser(str(node), str(chromium), str(folder))


def _install(npm: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", ".npmrc"):
        shutil.copy(HERE / name, folder)
    done = subprocess.run(
        [npm, "install", "--silent", "--ignore-scripts"], cwd=folder, capture_output=True, text=True, timeout=300
    )
    if done.returncode:
        _missing(f"npm could not install the browser tests' packages ({done.stderr.strip()[-300:]})")
