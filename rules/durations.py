"""Durations in Prometheus's notation: ``15m``, ``24h``, ``1h30m``, ``30d``.

The document models call `parse`; the outputs, messages and pages call `format_duration`, whose result is valid in a
rule file.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from rules.policy import SECOND, Micros, ReportStage

UNITS: dict[str, int] = {
    "y": 365 * 86_400 * SECOND,
    "w": 7 * 86_400 * SECOND,
    "d": 86_400 * SECOND,
    "h": 3_600 * SECOND,
    "m": 60 * SECOND,
    "s": SECOND,
    "ms": SECOND // 1_000,
}
"""Microseconds in each unit; a year is 365 days, as for Prometheus."""

LONGEST = Micros(10 * UNITS["y"])
"""The maximum; a longer duration is assumed to be a mistake."""

LONGEST_TEXT = 40
"""The maximum length of a duration's text, in characters."""

NAMES = ("year", "week", "day", "hour", "minute", "second", "millisecond")
"""The units in words, in the same order."""

PATTERN = "".join(f"(?:(\\d+){unit})?" for unit in UNITS)
_DURATION = re.compile(PATTERN, re.ASCII)


def parse(text: str) -> Micros:
    """Microseconds of a duration such as ``1h30m``; a plain ``0`` is allowed.

    Raises ValueError with a message for the policy's author.
    """
    stripped = text.strip()
    if stripped.startswith("-"):
        raise ValueError(f'a duration cannot be negative: "{stripped[:LONGEST_TEXT]}"')
    if stripped == "0":
        return Micros(0)
    if not (stripped and _DURATION.fullmatch(stripped)) or len(stripped) > LONGEST_TEXT:
        raise ValueError(
            f'not a duration: "{stripped[:LONGEST_TEXT]}"; write for example "90s", "15m", "24h", "7d" or "1h30m"'
        )
    return bounded(_micros(stripped))


def bounded(micros: int) -> Micros:
    """The same duration, if it is not longer than LONGEST; raises ValueError otherwise."""
    if micros < 0:
        raise ValueError("a duration cannot be negative")
    if micros > LONGEST:
        raise ValueError("longer than ten years: is the unit right?")
    return Micros(micros)


@lru_cache(maxsize=1_024)
def format_duration(micros: int) -> str:
    """The shortest exact spelling, with days as the largest unit: ``15m``, ``1d``, ``1h30m``, ``0s``.

    Truncated to milliseconds.
    """
    if micros < 0:
        return "-" + format_duration(-micros)
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, micros = divmod(micros, UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def spellings(texts: Iterable[str]) -> tuple[str, ...]:
    """The spellings of those texts that are durations: ``72h``. Omits a duration with two spellings (``3d`` too)."""
    ways: dict[int, set[str]] = {}
    for text in texts:
        if text.strip() and _DURATION.fullmatch(text.strip()):
            ways.setdefault(_micros(text.strip()), set()).add(text.strip())
    return tuple(sorted(min(each) for each in ways.values() if len(each) == 1))


def spelling(micros: int, known: Iterable[str]) -> str:
    """The known spelling of that duration; empty: there is none."""
    return next((each for each in known if _micros(each) == micros), "")


def as_spelled(micros: int, known: Iterable[str]) -> str:
    """The known spelling, or else the shortest exact one: ``72h``, ``3d``."""
    return spelling(micros, known) or format_duration(micros)


def in_words(text: str) -> str:
    """A spelled duration in words: ``72h`` is ``72 hours``, ``1h30m`` is ``1 hour 30 minutes``."""
    found = _DURATION.fullmatch(text)
    counts = zip(found.groups() if found else (), NAMES, strict=False)
    return " ".join(f"{int(count)} {name}{'' if int(count) == 1 else 's'}" for count, name in counts if count)


def stage_period(stage: ReportStage) -> str:
    """A report's time limit in the policy's spelling, which follows the law: ``72 hours``, ``3 months``."""
    if stage.months:
        return f"{stage.months} month{'' if stage.months == 1 else 's'}"
    return in_words(as_spelled(stage.within, [stage.written]))


def _micros(text: str) -> int:
    """Microseconds of a valid duration."""
    found = _DURATION.fullmatch(text)
    counts = found.groups("0") if found else ()
    return sum(int(count) * size for count, size in zip(counts, UNITS.values(), strict=False))
