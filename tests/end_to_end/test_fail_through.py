"""Who pages when Tocsin cannot: the compiled alerts about Tocsin reach people by Alertmanager's own mail.

The real Prometheus and Alertmanager run what `tocsin compile` writes; Tocsin itself is not needed for any of it.
"""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import web

from receiver.demo import tools
from receiver.demo.exporter import Exporter
from receiver.demo.stand_ins import start_mailbox, start_web
from rules import watch
from rules.compile import compile as compile_rules
from rules.load import load
from rules.outputs import Options, alertmanager, prometheus
from rules.pace import faster_groups
from tests.end_to_end.conftest import Told, need, until

FACTOR = 60
"""Prometheus looks every second here; Tocsin counts as down after one second instead of a minute."""

POLICY = """
incident_response:
  alert_channels:
    - {name: email, type: email, recipients: [oncall@example.com]}
  detection:
    rules:
      - {name: safety_margin_low, condition: "safety_margin < 0.95", severity: 4, channels: [email]}
"""


async def start_tocsin(stack: AsyncExitStack, undelivered: float | None) -> str:
    """Where Prometheus scrapes Tocsin: nobody listens there, or one whose oldest emergency waits so many seconds."""
    if undelivered is None:
        return f"127.0.0.1:{tools.free_port()}"

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(text=f"tocsin_oldest_undelivered_emergency_seconds {undelivered}\n")

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner, url = await start_web(app)
    stack.push_async_callback(runner.cleanup)
    return url.removeprefix("http://")


async def start_everything(stack: AsyncExitStack, folder: Path, told: Told, undelivered: float | None) -> Exporter:
    """The compiled rules and routes in the real tools, a signal to break, and the mail server of the fallback."""
    (folder / "policy.yaml").write_text(POLICY)
    policy = load([folder / "policy.yaml"])
    exporter = Exporter()
    exporter.values = {"safety_margin": 0.99}
    runner, url = await start_web(exporter.app)
    stack.push_async_callback(runner.cleanup)
    mailbox, smtp_url = await start_mailbox(told.show)
    stack.callback(mailbox.close)
    options = Options(
        receiver_url=f"http://127.0.0.1:{tools.free_port()}/webhook/alertmanager",
        fallback_email="lead@example.com",
        fallback_smarthost=smtp_url.removeprefix("smtp://"),
        fallback_from="alertmanager@example.com",
    )
    targets = {"ml": url.removeprefix("http://"), "tocsin": await start_tocsin(stack, undelivered)}
    manager = await tools.start_alertmanager(folder, alertmanager.render(policy, options), FACTOR)
    stack.push_async_callback(manager.stop)
    rules = prometheus.render(faster_groups((*compile_rules(policy), watch.group(policy)), FACTOR))
    prometheus_tool = await tools.start_prometheus(folder, rules, targets, manager, exporter.scraped)
    stack.push_async_callback(prometheus_tool.stop)
    return exporter


@pytest.mark.parametrize(
    ("undelivered", "expected"),
    [
        pytest.param(None, {watch.DOWN, watch.FAIL_THROUGH}, id="Tocsin is down"),
        pytest.param(watch.LATEST + 1, {watch.FAIL_THROUGH}, id="Tocsin is up and cannot deliver"),
    ],
)
async def test_an_emergency_reaches_people_without_tocsin(
    undelivered: float | None, expected: set[str], told: Told, tmp_path: Path
) -> None:
    """Tocsin down, or unable to deliver, while a level 4 alert fires: Alertmanager itself mails the fallback address."""
    need("prometheus", "prometheus-alertmanager")
    async with AsyncExitStack() as stack:
        exporter = await start_everything(stack, tmp_path, told, undelivered)
        if watch.DOWN in expected:
            await until(lambda: told.on("email", watch.DOWN), 30, "the mail that Tocsin is down")
        assert not told.on("email", watch.FAIL_THROUGH)  # nothing fires yet
        exporter.values["safety_margin"] = 0.9
        await until(lambda: told.on("email", watch.FAIL_THROUGH), 30, "the mail about the emergency")
        assert {name for name in (watch.DOWN, watch.FAIL_THROUGH) if told.on("email", name)} == expected
        assert {to for _, to, _, _ in told.messages} == {"lead@example.com"}
        (mail, *_) = told.on("email", watch.FAIL_THROUGH)
        assert mail[2]  # it has a subject that a person sees first
