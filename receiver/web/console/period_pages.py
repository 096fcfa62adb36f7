"""`/history/report` and `/history/drills`: the reports of a period and of live drills, as pages."""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from receiver.core.model import Instant
from receiver.engine.queue import CommandQueue
from receiver.reports import Report
from receiver.reports.queries import Records
from receiver.web.api.requests import Duration
from receiver.web.console.pages import Frame, Visit
from receiver.web.http.problem_details import invalid
from rules.durations import parse

PERIODS = {"24h": "a day", "7d": "a week", "30d": "30 days", "90d": "90 days", "365d": "a year"}
"""Periods that the page offers, with their names; the query may name others."""


class AskedPeriod(BaseModel):
    """Length back from now."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    period: Duration


@dataclass(frozen=True, slots=True)
class PeriodPages:
    """Handlers of the pages of period and drill reports."""

    frame: Frame
    queue: CommandQueue
    records: Records

    async def show_period(self, visit: Visit) -> web.Response:
        """Shows the report of a period."""
        return await self._show(visit, "30d", "/api/v1/report", self.records.period)

    async def show_drills(self, visit: Visit) -> web.Response:
        """Shows the live drills of a period."""

        def read(length: int, now: Instant, by: str) -> Report:
            return self.records.drills(length, now, by)[1]

        return await self._show(visit, "365d", "/api/v1/drills", read)

    async def _show(
        self, visit: Visit, usual: str, text: str, read: Callable[[int, Instant, str], Report]
    ) -> web.Response:
        """`text`: the API's path of the same report, as Markdown, printable HTML and JSON."""
        try:
            asked = AskedPeriod.model_validate({"period": visit.request.query.get("period") or usual})
        except ValidationError as error:
            raise invalid(error, "query") from None
        report = await self.queue.browse(read, parse(asked.period), visit.now, visit.caller.name)
        return self.frame.page(visit, "period.html", report=report, period=asked.period, periods=PERIODS, text=text)
