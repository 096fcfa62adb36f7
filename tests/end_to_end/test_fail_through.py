"""Who pages when Tocsin cannot: the compiled alerts about Tocsin reach people by Alertmanager's own mail.

The real Prometheus and Alertmanager run what `tocsin compile` writes; Tocsin itself is not needed for any of it.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from receiver.demo import tools
from receiver.demo.exporter import Exporter
from receiver.demo.stand_ins import start_mailbox, start_web
from rules import self_monitoring
from rules.compile import compile as compile_rules
from rules.load import load
from rules.outputs import Options, alertmanager_config, rule_file
from rules.time_scale import faster_groups
from tests.end_to_end.conftest import Told, need, until
from tests.patience import GIVES_UP

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


WELL: Mapping[str, float] = {
    "tocsin_store_up": 1,
    "tocsin_oldest_undelivered_emergency_seconds": 0,
    'tocsin_heartbeat_age_seconds{source=""}': 20,
}
"""What a Tocsin says that pages."""

UNWELL = {
    "Tocsin cannot deliver": {"tocsin_oldest_undelivered_emergency_seconds": self_monitoring.LATEST + 1},
    "it reads and cannot write": {"tocsin_store_up": 0},
    "the webhook's token was revoked": {'tocsin_heartbeat_age_seconds{source=""}': self_monitoring.UNHEARD + 1},
}


async def start_tocsin(stack: AsyncExitStack, says: dict[str, float] | None) -> str:
    """Where Prometheus scrapes Tocsin: a closed port, or a server with these metrics."""
    if says is None:
        return f"127.0.0.1:{tools.free_port()}"

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(text="".join(f"{name} {value}\n" for name, value in says.items()))

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner, url = await start_web(app)
    stack.push_async_callback(runner.cleanup)
    return url.removeprefix("http://")


def sooner(rules: bytes) -> bytes:
    """Windows that are looked back over, shortened as the intervals are."""
    for window, short in ((b"[1m]", b"[3s]"), (b"[3m]", b"[9s]"), (b"3m)", b"9s)"), (b"90s", b"5s")):
        rules = rules.replace(window, short)
    return rules


async def start_everything(
    stack: AsyncExitStack, folder: Path, told: Told, says: dict[str, float] | None
) -> tuple[Exporter, str]:
    """The compiled rules and routes in the real tools, and the mail server of the fallback.

    Returns a signal to break, and Prometheus' URL.
    """
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
    targets = {"ml": url.removeprefix("http://"), "tocsin": await start_tocsin(stack, says)}
    manager = await tools.start_alertmanager(folder, alertmanager_config.render(policy, options), FACTOR)
    stack.push_async_callback(manager.stop)
    rules = sooner(rule_file.render(faster_groups((*compile_rules(policy), *self_monitoring.groups(policy)), FACTOR)))
    prometheus_tool = await tools.start_prometheus(folder, rules, targets, manager, exporter.scraped)
    stack.push_async_callback(prometheus_tool.stop)
    return exporter, prometheus_tool.url


async def fires(url: str, alertname: str, *, ends: bool = False) -> None:
    """Wait until Prometheus says that the alert fires, or that it does so no more."""
    query = {"query": f'ALERTS{{alertname="{alertname}",alertstate="firing"}}'}
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{url}/api/v1/query", params=query) as answer:
                if bool((await answer.json())["data"]["result"]) is not ends:
                    return
            await asyncio.sleep(0.1)


def about(told: Told) -> list[str]:
    """The headings of the mails about an emergency that Tocsin may not have delivered."""
    return [headline for _, _, headline, text in told.on("email", self_monitoring.FAIL_THROUGH)]


async def test_an_emergency_reaches_people_while_tocsin_is_down(told: Told, tmp_path: Path) -> None:
    """Tocsin is down when a level 4 alert begins to fire: Alertmanager itself mails the fallback address."""
    need("prometheus", "prometheus-alertmanager")
    async with AsyncExitStack() as stack:
        exporter, _ = await start_everything(stack, tmp_path, told, None)
        await until(lambda: told.on("email", self_monitoring.DOWN), "the mail that Tocsin is down")
        assert not about(told)  # nothing fires yet
        exporter.values["safety_margin"] = 0.9
        await until(lambda: about(told), "the mail about the emergency")
        assert {to for _, to, _, _ in told.messages} == {"lead@example.com"}
        (mail, *_) = told.on("email", self_monitoring.FAIL_THROUGH)
        assert mail[2]  # it has a subject that a person sees first


@pytest.mark.parametrize("trouble", UNWELL.values(), ids=UNWELL)
async def test_an_emergency_reaches_people_once_and_no_all_clear_follows(
    trouble: dict[str, float], told: Told, tmp_path: Path
) -> None:
    """Tocsin answers, and sends no page: people hear once what fires and that Tocsin fails, and nothing when Tocsin is
    well again while the emergency goes on.
    """
    need("prometheus", "prometheus-alertmanager")
    says = dict(WELL)
    async with AsyncExitStack() as stack:
        exporter, url = await start_everything(stack, tmp_path, told, says)
        exporter.values["safety_margin"] = 0.9
        await asyncio.wait_for(fires(url, "SafetyMarginLow"), GIVES_UP)
        assert not told.messages  # Tocsin pages
        says |= trouble
        await until(lambda: about(told), "the mail about the emergency")
        (mail,) = told.on("email")
        assert "SafetyMarginLow" in mail[3]
        assert "TOCSIN FAILS" in mail[3]
        says |= WELL
        await asyncio.wait_for(fires(url, self_monitoring.FAIL_THROUGH, ends=True), GIVES_UP)
        exporter.values["safety_margin"] = 0.99
        await asyncio.wait_for(fires(url, "SafetyMarginLow", ends=True), GIVES_UP)
        assert len(about(told)) == 1
        assert not [each for each in told.messages if "RESOLVED" in each[2]]
