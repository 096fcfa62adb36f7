"""What commands print for programs: a row is a line, whole, at any width; states say what is known of a recovery."""

import asyncio

import aiohttp
import pytest

from receiver.cli import completion
from receiver.cli.incident_told import COLUMNS, row
from receiver.cli.output import print_table, state_words
from receiver.cli.refusals import why_none


def test_a_row_is_a_line_where_no_terminal_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Long values stand whole and on one line, cells between tabs: grep and cut find them."""
    title = f"{'x' * 200} safety_margin < 0.95"
    print_table(["#", "what"], [("#12", title), ("#13", "two\nlines\tand a tab")])
    assert capsys.readouterr().out == f"#\twhat\n#12\t{title}\n#13\ttwo lines and a tab\n"


@pytest.mark.parametrize(
    ("recovery", "words"),
    [("none", "open"), ("confirm", "open, recovered, to be confirmed"), ("unverified", "open, recovery unverified")],
)
def test_a_state_says_what_is_known_of_a_recovery(recovery: str, words: str) -> None:
    """What waits for a person to confirm it does not read as merely open."""
    assert state_words({"state": "open", "recovery": recovery}) == words


@pytest.mark.parametrize(
    ("state", "owner", "by", "said"),
    [
        ("acknowledged", "ben", "ada", "ben"),
        ("open", None, None, "nobody"),
        ("resolved", "ben", "ada", "ben had it"),
        ("closed", None, "ada", "ada had it"),
        ("closed", None, None, "nobody"),
    ],
)
def test_a_list_says_who_has_it_and_who_had_it(state: str, owner: str | None, by: str | None, said: str) -> None:
    """An incident that is over shows no present owner."""
    known = {"number": 1, "level": 3, "level_name": "critical", "opened_at": "2026-11-23T02:13:00Z"}
    incident = {**known, "state": state, "owner": owner, "acknowledged_by": by, "account": {"what": "x"}}
    assert row(incident)[COLUMNS.index("who has it")] == said


def test_no_answer_is_told_in_words() -> None:
    """Not what a library calls it."""

    async def ask() -> Exception:
        try:
            async with aiohttp.ClientSession() as session, session.get("http://127.0.0.1:9"):
                pass
        except aiohttp.ClientError as error:
            return error
        raise AssertionError("something listens there")

    assert why_none(asyncio.run(ask())) == "nothing listens at 127.0.0.1:9"
    assert why_none(TimeoutError()) == "it takes too long"


def test_values_are_completed() -> None:
    """States, of several the last; levels."""
    assert completion.states("a") == ["acknowledged"]
    assert completion.states("open,re") == ["open,resolved"]
    assert completion.levels("") == ["1", "2", "3", "4"]
