"""Who pages when Tocsin cannot: the compiled alerts about Tocsin reach people by Alertmanager's own mail.

The real Prometheus and Alertmanager run what `tocsin compile` writes; Tocsin itself is not needed for any of it. What
happens where it runs and cannot page is in `tests/partial`.
"""

from contextlib import AsyncExitStack
from pathlib import Path

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


async def start_everything(stack: AsyncExitStack, folder: Path, told: Told) -> Exporter:
    """The compiled rules and routes in the real tools, the mail server of the fallback, and no Tocsin.

    Returns a signal to break.
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
    targets = {"ml": url.removeprefix("http://"), "tocsin": f"127.0.0.1:{tools.free_port()}"}
    manager = await tools.start_alertmanager(folder, alertmanager.render(policy, options), FACTOR)
    stack.push_async_callback(manager.stop)
    rules = prometheus.render(faster_groups((*compile_rules(policy), *watch.groups(policy)), FACTOR))
    rules = rules.replace(b"[1m]", b"[3s]")  # what is looked back over
    prometheus_tool = await tools.start_prometheus(folder, rules, targets, manager, exporter.scraped)
    stack.push_async_callback(prometheus_tool.stop)
    return exporter


def about(told: Told) -> list[str]:
    """The mails about an emergency that Tocsin may have told nobody, as they are headed."""
    return [headline for _, _, headline, text in told.on("email", watch.FAIL_THROUGH)]


async def test_an_emergency_reaches_people_while_tocsin_is_down(told: Told, tmp_path: Path) -> None:
    """Tocsin is down when a level 4 alert begins to fire: Alertmanager itself mails the fallback address."""
    need("prometheus", "prometheus-alertmanager")
    async with AsyncExitStack() as stack:
        exporter = await start_everything(stack, tmp_path, told)
        await until(lambda: told.on("email", watch.DOWN), 30, "the mail that Tocsin is down")
        assert not about(told)  # nothing fires yet
        exporter.values["safety_margin"] = 0.9
        await until(lambda: about(told), 30, "the mail about the emergency")
        assert {to for _, to, _, _ in told.messages} == {"lead@example.com"}
        (mail, *_) = told.on("email", watch.FAIL_THROUGH)
        assert mail[2]  # it has a subject that a person sees first
