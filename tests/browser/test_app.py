"""Tocsin installed as an app, in a real browser against the real service: see app.mjs."""

import pytest

from receiver.service import Service
from tests.browser.conftest import Browser
from tests.browser.line import line_to
from tests.browser.test_night import USERS, receiver, run


@pytest.mark.parametrize("name", ["phone-light", "desktop-dark"])
async def test_an_installed_app(browser: Browser, name: str) -> None:
    """It can be installed; what opens rings and is noticed unless it is muted, and shows on the icon; offline it says
    since when, and shows what was seen last as old; the wall and the reports are read at any width.
    """
    settings = {"TOCSIN_USERS": USERS, "TOCSIN_API_TOKENS": "night:admin:token-of-the-night"}
    async with Service(receiver(**settings), ()) as service, line_to(service.address) as line:
        more = {"direct": service.address, "control": line.control, "token": "token-of-the-night"}
        await run(browser, "app", name, line.url, **more)
