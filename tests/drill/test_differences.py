"""`tocsin diff`: what differs between two policies in what they mean."""

import json
from dataclasses import replace

from typer.testing import CliRunner

from receiver.cli import app
from receiver.drill.differences import as_markdown, differences
from rules.load import load
from rules.policy import MINUTE, Rule

POLICY = load()


def rows(new, old=POLICY):
    """Title → rows of what differs."""
    return {table.title: table.rows for table in differences(old, new)}


def test_the_same_meaning_differs_in_nothing():
    """Places and files are no difference."""
    moved = tuple(replace(rule, place=None) for rule in POLICY.rules)
    assert rows(replace(POLICY, rules=moved)) == {}


def test_a_rules_change_is_told_with_whom_it_concerns():
    """Another condition, level or channel: field by field; and who is told later, by drill."""
    first, *others = POLICY.rules
    new = replace(first, channels=("email",), condition="slo_violation_detected > 1")
    found = rows(replace(POLICY, rules=(new, *others)))
    assert found["Rules"] == (
        (first.key, "condition", "slo_violation_detected", "slo_violation_detected > 1"),
        (first.key, "channels", "email, slack, pagerduty", "email"),
    )
    assert found["Who is told when, if nobody acknowledges"] == (
        ("pagerduty ml-systems", "later", "+0s", "+30m", first.name),
        ("slack #incident-response", "later", "+0s", "+30m", first.name),
        ("sms +12…890", "earlier", "+30m", "+1m", first.name),
    )


def test_rules_that_come_and_go_are_told():
    """A new rule and a removed one, each with what it says and whom it told."""
    first, *others = POLICY.rules
    fresh = Rule("incident_response", "fresh", "x > 1", 3, ("email",))
    found = rows(replace(POLICY, rules=(*others, fresh)))
    assert [(row[0], row[1]) for row in found["Rules"]] == [(first.key, "removed"), (fresh.key, "added")]
    told = {(row[0], row[1], row[4]) for row in found["Who is told when, if nobody acknowledges"]}
    assert ("email incident-response@company.com", "newly", "fresh") in told
    assert ("email incident-response@company.com", "not at all", first.name) in told


def test_windows_and_recipients_are_told():
    """A level's times in words, a channel's recipients, and the stakeholders by name."""
    levels = tuple(replace(each, escalation_time=10 * MINUTE) if each.level == 3 else each for each in POLICY.levels)
    channels = tuple(
        replace(each, recipients=("new@company.com",)) if each.name == "email" else each for each in POLICY.channels
    )
    found = rows(replace(POLICY, levels=levels, channels=channels, stakeholders=(), default_severity=2))
    assert found["Levels"] == (("critical", "escalation time", "30m", "10m"),)
    assert found["Channels"] == (("email", "recipients", "incident-response@company.com", "new@company.com"),)
    assert ("default severity", "3", "2") in found["Other"]
    assert {row[1] for row in found["Stakeholders"]} == {"removed"}


def test_markdown_cannot_be_broken_out_of():
    """A policy's text stays in its cell, for any characters."""
    odd = Rule("incident_response", "odd", 'x{a="|<b>`"} > 1', 3, ("email",))
    text = as_markdown(differences(POLICY, replace(POLICY, rules=(*POLICY.rules, odd))))
    (row,) = [each for each in text.splitlines() if "incident_response/odd" in each and "added" in each]
    assert row.replace("\\|", "").count("|") == 5
    assert "<b>" not in row.replace('`condition: x{a="\\|<b>\'"} > 1; level: 3; channels: email`', "")


def test_the_command_compares_files(tmp_path):
    """Two files, in words, in Markdown and as JSON; the same file twice means the same."""
    run = CliRunner()
    text = "incident_response:\n  alert_channels:\n    - {name: email, type: email, recipients: [%s]}\n"
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(text % "a@example.com")
    new.write_text(text % "b@example.com")
    assert run.invoke(app, ["diff", str(old), str(old)]).stdout == "The policies mean the same.\n"
    assert "a@example.com" in run.invoke(app, ["diff", str(old), str(new)]).stdout
    assert "### Channels" in run.invoke(app, ["diff", str(old), str(new), "--format", "markdown"]).stdout
    said = json.loads(run.invoke(app, ["diff", str(old), str(new), "--json"]).stdout)
    assert said == [
        {
            "title": "Channels",
            "rows": [{"what": "email", "change": "recipients", "before": "a@example.com", "after": "b@example.com"}],
        }
    ]
