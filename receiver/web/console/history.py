"""`/history`: past incidents by time, level, type, system, person, state and text; and weekly figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from pydantic import ValidationError, field_validator

from receiver.core.model import Incident
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.errors import CursorError
from receiver.messages.now_firing import NowFiring
from receiver.store import Reads
from receiver.web.api.requests import ListQuery
from receiver.web.console import tables
from receiver.web.console.level_figures import FIGURE_COLUMNS, figure_rows, figures_of
from receiver.web.console.now import NAMED
from receiver.web.console.pages import Frame, Visit
from receiver.web.console.typed_times import midnight, zone_of
from receiver.web.console.weeks import Weeks
from receiver.web.http.problem_details import HttpProblem, invalid

EXPORTED = 10_000
"""Incidents in an export, at most."""

CHUNK = 200


class HistoryQuery(ListQuery):
    """The page's filters."""

    since: date | None = None
    """The first day."""
    until: date | None = None
    """The last day."""
    zone: str = ""
    """The days' time zone; empty: UTC."""

    @field_validator("since", "until")
    @classmethod
    def _near(cls, day: date | None) -> date | None:
        if day is not None and not 1970 <= day.year <= 9000:
            raise ValueError("is a day from 1970 on")
        return day

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        zone_of(zone)
        return zone

    @property
    def filters(self) -> Mapping[str, Any]:
        """The filters as arguments of `Reads.incidents`."""
        return {
            "state": self.states,
            "level": self.level,
            "type": self.type,
            "system": self.system or "",
            "person": self.person or "",
            "search": self.search or "",
            "on_hold": self.legal_hold,
            "since": None if self.since is None else midnight(self.since, self.zone),
            "until": None if self.until is None else midnight(self.until + timedelta(days=1), self.zone),
        }


@dataclass(frozen=True, slots=True)
class History:
    """Handlers of History and its exports."""

    frame: Frame
    queue: CommandQueue
    engine: Engine
    reads: Reads
    weeks: Weeks

    async def show(self, visit: Visit) -> web.Response:
        """Shows the page."""
        query = _query(visit)
        found, cursor = await self._find(query, query.limit, query.cursor)
        titles = await self.queue.browse(lambda: self._titles(found))
        weeks, is_whole = await self.weeks.latest(visit.now)
        current = self.engine.current
        asked = _asked(visit, query)
        return self.frame.page(
            visit,
            "history.html",
            incidents=found,
            titles=titles,
            query=query,
            older="?" + urlencode({**asked, "cursor": cursor}) if cursor else "",
            export="/history.csv?" + urlencode(asked),
            is_filtered=bool(asked),
            chosen=[
                (f"{name.replace('_', ' ')}: {value}", _address({**asked, name: ""}))
                for name, value in asked.items()
                if name not in {"limit", "zone"}
            ],
            narrowed=lambda name, value: _address({**asked, name: value}),
            people=[each.name for each in current.policy.people],
            types=sorted(
                {each.name for each in current.policy.incident_types} | {each.name for each in current.policy.rules}
            ),
            levels=current.policy.levels,
            figures=[figures_of(weeks, level) for level in (0, 4, 3, 2, 1)],
            is_whole=is_whole,
            began=weeks[-1].begins if weeks else visit.now,
        )

    def _titles(self, found: Sequence[Incident]) -> dict[str, str]:
        """Incident id → current title: the alert that opened it may have recovered."""
        firing = self.reads.first_firing([each.id for each in found], NAMED)
        return {each.id: NowFiring(each, firing.get(each.id, ())).title for each in found}

    async def export_figures(self, visit: Visit) -> web.Response:
        """The weekly figures by level, as CSV. Raises HttpProblem 503 until they are counted."""
        weeks, is_whole = await self.weeks.latest(visit.now)
        if not is_whole:
            raise HttpProblem(503, "the weeks are still being counted", headers={"Retry-After": "2"})
        return tables.answer("weeks", FIGURE_COLUMNS, figure_rows(weeks))

    async def export(self, visit: Visit) -> web.StreamResponse:
        """The filtered list as CSV, up to EXPORTED incidents."""
        query = _query(visit)
        return await tables.send(visit.request, "incidents", tables.INCIDENT_COLUMNS, self._pages(query))

    async def _pages(self, query: HistoryQuery) -> tables.Pages:
        cursor = None
        for _ in range(EXPORTED // CHUNK):
            found, cursor = await self._find(query, CHUNK, cursor)
            yield [tables.incident_row(each) for each in found]
            if cursor is None:
                break

    async def _find(self, query: HistoryQuery, limit: int, cursor: str | None) -> tuple[list[Incident], str | None]:
        def read() -> tuple[list[Incident], str | None]:
            return self.reads.incidents(**query.filters, limit=limit, cursor=cursor)

        try:
            return await self.queue.browse(read)
        except CursorError as error:
            raise HttpProblem(400, str(error)) from None


def _asked(visit: Visit, query: HistoryQuery) -> dict[str, str]:
    """The filters as the query has them; a zone alone filters nothing."""
    left_out = {"cursor"} if query.since or query.until else {"cursor", "zone"}
    return {name: value for name, value in visit.request.query.items() if value and name not in left_out}


def _address(asked: Mapping[str, str]) -> str:
    return "/history?" + urlencode({name: value for name, value in asked.items() if value})


def _query(visit: Visit) -> HistoryQuery:
    try:
        return HistoryQuery.model_validate({name: value for name, value in visit.request.query.items() if value})
    except ValidationError as error:
        raise invalid(error, "query") from None
