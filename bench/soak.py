"""`make soak`: load with kills and partial failures; every accepted webhook must be delivered.

On SQLite with one process, then on PostgreSQL with three replicas, half of DURATION (ten minutes) each. Prints the
numbers accepted, delivered (on both channels), duplicated and lost; exits 1 if any was lost. The test of several
replicas runs the same for a few seconds.
"""

import asyncio
import json
import os
import re
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from bench import ingest, partial, postgres
from bench.servers import children
from receiver.demo.stand_ins import Providers, start_mailbox, start_web
from receiver.demo.tools import free_port

DURATION = 600.0
PATIENCE = 150.0
"""The maximum of seconds from the end of the load to the last delivery: leases, retries, a slow machine."""
START = 180.0
"""The maximum of seconds for a process's first answer under load."""
KILL_EVERY = (2.0, 5.0)
CHANNELS = ("email", "slack")


@dataclass
class Delivered:
    """The messages at the providers, by unit."""

    messages: dict[str, Counter[int]] = field(default_factory=lambda: {name: Counter() for name in CHANNELS})

    def show(self, medium: str, _to: str, headline: str, text: str) -> None:
        """Record one message; a bundle names several units."""
        self.messages[medium].update({int(each) for each in re.findall(r"unit-(\d+)", f"{headline} {text}")})

    def missing(self, accepted: set[int]) -> set[int]:
        """Units without a message on every channel."""
        return {unit for unit in accepted if not all(self.messages[name][unit] for name in CHANNELS)}

    @property
    def duplicated(self) -> int:
        """Messages beyond the first per unit and channel."""
        return sum(count - 1 for units in self.messages.values() for count in units.values())


@dataclass
class Outcome:
    """The figures of one run."""

    where: str
    accepted: int
    delivered: int
    duplicated: int
    lost: int
    killed: int
    writers: int
    """Writers killed alone; the others end with their service."""
    stopped: int
    partial: Counter[str]
    """Partial failure (`bench.partial`) → occurrences."""


class Replica:
    """One `tocsin serve`, restarted after each kill."""

    def __init__(self, arguments: Sequence[str], environment: dict[str, str], folder: Path) -> None:
        """`folder`: for its output."""
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self._command = [
            sys.executable,
            "-m",
            "receiver.cli",
            "serve",
            *arguments,
            "--listen",
            f"127.0.0.1:{self.port}",
        ]
        self._environment = {**os.environ, **environment}
        self._process: asyncio.subprocess.Process | None = None
        self._log = folder / f"{self.port}.log"

    async def start(self) -> None:
        """Start, and wait until it answers."""
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, env=self._environment, stdout=log, stderr=log
            )
        async with aiohttp.ClientSession() as session, asyncio.timeout(START):
            while True:
                if self._process.returncode is not None:
                    raise SystemExit(f"a replica ended at its start: {self._log.read_text()[-2000:]}")
                try:
                    async with session.get(f"{self.base}/-/healthy"):
                        return
                except aiohttp.ClientError:
                    await asyncio.sleep(0.1)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the service."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    def send_to_writer(self, number: signal.Signals) -> None:
        """Send a signal to its writer process."""
        for child in children(self._process.pid) if self._process is not None else ():
            with suppress(ProcessLookupError):
                os.kill(child, number)

    def pids(self) -> list[int]:
        """The service and its child processes."""
        return [self._process.pid, *children(self._process.pid)] if self._process is not None else []

    async def kill(self) -> None:
        """Kill it in the middle of its work."""
        self.send(signal.SIGKILL)
        if self._process is not None:
            await self._process.wait()


class Soak:
    """One run: replicas on one database, with load and failures."""

    def __init__(
        self, database: str, replicas: int, folder: Path, rate: float = 20.0, every: tuple[float, float] = KILL_EVERY
    ) -> None:
        """`rate`: webhooks a second. `every`: minimum and maximum of seconds between two failures."""
        self._database, self._folder, self._rate = database, folder, rate
        self._faults = list((partial.SQLITE if database.startswith("sqlite") else partial.POSTGRESQL).items())
        self._channel_faults = partial.ChannelFaults()
        self._count = replicas
        self._every = every
        self._dice = Random(0)
        self._serial = 0
        self.accepted: set[int] = set()
        self.told = Delivered()
        self.killed = self.writers = self.stopped = 0
        self.partial = Counter({_words(fault): 0 for fault, _ in self._faults})
        self.replicas: list[Replica] = []

    async def run(self, seconds: float, incident: Callable[[], Any] = lambda: None) -> Outcome:
        """Run. `incident` is called once in the middle (a restart of the database)."""
        mailbox, smtp = await start_mailbox(self.told.show)
        providers = Providers(self.told.show).app
        providers.middlewares.append(self._channel_faults.between)
        runner, web = await start_web(providers)
        try:
            self.replicas = [Replica(*self._settings(smtp, web), self._folder) for _ in range(self._count)]
            for replica in self.replicas:  # sequentially: the first migrates
                await replica.start()
            await self._suffer(seconds, incident)
            lost = await self._settle()
        finally:
            for replica in self.replicas:
                await replica.kill()
            mailbox.close()
            await runner.cleanup()
        told = len(self.accepted) - len(lost)
        where = f"{self._database.partition(':')[0]}, {self._count} process{'es' if self._count > 1 else ''}"
        hurt = (self.killed, self.writers, self.stopped, self.partial)
        return Outcome(where, len(self.accepted), told, self.told.duplicated, len(lost), *hurt)

    def _settings(self, smtp: str, web: str) -> tuple[list[str], dict[str, str]]:
        policy = self._folder / "policy.yaml"
        channels = ingest.POLICY.replace(
            "recipients: [oncall@example.com]", "recipients: [oncall@example.com], rate_limit: 100000/1m"
        )
        policy.write_text(channels.replace('channel: "#incidents"', 'channel: "#incidents", rate_limit: 100000/1m'))
        return [str(policy), "--database", self._database], {
            "TOCSIN_SMTP_URL": smtp,
            "TOCSIN_EMAIL_FROM": "tocsin@example.com",
            "TOCSIN_SLACK_TOKEN": "xoxb-soak",
            "TOCSIN_SLACK_API_URL": f"{web}/slack/api/",
        }

    async def _suffer(self, seconds: float, incident: Callable[[], Any]) -> None:
        load = [asyncio.create_task(self._send()) for _ in range(4)]
        chaos = asyncio.create_task(self._kill())
        await asyncio.sleep(seconds / 2)
        await asyncio.to_thread(incident)
        await asyncio.sleep(seconds / 2)
        alone = len(self.replicas) == 1
        while not (self.killed and self.writers and (self.stopped or alone) and self.partial.total()):  # noqa: ASYNC110 - without each kind the run proves nothing
            await asyncio.sleep(0.1)
        for task in (*load, chaos):
            task.cancel()
        for ended in await asyncio.gather(*load, chaos, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended

    async def _send(self) -> None:
        """Send webhooks, each repeated until a replica accepts it, as Alertmanager does."""
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                self._serial += 1
                unit = self._serial
                body = _body(unit)
                while not await self._is_taken(session, body):  # noqa: ASYNC110 - another process takes it
                    await asyncio.sleep(0.2)
                self.accepted.add(unit)
                await asyncio.sleep(4 / self._rate)

    async def _is_taken(self, session: aiohttp.ClientSession, body: bytes) -> bool:
        url = f"{self._dice.choice(self.replicas).base}/webhook/alertmanager"
        try:
            async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def _kill(self) -> None:
        """At intervals: kill a service or its writer, stop both (if several), or start a partial failure."""
        while True:
            await asyncio.sleep(self._dice.uniform(*self._every))
            victim = self._dice.choice(self.replicas)
            turn = (self.killed + self.writers + self.stopped + self.partial.total()) % 6
            if turn >= 3:
                await self._fail_partly(victim)
            elif turn == 1:
                self.writers += 1
                victim.send_to_writer(signal.SIGKILL)
            elif turn == 2 and len(self.replicas) > 1:
                self.stopped += 1
                await self._stop(victim)
            else:
                self.killed += 1
                await victim.kill()
                await asyncio.shield(victim.start())

    async def _fail_partly(self, process: Replica) -> None:
        fault, seconds = self._faults[self.partial.total() % len(self._faults)]
        self.partial[_words(fault)] += 1
        async with fault(partial.Victim(process, self._database, self._channel_faults)):
            await asyncio.sleep(seconds)

    async def _stop(self, victim: Replica) -> None:
        victim.send(signal.SIGSTOP)
        victim.send_to_writer(signal.SIGSTOP)
        try:
            await asyncio.sleep(self._dice.uniform(1, 4))
        finally:
            victim.send_to_writer(signal.SIGCONT)
            victim.send(signal.SIGCONT)

    async def _settle(self) -> set[int]:
        """Restart all killed processes; wait until all is delivered, or for PATIENCE."""
        for replica in self.replicas:
            await replica.kill()
            await replica.start()
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while self.told.missing(self.accepted):  # noqa: ASYNC110 - other processes deliver
                    await asyncio.sleep(0.5)
        return self.told.missing(self.accepted)


def _words(fault: partial.Fault) -> str:
    return str(getattr(fault, "__name__", fault)).replace("_", " ")


def _body(unit: int) -> bytes:
    """A webhook for a new unit."""
    document = json.loads(ingest.body(1))
    (alert,) = document["alerts"]
    alert["labels"]["system"] = document["groupLabels"]["system"] = f"unit-{unit}"
    alert["annotations"] = {"summary": f"accuracy is low on unit-{unit}"}
    alert["fingerprint"] = f"{unit:016x}"
    return json.dumps(document).encode()


def main() -> None:
    """Run on both databases, and print a table."""
    seconds = float(os.environ.get("DURATION", DURATION)) / 2
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        one, many = Path(folder, "sqlite"), Path(folder, "postgresql")
        one.mkdir()
        many.mkdir()
        outcomes.append(asyncio.run(Soak(f"sqlite:///{one / 'tocsin.db'}", 1, one).run(seconds)))
        with postgres.database(many) as url:
            outcomes.append(asyncio.run(Soak(url, 3, many).run(seconds)))
    columns = ("where", "accepted", "delivered", "duplicated", "lost", "killed", "writers", "stopped")
    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for each in outcomes:
        table.add_row(*(str(getattr(each, name)) for name in columns))
    console = Console(width=120)
    console.print(table)
    for each in outcomes:
        came_up = ", ".join(f"{what} {count}" for what, count in each.partial.items())
        console.print(f"what failed partly, and how often ({each.where}): {came_up}")
    sys.exit(1 if any(each.lost for each in outcomes) else 0)


if __name__ == "__main__":
    main()
