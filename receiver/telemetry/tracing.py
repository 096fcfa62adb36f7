"""OpenTelemetry traces, for whoever wants them: one trace an incident, from the webhook to every delivery.

The trace's id is the incident's id, so that a log line, a page and a trace lead to each other, and no state has to be
kept or handed on between replicas. Rules: without TOCSIN_TRACES_URL nothing of OpenTelemetry is imported; spans are
sent by a thread of their own, and a collector that is away costs nothing but the spans; a span carries the incident's
number and level and how a message fared, never a label, a recipient or a text.
"""

from collections.abc import Iterable
from typing import Protocol

from receiver.clients.egress import Egress
from receiver.core.events import Outcome
from receiver.core.model import Instant
from receiver.engine.commands import Concerned, Delivery
from receiver.errors import SettingsError


class Traces(Protocol):
    """Records what the receiver did, once it is done."""

    def received(self, incidents: Iterable[Concerned], began: Instant, parsed: Instant, ended: Instant) -> None:
        """A webhook concerned these incidents: it came, was understood, and was stored, then."""

    def sent(self, delivery: Delivery, outcome: Outcome, began: Instant, ended: Instant) -> None:
        """A message was tried."""

    def close(self) -> None:
        """Send what is left. Blocks, for seconds at most."""


class NoTraces:
    """Traces nothing: the settings name no collector."""

    def received(self, incidents: Iterable[Concerned], began: Instant, parsed: Instant, ended: Instant) -> None:
        """Does nothing."""

    def sent(self, delivery: Delivery, outcome: Outcome, began: Instant, ended: Instant) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Does nothing."""


def make_traces(url: str | None, worker: str, egress: Egress) -> Traces:
    """Sends spans to that collector (None: traces nothing). Raises SettingsError where the extra `traces` is not
    installed.
    """
    if not url:
        return NoTraces()
    try:
        from receiver.telemetry.otlp import Spans  # noqa: PLC0415 - only whoever asks for traces needs OpenTelemetry
    except ImportError:
        raise SettingsError("TOCSIN_TRACES_URL: needs OpenTelemetry: pip install 'tocsin[traces]'") from None
    return Spans(url, worker, egress)
