"""The API's table: every operation once. `receiver.web.app` serves it, `receiver.web.api.openapi` describes it."""

from typing import Any

from receiver.settings import Role
from receiver.web.api import requests, response_shapes, responses
from receiver.web.api.call import Endpoint
from receiver.web.api.evidence_operations import Custody
from receiver.web.api.heartbeat_clocks import HeartbeatsApi
from receiver.web.api.incident_operations import Api
from receiver.web.api.incident_reports import TEXTS, Reporter
from receiver.web.api.obligation_operations import Obligations
from receiver.web.api.response_operations import Responding
from receiver.web.api.rosters import OnCallApi

ROOT = "/api/v1"


def endpoints(
    api: Api, reporter: Reporter, heartbeats: HeartbeatsApi, on_call: OnCallApi, custody: Custody
) -> tuple[Endpoint[Any], ...]:
    """Every operation of the API; paths are relative to ROOT."""
    work, obligations, owed = Responding(api), Obligations(api), response_shapes.ObligationsView
    told, follow_ups, approver = response_shapes.NoticesView, response_shapes.FollowUpsView, Role.APPROVER
    view, responder = Role.VIEWER, Role.RESPONDER
    one, incident = "/incidents/{incident}", responses.IncidentView
    evidence = response_shapes.EvidenceView
    return (
        Endpoint("GET", "/incidents", view, requests.ListQuery, responses.IncidentsView, api.list),
        Endpoint("POST", "/incidents", responder, requests.DeclareBody, incident, api.declare, status=201),
        Endpoint(
            "POST",
            "/incidents/acknowledge",
            responder,
            requests.AcknowledgeSeveralBody,
            responses.TakenView,
            api.acknowledge_several,
        ),
        Endpoint("GET", one, view, requests.Nothing, incident, api.show),
        Endpoint("PATCH", one, responder, requests.ChangeBody, incident, api.change),
        Endpoint("POST", f"{one}/acknowledge", responder, requests.AcknowledgeBody, incident, api.acknowledge),
        Endpoint("POST", f"{one}/resolve", responder, requests.ResolveBody, incident, api.resolve),
        Endpoint("POST", f"{one}/sign-off", approver, requests.SignOffBody, incident, api.sign_off),
        Endpoint("POST", f"{one}/close", approver, requests.CloseBody, incident, api.close),
        Endpoint("POST", f"{one}/escalate", responder, requests.EscalateBody, incident, api.escalate),
        Endpoint("POST", f"{one}/withdraw", responder, requests.WithdrawBody, incident, api.withdraw),
        Endpoint("POST", f"{one}/give-back", responder, requests.GiveBackBody, incident, api.give_back),
        Endpoint("POST", f"{one}/undo", responder, requests.UndoBody, incident, api.undo),
        Endpoint("POST", f"{one}/notes", responder, requests.TextBody, incident, api.note),
        Endpoint("POST", f"{one}/updates", responder, requests.TextBody, incident, api.update),
        Endpoint("POST", f"{one}/replan", responder, requests.ReplanBody, incident, api.replan),
        Endpoint("GET", f"{one}/similar", view, requests.Nothing, responses.SimilarIncidentsView, api.similar),
        Endpoint("GET", f"{one}/related", view, requests.Nothing, responses.RelatedIncidentsView, api.related),
        Endpoint("GET", f"{one}/timeline", view, requests.PageQuery, responses.TimelineView, api.timeline),
        Endpoint(
            "GET", f"{one}/notifications", view, requests.PageQuery, responses.NotificationsView, api.notifications
        ),
        Endpoint("GET", f"{one}/alerts", view, requests.AlertsQuery, responses.AlertsView, api.alerts),
        Endpoint("POST", f"{one}/handover", responder, requests.HandoverBody, incident, work.hand_over),
        Endpoint("PUT", f"{one}/roles/{{role}}", responder, requests.AssignBody, incident, work.assign),
        Endpoint("GET", f"{one}/checklists", view, requests.Nothing, response_shapes.ChecklistsView, work.checklists),
        Endpoint(
            "PUT", f"{one}/steps/{{step}}", responder, requests.TickBody, response_shapes.ChecklistsView, work.tick
        ),
        Endpoint(
            "GET",
            f"{one}/report",
            view,
            requests.ReportQuery,
            responses.ReportView,
            reporter.incident_report,
            also=TEXTS,
        ),
        Endpoint(
            "POST",
            f"{one}/report/approve",
            approver,
            requests.ApproveReportBody,
            responses.ReportView,
            reporter.approve_report,
        ),
        Endpoint("GET", f"{one}/test", view, requests.Nothing, responses.AsTestView, reporter.as_test),
        Endpoint(
            "GET", "/report", view, requests.PeriodQuery, responses.ReportView, reporter.period_report, also=TEXTS
        ),
        Endpoint("GET", "/drills", view, requests.DrillsQuery, responses.DrillsView, reporter.drills, also=TEXTS),
        Endpoint("GET", f"{one}/notices", view, requests.Nothing, told, work.notices),
        Endpoint("POST", f"{one}/notices/{{notice}}/approve", approver, requests.ApproveBody, told, work.approve),
        Endpoint("PUT", f"{one}/notices/{{notice}}", responder, requests.EditNoticeBody, told, work.edit_notice),
        Endpoint("POST", f"{one}/notices/{{notice}}/reject", approver, requests.RejectBody, told, work.reject),
        Endpoint("GET", f"{one}/follow-ups", view, requests.Nothing, follow_ups, work.follow_ups),
        Endpoint("POST", f"{one}/follow-ups", responder, requests.FollowUpBody, follow_ups, work.add_follow_up, 201),
        Endpoint(
            "POST",
            f"{one}/follow-ups/{{action}}/done",
            responder,
            requests.RejectBody,
            follow_ups,
            work.finish,
        ),
        Endpoint("GET", f"{one}/obligations", view, requests.Nothing, owed, obligations.obligations),
        Endpoint(
            "PUT",
            f"{one}/obligations/{{obligation}}",
            approver,
            requests.JudgeObligationBody,
            owed,
            obligations.judge_obligation,
        ),
        Endpoint(
            "POST",
            f"{one}/obligations/{{obligation}}/filings",
            responder,
            requests.FileReportBody,
            owed,
            obligations.file_report,
            201,
        ),
        Endpoint(
            "POST",
            f"{one}/filings/{{filing}}/withdraw",
            responder,
            requests.ReasonBody,
            owed,
            obligations.withdraw_filing,
        ),
        Endpoint("GET", f"{one}/evidence", view, requests.Nothing, evidence, custody.evidence),
        Endpoint(
            "POST",
            f"{one}/evidence",
            responder,
            requests.AttachFileBody,
            evidence,
            custody.attach_file,
            201,
            takes_file=True,
        ),
        Endpoint(
            "GET",
            f"{one}/evidence/{{file}}",
            view,
            requests.Nothing,
            evidence,
            custody.evidence_file,
            gives_file=True,
        ),
        Endpoint(
            "POST",
            f"{one}/evidence/{{file}}/redact",
            Role.ADMIN,
            requests.ReasonBody,
            evidence,
            custody.redact_file,
        ),
        Endpoint("POST", f"{one}/holds", approver, requests.ReasonBody, evidence, custody.place_hold, 201),
        Endpoint(
            "POST", f"{one}/holds/{{hold}}/release", approver, requests.ReasonBody, evidence, custody.release_hold
        ),
        Endpoint("GET", "/heartbeats", view, requests.Nothing, responses.HeartbeatsView, heartbeats.list),
        Endpoint(
            "POST",
            "/heartbeats/{heartbeat}/retire",
            responder,
            requests.RetireBody,
            responses.HeartbeatsView,
            heartbeats.retire,
        ),
        Endpoint("GET", "/on-call", view, requests.Nothing, responses.OnCallView, on_call.on_call),
        Endpoint("GET", "/overrides", view, requests.Nothing, responses.OverridesView, on_call.list),
        Endpoint(
            "POST", "/overrides", responder, requests.OverrideBody, responses.OverridesView, on_call.make, status=201
        ),
        Endpoint(
            "POST",
            "/overrides/{override}/cancel",
            responder,
            requests.CancelOverrideBody,
            responses.OverridesView,
            on_call.cancel,
        ),
        Endpoint("GET", "/policy", view, requests.Nothing, responses.PolicyView, api.policy),
    )
