"""Rosters as JSON, for `tocsin on-call --json` and other programs."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from receiver.on_call.shift import Roster
from rules.time_zones import VERSION

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def as_json(rosters: Iterable[Roster]) -> dict[str, Any]:
    """Returns every schedule with its shifts and gaps, and the version of the zone data; times are RFC 3339 in UTC."""
    return {
        "schedules": [
            {
                "name": each.name,
                "time_zone": each.time_zone,
                "shifts": [
                    {
                        "person": shift.person,
                        "from": rfc3339_seconds(shift.starts),
                        "until": rfc3339_seconds(shift.ends),
                        "source": shift.source,
                    }
                    for shift in each.shifts
                ],
                "gaps": [
                    {"from": rfc3339_seconds(gap.starts), "until": rfc3339_seconds(gap.ends)} for gap in each.gaps
                ],
            }
            for each in rosters
        ],
        "tzdata": VERSION,
    }


def rfc3339_seconds(at: int) -> str:
    """Returns ``2026-10-01T07:00:00Z``; whole seconds unless there is a fraction."""
    return (_EPOCH + timedelta(microseconds=at)).isoformat().replace("+00:00", "Z")
