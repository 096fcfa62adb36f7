"""Time zones by IANA name, from the pinned `tzdata` package only, so that a zone is the same on every machine."""

import re
import zoneinfo
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from importlib.resources import files

import tzdata

zoneinfo.reset_tzpath(())  # the system's zone data would come before the package's, and differ between replicas

VERSION: str = tzdata.IANA_VERSION
"""The version of the zone data: ``2025b``."""


@cache
def zone_names() -> frozenset[str]:
    """All names: Europe/Berlin, America/New_York, UTC …"""
    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split())


@cache
def time_zone(name: str) -> tzinfo:
    """The zone of that name. Raises KeyError for an unknown name."""
    if name not in zone_names():
        raise KeyError(name)
    return zoneinfo.ZoneInfo(name)


_PLACES = {
    "EST": "America/New_York",
    "MST": "America/Denver",
    "HST": "Pacific/Honolulu",
    "GMT": "Europe/London",
}
"""Abbreviation → the zone that its users probably mean."""


@cache
def fixed_zone(name: str) -> tuple[str, str] | None:
    """For a fixed-offset zone that is not a place: the offset (``UTC-5``) and the place that may be meant; empty:
    unknown. None: it is a place's zone, or UTC.
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
