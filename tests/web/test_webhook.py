"""The webhook's manners: what it answers to whom, what it never does, and what is counted."""

import asyncio
import errno
import gzip
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import PendingRollbackError
from structlog.testing import capture_logs

from rules.policy import SECOND
from tests.web.conftest import Running, payload

PATH = "/webhook/alertmanager"
GZIP = {"Content-Encoding": "gzip"}


def alert(**changes: Any) -> dict[str, Any]:
    """One firing alert, as Alertmanager writes it."""
    plain = {
        "status": "firing",
        "labels": {"alertname": "DiskFull", "severity": "warning"},
        "annotations": {"summary": "disk full"},
        "startsAt": "2026-11-23T02:28:11.821123456Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prom.example.test/graph",
        "fingerprint": "dff48a4cd452bbba",
    }
    return {name: value for name, value in {**plain, **changes}.items() if value is not ...}


def body(*alerts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A webhook's body."""
    return {"version": "4", "status": "firing", "alerts": list(alerts), "groupLabels": {}, **changes}


ACCEPTED: dict[str, dict[str, Any]] = {
    "as it is": body(alert()),
    "nobody": body(),
    "fields of later versions": body(alert(), notification_reason="new alerts added", routeLabels={"a": "b"}),
    "unknown keys in an alert": body(alert(colour="red", values={"A": 1})),
    "no fingerprint": body(alert(fingerprint=...)),
    "an empty fingerprint": body(alert(fingerprint="")),
    "null where Go says nil": body(alert(annotations=None, generatorURL=None), groupLabels=None, truncatedAlerts=None),
    "nothing but what is needed": {"alerts": [alert(annotations=..., endsAt=..., generatorURL=..., fingerprint=...)]},
    "a start without a zone": body(alert(startsAt="2026-11-23T02:28:11")),
    "a start east of UTC": body(alert(startsAt="2026-11-23T05:28:11.1+03:00")),
    "a start in the year 1, east of UTC": body(alert(startsAt="0001-01-01T00:00:00+14:00")),
    "a start in the year 9999, west of UTC": body(alert(startsAt="9999-12-31T23:59:59-12:00")),
    "resolved in the year 1": body(alert(status="resolved", endsAt="0001-01-01T00:00:00Z")),
    "resolved before it began": body(alert(status="resolved", endsAt="2020-01-01T00:00:00Z")),
    "an endless fingerprint": body(alert(fingerprint="f" * 100_000)),
    "a label of 100 kB": body(alert(labels={"alertname": "A" * 100_000})),
    "NUL everywhere": body(
        alert(labels={"alertname": "a\0b", "n\0": "\0"}, annotations={"summary": "\0x"}, fingerprint="\0")
    ),
    "severity level out of range": body(alert(labels={"alertname": "A", "severity_level": "9"})),
}


@pytest.mark.parametrize("document", ACCEPTED.values(), ids=ACCEPTED.keys())
async def test_accepted(receiver: Running, document: dict[str, Any]) -> None:
    """What can be understood is taken in, and the incident can be shown."""
    status, answer = await receiver.post(PATH, document)
    assert (status, answer) == (200, {"incidents": answer["incidents"]})
    fires = any(each["status"] == "firing" for each in document["alerts"])
    assert len(answer["incidents"]) == (1 if fires else 0)
    assert (await receiver.get("/api/v1/incidents"))[0] == 200


NEVER = b'{"alerts": [], "x": '
DEEP = b'"' + b"[" * 9 + b'\\"'  # a text that has brackets
NESTED: dict[str, bytes] = {
    "lists, 100,000 deep": b"[" * 100_000 + b"]" * 100_000,
    "objects, 100,000 deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "a text with brackets, 60 deep": b"[" * 60 + DEEP + b'"' + b"]" * 60,
}


@pytest.mark.parametrize("value", NESTED.values(), ids=NESTED.keys())
async def test_nesting_loses_no_alert(receiver: Running, value: bytes) -> None:
    """A value nested without end, in the body or in an alert, is left out; every alert is taken, also that one."""
    nested = json.dumps(body(alert(), alert(labels={"alertname": "B"}, fingerprint="b", annotations={"a": "@"}), x="@"))
    content = nested.encode().replace(b'"@"', value)
    assert await receiver.post(PATH, content) == (200, {"incidents": [1, 2]})
    _, found = await receiver.get("/api/v1/incidents")
    assert {each["title"] for each in found["incidents"]} == {"disk full", "B"}


MALFORMED: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"alert!",
    "half of it": payload("single_firing")[:-20],
    "a list": b"[]",
    "a number": b"1",
    "null": b"null",
    "no alerts": b"{}",
    "alerts that are an object": b'{"alerts": {}}',
    "nested without end, and cut off": NEVER + b"[" * 100_000,
    "form data": b"payload=%7B%7D",
}


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED.keys())
async def test_malformed(receiver: Running, content: bytes) -> None:
    """What can never be understood is answered 400 in a sentence, logged and counted; people hear of it, once."""
    with capture_logs() as logs:
        for _ in range(2):
            async with receiver.http.post(f"{receiver.url}{PATH}?source=bridge", data=content) as answer:
                assert (answer.status, answer.content_type) == (400, "application/problem+json")
                said = (await answer.json(content_type=None))["detail"]
    assert said.startswith("the body cannot be read: ")
    assert said.endswith("sent again, it is refused again.")
    refused = [each["reason"] for each in logs if each["event"] == "webhook refused"]
    assert (refused, [each for each in logs if "exc_info" in each or "exception" in each]) == ([said] * 2, [])
    assert (await receiver.scrape())['tocsin_webhooks_total{result="malformed"}'] == 2
    (found,) = (await receiver.get("/api/v1/incidents"))[1]["incidents"]
    assert (found["type"], found["level"]) == ("alerts_cannot_be_read", 3)
    (told,) = (await receiver.get("/api/v1/incidents/1"))[1]["alerts"]
    assert said in told["annotations"]["description"]


async def test_what_is_refused_while_nothing_can_be_stored(receiver: Running) -> None:
    """A body that cannot be read is refused for that, not with 503: another try is no use."""
    receiver.store.close()
    assert (await receiver.post(PATH, b"alert!"))[0] == 400


async def test_refusal_quotes_nothing(receiver: Running) -> None:
    """Alertmanager logs our answers: a refusal does not repeat what was sent."""
    status, answer = await receiver.post(PATH, {"alerts": {"hunter2": 12345}})
    assert status == 400
    assert "hunter2" not in json.dumps(answer)
    assert "12345" not in json.dumps(answer)
    status, answer = await receiver.post(PATH, body(alert(status="hunter2", labels="12345")))
    assert (status, answer["unreadable"]) == (200, [{"index": 0, "reason": "it has no labels"}])
    assert "hunter2" not in json.dumps(answer)


async def test_nul_is_gone(receiver: Running) -> None:
    """PostgreSQL refuses NUL, so none gets through, in names, values, annotations or the source."""
    await receiver.post(f"{PATH}?source=a%00b", ACCEPTED["NUL everywhere"])
    _, found = await receiver.get("/api/v1/incidents/1")
    assert "\0" not in json.dumps(found, ensure_ascii=False)
    assert (found["source"], found["labels"], found["title"]) == ("ab", {"alertname": "ab", "n": ""}, "x")


async def test_long_texts_are_cut(receiver: Running) -> None:
    """425 kB of annotation, repeated in commonAnnotations, are taken, and 8,192 characters kept."""
    long = "wörd " * 85_000
    document = body(alert(annotations={"description": long}), commonAnnotations={"description": long})
    assert (await receiver.post(PATH, document))[0] == 200
    _, found = await receiver.get("/api/v1/incidents/1")
    kept = found["alerts"][0]["annotations"]["description"]
    assert (len(kept), kept[-1]) == (8192, "…")


async def test_instants_are_cut_to_milliseconds(receiver: Running) -> None:
    """Nanoseconds are read; the same firing told in milliseconds (Alertmanager's API) is the same alert."""
    await receiver.post(PATH, body(alert()))
    await receiver.post(PATH, body(alert(startsAt="2026-11-23T02:28:11.821Z")))
    _, found = await receiver.get("/api/v1/incidents/1")
    assert (found["alerts"][0]["starts_at"], found["version"]) == ("2026-11-23T02:28:11.821Z", 1)


async def test_missing_fingerprints_are_computed_from_labels(receiver: Running) -> None:
    """Without fingerprints, alerts with the same labels are one and alerts with others are another."""
    first, second = {"alertname": "A", "n": "1"}, {"alertname": "A", "n": "2"}
    alerts = [alert(labels=labels, fingerprint=...) for labels in (first, second, dict(reversed(first.items())))]
    await receiver.post(PATH, body(*alerts))
    _, found = await receiver.get("/api/v1/incidents/1")
    assert (found["firing"], len({each["fingerprint"] for each in found["alerts"]})) == (2, 2)


async def test_gzip(receiver: Running) -> None:
    """A compressed body is unpacked."""
    status, answer = await receiver.post(PATH, gzip.compress(payload("single_firing")), headers=GZIP)
    assert (status, answer) == (200, {"incidents": [1]})


async def test_bad_gzip(receiver: Running, caplog: pytest.LogCaptureFixture) -> None:
    """A body that only claims to be compressed, or breaks off, is answered 400, without a traceback in the log."""
    packed = gzip.compress(payload("group_firing"))
    for broken in (b"not gzip at all", packed[:40] + b"\0" * 40):
        status, answer = await receiver.post(PATH, broken, headers=GZIP)
        assert (status, answer["status"]) == (400, 400)
    assert (await receiver.scrape())['tocsin_webhooks_total{result="malformed"}'] == 2
    assert not [record for record in caplog.records if record.name == "aiohttp.server"]


async def test_gzip_bomb(receiver: Running) -> None:
    """64 MiB in 64 kB are not unpacked to the end: 413, and the next webhook is served."""
    status, _ = await receiver.post(PATH, gzip.compress(bytes(64 << 20)), headers=GZIP)
    assert status == 413
    assert (await receiver.scrape())['tocsin_webhooks_total{result="too_large"}'] == 1
    assert await receiver.send("single_firing") == [[2]], "the first tells people of what was refused"


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 413)], ids=["16 MiB", "16 MiB and a byte"])
async def test_largest_body(receiver: Running, more: int, status: int) -> None:
    """The limit is 16 MiB to the byte."""
    document = payload("single_firing")
    padded = document.rstrip() + b" " * ((16 << 20) - len(document.rstrip()) + more)
    assert (await receiver.post(PATH, padded))[0] == status


async def test_ten_thousand_alerts(receiver: Running) -> None:
    """A group of 10,000 alerts is one incident that counts them all."""
    alerts = [alert(labels={"alertname": "A", "n": str(n)}, fingerprint=f"{n:016x}") for n in range(10_000)]
    assert (await receiver.post(PATH, body(*alerts)))[0] == 200
    _, found = await receiver.get("/api/v1/incidents/1")
    assert (found["firing"], len(found["alerts"])) == (10_000, 100)
    assert len((await receiver.get("/api/v1/incidents/1/alerts"))[1]["alerts"]) == 500
    async with receiver.http.get(f"{receiver.url}/incidents/1/alerts.csv") as answer:
        assert (await answer.text()).count("\n") == 1 + 10_000


NO_REDIRECT = [
    "/webhook/alertmanager/",
    "//webhook/alertmanager",
    "/webhook",
    "/webhook/alertmanager/x",
    "/api/v1/incidents/",
]


@pytest.mark.parametrize("path", NO_REDIRECT)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"])
async def test_never_a_redirect(receiver: Running, path: str, method: str) -> None:
    """Alertmanager follows a redirect, loses the body, and believes the alert delivered: so there is none."""
    status, _ = await receiver.ask(method, path, payload("single_firing"))
    assert not 300 <= status < 400


async def test_trailing_slash(receiver: Running) -> None:
    """The webhook's URL with a slash at its end is the webhook."""
    assert await receiver.post("/webhook/alertmanager/", payload("single_firing")) == (200, {"incidents": [1]})


async def test_database_away(start: Callable[..., Any], tmp_path: Path) -> None:
    """While the database cannot be written the answer is 503, so that Alertmanager tries again; then all is well."""
    file = tmp_path / "incidents.db"
    receiver = await start(TOCSIN_DATABASE=f"sqlite:///{file}")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        status, answer = await receiver.post(PATH, payload("single_firing"))
        other.execute("ROLLBACK")
    assert (status, answer["status"]) == (503, 503)
    assert str(file.parent) not in answer["detail"]
    assert (await receiver.scrape())['tocsin_webhooks_total{result="unavailable"}'] == 1
    assert await receiver.send("single_firing") == [[1]]


WAYS_TO_FAIL: dict[str, Callable[[Any], Any]] = {
    "no space": lambda _: _raise(OSError(errno.ENOSPC, "No space left on device")),
    "no memory": lambda _: _raise(MemoryError()),
    "a transaction that was not undone": lambda connection: connection.exec_driver_sql("BEGIN"),
    "a table is gone": lambda connection: connection.exec_driver_sql("SELECT * FROM nothing"),
    "a connection is lost": lambda _: _raise(PendingRollbackError()),
}


def _raise(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("fails", WAYS_TO_FAIL.values(), ids=WAYS_TO_FAIL)
async def test_whatever_the_store_fails_of(receiver: Running, fails: Callable[[Any], Any]) -> None:
    """No transaction can begin, for a reason that was foreseen or not: 503 in plain words, and afterwards all is well."""
    writer = receiver.store._database.writer
    event.listen(writer, "begin", fails)
    status, answer = await receiver.post(PATH, payload("single_firing"))
    event.remove(writer, "begin", fails)
    assert (status, answer["status"]) == (503, 503)
    assert "database is unavailable" in answer["detail"]
    assert await receiver.send("single_firing") == [[1]]


async def test_heartbeat(receiver: Running) -> None:
    """The heartbeat opens no incident; how long ago it was evaluated is a metric by source, unknown before the first."""
    seen = await receiver.scrape()
    assert seen["tocsin_heartbeats"] == 0
    assert not any(name.startswith("tocsin_heartbeat_age_seconds") for name in seen)
    beat = alert(labels={"alertname": "TocsinHeartbeat", "heartbeat": "true", "severity": "none"})
    said = {"annotations": {"evaluated_at": f"{receiver.clock.now / SECOND - 60:.3f}"}}
    assert await receiver.post(PATH, body(beat)) == (200, {"incidents": []})
    assert await receiver.post(f"{PATH}?source=eu", body(beat | said)) == (200, {"incidents": []})
    receiver.clock.now += 90 * SECOND
    assert await receiver.post(PATH, body({**beat, "status": "resolved"})) == (200, {"incidents": []})
    seen = await receiver.scrape()
    assert seen["tocsin_heartbeats"] == 2
    assert seen['tocsin_heartbeat_age_seconds{source=""}'] == 90
    assert seen['tocsin_heartbeat_age_seconds{source="eu"}'] == 150


async def test_a_strangers_watchdog_is_nothing(receiver: Running) -> None:
    """A Watchdog that the policy does not name opens no incident and is no heartbeat."""
    watchdog = alert(labels={"alertname": "Watchdog", "severity": "none"})
    assert await receiver.post(PATH, body(watchdog)) == (200, {"incidents": []})
    assert (await receiver.scrape())["tocsin_heartbeats"] == 0


async def test_counts(receiver: Running) -> None:
    """Webhooks, alerts by status and guessed severities are counted."""
    await receiver.send("mixed_firing_resolved", "unicode_emoji")
    found = await receiver.scrape()
    assert found['tocsin_webhooks_total{result="accepted"}'] == 2
    assert found['tocsin_alerts_total{status="firing"}'] == 3
    assert found['tocsin_alerts_total{status="resolved"}'] == 2
    assert found["tocsin_unknown_severity_total"] == 1
    assert found["tocsin_ingest_seconds_count"] == 2


TOKEN = {"TOCSIN_WEBHOOK_TOKEN": "hook:token", "TOCSIN_API_TOKENS": "api-token"}
CREDENTIALS: dict[str, tuple[str | None, int]] = {
    "bearer": ("Bearer hook:token", 200),
    "bearer, in small letters": ("bearer hook:token", 200),
    "basic": ("Basic YWxlcnRtYW5hZ2VyOmhvb2s6dG9rZW4=", 200),
    "basic without a user": ("Basic Omhvb2s6dG9rZW4=", 200),
    "nothing": (None, 401),
    "an empty token": ("Bearer ", 401),
    "the beginning of it": ("Bearer hook", 401),
    "more than it": ("Bearer hook:token2", 401),
    "the API's token": ("Bearer api-token", 401),
    "not even base64": ("Basic !!!", 401),
    "base64 of no text": ("Basic //8=", 401),
    "another scheme": ("Digest hook:token", 401),
    "bytes that are no text": ("Bearer h\udcffok", 401),
}


@pytest.mark.parametrize(("header", "status"), CREDENTIALS.values(), ids=CREDENTIALS.keys())
async def test_token(start: Callable[..., Any], header: str | None, status: int) -> None:
    """With a token configured, only who has it gets alerts in: Bearer, or Basic with any user."""
    receiver = await start(**TOKEN)
    sent = await raw(receiver, payload("single_firing"), **({"Authorization": header} if header else {}))
    assert sent == status


async def test_wrong_token_is_counted(start: Callable[..., Any]) -> None:
    """Refused webhooks show in the metrics: a wrong token must not look like silence."""
    receiver = await start(**TOKEN)
    assert (await receiver.post(PATH, payload("single_firing")))[0] == 401
    assert (await receiver.scrape())['tocsin_webhooks_total{result="unauthorized"}'] == 1


async def test_page_of_another_site(receiver: Running) -> None:
    """A web page cannot make a user's browser post alerts."""
    headers = {"Origin": "https://evil.example.test"}
    assert (await receiver.post(PATH, payload("single_firing"), headers=headers))[0] == 403


async def test_one_bad_row_does_not_take_the_others(receiver: Running) -> None:
    """An incident that cannot be read is set aside: its alerts open another, and the others are stored."""
    await receiver.send("group_by_empty")
    await receiver.queue.run(_damage, receiver, 1)
    again = payload("group_by_empty").replace(b"2026-11-23T02:28:11.891Z", b"2026-11-23T03:00:00.000Z")
    receiver.clock.now += SECOND
    assert await receiver.post(PATH, again) == (200, {"incidents": [2, 3]})
    assert (await receiver.get("/api/v1/incidents/2"))[1]["version"] == 2
    found = await receiver.scrape()
    assert (found['tocsin_webhooks_total{result="failed"}'], found["tocsin_damaged_rows"]) == (0, 1)


def _damage(receiver: Running, number: int) -> None:
    with receiver.store._database.write() as connection:
        connection.exec_driver_sql(f"UPDATE incidents SET doc = '{{}}' WHERE number = {number}")


async def raw(receiver: Running, content: bytes, **headers: str) -> int:
    """Post over a bare socket, so that any header can be sent; the status of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
    lines = [f"POST {PATH} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(content)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + content)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return int(answer.split(b" ", 2)[1])
