"""What a responder does at night, in a real browser against the real service: see night.mjs.

TOCSIN_SCREENSHOTS=docs/images keeps the pictures that the documents show.
"""

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from math import sin
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from receiver.service import Service
from receiver.settings import Settings
from receiver.web.auth.passwords import hash_password
from tests.browser.conftest import Browser
from tests.channels.servers.slack import SlackWorkspace
from tests.channels.servers.wire import Reply, Request, Wire
from tests.patience import GIVES_UP

ROOT = Path(__file__).resolve().parents[2]

WINDOWS = {
    "phone-light": (360, 740, "light"),
    "phone-dark": (360, 740, "dark"),
    "desktop-light": (1280, 800, "light"),
    "desktop-dark": (1280, 800, "dark"),
}


async def run(browser: Browser, scenario: str, name: str, url: str, **more: object) -> None:
    """One scenario in one window."""
    width, height, scheme = WINDOWS[name]
    shots = os.environ.get("TOCSIN_SCREENSHOTS", "")
    story = {
        "name": name,
        "url": url,
        "modules": browser.modules,
        "chromium": browser.chromium,
        "width": width,
        "height": height,
        "scheme": scheme,
        "shots": str(ROOT / shots) if shots else "",
        **more,
    }
    script = Path(__file__).with_name(f"{scenario}.mjs")
    process = await asyncio.create_subprocess_exec(
        browser.node, str(script), json.dumps(story), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), GIVES_UP)
    finally:
        if process.returncode is None:
            process.terminate()  # it takes its browser with it
    assert process.returncode == 0, said.decode()


USERS = f"dana:approver:{hash_password('correct')}"
TOKEN = "token-of-the-night"
PEOPLE = {"TOCSIN_USERS": USERS, "TOCSIN_API_TOKENS": f"night:admin:{TOKEN}"}


@pytest.mark.parametrize("name", WINDOWS if os.environ.get("TOCSIN_SCREENSHOTS") else ("phone-light", "desktop-dark"))
async def test_a_night(browser: Browser, name: str) -> None:
    """Log in; an incident appears without a reload; acknowledge, note, update, tick, write down the cause; a press
    that comes too late is told the truth; declare and resolve another; read and print the report. On no page does
    axe find anything, or is anything wider than the window.
    """
    async with prometheus() as there, Service(receiver(TOCSIN_PROMETHEUS_URL=there.url, **PEOPLE), ()) as service:
        await run(
            browser,
            "night",
            name,
            service.address,
            alert=alert(),
            title="safety margin of landing-7",
            token=TOKEN,
        )


async def test_without_javascript(browser: Browser) -> None:
    """Without JavaScript everything can be read and pressed, from the acknowledgement to a channel's test; a note that
    is posted when the session has ended is not lost.
    """
    workspace = SlackWorkspace("xoxb-night")
    async with workspace.wire:
        slack = {"TOCSIN_SLACK_TOKEN": "xoxb-night", "TOCSIN_SLACK_API_URL": f"{workspace.wire.url}/api"}
        async with Service(receiver(**slack, **PEOPLE), ()) as service:
            await run(browser, "still", "phone-light", service.address, javascript=False, token=TOKEN)


def receiver(**more: str) -> Settings:
    """In memory, on a port of its own."""
    return Settings.read({"TOCSIN_DATABASE": "sqlite://", "TOCSIN_LISTEN": "127.0.0.1:0", **more})


def alert() -> dict[str, Any]:
    """A webhook of a rule of the shipped policy, firing since three minutes."""
    labels = {
        "alertname": "SafetyCriticalFailure",
        "section": "incident_response",
        "rule": "safety_critical_failure",
        "severity_level": "3",
        "system": "landing-7",
        "signal": "safety_margin",
    }
    since = datetime.now(UTC) - timedelta(minutes=3)
    one = {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": "The safety margin of landing-7 is low"},
        "startsAt": since.isoformat(),
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": "f1",
        "generatorURL": "http://prometheus.example/graph",
    }
    return {"version": "4", "status": "firing", "alerts": [one], "groupLabels": labels, "groupKey": "g"}


def prometheus() -> Wire:
    """Answers every range as Prometheus would for a margin that falls; the course is what the pictures show."""

    def answer(request: Request) -> Reply:
        asked = dict(parse_qsl(request.body.decode()))
        begin, end, step = (float(asked.get(name, "0")) for name in ("start", "end", "step"))
        count = int((end - begin) / step) + 1 if step else 0
        values = [[begin + step * place, f"{margin(place / max(1, count - 1)):.4f}"] for place in range(count)]
        series = {"metric": {"__name__": "safety_margin", "system": "landing-7"}, "values": values}
        data = {"resultType": "matrix", "result": [series]} if count else {"resultType": "vector", "result": []}
        return Reply(200, {"status": "success", "data": data})

    return Wire(answer)


def margin(share: float) -> float:
    """Good, with a little unrest, and then worse and worse."""
    return 0.985 + 0.004 * sin(40 * share) - max(0.0, share - 0.75) * 0.36
