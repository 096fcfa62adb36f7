"""The real Prometheus and Alertmanager as child processes, with the compiled files and the demo's time factor."""

import asyncio
import platform
import secrets
import shutil
import signal
import socket
from contextlib import suppress
from pathlib import Path

import aiohttp
import yaml

STARTS_WITHIN = 20.0
"""Seconds within which a tool must answer."""


def installed() -> bool:
    """Whether both are installed on this machine."""
    return all(shutil.which(name) for name in ("prometheus", "prometheus-alertmanager"))


PORTS = range(20_000, 30_000)
"""Below the ephemeral ports (Linux: from 32768), so that the system does not assign one during a restart."""


def free_port() -> int:
    """A free port of 127.0.0.1.

    On Linux it stays bound until this process ends, so that no other call gets it, in this process or another. A server
    can still listen on it, because both sockets set SO_REUSEADDR and this one does not listen. Other systems do not
    allow that: there the port is released at once.
    """
    while True:
        port = secrets.choice(PORTS)
        with suppress(OSError), socket.socket() as held:
            held.bind(("127.0.0.1", port))
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # after `bind`, which must fail on a used port
            if platform.system() == "Linux":
                held.detach()
            return port


SETTLE = 1.5
"""Seconds from the start of the first scrape until its samples can be queried."""


class Tool:
    """A child process that serves HTTP."""

    def __init__(self, name: str, folder: Path, port: int) -> None:
        """`name`: the program's name or path; `folder`: of its log file."""
        self.name = name
        self.url = f"http://127.0.0.1:{port}"
        self._log = folder / f"{Path(name).name}.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *arguments: str) -> None:
        """Start the process, and wait until it is ready. Raises RuntimeError if it does not become ready."""
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                self.name, *arguments, stdout=log, stderr=log, start_new_session=True
            )
        async with aiohttp.ClientSession() as session:
            for _ in range(int(STARTS_WITHIN * 10)):
                if self._process.returncode is not None:
                    break
                try:
                    async with session.get(f"{self.url}/-/ready") as response:
                        if response.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.1)
        raise RuntimeError(f"{self.name} did not start:\n{self._log.read_text()[-2000:]}")

    def reload(self) -> None:
        """Make it read its configuration again."""
        self.send(signal.SIGHUP)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        if self._process:
            self._process.send_signal(number)

    async def stop(self) -> None:
        """End the process."""
        if self._process and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), 5)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()


async def start_alertmanager(folder: Path, config: bytes, factor: float) -> Tool:
    """Start Alertmanager with the compiled routes, their intervals shortened."""
    port = free_port()
    path = folder / "alertmanager.yml"
    path.write_text(yaml.safe_dump(_faster_routes(yaml.safe_load(config), factor), sort_keys=False))
    tool = Tool("prometheus-alertmanager", folder, port)
    await tool.start(
        f"--config.file={path}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    )
    return tool


async def start_prometheus(
    folder: Path, rules: bytes, targets: dict[str, str], alertmanager: Tool, scraped: asyncio.Event
) -> Tool:
    """Start Prometheus: it scrapes `targets` (job → host:port) every second, and evaluates the compiled rules.

    The rules are added after the first scrape: earlier, at this speed, every signal would count as missing.
    """
    port = free_port()
    (folder / "rules.yml").write_text("groups: []\n")
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(folder / "rules.yml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager.url.removeprefix("http://")]}]}]},
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [address]}]} for job, address in targets.items()
        ],
    }
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    tool = Tool("prometheus", folder, port)
    await tool.start(
        f"--config.file={path}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        # Prometheus finds Alertmanager after 5 s, and by default would resend alerts fired before that a minute later.
        "--rules.alert.resend-delay=5s",
    )
    await asyncio.wait_for(scraped.wait(), STARTS_WITHIN)
    await asyncio.sleep(SETTLE)
    (folder / "rules.yml").write_bytes(rules)
    tool.reload()
    return tool


def _faster_routes(config: dict[str, object], factor: float) -> dict[str, object]:
    """Replace intervals other than 0 by 10 s (`repeat_interval`) or 1 s (the others) if the factor is above 1."""

    def walk(route: dict[str, object]) -> None:
        for name in ("group_wait", "group_interval", "repeat_interval"):
            if name in route and str(route[name]) not in {"0s", "0"}:
                route[name] = "1s" if name != "repeat_interval" else "10s"
        children = route.get("routes", [])
        for child in children if isinstance(children, list) else []:
            walk(child)

    root = config["route"]
    if isinstance(root, dict) and factor > 1:
        walk(root)
    return config
