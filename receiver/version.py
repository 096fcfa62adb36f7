"""Which Tocsin this is: its version, and the commit that it was built from.

A wheel carries the commit in a file; a checkout asks git. The build (hatch_build.py) calls this module too, before
anything is installed, so it needs nothing but the standard library.
"""

import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

UNKNOWN = "unknown"
PACKAGE = Path(__file__).parent
MARK = "Tocsin-Api"
"""The header of every answer, by which the commands tell a Tocsin from other servers; it says the API's version."""
KEPT = "commit.txt"
"""The file in the package that a build leaves the commit in."""


def described() -> str:
    """Both, in a line: ``tocsin 0.1.0 (commit 06e6ada1c2d3)``."""
    return f"tocsin {_version()} (commit {commit(PACKAGE.parent)})"


def commit(root: Path) -> str:
    """The commit of a source tree or an installed package; ``-dirty`` where files differ from it; else ``unknown``."""
    kept = root / PACKAGE.name / KEPT
    if (root / ".git").exists():
        return _ask_git(root)
    return (kept.read_text(encoding="utf-8").strip() if kept.is_file() else "") or UNKNOWN


def installed() -> str:
    """What is installed now: it changes when the files of a running Tocsin are replaced."""
    return " ".join(build())


def build() -> tuple[str, str]:
    """Version and commit of what is installed, without asking git."""
    kept = PACKAGE / KEPT
    return _version(), (kept.read_text(encoding="utf-8").strip() if kept.is_file() else UNKNOWN)


def _version() -> str:
    try:
        return version("tocsin")
    except PackageNotFoundError:  # run from a copy of the sources that nobody installed
        return UNKNOWN


def _ask_git(root: Path) -> str:
    git = shutil.which("git")
    if git is None:
        return UNKNOWN
    asked = [git, "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603 - no input of others
    return answer.stdout.strip() if answer.returncode == 0 else UNKNOWN
