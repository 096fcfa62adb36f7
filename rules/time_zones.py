"""Time zones by their IANA names, of the pinned `tzdata` package only: a zone means the same on every machine."""

import zoneinfo
from datetime import tzinfo
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
