"""The demo's story: the sequence of events and actions, and the terminal's output."""

import asyncio
import contextlib
import logging
import secrets
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from receiver.clock import steady_clock
from receiver.demo import captured, tools
from receiver.demo.exporter import HEALTHY, Exporter
from receiver.demo.stand_ins import Providers, start_mailbox, start_web
from receiver.service import Service
from receiver.settings import Settings
from receiver.telemetry.logs import configure_logs
from rules.compile import compile as compile_rules
from rules.load import load
from rules.outputs import Options, alertmanager_config, rule_file
from rules.policy import CHANNEL_TYPES, SECOND, Policy
from rules.stored import stamp
from rules.time_scale import faster, faster_groups

PERSON = "Dana"
LOOK = "look"
"""Password and token of the audience, a viewer: only the story acts on the incident."""
SIGNAL = "safety_margin"
COLOURS = ("cyan", "magenta", "green", "yellow", "bright_red", "blue")
STYLES = {"timeline": "bold"} | dict(zip(CHANNEL_TYPES, cycle(COLOURS), strict=False))
SHOWN_LINES = 14
"""Lines of a message shown in the terminal."""


class Screen:
    """The terminal's output: each line with the seconds since the start."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._began = steady_clock()

    def _clock(self) -> str:
        return f"{(steady_clock() - self._began) / SECOND:6.1f}s"

    def say(self, who: str, text: str, style: str = "bold") -> None:
        """Print a line of the story."""
        line = f"[dim]{self._clock()}[/]  [{style}]{escape(who):<12}[/] {escape(text)}"
        self._console.print(line, soft_wrap=True)  # an address or a command stays whole

    def show(self, medium: str, to: str, headline: str, text: str) -> None:
        """Print a message to a recipient."""
        style = STYLES.get(medium, "white")
        lines = text.strip().splitlines()
        body = "\n".join(lines[:SHOWN_LINES]) + ("\n…" if len(lines) > SHOWN_LINES else "")
        content = f"[bold]{escape(headline)}[/]" + (f"\n{escape(body)}" if body else "")
        title = f"{self._clock().strip()} · {medium} → {escape(to)}"
        self._console.print(Panel(content, title=title, title_align="left", border_style=style, padding=(0, 1)))

    def rule(self, text: str) -> None:
        """Print the heading of a chapter."""
        self._console.rule(f"[bold]{escape(text)}", align="left", style="dim")


async def tell(factor: float, *, once: bool) -> None:
    """Run the story. `once`: it ends by itself; otherwise it waits for Ctrl-C. Releases everything it started."""
    configure_logs(level=logging.CRITICAL)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    screen = Screen()
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tocsin-demo-")))
        telling = asyncio.create_task(_tell(screen, stack, folder, factor, once=once))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({telling, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not telling.done():
            telling.cancel()
        stopping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await telling
        screen.rule("Stopping: everything that was started ends with this")


async def _tell(screen: Screen, stack: contextlib.AsyncExitStack, folder: Path, factor: float, *, once: bool) -> None:
    policy = load()
    # Heartbeats arrive at the real Alertmanager's repeat interval, which is independent of the demo's time factor.
    fast = replace(faster(policy, factor), heartbeat_within=policy.heartbeat_within)
    acting_token = secrets.token_hex(16)
    screen.rule("Where to look")
    receiver = await _start_receiver(screen, stack, folder, fast, acting_token)
    screen.rule("The policy")
    screen.say("policy", f"the shipped packs: {len(policy.rules)} rules, {len(policy.incident_types)} incident types")
    screen.say("time", f"passes {factor:g} times faster here: a minute of the policy is {60 / factor:g} s")
    world = await _start_world(screen, stack, folder, policy, receiver, factor)
    headers = {"Authorization": f"Bearer {acting_token}"}
    async with aiohttp.ClientSession(f"{receiver.address}/api/v1/", headers=headers) as api:
        watching = asyncio.create_task(_watch(screen, api))
        acting = asyncio.create_task(_act(screen, api, world, receiver.address, once=once))
        try:
            done, _ = await asyncio.wait({watching, acting}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            watching.cancel()
            acting.cancel()


async def _start_receiver(
    screen: Screen, stack: contextlib.AsyncExitStack, folder: Path, policy: Policy, acting_token: str
) -> Service:
    mailbox, smtp_url = await start_mailbox(screen.show)
    stack.callback(mailbox.close)
    runner, providers = await start_web(Providers(screen.show).app)
    stack.push_async_callback(runner.cleanup)
    settings = Settings.read(
        {
            "TOCSIN_LISTEN": "127.0.0.1:0",
            "TOCSIN_DATABASE": f"sqlite:///{folder / 'tocsin.db'}",
            "TOCSIN_API_TOKENS": f"{PERSON}:admin:{acting_token},{LOOK}:viewer:{LOOK}",
            "TOCSIN_SMTP_URL": smtp_url,
            "TOCSIN_EMAIL_FROM": "tocsin@landing-7.example",
            "TOCSIN_SLACK_TOKEN": "xoxb-demo",
            "TOCSIN_SLACK_API_URL": f"{providers}/slack/api/",
            "TOCSIN_PAGERDUTY_ROUTING_KEY": "0123456789abcdef0123456789abcdef",
            "TOCSIN_PAGERDUTY_API_URL": f"{providers}/pagerduty",
            "TOCSIN_TWILIO_ACCOUNT_SID": "AC00000000000000000000000000000000",
            "TOCSIN_TWILIO_AUTH_TOKEN": "demo",
            "TOCSIN_TWILIO_FROM": "+15550100",
            "TOCSIN_TWILIO_API_URL": f"{providers}/twilio",
        }
    )
    receiver = await stack.enter_async_context(Service(settings, [], policy))
    screen.say("console", f"{receiver.address}/ (no name, password {LOOK}: it shows all, and changes nothing)")
    screen.say("terminal", f"export TOCSIN_URL={receiver.address} TOCSIN_TOKEN={LOOK}")
    screen.say("", "and then: tocsin watch, tocsin incidents, tocsin show 1 --watch")
    return receiver


Drift = Callable[[float], Awaitable[None]]
"""A function that sets the safety margin of the watched system."""


async def _start_world(
    screen: Screen, stack: contextlib.AsyncExitStack, folder: Path, policy: Policy, receiver: Service, factor: float
) -> Drift:
    """Start Prometheus and Alertmanager if they are installed, else use captured webhooks."""
    if not tools.installed():
        screen.say("prometheus", "not installed here (nor Alertmanager): captured webhooks are posted instead")
        return captured.post_to(receiver.address)
    exporter = Exporter()
    runner, url = await start_web(exporter.app)
    stack.push_async_callback(runner.cleanup)
    options = Options(receiver_url=f"{receiver.address}/webhook/alertmanager")
    alertmanager_tool = await tools.start_alertmanager(folder, alertmanager_config.render(policy, options), factor)
    stack.push_async_callback(alertmanager_tool.stop)
    mark = stamp(receiver.engine.current.policy)  # the accelerated policy, which has another digest
    groups = tuple(group.annotated(mark) for group in faster_groups(compile_rules(policy), factor))
    targets = {"ml": url.removeprefix("http://"), "tocsin": receiver.address.removeprefix("http://")}
    rules = rule_file.render(groups)
    prometheus_tool = await tools.start_prometheus(folder, rules, targets, alertmanager_tool, exporter.scraped)
    stack.push_async_callback(prometheus_tool.stop)
    screen.say("prometheus", f"runs {sum(len(group.rules) for group in groups)} compiled rules; {prometheus_tool.url}")
    screen.say("alertmanager", f"routes to the receiver's webhook; {alertmanager_tool.url}")

    async def drift(margin: float) -> None:
        exporter.values["safety_margin"] = margin

    return drift


async def _act(screen: Screen, api: aiohttp.ClientSession, drift: Drift, address: str, *, once: bool) -> None:
    screen.rule("A model drifts")
    await asyncio.sleep(3)
    for margin in (0.98, 0.96, 0.93):
        screen.say("landing-7", f"safety_margin is {margin}", "red" if margin < 0.95 else "yellow")
        await drift(margin)
        await asyncio.sleep(1)
    incident = await _until(api, lambda each: each["labels"].get("signal") == SIGNAL)
    number = incident["number"]
    screen.rule("Nobody acknowledges: it escalates, and the response time is breached")
    await _until(api, lambda each: each["number"] == number and each["escalation"]["step"] >= 2)
    await asyncio.sleep(2)
    screen.rule(f"{PERSON} takes it")
    path = f"incidents/{incident['id']}"
    await _post(screen, api, f"{path}/acknowledge", {"by": PERSON, "note": "switching to the backup model"})
    await asyncio.sleep(3)
    screen.say("landing-7", f"safety_margin is back at {HEALTHY['safety_margin']}", "green")
    await drift(HEALTHY["safety_margin"])
    await asyncio.sleep(3)
    await _post(screen, api, f"{path}/notes", {"by": PERSON, "text": "the backup model flies; watching the margin"})
    screen.rule("The signal recovers; at level 4 a person confirms it")
    await _until(api, lambda each: each["number"] == number and each["recovery"] == "confirm")
    await asyncio.sleep(2)
    await _post(screen, api, f"{path}/resolve", {"by": PERSON, "note": "backup model holds, margin verified"})
    await _until(api, lambda each: each["number"] == number and each["state"] == "resolved")
    await asyncio.sleep(2)
    screen.rule("Told")
    screen.say("console", f"{address}/incidents/{number} (password {LOOK})")
    if not once:
        screen.say("terminal", f"export TOCSIN_URL={address} TOCSIN_TOKEN={LOOK}; tocsin show {number}; Ctrl-C ends it")
        await asyncio.Event().wait()


async def _post(screen: Screen, api: aiohttp.ClientSession, path: str, body: dict[str, str]) -> None:
    screen.say(PERSON, f"POST {path.rpartition('/')[2]}: {body.get('note') or body.get('text')}", "bold green")
    async with api.post(path, json=body) as response:
        response.raise_for_status()


async def _until(api: aiohttp.ClientSession, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Wait for an incident for which `holds` is true."""
    while True:
        async with api.get("incidents") as response:
            found = (await response.json())["incidents"]
        for incident in found:
            if holds(incident):
                return dict(incident)
        await asyncio.sleep(0.2)


async def _watch(screen: Screen, api: aiohttp.ClientSession) -> None:
    """Print new timeline entries."""
    async for number, entry in _entries(api):
        if entry["fact"] in {"accepted", "delivered"}:
            continue  # the message itself is shown
        who = f" ({entry['by']})" if entry.get("by") else ""
        screen.say(f"incident #{number}", f"{entry['text']}{who}", STYLES["timeline"])


async def _entries(api: aiohttp.ClientSession) -> AsyncIterator[tuple[int, dict[str, Any]]]:
    seen: dict[str, int] = {}
    while True:
        async with api.get("incidents") as response:
            found = (await response.json())["incidents"]
        for incident in reversed(found):
            async with api.get(f"incidents/{incident['id']}/timeline") as response:
                timeline = (await response.json())["timeline"]
            for entry in timeline[seen.get(incident["id"], 0) :]:
                yield incident["number"], entry
            seen[incident["id"]] = len(timeline)
        await asyncio.sleep(0.2)
