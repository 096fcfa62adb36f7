"""The report operations: of one incident and of a period, as JSON, Markdown or printable HTML."""

from collections.abc import Callable

from receiver.core.events import ApproveReport
from receiver.core.model import Incident, Instant
from receiver.drill.from_incident import recall
from receiver.drill.tabletop import tabletop
from receiver.engine.queue import CommandQueue
from receiver.reports import Format, Report, render
from receiver.reports.queries import Records
from receiver.reports.render import CONTENT_TYPES, content_hash, freeze, style_hash
from receiver.web.api import requests, responses
from receiver.web.api.call import Call, Text
from receiver.web.api.incident_operations import Api
from receiver.web.api.views import show_drill, show_trained
from receiver.web.http.problem_details import HttpProblem
from rules.durations import parse as duration

TEXTS = (CONTENT_TYPES["md"], CONTENT_TYPES["html"])


class Reporter:
    """Handlers of reports and drills."""

    def __init__(self, api: Api, queue: CommandQueue, records: Records, clock: Callable[[], Instant]) -> None:
        self._api = api
        self._queue = queue
        self._records = records
        self._clock = clock

    async def incident_report(self, call: Call[requests.ReportQuery]) -> responses.ReportView | Text:
        """Get an incident's report: what happened, causes, actions and follow-ups."""

        def read(incident: Incident) -> responses.ReportView | Text:
            found = self._find(incident, call.caller.name, call.said.version)
            return _answer(found, call.said.format, f"/incidents/{incident.number}")

        return await self._api.browse(call.incident, read)

    async def approve_report(self, call: Call[requests.ApproveReportBody]) -> responses.ReportView:
        """Approve the report as it was read; that version never changes."""
        said, by = call.said, call.by(call.said.by)
        draft = await self._api.browse(call.incident, lambda found: self._draft(found, said.hash))
        await self._api.act(
            call,
            ApproveReport(
                by=by,
                version=draft.version,
                sha256=said.hash,
                prepared_by=said.prepared_by or by,
                audit_head=draft.cover.audit_head,
                document=freeze(draft),
            ),
        )
        return await self._api.browse(call.incident, lambda found: _view(self._find(found, by, draft.version)))

    def _draft(self, incident: Incident, read: str) -> Report:
        """The report to approve.

        Raises HttpProblem 409 if it is approved already, or differs from what the approver read.
        """
        found = self._find(incident, "", None)
        if found.cover.approved_by:
            told = f"version {found.version} of the report is approved already, and nothing has changed since"
            raise HttpProblem(409, told)
        if content_hash(found) != read:
            raise HttpProblem(409, "the report reads differently by now: read it again, and approve its SHA-256")
        return found

    def _find(self, incident: Incident, by: str, version: int | None) -> Report:
        """The report in that version (None: the current one). Raises HttpProblem 404."""
        try:
            return self._records.incident(incident, self._clock(), by, version)
        except KeyError:
            raise HttpProblem(404, f"the incident's report has no version {version}") from None

    async def as_test(self, call: Call[requests.Nothing]) -> responses.AsTestView:
        """Get an incident as a drill script and promtool unit tests, for regression tests of the policy."""

        def read(incident: Incident) -> responses.AsTestView:
            record = self._records.record(incident, self._clock())
            recalled = recall(record)
            return responses.AsTestView(files=recalled.files, notes=list(recalled.notes), tabletop=tabletop(record))

        return await self._api.browse(call.incident, read)

    async def period_report(self, call: Call[requests.PeriodQuery]) -> responses.ReportView | Text:
        """Get a period's report: times to acknowledge and resolve, kept and missed deadlines."""
        length = duration(call.said.period)

        def read() -> responses.ReportView | Text:
            found = self._records.period(length, self._clock(), call.caller.name)
            return _answer(found, call.said.format, f"/history/report?period={call.said.period}")

        return await self._queue.browse(read)

    async def drills(self, call: Call[requests.DrillsQuery]) -> responses.DrillsView | Text:
        """List live drills with participants, dates and durations."""
        length = duration(call.said.period)
        now = self._clock()
        found, report = await self._queue.browse(self._records.drills, length, now, call.caller.name)
        if call.said.format == "json":
            trained = [show_trained(each, now) for each in self._records.trained(found)]
            return responses.DrillsView(drills=[show_drill(each) for each in found], trained=trained)
        return _text(report, call.said.format, f"/history/drills?period={call.said.period}")


def _answer(report: Report, form: Format, back: str) -> responses.ReportView | Text:
    """`back`: path of the report's console page."""
    return _view(report) if form == "json" else _text(report, form, back)


def _view(report: Report) -> responses.ReportView:
    return responses.ReportView.model_validate_json(render(report, "json"))


def _text(report: Report, form: Format, back: str) -> Text:
    text = render(report, form, back=back)
    if form != "html":
        return Text(text, CONTENT_TYPES[form], {})
    policy = f"default-src 'none'; style-src {style_hash(text)}; frame-ancestors 'none'; base-uri 'none'"
    return Text(text, CONTENT_TYPES[form], {"Content-Security-Policy": policy})
