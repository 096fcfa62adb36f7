"""Optional OpenTelemetry traces: one trace per incident, from the webhook to every delivery.

The trace's id is the incident's id, so that log lines, pages and traces refer to each other, and replicas share no
state for it. Rules: without TOCSIN_TRACES_URL nothing of OpenTelemetry is imported; a thread of its own sends the
spans, and an unreachable collector loses only spans; a span contains the incident's number and level and the outcome of
a message, never a label, a recipient or a text.
"""

from collections.abc import Iterable
from typing import Protocol

from receiver.clients.egress import Egress
from receiver.core.events import Outcome
from receiver.core.model import Instant
from receiver.engine.commands import Concerned, Delivery
from receiver.errors import SettingsError


class Traces(Protocol):
    """Records completed work of the receiver."""

    def received(self, incidents: Iterable[Concerned], began: Instant, parsed: Instant, ended: Instant) -> None:
        """Record a webhook that concerned these incidents: its arrival, and the ends of parsing and storing."""

    def sent(self, delivery: Delivery, outcome: Outcome, began: Instant, ended: Instant) -> None:
        """Record an attempt to send a message."""

    def close(self) -> None:
        """Send the remaining spans. Blocks for a few seconds at most."""


def make_traces(url: str | None, worker: str, egress: Egress) -> Traces | None:
    """The traces for a collector's URL; None without one. Raises SettingsError without the extra `traces`."""
    if not url:
        return None
    try:
        from receiver.telemetry.otlp import Spans  # noqa: PLC0415 - OpenTelemetry is needed only for traces
    except ImportError:
        raise SettingsError("TOCSIN_TRACES_URL: needs OpenTelemetry: pip install 'tocsin[traces]'") from None
    return Spans(url, worker, egress)
