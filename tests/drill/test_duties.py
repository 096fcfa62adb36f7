"""Duties in drills: the countdowns of limits and of reports to authorities, kept or missed."""

import json

import yaml
from typer.testing import CliRunner

from receiver.cli import app
from rules.load import PACKS

RUN = CliRunner()
POLICY = [str(PACKS), str(PACKS / "obligations" / "nis2.yaml")]


def test_a_drill_shows_what_had_to_be_reported():
    """Each report with when it was due since the incident began, and what became of it."""
    words = ("--incident", "slo_violation", "--acknowledge-after", "5m", "--for", "25h")
    result = RUN.invoke(app, ["drill", *POLICY, *words, "--json"])
    assert result.exit_code == 0, result.output
    duties = {
        each["what"].partition(" to ")[0]: (each["due"], each["is"]) for each in json.loads(result.stdout)["duties"]
    }
    assert duties == {
        "early warning": ("+1d", "breached"),
        "notification": ("+3d", "running"),
        "final report": ("+34d", "running"),
    }
    shown = RUN.invoke(app, ["drill", *POLICY, *words]).stdout
    assert "breached: early warning to the CSIRT or the competent authority (nis2) by +1d" in " ".join(shown.split())


def test_a_script_files_a_report(tmp_path):
    """What people filed then is filed again, at its time."""
    filed = {"by": "ann", "obligation": "nis2", "stage": "early_warning", "reference": "CERT-1"}
    script = {
        "format": 1,
        "happened_at": "2026-11-23T03:00:00Z",
        "happened": [
            {"after": "0s", "declare": {"by": "ann", "type": "engine_failure", "level": 4}},
            {"after": "5m", "acknowledge": {"by": "ann", "hold": "48h"}},
            {"after": "10h", "file_report": filed},
            {"after": "25h", "note": {"by": "ann", "text": "a day later"}},
        ],
        "expect": {"level": 4, "told": {"email": "0s"}},
    }
    file = tmp_path / "x.drill.yaml"
    file.write_text(yaml.safe_dump(script))
    result = RUN.invoke(app, ["drill", *POLICY, "--script", str(file), "--json"])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["refused"] == []
    assert [each["is"] for each in said["duties"] if "early warning" in each["what"]] == ["kept"]


def test_check_says_which_incidents_have_which_duties():
    """Per authority its stages and the rules and types concerned, for people and for programs."""
    shown = RUN.invoke(app, ["check", *POLICY]).stdout
    assert "nis2: the CSIRT or the competent authority (Directive (EU) 2022/2555, Article 23(4))" in shown
    assert "early_warning within 24 hours of the awareness" in shown
    assert "final_report within 1 month of the filing of notification" in shown
    assert "acknowledge within 15m of the opening, from level 3 on" in shown
    assert "a second person, an approver, signs it off" in shown
    [found] = json.loads(RUN.invoke(app, ["check", *POLICY, "--json"]).stdout)["reporting_obligations"]
    assert "incident_response/slo_violation" in found["concerns"]
    assert [(each["within"], each["months"]) for each in found["stages"]] == [(24 * 3600, 0), (72 * 3600, 0), (None, 1)]


LIMITS = """
incident_response:
  procedures: [{name: containment, time_limit: 2h, steps: [Isolate]}]
initial_response:
  acknowledgment:
    - {name: acknowledgment, time_limit: 15m, actions: [Acknowledge], from_level: 2}
    - {name: severity_assessment, time_limit: 30m}
    - {name: team, time_limit: 45m, actions: [Tell the team]}
root_cause_analysis: [{name: analysis, time_limit: 8h, from_level: 4, actions: [Look]}]
impact_assessment: [{name: business, time_limit: 6h, metrics: [revenue]}]
fix_implementation: [{name: fix, time_limit: 4h, actions: [Mend]}]
post_incident_actions: [{name: documentation, time_limit: 5d, actions: [Write]}]
"""
TOLD = """
acknowledge within 15m of the opening, from level 2 on; nobody is paged by it
assess the severity within 30m of the acknowledgement, from level 3 on
containment within 2h of the opening
team within 45m of the acknowledgement, from level 3 on
analysis within 8h of the acknowledgement, from level 4 on
business within 6h of the acknowledgement
fix within 4h of the acknowledgement
documentation within 5d of the resolution
"""


def test_check_tells_the_limit_of_every_block(tmp_path):
    """`time_limit` and `from_level` of each block, with the moment from which it counts."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(LIMITS)
    shown = RUN.invoke(app, ["check", str(PACKS / "incident_response.yaml"), str(policy)]).stdout
    told = shown.partition("What people must do\n")[2].splitlines()
    assert told[: len(TOLD.split("\n")) - 2] == TOLD.strip().splitlines()
