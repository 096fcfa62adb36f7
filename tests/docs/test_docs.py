"""The documents say what is so: the commands in blocks marked ``sh run`` are run, as a newcomer would type them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(\w+) ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[tuple[str, str, str]]:
    """(language, what follows it, content) of every fenced block."""
    return FENCE.findall(page.read_text())


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(mark == "run" for _, mark, _ in blocks(page))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_commands_in_the_documents_work(page: Path, tmp_path: Path) -> None:
    """Every block marked `run` exits 0, in a folder that holds the page's named files."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    ran = 0
    for language, mark, content in blocks(page):
        if language == "yaml" and mark:
            (tmp_path / mark).write_text(content)
        if language == "sh" and mark == "run":
            result = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", content],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert result.returncode == 0, f"{content}\n{result.stdout}\n{result.stderr}"
            ran += 1
    assert ran


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    """A relative link names a file or folder that exists."""
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text())
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing
