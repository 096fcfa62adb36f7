"""Incidents made quieter are marked where people look: silences, and alerts that are not repeated."""

import re

from receiver.core.events import Silenced, Unheard
from receiver.core.model import Instant
from rules.policy import HOUR
from tests.web.conftest import Running
from tests.web.test_console import page


async def test_silenced_and_stale_are_shown(receiver: Running) -> None:
    """On the incident's page, on Now and in the API: until when and by whom it is silenced, since when it is not heard."""
    await receiver.send("single_firing")
    (incident,), _ = receiver.store.reads().incidents()
    until = Instant(receiver.clock.now + HOUR)
    firing = sum(incident.firing)
    await receiver.queue.handle([Silenced(incident.key, firing, until, "ada: disk swap")])
    await receiver.queue.handle([Unheard(incident.key, receiver.clock.now)])
    for path in ("/", "/incidents/1"):
        text = re.sub("</?time[^>]*>", "", (await page(receiver, path)).lower())
        assert "silenced in alertmanager until 03:13 utc: " in text
        assert "have not been repeated since 02:13 utc" in text
    text = await page(receiver, "/incidents/1")
    assert "silenced in Alertmanager until 2026-11-23 03:13 UTC by ada: disk swap" in text
    _, shown = await receiver.get("/api/v1/incidents/1")
    assert shown["silenced_until"].startswith("2026-11-23T03:13:20")
    assert shown["stale_since"].startswith("2026-11-23T02:13:20")
