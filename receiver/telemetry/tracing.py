"""OpenTelemetry traces, for whoever wants them: one trace an incident, from the webhook to every delivery.

The trace's id is the incident's id, so that a log line, a page and a trace lead to each other, and no state has to be
kept or handed on between replicas. Rules: without TOCSIN_TRACES_URL nothing of OpenTelemetry is imported; spans are
sent by a thread of their own, and a collector that is away costs nothing but the spans; a span carries the incident's
number and level and how a message fared, never a label, a recipient or a text.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Protocol

from receiver.core.events import Outcome, Rejected, Retry
from receiver.core.model import Incident, Instant
from receiver.engine.commands import Delivery
from receiver.errors import SettingsError

PATIENCE = 5
"""Seconds that the collector may take for an answer, and the last spans at a stop."""


class Traces(Protocol):
    """Where the receiver tells what it did, when it is done."""

    def received(self, incidents: Iterable[Incident], began: Instant, parsed: Instant, ended: Instant) -> None:
        """A webhook concerned these incidents: it came, was understood, and was stored, then."""

    def sent(self, delivery: Delivery, outcome: Outcome, began: Instant, ended: Instant) -> None:
        """A message was tried."""

    def close(self) -> None:
        """Send what is left. Blocks, for PATIENCE at most."""


class NoTraces:
    """Nobody asked."""

    def received(self, incidents: Iterable[Incident], began: Instant, parsed: Instant, ended: Instant) -> None:
        """Nothing."""

    def sent(self, delivery: Delivery, outcome: Outcome, began: Instant, ended: Instant) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def root_of(incident_id: str) -> int:
    """The id of a trace's first span, which every other has for a parent: any replica can tell it."""
    return int.from_bytes(sha256(f"root/{incident_id}".encode()).digest()[:8])


def make_traces(url: str | None, worker: str) -> Traces:
    """What the settings ask for. Raises SettingsError where the extra `traces` is not installed."""
    if not url:
        return NoTraces()
    try:
        from receiver.telemetry.otlp import Spans  # noqa: PLC0415 - only whoever asks for traces needs OpenTelemetry
    except ImportError:
        raise SettingsError("TOCSIN_TRACES_URL: needs OpenTelemetry: pip install 'tocsin[traces]'") from None
    return Spans(url, worker)


def reason(outcome: Outcome) -> str:
    """Why it was not delivered; empty: it was."""
    return outcome.reason if isinstance(outcome, Retry | Rejected) else ""


def concerned(delivery: Delivery) -> Sequence[Incident]:
    """The incidents that a message is about, each once."""
    return list({incident.id: incident for _, incident in delivery.items}.values())
