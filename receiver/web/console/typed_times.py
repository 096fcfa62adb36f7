"""Days and times typed into forms: they are in the zone that the page shows, which the form names in its field `zone`.

`static/console.js` sets the field to the viewer's zone; without a script the page and the field say UTC.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo

from receiver.core.model import Instant
from receiver.web.http.problem_details import HttpProblem
from rules.policy import SECOND
from rules.time_zones import time_zone


def zone_of(name: str) -> tzinfo:
    """The zone of that name; UTC if it is empty. Raises HttpProblem 400."""
    try:
        return time_zone(name or "UTC")
    except KeyError:
        raise HttpProblem(400, f"zone: there is no time zone {name[:80]!r}; write it like Europe/Berlin") from None


def midnight(day: date, zone: str) -> Instant:
    """The beginning of a day. Raises HttpProblem 400."""
    return Instant(int(datetime.combine(day, time(), zone_of(zone)).timestamp()) * SECOND)


def time_in(zone: str, text: str) -> str:
    """A typed time (``2026-12-24T12:00``) as RFC 3339 in UTC; any other text as it is. Raises HttpProblem 400."""
    return _utc(text, zone, timedelta())


def end_of_day(zone: str, text: str) -> str:
    """The last second of a typed day (``2026-12-24``) as RFC 3339 in UTC; any other text as it is. Raises HttpProblem
    400.
    """
    return text if "T" in text else _utc(text, zone, timedelta(days=1, seconds=-1))


def _utc(text: str, zone: str, later: timedelta) -> str:
    try:
        typed = datetime.fromisoformat(text)
        if typed.tzinfo is not None:
            return text
        return (typed + later).replace(tzinfo=zone_of(zone)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        return text
