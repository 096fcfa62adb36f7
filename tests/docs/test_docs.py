"""The documents say what is so: their commands are run, as a newcomer would type them, and their links lead somewhere."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.docs.sessions import PAGES, blocks, name, type_in
from tests.end_to_end.conftest import need

TOOLS = ("promtool", "amtool", "prometheus", "prometheus-alertmanager", "curl")
BY_ITSELF = "docs/quick-start.md"
"""Installs Tocsin by itself: tests/packaging/test_quick_start.py."""
UNRUN = re.compile(r"<!-- sh blocks are not run: (.+?) -->", re.DOTALL)
"""For a page that needs what no test has, a container engine or a cluster, all the way down."""


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(block.is_run for block in blocks(page)) and name(page) != BY_ITSELF],
    ids=name,
)
def test_commands_in_the_documents_work(page: Path, tmp_path: Path) -> None:
    """Every block marked `run` ends well, one after the other, in a folder that holds the page's named files."""
    need(*(tool for tool in TOOLS if any(re.search(rf"^{tool} ", each.content, re.MULTILINE) for each in blocks(page))))
    assert shutil.which("bash")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # A reader's shell lets Python keep what it compiled; without that every command compiles Tocsin anew.
    kept = {each: value for each, value in os.environ.items() if each != "PYTHONDONTWRITEBYTECODE"}
    code, printed = type_in(page, tmp_path, {**kept, "PATH": path})
    assert code == 0, printed


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_command_that_is_not_run_says_why(page: Path) -> None:
    """No block of commands stands there untried without a reason."""
    if UNRUN.search(page.read_text()):
        return
    silent = [
        block.content for block in blocks(page) if block.language in ("sh", "bash", "console", "shell")
        if not block.is_run and not re.fullmatch(r"not run: \w.+", block.mark)
    ]  # fmt: skip
    assert not silent


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    """A relative link names a file or folder that exists."""
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text())
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing
