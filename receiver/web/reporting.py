"""The API's reports: of one incident and of a period, as JSON, Markdown or a page that prints well."""

from receiver.core.model import Incident
from receiver.desk import Desk
from receiver.records import Records
from receiver.reports import Format, Report, render
from receiver.reports.rendering import CONTENT_TYPES, style_hash
from receiver.web import bodies, shapes
from receiver.web.api import Api
from receiver.web.call import Call, Text
from rules.durations import parse as duration

TEXTS = (CONTENT_TYPES["md"], CONTENT_TYPES["html"])


class Reporter:
    """The handlers."""

    def __init__(self, api: Api, desk: Desk, records: Records) -> None:
        self._api = api
        self._desk = desk
        self._records = records

    async def incident_report(self, call: Call[bodies.ReportQuery]) -> shapes.ReportView | Text:
        """What happened, why, what was done about it and what follows."""

        def read(incident: Incident) -> Report:
            return self._records.incident(incident, self._desk.clock())

        return _answer(await self._api.read(call.incident, read), call.said.format)

    async def period_report(self, call: Call[bodies.PeriodQuery]) -> shapes.ReportView | Text:
        """How soon incidents of a period were acknowledged and resolved, and which deadlines were kept."""
        length = duration(call.said.period)
        report = await self._desk.read(self._records.period, length, self._desk.clock())
        return _answer(report, call.said.format)


def _answer(report: Report, form: Format) -> shapes.ReportView | Text:
    text = render(report, form)
    if form == "json":
        return shapes.ReportView.model_validate_json(text)
    policy = f"default-src 'none'; style-src {style_hash()}; frame-ancestors 'none'; base-uri 'none'"
    return Text(text, CONTENT_TYPES[form], {"Content-Security-Policy": policy} if form == "html" else {})
