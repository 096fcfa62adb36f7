"""`make run` is worth watching: the story is told to its end by the real parts."""

import asyncio
import sys

from tests.end_to_end.conftest import need
from tests.patience import GIVES_UP


async def test_the_demo_tells_its_story_to_the_end() -> None:
    """With the real Prometheus and Alertmanager: fires, pages, escalates, is breached, taken, confirmed; exit 0."""
    need("prometheus", "prometheus-alertmanager")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "receiver.cli", "demo", "--once", "--factor", "120",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        output, _ = await asyncio.wait_for(process.communicate(), GIVES_UP)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = output.decode()
    assert process.returncode == 0, text
    for word in ("EMERGENCY", "slack → #incident-response", "email → ", "sms → ", "pagerduty → ", "Dana", "RESOLVED"):
        assert word in text, f"{word!r} is missing in:\n{text}"
