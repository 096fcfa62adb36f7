"""The measured value of an alert, in words: with its unit for Tocsin's alerts, as sent for foreign ones."""

import re
from collections.abc import Mapping
from math import isnan

from receiver.core.model import Alert, Instant
from rules.reserved import MARK

UNSAID = frozenset(("", "ratio"))
"""Units that are not written."""

LONGEST = 80
"""Maximum characters of a value; Grafana sends one for each query and expression."""

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
    return f"{_plainly(number)}{_unit(alert.annotations)}"


def told_at(alert: Alert) -> Instant:
    """When its value was received: at its last firing, or when its level rose."""
    return alert.worse_at or (alert.firings[-1] if alert.firings else alert.starts_at)


def is_told(value: str, text: str) -> bool:
    """Whether the text contains the value: 5 is in ``5 pods``, not in ``db5`` or ``0.5``. True for an empty value."""
    return not value or bool(re.search(rf"(?<![\w.,:#-]){re.escape(value)}(?!\w|[.,:-]\w)", text))


def without_value(summary: str, annotations: Mapping[str, str]) -> str:
    """The summary of `rules.compile` without the value at its end: the value changes, a title must not."""
    number = _number(annotations.get("value", ""))
    return summary if number is None else summary.removesuffix(f": {number:.6g}{_unit(annotations)}")


def without_measure(annotations: Mapping[str, str]) -> str:
    """The description without the last sentence, in which `rules.compile` gives the value."""
    said, number = annotations.get("description", ""), _number(annotations.get("value", ""))
    if MARK not in annotations or number is None:
        return said
    before, is_told, after = said.rpartition(f" is {number:.6g}{_unit(annotations)}.")
    if not is_told or after:
        return said
    text, stop, _ = before.rpartition(". ")
    return f"{text}{stop}".strip()


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


def _plainly(number: float) -> str:
    short = f"{number:.6g}"
    return f"{number:.0f}" if "e+" in short and abs(number) < PLAIN_BELOW else short


def _unit(annotations: Mapping[str, str]) -> str:
    unit = annotations.get("unit", "")
    return "" if unit in UNSAID else f" {unit}"
