"""Time zones by their IANA names, of the pinned `tzdata` package only: a zone means the same on every machine."""

import re
import zoneinfo
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from importlib.resources import files

import tzdata

zoneinfo.reset_tzpath(())  # the system's zone data would go before the package's, and replicas could disagree

VERSION: str = tzdata.IANA_VERSION
"""Of the zone data: ``2025b``."""


@cache
def zone_names() -> frozenset[str]:
    """Every name: Europe/Berlin, America/New_York, UTC …"""
    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split())


@cache
def time_zone(name: str) -> tzinfo:
    """The zone of that name. Raises KeyError for a name that is none."""
    if name not in zone_names():
        raise KeyError(name)
    return zoneinfo.ZoneInfo(name)


_PLACES = {
    "EST": "America/New_York",
    "MST": "America/Denver",
    "HST": "Pacific/Honolulu",
    "GMT": "Europe/London",
}
"""What people mean who write the time of a place by its initials."""


@cache
def fixed_zone(name: str) -> tuple[str, str] | None:
    """Of a zone that is a fixed offset by a name that is no place's: the offset (``UTC-5``) and the place that may be
    meant; empty: nobody can tell which. None: it is a place's, or UTC.
    """
    if name not in zone_names():
        return None
    winter, summer = (datetime(2026, month, 1, tzinfo=UTC).astimezone(time_zone(name)) for month in (1, 7))
    offset, initials = winter.utcoffset() or timedelta(), winter.tzname()
    named_so = name == initials or re.search(r"GMT|Greenwich", name)
    if initials == "UTC" or not named_so or offset != summer.utcoffset():
        return None
    hours = offset // timedelta(hours=1)
    return f"UTC{hours:+d}" if hours else "UTC", _PLACES.get(str(initials), "")
