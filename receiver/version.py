"""The version of this Tocsin, and the commit that it was built from.

A wheel contains the commit in a file; in a checkout git provides it. The build (hatch_build.py) imports this module
before anything is installed, so it uses only the standard library.
"""

import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

UNKNOWN = "unknown"
PACKAGE = Path(__file__).parent
MARK = "Tocsin-Api"
"""A header of every response, by which the commands recognise a Tocsin server; its value is the API's version."""
KEPT = "commit.txt"
"""The file in the package to which a build writes the commit."""


def described() -> str:
    """Version and commit in a line: ``tocsin 0.1.0 (commit 06e6ada1c2d3)``."""
    return f"tocsin {_version()} (commit {commit(PACKAGE.parent)})"


def commit(root: Path) -> str:
    """The commit of a source tree or installed package; ``-dirty`` if files were changed; ``unknown`` without one."""
    kept = root / PACKAGE.name / KEPT
    if (root / ".git").exists():
        return _ask_git(root)
    return (kept.read_text(encoding="utf-8").strip() if kept.is_file() else "") or UNKNOWN


def installed() -> str:
    """The version and commit on disk; changes when the files of a running Tocsin are replaced."""
    return " ".join(build())


def build() -> tuple[str, str]:
    """Version and commit of the installed package, without git."""
    kept = PACKAGE / KEPT
    return _version(), (kept.read_text(encoding="utf-8").strip() if kept.is_file() else UNKNOWN)


def _version() -> str:
    try:
        return version("tocsin")
    except PackageNotFoundError:  # run from sources that are not installed
        return UNKNOWN


def _ask_git(root: Path) -> str:
    git = shutil.which("git")
    if git is None:
        return UNKNOWN
    asked = [git, "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603 - no input of others
    return answer.stdout.strip() if answer.returncode == 0 else UNKNOWN
