"""What the documents name exists: metrics, settings, paths of the API, commands and their options, files."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from receiver.cli import app
from receiver.settings import CLIENT_ONLY, OF_RECIPIENTS, VARIABLES
from receiver.telemetry.metrics import Metrics
from tests.docs.sessions import PAGES, ROOT, blocks, name

CODE = re.compile(r"`([^`\n]+)`")
SOURCES = "\n".join(path.read_text() for path in (ROOT / "receiver").rglob("*.py"))
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def said(page: Path) -> str:
    """What a page says in code: in blocks and between backticks."""
    text = page.read_text()
    return "\n".join([*(block.content for block in blocks(page)), *CODE.findall(text)])


def each(pattern: str, page: Path) -> set[str]:
    """Everything on a page that looks so."""
    return set(re.findall(pattern, said(page)))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_metric_exists(page: Path) -> None:
    """A metric is one of those that /metrics shows, by that name."""
    metrics = Metrics()
    families = {each.name: each.type for each in (*metrics.registry.collect(), *metrics.named.collect())}
    counters = {f"{family}_total" for family, kind in families.items() if kind == "counter"}
    shown = {family for family, kind in families.items() if kind != "counter"} | counters
    shown |= {
        f"{family}_{part}"
        for family, kind in families.items()
        if kind == "histogram"
        for part in ("bucket", "sum", "count")
    }
    assert each(r"\btocsin_[a-z_]+\b", page) <= shown


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_setting_exists(page: Path) -> None:
    """A variable is a setting, one of the command line's own, or one that the compose file reads."""
    known = set(VARIABLES) | CLIENT_ONLY
    known |= set(
        re.findall(r"\bTOCSIN_[A-Z_]+", "".join(each.read_text() for each in (ROOT / "deploy").rglob("*compose*.yaml")))
    )
    named = {each if each in known else each.removesuffix("_FILE") for each in each(r"\bTOCSIN_[A-Z_]*[A-Z]", page)}
    assert {each for each in named if not f"{each}_".startswith(OF_RECIPIENTS)} <= known


def test_every_setting_is_explained() -> None:
    """Every setting stands on some page."""
    told = "\n".join(page.read_text() for page in PAGES)
    assert not {each for each in (*VARIABLES, *OF_RECIPIENTS) if each not in told}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_path_exists(page: Path) -> None:
    """A path of the receiver is one that it serves; numbers, ids and NAMES stand for any."""
    paths = (
        SOURCES.replace("{ROOT}", "/api/v1")
        .replace("{one}", "/incidents/{incident}")
        .replace("{{", "{")
        .replace("}}", "}")
    )
    served = {_any(path) for path in re.findall(r'"(/[\w./:{}|-]*)"', paths)}
    named = each(r"(?<![\w.:/}…])(?:/api/v1|/-|/callbacks|/webhook)/[\w./{}-]+", page)
    missing = {path for path in named if _any(path) not in served and _any(path.removeprefix("/api/v1")) not in served}
    assert not missing


def _any(path: str) -> str:
    """The path with a star for what differs from request to request."""
    return re.sub(r"\{[^}]+\}+|(?<=/)\d+|\b[A-Z]+\b", "*", path)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_exists_with_its_options(page: Path) -> None:
    """`tocsin WORD --option …`: the command is there, and so is each option."""
    joined = said(page).replace("\\\n", " ")
    for line in re.findall(r"(?:^|[\s`/])tocsin ((?!-)[a-z][\w-]*[^\n|;&]*)", joined):
        word, *rest = line.split()
        if word in ("demo", "serve") or word in COMMANDS:
            options = {option for parameter in COMMANDS[word].params for option in _spelt(parameter)} | {"--help"}
            assert {each.partition("=")[0] for each in rest if re.match(r"--[a-z]", each)} <= options | _deeper(word), (
                line
            )


def _spelt(parameter: Any) -> list[str]:
    """An option's names, and those that say the opposite."""
    return [*parameter.opts, *parameter.secondary_opts]


def _deeper(word: str) -> set[str]:
    """Options of a command's own commands."""
    inner = getattr(COMMANDS[word], "commands", {})
    return {option for command in inner.values() for parameter in command.params for option in parameter.opts}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_in_blocks_exist(page: Path) -> None:
    """In a block of commands the word after `tocsin` is a command."""
    for block in blocks(page):
        if block.language == "sh":
            assert set(re.findall(r"(?:^|[|&;] *)tocsin ([a-z][\w-]*)", block.content, re.MULTILINE)) <= set(COMMANDS)


@pytest.mark.parametrize("page", [ROOT / "CONTRIBUTING.md"], ids=name)
def test_where_a_newcomer_adds_something_is_there(page: Path) -> None:
    """Every file that the contributing page names exists."""
    files = [
        each
        for each in CODE.findall(page.read_text())
        if re.fullmatch(r"[\w.-]+(?:/[\w.-]+)+/?|[\w-]+\.(?:md|yml|toml)", each)
    ]
    assert len(files) > 20
    assert not [each for each in files if not (ROOT / each).exists() and each != "build/site"]
