"""Traces as OTLP over HTTP; the only module that imports OpenTelemetry. `receiver.telemetry.tracing` imports it where a
collector is set.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from importlib.metadata import version

import requests
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from receiver.clients.egress import Egress
from receiver.core.events import Delivered, Outcome, Rejected, Retry
from receiver.core.model import Incident, Instant
from receiver.engine.commands import Concerned, Delivery
from receiver.telemetry.metrics import OUTCOMES
from rules.policy import SECOND

PATIENCE = 5
"""Seconds for an answer of the collector, and for the remaining spans at a stop."""

SEND_EVERY = 1_000
"""Milliseconds between two batches of spans."""


def root_of(incident_id: str) -> int:
    """The id of a trace's first span, the parent of all others; derived, so that all replicas agree on it."""
    return int.from_bytes(sha256(f"root/{incident_id}".encode()).digest()[:8])


class _Ids(RandomIdGenerator):
    """Generates ids; those of an incident's first span are derived from the incident's id."""

    def __init__(self) -> None:
        self.root: str = ""
        """Id of the incident whose first span starts next; empty: none."""

    def generate_trace_id(self) -> int:
        """The trace id of an incident's first span, the only span without a parent."""
        return int(self.root, 16)

    def generate_span_id(self) -> int:
        """The id of any span."""
        return root_of(self.root) if self.root else super().generate_span_id()


class Spans:
    """Sends spans to an OpenTelemetry collector (`receiver.telemetry.tracing.Traces`)."""

    def __init__(self, url: str, worker: str, egress: Egress) -> None:
        self._ids = _Ids()
        about = {"service.name": "tocsin", "service.version": version("tocsin"), "service.instance.id": worker}
        self._provider = TracerProvider(resource=Resource.create(about), id_generator=self._ids, shutdown_on_exit=False)
        session = requests.Session()
        egress.prepare(session, url)
        exporter = OTLPSpanExporter(endpoint=f"{url}/v1/traces", timeout=PATIENCE, session=session)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=SEND_EVERY))
        self._tracer = self._provider.get_tracer("tocsin")

    def received(self, incidents: Iterable[Concerned], began: Instant, parsed: Instant, ended: Instant) -> None:
        """Record a webhook; if it opened the incident, its span is the trace's first."""
        for incident in incidents:
            is_first = incident.opened_at >= began
            self._ids.root = incident.id if is_first else ""
            span = self._tracer.start_span(
                "webhook",
                None if is_first else _under(incident.id, root_of(incident.id)),
                SpanKind.SERVER,
                _about(incident),
                start_time=_nanos(began),
            )
            self._ids.root = ""
            within = self._tracer.start_span("decide and store", set_span_in_context(span), start_time=_nanos(parsed))
            within.end(_nanos(ended))
            span.end(_nanos(ended))

    def sent(self, delivery: Delivery, outcome: Outcome, began: Instant, ended: Instant) -> None:
        """Record an attempt, in the trace of every incident that the message concerns."""
        first, _ = delivery.items[0]
        told = {
            "tocsin.channel": first.channel,
            "tocsin.kind": first.kind.value,
            "tocsin.attempt": first.attempts + 1,
            "tocsin.outcome": OUTCOMES[type(outcome)],
            "tocsin.planned_before_seconds": max(0, began - first.created_at) / SECOND,
        }
        for incident in _concerned(delivery):
            span = self._tracer.start_span(
                f"send {first.channel}",
                _under(incident.id, root_of(incident.id)),
                SpanKind.CLIENT,
                {**_about(incident), **told},
                start_time=_nanos(began),
            )
            if not isinstance(outcome, Delivered):
                span.set_status(Status(StatusCode.ERROR, _reason(outcome)))
            span.end(_nanos(ended))

    def close(self) -> None:
        """Send the remaining spans."""
        self._provider.force_flush(PATIENCE * 1000)
        self._provider.shutdown()


def _under(trace: str, parent: int) -> Context:
    context = SpanContext(int(trace, 16), parent, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return set_span_in_context(NonRecordingSpan(context))


def _about(incident: Incident | Concerned) -> dict[str, int]:
    return {"tocsin.incident": incident.number, "tocsin.level": incident.level}


def _nanos(instant: Instant) -> int:
    return instant * 1000


def _reason(outcome: Outcome) -> str:
    """Why a message was not delivered; empty: it was, or it was superseded."""
    return outcome.reason if isinstance(outcome, Retry | Rejected) else ""


def _concerned(delivery: Delivery) -> Sequence[Incident]:
    """The incidents of a message, without duplicates."""
    return list({incident.id: incident for _, incident in delivery.items}.values())
