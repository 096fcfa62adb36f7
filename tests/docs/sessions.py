"""A page's commands, typed one after the other into one shell, exactly as the page says.

The marks follow the language of a block: ``sh run`` is run and must end well; ``sh run again`` is run until it ends
well (as people do who wait for a mail); ``sh not run: REASON`` is left out. ``yaml policy.yaml`` is a file that the
reader saves. The shell has a network of its own where the machine allows it, so that the page's ports are free.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.patience import GIVES_UP

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
FENCE = re.compile(r"^```(\w+) ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LOOPBACK = """
import fcntl, os, socket, struct, sys
fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8914, struct.pack("16sh14x", b"lo", 0x41))
os.execvp(sys.argv[1], sys.argv[1:])
"""
WITHIN = GIVES_UP
"""Seconds that a whole page may take on a busy machine."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, what follows that, its content."""

    language: str
    mark: str
    content: str

    @property
    def is_run(self) -> bool:
        return self.language == "sh" and self.mark in ("run", "run again")

    @property
    def is_file(self) -> bool:
        return self.language not in ("sh", "text") and bool(self.mark)


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page."""
    return [Block(*found) for found in FENCE.findall(page.read_text())]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def type_in(page: Path, folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """Do what the page says, in a folder. The exit code, and everything that was printed."""
    script = ["set -euo pipefail", "set -m"]  # -m: jobs have numbers, as in an interactive shell
    for block in blocks(page):
        if block.is_file:
            path = (folder / block.mark).resolve()
            assert path.is_relative_to(folder.resolve()), f"{block.mark}: a page saves nothing outside its own folder"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.content)
        elif block.is_run and block.mark == "run again":
            script.append(
                f"tried=0; until (\n{block.content}); do tried=$((tried + 1)); [ $tried -lt 150 ]; sleep 0.4; done"
            )
        elif block.is_run:
            script.append(f"echo {shlex.quote('$ ' + block.content)}\n{block.content}")
    printed = folder / "printed.txt"
    with printed.open("wb") as output:
        shell = subprocess.Popen(
            [*_alone(), "bash", "-c", "\n".join(script)],
            cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
        try:
            shell.wait(WITHIN)
        finally:
            _end(shell.pid)
            shell.wait()
    return shell.returncode, printed.read_text()


def _end(session: int) -> None:
    """Kill what is left of the session: the processes that it started in the background."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.getsid(int(entry.name)) == session:
                    os.kill(int(entry.name), signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue


def _alone() -> list[str]:
    """In a network of its own, with nothing in it but the machine itself; where that is not allowed, in this one."""
    if shutil.which("unshare") and subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode == 0:
        return ["unshare", "-rn", sys.executable, "-c", LOOPBACK]
    return []
