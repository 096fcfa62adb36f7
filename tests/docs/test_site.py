"""The site: it builds strictly, without a network, and loads nothing from elsewhere; the made pages are those of the code."""

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from manual import walks
from manual.pages import pages
from receiver.core import events
from receiver.core.model import State, Window
from rules.document import PolicyDocument, alert_channels, communication, framework_system, incident_response, schedules
from tests.docs.sessions import ROOT

MADE = dict(pages())
LOADED = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=\"?((?:https?:)?//[^\">\s]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make docs` does."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_it_holds_every_page(site: Path) -> None:
    """Every file of docs/, and what stands in the root beside it, is a page."""
    wanted = {path.relative_to(ROOT / "docs").with_suffix("") for path in (ROOT / "docs").rglob("*.md")}
    wanted |= {Path(name) for name in ("security", "changelog", "contributing")}
    found = {path.parent.relative_to(site) for path in site.rglob("index.html")}
    assert {Path() if each == Path("index") else each for each in wanted} <= found


def test_it_loads_nothing_from_elsewhere(site: Path) -> None:
    """No page asks another host for a script, a style, a font or a picture."""
    assert not {url for page in site.rglob("*.html") for url in LOADED.findall(page.read_text())}
    assert not [
        style
        for style in site.rglob("*.css")
        if re.search(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", style.read_text())
    ]


def test_marks_for_the_tests_are_not_shown(site: Path) -> None:
    """A block is a block on the site, too: its marks are for tests."""
    shown = (site / "quick-start" / "index.html").read_text()
    assert "not run:" not in shown
    assert "```" not in shown
    assert '<span class="filename">policy.yaml</span>' in shown


@pytest.mark.parametrize("path", MADE)
def test_made_pages_are_current(path: str) -> None:
    """What is committed is what the code makes; `python -m manual` writes it anew."""
    assert (ROOT / path).read_text() == MADE[path]


def models() -> list[type[BaseModel]]:
    """Everything that a policy or a system configuration is made of."""
    modules = (alert_channels, communication, incident_response, framework_system, schedules)
    found = [
        each
        for module in modules
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, BaseModel)
    ]
    return [PolicyDocument, *dict.fromkeys(found)]


@pytest.mark.parametrize("model", models(), ids=lambda each: each.__name__)
def test_every_key_is_described(model: type[BaseModel]) -> None:
    """Each key of a policy says what it means, and stands on the page."""
    page = MADE["docs/policy-reference.md"]
    for key, field in model.model_fields.items():
        assert field.description, key
        assert f"| `{key}` |" in page


def test_the_states_were_found_by_trying_everything() -> None:
    """Every kind of event was tried and carried out, every window has words, and every state was reached."""
    told = MADE["docs/states.md"]
    assert all(f"| `{state}` |" in told for state in State)
    untried = {each.__name__ for each in get_args(events.Event)} - walks.explore().tried
    assert not untried, "add it to manual/walks.py (and its words to states.QUIET), then run python -m manual"
    assert set(walks.WINDOWS) == set(Window)
