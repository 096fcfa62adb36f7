"""Every incident becomes a test: what happened once, in the real receiver, is checked against each later policy."""

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from typer.testing import CliRunner

from receiver.cli import app
from receiver.demo.stand_ins import start_web
from receiver.drill.script import compiled_alert, received
from receiver.drill.simulator import START
from receiver.messages.times import moment
from receiver.service import Service
from receiver.settings import Settings
from rules.load import load
from rules.policy import SECOND
from tests.end_to_end.conftest import need
from tests.patience import GIVES_UP

PACKS = Path(__file__).parents[2] / "rules" / "packs"
RUN = CliRunner()


@pytest.fixture
async def prometheus() -> AsyncIterator[str]:
    """Answers every range with one series, well until five minutes ago; asked for the present, it is well again."""

    async def answer(request: web.Request) -> web.Response:
        form = await request.post()
        labels = {"__name__": str(form["query"]).split(" ")[0], "system": 'landing "7", north'}
        if request.match_info["what"] == "query":
            well = [] if "<" in str(form["query"]) else [{"metric": labels, "value": [time.time(), "0.99"]}]
            return web.json_response({"status": "success", "data": {"resultType": "vector", "result": well}})
        start, end, step = (float(str(form[name])) for name in ("start", "end", "step"))
        times = [start + index * step for index in range(int((end - start) / step) + 1)]
        values = [[at, "0.93" if at > end - 300 else "0.99"] for at in times]
        series = [{"metric": labels, "values": values}]
        return web.json_response({"status": "success", "data": {"resultType": "matrix", "result": series}})

    served = web.Application()
    served.router.add_post("/api/v1/{what}", answer)
    runner, url = await start_web(served)
    yield url
    await runner.cleanup()


class Lived:
    """One incident in the real receiver, from the webhook to the resolution."""

    def __init__(self, api: aiohttp.ClientSession, name: str) -> None:
        self._api = api
        alert = compiled_alert(load(), name)
        assert alert is not None
        self._alert = received(alert, START)
        self._began = time.time()

    async def live(self) -> str:
        """Its number."""
        await self._send("firing")
        await self._until(lambda each: each["pages"] and not each["waiting"] and each["kept"])
        await self._post("acknowledge", {"by": "ann", "note": "on it", "hold": "2h"})
        await self._post("notes", {"by": "ann", "text": "the model is stale"})
        await self._send("resolved")
        await self._post("resolve", {"by": "ann", "note": "model pinned"})
        await self._until(lambda each: not each["waiting"])
        return "1"

    async def _send(self, status: str) -> None:
        alert = {
            "status": status,
            "labels": dict(self._alert.labels),
            "annotations": dict(self._alert.annotations),
            "startsAt": moment(int(self._began) * SECOND - 60 * SECOND).isoformat(),
            "endsAt": moment(int(self._began) * SECOND).isoformat(),
            "fingerprint": self._alert.fingerprint,
        }
        body = json.dumps({"alerts": [alert], "groupLabels": {}}).encode()
        async with self._api.post("/webhook/alertmanager", data=body) as response:
            assert response.status == 200

    async def _post(self, action: str, body: dict[str, Any]) -> None:
        async with self._api.post(f"/api/v1/incidents/1/{action}", json=body) as response:
            assert response.status == 200, await response.text()

    async def _until(self, holds: Any) -> None:
        async with asyncio.timeout(GIVES_UP):
            while True:
                messages = (await self._get("notifications"))["notifications"]
                facts = [each["fact"] for each in (await self._get("timeline"))["timeline"]]
                seen = {
                    "pages": [each for each in messages if each["kind"] == "page"],
                    "waiting": [each for each in messages if each["status"] == "waiting"],
                    "kept": "evidence" in facts,
                }
                if holds(seen):
                    return
                await asyncio.sleep(0.05)

    async def _get(self, what: str) -> Any:
        async with self._api.get(f"/api/v1/incidents/1/{what}") as response:
            return await response.json()


def run(*words: str | Path) -> Any:
    """A command of ours."""
    return RUN.invoke(app, [str(word) for word in words])


def promtool(folder: Path) -> subprocess.CompletedProcess[str]:
    """`promtool test rules` of the incident's test."""
    return subprocess.run(
        ["promtool", "test", "rules", "incident_1_test.yml"], cwd=folder, capture_output=True, text=True
    )


def changed_packs(folder: Path, change: Any) -> Path:
    """The shipped policy, with its basic section changed."""
    folder.mkdir()
    for file in PACKS.glob("*.yaml"):
        document = yaml.safe_load(file.read_text())
        change(document)
        (folder / file.name).write_text(yaml.safe_dump(document))
    return folder


def without_the_rule(document: dict[str, Any]) -> None:
    """The rule and its signal's others watch for something else."""
    for section in document.values():
        rules = section.get("detection", []) if isinstance(section, dict) else []
        for rule in rules["rules"] if isinstance(rules, dict) else rules:
            rule["condition"] = rule["condition"].replace("safety_margin < 0.95", "safety_margin < 0.5")


def without_channels(document: dict[str, Any]) -> None:
    """Every channel is switched off."""
    for channel in document.get("incident_response", {}).get("alert_channels", []):
        channel["enabled"] = False


async def test_what_happened_once_is_checked_for_ever_after(
    environment: dict[str, str], prometheus: str, tmp_path: Path
) -> None:
    """An incident's test passes under its own policy, with Prometheus and as a drill, and fails under a worse one."""
    need("promtool")
    folder = tmp_path / "incidents"
    async with AsyncExitStack() as stack:
        settings = Settings.read({**environment, "TOCSIN_DATABASE": "sqlite://", "TOCSIN_PROMETHEUS_URL": prometheus})
        service = await stack.enter_async_context(Service(settings, [], load()))
        api = await stack.enter_async_context(aiohttp.ClientSession(service.address))
        number = await Lived(api, "safety_critical_failure").live()
        words = ("report", number, "--as-test", folder, "--url", service.address)
        written = await asyncio.to_thread(run, *words)
    assert written.exit_code == 0, written.output
    assert "fed with the values that were kept with the incident" in written.stdout
    assert sorted(each.name for each in folder.iterdir()) == ["incident_1.drill.yaml", "incident_1_test.yml"]
    script = folder / "incident_1.drill.yaml"

    assert run("compile", "--out", folder).exit_code == 0
    answer = promtool(folder)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    drilled = run("drill", "--script", script, "--json")
    assert drilled.exit_code == 0, drilled.output
    said = json.loads(drilled.stdout)
    assert {each["what"] for each in said["compared"]} == {"level", "email", "slack", "pagerduty", "sms"}
    assert {each["is"] for each in said["compared"]} == {"kept"}
    assert [(each["fact"], each["by"]) for each in said["timeline"] if each["by"]] == [
        ("acknowledged", "ann"), ("step_done", "ann"), ("step_done", "ann"), ("noted", "ann"), ("resolved", "ann"),
    ]  # fmt: skip
    assert said["refused"] == []

    deaf = changed_packs(tmp_path / "deaf", without_the_rule)
    assert run("compile", deaf, "--out", folder).exit_code == 0
    failed = promtool(folder)
    assert failed.returncode == 1
    assert "got: nil" in failed.stdout + failed.stderr
    mute = changed_packs(tmp_path / "mute", without_channels)
    silent = run("drill", mute, "--script", script)
    assert silent.exit_code == 1, silent.output
    assert "not at all" in silent.stdout
    assert "Worse than then." in silent.stdout
