"""Parses Alertmanager's webhook body into received alerts, with little processor time.

Used by `receiver.web.alert_webhook`. Rules: lenient towards senders (unknown keys are ignored, null counts as empty, a
missing fingerprint is computed, other deviations are repaired by `receiver.clients.payload_repair`); strict in the
result (no NUL, which PostgreSQL rejects; every text limited in length; instants are integers). The payload's own
`status` and common… fields are not read: they refer to the listed alerts only (CONTRACTS A.1). Typed dicts are used
because pydantic fills them fastest.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, cast

import orjson
from msgspec.structs import replace
from pydantic import Field, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import from_json
from typing_extensions import TypedDict

from receiver.clients.payload_repair import (
    IMPOSSIBLE_END,
    IMPOSSIBLE_START,
    NO_START,
    NOT_QUITE_JSON,
    UnreadableAlert,
    decode_leniently,
    repair_alert,
    repair_group,
    respell,
    text_of,
)
from receiver.core.classify import Received
from receiver.core.model import Instant
from receiver.core.shared_fingerprints import fingerprint
from receiver.errors import CannotError
from rules.policy import MINUTE, SECOND

LABEL_LIMIT = 4096
"""Characters kept of a label's name and value."""

TEXT_LIMIT = 8192
"""Characters kept of an annotation; annotations of 425 kB occur in practice."""

FINGERPRINT_LIMIT = 64
"""Longest fingerprint accepted. Alertmanager's have 16 hexadecimal digits."""

LATEST = Instant(253_370_764_800 * SECOND)
"""The first instant of the year 9999; later ones overflow in some time zone."""

NEVER = Instant(0)

EARLIEST = 946_684_800 * SECOND
"""The first instant of the year 2000. A sender with earlier times has no clock, or has not set the time."""

AHEAD = 50 * MINUTE
"""Microseconds that a sender's time may be ahead of ours; a later time is ignored. Less than an hour, because a sender
that takes its local time for UTC is ahead by at least one."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Texts = dict[str, str]

_Label = Annotated[str, StringConstraints(max_length=LABEL_LIMIT)]
_Text = Annotated[str, StringConstraints(max_length=TEXT_LIMIT)]


class _Required(TypedDict):
    status: Annotated[Literal["firing", "resolved"], Field(description="firing or resolved")]
    labels: Annotated[
        dict[_Label, _Label], Field(min_length=1, description="An object of texts; without it the alert is unreadable")
    ]
    startsAt: Annotated[datetime | None, Field(description="When it began to fire (RFC 3339)")]


class AlertDocument(_Required, total=False):
    """One alert: the fields that are read. The descriptions are the OpenAPI document's (`receiver.web.api.openapi`)."""

    annotations: Annotated[dict[_Label, _Text] | None, Field(description="An object of texts")]
    endsAt: Annotated[datetime | None, Field(description="When it ended (RFC 3339); of one that fires it is not read")]
    fingerprint: Annotated[str | None, Field(description="Its name; computed from the labels where there is none")]
    generatorURL: Annotated[_Text | None, Field(description="Where its rule can be looked at")]
    values: Annotated[Any, Field(description="Grafana: what each query and expression of the rule came to")]
    valueString: Annotated[Any, Field(description="Grafana: the same, with labels, as text")]
    dashboardURL: Annotated[Any, Field(description="Grafana: the dashboard that shows it")]
    panelURL: Annotated[Any, Field(description="Grafana: the dashboard's panel that shows it")]


class _Listed(TypedDict):
    alerts: list[AlertDocument]


class WebhookDocument(_Listed, total=False):
    """The body: the fields that are read."""

    groupLabels: Annotated[
        dict[_Label, _Label] | None, Field(description="An object of texts: what the alerts were grouped by")
    ]
    truncatedAlerts: Annotated[int | None, Field(description="How many alerts were left out")]
    externalURL: Annotated[str | None, Field(description="The Alertmanager that sends it")]
    groupKey: Annotated[str | None, Field(description="Its group of alerts")]


@dataclass(frozen=True, slots=True)
class Payload:
    """A webhook's content."""

    alerts: tuple[Received, ...]
    group_labels: Mapping[str, str]
    truncated: int
    """Number of alerts that Alertmanager left out (`max_alerts`)."""
    unreadable: tuple[UnreadableAlert, ...] = ()
    external_url: str = ""
    """URL of the Alertmanager that sent it."""
    group_key: str = ""


GRAFANAS = frozenset(("values", "valueString", "dashboardURL", "panelURL"))
"""Fields that only Grafana sends; they become annotations with these names."""

_DOCUMENT = TypeAdapter(WebhookDocument)
_ALERT = TypeAdapter(AlertDocument)
_ALERTS = TypeAdapter(list[AlertDocument])
SLICE = 500
"""Alerts validated at a time in a large body: pydantic holds the interpreter's lock meanwhile (5 ms)."""
LARGE = 256 << 10
"""Bytes from which a body is validated in slices."""

BODY_KEYS, ALERT_KEYS = (
    frozenset(each.__required_keys__ | each.__optional_keys__) for each in (WebhookDocument, AlertDocument)
)


def parse(body: bytes, now: Instant) -> Payload:
    """Parse a body received at `now`. Raises pydantic's ValidationError where it has no list of alerts."""
    try:
        document = _validate(body)
    except ValidationError as error:
        return _repair(body, error, now)
    if b"\\u0000" in body:
        document = _trim(document)
    return Payload(
        tuple([_received(alert, now) for alert in document["alerts"]]),
        document.get("groupLabels") or {},
        document.get("truncatedAlerts") or 0,
        external_url=document.get("externalURL") or "",
        group_key=document.get("groupKey") or "",
    )


def _validate(body: bytes) -> WebhookDocument:
    """Validate the body; a large one in slices. Raises ValidationError."""
    if len(body) >= LARGE:
        with suppress(ValueError):  # includes ValidationError: the validation below then raises it for the whole body
            raw = orjson.loads(body)
            if isinstance(raw, dict) and isinstance(raw.get("alerts"), list):
                alerts, document = raw["alerts"], _DOCUMENT.validate_python({**raw, "alerts": []})
                slices = range(0, len(alerts), SLICE)
                document["alerts"] = [
                    each for at in slices for each in _ALERTS.validate_python(alerts[at : at + SLICE])
                ]
                return document
    return _DOCUMENT.validate_json(body)


def _repair(body: bytes, error: ValidationError, now: Instant) -> Payload:
    """Parse alert by alert, repairing those that are invalid. Raises `error` where there is no list."""
    notes: list[str] = []
    raw = respell(_decode(body, error, notes), BODY_KEYS, notes)
    if not isinstance(raw, dict) or not isinstance(raw.get("alerts"), list):
        raise error
    group_labels, truncated = repair_group(raw, notes)
    alerts, unreadable = [], []
    for index, each in enumerate(raw["alerts"]):
        try:
            alerts.append(_read_alert(each, now))
        except CannotError as why:
            unreadable.append(UnreadableAlert(index, why.reason))
    return Payload(
        tuple(replace(each, repairs=(*each.repairs, *notes)) for each in alerts),
        _short(group_labels, LABEL_LIMIT),
        truncated,
        tuple(unreadable),
        external_url=_text(raw.get("externalURL")),
        group_key=_text(raw.get("groupKey")),
    )


def _decode(body: bytes, error: ValidationError, notes: list[str]) -> Any:
    """Decode JSON, also with errors in syntax or encoding. Raises `error` if that fails too."""
    try:
        return from_json(body)
    except ValueError:
        pass
    try:
        raw = decode_leniently(body)
    except ValueError:
        raise error from None
    notes.append(NOT_QUITE_JSON)
    return raw


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _read_alert(raw: object, now: Instant) -> Received:
    """Parse one alert of an invalid body. Raises CannotError where it cannot be repaired."""
    notes: list[str] = []
    raw = respell(raw, ALERT_KEYS, notes)
    try:
        fits = _ALERT.validate_python(_trim_alert(raw))  # type: ignore[arg-type]  # raises where it is no alert
    except (AttributeError, KeyError, TypeError, ValidationError):
        repaired = repair_alert(raw, now)
        received = _received(_trim_alert(cast("AlertDocument", repaired.document)), now)
        return replace(received, repairs=tuple(dict.fromkeys((*notes, *received.repairs, *repaired.notes))))
    received = _received(fits, now)
    return replace(received, repairs=(*notes, *received.repairs))


def take(alert: AlertDocument) -> Received:
    """An alert from another source (Alertmanager's API), with the same limits as a webhook's."""
    return _received(_trim_alert(alert), LATEST)


def _received(alert: AlertDocument, now: Instant) -> Received:
    labels, named = alert["labels"], alert.get("fingerprint") or ""
    notes: tuple[str, ...] = ()
    starts_at = instant(alert["startsAt"])
    start_unknown = not _can_be(starts_at, now)
    if start_unknown:
        notes = (IMPOSSIBLE_START if starts_at else NO_START,)
        starts_at = now
    ended_at = None
    if alert["status"] == "resolved":
        ended_at = instant(alert.get("endsAt"))
        if not _can_be(ended_at, now):
            notes = (*notes, IMPOSSIBLE_END)
            ended_at = now
        if start_unknown:
            starts_at = min(starts_at, ended_at)
        ended_at = max(starts_at, ended_at)
    annotations = alert.get("annotations") or {}
    if not GRAFANAS.isdisjoint(alert):
        annotations = _of_grafana(alert) | annotations
    return Received(
        labels=labels,
        annotations=annotations,
        fingerprint=named if 0 < len(named) <= FINGERPRINT_LIMIT else fingerprint(labels),
        starts_at=starts_at,
        ended_at=ended_at,
        generator_url=alert.get("generatorURL") or "",
        repairs=notes,
        start_unknown=start_unknown,
    )


def _can_be(at: Instant, now: Instant) -> bool:
    """Whether a time is plausible for a past event."""
    return EARLIEST <= at <= now + AHEAD


def instant(moment: datetime | None) -> Instant:
    """Microseconds since 1970; `NEVER` for None. Without a zone it counts as UTC; out of range, the nearest limit."""
    if moment is None:
        return NEVER
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    micros = (since.days * 86_400 + since.seconds) * SECOND + since.microseconds
    return Instant(min(max(micros, 0), LATEST))


def _of_grafana(alert: AlertDocument) -> dict[str, str]:
    """Grafana's additional fields as annotations: ``values`` becomes ``B=22.5, C=1``, the others are unchanged."""
    values = alert.get("values")
    said = ", ".join(f"{name}={text_of(value)}" for name, value in values.items()) if isinstance(values, dict) else ""
    told = {"values": said, **{name: text_of(alert.get(name)) for name in GRAFANAS - {"values"}}}
    return {name: _cut(text, TEXT_LIMIT) for name, text in told.items() if text}


def _trim(document: WebhookDocument) -> WebhookDocument:
    return {
        "alerts": [_trim_alert(alert) for alert in document["alerts"]],
        "groupLabels": _short(document.get("groupLabels"), LABEL_LIMIT),
        "truncatedAlerts": document.get("truncatedAlerts"),
        "externalURL": document.get("externalURL"),
        "groupKey": document.get("groupKey"),
    }


def _trim_alert(alert: AlertDocument) -> AlertDocument:
    """Limit an alert's texts. Raises AttributeError, KeyError or TypeError where it is no alert."""
    named = (alert.get("fingerprint") or "").replace("\0", "")
    return {
        **alert,
        "labels": {_cut(name, LABEL_LIMIT): _cut(text, LABEL_LIMIT) for name, text in alert["labels"].items()},
        "annotations": _short(alert.get("annotations"), TEXT_LIMIT),
        "fingerprint": named if 0 < len(named) <= FINGERPRINT_LIMIT else fingerprint(alert["labels"]),
        "generatorURL": _cut(alert.get("generatorURL") or "", TEXT_LIMIT),
    }


def _short(texts: Texts | None, limit: int) -> Texts:
    return {_cut(name, LABEL_LIMIT): _cut(text, limit) for name, text in (texts or {}).items()}


def _cut(text: str, limit: int) -> str:
    clean = text.replace("\0", "")
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
