"""The measured value of an alert, in words: with its unit for Tocsin's alerts, as sent for foreign ones."""

import re
from collections.abc import Mapping, Sequence
from math import isnan

from receiver.core.model import Alert, Instant
from rules.reserved import MARK

UNSAID = frozenset(("", "ratio"))
"""Units that are not written."""

LONGEST = 80
"""Maximum characters of a value; Grafana sends one for each query and expression."""

_NUMBERS = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])")

PLAIN_BELOW = 1e15
"""A number below this is written without an exponent."""


def measured(alert: Alert) -> str:
    """The value sent with the alert, and its unit: ``0.91``, ``3.2 bar``; empty: none."""
    said = _said(alert.annotations)
    number = _number(said)
    if number == 1 and MARK in alert.annotations and alert.annotations.get("condition", "").isidentifier():
        return ""  # a bare metric is true or false: its 1 only says that it fires
    if number is not None and isnan(number):
        return "not a number"
    if number is None:
        return said if len(said) <= LONGEST else f"{said[: LONGEST - 1]}…"
    limits = [
        sign * float(each) for each in _NUMBERS.findall(alert.annotations.get("condition", "")) for sign in (1, -1)
    ]
    return f"{plainly(number, limits)}{_unit(alert.annotations)}"


def told_at(alert: Alert) -> Instant:
    """When its value was received: at its last firing, or when its level rose."""
    return alert.worse_at or (alert.firings[-1] if alert.firings else alert.starts_at)


def is_told(value: str, text: str) -> bool:
    """Whether the text contains the value: 5 is in ``5 pods``, not in ``db5`` or ``0.5``. True for an empty value."""
    return not value or bool(re.search(rf"(?<![\w.,:#-]){re.escape(value)}(?!\w|[.,:-]\w)", text))


def without_value(summary: str, annotations: Mapping[str, str]) -> str:
    """The summary of `rules.compile` without the value at its end: the value changes, a title must not."""
    before, is_told, said = summary.rpartition(": ")
    return before if is_told and _is_value(said, annotations) else summary


def without_measure(annotations: Mapping[str, str]) -> str:
    """The description without the last sentence, in which `rules.compile` gives the value."""
    said = annotations.get("description", "")
    before, is_told, after = said.rpartition(" is ")
    if MARK not in annotations or not is_told or not _is_value(after.removesuffix("."), annotations):
        return said
    text, stop, _ = before.rpartition(". ")
    return f"{text}{stop}".strip()


def _is_value(said: str, annotations: Mapping[str, str]) -> bool:
    """Whether the text is the value with its unit, in as many digits as `rules.compile` gives it."""
    told, known = _number(said.removesuffix(_unit(annotations))), _number(annotations.get("value", ""))
    return None not in (told, known) and f"{told:.6g}" == f"{known:.6g}"


def _said(annotations: Mapping[str, str]) -> str:
    """Its value as sent; of a single Grafana value, without the name before it."""
    said = " ".join((annotations.get("value") or annotations.get("values") or "").split())
    name, sign, value = said.partition("=")
    return value if sign and "=" not in value and name.isalnum() else said


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def plainly(number: float, limits: Sequence[float]) -> str:
    """With six digits, or with more where six would read as one of the limits, or as beyond it."""
    tried = (f"{number:.{digits}g}" for digits in (6, 10))
    short = next((each for each in tried if _sides(float(each), limits) == _sides(number, limits)), repr(number))
    return f"{number:.0f}" if "e+" in short and abs(number) < PLAIN_BELOW else short


def _sides(number: float, limits: Sequence[float]) -> list[int]:
    """Of each limit whether the number is below it, it, or above it: -1, 0, 1."""
    return [(number > each) - (number < each) for each in limits]


def _unit(annotations: Mapping[str, str]) -> str:
    unit = annotations.get("unit", "")
    return "" if unit in UNSAID else f" {unit}"
