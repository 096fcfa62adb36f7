"""Packages from npm that tests need, in a cache of their own: a folder with a package.json is installed once."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from tests.patience import GIVES_UP

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tocsin-tests"


def missing(what: str) -> None:
    """No tool, no test; but where CI is set the tools must be there."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}, and CI is set: tests/install-tools installs it")
    pytest.skip(f"{what}; tests/install-tools installs it")


def installed(wanted: Path) -> tuple[str, Path]:
    """Node, and the folder that has the node_modules which the package.json in `wanted` asks for."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        missing("there is no Node with npm on this machine")
    asked = (wanted / "package.json").read_bytes()
    folder = CACHE / f"npm-{hashlib.sha256(asked).hexdigest()[:16]}"  # it is there complete, or not at all
    if not folder.exists():
        _install(str(npm), wanted, folder)
    return str(node), folder


def _install(npm: str, wanted: Path, folder: Path) -> None:
    """Installs beside the cache and renames: another process, or an interruption, leaves no half of an installation."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as beside:
        made = Path(beside, "made")
        made.mkdir()
        for name in ("package.json", ".npmrc"):
            shutil.copy(wanted / name, made)
        command = [npm, "install", "--silent", "--ignore-scripts"]
        done = subprocess.run(command, cwd=made, capture_output=True, text=True, timeout=GIVES_UP)
        if done.returncode:
            missing(f"npm could not install what {wanted.name} needs ({done.stderr.strip()[-300:]})")
        with suppress(OSError):  # another process was first: its folder is as complete
            made.rename(folder)
