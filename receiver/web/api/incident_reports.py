"""The API's reports: of one incident and of a period, as JSON, Markdown or a page that prints well."""

from collections.abc import Callable

from receiver.core.model import Incident, Instant
from receiver.drill.from_incident import recall
from receiver.engine.queue import CommandQueue
from receiver.reports import Format, Report, render
from receiver.reports.queries import Records
from receiver.reports.render import CONTENT_TYPES, style_hash
from receiver.web.api import requests, responses
from receiver.web.api.call import Call, Text
from receiver.web.api.incident_operations import Api
from receiver.web.api.views import show_drill
from rules.durations import parse as duration

TEXTS = (CONTENT_TYPES["md"], CONTENT_TYPES["html"])


class Reporter:
    """The handlers."""

    def __init__(self, api: Api, queue: CommandQueue, records: Records, clock: Callable[[], Instant]) -> None:
        self._api = api
        self._queue = queue
        self._records = records
        self._clock = clock

    async def incident_report(self, call: Call[requests.ReportQuery]) -> responses.ReportView | Text:
        """What happened, why, what was done about it and what follows."""

        def read(incident: Incident) -> responses.ReportView | Text:
            return _answer(self._records.incident(incident, self._clock()), call.said.format)

        return await self._api.browse(call.incident, read)

    async def as_test(self, call: Call[requests.Nothing]) -> responses.AsTestView:
        """The incident as a promtool unit test and a drill script, so that it is checked for ever after."""

        def read(incident: Incident) -> responses.AsTestView:
            recalled = recall(self._records.record(incident, self._clock()))
            return responses.AsTestView(files=recalled.files, notes=list(recalled.notes))

        return await self._api.browse(call.incident, read)

    async def period_report(self, call: Call[requests.PeriodQuery]) -> responses.ReportView | Text:
        """How soon incidents of a period were acknowledged and resolved, and which deadlines were kept."""
        length = duration(call.said.period)

        def read() -> responses.ReportView | Text:
            return _answer(self._records.period(length, self._clock()), call.said.format)

        return await self._queue.browse(read)

    async def drills(self, call: Call[requests.DrillsQuery]) -> responses.DrillsView | Text:
        """Live drills: who took part, when, how long they took."""
        length = duration(call.said.period)
        found, report = await self._queue.browse(self._records.drills, length, self._clock())
        if call.said.format == "json":
            return responses.DrillsView(drills=[show_drill(each) for each in found])
        return _text(report, call.said.format)


def _answer(report: Report, form: Format) -> responses.ReportView | Text:
    if form == "json":
        return responses.ReportView.model_validate_json(render(report, form))
    return _text(report, form)


def _text(report: Report, form: Format) -> Text:
    text = render(report, form)
    policy = f"default-src 'none'; style-src {style_hash()}; frame-ancestors 'none'; base-uri 'none'"
    return Text(text, CONTENT_TYPES[form], {"Content-Security-Policy": policy} if form == "html" else {})
