"""The reports of a period and of live drills as pages, and the way back from every report."""

from dataclasses import replace

import pytest

from rules.policy import HOUR, MINUTE, Policy
from tests.web.conftest import Running, begin_with
from tests.web.test_console import page


async def test_reports_have_pages(receiver: Running) -> None:
    """A period and the live drills are read on pages whose address says the period; a drill is a link to its incident."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    await receiver.post("/api/v1/incidents", {"type": "engine_failure", "exercise": True})
    await receiver.pass_time(MINUTE)
    text = await page(receiver, "/history/report?period=7d")
    assert "<h1>Incidents of 7 days</h1>" in text
    assert 'href="/history/report?period=7d" aria-current="true"' in text
    assert "engine_failure" in text
    drills = await page(receiver, "/history/drills")
    assert '<a href="/incidents/2">#2</a>' in drills
    assert "/incidents/1" not in drills
    history = await page(receiver, "/history")
    assert 'href="/history/report"' in history
    assert 'href="/history/drills"' in history
    await page(receiver, "/history/report?period=soon", 400)


async def test_pages_of_reports_name_their_zone(receiver: Running) -> None:
    """Times of reports and plots are in UTC, also where the browser shows the page's in the viewer's zone: it is said."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    for path in ("/history/report", "/history/drills", "/incidents/1/report"):
        assert "<span data-scripted hidden>, those of the report in UTC</span>." in await page(receiver, path)
    assert "<span data-scripted hidden>, those of plots in UTC</span>." in await page(receiver, "/incidents/1")


async def test_times_of_a_page_are_in_one_zone(policy: Policy) -> None:
    """Now, an incident's page and `tocsin show` tell times in UTC also where messages tell them in the policy's zone; the
    browser then shows a page's in the viewer's.
    """
    async with begin_with(replace(policy, time_zone="Asia/Tokyo")) as receiver:
        await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
        await receiver.post("/api/v1/incidents/1/acknowledge", {"by": "ada"})
        await receiver.pass_time(13 * HOUR)
        texts = [await page(receiver, path) for path in ("/", "/incidents/1")]
        told = (await receiver.get("/api/v1/incidents/1"))[1]["account"]
        for text in (*texts, *told.values()):
            assert "JST" not in str(text)
        assert "ada acknowledged at <time" in texts[0]
        assert "UTC" in told["who_has_it"]


@pytest.mark.parametrize(
    ("report", "back"),
    [
        ("/api/v1/incidents/1/report", "/incidents/1"),
        ("/api/v1/report", "/history/report?period=30d"),
        ("/api/v1/drills", "/history/drills?period=365d"),
    ],
)
async def test_a_report_leads_back(receiver: Running, report: str, back: str) -> None:
    """The report to be read and printed leads back to the incident, or to the page of its period."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    text = await page(receiver, f"{report}?format=html")
    assert f'<a href="{back}">Back</a>' in text
    await page(receiver, back)
