"""A drill script is played as it is written, compared with what was, and refused with words where it is none."""

import json

import pytest
import yaml
from typer.testing import CliRunner

from receiver.cli import app

RUN = CliRunner()
FIRING = {
    "status": "firing",
    "labels": {"alertname": "SloViolation", "section": "incident_response", "rule": "slo_violation", "severity_level": "3",
               "signal": "slo_violation_detected"},
    "startsAt": "2026-11-23T02:59:00Z",
}  # fmt: skip
SCRIPT = {
    "format": 1,
    "happened_at": "2026-11-23T03:00:00Z",
    "happened": [
        {"after": "0s", "webhook": {"alerts": [FIRING]}},
        {"after": "40m", "acknowledge": {"by": "ann", "hold": "4h"}},
        {"after": "2h", "change": {"by": "ann", "level": 4, "reason": "worse than it looked"}},
        {"after": "2h5m", "acknowledge": {"by": "bob"}},
        {"after": "2h6m", "webhook": {"alerts": [{**FIRING, "status": "resolved", "endsAt": "2026-11-23T05:06:00Z"}]}},
        {"after": "2h7m", "resolve": {"by": "bob"}},
        {"after": "2h8m", "resolve": {"by": "eve"}},
    ],
    "expect": {"level": 3, "told": {"email": "0s", "sms": "30m"}},
}


def ran(tmp_path, script, *words):
    """The command, on a script."""
    file = tmp_path / "x.drill.yaml"
    file.write_text(script if isinstance(script, str) else yaml.safe_dump(script))
    return RUN.invoke(app, ["drill", "--script", str(file), *words])


def test_what_happened_happens_again(tmp_path):
    """Webhooks and actions come at their times; what is no longer possible is said, and fails nothing."""
    result = ran(tmp_path, SCRIPT, "--json", "--html", str(tmp_path / "x.html"))
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert {each["what"]: each["is"] for each in said["compared"]} == {"level": "kept", "email": "kept", "sms": "kept"}
    people = [(each["at"] / 60, each["fact"], each["by"]) for each in said["timeline"] if each["by"]]
    assert (40, "acknowledged", "ann") in people
    assert (120, "changed", "ann") in people
    assert (127, "resolved", "bob") in people
    assert said["refused"] == ["+2h8m resolve by eve: the incident is resolved already"]
    assert "EXERCISE" in (tmp_path / "x.html").read_text()


def test_later_and_not_at_all_fail(tmp_path):
    """A channel that hears later than then, or not at all, and a milder level, fail the drill; sooner does not."""
    sooner = {**SCRIPT, "expect": {"level": 2, "told": {"sms": "31m"}}}
    assert "sooner" in ran(tmp_path, sooner).stdout
    for expect, verdict in (
        ({"level": 3, "told": {"sms": "29m"}}, "later"),
        ({"level": 3, "told": {"phone": "0s"}}, "not at all"),
        ({"level": 4, "told": {}}, "worse"),
    ):
        result = ran(tmp_path, {**SCRIPT, "expect": expect})
        assert result.exit_code == 1
        assert verdict in result.stdout
        assert "Worse than then." in result.stdout
    assert ran(tmp_path, SCRIPT, "--without", "email").exit_code == 1


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("a: [", "this is no YAML"),
        ("just words", "is no drill script: the file:"),
        ({**SCRIPT, "format": 2}, "format: Input should be 1"),
        ({**SCRIPT, "happened": [{"after": "soon", "note": {"by": "x"}}]}, "happened.0.after"),
        ({**SCRIPT, "happened": [{"after": "0s", "dance": {"by": "x"}}]}, "happened.0.dance"),
        ({**SCRIPT, "happened": [{"after": "0s"}]}, "says one thing that happened"),
    ],
)
def test_what_is_no_script_is_refused(tmp_path, script, says):
    """The file, the place and the reason; exit code 2."""
    result = ran(tmp_path, script)
    assert result.exit_code == 2
    assert says in result.stderr


def test_a_script_says_what_happens(tmp_path):
    """No incident and no times go with it; a file that is not there is said."""
    assert ran(tmp_path, SCRIPT, "--incident", "slo_violation").exit_code == 2
    missing = RUN.invoke(app, ["drill", "--script", str(tmp_path / "none.yaml")])
    assert missing.exit_code == 2
    assert "there is no such file" in missing.stderr


def test_nothing_opens_an_incident(tmp_path):
    """A script whose webhooks open nothing under this policy fails, and says so."""
    resolved = {**FIRING, "status": "resolved", "endsAt": "2026-11-23T05:06:00Z"}
    script = {**SCRIPT, "happened": [{"after": "0s", "webhook": {"alerts": [resolved]}}, SCRIPT["happened"][1]]}
    result = ran(tmp_path, script)
    assert result.exit_code == 1
    assert "there is no incident" in result.stdout
