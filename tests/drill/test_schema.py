"""`tocsin schema`: what an editor knows of the policy language."""

import json
import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from receiver.cli import COMMANDS, app
from tests.drill.schema import complaints

ROOT = Path(__file__).parents[2]
PACKS = sorted((ROOT / "rules" / "packs").glob("*.yaml"))


@pytest.fixture(scope="module")
def schema():
    """What the command prints."""
    return json.loads(CliRunner().invoke(app, ["schema"]).stdout)


def said(schema, text):
    """What an editor would complain of."""
    return list(complaints(schema, yaml.safe_load(text), schema))


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.stem)
def test_the_packs_fit_the_schema(schema, pack):
    """An editor has nothing to complain of in the shipped policy."""
    assert said(schema, pack.read_text()) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("incident_respnse: {}", "incident_respnse: unknown"),
        ("incident_response: {detection: {rules: [{name: a, condition: b, severty: 3, severity: 3}]}}", "severty: unknown"),
        ("incident_response: {detection: {rules: [{name: a, severity: 3}]}}", "needs condition"),
        ("incident_response: {detection: {rules: [{name: a, condition: b, severity: 5}]}}", "out of bounds"),
        ("incident_response: {alert_channels: [{name: a, type: pigeon}]}", "'pigeon' is none of"),
        ("lints: {allow: {nonsense: because}}", "'nonsense' is none of"),
        ("post_incident_actions: [{name: a, duration: soon}]", "does not match"),
    ],
)  # fmt: skip
def test_a_slip_is_complained_of(schema, text, complaint):
    """A misspelt key, a missing one, a value that cannot be: marked while it is typed."""
    assert any(complaint in each for each in said(schema, text))


def test_the_readme_shows_the_line_that_turns_it_on():
    """The line and the command that writes the file stand together."""
    readme = (ROOT / "README.md").read_text()
    assert "# yaml-language-server: $schema=policy.schema.json" in readme
    assert "tocsin schema > policy.schema.json" in readme


def test_hooks_run_commands_that_exist():
    """Every pre-commit hook calls a command of Tocsin."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    for hook in hooks:
        assert re.search(r"tocsin (\w+)", hook["entry"])[1] in COMMANDS
