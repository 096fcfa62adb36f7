"""The operations of reporting obligations: deadlines and filings.

`routes` wires them beside `receiver.web.api.response_operations`. People file the reports; Tocsin records the filings.
"""

from receiver.clients.alert_payload import instant
from receiver.core.events import FileReport, JudgeObligation, WithdrawFiling
from receiver.core.model import Incident, Instant
from receiver.core.obligations import OwedReport, filing_ids, owed_or_filed
from receiver.core.response import Filing, Obligation
from receiver.messages.incident_text import IncidentText
from receiver.messages.notice_text import render_report
from receiver.messages.plain import line
from receiver.messages.times import rfc3339
from receiver.web.api import requests
from receiver.web.api.call import Call
from receiver.web.api.incident_operations import Api
from receiver.web.api.response_shapes import FilingView, ObligationsView, ObligationView, ReportStageView
from rules.placeholders import TemplateError
from rules.policy import ReportingObligation


class Obligations:
    """Handlers of reporting obligations."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def obligations(self, call: Call[requests.Nothing]) -> ObligationsView:
        """List an incident's reporting obligations with their deadlines and filings."""
        return await self._api.read(call.incident, self.show)

    async def file_report(self, call: Call[requests.FileReportBody]) -> ObligationsView:
        """Record that a report was filed, with its evidence."""
        said = call.said
        filed_at = instant(said.filed_at) if said.filed_at else None
        filing = FileReport(
            call.by(said.by),
            call.part,
            said.stage,
            line(said.reference, 1000),
            filed_at,
            line(said.file, 200),
            said.sha256.lower(),
            said.note,
        )
        await self._api.act(call, filing)
        return await self._api.read(call.incident, self.show)

    async def withdraw_filing(self, call: Call[requests.ReasonBody]) -> ObligationsView:
        """Say that a filing was recorded by mistake: its report is outstanding again."""
        await self._api.act(call, WithdrawFiling(call.by(call.said.by), call.part, call.said.reason))
        return await self._api.read(call.incident, self.show)

    async def judge_obligation(self, call: Call[requests.JudgeObligationBody]) -> ObligationsView:
        """Decide whether an obligation applies to an incident, with a reason."""
        said = call.said
        counted_from = instant(said.counted_from) if said.counted_from else None
        judged = JudgeObligation(call.by(said.by), call.part, said.applies, said.reason, counted_from)
        await self._api.act(call, judged)
        return await self._api.read(call.incident, self.show)

    def show(self, incident: Incident) -> ObligationsView:
        """An incident's obligations; call on the readers' thread."""
        context, now = self._api.context(incident), self._api.now()
        policy = context.policy_version.policy
        case = IncidentText(incident, context, now, "")
        owed: dict[str, list[ReportStageView]] = {each.name: [] for each in policy.reporting_obligations}
        for each in owed_or_filed(incident, policy):
            owed[each.obligation.name].append(_show_stage(each, case, now))
        known = incident.response.obligations
        return ObligationsView(
            obligations=[
                _show_obligation(each, known.get(each.name), owed[each.name]) for each in policy.reporting_obligations
            ]
        )


def _show_obligation(
    obligation: ReportingObligation, known: Obligation | None, stages: list[ReportStageView]
) -> ObligationView:
    return ObligationView(
        name=obligation.name,
        authority=obligation.authority,
        source=obligation.source,
        note=obligation.note,
        applies=known is not None and known.applies,
        since=rfc3339(known.since) if known else None,
        decided_by=known.by or None if known else None,
        reason=known.reason if known else "",
        decided_at=rfc3339(known.judged_at) if known and known.judged_at is not None else None,
        stages=stages,
    )


def _show_stage(owed: OwedReport, case: IncidentText, now: Instant) -> ReportStageView:
    try:
        text = render_report(owed, case)
    except TemplateError as error:
        text = f"The policy's text cannot be filled: {error}"
    return ReportStageView(
        stage=owed.stage.name,
        counted_from=owed.since,
        began_at=rfc3339(owed.began_at),
        due_at=rfc3339(owed.due_at),
        overdue=owed.is_owed and not owed.filings and owed.due_at < now,
        channel=owed.stage.channel,
        approver=owed.stage.approver,
        text=text,
        filings=[_show_filing(each, case.incident) for each in owed.filings],
        withdrawn=[_show_filing(each, case.incident) for each in owed.withdrawn],
    )


def _show_filing(filing: Filing, incident: Incident) -> FilingView:
    return FilingView(
        id=next(id_ for id_, each in filing_ids(incident).items() if each == filing),
        reference=filing.reference,
        filed_at=rfc3339(filing.filed_at),
        recorded_by=filing.by,
        recorded_at=rfc3339(filing.at),
        file=filing.file,
        sha256=filing.sha256,
        withdrawn_by=filing.withdrawn_by or None,
        withdrawn_at=rfc3339(filing.withdrawn_at) if filing.withdrawn_at is not None else None,
        withdrawn_why=filing.withdrawn_why,
    )
