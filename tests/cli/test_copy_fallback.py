"""`tocsin copy` first checks that an outage of Tocsin is reported meanwhile: no page leaves during a copy."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from typer.testing import CliRunner, Result

from receiver.cli import app
from receiver.store import open_store
from rules.load import load
from rules.outputs import Options, render

HEARTBEAT = {
    "labels": {"alertname": "TocsinHeartbeat", "heartbeat": "true", "severity": "none"},
    "startsAt": "2026-11-27T00:00:00Z",
    "status": {"state": "active"},
    "receivers": [{"name": "tocsin"}],
    "fingerprint": "1",
}
WITH, WITHOUT = (
    render(load(), options).files["alertmanager.yml"].decode()
    for options in (
        Options(fallback_email="a@example.com", fallback_smarthost="mail:587", fallback_from="b@example.com"),
        Options(),
    )
)


class Alertmanager:
    """What its API answers."""

    def __init__(self) -> None:
        self.config, self.alerts, self.url = WITH, [HEARTBEAT], ""

    async def answer(self, request: web.Request) -> web.Response:
        status = {"uptime": "2026-11-27T00:00:00Z", "cluster": {}, "config": {"original": self.config}}
        answers: dict[str, Any] = {"status": status, "alerts": self.alerts, "silences": []}
        return web.json_response(answers[request.match_info["what"]])


@pytest.fixture
async def alertmanager() -> AsyncIterator[Alertmanager]:
    one = Alertmanager()
    application = web.Application()
    application.router.add_get("/api/v2/{what}", one.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield one
    await runner.cleanup()


async def copy(folder: Path, *options: str, alertmanager: str = "") -> Result:
    """The command, in a thread of its own as it has a loop of its own."""
    ends = ["--from", f"sqlite:///{folder}/a.db", "--to", f"sqlite:///{folder}/b.db"]
    runner = CliRunner(env={"TOCSIN_ALERTMANAGER_URL": alertmanager})
    return await asyncio.to_thread(runner.invoke, app, ["copy", *ends, *options])


async def test_a_copy_asks_for_a_fallback_first(alertmanager: Alertmanager, tmp_path: Path) -> None:
    """Without an Alertmanager that tells people around Tocsin nothing is copied, and the reason and what to do are said; with
    one it is, and says who is told meanwhile; --without-fallback copies all the same.
    """
    open_store(f"sqlite:///{tmp_path}/a.db").close()
    refused = await copy(tmp_path)
    assert (refused.exit_code, "TOCSIN_ALERTMANAGER_URL is not set" in refused.output) == (2, True)
    alertmanager.config = WITHOUT
    refused = await copy(tmp_path, alertmanager=alertmanager.url)
    assert (refused.exit_code, "no route that tells people" in " ".join(refused.output.split())) == (1, True)
    alertmanager.config, alertmanager.alerts = WITH, []
    refused = await copy(tmp_path, alertmanager=alertmanager.url)
    assert (refused.exit_code, "no TocsinHeartbeat" in " ".join(refused.output.split())) == (1, True)
    refused = await copy(tmp_path, alertmanager="http://127.0.0.1:9")
    assert (refused.exit_code, "is not known" in " ".join(refused.output.split())) == (1, True)
    assert not (tmp_path / "b.db").exists()
    alertmanager.alerts = [HEARTBEAT]
    done = await copy(tmp_path, alertmanager=alertmanager.url)
    assert done.exit_code == 0, done.output
    assert "tells: around-tocsin" in " ".join(done.output.split())
    (tmp_path / "b.db").unlink()
    assert (await copy(tmp_path, "--without-fallback")).exit_code == 0
