"""The measured servers, each in its own process: the receiver, the bare handler (the limit), Alertmanager."""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from receiver.demo.tools import free_port

NOBODY = "route: {receiver: nobody, group_by: ['...']}\nreceivers: [{name: nobody}]\n"
"""An Alertmanager configuration whose receiver sends nothing."""


def children(process: int) -> list[int]:
    """The running child processes of a process; empty if it has ended."""
    try:
        lists = [each.read_text() for each in Path(f"/proc/{process}/task").glob("*/children")]  # per thread
        return [int(each) for some in lists for each in some.split()]
    except FileNotFoundError:
        return []


def measured() -> dict[str, int]:
    """The measured child processes of this one: name → process id."""
    found: dict[str, int] = {}
    for child in children(os.getpid()):
        command = Path(f"/proc/{child}/cmdline").read_bytes()
        if b"bench.bare" in command:
            found["bare"] = child
        if b"receiver.cli" in command:
            found |= zip(("service", "writer"), (child, *children(child)), strict=False)
    return found


def cpu(process: int) -> float:
    """Processor time of a process so far, in seconds."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def process(arguments: list[str], ready_url: str, environment: dict[str, str] | None = None) -> Iterator[None]:
    """Run a server during the block; it is ready when the URL answers 200."""
    child = subprocess.Popen(
        arguments, env={**os.environ, **(environment or {})}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(900):
            try:
                if urllib.request.urlopen(ready_url, timeout=1).status == 200:
                    break
            except OSError:
                time.sleep(0.1)
        else:
            raise RuntimeError(f"{arguments[0]} did not start")
        yield
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextmanager
def receiver(database: str, policy: Path, environment: dict[str, str]) -> Iterator[str]:
    """`tocsin serve`; yields its webhook's URL."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "receiver.cli", "serve", str(policy), "--listen", f"127.0.0.1:{port}"]
    with process([*command, "--database", database], f"{base}/-/healthy", environment):
        yield f"{base}/webhook/alertmanager"


@contextmanager
def bare(reader: str = "pydantic") -> Iterator[str]:
    """The limit: a handler that only reads and validates the same body with the same models, by that library."""
    port = free_port()
    with process([sys.executable, "-m", "bench.bare", str(port), reader], f"http://127.0.0.1:{port}/ready"):
        yield f"http://127.0.0.1:{port}/webhook"


def alertmanagers() -> dict[str, str]:
    """Name → program: the machine's Alertmanager, and that of $ALERTMANAGER, where they exist."""
    named = {"debian": "prometheus-alertmanager", "named": os.environ.get("ALERTMANAGER", "")}
    return {name: found for name, program in named.items() if program and (found := shutil.which(program))}


@contextmanager
def alertmanager(folder: Path, routes: str = NOBODY, which: str = "debian") -> Iterator[str | None]:
    """An Alertmanager that accepts alerts by its API; None if there is none of that name."""
    program = alertmanagers().get(which)
    if program is None:
        yield None
        return
    port = free_port()
    config = folder / "alertmanager.yml"
    config.write_text(routes)
    command = [
        program,
        f"--config.file={config}",
        f"--storage.path={folder / 'am'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with process(command, f"http://127.0.0.1:{port}/-/ready"):
        yield f"http://127.0.0.1:{port}/api/v2/alerts"
