"""What a running receiver once believed that was not so: a test for each fault, by the way that the fault was seen.

All but the look of periodic tasks goes through webhooks, API and pages, so each was run on the code that had the faults,
and failed there (docs/decisions/0014).
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from receiver.jobs.dispatcher import pages_to_close
from receiver.jobs.heartbeat import HeartbeatWatch
from receiver.jobs.loaded_rules import RulesWatch
from rules.load import load_text
from rules.policy import HOUR, MINUTE, SECOND
from rules.problems import PolicyError
from tests.web.conftest import START, Running
from tests.web.test_webhook import PATH, alert, body

Look = Callable[[], Awaitable[None]]

OURS = {
    "alertname": "SafetyCriticalFailure",
    "section": "incident_response",
    "rule": "safety_critical_failure",
    "incident_type": "safety_critical_failure",
    "severity": "emergency",
    "severity_level": "4",
    "signal": "safety_margin",
    "system": "landing-7",
}


@pytest.fixture
def look(receiver: Running) -> Look:
    """Lets the tasks that watch heartbeats and rules look once."""
    heartbeats = HeartbeatWatch(receiver.queue, receiver.engine, receiver.store, receiver.heartbeats)
    rules = RulesWatch(
        receiver.queue, receiver.engine, receiver.store, receiver.state, receiver.rules_seen, replica="a"
    )

    async def once() -> None:
        await heartbeats.look()
        await rules.look()

    return once


def at(seconds: float) -> str:
    """So long after the receiver's start, as Alertmanager writes it."""
    return datetime.fromtimestamp(START / SECOND + seconds, UTC).isoformat()


def emergency(began: float, ended: float | None = None, **labels: str) -> dict[str, Any]:
    """An alert of a compiled rule of level 4; times in seconds after the receiver's start."""
    over = {} if ended is None else {"status": "resolved", "endsAt": at(ended)}
    annotations = {"summary": "the margin is too small", "tocsin": "1"}
    named = {"fingerprint": "00000000000000e4" if not labels else ...}
    return alert(labels={**OURS, **labels}, annotations=annotations, startsAt=at(began), **over, **named)


def stranger(began: float = 0, ended: float | None = None, **labels: str) -> dict[str, Any]:
    """An alert of a rule outside the policy."""
    over = {} if ended is None else {"status": "resolved", "endsAt": at(ended)}
    named = {"alertname": "DiskFull", "severity": "critical", **labels}
    return alert(labels=named, startsAt=at(began), fingerprint=..., **over)


def heartbeat(evaluated: float, **annotations: str) -> dict[str, Any]:
    """The heartbeat that was evaluated so long after the receiver's start."""
    said = {"evaluated_at": f"{START / SECOND + evaluated:.3f}", "tocsin": "1", **annotations}
    labels = {"alertname": "TocsinHeartbeat", "heartbeat": "true", "severity": "none"}
    return alert(labels=labels, annotations=said, startsAt=at(-9999), fingerprint="00000000000000aa")


async def post(receiver: Running, *alerts: dict[str, Any], source: str = "", **group: Any) -> list[int]:
    """Send a body; the incidents concerned."""
    status, answer = await receiver.post(f"{PATH}?source={source}", body(*alerts, **group))
    assert status == 200, answer
    concerned: list[int] = answer["incidents"]
    return concerned


async def incidents(receiver: Running) -> list[dict[str, Any]]:
    """All of them, the oldest first."""
    found = (await receiver.get("/api/v1/incidents"))[1]["incidents"]
    return sorted(found, key=lambda each: int(each["number"]))


async def pages(receiver: Running) -> int:
    """Pages of all incidents."""
    lists = [
        (await receiver.get(f"/api/v1/incidents/{each['number']}/notifications"))[1]["notifications"]
        for each in await incidents(receiver)
    ]
    return sum(each["kind"] == "page" for some in lists for each in some)


async def facts(receiver: Running, number: int = 1) -> list[str]:
    """What its timeline says, in the words of the code."""
    return [each["fact"] for each in (await receiver.get(f"/api/v1/incidents/{number}/timeline"))[1]["timeline"]]


async def acknowledge(receiver: Running) -> None:
    """ada acknowledges incident 1, if it is open."""
    if (await incidents(receiver))[0]["state"] == "open":
        assert (await receiver.post("/api/v1/incidents/1/acknowledge", {"by": "ada"}))[0] == 200


async def pass_seconds(receiver: Running, seconds: float) -> None:
    """Time passes, and what is due happens."""
    await receiver.pass_time(round(seconds * SECOND))


# 1. The slower peer.


async def test_1_a_slower_peers_old_word_is_no_new_danger(receiver: Running) -> None:
    """After a recovery the second peer repeats the old firing, and its end: no page is sent, nothing voided."""
    await post(receiver, emergency(0))
    await acknowledge(receiver)
    told = await pages(receiver)
    for told_alert, after in ((emergency(0, 55), 60), (emergency(0), 8), (emergency(0, 55), 15)):
        await pass_seconds(receiver, after)
        await post(receiver, told_alert)
    await pass_seconds(receiver, 60)
    assert ("ack_voided" in await facts(receiver), await pages(receiver)) == (False, told)
    assert (await incidents(receiver))[0]["firing"] == 0


# 2. Starts move.


async def test_2_a_resolve_with_an_earlier_start_ends_it(receiver: Running) -> None:
    """Alertmanager merged two replicas and keeps the earlier start."""
    await post(receiver, emergency(30))
    await pass_seconds(receiver, 90)
    await post(receiver, emergency(10, 80))
    assert (await incidents(receiver))[0]["firing"] == 0


async def test_2_a_later_start_while_it_fires_is_no_danger(receiver: Running) -> None:
    """Both Prometheus and both Alertmanagers restarted: it fires on, and the resolve with that start ends it."""
    await post(receiver, emergency(0))
    await acknowledge(receiver)
    told = await pages(receiver)
    await pass_seconds(receiver, 60)
    await post(receiver, emergency(50))
    assert ("ack_voided" in await facts(receiver), await pages(receiver)) == (False, told)
    await pass_seconds(receiver, 60)
    await post(receiver, emergency(50, 110))
    assert (await incidents(receiver))[0]["firing"] == 0


# 3. Groups move.


GROUP, OTHER = {"alertname": "DiskFull"}, {"alertname": "DiskFull", "cluster": "eu"}


async def test_3_another_group_opens_no_second_incident(receiver: Running) -> None:
    """`group_by` was edited, or two routes tell it: one incident, and no second page."""
    await post(receiver, stranger(cluster="eu"), groupLabels=GROUP)
    told = await pages(receiver)
    await post(receiver, stranger(cluster="eu"), groupLabels=OTHER)
    assert (len(await incidents(receiver)), await pages(receiver)) == (1, told)


async def test_3_one_resolve_ends_it(receiver: Running) -> None:
    """Told in two groups, its end is told in one of them."""
    for group in (GROUP, OTHER):
        await post(receiver, stranger(cluster="eu"), groupLabels=group)
    await pass_seconds(receiver, 60)
    await post(receiver, stranger(0, 50, cluster="eu"), groupLabels=OTHER)
    assert sum(each["firing"] for each in await incidents(receiver)) == 0


# 4. Strangers' labels.


@pytest.mark.parametrize(("said", "severity", "level"), [("1", "critical", 3), ("4", "warning", 2)])
async def test_4_a_strangers_severity_level_means_nothing(
    receiver: Running, said: str, severity: str, level: int
) -> None:
    """One public platform counts from 1, the worst: it neither lowers nor raises."""
    await post(receiver, stranger(severity_level=said, severity=severity))
    assert (await incidents(receiver))[0]["level"] == level


async def test_4_a_strangers_signal_merges_nothing(receiver: Running) -> None:
    """`signal` is a usual label of telemetry: two unrelated alerts that have it are two incidents."""
    await post(receiver, stranger(signal="metrics"), stranger(alertname="QueueFull", signal="metrics"))
    assert len(await incidents(receiver)) == 2


async def test_4_a_strangers_heartbeat_label_swallows_nothing(receiver: Running) -> None:
    """An alert with `heartbeat="true"` is an alert."""
    assert await post(receiver, stranger(heartbeat="true")) == [1]


async def test_4_a_strangers_twin_recovers_as_any_other(receiver: Running) -> None:
    """`twin="true"` does not make its recovery unverified: it resolves by itself."""
    await post(receiver, stranger(twin="true"))
    await pass_seconds(receiver, 60)
    await post(receiver, stranger(0, 50, twin="true"))
    await pass_seconds(receiver, 3600)
    assert (await incidents(receiver))[0]["state"] == "resolved"


async def test_4_a_strangers_seen_merges_nothing(receiver: Running) -> None:
    """`twin="true"` with `seen="never"` is no signal of ours that was never there."""
    labels = {"twin": "true", "seen": "never"}
    await post(receiver, stranger(**labels), stranger(alertname="QueueFull", **labels))
    assert [each["type"] for each in await incidents(receiver)] == ["DiskFull", "QueueFull"]


RULE = """
incident_response:
  alert_channels: [{{name: email, type: email, recipients: [oncall@example.org]}}]
  detection:
    rules: [{{name: {name}, condition: "safety_margin < 0.95", severity: 4, channels: [email]{more}}}]
"""
TAKEN = {
    "a rule named watchdog": RULE.format(name="watchdog", more=""),
    "a rule with the label heartbeat": RULE.format(name="margin", more=", labels: {heartbeat: 'true'}"),
    "a rule named like the heartbeat": RULE.format(name="tocsin_heartbeat", more=""),
    "a rule named like TocsinDown": RULE.format(name="tocsin_down", more=""),
    "a rule named like TocsinFailThrough": RULE.format(name="tocsin_fail_through", more=""),
}


@pytest.mark.parametrize("text", TAKEN.values(), ids=TAKEN.keys())
def test_4_a_policy_may_not_take_our_names(text: str) -> None:
    """`check` refuses it, with its place: such rules compiled, and paged no one, or collided."""
    with pytest.raises(PolicyError) as caught:
        load_text(text, "policy.yaml")
    assert all(each.line for each in caught.value.problems)


# 5. Heartbeats are one instant.


async def test_5_one_source_masks_no_other(receiver: Running, look: Look) -> None:
    """Of two sources one falls silent: people hear which."""
    await post(receiver, heartbeat(0), source="us")
    for minute in range(11):
        await post(receiver, heartbeat(60 * minute), source="eu")
        await look()
        await pass_seconds(receiver, 60)
    (found,) = await incidents(receiver)
    assert (found["level"], "source us" in found["title"]) == (4, True)


async def test_5_a_strangers_watchdog_wakes_nobody(receiver: Running, look: Look) -> None:
    """One that repeats every 12 h arms no alarm."""
    await post(receiver, stranger(alertname="Watchdog", severity="none"))
    await look()
    await pass_seconds(receiver, 1800)
    await look()
    assert await incidents(receiver) == []


async def test_5_a_dead_prometheus_recovers_nothing(receiver: Running, look: Look) -> None:
    """Alertmanager times its alerts out, and repeats its heartbeat: no message says that the signal recovered."""
    await post(receiver, heartbeat(0), emergency(0))
    for seconds in range(30, 300, 30):
        await pass_seconds(receiver, 30)
        await post(receiver, heartbeat(0), *([emergency(0, 240)] if seconds == 240 else []))
        await look()
    found = (await receiver.get("/api/v1/incidents/1/timeline"))[1]["timeline"]
    assert not any("recover" in each["text"].lower() and "unverified" not in each["text"].lower() for each in found)


async def test_5_blindness_is_told_within_three_minutes(receiver: Running, look: Look) -> None:
    """Prometheus died and Alertmanager repeats what it said: the evaluation counts, not the arrival."""
    for _ in range(7):
        await post(receiver, heartbeat(0))
        await look()
        await pass_seconds(receiver, 30)
    assert [(each["type"], each["level"]) for each in await incidents(receiver)] == [("alerting_is_blind", 4)]


# 6. Which rules run?


async def test_6_rules_of_another_policy_are_noticed(receiver: Running, look: Look) -> None:
    """No Prometheus evaluates a rule of the policy in use: the console says so, and after ten minutes an incident."""
    for minute in range(12):
        await post(receiver, heartbeat(60 * minute, tocsin_rules="fedcba9876543210"))
        await look()
        await pass_seconds(receiver, 60)
    assert "rules of another policy" in (await receiver.get("/"))[1]
    assert [(each["type"], each["level"]) for each in await incidents(receiver)] == [("rules_of_another_policy", 3)]


# 8. Other senders.


@pytest.mark.parametrize("reason", ["MissingSeries", "NoData", "Paused", "RuleDeleted"])
async def test_8_grafanas_reasons_of_absence_are_no_all_clear(receiver: Running, reason: str) -> None:
    """What is no longer measured was not seen to be well."""
    await post(receiver, stranger())
    await pass_seconds(receiver, 60)
    await post(receiver, {**stranger(0, 50), "annotations": {"grafana_state_reason": reason}})
    await pass_seconds(receiver, 3600)
    found = (await receiver.get("/api/v1/incidents/1"))[1]
    assert (found["state"], found["recovery"]) == ("open", "unverified")


BAD: dict[str, dict[str, Any]] = {
    "a bad start": {"startsAt": "yesterday"},
    "FIRING": {"status": "FIRING"},
    "an empty end": {"endsAt": ""},
    "a number as a label's value": {"labels": {"alertname": "QueueFull", "shard": 3}},
}


@pytest.mark.parametrize("changes", BAD.values(), ids=BAD.keys())
async def test_8_one_bad_alert_loses_no_other(receiver: Running, changes: dict[str, Any]) -> None:
    """Nor is the bad one lost."""
    assert await post(receiver, {**stranger(alertname="QueueFull"), **changes}, stranger()) == [1, 2]


async def test_8_severity_none_reaches_nobody(receiver: Running) -> None:
    """InfoInhibitor is kept, and no message goes out, however long."""
    await post(receiver, stranger(alertname="InfoInhibitor", severity="none"))
    for _ in range(12):
        await receiver.pass_time(HOUR)
    assert (await receiver.get("/api/v1/incidents/1/notifications"))[1]["notifications"] == []


WORDS = {"P0": 4, "SEV1": 4, "panic": 4, "notice": 1, "debug": 0}


@pytest.mark.parametrize(("word", "level"), WORDS.items())
async def test_8_words_for_a_severity_mean_what_they_say(receiver: Running, word: str, level: int) -> None:
    """All of these were level 3."""
    await post(receiver, stranger(severity=word))
    assert (await receiver.get("/api/v1/incidents/1"))[1]["alerts"][0]["level"] == level


# 9. Flapping.


async def ten_cycles(receiver: Running) -> tuple[list[int], int, int]:
    """An emergency fires and clears ten times, and is acknowledged each time: the messages after each cycle, the pages
    of PagerDuty, and how often one of them is closed there.
    """
    reads, messages = receiver.store.reads(), []
    closed: dict[str, int] = {}
    await post(receiver, emergency(0))
    await acknowledge(receiver)
    for minute in range(1, 11):
        await pass_seconds(receiver, 30)
        await post(receiver, emergency(60 * minute - 60, 60 * minute - 30))
        await pass_seconds(receiver, 30)
        await post(receiver, emergency(60 * minute))
        await acknowledge(receiver)
        incident = reads.incidents()[0][0]
        told = reads.notifications(incident.id)
        messages.append(sum(each.kind not in {"update", "reminder", "approval"} for each in told))  # by the clock
        for each in told:
            if each.channel == "pagerduty" and each.kind in {"acknowledged", "resolved"}:
                closed.setdefault(each.id, len(pages_to_close(incident, each)))
    pagerduty = sum(each.channel == "pagerduty" and each.kind == "page" for each in told)
    return messages, pagerduty, sum(closed.values())


async def test_9_ten_cycles_are_a_few_messages(receiver: Running) -> None:
    """That it flaps is told once; the cycles after that send no message."""
    messages, _, _ = await ten_cycles(receiver)
    assert messages[3:] == messages[3:4] * 7


async def test_9_the_acknowledgement_of_what_flaps_holds(receiver: Running) -> None:
    """The first cycles are new danger; after them the acknowledgement holds."""
    await ten_cycles(receiver)
    assert (await facts(receiver)).count("ack_voided") <= 3


async def test_9_pagerduty_is_told_the_end_of_each_page_once(receiver: Running) -> None:
    """An acknowledgement closes the pages since the last one: events do not grow with the square of the cycles."""
    _, pages_there, closed = await ten_cycles(receiver)
    assert 0 < closed <= pages_there


# 10. Between two flushes.


async def test_10_an_emergency_between_two_flushes_leaves_a_trace(receiver: Running) -> None:
    """Alertmanager tells of it in a group with others that fire: people are paged, and confirm that it is over."""
    await post(receiver, stranger(severity="warning"))
    await pass_seconds(receiver, 60)
    told = await pages(receiver)
    await post(receiver, stranger(severity="warning"), emergency(10, 40))
    assert await pages(receiver) > told
    found = (await incidents(receiver))[-1]
    assert (found["level"], found["recovery"] == "") == (4, False)
    await receiver.pass_time(10 * MINUTE)
    assert (await incidents(receiver))[-1]["state"] == "open"
