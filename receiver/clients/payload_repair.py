"""Webhook bodies that are almost Alertmanager's, as other senders write them: made readable, alert by alert.

`receiver.clients.alert_payload` comes here when a body does not fit as it is. What was changed is noted on the alert,
so that people see it; of an alert only its labels cannot be guessed. Notes quote a status and names, never a value.
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
"""What senders call an alert that is over; every other word is taken for firing. Grafana adds a reason in brackets:
``Normal (MissingSeries)``."""

NOT_QUITE_JSON = (
    "the body is not JSON as it should be: letters that cannot be read were replaced, values nested too deep left out"
)

NO_START = "startsAt is missing or no time: taken as when it was received"

IMPOSSIBLE_START = "startsAt cannot be: taken as when it was received"

IMPOSSIBLE_END = "endsAt is missing or cannot be: taken as when it was received"

QUOTED = 40
"""Characters of a status that a note quotes."""

_STATE = re.compile(r"\W*(\w+)\s*(?:\(([^()]*)\))?\W*")
"""A state, and the reason that Grafana adds to it."""

_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)
"""A text, which may hold brackets, or a bracket."""

DEEPEST = 50
"""Levels of nesting that are read; Alertmanager's bodies have four."""

_LONE = re.compile("[\ud800-\udfff]")
"""Half of a letter: a sender has cut its text within an emoji."""

_EPOCH = moment(Instant(0))
_MOMENT = TypeAdapter(datetime)
_GO = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?) ([+-]\d{4}) \w+.*", re.DOTALL)
"""A time as a template of Go's prints it: ``2026-11-23 02:28:11.8 +0000 UTC``."""


class Repaired(Struct, frozen=True):
    """An alert made readable."""

    document: Mapping[str, Any]
    """What `payload` reads: status, labels, annotations, startsAt, endsAt, fingerprint, generatorURL and values."""
    notes: tuple[str, ...]
    """What was changed."""


class UnreadableAlert(Struct, frozen=True):
    """An alert of a body that nothing can be made of."""

    index: int
    """Its place in the body's list, from 0."""
    reason: str


def repair_alert(raw: object, now: Instant) -> Repaired:
    """The alert, readable. An end after `now` is yet to come. Raises CannotError where nothing can be made of it."""
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
    """JSON as templates and scripts write it: in UTF-16, behind a byte order mark, with other letters than UTF-8's,
    halves of letters, line breaks within texts, or values nested without end, which are left out. Raises ValueError.
    """
    text = body.decode(json.detect_encoding(body), "replace")
    return _whole_letters(json.loads(_shallow(text), strict=False))


def _shallow(text: str) -> str:
    """The JSON, with null for whatever is nested deeper than `DEEPEST`."""
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
    """The object with these names as they should be written: ``StartsAt`` and ``starts_at`` are ``startsAt``."""
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
    """A body's group labels, and how many alerts it leaves out; `notes` get what was changed of them."""
    labels = raw.get("groupLabels")
    if labels is not None and not isinstance(labels, dict):
        notes.append("groupLabels is no object: taken as empty")
    group = _texts(labels, "group label", notes) if isinstance(labels, dict) else {}
    return group, _truncated(raw.get("truncatedAlerts"), notes)


def text_of(value: object) -> str:
    """A JSON value as the text of a label: numbers and truth values as JSON writes them, null as nothing."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else str(value)
    try:
        return orjson.dumps(value).decode()
    except (orjson.JSONEncodeError, RecursionError):  # an integer of more than 64 bits, or nested too deeply
        return str(value) if isinstance(value, int) else ""


def _status(said: object, ends_at: datetime | None, now: datetime, notes: list[str]) -> Literal["firing", "resolved"]:
    """Without a status the end says whether it is over: a firing alert has none, or one that is yet to come."""
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
    """The time that a value says; None: it says none."""
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
    """Alerts that were left out; what is no number may be some, and then the last that clears proves nothing."""
    if said is None or said == "":
        return 0
    try:
        return max(0, int(said))
    except (TypeError, ValueError, OverflowError):
        notes.append("truncatedAlerts is no number: taken as 1")
        return 1
