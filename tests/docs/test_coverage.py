"""docs/guide-coverage.md is whole and true: a row for every section and list of the guide, and tests that exist."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from receiver.reports.sources import SOURCES
from rules.load import load

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "tests" / "policies" / "guide.md"
PAGE = (ROOT / "docs" / "guide-coverage.md").read_text()
ROWS = dict(re.findall(r"^\| `([a-z_.]+)` \| (.*) \|$", PAGE, re.MULTILINE))
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def paths(value: Any, path: str = "") -> Iterator[str]:
    """Every top-level section and every list of a document, by its keys."""
    if isinstance(value, dict):
        if path and "." not in path:
            yield path
        for key, each in value.items():
            yield from paths(each, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        yield path
        for each in value:
            yield from paths(each, path)


def parts_of_the_guide() -> list[str]:
    """All of them, each once."""
    blocks = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return list(dict.fromkeys(path for block in blocks for path in paths(yaml.safe_load(block))))


@pytest.mark.parametrize("part", parts_of_the_guide())
def test_every_section_and_list_of_the_guide_has_a_row_and_a_test(part: str) -> None:
    """The row says what it does and names at least one test."""
    assert part in ROWS
    assert TEST.search(ROWS[part])


def sentences_of_the_guide() -> list[str]:
    """Every line outside of its YAML that is no heading, without its marks, each once."""
    prose = re.sub(r"```yaml\n.*?```", "", GUIDE.read_text(), flags=re.DOTALL)
    lines = (line.strip().removeprefix("- ").replace("**", "") for line in prose.splitlines())
    return list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))


def test_every_sentence_of_the_guide_has_a_row_and_a_test() -> None:
    """What the prose promises is in the page, word for word, with what keeps it and at least one test."""
    _, _, prose = PAGE.partition("## The prose, sentence by sentence")
    rows = re.findall(r"^\| (.*?) \| (.*) \|$", prose.partition("\n## ")[0], re.MULTILINE)
    kept = {sentence for said, rest in rows if TEST.search(rest) for sentence in said.split(" / ")}
    assert len(sentences_of_the_guide()) > 50
    assert [each for each in sentences_of_the_guide() if each not in kept] == []


def test_quoted_sentences_are_the_guides() -> None:
    """Of steps and templates, the page quotes what the guide says, word for word, and each row names a test."""
    _, _, asked = PAGE.partition("## What the guide asks for in a sentence")
    rows = re.findall(r"^\| (.*?) \| (.*) \|$", asked.partition("\n## ")[0], re.MULTILINE)[2:]
    quoted = [sentence for said, _ in rows for sentence in re.findall(r'"([^"]+)"', said)]
    assert len(quoted) > 20
    assert [each for each in quoted if each not in GUIDE.read_text()] == []
    assert [said for said, rest in rows if not TEST.search(rest)] == []


ENTERED = frozenset(
    (
        "root_cause",
        "contributing_factors",
        "lessons_learned",
        "long_term_improvements",
        "process_changes",
        "testing_performed",
        "fix_description",
    )
)
"""Fields of the guide's templates and structure that only responders can enter."""


@pytest.mark.parametrize(("file", "test"), sorted(set(TEST.findall(PAGE))))
def test_every_named_test_exists(file: str, test: str) -> None:
    """A test that the page names stands in that file."""
    assert re.search(rf"^(async )?def {test}\(", (ROOT / file).read_text(), re.MULTILINE)


def test_every_field_of_the_report_templates_has_a_source() -> None:
    """Each field of the guide's two report templates is in the page's table, and in the code, as the record's or entered."""
    reports = load([GUIDE]).reports
    names = {name for part in (*reports.executive_summary, *reports.technical) for name in part.content}
    assert names <= ROWS.keys()
    assert names <= SOURCES.keys() | ENTERED
    assert {name for name in names if ROWS[name] == "entered"} == names - SOURCES.keys()
