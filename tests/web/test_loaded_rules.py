"""The rules that Prometheus evaluates are held against the policy in use: webhook, console, metric, log, incident."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from structlog.testing import capture_logs

from receiver.core.model import Instant
from receiver.jobs.loaded_rules import RulesWatch
from rules.policy import MINUTE, SECOND
from rules.reserved import DIGEST, MARK, OTHER_RULES
from rules.stored import rules_digest
from tests.web.conftest import Running

BANNER = "rules of another policy"
THEIRS = "fedcba9876543210"


def beat(digest: str | None) -> dict[str, Any]:
    """The heartbeat's webhook, its rules of that digest; None: an older Tocsin's."""
    alert = {
        "status": "firing",
        "labels": {"alertname": "TocsinHeartbeat"},
        "annotations": {} if digest is None else {MARK: "1", DIGEST: digest},
        "startsAt": "2026-11-23T02:28:11.821Z",
    }
    return {"status": "firing", "groupLabels": {}, "alerts": [alert]}


async def pass_minutes(receiver: Running, watches: list[RulesWatch], minutes: int, digest: str | None) -> None:
    """The heartbeat comes every minute, and every replica looks after it."""
    for _ in range(minutes):
        assert await receiver.post("/webhook/alertmanager", beat(digest)) == (200, {"incidents": []})
        for watch in watches:
            await watch.look()
        receiver.clock.now = Instant(receiver.clock.now + MINUTE)


def watch_of(receiver: Running, replica: str = "a") -> RulesWatch:
    return RulesWatch(receiver.queue, receiver.engine, receiver.store, receiver.state, receiver.rules_seen, replica)


async def own(receiver: Running) -> str:
    return rules_digest(receiver.engine.current.policy)


async def incidents(receiver: Running) -> list[tuple[str, int, str]]:
    found, _ = receiver.store.reads().incidents()
    return [(each.type, each.level, each.state) for each in found]


async def test_rules_of_the_policy_match(start: Callable[..., Any]) -> None:
    """The metric says so, and nothing stands on the console."""
    receiver = await start()
    assert str((await receiver.scrape())["tocsin_rules_match"]) == "nan"
    await pass_minutes(receiver, [watch_of(receiver)], 15, await own(receiver))
    assert (await receiver.scrape())["tocsin_rules_match"] == 1
    assert await incidents(receiver) == []
    for path in ("/", "/policy"):
        _, text = await receiver.get(path)
        assert BANNER not in text
    assert "Rules in Prometheus: of this policy" in text


async def test_rules_of_another_policy(start: Callable[..., Any]) -> None:
    """Told on the console, in a metric, and once in the log; after ten minutes an incident, which recovers by itself."""
    receiver = await start()
    watch = watch_of(receiver)
    with capture_logs() as logged:
        await pass_minutes(receiver, [watch], 10, THEIRS)
    assert [each["rules"] for each in logged if "another policy" in each["event"]] == [THEIRS]
    assert (await receiver.scrape())["tocsin_rules_match"] == 0
    for path in ("/", "/policy"):
        assert BANNER in (await receiver.get(path))[1]
    assert await incidents(receiver) == []
    await pass_minutes(receiver, [watch], 5, THEIRS)
    assert await incidents(receiver) == [(OTHER_RULES, 3, "open")]
    with capture_logs() as logged:
        await pass_minutes(receiver, [watch], 8, await own(receiver))
    assert sum("another policy" in each["event"] for each in logged) == 1
    await receiver.pass_time(10 * MINUTE)
    assert await incidents(receiver) == [(OTHER_RULES, 3, "resolved")]
    assert (await receiver.scrape())["tocsin_rules_match"] == 1


async def test_rules_of_an_older_tocsin_are_unknown(start: Callable[..., Any]) -> None:
    """Without a digest nothing is claimed: no banner, no incident."""
    receiver = await start()
    await pass_minutes(receiver, [watch_of(receiver)], 15, None)
    assert str((await receiver.scrape())["tocsin_rules_match"]) == "nan"
    assert await incidents(receiver) == []
    assert "Rules in Prometheus: unknown" in (await receiver.get("/policy"))[1]


async def test_a_changed_phone_number_is_no_mismatch(start: Callable[..., Any]) -> None:
    """A reload that changes who is told leaves the rules those of the policy."""
    receiver = await start()
    watch = watch_of(receiver)
    digest = await own(receiver)
    await pass_minutes(receiver, [watch], 2, digest)
    engine = receiver.engine
    policy = engine.current.policy
    changed = replace(policy, channels=tuple(replace(each, recipients=("+4930123456",)) for each in policy.channels))
    await receiver.queue.run(engine.keep_policy, changed, receiver.clock.now)
    engine.adopt(changed, ["sms"])
    await pass_minutes(receiver, [watch], 15, digest)
    assert (await receiver.scrape())["tocsin_rules_match"] == 1
    assert await incidents(receiver) == []


async def test_replicas_open_one_incident_and_none_closes_it(start: Callable[..., Any]) -> None:
    """Only one replica gets the webhooks; one that is started later neither resolves the incident nor fires it anew."""
    receiver = await start()
    watches = [watch_of(receiver, "a"), watch_of(receiver, "b")]
    await pass_minutes(receiver, watches, 12, THEIRS)
    (found,) = receiver.store.reads().incidents()[0]
    watches.append(watch_of(receiver, "c"))
    await pass_minutes(receiver, watches, 12, THEIRS)
    (again,) = receiver.store.reads().incidents()[0]
    assert (again.is_firing, again.entries, again.recurrences) == (True, found.entries, 0)


async def test_what_replicas_hear_comes_together(start: Callable[..., Any]) -> None:
    """Each adds its words and its policy to what the others have kept."""
    receiver = await start()
    for replica, digest in (("b", THEIRS), ("a", "aaaa")):
        await receiver.post("/webhook/alertmanager", beat(digest))
        await watch_of(receiver, replica).look()
        receiver.clock.now = Instant(receiver.clock.now + SECOND)
    known = receiver.store.loaded_rules()
    assert known is not None
    assert set(known.heard[""]) == {THEIRS, "aaaa"}
    assert set(known.in_use) == {"a", "b"}
