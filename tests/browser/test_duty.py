"""Who is on call, in a real browser against the real service: see duty.mjs."""

import pytest

from receiver.service import Service
from rules.load import load_text
from tests.browser.conftest import Browser
from tests.browser.test_night import receiver, run

POLICY = """
incident_response:
  alert_channels:
    - {name: email, type: email, recipients: [team@example.org]}
    - {name: sms, type: sms, recipients: ["@primary"]}
people:
  - {name: dana, time_zone: Europe/Berlin, contacts: {sms: "+491701000001", email: dana@example.com}}
  - {name: ben, contacts: {sms: "+491701000002"}}
  - {name: chris, time_zone: America/Chicago, contacts: {sms: "+491701000003", email: chris@example.com}}
schedules:
  - name: primary
    time_zone: Europe/Berlin
    layers: [{people: [dana, ben, chris], starts: "2026-01-05T09:00", every: 1w}]
  - name: office
    time_zone: America/Chicago
    layers:
      - people: [ben, chris]
        starts: "2026-01-05T09:00"
        every: 1d
        only: [{days: [mon, tue, wed, thu, fri], from: "09:00", to: "17:00"}]
"""


@pytest.mark.parametrize(("name", "javascript"), [("phone-light", True), ("desktop-dark", True), ("phone-dark", False)])
async def test_who_is_on_call(browser: Browser, name: str, *, javascript: bool) -> None:
    """A person is put on call with a reason and taken off again; the quarter, a person and their calendar are read."""
    async with Service(receiver(), (), load_text(POLICY).policy) as service:
        await run(browser, "duty", name, service.address, javascript=javascript, full=True)
