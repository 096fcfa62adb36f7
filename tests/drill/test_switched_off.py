"""`enabled: false` is without effect: check, log and console say so."""

import json

import aiohttp
import structlog.testing
from typer.testing import CliRunner

from receiver.cli import app
from receiver.service import Service
from receiver.settings import Settings
from rules.load import load

POLICY = """
incident_response:
  alert_channels:
    - {name: email, type: email, recipients: [a@example.org]}
    - {name: slack, type: slack, channel: "#x", enabled: false}
  detection:
    rules: [{name: low, condition: "margin < 1", severity: 3, channels: [email, slack]}]
safety_incident_response:
  enabled: false
  detection: [{name: margin_lost, condition: "safety_margin < 1", severity: 4, channels: [email]}]
"""


async def test_what_is_switched_off_is_seen(tmp_path):
    """A section and a channel: in the words and the JSON of `check`, in the log of `serve`, on the page Policy."""
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    policy = load([file])
    assert [rule.name for rule in policy.rules] == ["low"]
    run = CliRunner()
    said = run.invoke(app, ["check", str(file)], env={"COLUMNS": "120"}).stdout
    assert "disabled: safety_incident_response\ndisabled: channel slack\n" in said
    assert "email, (slack: disabled)" in said
    told = json.loads(run.invoke(app, ["check", str(file), "--json"]).stdout)
    assert told["disabled"] == ["safety_incident_response", "channel slack"]
    settings = Settings.read({"TOCSIN_DATABASE": "sqlite://", "TOCSIN_LISTEN": "127.0.0.1:0"})
    with structlog.testing.capture_logs() as logged:
        async with (
            Service(settings, [file]) as service,
            aiohttp.ClientSession() as session,
            session.get(f"{service.address}/policy") as response,
        ):
            page = await response.text()
    said_off = [each["what"] for each in logged if each["event"] == "switched off in the policy"]
    assert said_off == ["safety_incident_response", "channel slack"]
    assert "safety_incident_response is switched off in the policy" in page
    assert "slack is switched off in the policy" in page
