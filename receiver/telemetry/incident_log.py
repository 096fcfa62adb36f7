"""One log line for each incident that was opened, paged, escalated, acknowledged, resolved …, once that is committed.

Whoever runs an Engine for a service gives it `log_entries`, so that the lines come of the process that writes. They are
made of the timeline's entries. Rules: number, id, level and what the policy calls things; no title, label, note or
person's address, which may hold what only some may read.
"""

from collections.abc import Iterable
from contextlib import suppress

import structlog

from receiver.core.model import Entry, Fact, Incident, Reason

LINES = {
    Fact.OPENED: "incident opened",
    Fact.DECLARED: "incident opened",
    Fact.PAGED: "incident paged",
    Fact.ACCEPTED: "message accepted",
    Fact.DELIVERED: "message delivered",
    Fact.GAVE_UP: "message given up",
    Fact.FALLBACK: "fallback paged",
    Fact.FALLBACK_EXHAUSTED: "no fallback is left",
    Fact.ESCALATED: "incident escalated",
    Fact.BREACHED: "response time breached",
    Fact.LEVEL_ROSE: "level rose",
    Fact.ACKNOWLEDGED: "incident acknowledged",
    Fact.ACK_EXPIRED: "acknowledgement expired",
    Fact.ACK_UNDONE: "acknowledgement taken back",
    Fact.GIVEN_BACK: "incident given back",
    Fact.HELP_ASKED: "help asked for",
    Fact.HELP_UNANSWERED: "no answer to a call for help",
    Fact.HELP_WITHDRAWN: "call for help withdrawn",
    Fact.RESOLVED: "incident resolved",
    Fact.REOPENED: "incident reopened",
    Fact.CLOSED: "incident closed",
    Fact.KEPT_OPEN: "incident not closed: something is missing",
}
"""What is logged; the rest is in the timeline."""

SHOWN = ("channels", "channel", "kind", "failed", "step", "attempts", "alerts", "forced")
"""Members of an entry that hold nothing but the policy's names and numbers; `reason` only where it is one of ours."""

REASONS = frozenset(Reason)

log = structlog.get_logger()


def log_entries(happened: Iterable[tuple[Incident, Entry]]) -> None:
    """Each entry with its incident as it is now. Never raises: what is told has been committed."""
    bound = log.bind()  # once: a storm has thousands of lines a second
    with suppress(OSError, ValueError):  # nobody reads the log any more, or its disk is full
        for incident, entry in happened:
            if entry.fact in LINES:
                bound.info(LINES[entry.fact], **_particulars(incident, entry))


def _particulars(incident: Incident, entry: Entry) -> dict[str, object]:
    found: dict[str, object] = {"level_now": incident.level, "by_a_person": bool(entry.by)}
    found |= {name: entry.data[name] for name in SHOWN if entry.data.get(name)}
    if entry.data.get("reason") in REASONS:
        found["reason"] = entry.data["reason"]
    return {**found, "incident": incident.number, "incident_id": incident.id}
