"""Traces as a collector gets them: OTLP over HTTP, from the real receiver and its real exporter."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from receiver.demo.stand_ins import start_web
from receiver.service import Service
from receiver.settings import Settings
from tests.end_to_end.conftest import Told, until
from tests.end_to_end.processes import POLICY, post
from tests.patience import GIVES_UP

CALM = POLICY.replace("escalation_time: 2s", "escalation_time: 10m")


class Collector:
    """Keeps the spans that it is sent."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        sent = ExportTraceServiceRequest.FromString(await request.read())
        for resource in sent.resource_spans:
            names = {each.key: each.value.string_value for each in resource.resource.attributes}
            assert names["service.name"] == "tocsin"
            self.spans += (span for scope in resource.scope_spans for span in scope.spans)
        return web.Response(content_type="application/x-protobuf")

    def of(self, incident: str) -> list[Span]:
        """The spans of an incident's trace."""
        return [span for span in self.spans if span.trace_id.hex() == incident]


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    """It listens, where OTLP over HTTP is sent."""
    it = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", it.take)
    runner, it.url = await start_web(app)
    yield it
    await runner.cleanup()


def attributes(span: Span) -> dict[str, Any]:
    """The attributes of a span."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}


async def ids(service: Service) -> dict[str, str]:
    """System → the incident's id."""
    async with aiohttp.ClientSession() as session, session.get(f"{service.address}/api/v1/incidents") as response:
        return {each["labels"]["system"]: each["id"] for each in (await response.json())["incidents"]}


async def test_one_trace_an_incident_from_the_webhook_to_the_delivery(
    environment: dict[str, str], told: Told, collector: Collector, tmp_path: Path
) -> None:
    """The trace has the incident's id; its first span is the webhook that opened the incident, and under it are what
    became of that webhook, later webhooks, and every delivery attempt, in the order in which they happened.
    """
    policy = tmp_path / "policy.yaml"
    policy.write_text(CALM)
    async with Service(Settings.read({**environment, "TOCSIN_TRACES_URL": collector.url}), [policy]) as service:
        assert [await post(service.address, serial) for serial in (1, 2, 1)] == [200, 200, 200]
        await until(lambda: all(told.on(medium, f"unit-{n}") for medium in ("email", "slack") for n in (1, 2)))
        found = await ids(service)
    assert {span.trace_id.hex() for span in collector.spans} == set(found.values())
    trace = sorted(collector.of(found["unit-1"]), key=lambda span: span.start_time_unix_nano)
    assert (
        sorted(span.name for span in trace) == ["decide and store"] * 2 + ["send email", "send slack"] + ["webhook"] * 2
    )
    first = trace[0]
    assert (first.name, first.parent_span_id) == ("webhook", b"")
    assert {span.parent_span_id for span in trace if span.name in {"send email", "send slack"}} == {first.span_id}
    sends = [attributes(span) for span in trace if span.name.startswith("send ")]
    assert {(each["tocsin.channel"], each["tocsin.outcome"], each["tocsin.attempt"]) for each in sends} == {
        ("email", "accepted", 1), ("slack", "accepted", 1),
    }  # fmt: skip
    assert all(span.end_time_unix_nano >= span.start_time_unix_nano >= first.start_time_unix_nano for span in trace)
    assert not [word for word in ("unit-", "example", "margin") if word in str(collector.spans)]


async def test_a_collector_that_is_away_holds_nobody_up(
    environment: dict[str, str], told: Told, tmp_path: Path
) -> None:
    """Without a collector at the other end, people are told all the same, and the receiver stops."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(CALM)
    async with Service(Settings.read({**environment, "TOCSIN_TRACES_URL": "http://127.0.0.1:9"}), [policy]) as service:
        assert await post(service.address, 1) == 200
        await until(lambda: told.on("email") and told.on("slack"), what="both are told")


def test_nothing_of_it_is_imported_unasked() -> None:
    """The receiver, its commands and all, imports nothing of OpenTelemetry."""
    code = (
        "import sys, receiver.cli, receiver.service; print([name for name in sys.modules if 'opentelemetry' in name])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=GIVES_UP)
    assert result.stdout == "[]\n"
