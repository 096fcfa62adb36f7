"""Alertmanager's webhook body: from bytes to received alerts, as cheaply as can be.

`receiver.web.webhook` calls `parse`. Rules: lenient towards senders (unknown keys pass, null is empty, a
missing fingerprint is computed), strict towards us (no NUL, which PostgreSQL refuses; nothing longer than
its cap; instants are integers). The payload's own `status` and its common… fields are never read: they
speak of the listed alerts only (CONTRACTS A.1). Typed dicts because pydantic fills them fastest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Literal

import orjson
from pydantic import StringConstraints, TypeAdapter, ValidationError
from pydantic_core import from_json
from typing_extensions import TypedDict

from receiver.core.classify import Received
from receiver.core.model import Instant
from rules.policy import SECOND

LABEL_LIMIT = 4096
"""Characters of a label's value (and name) that are kept."""

TEXT_LIMIT = 8192
"""Characters of an annotation that are kept; 425 kB have been seen."""

FINGERPRINT_LIMIT = 64
"""A fingerprint has 16 hexadecimal digits; whatever is longer is none of Alertmanager's."""

LATEST = 253_370_764_800 * SECOND
"""The first instant of the year 9999; later ones overflow in some time zone."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Texts = dict[str, str]

_Label = Annotated[str, StringConstraints(max_length=LABEL_LIMIT)]
_Text = Annotated[str, StringConstraints(max_length=TEXT_LIMIT)]


class _Required(TypedDict):
    status: Literal["firing", "resolved"]
    labels: dict[_Label, _Label]
    startsAt: datetime


class AlertDocument(_Required, total=False):
    """One alert, as far as it matters here."""

    annotations: dict[_Label, _Text] | None
    endsAt: datetime | None
    fingerprint: str | None
    generatorURL: _Text | None


class _Listed(TypedDict):
    alerts: list[AlertDocument]


class Document(_Listed, total=False):
    """The body, as far as it matters here."""

    groupLabels: dict[_Label, _Label] | None
    truncatedAlerts: int | None
    externalURL: str | None
    groupKey: str | None


@dataclass(frozen=True, slots=True)
class Payload:
    """A webhook's content."""

    alerts: tuple[Received, ...]
    group_labels: Mapping[str, str]
    truncated: int
    """Alerts that Alertmanager left out (`max_alerts`)."""
    external_url: str = ""
    """Of the Alertmanager that sent it."""
    group_key: str = ""


_DOCUMENT = TypeAdapter(Document)


def parse(body: bytes) -> Payload:
    """Read a body. Raises pydantic's ValidationError."""
    try:
        document = _DOCUMENT.validate_json(body)
    except ValidationError as error:
        document = _shorten(body, error)
    if b"\\u0000" in body:
        document = _trim(document)
    return Payload(
        tuple([_received(alert) for alert in document["alerts"]]),
        document.get("groupLabels") or {},
        document.get("truncatedAlerts") or 0,
        document.get("externalURL") or "",
        document.get("groupKey") or "",
    )


def take(alert: AlertDocument) -> Received:
    """One alert that came another way (Alertmanager's API), trimmed as a webhook's would be."""
    return _received(_trim_alert(alert))


def _received(alert: AlertDocument) -> Received:
    labels, named = alert["labels"], alert.get("fingerprint") or ""
    starts_at = instant(alert["startsAt"])
    ended_at = None
    if alert["status"] == "resolved":
        ends = alert.get("endsAt")
        ended_at = max(instant(ends), starts_at) if ends else starts_at
    return Received(
        labels=labels,
        annotations=alert.get("annotations") or {},
        fingerprint=named if 0 < len(named) <= FINGERPRINT_LIMIT else fingerprint(labels),
        starts_at=starts_at,
        ended_at=ended_at,
        generator_url=alert.get("generatorURL") or "",
    )


def instant(moment: datetime) -> Instant:
    """Microseconds since 1970; a moment without a zone is taken as UTC, one that no calendar could show is cut."""
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    micros = (since.days * 86_400 + since.seconds) * SECOND + since.microseconds
    return Instant(min(max(micros, 0), LATEST))


def fingerprint(labels: Mapping[str, str]) -> str:
    """A name for an alert whose sender gave none: from its labels alone, as Alertmanager's is."""
    return sha256(orjson.dumps(labels, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def _shorten(body: bytes, error: ValidationError) -> Document:
    """The body with everything cut to its cap. Raises what is wrong with it beside that."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    if not any(fault["type"] == "string_too_long" for fault in faults):
        raise error
    try:
        document = _trim(from_json(body))
    except (AttributeError, KeyError, TypeError):  # nothing that could be cut
        raise error from None
    return _DOCUMENT.validate_python(document)


def _trim(document: Document) -> Document:
    return {
        "alerts": [_trim_alert(alert) for alert in document["alerts"]],
        "groupLabels": _short(document.get("groupLabels"), LABEL_LIMIT),
        "truncatedAlerts": document.get("truncatedAlerts"),
        "externalURL": document.get("externalURL"),
        "groupKey": document.get("groupKey"),
    }


def _trim_alert(alert: AlertDocument) -> AlertDocument:
    named = (alert.get("fingerprint") or "").replace("\0", "")
    return {
        **alert,
        "labels": _short(alert["labels"], LABEL_LIMIT),
        "annotations": _short(alert.get("annotations"), TEXT_LIMIT),
        "fingerprint": named if 0 < len(named) <= FINGERPRINT_LIMIT else fingerprint(alert["labels"]),
        "generatorURL": _cut(alert.get("generatorURL") or "", TEXT_LIMIT),
    }


def _short(texts: Texts | None, limit: int) -> Texts:
    return {_cut(name, LABEL_LIMIT): _cut(text, limit) for name, text in (texts or {}).items()}


def _cut(text: str, limit: int) -> str:
    clean = text.replace("\0", "")
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
