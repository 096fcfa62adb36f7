"""Instants in reports: UTC, then in brackets the policy's time zone, which a report names once."""

from dataclasses import dataclass

from receiver.core.model import Instant
from receiver.messages.times import moment, stamp
from rules.time_zones import time_zone

UTC = "UTC"


@dataclass(frozen=True, slots=True)
class ReportClock:
    """Formats instants. `zone`: the policy's `time_zone`."""

    zone: str = UTC

    @property
    def words(self) -> str:
        """States the zone of the times in brackets, for the end of a subtitle; empty: there are none."""
        return "" if self.zone == UTC else f"; times are UTC, in brackets {self.zone}"

    def stamp(self, at: Instant) -> str:
        """To the minute: ``2026-11-23 12:02 UTC (13:02)``."""
        return f"{stamp(at)}{self._beside(at, '%H:%M')}"

    def second(self, at: Instant) -> str:
        """To the second, for tables: ``2026-11-23 12:02:07 (13:02:07)``."""
        return f"{moment(at):%Y-%m-%d %H:%M:%S}{self._beside(at, '%H:%M:%S')}"

    def _beside(self, at: Instant, form: str) -> str:
        """Returns the local time in brackets, with the date if it differs."""
        if self.zone == UTC:
            return ""
        there = moment(at, time_zone(self.zone))
        date = "" if there.date() == moment(at).date() else f"{there:%m-%d} "
        return f" ({date}{there.strftime(form)})"
