"""The real Prometheus and Alertmanager as child processes, with the compiled files at the demo's pace."""

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
"""Seconds until a tool must answer."""


def installed() -> bool:
    """Whether both are on this machine."""
    return all(shutil.which(name) for name in ("prometheus", "prometheus-alertmanager"))


PORTS = range(20_000, 30_000)
"""Below those that a system lends to whoever calls out (Linux: from 32768): it takes none of them while we restart."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on.

    It stays bound here until this process ends, so no other call gets it, in this process or in another one. Linux lets
    a server of ours listen on it all the same, because both sockets reuse addresses and this one does not listen. Other
    systems do not: there it is let go at once.
    """
    while True:
        port = secrets.choice(PORTS)
        with suppress(OSError), socket.socket() as held:
            held.bind(("127.0.0.1", port))
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # after the bind, which fails where it is taken
            if platform.system() == "Linux":
                held.detach()
            return port


SETTLE = 1.5
"""Seconds after the first scrape began until its samples can be read."""


class Tool:
    """One child process that serves HTTP."""

    def __init__(self, name: str, folder: Path, port: int) -> None:
        """`name`: of the program, or its path; `folder`: where what it says goes."""
        self.name = name
        self.url = f"http://127.0.0.1:{port}"
        self._log = folder / f"{Path(name).name}.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *arguments: str) -> None:
        """Start it and wait until it is ready."""
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
        """Have it read its configuration again."""
        self.send(signal.SIGHUP)

    def send(self, number: signal.Signals) -> None:
        """A signal to the process."""
        if self._process:
            self._process.send_signal(number)

    async def stop(self) -> None:
        """End it, by its own process id."""
        if self._process and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), 5)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()


async def start_alertmanager(folder: Path, config: bytes, factor: float) -> Tool:
    """Alertmanager with the compiled routes, their waits shortened."""
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
    """Prometheus scraping `targets` (job → host:port) every second, with the compiled rules.

    It gets the rules when it has scraped: evaluated before, every signal would seem lost at this pace.
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
        # It finds its Alertmanager only after five seconds, and would send what fired before a minute later.
        "--rules.alert.resend-delay=5s",
    )
    await asyncio.wait_for(scraped.wait(), STARTS_WITHIN)
    await asyncio.sleep(SETTLE)
    (folder / "rules.yml").write_bytes(rules)
    tool.reload()
    return tool


def _faster_routes(config: dict[str, object], factor: float) -> dict[str, object]:
    """Waits of all routes divided by the factor, to whole milliseconds, at least a second where they are not 0."""

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
