"""Durations and times as pages show them. `static/console.js` uses the same wording."""

from receiver.core.model import Instant
from receiver.messages.times import DAY, moment
from rules.policy import HOUR, MINUTE, SECOND

_UNITS = ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (SECOND, "second"))


def span(micros: int) -> str:
    """A duration in its two largest units: ``12 minutes 30 seconds``, ``1 hour``, ``3 days 4 hours``."""
    left = max(0, micros)
    said: list[str] = []
    start = next((place for place, (unit, _) in enumerate(_UNITS) if left >= unit), len(_UNITS) - 1)
    for unit, name in _UNITS[start : start + 2]:
        count, left = divmod(left, unit)
        if count or not said:
            said.append(f"{count} {name}{'' if count == 1 else 's'}")
    return " ".join(said)


def off(at: Instant, now: Instant) -> str:
    """The distance of an instant from `now`: ``in 12 minutes 30 seconds``, ``3 hours ago``."""
    return f"in {span(at - now)}" if at > now else f"{span(now - at)} ago"


def stamp(at: Instant) -> str:
    """Date and time in UTC: ``23 Nov 2026, 03:14:05 UTC``."""
    when = moment(at)
    return f"{when.day} {when:%b %Y, %H:%M:%S} UTC"
