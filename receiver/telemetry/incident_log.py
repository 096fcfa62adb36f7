"""One log line per incident event (opened, paged, escalated, acknowledged, resolved …), after its commit.

A service's Engine gets `log_entries`, so the process that writes logs the lines; they are made of timeline entries.
Rules: a line contains number, id, level and names of the policy; no title, label, note or address, which not every
reader of the log may see.
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
"""The facts that are logged, and their lines; the timeline has all facts."""

SHOWN = ("channels", "channel", "kind", "failed", "step", "attempts", "alerts", "forced")
"""Members of an entry that contain only names of the policy and numbers; `reason` is logged if it is in REASONS."""

REASONS = frozenset(Reason)

log = structlog.get_logger()


def log_entries(happened: Iterable[tuple[Incident, Entry]]) -> None:
    """Log entries, each with its incident as now stored. Never raises, because the entries are committed."""
    bound = log.bind()  # once per call: a storm has thousands of lines a second
    with suppress(OSError, ValueError):  # the log is closed, or its disk is full
        for incident, entry in happened:
            if entry.fact in LINES:
                bound.info(LINES[entry.fact], **_particulars(incident, entry))


def _particulars(incident: Incident, entry: Entry) -> dict[str, object]:
    found: dict[str, object] = {"level_now": incident.level, "by_a_person": bool(entry.by)}
    found |= {name: entry.data[name] for name in SHOWN if entry.data.get(name)}
    if entry.data.get("reason") in REASONS:
        found["reason"] = entry.data["reason"]
    return {**found, "incident": incident.number, "incident_id": incident.id}
