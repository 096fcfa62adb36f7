"""Structured logs: one line per event, key=value or JSON, on standard error.

The command line calls `configure_logs` once. Other modules use ``log = structlog.get_logger()``, with a constant
message and the details as keys. A service's Engine gets `log_entries`, so the process that writes logs a line for each
event of an incident (opened, paged, acknowledged …) after its commit. Rules: no payload, no label, no title, no note,
no address, no secret. Values of keys that suggest a secret are redacted.
"""

import logging
import sys
import traceback
from collections.abc import Iterable, MutableMapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Literal, TextIO, cast

import orjson
import structlog
from structlog.typing import ExcInfo

from receiver.core.model import Entry, Fact, Incident, Reason

SECRET_WORDS = ("token", "secret", "password", "authorization", "routing_key", "cookie")
BLOTTED = "**********"

LONGEST = 8_000
"""Characters kept of a value, half at each end. An error may quote a whole message."""

FRAMES = 20
"""Innermost calls of a traceback that are logged; a recursion may have a thousand."""


def configure_logs(
    style: Literal["text", "json"] = "text", stream: TextIO = sys.stderr, level: int = logging.INFO
) -> None:
    """Set up logging of this process, libraries included."""
    unfailing = _Unfailing(stream)
    stream = cast("TextIO", unfailing)
    shared: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        blot,
        unfailing.add_lost,
    ]
    render: Any = (
        structlog.processors.JSONRenderer(lambda event, **_: orjson.dumps(event, default=str).decode())
        if style == "json"
        else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False)
    )
    structlog.configure(
        processors=[*shared, _RENDER_ERROR, _escape, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    _lead_libraries(shared, render, stream)


class _Unfailing:
    """A stream whose write errors are suppressed: a full disk under the log must not refuse webhooks.

    The next written line contains the number of lost lines. `write` must not log, because structlog holds a lock.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lost = 0

    def add_lost(self, _logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """A structlog processor: adds the number of lines lost since the last written one."""
        if self._lost:
            event["lines_lost"] = self._lost
        return event

    def write(self, line: str) -> None:
        """Write a line; count it as lost if that fails."""
        try:
            self._stream.write(line)
            self._stream.flush()
        except OSError:
            self._lost += 1
        else:
            self._lost = 0

    def flush(self) -> None:
        """Does nothing: `write` flushes each line."""


def _lead_libraries(shared: list[Any], render: Any, stream: TextIO) -> None:
    """Format the libraries' log records (standard `logging`) in the same way; from WARNING up."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _RENDER_ERROR, _escape, render],
        )
    )
    handler.addFilter(_is_ours)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _is_ours(record: logging.LogRecord) -> bool:
    """False for aiohttp's tracebacks of invalid HTTP requests, which it answers with 400."""
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or kind.__module__ != "aiohttp.http_exceptions"


def blot(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Redact values whose keys suggest a secret."""
    for key in event:
        if _sounds_secret(key):
            event[key] = BLOTTED
    return event


@lru_cache(1000)
def _sounds_secret(key: str) -> bool:
    return key != "event" and any(word in key.lower() for word in SECRET_WORDS)


def _format_error(exc_info: ExcInfo) -> str:
    """The traceback's innermost calls."""
    return _shortened("".join(traceback.format_exception(*exc_info, limit=-FRAMES)))


_RENDER_ERROR = structlog.processors.ExceptionRenderer(_format_error)


def _shortened(text: str) -> str:
    left_out = len(text) - LONGEST
    half = LONGEST // 2
    return text if left_out <= 0 else f"{text[:half]} … {left_out} characters … {text[-half:]}"


def _escape(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escape and shorten values, so that each event is one line of limited length."""
    for key, value in event.items():
        if isinstance(value, str):
            short = _shortened(value)
            event[key] = (
                short
                if short.isprintable()
                else "".join(char if char.isprintable() else repr(char)[1:-1] for char in short)
            )
    return event


LINES = {
    Fact.OPENED: "incident opened",
    Fact.DECLARED: "incident opened",
    Fact.PAGED: "incident paged",
    Fact.ACCEPTED: "message accepted",
    Fact.DELIVERED: "message delivered",
    Fact.DELIVERED_LATE: "message delivered",
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
