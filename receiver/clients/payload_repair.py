"""Repairs webhook bodies of senders that deviate from Alertmanager's format, alert by alert.

`receiver.clients.alert_payload` calls it when a body is invalid. Changes are noted on the alert, so that people see
them. Only missing labels make an alert unreadable. Notes quote a status and names, never a value.
"""

import json
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import orjson
from msgspec import Struct
from pydantic import TypeAdapter, ValidationError

from receiver.core.classify import REASON_OF_ABSENCE
from receiver.core.model import Instant
from receiver.errors import CannotError
from receiver.messages.times import moment

ENDED = frozenset(
    (
        "resolved", "resolve", "ok", "normal", "inactive", "recovered", "recovery", "closed", "cleared", "clear",
        "ended", "success", "healthy", "up",
    )
)  # fmt: skip
"""Senders' words for a resolved alert; every other word counts as firing. Grafana adds a reason in brackets:
``Normal (MissingSeries)``."""

NOT_QUITE_JSON = (
    "the body is not JSON as it should be: letters that cannot be read were replaced, values nested too deep left out"
)

NO_START = "startsAt is missing or no time: taken as when it was received"

IMPOSSIBLE_START = "startsAt cannot be: taken as when it was received"

IMPOSSIBLE_END = "endsAt is missing or cannot be: taken as when it was received"

QUOTED = 40
"""Characters of a status quoted in a note."""

_STATE = re.compile(r"\W*(\w+)\s*(?:\(([^()]*)\))?\W*")
"""A state, and Grafana's reason in brackets."""

_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)
"""A JSON string, which may contain brackets, or a bracket."""

DEEPEST = 50
"""Levels of nesting that are read; Alertmanager's bodies have four."""

_LONE = re.compile("[\ud800-\udfff]")
"""A lone surrogate: the sender has cut a text within an emoji."""

_EPOCH = moment(Instant(0))
_MOMENT = TypeAdapter(datetime)
_GO = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?) ([+-]\d{4}) \w+.*", re.DOTALL)
"""A time in the format of Go templates: ``2026-11-23 02:28:11.8 +0000 UTC``."""


class Repaired(Struct, frozen=True):
    """A repaired alert."""

    document: Mapping[str, Any]
    """The fields that `receiver.clients.alert_payload` reads: status, labels, annotations, times, …"""
    notes: tuple[str, ...]
    """The changes made."""


class UnreadableAlert(Struct, frozen=True):
    """An alert of a body that cannot be repaired."""

    index: int
    """Index in the body's list, from 0."""
    reason: str


def repair_alert(raw: object, now: Instant) -> Repaired:
    """Repair an alert. An end after `now` counts as not reached. Raises CannotError where that is impossible."""
    if not isinstance(raw, dict):
        raise CannotError("it is no object")
    labels = raw.get("labels")
    if not isinstance(labels, dict) or not labels:
        raise CannotError("it has no labels")
    notes: list[str] = []
    document: dict[str, Any] = {
        "labels": _texts(labels, "label", notes),
        "annotations": _annotations(raw.get("annotations"), notes),
        "startsAt": _moment(raw.get("startsAt")),
        "endsAt": _end(raw, notes),
        "fingerprint": _fingerprint(raw.get("fingerprint"), notes),
        "generatorURL": _url(raw.get("generatorURL"), notes),
        "values": raw.get("values"),
        "valueString": raw.get("valueString"),
        "dashboardURL": raw.get("dashboardURL"),
        "panelURL": raw.get("panelURL"),
    }
    said = raw.get("status")
    document["status"] = _status(said, document["endsAt"], moment(now), notes)
    if document["status"] == "resolved" and (state := _STATE.fullmatch(text_of(said))) and state[2]:
        document["annotations"].setdefault(REASON_OF_ABSENCE, state[2].strip())
    return Repaired(document, tuple(notes))


def decode_leniently(body: bytes) -> Any:
    """Decode JSON with common errors of templates and scripts: UTF-16, a byte order mark, invalid UTF-8, lone
    surrogates, line breaks within strings, too deep nesting (replaced by null). Raises ValueError.
    """
    text = body.decode(json.detect_encoding(body), "replace")
    return _whole_letters(json.loads(_shallow(text), strict=False))


def _shallow(text: str) -> str:
    """The JSON text, with null for values nested deeper than `DEEPEST`."""
    kept, depth, at = [], 0, 0
    for found in _BRACKET.finditer(text):
        if found[0] in "[{":
            depth += 1
            if depth == DEEPEST + 1:
                kept.append(text[at : found.start()])
        elif found[0] in "]}":
            depth -= 1
            if depth == DEEPEST:
                kept.append("null")
                at = found.end()
    return "".join((*kept, text[at:])) if depth <= DEEPEST else text[:0]


def _whole_letters(value: Any) -> Any:
    if isinstance(value, str):
        return _LONE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_whole_letters(each) for each in value]
    if isinstance(value, dict):
        return {_whole_letters(name): _whole_letters(each) for name, each in value.items()}
    return value


def respell(raw: Any, names: Collection[str], notes: list[str]) -> Any:
    """The object with variants of these names replaced: ``StartsAt`` and ``starts_at`` become ``startsAt``."""
    if not isinstance(raw, dict):
        return raw
    meant = {name.lower(): name for name in names}
    changed: dict[str, str] = {}
    for name in map(str, raw):
        other = meant.get(name.lower().replace("_", ""), name)
        if other not in raw:
            changed[name] = other
    if changed:
        notes.append(f"{', '.join(changed)[:QUOTED]}: taken as {', '.join(changed.values())}")
    return {changed.get(name, name): value for name, value in raw.items()}


def repair_group(raw: Mapping[str, Any], notes: list[str]) -> tuple[dict[str, str], int]:
    """A body's group labels, and the number of alerts it leaves out; appends changes to `notes`."""
    labels = raw.get("groupLabels")
    if labels is not None and not isinstance(labels, dict):
        notes.append("groupLabels is no object: taken as empty")
    group = _texts(labels, "group label", notes) if isinstance(labels, dict) else {}
    return group, _truncated(raw.get("truncatedAlerts"), notes)


def text_of(value: object) -> str:
    """A JSON value as text: numbers and booleans as in JSON, null as an empty text."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else str(value)
    try:
        return orjson.dumps(value).decode()
    except (orjson.JSONEncodeError, RecursionError):  # an integer of more than 64 bits, or too deep nesting
        return str(value) if isinstance(value, int) else ""


def _status(said: object, ends_at: datetime | None, now: datetime, notes: list[str]) -> Literal["firing", "resolved"]:
    """The status. If it is missing, the end decides: a firing alert has none, or one in the future."""
    if said is None or said == "":
        is_over = ends_at is not None and _EPOCH < ends_at <= now
        notes.append(f"status is missing: taken as {'resolved' if is_over else 'firing'} by its end")
        return "resolved" if is_over else "firing"
    word = text_of(said).strip()
    state = _STATE.fullmatch(word.lower())
    status: Literal["firing", "resolved"] = "resolved" if state and state[1] in ENDED else "firing"
    if said != status:
        notes.append(f"status {word[:QUOTED]!r} is taken as {status}")
    return status


def _moment(value: object) -> datetime | None:
    """The time in a value; None: no valid time."""
    if isinstance(value, str) and (found := _GO.fullmatch(value.strip())):
        value = "{}T{}{}".format(*found.groups())
    if isinstance(value, bool) or not isinstance(value, str | int | float | datetime):
        return None
    try:
        found_at = _MOMENT.validate_python(value.strip() if isinstance(value, str) else value)
    except ValidationError:
        return None
    return found_at if found_at.tzinfo else found_at.replace(tzinfo=UTC)


def _end(raw: Mapping[str, Any], notes: list[str]) -> datetime | None:
    said = raw.get("endsAt")
    ends_at = _moment(said)
    if ends_at is None and said is not None:
        notes.append("endsAt is no time: taken as none")
    return ends_at


def _texts(said: Mapping[str, object], what: str, notes: list[str]) -> dict[str, str]:
    others = [name for name, value in said.items() if not isinstance(value, str)]
    if others:
        names = ", ".join(sorted(others))
        notes.append(f"{what} {names if len(names) <= QUOTED else names[:QUOTED] + '…'}: taken as text")
    return {name: text_of(value) for name, value in said.items()}


def _annotations(said: object, notes: list[str]) -> dict[str, str]:
    if isinstance(said, dict):
        return _texts(said, "annotation", notes)
    if said is not None:
        notes.append("annotations is no object: taken as empty")
    return {}


def _fingerprint(said: object, notes: list[str]) -> str | None:
    if said is None or isinstance(said, str):
        return said
    notes.append("fingerprint is no text: computed from the labels")
    return None


def _url(said: object, notes: list[str]) -> str | None:
    if said is None or isinstance(said, str):
        return said
    notes.append("generatorURL is no text: left out")
    return None


def _truncated(said: Any, notes: list[str]) -> int:
    """Number of alerts left out. An invalid number counts as 1: then the listed alerts do not prove a recovery."""
    if said is None or said == "":
        return 0
    try:
        return max(0, int(said))
    except (TypeError, ValueError, OverflowError):
        notes.append("truncatedAlerts is no number: taken as 1")
        return 1
