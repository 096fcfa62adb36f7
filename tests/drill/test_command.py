"""`tocsin drill` on the command line: what is printed, and how wrong usage is answered."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from receiver.cli import app
from receiver.service import Service
from receiver.settings import Settings
from rules.load import load

RUN = CliRunner()


def test_the_timeline_is_printed_and_drawn(tmp_path):
    """The words go to the terminal, the page into the file; the same command gives the same bytes."""
    words = ["drill", "--incident", "slo_violation", "--acknowledge-after", "7m", "--flaky", "slack=0.5", "--seed", "x"]
    first = RUN.invoke(app, [*words, "--html", str(tmp_path / "a.html")])
    again = RUN.invoke(app, [*words, "--html", str(tmp_path / "b.html")])
    assert first.exit_code == 0
    assert first.stdout == again.stdout
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert "+7m  acknowledged by responder 1" in first.stdout
    assert "kept: somebody to take it by +1h; taken at +7m" in first.stdout


def test_programs_get_json():
    """`--json` is one document."""
    result = RUN.invoke(app, ["drill", "--incident", "slo_violation", "--json"])
    drill = json.loads(result.stdout)
    assert (drill["level"], drill["reached_after"], drill["deadlines"][0]["is"]) == (3, 0, "breached")


def test_nobody_reached_is_a_failure():
    """With every channel down the drill exits 1 and says so."""
    down = [word for name in ("email", "slack", "pagerduty", "sms") for word in ("--without", name)]
    result = RUN.invoke(app, ["drill", "--incident", "slo_violation", *down])
    assert result.exit_code == 1
    assert "Nobody was reached" in result.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "--incident NAME, one of"),
        (["--incident", "nonsense"], "the policy has no 'nonsense'; it has slo_violation"),
        (["--incident", "slo_violatoin"], "did you mean `slo_violation`?"),
        (["--incident", "slo_violation", "--recur-after", "1h"], "say with --resolve-after when that is"),
        (["--incident", "slo_violation", "--without", "pigeon"], "no channel 'pigeon'; it has email"),
        (["--incident", "slo_violation", "--flaky", "slack=2"], "a number from 0 to 1"),
        (["--incident", "slo_violation", "--flaky", "slack"], "a number from 0 to 1"),
        (["--incident", "slo_violation", "--acknowledge-after", "soon"], "not a duration"),
        (["--incident", "slo_violation", "--live", "--without", "slack"], "only --incident goes with it"),
        (["--live"], "--incident NAME"),
    ],
)
def test_wrong_usage_is_said(words, says):
    """What is wrong with the command is said with what would be right, and exits 2."""
    result = RUN.invoke(app, ["drill", *words])
    assert result.exit_code == 2
    assert says in result.stderr


def test_a_page_that_cannot_be_written_is_said(tmp_path):
    """No traceback: the file and the reason."""
    result = RUN.invoke(app, ["drill", "--incident", "slo_violation", "--html", str(tmp_path / "no" / "a.html")])
    assert result.exit_code == 1
    assert "a.html cannot be written: there is no such folder" in result.stderr


def test_a_year_is_told_in_a_few_lines():
    """What repeats itself is told once, with how often."""
    result = RUN.invoke(app, ["drill", "--incident", "slo_violation", "--for", "365d"])
    assert "+5h  and so on: the same every 1h until +365d, 8,756 times more (13 messages each time)" in result.stdout
    assert len(result.stdout.splitlines()) < 70


async def test_a_live_drill_is_an_incident_marked_as_an_exercise():
    """`--live` opens it on the running receiver, by that receiver's policy, and marks it."""
    settings = Settings.read({"TOCSIN_DATABASE": "sqlite://", "TOCSIN_LISTEN": "127.0.0.1:0"})
    async with Service(settings, [], load()) as service:
        words = ["drill", "--live", "--incident", "engine_failure", "--url", service.address, "--json"]
        result = await asyncio.to_thread(RUN.invoke, app, words)
    assert result.exit_code == 0
    opened = json.loads(result.stdout[result.stdout.index("{\n") :])  # the receiver of this process logs there too
    assert (opened["type"], opened["exercise"], opened["level"]) == ("engine_failure", True, 4)
