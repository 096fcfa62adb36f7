"""Heartbeats by way of the webhook: watched, missed, shown, and retired by a person."""

from collections.abc import Callable
from typing import Any

import pytest
import structlog

from receiver.core.classify import Received
from receiver.core.heartbeat import RETIRED_FOR, TYPE
from receiver.core.model import Instant
from receiver.core.reconcile import Listed, Listing
from receiver.errors import StoreUnavailable
from receiver.jobs.heartbeat import NONE_AFTER, HeartbeatWatch
from receiver.web.api.views import rfc3339
from rules.policy import HOUR, SECOND
from tests.web.conftest import Running
from tests.web.test_console import log_in, page
from tests.web.test_console_working import PEOPLE, submit
from tests.web.test_responding_cli import tocsin
from tests.web.test_webhook import PATH, alert, body

BEGAN = Instant(1_795_400_891_821_000)
"""The start that `alert` tells, in the milliseconds of Alertmanager's list."""
LABELS = {"alertname": "TocsinHeartbeat", "heartbeat": "true", "severity": "none"}


async def beat(receiver: Running, source: str = "", age: float = 0, **changes: Any) -> None:
    """Alertmanager tells of a heartbeat that Prometheus evaluated `age` seconds ago."""
    at = receiver.clock.now / SECOND - age
    told = alert(labels=LABELS, annotations={"evaluated_at": f"{at:.3f}"}, **changes)
    assert await receiver.post(f"{PATH}?source={source}", body(told)) == (200, {"incidents": []})


async def incidents(receiver: Running) -> list[dict[str, Any]]:
    """All of them."""
    _, found = await receiver.get("/api/v1/incidents")
    return list(found["incidents"])


@pytest.fixture
def watch(receiver: Running) -> HeartbeatWatch:
    """The heartbeats' keeper, looked with by hand."""
    return HeartbeatWatch(receiver.queue, receiver.engine, receiver.store, receiver.heartbeats)


def later(receiver: Running, seconds: float) -> None:
    """Time passes."""
    receiver.clock.now = Instant(receiver.clock.now + round(seconds * SECOND))


async def test_blind_comes_150_s_after_the_last_evaluation(receiver: Running, watch: HeartbeatWatch) -> None:
    """Alertmanager goes on repeating what Prometheus said before it died: people hear of it 150 s after that."""
    await beat(receiver, "eu")
    await beat(receiver, "us")
    for seconds in (0, 40, 40, 40, 30):
        later(receiver, seconds)
        await beat(receiver, "us")
        said = alert(labels=LABELS, annotations={"evaluated_at": f"{(receiver.clock.now / SECOND) - 150:.3f}"})
        if seconds:  # the same word again and again
            await receiver.post(f"{PATH}?source=eu", body(said))
        await watch.look()
        assert await incidents(receiver) == []
        assert not receiver.engine.standing.sight.is_blind("eu")
    later(receiver, 2)
    await watch.look()
    (found,) = await incidents(receiver)
    assert (found["type"], found["level"], "source eu" in found["title"]) == (TYPE, 4, True)
    assert receiver.engine.standing.sight.is_blind("eu")
    assert not receiver.engine.standing.sight.is_blind("us")
    await beat(receiver, "eu")
    await watch.look()
    (found,) = await incidents(receiver)
    assert found["state"] == "open"
    assert not receiver.engine.standing.sight.is_blind("eu")


async def test_what_an_alertmanager_lists_counts_by_the_start_that_was_told(
    receiver: Running, watch: HeartbeatWatch
) -> None:
    """One peer keeps repeating an old evaluation; another lists a newer one of the heartbeat with that start."""
    await beat(receiver)
    later(receiver, 200)
    said = {"evaluated_at": f"{receiver.clock.now / SECOND - 40:.3f}"}
    began = Instant(receiver.heartbeats.watched(receiver.engine.current.policy)[0].since)
    for starts_at, blind in ((Instant(began - HOUR), True), (BEGAN, False)):
        listed = Listed(Received(LABELS, said, "f", starts_at), ("other",), active=True)
        receiver.heartbeats.compare(receiver.engine.current.policy, [Listing(began, (listed,))], frozenset())
        await watch.look()
        assert receiver.engine.standing.sight.is_blind("") is blind


async def test_a_resolved_heartbeat_is_missed_soon(receiver: Running, watch: HeartbeatWatch) -> None:
    """A heartbeat that Alertmanager resolves, and that is not repeated within 45 s, is an emergency."""
    await beat(receiver)
    later(receiver, 5)
    await receiver.post(PATH, body(alert(labels=LABELS, status="resolved", endsAt=rfc3339(receiver.clock.now))))
    later(receiver, 45)
    await watch.look()
    assert await incidents(receiver) == []
    later(receiver, 1)
    await watch.look()
    assert [each["type"] for each in await incidents(receiver)] == [TYPE]


async def test_a_database_that_is_away_loses_no_beat(receiver: Running, watch: HeartbeatWatch) -> None:
    """What was heard while nothing could be stored counts at once, and is stored when that is possible again."""

    def away(_beats: object) -> None:
        raise StoreUnavailable("away")

    await beat(receiver, age=100)
    await watch.look()
    later(receiver, 100)
    await beat(receiver)
    kept, receiver.store.hear = receiver.store.hear, away  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        await watch.look()
    assert (await receiver.scrape())['tocsin_heartbeat_age_seconds{source=""}'] == 0
    receiver.store.hear = kept  # type: ignore[method-assign]
    await watch.look()
    (clock,) = receiver.store.heartbeats()
    assert clock.evaluated_at == receiver.clock.now


async def test_what_another_replica_heard_counts(receiver: Running, watch: HeartbeatWatch) -> None:
    """A replica to which no heartbeat comes knows of those that another has stored."""
    other = type(receiver.heartbeats)(receiver.clock)
    await beat(receiver, "eu")
    await watch.look()
    other.learn(receiver.store.heartbeats())
    (known,) = other.watched(receiver.engine.current.policy)
    assert (known.clock.source, known.clock.evaluated_at) == ("eu", receiver.clock.now)


async def test_that_none_is_watched_is_said(receiver: Running, watch: HeartbeatWatch) -> None:
    """Without any heartbeat the log says so after a few minutes, once; the console and a metric say so always."""
    with structlog.testing.capture_logs() as logged:
        await watch.look()
        later(receiver, NONE_AFTER / SECOND + 1)
        await watch.look()
        await watch.look()
    assert [each["event"].split(":")[0] for each in logged] == ["no heartbeat is watched"]
    assert (await receiver.scrape())["tocsin_heartbeats"] == 0
    assert "No heartbeat is watched" in await page(receiver, "/channels")
    assert "No heartbeat is watched" in (await tocsin(receiver, "heartbeats"))[1]


async def test_one_that_is_gone_for_good_is_retired_with_a_reason(receiver: Running, watch: HeartbeatWatch) -> None:
    """The API refuses an unknown one, and one without a reason; its alarm ends, and its repeats are ignored."""
    await beat(receiver, "old")
    later(receiver, 151)
    await watch.look()
    _, found = await receiver.get("/api/v1/heartbeats")
    (one,) = found["heartbeats"]
    assert (one["source"], one["state"], one["age"], one["within"]) == ("old", "silent", 151, 150)
    path = f"/api/v1/heartbeats/{one['key']}/retire"
    assert (await receiver.post(path, {"reason": " "}))[0] == 400
    assert (await receiver.post("/api/v1/heartbeats/none/retire", {"reason": "x"}))[0] == 404
    status, answer = await receiver.post(path, {"reason": "the old cluster is gone", "by": "ann"})
    assert (status, answer["heartbeats"]) == (200, [])
    await beat(receiver, "old", age=151)
    await watch.look()
    _, alerts = await receiver.get("/api/v1/incidents/1/alerts")
    assert [each["status"] for each in alerts["alerts"]] == ["resolved"]
    assert not receiver.engine.standing.sight.is_blind("old")
    (_, entry) = receiver.store.newest_audits(1)[0]
    assert (entry.action, entry.data["reason"], entry.data["by"]) == (
        "retire-heartbeat",
        "the old cluster is gone",
        "ann",
    )
    later(receiver, RETIRED_FOR / SECOND + 1)
    await beat(receiver, "old")
    _, found = await receiver.get("/api/v1/heartbeats")
    assert [each["state"] for each in found["heartbeats"]] == ["beats"]


async def test_retiring_from_a_shell(receiver: Running) -> None:
    """The command line shows the heartbeats and retires one."""
    await beat(receiver, "eu")
    (key,) = (each.clock.key for each in receiver.heartbeats.watched(receiver.engine.current.policy))
    assert f"{key} eu" in (await tocsin(receiver, "heartbeats"))[1]
    code, said = await tocsin(receiver, "retire-heartbeat", key, "--reason", "gone")
    assert (code, "No heartbeat is watched" in said) == (0, True), said
    assert (await tocsin(receiver, "retire-heartbeat", key, "--reason", "gone"))[0] == 1


async def test_retiring_in_the_console(start: Callable[..., Any]) -> None:
    """The page shows each heartbeat; a responder retires one and must say why; a viewer has no button."""
    guarded = await start(**PEOPLE)
    await beat(guarded)
    ron, vic = await log_in(guarded, "ron", "ron"), await log_in(guarded, "vic", "vic")
    button = 'action="/channels/retire"'
    assert button in await page(guarded, "/channels", headers=ron)
    assert button not in await page(guarded, "/channels", headers=vic)
    receiver = await start()
    await beat(receiver, "<script>")
    text = await page(receiver, "/channels")
    assert "source &lt;script&gt;" in text
    (key,) = (each.clock.key for each in receiver.heartbeats.watched(receiver.engine.current.policy))
    assert (await submit(receiver, "/channels/retire", heartbeat=key, reason=" "))[0] == 400
    assert (await submit(receiver, "/channels/retire", heartbeat="none", reason="x"))[0] == 404
    assert await submit(receiver, "/channels/retire", heartbeat=key, reason="gone") == (303, "/channels#heartbeats")
    assert "No heartbeat is watched" in await page(receiver, "/channels")
