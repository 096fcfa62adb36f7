"""Bodies that are almost Alertmanager's: what other senders and templates make of them, and what is taken of each."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from receiver.clients.alert_payload import parse
from receiver.clients.payload_repair import IMPOSSIBLE_END, IMPOSSIBLE_START, NO_START, NOT_QUITE_JSON
from receiver.core.model import Instant
from receiver.core.unreadable import TYPE
from receiver.jobs.unheard import end_unreadable
from rules.load import load_text
from rules.policy import HOUR, MINUTE, SECOND
from tests.web.conftest import START, Running, payload
from tests.web.test_webhook import PATH, alert, body

NOW = Instant(START)
KNOWN = "2026-11-23T02:28:11.821Z"


async def shown(receiver: Running, number: int = 1) -> dict[str, Any]:
    """An incident of the API."""
    return (await receiver.get(f"/api/v1/incidents/{number}"))[1]


async def texts(receiver: Running, number: int = 1) -> list[str]:
    """The lines of its timeline."""
    _, found = await receiver.get(f"/api/v1/incidents/{number}/timeline")
    return [each["text"] for each in found["timeline"]]


REPAIRED: dict[str, tuple[dict[str, Any], str]] = {
    "a status in capitals": ({"status": "FIRING"}, "status 'FIRING' is taken as firing"),
    "a status with blanks": ({"status": " firing "}, "status 'firing' is taken as firing"),
    "a status of its own": ({"status": "pending"}, "status 'pending' is taken as firing"),
    "a status that is no text": ({"status": 7}, "status '7' is taken as firing"),
    "no status": ({"status": ...}, "status is missing: taken as firing by its end"),
    "an empty end": ({"endsAt": ""}, "endsAt is no time: taken as none"),
    "an end that is none": ({"endsAt": "never"}, "endsAt is no time: taken as none"),
    "no start": ({"startsAt": ...}, NO_START),
    "a start of null": ({"startsAt": None}, NO_START),
    "an empty start": ({"startsAt": ""}, NO_START),
    "a start that is none": ({"startsAt": "yesterday"}, NO_START),
    "a start that is true": ({"startsAt": True}, NO_START),
    "a start that is not a number": ({"startsAt": float("nan")}, NO_START),
    "an infinite start": ({"startsAt": float("inf")}, NO_START),
    "a start beyond all time": ({"startsAt": 1e300}, NO_START),
    "a start that is an object": ({"startsAt": {}}, NO_START),
    "a start that was never set": ({"startsAt": "0001-01-01T00:00:00Z"}, NO_START),
    "a start tomorrow": ({"startsAt": "2026-11-24T02:13:20Z"}, IMPOSSIBLE_START),
    "a start in an hour, by a clock in another zone": ({"startsAt": "2026-11-23T03:13:20"}, IMPOSSIBLE_START),
    "a start in milliseconds, tomorrow": ({"startsAt": 1_795_486_400_000}, IMPOSSIBLE_START),
    "a start in the last year": ({"startsAt": "9999-12-31T23:59:59Z"}, IMPOSSIBLE_START),
    "a start by a clock that was never set": ({"startsAt": "1970-01-01T00:03:12Z"}, IMPOSSIBLE_START),
    "a start after so many seconds": ({"startsAt": 312}, IMPOSSIBLE_START),
    "a start in nanoseconds": ({"startsAt": 1_795_400_891_821_000_000}, NO_START),
    "a start in a month that is none": ({"startsAt": "2026-13-23T02:28:11Z"}, NO_START),
    "a label that is a number": ({"labels": {"a": 1}}, "label a: taken as text"),
    "labels of all kinds": (
        {"labels": {"a": "x", "b": 1.5, "c": None, "d": True, "e": [1], "f": {"g": 2}}},
        "label b, c, d, e, f: taken as text",
    ),
    "an annotation that is a number": ({"annotations": {"p": 97.5}}, "annotation p: taken as text"),
    "annotations that are a list": ({"annotations": ["x"]}, "annotations is no object: taken as empty"),
    "annotations that are a text": ({"annotations": "x"}, "annotations is no object: taken as empty"),
    "a generator that is a number": ({"generatorURL": 17}, "generatorURL is no text: left out"),
    "a fingerprint that is a number": ({"fingerprint": 12345}, "fingerprint is no text: computed from the labels"),
}


@pytest.mark.parametrize(("changes", "note"), REPAIRED.values(), ids=REPAIRED.keys())
async def test_repaired(receiver: Running, changes: dict[str, Any], note: str) -> None:
    """What can be guessed is guessed: the alert opens its incident, whose timeline says what was changed."""
    assert await receiver.post(PATH, body(alert(**changes))) == (200, {"incidents": [1]})
    found = await shown(receiver)
    assert found["alerts"][0]["repairs"] == [note]
    assert any(note in text for text in await texts(receiver))
    assert (await receiver.scrape())["tocsin_alerts_repaired_total"] == 1


async def test_values_become_text(receiver: Running) -> None:
    """Numbers, truth values and null are what JSON writes; whole numbers have no point."""
    labels = {"alertname": "A", "n": 8, "x": 1.0, "y": 2.5, "t": True, "f": False, "z": None, "l": [1, "a"]}
    await receiver.post(PATH, body(alert(labels=labels)))
    assert (await shown(receiver))["labels"] == {
        "alertname": "A", "n": "8", "x": "1", "y": "2.5", "t": "true", "f": "false", "z": "", "l": '[1,"a"]',
    }  # fmt: skip


@pytest.mark.parametrize("said", ["", None, "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"])
async def test_missing_start_is_now(receiver: Running, said: object) -> None:
    """A start that cannot be read is when the webhook came; repeats of it are no new firing."""
    for _ in range(3):
        await receiver.post(PATH, body(alert(startsAt=said)))
        receiver.clock.now = Instant(receiver.clock.now + SECOND)
    found = await shown(receiver)
    assert (found["alerts"][0]["starts_at"], found["firing"], found["version"]) == ("2026-11-23T02:13:20.000Z", 1, 1)


ENDS = ("Recovered", "closed", "CLEAR", "cleared", "resolve", "Healthy", "RESOLVED!", "Normal (Paused)", "OK(Paused)")
FIRES = ("Recovery failed", "Not OK", "No Data", "INSUFFICIENT_DATA", "acknowledged", "Triggered (Normal)")


@pytest.mark.parametrize("said", ENDS)
async def test_words_for_an_end(receiver: Running, said: str) -> None:
    """What senders call an end is one; the reason that Grafana adds makes it none that is verified."""
    await receiver.post(PATH, body(alert()))
    await receiver.post(PATH, body(alert(status=said)))
    (found,) = (await shown(receiver))["alerts"]
    assert found["status"] == "resolved"
    assert found["annotations"].get("grafana_state_reason", "") == ("Paused" if "(" in said else "")


async def test_every_reason_of_grafana_counts(receiver: Running) -> None:
    """Where Grafana gives two reasons for an end, both stand on the alert."""
    await receiver.post(PATH, body(alert()))
    await receiver.post(PATH, body(alert(status="Normal (Alerting, NoData)")))
    assert (await shown(receiver))["alerts"][0]["annotations"]["grafana_state_reason"] == "Alerting, NoData"


@pytest.mark.parametrize("said", FIRES)
async def test_words_for_no_end(receiver: Running, said: str) -> None:
    """A word that is not surely an end is none: an alert that fires is ended by nothing else."""
    await receiver.post(PATH, body(alert()))
    await receiver.post(PATH, body(alert(status=said)))
    assert (await shown(receiver))["firing"] == 1


CUT = json.dumps(
    body(
        alert(labels={"alertname": "A"}, fingerprint="a"),
        alert(labels={"alertname": "B"}, fingerprint="b", annotations={"a": "@"}),
    )
)
NOT_QUITE: dict[str, bytes] = {
    "half an emoji": CUT.replace("@", "cut \\ud83d").encode(),
    "half an emoji as a name": CUT.replace('"a": "@"', '"\\udd25": "x"').encode(),
    "Latin-1": CUT.replace("@", "Zähler").encode("latin-1"),
    "a byte order mark": CUT.encode("utf-8-sig"),
    "UTF-16": CUT.encode("utf-16"),
    "UTF-16 without a mark": CUT.encode("utf-16-le"),
    "a line break in a text": CUT.replace("@", "one\ntwo\tthree").encode(),
    "a bare NUL": CUT.replace("@", "\0").encode(),
}


@pytest.mark.parametrize("content", NOT_QUITE.values(), ids=NOT_QUITE.keys())
async def test_not_quite_json(receiver: Running, content: bytes) -> None:
    """Letters that cannot be read in one alert lose neither it nor the others, and that they were replaced is said."""
    assert await receiver.post(PATH, content) == (200, {"incidents": [1, 2]})
    assert (await shown(receiver))["alerts"][0]["repairs"] == [NOT_QUITE_JSON]


NAMES: dict[str, dict[str, Any]] = {
    "as Go has them": {"Status": "firing", "Labels": {"alertname": "A", "severity": "P2"}, "StartsAt": KNOWN},
    "in capitals": {"STATUS": "firing", "LABELS": {"alertname": "A", "severity": "P2"}, "STARTSAT": KNOWN},
    "with lines": {"status": "firing", "labels": {"alertname": "A", "severity": "P2"}, "starts_at": KNOWN},
}


@pytest.mark.parametrize("written", NAMES.values(), ids=NAMES.keys())
async def test_names_written_otherwise(receiver: Running, written: dict[str, Any]) -> None:
    """A bridge that writes the names of the body's parts with other letters is understood, and that is noted."""
    answer = await receiver.post(PATH, {"Alerts": [written]})
    assert answer == (200, {"incidents": [1]})
    (found,) = (await shown(receiver))["alerts"]
    assert (found["level"], found["starts_at"]) == (3, KNOWN)
    assert any("taken as" in note for note in found["repairs"])


IMPOSSIBLE = [
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "1970-01-01T00:01:00Z",
    "2026-11-23T04:13:20Z",
    60,
    0,
    None,
]


@pytest.mark.parametrize("said", IMPOSSIBLE)
def test_an_end_that_cannot_be(said: object) -> None:
    """What is over, but ended before all time or in the future, ended when we heard of it, and that is noted."""
    told = body(alert(status="resolved", startsAt="2026-11-23T02:00:00Z", endsAt=said))
    (found,) = parse(json.dumps(told).encode(), NOW).alerts
    assert (found.ended_at, found.repairs) == (NOW, (IMPOSSIBLE_END,))


@pytest.mark.parametrize("said", ["2030-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1970-01-01T00:00:09Z", None])
async def test_what_began_at_no_time_goes_on_and_ends(receiver: Running, said: object) -> None:
    """A start that cannot be is when the webhook came: repeats are no new firing, its end ends it, it may fire again."""
    for minute in range(3):
        assert (await receiver.post(PATH, body(alert(startsAt=said))))[0] == 200
        found = await shown(receiver)
        assert (found["alerts"][0]["starts_at"], found["firing"], found["version"]) == (
            "2026-11-23T02:13:20.000Z",
            1,
            1,
        )
        receiver.clock.now = Instant(START + minute * MINUTE)
    await receiver.post(PATH, body(alert(status="resolved", startsAt=said, endsAt="2026-11-23T02:14:20Z")))
    assert (await shown(receiver))["recovery"] == "verifying"
    receiver.clock.now = Instant(receiver.clock.now + HOUR)
    await receiver.post(PATH, body(alert(startsAt=said)))
    assert (await shown(receiver))["firing"] == 1


def test_a_clock_that_is_a_little_ahead_is_believed() -> None:
    """A quarter of an hour is a sender's clock, and neither its start nor its end is changed."""
    soon, sooner = "2026-11-23T02:28:20Z", "2026-11-23T02:28:10Z"
    (found,) = parse(json.dumps(body(alert(status="resolved", startsAt=sooner, endsAt=soon))).encode(), NOW).alerts
    assert (found.starts_at, found.ended_at) == (NOW + 890 * SECOND, NOW + 900 * SECOND)
    assert (found.repairs, found.start_unknown) == ((), False)


async def test_nothing_but_alerts_without_labels(receiver: Running) -> None:
    """They open no incident of their own, each is listed, and one level 3 incident for each source tells people."""
    for source in ("one", "two", "one"):
        status, answer = await receiver.post(f"{PATH}?source={source}", body(alert(labels={}), alert(labels=...)))
        assert status == 200
        assert answer["unreadable"] == [{"index": at, "reason": "it has no labels"} for at in (0, 1)]
    found = (await receiver.get("/api/v1/incidents"))[1]["incidents"]
    assert [(each["type"], each["level"]) for each in found] == [(TYPE, 3)] * 2


TIMES = {
    "as Go prints it": ("2026-11-23 02:28:11.821 +0000 UTC", KNOWN),
    "as Go prints it, elsewhere": ("2026-11-23 03:28:11.821 +0100 CET m=+12.3", KNOWN),
    "with a blank": ("2026-11-23 02:28:11.821Z", KNOWN),
    "seconds": (1795400891.821, KNOWN),
    "milliseconds": (1795400891821, KNOWN),
    "seconds as text": ("1795400891", "2026-11-23T02:28:11.000Z"),
}


@pytest.mark.parametrize(("said", "meant"), TIMES.values(), ids=TIMES.keys())
async def test_times_of_others(receiver: Running, said: object, meant: str) -> None:
    """Times that senders write otherwise are read, not guessed."""
    await receiver.post(PATH, body(alert(startsAt=said)))
    assert (await shown(receiver))["alerts"][0]["starts_at"] == meant


ENDED: dict[str, dict[str, Any]] = {
    "in capitals": {"status": "RESOLVED"},
    "ok": {"status": "ok"},
    "no status, but an end": {"status": ...},
    "no start": {"status": "resolved", "startsAt": ...},
    "no start in the year 1": {"status": "resolved", "startsAt": "0001-01-01T00:00:00Z"},
    "no end": {"status": "resolved", "endsAt": ""},
    "a null end": {"status": "resolved", "endsAt": None},
    "a number as label value": {"status": "resolved", "annotations": {"p": 1}},
}


@pytest.mark.parametrize("changes", ENDED.values(), ids=ENDED.keys())
async def test_a_repaired_end_ends_it(receiver: Running, changes: dict[str, Any]) -> None:
    """A resolve that has to be repaired is a resolve."""
    receiver.clock.now = Instant(receiver.clock.now + HOUR)
    await receiver.post(PATH, body(alert()))
    receiver.clock.now = Instant(receiver.clock.now + HOUR)
    ended = {"endsAt": "2026-11-23T02:40:00Z", **changes}
    assert await receiver.post(PATH, body(alert(**ended))) == (200, {"incidents": [1]})
    assert (await shown(receiver))["recovery"] == "verifying"


async def test_one_bad_alert_does_not_take_the_others(receiver: Running) -> None:
    """A template's body: what can be read opens its incident, the answer lists the rest, and people hear of it."""
    status, answer = await receiver.post(f"{PATH}?source=disks", payload("senders/template_firing"))
    assert (status, answer["unreadable"]) == (
        200,
        [{"index": 2, "reason": "it has no labels"}, {"index": 3, "reason": "it is no object"}],
    )
    assert answer["incidents"] == [1, 2]
    found = {each["type"]: each for each in (await receiver.get("/api/v1/incidents"))[1]["incidents"]}
    assert (found["DiskFull"]["firing"], found["DiskFull"]["level"]) == (3, 2)
    assert found[TYPE]["level"] == 3
    assert found[TYPE]["title"] == "Alerts of source disks cannot be read: they reach nobody"
    scraped = await receiver.scrape()
    assert scraped["tocsin_alerts_unreadable_total"] == 2
    assert scraped["tocsin_alerts_repaired_total"] == 3


@pytest.mark.parametrize("labels", [..., None, [], {}, "a", 7], ids=str)
async def test_what_has_no_labels_is_unreadable(receiver: Running, labels: object) -> None:
    """Without labels an alert has no subject."""
    status, answer = await receiver.post(PATH, body(alert(labels=labels), alert()))
    assert (status, answer["unreadable"]) == (200, [{"index": 0, "reason": "it has no labels"}])
    assert len(answer["incidents"]) == 2


async def test_told_once(receiver: Running) -> None:
    """However many bodies of a source cannot be read, people hear of it once; then it ends when a day is quiet."""
    for _ in range(3):
        await receiver.post(PATH, {"alerts": [1, None]})
        await receiver.pass_time(MINUTE)
    _, listed = await receiver.get("/api/v1/incidents")
    assert [(each["type"], each["version"]) for each in listed["incidents"]] == [
        (TYPE, listed["incidents"][0]["version"])
    ]
    await end_unreadable(receiver.queue, receiver.store.reads())
    assert (await shown(receiver))["firing"] == 1
    receiver.clock.now = Instant(receiver.clock.now + 25 * HOUR)
    await end_unreadable(receiver.queue, receiver.store.reads())
    assert (await shown(receiver))["firing"] == 0


GROUPS: dict[str, tuple[dict[str, Any], bool]] = {
    "group labels that are numbers": ({"groupLabels": {"shard": 3}}, False),
    "group labels that are a list": ({"groupLabels": []}, False),
    "truncated as text": ({"truncatedAlerts": "2"}, True),
    "truncated by NaN": ({"truncatedAlerts": float("nan")}, True),
    "truncated by words": ({"truncatedAlerts": "some"}, True),
    "truncated by nothing": ({"truncatedAlerts": ""}, False),
}


@pytest.mark.parametrize(("changes", "is_truncated"), GROUPS.values(), ids=GROUPS.keys())
def test_a_group_is_repaired(changes: dict[str, Any], is_truncated: bool) -> None:
    """What is wrong with the group loses no alert; how many were left out is rather thought some than none."""
    found = parse(json.dumps(body(alert(), **changes)).encode(), NOW)
    assert (len(found.alerts), found.truncated > 0, found.unreadable) == (1, is_truncated, ())


async def test_what_grafana_measured(receiver: Running) -> None:
    """Grafana's values are kept as annotations, and its own annotations go before them."""
    await receiver.send("senders/grafana_firing")
    first = next(each for each in (await shown(receiver))["alerts"] if each["labels"]["host"] == "m1")
    assert first["annotations"]["values"] == "B=93.4, C=1"
    assert first["annotations"]["valueString"].startswith("[ var='B' labels={host=m1} type='reduce' value=93.4 ]")
    assert first["repairs"] == []
    await receiver.post(PATH, body(alert(values={"A": 1}, annotations={"values": "its own"})))
    assert (await shown(receiver, 2))["alerts"][0]["annotations"] == {"values": "its own"}


@pytest.mark.parametrize("values", [None, {}, [], "B=1", {"B": {"C": [1]}}, {"B": None}], ids=str)
async def test_values_of_any_kind(receiver: Running, values: object) -> None:
    """With values of any kind the alert is taken, and nothing has to be repaired."""
    await receiver.post(PATH, body(alert(values=values, valueString=values)))
    assert (await shown(receiver))["alerts"][0]["repairs"] == []


async def test_a_series_that_is_gone_is_no_all_clear(receiver: Running) -> None:
    """Grafana resolves what it cannot measure any more: then a person must say that it is over."""
    await receiver.send("senders/grafana_firing", "senders/grafana_missing_series")
    await receiver.pass_time(10 * MINUTE)
    found = await shown(receiver)
    assert (found["state"], found["recovery"]) == ("open", "unverified")


POLICY = """
incident_response:
  alert_channels:
    - {name: email, type: email, recipients: [oncall@example.org]}
  detection:
    rules: [{name: margin, condition: "safety_margin < 0.95", severity: 3, channels: [email]}]
severities:
  - {source: grafana, map: {P2: 4, boring: 0}}
ignore:
  - {matchers: ['alertname="DiskFull"', 'mount=~"/tmp.*"'], reason: nobody minds}
"""


@pytest.fixture
def policy() -> Any:
    """A policy that knows its senders."""
    return load_text(POLICY).policy


async def test_words_of_a_source(start: Callable[..., Any]) -> None:
    """The same word means another level from another source."""
    receiver = await start()
    await receiver.send("senders/grafana_firing", source="grafana")
    await receiver.send("senders/grafana_firing")
    assert [(await shown(receiver, number))["level"] for number in (1, 2)] == [4, 3]


@pytest.mark.parametrize("severity", ["none", "debug", "boring"])
async def test_level_0_stands_in_the_history(start: Callable[..., Any], severity: str) -> None:
    """An alert of level 0 has an incident in the history and the API, and there is no message about it, ever."""
    receiver = await start()
    labels = {"alertname": "InfoInhibitor", "severity": severity}
    assert await receiver.post(f"{PATH}?source=grafana", body(alert(labels=labels))) == (200, {"incidents": [1]})
    await receiver.pass_time(12 * HOUR)
    found = await shown(receiver)
    assert (found["state"], found["recorded_only"], found["alerts"][0]["level"]) == ("resolved", True, 0)
    assert (await receiver.get("/api/v1/incidents/1/notifications"))[1]["notifications"] == []
    for path in ("/history", "/incidents/1", "/api/v1/incidents/1/report?format=html"):
        status, page = await receiver.get(path)
        assert (status, "nobody is told" in page) == (200, True)
    assert "InfoInhibitor" not in (await receiver.get("/"))[1]


async def test_level_0_is_nobodys_work(start: Callable[..., Any]) -> None:
    """What was only recorded does not count among incidents that were answered in time, or not."""
    receiver = await start()
    await receiver.post(PATH, body(alert(labels={"alertname": "InfoInhibitor", "severity": "none"})))
    tallies = receiver.store.reads().tallies(Instant(0), Instant(receiver.clock.now + 1))
    assert tallies == []
    await receiver.post(PATH, body(alert(labels={"alertname": "InfoInhibitor", "severity": "page"}, fingerprint="2")))
    (tally,) = receiver.store.reads().tallies(Instant(0), Instant(receiver.clock.now + 1))
    assert (tally.level, tally.incidents) == (3, 1)


async def test_ignored_alerts_are_counted(start: Callable[..., Any]) -> None:
    """What the policy ignores opens nothing and is counted; everything else is taken."""
    receiver = await start()
    noise = alert(labels={"alertname": "DiskFull", "mount": "/tmp/x"}, fingerprint="1")
    assert await receiver.post(PATH, body(noise, noise, alert())) == (200, {"incidents": [1]})
    assert (await shown(receiver))["firing"] == 1
    assert (await receiver.scrape())["tocsin_alerts_ignored_total"] == 2
