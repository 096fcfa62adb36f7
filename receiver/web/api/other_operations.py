"""What the OpenAPI document says beside the table of endpoints: refusals, who may, and the paths outside the API.

`receiver.web.api.openapi` puts it into the document. A test holds each path against the application's own routes.
"""

from typing import Any

from receiver.settings import Role
from receiver.web.api.routes import ROOT
from receiver.web.auth.sessions import COOKIE, CSRF_HEADER, SECURE_COOKIE
from receiver.web.http.problem_details import PROBLEM as PROBLEM_TYPE

PROBLEM = {
    "type": "object",
    "description": "RFC 9457",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong, for a person"},
        "state": {"type": "string", "description": "409: the state that is true now"},
        "incident": {"$ref": "#/components/schemas/IncidentView", "description": "409: the incident as it is now"},
        "errors": {
            "type": "array",
            "description": "400: what is wrong where",
            "items": {
                "type": "object",
                "properties": {"where": {"type": "string"}, "what": {"type": "string"}},
                "required": ["where", "what"],
            },
        },
        "problems": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Reload: what is wrong in the policy",
        },
    },
    "required": ["type", "title", "status", "detail"],
}

SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "An API token"},
    "basic": {"type": "http", "scheme": "basic", "description": "An API token as the password, with any user"},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": f"Begun at /login ({SECURE_COOKIE} where people come by https); "
        f"each change needs {CSRF_HEADER} as well",
    },
    "webhook": {"type": "http", "scheme": "bearer", "description": "TOCSIN_WEBHOOK_TOKEN, where it is set"},
    "webhook-basic": {"type": "http", "scheme": "basic", "description": "The same as the password, with any user"},
}

REFUSALS = {
    400: "The query or the body is not what it should be",
    401: "No token, or one that nobody has",
    403: "The role does not allow it, or a page of another site asks",
    404: "There is no such incident, or no such part of it",
    409: "Refused: the state is another by now, or does not allow it",
    413: "The body is too large",
    500: "Something could not be stored; the log says why",
    503: "The database is unavailable; whether it was done is not known",
}


def refusals(*statuses: int) -> dict[str, Any]:
    """The responses for these statuses: problem documents."""
    content = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {str(status): {"description": REFUSALS[status], "content": content} for status in statuses}


def security(role: Role) -> list[dict[str, list[str]]]:
    """The ways to come, each with the role that is needed."""
    return [{scheme: [role.name.lower()]} for scheme in ("token", "basic", "session")]


def beside() -> dict[str, dict[str, Any]]:
    """The paths that are not in the table."""
    webhook = {"post": _webhook("receive")}
    return {
        "/webhook/alertmanager": webhook,
        "/webhook/alertmanager/": {"post": _webhook("receive_with_slash")},
        "/-/healthy": {"get": _said("say_healthy", "Whether the process answers", "text/plain")},
        "/-/ready": {
            "get": _said("say_ready", "Whether it can take alerts and keep its word about them", "text/plain")
            | {"responses": {"200": _text("It can"), "503": _text("It cannot: the reasons, a line each")}}
        },
        "/-/reload": {"post": _reload("reload"), "put": _reload("reload_by_put")},
        "/metrics": {"get": _said("expose", "Metrics for Prometheus", "text/plain")},
        f"{ROOT}/openapi.json": {
            "get": {
                "operationId": "openapi",
                "summary": "This document",
                "responses": {
                    "200": {"description": "It", "content": {"application/json": {"schema": {"type": "object"}}}},
                    **refusals(401, 403),
                },
            }
        },
    }


def _text(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"text/plain": {"schema": {"type": "string"}}}}


def _said(name: str, summary: str, content_type: str) -> dict[str, Any]:
    content = {content_type: {"schema": {"type": "string"}}}
    responses = {"200": {"description": summary, "content": content}}
    return {"operationId": name, "summary": summary, "security": [], "responses": responses}


def _reload(name: str) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": "Read the policy again; one with problems is refused, and the one in use stays",
        "security": security(Role.ADMIN),
        "responses": {"200": {"description": "Read"}, **refusals(401, 403, 500, 503)},
    }


def _webhook(name: str) -> dict[str, Any]:
    """Alertmanager's webhook, version 4. Other senders' bodies are repaired, so little is demanded of them."""
    alert = {
        "description": "As Alertmanager writes it: an object with labels, status, startsAt, and, where there are any, "
        "annotations, endsAt, fingerprint, generatorURL; Grafana's values and valueString. What does not fit is "
        "repaired; without labels it is unreadable",
        "examples": [
            {
                "status": "firing",
                "labels": {"alertname": "DiskFull", "severity": "warning"},
                "annotations": {"summary": "disk full"},
                "startsAt": "2026-11-23T02:28:11.821Z",
                "endsAt": "0001-01-01T00:00:00Z",
            }
        ],
    }
    body = {
        "type": "object",
        "properties": {
            "alerts": {"type": "array", "items": alert},
            "groupLabels": {"description": "An object of texts: what the alerts were grouped by"},
            "truncatedAlerts": {"description": "How many alerts were left out"},
        },
        "required": ["alerts"],
    }
    unread = {
        "type": "object",
        "properties": {"index": {"type": "integer"}, "reason": {"type": "string"}},
        "required": ["index", "reason"],
        "description": "An alert of which nothing could be made: its place in the body's list, from 0, and why",
    }
    answer = {
        "type": "object",
        "properties": {
            "incidents": {"type": "array", "items": {"type": "integer"}},
            "unreadable": {"type": "array", "items": unread},
        },
        "required": ["incidents"],
    }
    source = {"description": "Tells several Alertmanagers apart that send alike alerts; of several, the first counts"}
    return {
        "operationId": name,
        "summary": "Alertmanager's webhook: 200 once everything is stored",
        "security": [{"webhook": []}, {"webhook-basic": []}],
        "parameters": [{"name": "source", "in": "query", "schema": source, "allowEmptyValue": True}],
        "requestBody": {"content": {"application/json": {"schema": body}}, "required": True},
        "responses": {
            "200": {
                "description": "The incidents' numbers, and what could not be read",
                "content": {"application/json": {"schema": answer}},
            },
            **refusals(400, 401, 403, 413, 500, 503),
        },
    }
