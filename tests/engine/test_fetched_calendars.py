"""Calendars at a URL, from a server that misbehaves in every way, and the people paged by them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from aiohttp import web
from typer.testing import CliRunner

from receiver.cli import app
from receiver.clients.calendar_download import LARGEST, CalendarFeeds, FeedFailed
from receiver.core.fetched_calendars import FETCHED_EVERY, OLD_AFTER, TYPE
from receiver.core.model import Instant
from receiver.engine.queue import CommandQueue
from receiver.engine.service_state import ServiceState
from receiver.jobs.calendar_fetch import CalendarFetching
from receiver.store import SqlStore
from receiver.telemetry.metrics import Metrics
from rules.load import load_text
from rules.policy import HOUR, SECOND, Policy
from tests.core.world import START
from tests.engine.world import EngineWorld, messages, on
from tests.on_call.test_calendars import calendar, event

SECRET = "private-3f9c"

POLICY = """
incident_response:
  alert_channels:
    - {name: email, type: email, recipients: [team@example.org]}
    - {name: sms, type: sms, recipients: ["@primary"]}
people:
  - {name: dana, contacts: {sms: "+4917010000001"}}
  - {name: ben, contacts: {sms: "+4917010000002"}}
schedules:
  - {name: primary, time_zone: UTC, calendar: "URL"}
"""


def daily(person: str, hours: int = 24) -> str:
    """A calendar that has `person` on call every day, for `hours` hours from midnight on."""
    first = datetime.fromtimestamp(START / SECOND, UTC).replace(hour=0, minute=0, second=0) - timedelta(days=9)
    starts, ends = (f"{each:%Y%m%dT%H%M%SZ}" for each in (first, first + timedelta(hours=hours)))
    return calendar(event(person, starts, ends, "RRULE:FREQ=DAILY"))


@dataclass
class Feed:
    """A server of calendars; what it answers can be changed."""

    text: str = ""
    status: int = 200
    location: str = ""
    port: int = 0
    conditions: list[str] = field(default_factory=list)
    """The `If-None-Match` of each request; empty: none."""
    held: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Where the calendar stands."""
        return f"http://127.0.0.1:{self.port}/{SECRET}/oncall.ics"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """As it is told to."""
        self.conditions.append(request.headers.get("If-None-Match", ""))
        if request.path == "/slow":
            await self.held.wait()
        if self.location and request.path != "/there":
            return web.Response(status=302, headers={"Location": self.location})
        tag = f'"{hash(self.text)}"'
        if self.status == 200 and request.headers.get("If-None-Match") == tag:
            return web.Response(status=304)
        return web.Response(status=self.status, body=self.text.encode(), headers={"ETag": tag})


@pytest.fixture
async def feed() -> AsyncIterator[Feed]:
    """One that listens on this machine."""
    served = Feed()
    app = web.Application()
    app.router.add_get("/{path:.*}", served.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    served.port = runner.addresses[0][1]
    yield served
    served.held.set()
    await runner.cleanup()


@pytest.fixture
async def feeds() -> AsyncIterator[CalendarFeeds]:
    """The client."""
    client = CalendarFeeds()
    yield client
    await client.close()


class Serving:
    """A replica that fetches: the job over an engine, with a clock that is told the time."""

    def __init__(self, store: SqlStore, policy: Policy, feeds: CalendarFeeds) -> None:
        self.world = EngineWorld(store, policy)
        self.now = 0
        self.metrics = Metrics()
        self.queue = CommandQueue(self.world.engine, lambda: Instant(START + self.now))
        self.job = CalendarFetching(self.queue, self.world.engine, store, self.metrics, feeds)

    async def look(self, after: int = FETCHED_EVERY) -> None:
        """So much later."""
        self.now += after
        await self.job.look()

    async def paged(self, key: str) -> str:
        """Who is told of a new incident."""
        incident = await self.queue.run(self.world.fire, key, key)  # the store is the queue's thread's
        claimed = [each for each in messages(self.world.claim(self.now)) if each.incident_id == incident.id]
        return on("sms", claimed).person

    def told(self) -> list[tuple[str, bool]]:
        """The incidents about calendars: title, and whether it goes on."""
        found, _ = self.world.reads.incidents(type=TYPE)
        return [(each.title, each.is_firing) for each in found]

    @property
    def age(self) -> float:
        """The metric, in seconds."""
        text = self.metrics.expose(None, Instant(START + self.now), ServiceState()).decode()
        [line] = [each for each in text.splitlines() if each.startswith("tocsin_calendar_age_seconds{")]
        assert 'schedule="primary"' in line
        return float(line.rpartition(" ")[2])


@pytest.fixture
def serving(store: SqlStore, feed: Feed, feeds: CalendarFeeds) -> Iterator[Serving]:
    """Over each kind of store."""
    one = Serving(store, load_text(POLICY.replace("URL", feed.url)).policy, feeds)
    yield one
    one.queue.close()


async def test_the_page_goes_to_whom_the_fetched_calendar_names_and_goes_on_when_it_is_lost(
    serving: Serving, feed: Feed, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """A broken, emptied or missing feed leaves the last copy in use; after a day people hear of it, and of its end."""
    caplog.set_level(logging.DEBUG)
    feed.text = daily("dana")
    await serving.look()
    assert await serving.paged("a") == "dana"
    feed.text = daily("ben")
    await serving.look()
    assert await serving.paged("b") == "ben"
    for text, status in ((calendar(), 200), ("<html>Sign in</html>", 200), (daily("dana")[:200], 200), ("", 404)):
        feed.text, feed.status = text, status
        await serving.look()
        assert await serving.paged(f"c{len(text)}") == "ben"
    assert serving.told() == []
    assert serving.age == 4 * FETCHED_EVERY / SECOND
    await serving.look(OLD_AFTER)
    assert serving.told() == [("The calendar of schedule primary cannot be fetched", True)]
    assert await serving.paged("d") == "ben"
    feed.text, feed.status = daily("ben"), 200
    await serving.look()
    assert [is_firing for _, is_firing in serving.told()] == [False]
    assert serving.age == 0
    told = caplog.text + "".join(capsys.readouterr()) + serving.world.dump()
    assert SECRET not in told


async def test_a_thinner_copy_is_taken_with_an_alarm(serving: Serving, feed: Feed) -> None:
    """It counts at once, and people hear of it once."""
    feed.text = daily("dana")
    await serving.look()
    feed.text = daily("ben", hours=23)
    await serving.look()
    await serving.look()
    [(title, is_firing)] = serving.told()
    assert "less time than before" in title
    assert is_firing


async def test_a_new_calendar_pages_whom_it_puts_on_call_of_what_is_open(serving: Serving, feed: Feed) -> None:
    """An unacknowledged incident pages the new person as soon as the copy is taken."""
    feed.text = daily("dana")
    await serving.look()
    assert await serving.paged("open") == "dana"
    serving.world.report(messages(serving.world.claim(serving.now)), at=serving.now)
    feed.text = daily("ben")
    await serving.look()
    sent = [each for each in messages(serving.world.claim(serving.now)) if each.channel == "sms"]
    assert {each.person for each in sent} == {"ben"}


async def test_an_unchanged_calendar_is_not_sent_again(serving: Serving, feed: Feed) -> None:
    """The server is asked by what it called the copy, and its copy counts as fetched."""
    feed.text = daily("dana")
    await serving.look()
    await serving.look()
    assert feed.conditions[0] == ""
    assert feed.conditions[1]
    assert serving.age == 0


async def test_of_several_replicas_one_fetches_and_all_go_by_it(
    serving: Serving, feed: Feed, feeds: CalendarFeeds, store: SqlStore
) -> None:
    """The second replica leaves the fetch, and pages by the copy of the first."""
    feed.text = daily("dana")
    other = Serving(store, serving.world.engine.current.policy, feeds)
    try:
        await serving.look()
        await other.look()
        assert len(feed.conditions) == 1
        assert await other.paged("x") == "dana"
    finally:
        other.queue.close()


async def test_a_name_that_is_nobodys_is_logged_once(serving: Serving, feed: Feed) -> None:
    """With the schedule, when it appears."""
    feed.text = daily("zoe")
    with structlog.testing.capture_logs() as logged:
        await serving.look()
        feed.text += "\r\n"
        await serving.look()
    [said] = [
        each for each in logged if each["event"].startswith("a calendar names people that the policy does not have")
    ]
    assert "zoe" in str(said)


@pytest.mark.parametrize(
    ("path", "answer", "why"),
    [
        ("/oncall.ics", {"status": 404}, "answers 404"),
        ("/oncall.ics", {"text": "x" * (LARGEST + 1)}, "longer than 4 MiB"),
        ("/oncall.ics", {"text": "BEGIN:\0"}, "NUL"),
        ("/oncall.ics", {"location": "/oncall.ics"}, "redirects more than"),
        ("/oncall.ics", {"location": "http://example.org/x"}, "not https"),
        ("/oncall.ics", {"location": ""}, ""),
        ("/oncall.ics", {"location": "/there", "text": "moved"}, ""),
    ],
)
async def test_what_a_server_may_answer(
    feed: Feed, feeds: CalendarFeeds, path: str, answer: dict[str, object], why: str
) -> None:
    """What is no calendar of a fair size from where it should come is refused, in words without the URL."""
    for name, value in answer.items():
        setattr(feed, name, value)
    url = f"http://127.0.0.1:{feed.port}{path}"
    if not why:
        assert (await feeds.fetch(url)).text == feed.text
        return
    with pytest.raises(FeedFailed, match=why) as caught:
        await feeds.fetch(url)
    assert path not in str(caught.value)


async def test_a_server_that_does_not_answer_is_given_up(feed: Feed) -> None:
    """After the time limit, and one that is not there at once."""
    feeds = CalendarFeeds(within=0.2)
    try:
        with pytest.raises(FeedFailed, match="no whole answer"):
            await feeds.fetch(f"http://127.0.0.1:{feed.port}/slow")
        with pytest.raises(FeedFailed, match="cannot be reached"):
            await feeds.fetch("https://127.0.0.1:1/x")
    finally:
        feed.held.set()
        await feeds.close()


async def test_without_network_a_new_process_goes_on_with_the_last_copy(
    serving: Serving, feed: Feed, store: SqlStore, feeds: CalendarFeeds
) -> None:
    """It reads the copy from the database, whether or not it can fetch."""
    feed.text = daily("ben")
    await serving.look()
    feed.status = 503
    again = Serving(store, serving.world.engine.current.policy, feeds)
    try:
        await again.look(HOUR)
        assert await again.paged("y") == "ben"
    finally:
        again.queue.close()


@pytest.mark.parametrize(
    "url", ["http://example.org/x.ics", "http://127.0.0.1.example.org/x", "http://localhost@evil/x"]
)
def test_plain_http_is_for_this_machine_only(url: str) -> None:
    """A party who could change the fetched calendar would decide who is paged."""
    with pytest.raises(Exception, match="https"):
        load_text(POLICY.replace("URL", url))


async def test_a_command_asks_the_urls_where_it_is_told_to(feed: Feed, tmp_path: Path) -> None:
    """`--fetch`: who is on call is known; what could not be asked is said, with why and what to do, and no address."""
    feed.text = daily("dana")
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY.replace("URL", feed.url))

    async def tocsin(*words: str) -> tuple[int, str, str]:
        found = await asyncio.to_thread(CliRunner().invoke, app, [*words])
        return found.exit_code, found.stdout, found.stderr

    code, said, _ = await tocsin("on-call", str(file), "--fetch")
    assert (code, "dana" in said) == (0, True)
    _, said, _ = await tocsin("check", str(file), "--fetch", "--days", "30")
    assert "calendar-not-read" not in said
    feed.status = 404
    _, said, why = await tocsin("check", str(file), "--fetch", "--days", "30")
    assert "calendar-not-read" in said
    assert "could not be asked: its server answers 404; give a copy: --calendar primary=FILE" in why
    assert SECRET not in said + why
