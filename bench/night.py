"""Repeated emergencies behind two clustered Alertmanagers, each acknowledged and recovered.

The second peer of a cluster waits with an old snapshot: after a recovery it may send the firing again (an echo). The
run counts echoes and their forbidden effects. `make pair` runs it in real time, a test faster.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from time import monotonic, time
from typing import Any

import aiohttp
import yaml

from bench.clustered import PEERS, Cluster, Ear, Heard, Programs
from bench.soak import Replica
from receiver.demo.stand_ins import start_mailbox
from rules import self_monitoring
from rules.compile import compile as compile_rules
from rules.load import load
from rules.outputs import Options, alertmanager_config, rule_file
from rules.policy import Policy
from rules.time_scale import faster_groups

POLICY = """
flapping: {{cycles: 15, within: 1s}}
incident_response:
  classification:
    severity_levels:
      - {{level: 4, name: emergency, response_time: 24h, escalation_time: 12h, resolve_after: {resolve_after}}}
  alert_channels:
    - {{name: email, type: email, recipients: [oncall@example.com], rate_limit: 1000/1m}}
  detection:
    rules:
      - {{name: safety_margin_low, condition: "safety_margin < 0.95", severity: 4, channels: [email]}}
"""
TYPE = "safety_margin_low"
HEALTHY, BROKEN = 0.99, 0.9
SLACK = 90.0
"""The maximum wait for an expected event, in seconds, on a busy machine."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The speed of a run; seconds."""

    group_interval: float
    """Of the emergency's route."""
    peer_timeout: float
    resend_delay: float
    """Of Prometheus."""
    gossip: float
    """The interval of gossip between the peers."""
    factor: float
    """Divides the compiled rules' interval (a minute) and their `for`."""
    keep_firing: int
    """How long the emergency continues to fire after its signal has recovered."""
    resolve_after: int
    firing: tuple[float, float]
    """How long the signal is bad: minimum and maximum."""

    @property
    def quiet(self) -> float:
        """The time after a recovery within which an echo and its resolve arrive."""
        return 2 * (self.group_interval + self.peer_timeout) + 1


REAL = Pace(10, 15, 60, 0.2, 12, 25, 30, (20, 45))
FAST = Pace(0.5, 2, 1, 0.05, 60, 2, 2, (0, 2))
"""The old snapshot is four group intervals old here, so nearly every recovery makes an echo."""


@dataclass(slots=True)
class Cycle:
    """One emergency: the webhooks and their effects."""

    what: str
    """Its number; or how it continues without an end."""
    echoes: list[float] = field(default_factory=list)
    """Firing webhooks after the end that they contradict: seconds after the end was received."""
    turns: int = 0
    """Firings with the old start from a peer that had sent the end itself: one replica cleared, the other did not.
    That peer sends no echo, so each is news and may page."""
    pages: int = 0
    """Pages after the acknowledgement without a new firing."""
    voided: int = 0
    """Acknowledgements voided without a new firing."""
    stuck: int = 0
    """1: the alert ended, but the incident stayed firing."""
    missed: int = 0
    """1: the alert fired without a page."""

    @property
    def faults(self) -> tuple[int, int, int, int]:
        """Pages, voided, stuck, missed: all 0 in a correct run."""
        return self.pages, self.voided, self.stuck, self.missed


@dataclass(frozen=True, slots=True)
class Outcome:
    """All cycles of one run."""

    programs: str
    group_interval: float
    cycles: tuple[Cycle, ...]


class Night:
    """One run: Tocsin, the pair of Alertmanagers before it, and the responder."""

    def __init__(self, programs: Programs, pace: Pace, folder: Path) -> None:
        """`folder`: an empty folder for the programs' output."""
        self._programs, self._pace, self._folder = programs, pace, folder
        self._dice = Random(f"{programs.name}, {pace.group_interval}")
        times = (f"{seconds:g}s" for seconds in (pace.peer_timeout, pace.resend_delay, pace.gossip))
        self._cluster = Cluster(programs, folder, *times)
        self._ear: Ear | None = None
        self._base = ""

    async def run(self, enough: Callable[[tuple[Cycle, ...]], bool]) -> Outcome:
        """Run cycles until `enough` returns true, then the re-fires that resemble echoes."""
        async with AsyncExitStack() as stack:
            await self._start(stack)
            done: tuple[Cycle, ...] = ()
            while not enough(done):
                done += (await self._cycle(str(len(done) + 1)),)
            done += (
                await self._cycle("Prometheus pauses", self._pause),
                await self._cycle("a peer is cut off", self._cut),
            )
            return Outcome(self._programs.name, self._pace.group_interval, done)

    @property
    def heard(self) -> list[Heard]:
        """All webhooks so far."""
        return self._ear.heard if self._ear else []

    async def _start(self, stack: AsyncExitStack) -> None:
        path = self._folder / "policy.yaml"
        path.write_text(POLICY.format(resolve_after=f"{self._pace.resolve_after}s"))
        policy = load([path])
        mailbox, smtp = await start_mailbox(lambda *_: None)
        stack.callback(mailbox.close)
        database = f"sqlite:///{self._folder / 'tocsin.db'}"
        replica = Replica([str(path), "--database", database], self._settings(smtp), self._folder)
        stack.push_async_callback(replica.kill)
        await replica.start()
        self._base = replica.base
        feeding = self._cluster.feeding(replica.base, self._routes(policy), self._rules(policy))
        self._ear = await stack.enter_async_context(feeding)

    def _settings(self, smtp: str) -> dict[str, str]:
        return {
            "TOCSIN_SMTP_URL": smtp,
            "TOCSIN_EMAIL_FROM": "tocsin@example.com",
            "TOCSIN_ALERTMANAGER_URL": ",".join(self._cluster.alertmanagers.values()),
        }

    def _rules(self, policy: Policy) -> bytes:
        """The compiled rules with the pace's intervals."""
        groups = faster_groups((*compile_rules(policy), *self_monitoring.groups(policy)), self._pace.factor)
        rules = yaml.safe_load(rule_file.render(groups))
        for each in (each for group in rules["groups"] for each in group["rules"] if "keep_firing_for" in each):
            each["keep_firing_for"] = f"{self._pace.keep_firing}s"
        return yaml.safe_dump(rules).encode()

    def _routes(self, policy: Policy) -> bytes:
        """The compiled routes, with the pace's group interval for the emergency."""
        config = yaml.safe_load(alertmanager_config.render(policy, Options()))
        for route in _routes(config["route"]):
            if 'severity_level="4"' in route.get("matchers", ()):
                route["group_interval"] = f"{int(self._pace.group_interval * 1000)}ms"
        return yaml.safe_dump(config).encode()

    async def _cycle(self, what: str, interrupt: Callable[[], Awaitable[None]] | None = None) -> Cycle:
        """The signal fails, a page arrives, the responder acknowledges; the signal recovers, and no page may follow.

        `interrupt`: makes Alertmanager send an end, and a firing with the earlier start.
        """
        cycle = Cycle(what)
        await self._break(cycle)
        if interrupt:
            await self._go_on(cycle, interrupt)
        told, voided = await self._pages(), await self._voided()
        await asyncio.sleep(self._dice.uniform(*self._pace.firing))
        healed_at = time()
        self._set(HEALTHY)
        await self._comes(lambda: self._ended(healed_at))
        await asyncio.sleep(self._pace.quiet)  # the absence of pages is tested
        cycle.stuck = int(not await self._comes(self._recovered))
        cycle.echoes, cycle.turns = after_the_end(self.heard, healed_at)
        cycle.pages = max(0, len(await self._pages() - told) - cycle.turns)
        cycle.voided = max(0, await self._voided() - voided - cycle.turns)
        await self._acknowledge()  # after a false page the responder acknowledges again
        return cycle

    async def _break(self, cycle: Cycle) -> None:
        told = await self._pages()
        self._set(BROKEN)
        await self._must_page(cycle, told)

    async def _go_on(self, cycle: Cycle, interrupt: Callable[[], Awaitable[None]]) -> None:
        told = await self._pages()
        await self._comes(self._fires_everywhere)  # a late replica still sends the old end before
        await interrupt()
        await self._must_page(cycle, told)
        for name in self._cluster.replicas:
            self._cluster.tell(name, PEERS)

    async def _must_page(self, cycle: Cycle, told: set[str]) -> None:
        cycle.missed += int(not await self._comes(lambda: self._grown(told)))
        await self._acknowledge()

    async def _pause(self) -> None:
        """Both replicas pause: the peers time the alert out."""
        began = time()
        for replica in self._cluster.replicas.values():
            replica.send(signal.SIGSTOP)
        await self._comes(lambda: self._ended(began), 4 * self._pace.resend_delay)
        for replica in self._cluster.replicas.values():
            replica.send(signal.SIGCONT)

    async def _cut(self) -> None:
        """Both replicas lose one peer, which times the alert out; the other still lists it."""
        began = time()
        for name in self._cluster.replicas:
            self._cluster.tell(name, PEERS[:1])
        await self._comes(lambda: self._ended(began), 4 * self._pace.resend_delay)

    def _set(self, value: float) -> None:
        self._cluster.exporter.values["safety_margin"] = value

    async def _comes(self, condition: Callable[[], Awaitable[bool]], more: float = 0) -> bool:
        """Whether the condition becomes true in time."""
        give_up_at = monotonic() + SLACK + more
        while not (came := await condition()) and monotonic() < give_up_at:  # noqa: ASYNC110 - others make it true
            await asyncio.sleep(0.2)
        return came

    async def _grown(self, told: set[str]) -> bool:
        return bool(await self._pages() - told)

    async def _fires_everywhere(self) -> bool:
        return await self._cluster.firing(TYPE) == len(self._cluster.replicas)

    async def _ended(self, since: float) -> bool:
        return any(_end(alert, since) for heard in self.heard for alert in _ours(heard))

    async def _recovered(self) -> bool:
        """No alert fires, and the recovery waits for a person's confirmation."""
        return all(not each["firing"] and each["recovery"] != "verifying" for each in await self._incidents())

    async def _incidents(self) -> list[dict[str, Any]]:
        found = (await self._get("incidents"))["incidents"]
        return [each for each in found if each["type"] == TYPE]

    async def _pages(self) -> set[str]:
        """Ids of all pages of the emergency's incidents."""
        lists = [await self._get(f"incidents/{each['number']}/notifications") for each in await self._incidents()]
        return {each["id"] for found in lists for each in found["notifications"] if each["kind"] == "page"}

    async def _voided(self) -> int:
        lists = [await self._get(f"incidents/{each['number']}/timeline") for each in await self._incidents()]
        return sum(entry["fact"] == "ack_voided" for found in lists for entry in found["timeline"])

    async def _acknowledge(self) -> None:
        async with aiohttp.ClientSession() as session:
            for each in await self._incidents():
                if each["state"] == "open":
                    url = f"{self._base}/api/v1/incidents/{each['number']}/acknowledge"
                    async with session.post(url, json={"by": "dana"}) as response:
                        response.raise_for_status()

    async def _get(self, path: str) -> dict[str, Any]:
        async with aiohttp.ClientSession() as session, session.get(f"{self._base}/api/v1/{path}") as response:
            response.raise_for_status()
            return dict(await response.json())


def _routes(route: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The route and all its subroutes."""
    yield route
    for child in route.get("routes", ()):
        yield from _routes(child)


def _ours(heard: Heard) -> list[dict[str, Any]]:
    return [each for each in heard.alerts if each["labels"].get("rule") == TYPE]


def _end(alert: dict[str, Any], since: float) -> datetime | None:
    """The alert's end if it is after `since`; ends of older episodes are sent again too."""
    if alert["status"] != "resolved":
        return None
    ended = datetime.fromisoformat(alert["endsAt"])
    return ended if ended.timestamp() >= since else None


def after_the_end(heard: list[Heard], since: float) -> tuple[list[float], int]:
    """Firings received after the first end since `since` that began before it: echoes and turns (see `Cycle`).

    An echo is given as seconds after that end was received.
    """
    echoes: list[float] = []
    turns, first_told = 0, 0.0
    told: dict[str, datetime] = {}
    for each in heard:
        for alert in _ours(each):
            if ended := _end(alert, since):
                first_told = first_told or each.at
                told[each.peer] = ended
            elif alert["status"] == "firing" and told:
                started = datetime.fromisoformat(alert["startsAt"])
                if each.peer in told and started <= told[each.peer]:
                    turns += 1
                elif started <= max(told.values()):
                    echoes.append(each.at - first_told)
    return echoes, turns
