"""Used at night, by a tired thumb, in a real browser against the real service: see thumb.mjs."""

from typing import Any

import pytest

from receiver.service import Service
from tests.browser.conftest import Browser
from tests.browser.line import line_to
from tests.browser.test_night import USERS, alert, receiver, run


@pytest.mark.parametrize("name", ["phone-dark", "desktop-light"])
async def test_a_tired_thumb(browser: Browser, name: str) -> None:
    """A second tap acknowledges nothing else and a slip is undone; no card moves under a finger; a page that is old
    says so, a press that does not arrive too; what was typed survives a session's end.
    """
    settings = {"TOCSIN_USERS": USERS, "TOCSIN_API_TOKENS": "night:admin:token-of-the-night"}
    async with Service(receiver(**settings), ()) as service, line_to(service.address) as line:
        more: dict[str, Any] = {"direct": service.address, "control": line.control, "token": "token-of-the-night"}
        more["alerts"] = sixty()
        await run(browser, "thumb", name, line.url, **more)


def sixty() -> dict[str, Any]:
    """A webhook of sixty alerts: twenty hosts in three zones."""
    body = alert()
    one = body["alerts"][0]
    body["alerts"] = [
        one
        | {"fingerprint": f"{each:016x}", "labels": one["labels"] | {"zone": f"z{each % 3}", "host": f"host-{each}"}}
        for each in range(60)
    ]
    return body
