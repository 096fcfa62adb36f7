"""`tocsin check --prometheus-url` against a real Prometheus that holds some hours of the past."""

import asyncio
import json
import subprocess
import time
from pathlib import Path

from typer.testing import CliRunner

from receiver.cli import app
from receiver.demo.tools import Tool, free_port
from receiver.drill.fired_before import firings, together
from tests.end_to_end.conftest import need

POLICY = """
incident_response:
  alert_channels: [{name: email, type: email, recipients: [a@example.com]}]
  detection:
    check_interval: 60
    rules:
      - {name: hot, condition: "heat > 80", severity: 3, channels: [email], alert_threshold: 3}
      - {name: cold, condition: "heat < 0", severity: 2}
      - {name: gone, condition: "nothing_of_the_kind > 1", severity: 2}
      - {name: made, condition: "heat_doubled > 1000", severity: 2}
      - {name: joined, condition: "heat / on(job) heat > 5", severity: 2}
signals: {heat_doubled: {expr: heat * 2}}
"""


def past(now: int) -> str:
    """Three hours of two units each minute: one is hot for ten minutes, and for one; the other for five meanwhile."""
    lines = ["# TYPE heat gauge"]
    for minute in range(180, 20, -1):
        for unit, hot in (("a", minute in range(100, 110) or minute == 60), ("b", minute in range(102, 107))):
            lines.append(f'heat{{unit="{unit}"}} {95 if hot else 40} {now - minute * 60}')
    return "\n".join([*lines, "# EOF", ""])


async def test_what_would_have_fired_is_told(tmp_path: Path) -> None:
    """Two units that were hot at once are one time; a minute is too short; what is missing or refused is said."""
    need("prometheus", "promtool")
    now = int(time.time())
    (tmp_path / "past.txt").write_text(past(now))
    (tmp_path / "prometheus.yml").write_text("{}")
    (tmp_path / "policy.yaml").write_text(POLICY)
    made = ["promtool", "tsdb", "create-blocks-from", "openmetrics", tmp_path / "past.txt", tmp_path / "data"]
    await asyncio.to_thread(subprocess.run, made, check=True, capture_output=True)
    port = free_port()
    prometheus = Tool("prometheus", tmp_path, port)
    await prometheus.start(
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    )
    try:
        words = ["check", str(tmp_path / "policy.yaml"), "--prometheus-url", prometheus.url, "--history-days", "1"]
        shown = await asyncio.to_thread(CliRunner().invoke, app, words)
        told = json.loads((await asyncio.to_thread(CliRunner().invoke, app, [*words, "--json"])).stdout)["history"]
    finally:
        await prometheus.stop()
    fired = {each["rule"].rpartition("/")[2]: each for each in told["fired"]}
    assert (fired["hot"]["times"], fired["hot"]["channels"]) == (1, ["email"])
    assert 7 <= fired["hot"]["minutes"] <= 9
    assert [fired["cold"]["times"], fired["gone"]["times"]] == [0, 0]
    assert "incident_response/hot" in shown.output
    assert "nothing_of_the_kind: no series now" in shown.output
    unasked = {each["what"].rpartition("/")[2]: each["reason"] for each in told["not_asked"]}
    assert unasked == {
        "made": "it reads what the policy records, which is not recorded there yet",
        "joined": "it answers 422",
    }


def test_a_prometheus_that_is_not_there_is_said(tmp_path: Path) -> None:
    """Nothing is asked a second time of what cannot be reached; the policy is checked all the same."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    url = f"http://127.0.0.1:{free_port()}"
    ran = CliRunner().invoke(app, ["check", str(tmp_path / "policy.yaml"), "--prometheus-url", url])
    assert "not asked: anything of 5 rules: it cannot be reached" in ran.output
    assert "sound." in ran.output
    assert CliRunner().invoke(app, ["check", str(tmp_path / "policy.yaml"), "--prometheus-url", "x"]).exit_code == 1 + 1


def test_firings_wait_and_end() -> None:
    """A condition that holds shorter than `for` fires nothing; gaps end an alert; what overlaps is one."""
    held = [0, 60, 120, 180, 600, 660, 1200]
    assert firings(held, 60, 120, 0) == [(120, 240)]
    assert firings(held, 60, 0, 120) == [(0, 360), (600, 840), (1200, 1380)]
    assert together([(5, 9), (0, 6), (20, 21)]) == [(0, 9), (20, 21)]
