"""`/history`: what has been. Found by time, level, type, state and words; and how well deadlines were kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from pydantic import ValidationError, field_validator

from receiver.core.model import Incident, Instant
from receiver.desk import Desk
from receiver.messages.times import moment
from receiver.store import Reads
from receiver.web.bodies import ListQuery
from receiver.web.console import tables
from receiver.web.console.frame import Frame, Visit
from receiver.web.console.weeks import Week, Weeks, mean
from receiver.web.problems import Problem, invalid
from rules.policy import SECOND

EXPORTED = 10_000
"""Incidents that an export has at most."""

CHUNK = 200


class HistoryQuery(ListQuery):
    """What to look for."""

    since: date | None = None
    """The first day, UTC."""
    until: date | None = None
    """The last day, UTC."""

    @field_validator("since", "until")
    @classmethod
    def _near(cls, day: date | None) -> date | None:
        if day is not None and not 1970 <= day.year <= 9000:
            raise ValueError("is a day from 1970 on")
        return day

    @property
    def filters(self) -> Mapping[str, Any]:
        """As `Reads.incidents` takes them."""
        return {
            "state": self.states,
            "level": self.level,
            "type": self.type,
            "search": self.search or "",
            "since": None if self.since is None else _midnight(self.since),
            "until": None if self.until is None else _midnight(self.until + timedelta(days=1)),
        }


@dataclass(frozen=True, slots=True)
class Figures:
    """One line of the table: a level, or all."""

    level: int
    """0: all."""
    incidents: int
    to_acknowledge: int | None
    to_resolve: int | None
    kept: int
    breached: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One week of the drawing, in its units."""

    label: str
    kept: int
    breached: int
    x: int
    kept_height: int
    breached_height: int


@dataclass(frozen=True, slots=True)
class History:
    """The page and its export."""

    frame: Frame
    desk: Desk
    reads: Reads
    weeks: Weeks

    async def show(self, visit: Visit) -> web.Response:
        """The page."""
        query = _query(visit)
        found, cursor = await self._find(query, query.limit, query.cursor)
        weeks, is_whole = await self.weeks.latest(visit.now)
        current = self.desk.engine.current
        asked = {name: value for name, value in visit.request.query.items() if value and name != "cursor"}
        return self.frame.page(
            visit,
            "history.html",
            incidents=found,
            query=query,
            older="?" + urlencode({**asked, "cursor": cursor}) if cursor else "",
            export="/history.csv?" + urlencode(asked),
            is_filtered=bool(asked),
            types=sorted(
                {each.name for each in current.policy.incident_types} | {each.name for each in current.policy.rules}
            ),
            levels=current.policy.levels,
            figures=[_figures(weeks, level) for level in (0, 4, 3, 2, 1)],
            bars=_bars(weeks),
            is_whole=is_whole,
        )

    async def export(self, visit: Visit) -> web.Response:
        """The same list as CSV, up to EXPORTED incidents."""
        query = _query(visit)
        rows: list[Incident] = []
        cursor = None
        while len(rows) < EXPORTED:
            found, cursor = await self._find(query, CHUNK, cursor)
            rows += found
            if cursor is None:
                break
        return tables.answer("incidents", tables.INCIDENT_COLUMNS, map(tables.incident_row, rows))

    async def _find(self, query: HistoryQuery, limit: int, cursor: str | None) -> tuple[list[Incident], str | None]:
        def read() -> tuple[list[Incident], str | None]:
            return self.reads.incidents(**query.filters, limit=limit, cursor=cursor)

        try:
            return await self.desk.read(read)
        except ValueError as error:
            raise Problem(400, str(error)) from None


def _query(visit: Visit) -> HistoryQuery:
    try:
        return HistoryQuery.model_validate({name: value for name, value in visit.request.query.items() if value})
    except ValidationError as error:
        raise invalid(error, "query") from None


def _midnight(day: date) -> Instant:
    return Instant(int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * SECOND)


def _figures(weeks: Sequence[Week], level: int) -> Figures:
    tallies = [each for week in weeks for each in week.tallies if level in {0, each.level}]
    return Figures(
        level=level,
        incidents=sum(each.incidents for each in tallies),
        to_acknowledge=mean([(each.to_acknowledge, each.acknowledged) for each in tallies]),
        to_resolve=mean([(each.to_resolve, each.resolved) for each in tallies]),
        kept=sum(each.kept for each in tallies),
        breached=sum(each.breached for each in tallies),
    )


HEIGHT = 100
STEP = 50


def _bars(weeks: Sequence[Week]) -> list[Bar]:
    counts = [(sum(each.kept for each in week.tallies), sum(each.breached for each in week.tallies)) for week in weeks]
    most = max((kept + breached for kept, breached in counts), default=0) or 1
    return [
        Bar(
            f"{moment(week.begins).day} {moment(week.begins):%b}",
            kept,
            breached,
            place * STEP,
            round(HEIGHT * kept / most),
            round(HEIGHT * breached / most),
        )
        for place, (week, (kept, breached)) in enumerate(zip(weeks, counts, strict=True))
    ]
