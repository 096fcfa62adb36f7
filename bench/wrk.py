"""Load by wrk (a Debian package), which uses little processor time of the measured machine.

Without it, `bench.load` sends instead: that takes a tenth of two cores and more, and favours the slower server.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

SCRIPT = Path(__file__).parent / "bodies.lua"
CONNECTIONS = 64
SECONDS = 2
"""Seconds per round."""

ELSEWHERE = "wrk is not installed: the load comes from a generator in Python, which takes much of the same cores"


def is_installed() -> bool:
    """Whether wrk is installed."""
    return shutil.which("wrk") is not None


def rate(url: str, bodies: Sequence[bytes], seconds: int = SECONDS) -> float:
    """Requests per second, with the bodies in rotation. `@@` in a body becomes a unique word.

    Raises RuntimeError if any was refused.
    """
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"\n".join(bodies))
        file.flush()
        load = [f"-c{CONNECTIONS}", "-t1", f"-d{seconds}s", "--timeout", "30s", "-s", str(SCRIPT), url]
        said = subprocess.run(
            ["wrk", *load, "--", file.name, os.urandom(4).hex()], check=True, capture_output=True, text=True
        ).stdout
    found = re.search(r"answered (\d+) failed (\d+) seconds (\S+)", said)
    if found is None or int(found[2]):
        raise RuntimeError(f"{url} did not take everything: {said}")
    return int(found[1]) / float(found[3])
