"""The decision records have one form, so that a reader can find, date and cite each."""

import re
from datetime import date
from pathlib import Path

import pytest

from tests.docs.sessions import ROOT

RECORDS = sorted((ROOT / "docs" / "decisions").iterdir())
HEAD = re.compile(
    r"# (\d{4}) \S[^\n]*\n\nStatus: (?:accepted|superseded by (\d{4}))\. Date: (\d{4}-\d{2}-\d{2})\.\n\n\S"
)


def test_records_are_numbered_without_gaps() -> None:
    """The files' numbers are 0001, 0002 and so on: none is missing, none is there twice."""
    assert [record.name[:5] for record in RECORDS] == [f"{number:04}-" for number in range(1, len(RECORDS) + 1)]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_record_has_its_number_a_status_and_a_date(record: Path) -> None:
    """The title begins with the file's number; the status is accepted, or names the record that is in force instead."""
    head = HEAD.match(record.read_text())
    assert head
    assert record.name.startswith(f"{head[1]}-")
    assert head[2] is None or list(record.parent.glob(f"{head[2]}-*.md"))
    assert date.fromisoformat(head[3])
