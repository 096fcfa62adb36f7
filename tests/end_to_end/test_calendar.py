"""The whole service with a schedule by a calendar at a URL: fetched in the background, kept, and gone on with."""

from pathlib import Path

import aiohttp
from aiohttp import web

from receiver.demo.stand_ins import start_web
from receiver.service import Service
from receiver.settings import Settings
from tests.end_to_end.conftest import Told, until

CALENDAR = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:a\r\nSUMMARY:dana\r\n"
    "DTSTART;VALUE=DATE:20250101\r\nDTEND;VALUE=DATE:20250102\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
POLICY = """
incident_response:
  alert_channels: [{name: email, type: email, recipients: ["@primary", team@example.org]}]
people: [{name: dana, contacts: {email: dana@example.org}}]
schedules: [{name: primary, time_zone: UTC, calendar: "URL/private-3f9c/oncall.ics"}]
"""


async def test_pages_go_to_whom_the_calendar_names_also_after_its_server_and_the_service_are_gone(
    environment: dict[str, str], told: Told, tmp_path: Path
) -> None:
    """The first fetch is soon after the start; the next service starts without the server and pages by the copy."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=CALENDAR, content_type="text/calendar")

    feed = web.Application()
    feed.router.add_get("/private-3f9c/oncall.ics", answer)
    runner, url = await start_web(feed)
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY.replace("URL", url))
    settings = Settings.read(environment)
    try:
        async with Service(settings, [policy]) as service:
            reads = service._store.reads()
            await until(reads.calendar_texts, what="the calendar is kept")
            await _declare(service, "first")
            await until(lambda: told.on("email", "dana@example.org"), what="dana is told")
    finally:
        await runner.cleanup()
    told.messages.clear()
    async with Service(settings, [policy]) as service:
        await _declare(service, "second")
        await until(lambda: told.on("email", "dana@example.org"), what="dana is told again")


async def _declare(service: Service, title: str) -> None:
    said = {"type": title, "new_type": True, "level": 4, "by": "ann"}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{service.address}/api/v1/incidents", json=said) as response,
    ):
        assert response.status == 201, await response.text()
