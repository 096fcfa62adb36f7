"""Load by wrk (Debian has it), which takes little of the cores that it shares with what is measured.

Where it is not installed `bench.load` sends instead: that takes a tenth of two cores and more, and flatters the slower.
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
"""Of a round."""

ELSEWHERE = "wrk is not installed: the load comes from a generator in Python, which takes much of the same cores"


def is_installed() -> bool:
    """Whether there is one."""
    return shutil.which("wrk") is not None


def rate(url: str, bodies: Sequence[bytes], seconds: int = SECONDS) -> float:
    """Requests a second, the bodies in turn. `@@` in a body becomes a word never sent before.

    Raises RuntimeError where any was refused.
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
