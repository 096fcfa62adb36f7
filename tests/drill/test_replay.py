"""Recorded webhooks against another policy, and the recording itself."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
import yaml
from typer.testing import CliRunner

from receiver.cli import app
from receiver.clients.alert_payload import parse
from receiver.core.model import Instant
from receiver.drill.differences import replayed
from receiver.drill.first_pages import replay
from receiver.service import Service
from receiver.settings import Settings
from receiver.web.recorder import Recorder, clean, line, read
from rules.load import load
from rules.policy import HOUR, MINUTE

PAYLOADS = Path(__file__).parent.parent / "payloads"
PACKS = Path(__file__).parents[2] / "rules" / "packs"
POLICY = load()
START = Instant(1_795_400_891_821_000)
"""2026-11-23T02:28:11.821Z, when the payloads were captured."""
STORY = (
    (0, "single_firing"),
    (1, "mixed_firing_resolved"),
    (2, "unicode_emoji"),
    (3, "group_firing"),
    (4, "group_by_empty"),
    (5, "nested_route"),
    (6, "repeat_1"),
    (7, "repeat_2"),
    (8, "send_resolved_false"),
    (9, "silenced_then_expired_firing"),
    (10, "truncated_firing"),
    (19, "silenced_then_expired_resolved"),
    (20, "single_resolved"),
    (22, "truncated_status_lies"),
    (40, "single_refire"),
    (50, "group_resolved"),
)
"""(minute, payload): every captured one, in an order in which it can have come."""


@pytest.fixture
def recording(tmp_path):
    """The story, as `serve --record` would have kept it."""
    file = tmp_path / "recorded.jsonl"
    bodies = ((minute, (PAYLOADS / f"{name}.json").read_bytes()) for minute, name in STORY)
    file.write_bytes(b"".join(line(Instant(START + minute * MINUTE), "", body) for minute, body in bodies))
    return file


@pytest.fixture
def changed(tmp_path):
    """The shipped policy with a quicker level 3, and level 2 as what unknown severities mean."""
    folder = tmp_path / "changed"
    folder.mkdir()
    for file in (PACKS).glob("*.yaml"):
        document = yaml.safe_load(file.read_text())
        basic = document.get("incident_response", {})
        for level in basic.get("classification", {}).get("severity_levels", []):
            if level["level"] == 3:
                level["escalation_time"] = "10m"
                document["default_severity"] = 2
        (folder / file.name).write_text(yaml.safe_dump(document))
    return folder


def test_the_story_has_every_captured_payload():
    """None is left out."""
    assert {name for _, name in STORY} == {each.stem for each in PAYLOADS.glob("*.json")}


def test_the_differences_are_those_that_a_person_counts(recording, changed):
    """The command prints the hand-checked table, `replayed.md`, and not a line more; the table tells why each row is so."""
    said = CliRunner().invoke(app, ["replay", str(recording), "--new", str(changed), "--format", "markdown"])
    assert said.exit_code == 0, said.output
    checked = (Path(__file__).parent / "replayed.md").read_text()
    assert said.stdout.strip() == checked[checked.index("###") :].strip()


def test_whom_a_policy_forgets_is_said(recording):
    """Who would not have been told at all is named."""
    silent = replace(POLICY, channels=tuple(each for each in POLICY.channels if each.name != "sms"))
    heard = list(read(recording))
    (table,) = replayed(POLICY, silent, replay(POLICY, heard, HOUR), replay(silent, heard, HOUR))
    assert {row[3] for row in table.rows} == {"not at all"}
    assert {row[2] for row in table.rows} == {"sms +12…890"}


def test_the_command_prints_them(recording, tmp_path):
    """As text, as Markdown, as JSON; the same policy twice differs in nothing; what is no recording is told with its line."""
    run = CliRunner()
    assert "told everybody the same" in run.invoke(app, ["replay", str(recording), "--new", packs()]).stdout
    other = tmp_path / "policy.yaml"
    other.write_text(
        "incident_response:\n  alert_channels:\n    - {name: email, type: email, recipients: [a@b.example]}\n"
    )
    markdown = run.invoke(app, ["replay", str(recording), "--new", str(other), "--format", "markdown"]).stdout
    assert "### Who would have been told" in markdown
    assert "| at | incident | who | is told | before | after |" in markdown
    said = json.loads(run.invoke(app, ["replay", str(recording), "--new", str(other), "--json"]).stdout)
    assert {row["is told"] for row in said[-1]["rows"]} == {"not at all", "newly"}
    recording.write_bytes(recording.read_bytes() + b"nonsense\n")
    refused = run.invoke(app, ["replay", str(recording), "--new", packs()])
    assert refused.exit_code == 2
    assert f"{recording}:{len(STORY) + 1}: this is no recorded webhook" in refused.stderr


def packs() -> str:
    """The shipped policy's folder."""
    return str(PACKS)


async def test_a_receiver_records_what_it_takes_in(tmp_path):
    """What was posted can be read back as it was understood; what was refused is not in it; only the owner may read it."""
    file = tmp_path / "recorded.jsonl"
    settings = Settings.read({"TOCSIN_DATABASE": "sqlite://", "TOCSIN_LISTEN": "127.0.0.1:0"})
    bodies = [(PAYLOADS / f"{name}.json").read_bytes() for _, name in STORY]
    async with Service(settings, [], POLICY, record=file) as service, aiohttp.ClientSession() as session:
        for body in [*bodies, b"not json"]:
            await session.post(f"{service.address}/webhook/alertmanager?source=here", data=body)
    heard = list(read(file))
    assert [each.alerts for each in heard] == [parse(body, heard[0].at).alerts for body in bodies]
    assert {each.source for each in heard} == {"here"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("kept", "secret"),
    [
        ({"api_token": "s3cr3t"}, "s3cr3t"),
        ({"link": "https://ada:s3cr3t@example.com/x"}, "s3cr3t"),
        ({"link": "https://example.com/?a=1&token=s3cr3t&b=2"}, "s3cr3t"),
        ({"text": "curl -H 'Authorization: Bearer s3cr3t.x-y' it"}, "s3cr3t"),
        ({"text": "password: s3cr3t, then on"}, "s3cr3t"),
        ({"text": "see https://hooks.slack.com/services/T0/B0/s3cr3t"}, "s3cr3t"),
        ({"text": "xoxb-12-s3cr3t"}, "s3cr3t"),
        ({"deep": [{"my_password": {"is": "s3cr3t"}}]}, "s3cr3t"),
    ],
)
def test_secrets_are_removed(kept, secret):
    """What looks like a secret, by name or by form, is not in the recording."""
    assert secret not in json.dumps(clean(kept))


def test_what_is_no_secret_stays():
    """Ordinary labels and texts are recorded as they are."""
    labels = {
        "alertname": "X",
        "instance": "10.0.0.1:9090",
        "text": "50% & rising",
        "link": "https://example.com/?a=1&b=2",
    }
    assert clean(labels) == labels


def test_a_full_file_loses_records_and_nothing_else(tmp_path):
    """At its limit the file is whole up to there, the rest is counted as lost, and no caller waits."""
    body = (PAYLOADS / "single_firing.json").read_bytes()
    size = len(line(START, "", body))
    recorder = Recorder(tmp_path / "r.jsonl", limit=3 * size + 5)
    for _ in range(10):
        recorder.take(START, "", body)
    recorder.close()
    assert len(list(read(tmp_path / "r.jsonl"))) == 3
    assert recorder.lost == 7


def test_a_file_that_cannot_be_written_is_said(tmp_path):
    """`serve --record` refuses to start where it could not record."""
    result = CliRunner().invoke(
        app, ["serve", "--record", str(tmp_path / "no" / "folder.jsonl"), "--database", "sqlite://"]
    )
    assert result.exit_code == 1
    assert "No such file or directory" in str(result.exception)
