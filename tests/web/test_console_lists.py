"""History, policy and channels, and what can be taken away as CSV."""

import asyncio
import csv
import html
import io
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from receiver.core.events import Delivered, Retry
from receiver.core.model import Instant
from receiver.engine.commands import OutcomeReport
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.messages.times import DAY
from receiver.store import Reads
from receiver.store.statistics import Tally
from receiver.web.console.weeks import Weeks
from rules.load import load
from rules.policy import HOUR, MINUTE, Policy
from tests.patience import GIVES_UP
from tests.web.conftest import Running
from tests.web.test_console import HOSTILE, page


async def some_history(receiver: Running) -> None:
    """#1 acknowledged after 2 minutes and resolved after 1 hour, #2 breached, #3 an exercise two weeks later."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure", "title": "left engine"})
    receiver.clock.now += 2 * MINUTE
    await receiver.post("/api/v1/incidents/1/acknowledge", {"by": "Dana"})
    receiver.clock.now += 58 * MINUTE
    await receiver.post("/api/v1/incidents/1/resolve", {"by": "Dana"})
    await receiver.send("repeat_1")
    await receiver.pass_time(5 * HOUR)
    await receiver.pass_time(14 * DAY)
    await receiver.post("/api/v1/incidents", {"type": "engine_failure", "title": "right engine", "exercise": True})


def listed(text: str) -> list[int]:
    """Numbers of the list's incidents."""
    return [int(number) for number in re.findall(r'<p><a href="/incidents/(\d+)"', text)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [3, 2, 1]),
        ("level=4", [3, 1]),
        ("state=open", [3, 2]),
        ("state=open,acknowledged&level=4", [3]),
        ("search=LEFT", [1]),
        ("type=engine_failure&search=engine", [3, 1]),
        ("search=dana", [1]),
        ("search=alertname%3D", [2]),
        ("person=Dana", [1]),
        ("person=Dan", []),
        ("system=no-such-system", []),
        ("since=2026-11-24", [3]),
        ("until=2026-11-23", [2, 1]),
        ("since=2026-11-24&until=2026-11-30", []),
        ("until=2026-11-22", []),
        ("until=2026-11-22&zone=Pacific/Honolulu", [2, 1]),
        ("limit=2", [3, 2]),
    ],
)
async def test_history_is_found(receiver: Running, query: str, found: list[int]) -> None:
    """By level, state, words, type and day, together or alone; the newest first."""
    await some_history(receiver)
    text = await page(receiver, f"/history?{query}")
    assert listed(text) == found
    rows = list(csv.DictReader(io.StringIO(await page(receiver, f"/history.csv?{query}"))))
    assert [int(row["number"]) for row in rows] == (found if "limit" not in query else [3, 2, 1])


@pytest.mark.parametrize(
    "query",
    [
        "level=5",
        "state=odd",
        "since=yesterday",
        "since=0001-01-01",
        "until=9999-12-31",
        "cursor=x",
        "a=b",
        "zone=Moon/Sea",
    ],
)
async def test_odd_questions(receiver: Running, query: str) -> None:
    """What cannot be asked is a page that says so."""
    assert "That did not work" in await page(receiver, f"/history?{query}", 400)


async def test_older_ones(receiver: Running) -> None:
    """The link to older incidents keeps the question."""
    await some_history(receiver)
    text = await page(receiver, "/history?limit=1&level=4")
    (older,) = re.findall(r'href="(\?[^"]+)">Older', text)
    assert listed(await page(receiver, "/history" + older.replace("&amp;", "&"))) == [1]


async def test_filters_stay_and_are_links(receiver: Running) -> None:
    """A former owner is a link that narrows the list and keeps what is chosen; each choice can be taken out."""
    await some_history(receiver)
    text = html.unescape(await page(receiver, "/history?level=4"))
    assert 'href="/history?level=4&person=Dana"' in text
    text = html.unescape(await page(receiver, "/history?level=4&person=Dana"))
    assert listed(text) == [1]
    assert 'name="person" list="people" value="Dana"' in text
    assert all(f'href="/history?{rest}"' in text for rest in ("level=4", "person=Dana"))


async def test_a_number_is_found(receiver: Running) -> None:
    """An incident is found by its number, with or without the sign; the list stands before the charts."""
    await some_history(receiver)
    for asked in ("%231", "1"):
        text = await page(receiver, f"/history?search={asked}")
        assert 1 in listed(text)
        assert text.index('id="list-title"') < text.index('id="figures-title"')


async def test_figures(receiver: Running) -> None:
    """Mean times to acknowledge and to resolve, deadlines kept and breached, by level; exercises do not count."""
    await some_history(receiver)
    async with asyncio.timeout(GIVES_UP):
        while "Still being counted" in (text := await page(receiver, "/history")):
            await asyncio.sleep(0.02)
    told = {
        int(part[0]): re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", part[2:]))
        for part in text.split('<li id="figures-')[1:]
    }
    assert "1 incident " in told[4]
    for words in ("kept 1 of 1 (100 %)", "acknowledge 2 minutes", "resolve 1 hour"):
        assert words in told[4]
    assert "kept 0 of 1 (0 %) Mean time to acknowledge none yet Mean time to resolve none yet" in told[2]
    assert "2 incidents" in told[0]
    assert "kept 1 of 2 (50 %)" in told[0]
    drawing = text.partition('<ul class="entries figures')[0]
    assert drawing.count('class="kept" x=') == 12
    async with receiver.http.get(f"{receiver.url}/history/weeks.csv") as answer:
        rows = list(csv.DictReader(io.StringIO(await answer.text())))
    assert len(rows) == 12 * 4
    assert sum(int(row["incidents"]) for row in rows) == 2
    assert [row["mean_seconds_to_resolve"] for row in rows if row["kept"] == "1"] == ["3600"]


async def test_a_slip_is_no_answer(receiver: Running) -> None:
    """An acknowledgement that was taken back counts nowhere as one: the time is that of the first that stayed."""
    for _ in range(2):
        await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    receiver.clock.now += MINUTE
    for number in (1, 2):
        await receiver.post(f"/api/v1/incidents/{number}/acknowledge", {"by": "Dana"})
        await receiver.post(f"/api/v1/incidents/{number}/undo", {"by": "Dana"})
    receiver.clock.now += MINUTE
    await receiver.post("/api/v1/incidents/2/acknowledge", {"by": "Dana"})
    (tally,) = receiver.store.reads().tallies(Instant(0), Instant(receiver.clock.now + 1))
    assert (tally.incidents, tally.acknowledged, tally.to_acknowledge, tally.kept) == (2, 1, 2 * MINUTE, 1)


async def test_exports(receiver: Running) -> None:
    """Alerts, timeline and messages of an incident are CSV; what a spreadsheet would calculate is only text."""
    await receiver.send("group_firing")
    await receiver.post("/api/v1/incidents/1/notes", {"by": "=cmd|' /C calc'!A0", "text": f"=1+1 {HOSTILE}"})
    counts = {}
    for name in ("alerts", "timeline", "messages"):
        async with receiver.http.get(f"{receiver.url}/incidents/1/{name}.csv") as answer:
            assert answer.status == 200
            assert answer.content_type == "text/csv"
            rows = list(csv.DictReader(io.StringIO(await answer.text())))
            counts[name] = len(rows)
            assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    assert counts["alerts"] == 6
    _, timeline = await receiver.get("/api/v1/incidents/1/timeline")
    assert counts["timeline"] == len(timeline["timeline"])
    assert counts["messages"] > 0
    assert (await receiver.get("/incidents/1/secrets.csv"))[0] == 404


async def test_policy(receiver: Running) -> None:
    """Every level and rule says who is reached when; a channel that nothing can be sent on is struck out."""
    text = await page(receiver, "/policy")
    for rule in load().rules:
        assert rule.name in text
    assert "after 15 minutes, response time breached" in text
    assert "<s>" not in text
    policy = load()
    receiver.engine.adopt(policy, ["email"])
    text = await page(receiver, "/policy")
    assert "<s>sms</s>" in text
    assert "sms is not configured" in text
    assert len(text.encode()) < 100_000


async def test_channels(receiver: Running) -> None:
    """A channel says whether it is configured, its last success, its queue and its last failures."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    engine: Engine = receiver.engine
    await _send(receiver.queue, engine, receiver.clock.now)
    receiver.clock.now += 3 * MINUTE
    text = await page(receiver, "/channels")
    assert re.search(r"<h2[^>]*>slack.*?Last success</dt><dd><time[^>]*>3 minutes ago", text, re.DOTALL)
    assert re.search(r"<h2[^>]*>sms.*?&lt;b&gt;the line is down.*?href=\"/incidents/1\"", text, re.DOTALL)
    assert "✕" not in text.partition('id="heartbeats"')[0]
    engine.adopt(load(), ["slack"])
    assert text.count("✓ configured") == 4
    assert (await page(receiver, "/channels")).count("✕ not configured") == 3


async def _send(queue: CommandQueue, engine: Engine, now: Instant) -> None:
    """What is due goes out on slack, and fails on sms."""
    deliveries = await queue.run(engine.claim, now, "worker")
    outcomes = {"slack": Delivered("ts"), "sms": Retry("<b>the line is down")}
    reports = [
        OutcomeReport(each, outcomes[each.channel])
        for delivery in deliveries
        for each, _ in delivery.items
        if each.channel in outcomes
    ]
    assert await queue.run(engine.report, reports, now) == len(reports) == 2


async def test_pages_on_every_store(start: Callable[..., Any], database_url: str) -> None:
    """Every page is served on each kind of database."""
    receiver = await start(TOCSIN_DATABASE=database_url)
    await some_history(receiver)
    for path in ("/", "/incidents/2", "/history?search=engine", "/channels", "/policy", "/history.csv"):
        await page(receiver, path)


async def test_without_the_database(start: Callable[..., Any], tmp_path: Path) -> None:
    """While the database is away a page says so."""
    file = tmp_path / "incidents.db"
    receiver = await start(TOCSIN_DATABASE=f"sqlite:///{file}")
    receiver.store.close()
    file.rename(tmp_path / "elsewhere.db")
    file.mkdir()
    assert "the database is unavailable" in await page(receiver, "/", 503)
    file.rmdir()


async def test_no_count_outlives_the_application(receiver: Running) -> None:
    """The figures are counted beside the pages; when the application has ended, so has the count."""
    asked = threading.Event()
    may_go_on = threading.Event()

    class Slow(Reads):
        """Reads that take their time."""

        def __init__(self) -> None:
            self.finished = 0

        def tallies(self, since: Instant, until: Instant) -> list[Tally]:
            asked.set()
            may_go_on.wait(20)
            self.finished += 1
            return []

    slow, app = Slow(), web.Application()
    weeks = Weeks(slow)
    app.cleanup_ctx.append(weeks.context)
    runner = web.AppRunner(app)
    await runner.setup()
    await weeks.latest(receiver.clock.now)
    await asyncio.to_thread(asked.wait, 20)
    ending = asyncio.create_task(runner.cleanup())
    asyncio.get_running_loop().call_later(0.05, may_go_on.set)
    await ending
    assert slow.finished == 1


async def test_a_drill_is_drawn(receiver: Running) -> None:
    """A kind of incident is played through and drawn: taken in time, never taken, with a channel that fails."""
    text = await page(receiver, "/policy/drill")
    assert '<option value="engine_failure"' in text
    never = await page(receiver, "/policy/drill?incident=engine_failure")
    assert "✕ breached" in never
    assert never.count("<circle") > 5
    taken = await page(receiver, "/policy/drill?incident=engine_failure&acknowledge=2m&resolve=30m")
    assert "✓ kept" in taken
    assert "✕" not in taken
    failing = await page(receiver, "/policy/drill?incident=engine_failure&without=slack")
    assert 'class="failed"' in failing
    assert not receiver.store.reads().incidents()[0], "nothing of it is stored"
    for query, status in (("incident=unheard-of", 404), ("incident=engine_failure&acknowledge=soon", 400)):
        await page(receiver, f"/policy/drill?{query}", status)


async def test_a_drill_without_a_channel_draws_nothing(receiver: Running, policy: Policy) -> None:
    """Where no message goes out there is no empty frame: the page says that it reached no one, and tells it in words."""
    receiver.engine.adopt(policy, ())
    text = await page(receiver, "/policy/drill?incident=engine_failure")
    assert "✕ Nobody was reached." in text
    assert "opened at level 4" in text
    assert "The timeline, drawn" not in text


async def test_doubts_about_the_policy(receiver: Running) -> None:
    """What `tocsin check` warns of stands on the policy's page; the page can be taken away as CSV."""
    assert "about the policy" not in await page(receiver, "/policy")
    receiver.state.policy_warnings = ("policy.yaml:3:1: warning: <b>odd</b>",)
    text = await page(receiver, "/policy")
    assert "1 doubt about the policy" in text
    assert "&lt;b&gt;odd" in text
    async with receiver.http.get(f"{receiver.url}/policy.csv") as answer:
        rows = list(csv.DictReader(io.StringIO(await answer.text())))
    assert {"level", "rule", "type"} == {row["kind"] for row in rows}
    assert [row["tells"] for row in rows if row["name"] == "engine_failure" and row["when"] == "at once"] != [""]


async def test_lists_name_what_fires_now(receiver: Running) -> None:
    """The unit that an incident was opened for recovers in a webhook of its own: the other one is named, everywhere."""

    async def tell(unit: str, status: str, ended: str = "0001-01-01T00:00:00Z") -> None:
        labels = {"alertname": "HighLoad", "severity": "critical", "unit": unit}
        told = {
            "status": status,
            "labels": labels,
            "annotations": {"summary": f"{unit} is hot"},
            "startsAt": "2026-11-23T12:00:00Z",
            "endsAt": ended,
            "generatorURL": "",
            "fingerprint": f"{unit:0>16}",
        }
        body = {"version": "4", "groupKey": "g", "receiver": "tocsin", "externalURL": "http://alertmanager"}
        shared = {"groupLabels": {"alertname": "HighLoad"}, "commonLabels": {}, "commonAnnotations": {}}
        status_, answer = await receiver.post(
            "/webhook/alertmanager", {**body, **shared, "status": status, "truncatedAlerts": 0, "alerts": [told]}
        )
        assert status_ == 200, answer

    await tell("db1", "firing")
    await tell("db9", "firing")
    await tell("db1", "resolved", "2026-11-23T12:00:30Z")
    for path in ("/", "/history", "/incidents/1"):
        text = await page(receiver, path)
        assert "db9 is hot</" in text, path
        assert "db1 is hot</a>" not in text, path
        assert "<h1>db1" not in text, path


async def test_no_response_time_is_kept_without_an_answer(receiver: Running) -> None:
    """An incident that recovers by itself needed no answer: reports of a period, as its own report, count none as kept."""
    await receiver.send("single_firing", "single_resolved")
    await receiver.pass_time(30 * MINUTE)
    (tally,) = receiver.store.reads().tallies(Instant(0), Instant(receiver.clock.now + 1))
    assert (tally.acknowledged, tally.resolved, tally.kept, tally.breached) == (0, 1, 0, 0)
