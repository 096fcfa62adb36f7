"""What a responder does at night, in a real browser against the real service: see night.mjs.

TOCSIN_SCREENSHOTS=docs/images keeps the pictures that the documents show.
"""

import asyncio
import json
import os
from pathlib import Path

import pytest

from receiver.service import Service
from receiver.settings import Settings
from tests.browser.conftest import Browser
from tests.web.conftest import payload

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
    said, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, said.decode()


@pytest.mark.parametrize("name", WINDOWS)
async def test_a_night(browser: Browser, name: str) -> None:
    """An incident appears without a reload; it is opened, acknowledged, noted, updated, ticked; a press that comes
    too late is told the truth. On no page does axe find anything, or is anything wider than the window.
    """
    settings = Settings.read({"TOCSIN_DATABASE": "sqlite://", "TOCSIN_LISTEN": "127.0.0.1:0"})
    async with Service(settings, ()) as service:
        alert = json.loads(payload("group_firing"))
        await run(browser, "night", name, service.address, alert=alert, title="is down")


async def test_without_javascript(browser: Browser) -> None:
    """Without JavaScript everything can be read and pressed."""
    settings = Settings.read({"TOCSIN_DATABASE": "sqlite://", "TOCSIN_LISTEN": "127.0.0.1:0"})
    async with Service(settings, ()) as service:
        await run(browser, "still", "phone-light", service.address, javascript=False)
