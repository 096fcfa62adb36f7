"""The API's table: every operation once. `receiver.web.app` serves it, `receiver.web.openapi` describes it."""

from typing import Any

from receiver.settings import Role
from receiver.web import bodies, response_shapes, shapes
from receiver.web.api import Api
from receiver.web.call import Endpoint
from receiver.web.heartbeats import HeartbeatsApi
from receiver.web.noticing import Noticing
from receiver.web.reporting import TEXTS, Reporter
from receiver.web.responding import Responding

ROOT = "/api/v1"


def endpoints(api: Api, reporter: Reporter, heartbeats: HeartbeatsApi) -> tuple[Endpoint[Any], ...]:
    """Every operation of the API; paths are relative to ROOT."""
    work, notes = Responding(api), Noticing(api)
    told, follow_ups, approver = response_shapes.NoticesView, response_shapes.FollowUpsView, Role.APPROVER
    view, responder = Role.VIEWER, Role.RESPONDER
    one, incident = "/incidents/{incident}", shapes.IncidentView
    return (
        Endpoint("GET", "/incidents", view, bodies.ListQuery, shapes.IncidentsView, api.list),
        Endpoint("POST", "/incidents", responder, bodies.DeclareBody, incident, api.declare, status=201),
        Endpoint(
            "POST",
            "/incidents/acknowledge",
            responder,
            bodies.AcknowledgeSeveralBody,
            shapes.TakenView,
            api.acknowledge_several,
        ),
        Endpoint("GET", one, view, bodies.Nothing, incident, api.show),
        Endpoint("PATCH", one, responder, bodies.ChangeBody, incident, api.change),
        Endpoint("POST", f"{one}/acknowledge", responder, bodies.AcknowledgeBody, incident, api.acknowledge),
        Endpoint("POST", f"{one}/resolve", responder, bodies.ResolveBody, incident, api.resolve),
        Endpoint("POST", f"{one}/escalate", responder, bodies.EscalateBody, incident, api.escalate),
        Endpoint("POST", f"{one}/notes", responder, bodies.TextBody, incident, api.note),
        Endpoint("POST", f"{one}/updates", responder, bodies.TextBody, incident, api.update),
        Endpoint("POST", f"{one}/replan", responder, bodies.ReplanBody, incident, api.replan),
        Endpoint("GET", f"{one}/timeline", view, bodies.PageQuery, shapes.TimelineView, api.timeline),
        Endpoint("GET", f"{one}/notifications", view, bodies.PageQuery, shapes.NotificationsView, api.notifications),
        Endpoint("GET", f"{one}/alerts", view, bodies.AlertsQuery, shapes.AlertsView, api.alerts),
        Endpoint("POST", f"{one}/handover", responder, bodies.HandoverBody, incident, work.hand_over),
        Endpoint("PUT", f"{one}/roles/{{role}}", responder, bodies.AssignBody, incident, work.assign),
        Endpoint("GET", f"{one}/checklists", view, bodies.Nothing, response_shapes.ChecklistsView, work.checklists),
        Endpoint("PUT", f"{one}/steps/{{step}}", responder, bodies.TickBody, response_shapes.ChecklistsView, work.tick),
        Endpoint(
            "GET", f"{one}/report", view, bodies.ReportQuery, shapes.ReportView, reporter.incident_report, also=TEXTS
        ),
        Endpoint("GET", f"{one}/test", view, bodies.Nothing, shapes.AsTestView, reporter.as_test),
        Endpoint("GET", "/report", view, bodies.PeriodQuery, shapes.ReportView, reporter.period_report, also=TEXTS),
        Endpoint("GET", "/drills", view, bodies.DrillsQuery, shapes.DrillsView, reporter.drills, also=TEXTS),
        Endpoint("GET", f"{one}/notices", view, bodies.Nothing, told, notes.notices),
        Endpoint("POST", f"{one}/notices/{{notice}}/approve", approver, bodies.ApproveBody, told, notes.approve),
        Endpoint("POST", f"{one}/notices/{{notice}}/reject", approver, bodies.RejectBody, told, notes.reject),
        Endpoint("GET", f"{one}/follow-ups", view, bodies.Nothing, follow_ups, notes.follow_ups),
        Endpoint("POST", f"{one}/follow-ups", responder, bodies.FollowUpBody, follow_ups, notes.add_follow_up, 201),
        Endpoint(
            "POST",
            f"{one}/follow-ups/{{action}}/done",
            responder,
            bodies.RejectBody,
            follow_ups,
            notes.finish,
        ),
        Endpoint("GET", "/heartbeats", view, bodies.Nothing, shapes.HeartbeatsView, heartbeats.list),
        Endpoint(
            "POST",
            "/heartbeats/{heartbeat}/retire",
            responder,
            bodies.RetireBody,
            shapes.HeartbeatsView,
            heartbeats.retire,
        ),
        Endpoint("GET", "/policy", view, bodies.Nothing, shapes.PolicyView, api.policy),
    )
