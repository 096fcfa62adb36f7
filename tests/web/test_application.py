"""Health, readiness, reload, metrics, headers, and the API's own description."""

import asyncio
import json
import math
import platform
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from receiver.core.events import Delivered, Overtaken, Rejected, Retry
from receiver.engine.service_state import Failing, ServiceState
from receiver.telemetry.metrics import Metrics
from receiver.version import build
from rules.policy import MINUTE, SECOND
from rules.time_zones import VERSION
from tests.web.conftest import START, Running, payload

OLDEST_EMERGENCY = "tocsin_oldest_undelivered_emergency_seconds"


async def test_health(start: Callable[..., Any]) -> None:
    """Healthy is healthy; ready is 503 with what fails, and why for who has a token: paths and hosts are no stranger's."""
    receiver = await start(TOCSIN_API_TOKENS="eve:viewer:see")
    assert (await receiver.get("/-/healthy"))[0] == 200
    assert (await receiver.get("/-/ready"))[0] == 200
    receiver.reasons.append(Failing("the database", "is unavailable: /var/lib/tocsin.db: disk full"))
    for token, said in (
        ("see", "the database is unavailable: /var/lib/tocsin.db: disk full"),
        ("guess", "the database"),
    ):
        headers = {"Authorization": f"Bearer {token}"}
        assert await receiver.get("/-/ready", headers=headers) == (503, f"Tocsin is not ready: {said}\n")
    assert await receiver.get("/-/ready") == (503, "Tocsin is not ready: the database\n")


async def test_reload(receiver: Running) -> None:
    """A reload that finds problems says them and is no success."""
    assert (await receiver.post("/-/reload"))[0] == 200
    receiver.policy_problems.append("policy.yaml:3:1: no such level")
    status, answer = await receiver.post("/-/reload")
    assert (status, answer["problems"]) == (500, ["policy.yaml:3:1: no such level"])
    assert (await receiver.get("/-/reload"))[0] == 405


@pytest.mark.parametrize(
    "path", ["/", "/-/ready", "/metrics", "/api/v1/incidents", "/nowhere", "/webhook/alertmanager"]
)
async def test_headers(receiver: Running, path: str) -> None:
    """Every answer, errors too, tells browsers to trust it with nothing and to keep nothing."""
    async with receiver.http.get(receiver.url + path) as answer:
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("GET", "/webhook/alertmanager", 405), ("DELETE", "/api/v1/incidents", 405)],
)
async def test_nothing_there(receiver: Running, method: str, path: str, status: int) -> None:
    """What is not there, or not for this method, is a problem document too."""
    async with receiver.http.request(method, receiver.url + path) as answer:
        assert (answer.status, answer.content_type) == (status, "application/problem+json")
        assert (await answer.json(content_type=None))["detail"]


async def test_metrics_parse(receiver: Running) -> None:
    """Prometheus can read the metrics, and the gauges are what the store says."""
    await receiver.send("single_firing", "repeat_1")
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    await receiver.post("/api/v1/incidents/1/acknowledge", {})
    receiver.clock.now += 130 * SECOND
    _, text = await receiver.get("/metrics")
    assert list(text_string_to_metric_families(text))
    found = await receiver.scrape()
    assert found['tocsin_incidents{level="3",state="acknowledged"}'] == 1
    assert found['tocsin_incidents{level="2",state="open"}'] == 1
    assert found['tocsin_incidents{level="4",state="open"}'] == 1
    assert found['tocsin_incidents{level="1",state="open"}'] == 0
    assert found['tocsin_outbox_depth{channel="sms"}'] > 0
    assert found["tocsin_outbox_oldest_seconds"] == 130
    assert found[OLDEST_EMERGENCY] == 130
    assert found["tocsin_overdue_windows"] == 2  # no page was delivered within the rescue delay


async def test_emergency_gauge_falls(receiver: Running) -> None:
    """Without an undelivered emergency the gauge that the fail-through rule reads is 0."""
    await receiver.send("single_firing")
    receiver.clock.now += MINUTE
    assert (await receiver.scrape())[OLDEST_EMERGENCY] == 0


async def test_metrics_without_the_database(start: Callable[..., Any], tmp_path: Path) -> None:
    """While the database is away metrics are still told: what is unknown is NaN, an emergency's age goes on."""
    file = tmp_path / "incidents.db"
    receiver = await start(TOCSIN_DATABASE=f"sqlite:///{file}")
    await receiver.scrape()
    receiver.clock.now += 200 * SECOND
    receiver.store.close()
    file.rename(tmp_path / "elsewhere.db")
    file.mkdir()
    found = await receiver.scrape()
    file.rmdir()
    (tmp_path / "elsewhere.db").rename(file)
    assert (found["tocsin_store_up"], found[OLDEST_EMERGENCY]) == (0, 200)
    assert math.isnan(found["tocsin_overdue_windows"])
    receiver.clock.now += SECOND
    assert (await receiver.scrape())[OLDEST_EMERGENCY] == 0


async def test_strangers_ask_the_database_once_a_second(receiver: Running) -> None:
    """Within a second every unauthenticated scrape gets the text of the first; then it is made anew."""
    name = 'tocsin_incidents{level="4",state="open"}'
    assert (await receiver.scrape())[name] == 0
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    receiver.clock.now += SECOND - 1
    assert {(await receiver.scrape())[name] for _ in range(20)} == {0}
    receiver.clock.now += 1
    assert (await receiver.scrape())[name] == 1


async def test_deliveries(receiver: Running) -> None:
    """Tries to send are counted by outcome, deliveries timed from when they were planned."""
    await receiver.send("single_firing")
    first = receiver.store.reads().notifications((await receiver.get("/api/v1/incidents/1"))[1]["id"])[0]
    for outcome in (Retry("later"), Rejected("never"), Overtaken(), Delivered("x")):
        receiver.metrics.sent(first, outcome, START + 3 * SECOND)
    found = await receiver.scrape()
    for word in ("retry", "rejected", "superseded", "accepted"):
        assert found[f'tocsin_notifications_total{{channel="email",outcome="{word}"}}'] == 1
    assert found['tocsin_delivery_seconds_sum{channel="email"}'] == 3


async def test_told_metrics() -> None:
    """Policy, channels, lost reports and poison are told."""
    metrics = Metrics()
    metrics.policy("former")
    metrics.policy("abc")
    metrics.channel_configured("sms", configured=False)
    metrics.lost_leases.inc()
    metrics.poisoned.inc()
    text = metrics.expose(None, START, ServiceState()).decode()
    for line in (
        'tocsin_policy_info{digest="abc"} 1.0',
        f'tocsin_build_info{{commit="{build()[1]}",python="{platform.python_version()}",version="{build()[0]}"}} 1.0',
        f'tocsin_tzdata_info{{version="{VERSION}"}} 1.0',
        'tocsin_channel_configured{channel="sms"} 0.0',
        "tocsin_reports_lost_total 1.0",
        "tocsin_poisoned_total 1.0",
    ):
        assert f"\n{line}\n" in text
    assert "former" not in text
    for name in ("process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"):
        assert f"\n{name} " in text


PAGES = (
    "/act/",
    "/app.webmanifest",
    "/icon-",
    "/offline",
    "/wall",
    "/training",
    "/channels",
    "/declare",
    "/events",
    "/favicon.ico",
    "/feeds/",
    "/history",
    "/push/",
    "/several",
    "/incidents/",
    "/login",
    "/logout",
    "/on-call",
    "/people/",
    "/policy",
    "/static/",
)
"""For browsers; what providers call back is theirs to describe."""


async def test_openapi_describes_every_route(receiver: Running) -> None:
    """The document names every operation there is, but pages, and every reference in it leads somewhere."""
    _, document = await receiver.get("/api/v1/openapi.json")
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    routes = {(route.method, route.resource.canonical) for route in receiver.app.router.routes() if route.resource}
    assert described == {(method, path) for method, path in routes if path != "/" and not path.startswith(PAGES)}
    for reference in re.findall(r'"\$ref": ?"#/components/schemas/([^"]+)"', json.dumps(document)):
        assert reference in document["components"]["schemas"]
    assert document["openapi"].startswith("3.1")


async def test_answers_are_as_described(receiver: Running) -> None:
    """The fields of an incident are those the document requires, no more and no less."""
    await receiver.send("single_firing")
    _, document = await receiver.get("/api/v1/openapi.json")
    schema = document["components"]["schemas"]["IncidentView"]
    _, found = await receiver.get("/api/v1/incidents/1")
    assert set(found) == set(schema["properties"]) == set(schema["required"])


RAW: dict[str, bytes] = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a bad chunk": b"POST /webhook/alertmanager HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "two lengths": b"POST /webhook/alertmanager HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "a negative length": b"POST /webhook/alertmanager HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n{}",
    "a long line": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
    "an unknown encoding": b"POST /webhook/alertmanager HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    b"Content-Encoding: zip\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("sent", RAW.values(), ids=RAW.keys())
async def test_bad_http(receiver: Running, sent: bytes) -> None:
    """What is no proper HTTP is refused as the sender's fault, and the next request is served."""
    reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
    writer.write(sent)
    answer = await reader.read()
    writer.close()
    status = int(answer.split(b" ", 2)[1])
    assert 400 <= status < 500
    assert await receiver.send("single_firing") == [[1]]


async def test_broken_off_body(receiver: Running) -> None:
    """A sender that goes away in the middle of a body affects no other caller."""
    _, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
    writer.write(b"POST /webhook/alertmanager HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert await receiver.send("single_firing") == [[1]]


async def test_many_at_once(receiver: Running) -> None:
    """Two hundred senders at once: every alert counted, one incident."""
    document = payload("single_firing").decode()
    bodies = [document.replace("dff48a4cd452bbba", f"{n:016x}").encode() for n in range(200)]
    answers = await asyncio.gather(*(receiver.post("/webhook/alertmanager", body) for body in bodies))
    assert {(status, tuple(answer["incidents"])) for status, answer in answers} == {(200, (1,))}
    assert (await receiver.get("/api/v1/incidents/1"))[1]["firing"] == 200
