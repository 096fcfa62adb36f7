"""`tocsin on-call`: what people and programs are told of shifts and gaps."""

import json

import pytest
from typer.testing import CliRunner

from receiver.cli import app
from rules.time_zones import VERSION
from tests.on_call.teams import HEAD

RUN = CliRunner()
SCHEDULES = """\
schedules:
  - name: primary
    time_zone: America/Chicago
    layers:
      - {people: [dana, ben], starts: 2026-10-01T09:00, every: 1w}
  - name: office
    time_zone: Europe/Berlin
    layers:
      - {people: [chris], starts: 2026-10-01T09:00, every: 1d, only: [{days: [thu], from: 09:00, to: 17:00}]}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(HEAD + SCHEDULES)
    return str(path)


def run(*words):
    return RUN.invoke(app, ["on-call", *words])


def test_programs_are_told_shifts_and_gaps(file):
    """UTC, sorted, clipped to the window; every schedule's window begins at its own local time."""
    answer = run(file, "--from", "2026-10-01T00:00", "--until", "2026-10-08T12:00", "--json")
    assert json.loads(answer.stdout) == {
        "schedules": [
            {
                "name": "primary",
                "time_zone": "America/Chicago",
                "shifts": [
                    {
                        "person": "dana",
                        "from": "2026-10-01T14:00:00Z",
                        "until": "2026-10-08T14:00:00Z",
                        "source": "layer 1",
                    },
                    {
                        "person": "ben",
                        "from": "2026-10-08T14:00:00Z",
                        "until": "2026-10-08T17:00:00Z",
                        "source": "layer 1",
                    },
                ],
                "gaps": [{"from": "2026-10-01T05:00:00Z", "until": "2026-10-01T14:00:00Z"}],
            },
            {
                "name": "office",
                "time_zone": "Europe/Berlin",
                "shifts": [
                    {
                        "person": "chris",
                        "from": "2026-10-01T07:00:00Z",
                        "until": "2026-10-01T15:00:00Z",
                        "source": "layer 1",
                    },
                    {
                        "person": "chris",
                        "from": "2026-10-08T07:00:00Z",
                        "until": "2026-10-08T10:00:00Z",
                        "source": "layer 1",
                    },
                ],
                "gaps": [
                    {"from": "2026-09-30T22:00:00Z", "until": "2026-10-01T07:00:00Z"},
                    {"from": "2026-10-01T15:00:00Z", "until": "2026-10-08T07:00:00Z"},
                ],
            },
        ],
        "tzdata": VERSION,
    }


@pytest.mark.parametrize(
    ("at", "person"),
    [
        ("2026-10-08T08:59", "dana"),
        ("2026-10-08T09:00", "ben"),
        ("2026-10-08T13:59Z", "dana"),
        ("2026-10-08T14:00+00:00", "ben"),
    ],
)
def test_who_is_on_call_at_a_time(file, at, person):
    """A time without an offset is the schedule's; the shift is told whole."""
    (schedule,) = json.loads(run(file, "--schedule", "primary", "--at", at, "--json").stdout)["schedules"]
    assert [each["person"] for each in schedule["shifts"]] == [person]
    assert schedule["shifts"][0]["until"] in {"2026-10-08T14:00:00Z", "2026-10-15T14:00:00Z"}
    assert not schedule["gaps"]


def test_nobody_is_said(file):
    """A gap is told as what it is, as far as it reaches."""
    (schedule,) = json.loads(run(file, "--schedule", "office", "--at", "2026-10-02", "--json").stdout)["schedules"]
    assert schedule["shifts"] == []
    assert schedule["gaps"] == [{"from": "2026-10-01T15:00:00Z", "until": "2026-10-08T07:00:00Z"}]
    assert "nobody" in run(file, "--schedule", "office", "--at", "2026-10-02").stdout


def test_people_are_told_local_time_and_both_zones(file):
    """Not in UTC alone; what was given without an offset is echoed in both, so that a mistake shows."""
    told = " ".join(run(file, "--schedule", "primary", "--at", "2026-10-31T08:59").stdout.split())
    assert "Sat 2026-10-31 08:59 CDT (2026-10-31 13:59 UTC)" in told
    assert "Thu 2026-10-29 09:00 CDT Thu 2026-11-05 09:00 CST dana layer 1" in told


def test_the_coming_fortnight_is_shown_where_no_time_is_given(file):
    """From now on."""
    told = run(file)
    assert told.exit_code == 0
    assert told.stdout.count("ben") + told.stdout.count("dana") >= 3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--schedule", "primry"], "did you mean `primary`"),
        (["--at", "tomorrow"], '"tomorrow" is no time'),
        (["--at", "0001-01-01"], "is not between the years 1971 and 2199"),
        (["--at", "2026-10-01", "--from", "2026-10-01"], "say --at, or --from and --until"),
        (["--from", "2026-10-02", "--until", "2026-10-01"], "--until is not after --from (Fri 2026-10-02 00:00 CDT"),
    ],
)
def test_wrong_usage_is_said(file, words, says):
    """With exit code 2, and what to write instead."""
    answer = run(file, *words)
    assert answer.exit_code == 2
    assert says in answer.stderr


def test_a_policy_without_schedules_has_none(tmp_path):
    """The guide's policy goes on as it is."""
    (tmp_path / "policy.yaml").write_text(HEAD.replace("@primary", "@dana"))
    assert json.loads(run(str(tmp_path), "--json").stdout)["schedules"] == []
    assert "no schedules" in run(str(tmp_path)).stdout
