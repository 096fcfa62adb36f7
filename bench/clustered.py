"""Two clustered Alertmanagers, fed by two Prometheus replicas that scrape one signal: the real programs, observed.

Every webhook passes a proxy that records it, with its peer and its answer, and forwards it to Tocsin.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any

import aiohttp
import orjson
import yaml
from aiohttp import web

from receiver.demo.exporter import Exporter
from receiver.demo.stand_ins import start_web
from receiver.demo.tools import SETTLE, STARTS_WITHIN, Tool, free_port

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tocsin-tests"
"""The folder of tests/install-newest."""
PEERS = ("a", "b")
SETTLES_WITHIN = 60.0
"""Seconds within which two peers must find each other; they send nothing before."""

HEARD_WITHIN = 120.0
"""Seconds within which the heartbeat must arrive."""


@dataclass(frozen=True, slots=True)
class Programs:
    """The paths of one Prometheus and one Alertmanager."""

    name: str
    prometheus: str
    alertmanager: str


def installed() -> Programs | None:
    """The system's programs."""
    return _found("installed", None)


def newest() -> Programs | None:
    """The programs that tests/install-newest unpacked."""
    return _found("newest", str(CACHE / "newest" / "usr" / "bin"))


def _found(name: str, path: str | None) -> Programs | None:
    prometheus = shutil.which("prometheus", path=path)
    alertmanager = shutil.which("prometheus-alertmanager", path=path)
    return Programs(name, prometheus, alertmanager) if prometheus and alertmanager else None


@dataclass(frozen=True, slots=True)
class Heard:
    """One webhook."""

    at: float
    """Unix seconds."""
    peer: str
    raw: bytes
    status: int
    """Tocsin's answer; 0: none."""

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """The alerts of the body, in Alertmanager's form."""
        return list(orjson.loads(self.raw)["alerts"])


class Ear:
    """The proxy between the peers and Tocsin: it records every webhook, and forwards it unchanged."""

    def __init__(self, receiver: str) -> None:
        """`receiver`: the base URL of Tocsin."""
        self._webhook = f"{receiver}/webhook/alertmanager"
        self.heard: list[Heard] = []
        self.first = asyncio.Event()
        self.app = web.Application(client_max_size=64 * 1024 * 1024)
        self.app.router.add_post("/from/{peer}", self._take)

    async def _take(self, request: web.Request) -> web.Response:
        raw, at = await request.read(), time()
        status, answer = await self._hand_on(raw)
        self.heard.append(Heard(at, request.match_info["peer"], raw, status))
        self.first.set()
        return web.Response(status=status or 503, body=answer)

    async def _hand_on(self, raw: bytes) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"}
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.post(self._webhook, data=raw, headers=headers) as response,
            ):
                return response.status, await response.read()
        except aiohttp.ClientError:
            return 0, b""


class Cluster:
    """The pair and its replicas; `async with` starts and ends them."""

    def __init__(self, programs: Programs, folder: Path, peer_timeout: str, resend_delay: str, gossip: str) -> None:
        """`peer_timeout`: how long each peer waits for the one before it, such as 15s.

        `resend_delay`: after how long Prometheus resends an alert, ended ones too. `gossip`: the interval of gossip;
        peers send nothing before several intervals without a change.
        """
        self._programs, self._folder = programs, folder
        self._peer_timeout, self._resend_delay, self._gossip_interval = peer_timeout, resend_delay, gossip
        self._gossip = {name: f"127.0.0.1:{free_port()}" for name in PEERS}
        self.exporter = Exporter()
        """The signals that both replicas scrape."""
        self.alertmanagers = {name: f"http://127.0.0.1:{free_port()}" for name in PEERS}
        """Peer → its URL."""
        self.replicas: dict[str, Tool] = {}
        """Name → the replica's Prometheus."""

    @asynccontextmanager
    async def feeding(self, receiver: str, routes: bytes, rules: bytes) -> AsyncIterator[Ear]:
        """Run all programs, with webhooks to Tocsin at `receiver`, its base URL.

        `routes` is an alertmanager.yml, `rules` a rule file with a heartbeat. The rules are loaded after the peers know
        each other, both replicas know both peers, and every signal has been scraped: earlier alerts would be dropped,
        or false.
        """
        ear = Ear(receiver)
        async with AsyncExitStack() as stack:
            signals = await self._serve(stack, self.exporter.app)
            hears = await self._serve(stack, ear.app)
            for name in PEERS:
                await self._start_alertmanager(stack, name, _redirected(routes, f"{hears}/from/{name}"))
            targets = {"ml": signals.removeprefix("http://"), "tocsin": receiver.removeprefix("http://")}
            for name in PEERS:
                await self._start_prometheus(stack, name, targets)
            await asyncio.wait_for(self._met(), SETTLES_WITHIN)
            await asyncio.wait_for(self._found(), STARTS_WITHIN)
            await asyncio.wait_for(self.exporter.scraped.wait(), STARTS_WITHIN)
            await asyncio.sleep(SETTLE)
            for name, tool in self.replicas.items():
                (self._folder / f"prometheus-{name}" / "rules.yml").write_bytes(rules)
                tool.reload()
            # An alert during Prometheus's reload is lost, and resent after the resend delay.
            await asyncio.wait_for(ear.first.wait(), HEARD_WITHIN)
            yield ear

    async def _serve(self, stack: AsyncExitStack, app: web.Application) -> str:
        runner, address = await start_web(app)
        stack.push_async_callback(runner.cleanup)
        return address

    async def _start_alertmanager(self, stack: AsyncExitStack, name: str, config: bytes) -> None:
        folder = self._folder / f"alertmanager-{name}"
        folder.mkdir()
        (folder / "alertmanager.yml").write_bytes(config)
        address = self.alertmanagers[name].removeprefix("http://")
        tool = Tool(self._programs.alertmanager, folder, int(address.rpartition(":")[2]))
        stack.push_async_callback(tool.stop)
        others = [f"--cluster.peer={gossip}" for other, gossip in self._gossip.items() if other != name]
        await tool.start(
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address={address}",
            f"--web.external-url=http://alertmanager-{name}.example.test",
            f"--cluster.listen-address={self._gossip[name]}",
            f"--cluster.peer-timeout={self._peer_timeout}",
            f"--cluster.gossip-interval={self._gossip_interval}",
            *others,
        )

    async def _met(self) -> None:
        """Wait until both peers count two and are ready; before that they send nothing."""
        async with aiohttp.ClientSession() as session:
            for url in self.alertmanagers.values():
                while True:
                    async with session.get(f"{url}/api/v2/status") as response:
                        cluster = (await response.json())["cluster"]
                    if cluster["status"] == "ready" and len(cluster["peers"]) == len(PEERS):
                        break
                    await asyncio.sleep(0.2)

    async def _found(self) -> None:
        """Wait until both replicas send to both peers, which takes Prometheus five seconds."""
        async with aiohttp.ClientSession() as session:
            for tool in self.replicas.values():
                while True:
                    async with session.get(f"{tool.url}/api/v1/alertmanagers") as response:
                        if len((await response.json())["data"]["activeAlertmanagers"]) == len(PEERS):
                            break
                    await asyncio.sleep(0.2)

    async def _start_prometheus(self, stack: AsyncExitStack, name: str, targets: dict[str, str]) -> None:
        folder, port = self._folder / f"prometheus-{name}", free_port()
        folder.mkdir()
        (folder / "rules.yml").write_text("groups: []\n")
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s", "external_labels": {"replica": name}},
            "rule_files": [str(folder / "rules.yml")],
            "alerting": {"alert_relabel_configs": [{"action": "labeldrop", "regex": "replica"}]},
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": [address], "labels": {"instance": f"{job}:80"}}]}
                for job, address in targets.items()
            ],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        tool = self.replicas[name] = Tool(self._programs.prometheus, folder, port)
        self.tell(name, PEERS)
        stack.push_async_callback(tool.stop)
        await tool.start(
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
            f"--web.external-url=http://prometheus-{name}.example.test",
            f"--rules.alert.resend-delay={self._resend_delay}",
        )

    async def firing(self, rule: str) -> int:
        """The number of replicas in which the rule fires."""
        count = 0
        async with aiohttp.ClientSession() as session:
            for tool in self.replicas.values():
                async with session.get(f"{tool.url}/api/v1/alerts") as response:
                    alerts = (await response.json())["data"]["alerts"]
                count += any(each["labels"].get("rule") == rule and each["state"] == "firing" for each in alerts)
        return count

    def tell(self, replica: str, peers: Sequence[str]) -> None:
        """Restrict a replica to these peers (effective after five seconds)."""
        path = self._folder / f"prometheus-{replica}" / "prometheus.yml"
        config = yaml.safe_load(path.read_text())
        told = [self.alertmanagers[name].removeprefix("http://") for name in peers]
        config["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": told}]}]
        path.write_text(yaml.safe_dump(config))
        self.replicas[replica].reload()


def _redirected(routes: bytes, url: str) -> bytes:
    """The configuration with every webhook sent to `url`."""
    config = yaml.safe_load(routes)
    for receiver in config["receivers"]:
        for webhook in receiver.get("webhook_configs", ()):
            webhook["url"] = url
    return yaml.safe_dump(config, sort_keys=False).encode()
