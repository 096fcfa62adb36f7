"""The mkdocs hooks for pages that are also read in the repository.

Blocks have marks for the tests (``sh run``), links lead out of docs/, and some pages are in the root.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from rules.channel_types import CHANNEL_FACTS

ROOT = Path(__file__).parents[1]
FROM_THE_ROOT = {"SECURITY.md": "security.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
"""Pages of the site that are files in the root of the repository."""
FENCE = re.compile(r"^```(\w+) ([^\n]+)$", re.MULTILINE)
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the decision records and the channels' pages, so that mkdocs.yml does not need an entry for each."""
    records = sorted(path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs" / "decisions").glob("*.md"))
    assert config.nav
    listed = next(each["Channels"] for each in config.nav if "Channels" in each)
    listed += [{facts.label: f"channels/{facts.name}.md"} for facts in CHANNEL_FACTS.values()]
    config.nav[-1]["The project"].append({"Decisions": records})
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages from the root."""
    for name, page in FROM_THE_ROOT.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - mkdocs calls with all of them
    """Remove the marks, and point the links to their targets on the site."""
    source = {made: name for name, made in FROM_THE_ROOT.items()}.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def lead(found: re.Match[str]) -> str:
        picture, text, target, anchor = found.groups()
        if re.match(r"[a-z]+:", target):
            return found[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if not path.startswith("docs/") and path not in FROM_THE_ROOT:
            return text  # a file of the repository that is not on the site
        there = FROM_THE_ROOT.get(path) or path.removeprefix("docs/")
        here = posixpath.dirname(page.file.src_uri)
        return f"{picture}[{text}]({posixpath.relpath(there, here or '.')}{anchor or ''})"

    return LINK.sub(lead, FENCE.sub(_plain, markdown))


def _plain(fence: re.Match[str]) -> str:
    language, mark = fence.groups()
    is_file = language not in ("sh", "text")
    return f'```{language} title="{mark}"' if is_file else f"```{language}"
