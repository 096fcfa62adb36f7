"""A night without a mouse, in a real browser against the real service: see keys.mjs."""

from receiver.service import Service
from tests.browser.conftest import Browser
from tests.browser.test_night import PEOPLE, TOKEN, receiver, run


async def test_a_night_by_keyboard(browser: Browser) -> None:
    """From incident to incident, acknowledge, ask for help, search and turn the keys off, by keys alone; the focus never
    falls to the page's begin; what a screen reader is told has each thing's name; number and link are copied; a choice
    survives a reload.
    """
    async with Service(receiver(**PEOPLE), ()) as service:
        await run(browser, "keys", "desktop-dark", service.address, token=TOKEN)
