"""`/incidents/{number}/report`: the report's summary, its versions, and the button that approves the next version.

The button carries the SHA-256 of the shown report: a report that has changed since is not approved.
"""

from aiohttp import web

from receiver.core.model import Incident
from receiver.core.response import ApprovedReport
from receiver.reports.queries import Records
from receiver.reports.render import content_hash
from receiver.reports.report import Report
from receiver.settings import Role
from receiver.web.api.incident_operations import Api
from receiver.web.console.pages import Frame, Visit


class ReportPage:
    """Handler of an incident report's page."""

    def __init__(self, frame: Frame, api: Api, records: Records) -> None:
        self._frame = frame
        self._api = api
        self._records = records

    async def show(self, visit: Visit) -> web.Response:
        """Shows the current report and the approved versions."""

        def read(incident: Incident) -> tuple[Report, tuple[ApprovedReport, ...]]:
            return self._records.incident(incident, visit.now, visit.caller.name), incident.response.reports

        name = visit.request.match_info["incident"]
        report, approved = await self._api.browse(name, read)
        return self._frame.page(
            visit,
            "report.html",
            number=int(name),
            report=report,
            sha256=content_hash(report),
            approved=approved,
            may_approve=visit.caller.role >= Role.APPROVER,
        )
