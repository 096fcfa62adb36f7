"""`/api/v1/openapi.json`: the API description, generated from the table of endpoints and their models.

Operations outside the table (webhook, health, metrics, reload) are described by hand; pages and provider callbacks are
not described.
"""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.json_schema import models_json_schema

from receiver import __doc__ as about
from receiver.clients.alert_payload import AlertDocument, WebhookDocument
from receiver.settings import Role
from receiver.web.api.call import IDEMPOTENCY_LIMIT, Endpoint
from receiver.web.api.routes import ROOT
from receiver.web.auth.sessions import COOKIE, CSRF_HEADER, SECURE_COOKIE
from receiver.web.http.problem_details import PROBLEM
from receiver.web.http.uploads import FORM as UPLOAD_FORM

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "maxLength": IDEMPOTENCY_LIMIT},
    "description": "The same key opens one incident, however often it is sent",
}

PROBLEM_SCHEMA = {
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

FILE = {"type": "string", "contentMediaType": "application/octet-stream", "minLength": 1}

REFUSALS = {
    400: "The query or the body is not what it should be",
    401: "No API token, or an unknown one",
    403: "The role does not allow it, or a page of another site asks",
    404: "There is no such incident, or no such part of it",
    409: "Refused: the state is another by now, or does not allow it",
    410: "The content of the file was removed",
    413: "The body is too large",
    415: "The body is no form with a file",
    500: "Something could not be stored; the log says why",
    503: "The database is unavailable; whether it was done is not known",
    507: "The database's disk has too little room left",
}


def describe(endpoints: Sequence[Endpoint[Any]], version: str, external_url: str | None = None) -> dict[str, Any]:
    """The OpenAPI 3.1 document. `external_url`: base of its paths; None: relative to the document's own URL."""
    models = {(each.takes, "validation"): None for each in endpoints} | {
        (each.gives, "serialization"): None for each in endpoints
    }
    refs, schemas = models_json_schema(list(models), ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, refs)
        paths.setdefault(ROOT + endpoint.path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tocsin", "version": version, "description": (about or "").strip()},
        **({"servers": [{"url": external_url}]} if external_url else {}),
        "paths": {**paths, **_other_operations()},
        "components": {"schemas": {**schemas.get("$defs", {}), "Problem": PROBLEM_SCHEMA}, "securitySchemes": SCHEMES},
        "security": _security(Role.VIEWER),
    }


def _operation(endpoint: Endpoint[Any], refs: Any) -> dict[str, Any]:
    name, reads = endpoint.run.__name__, endpoint.method == "GET"
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": (endpoint.run.__doc__ or "").strip(),
        "description": f"Needs the role {endpoint.role.name.lower()}.",
        "security": _security(endpoint.role),
        "parameters": _path_parameters(endpoint.path),
        "responses": {
            str(endpoint.status): {
                "description": "Found" if reads else "Done",
                "content": _answers(endpoint, refs),
            },
            **_refusals(*_refused(endpoint)),
        },
    }
    if reads:
        operation["parameters"] += _query_parameters(endpoint.takes)
    else:
        required = endpoint.takes_file or not _may_be_silent(endpoint.takes)
        operation["requestBody"] = {"content": _asks(endpoint, refs), "required": required}
    if name == "declare":
        operation["parameters"].append(IDEMPOTENCY_KEY)
    return operation


def _answers(endpoint: Endpoint[Any], refs: Any) -> dict[str, Any]:
    """An operation's response schemas, by content type."""
    if endpoint.gives_file:
        return {"application/octet-stream": {"schema": FILE}}
    return {
        "application/json": {"schema": refs[endpoint.gives, "serialization"]},
        **{each: {"schema": {"type": "string"}} for each in endpoint.also},
    }


def _asks(endpoint: Endpoint[Any], refs: Any) -> dict[str, Any]:
    """An operation's body schemas, by content type."""
    said = refs[endpoint.takes, "validation"]
    if not endpoint.takes_file:
        return {"application/json": {"schema": said}}
    properties = {**endpoint.takes.model_json_schema()["properties"], "file": FILE}
    form = {"type": "object", "properties": properties, "required": ["file"], "additionalProperties": False}
    return {UPLOAD_FORM: {"schema": form}}


def _refused(endpoint: Endpoint[Any]) -> list[int]:
    """The error statuses of an operation."""
    statuses = [400, 401, 403, 503]
    if "{" in endpoint.path:
        statuses += [404, 409]
    if endpoint.gives_file:
        statuses += [410, 500]
    if endpoint.takes_file:
        statuses += [415, 507]
    if endpoint.method != "GET":
        statuses += [409, 413, 500]
    return sorted(set(statuses))


def _may_be_silent(model: type[BaseModel]) -> bool:
    """Whether an empty body is valid."""
    try:
        model.model_validate({})
    except ValidationError:
        return False
    return True


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string"},
            "description": "An incident's id, or its number"
            if name == "incident"
            else "As the incident's lists name it",
        }
        for name in re.findall(r"\{(\w+)\}", path)
    ]


def _query_parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    properties = model.model_json_schema().get("properties", {})
    return [
        {"name": name, "in": "query", "schema": _plain(part), "allowEmptyValue": True}
        for name, part in properties.items()
    ]


def _plain(part: dict[str, Any]) -> dict[str, Any]:
    """A parameter's schema without null and default: an optional parameter is left out instead."""
    options = [each for each in part.get("anyOf", []) if each.get("type") != "null"]
    merged = {**part, **options[0]} if len(options) == 1 else part
    return {name: value for name, value in merged.items() if name not in {"title", "anyOf", "default"}}


def _refusals(*statuses: int) -> dict[str, Any]:
    """Problem responses for these statuses."""
    content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {str(status): {"description": REFUSALS[status], "content": content} for status in statuses}


def _security(role: Role) -> list[dict[str, list[str]]]:
    """The accepted authentication schemes, each with the required role."""
    return [{scheme: [role.name.lower()]} for scheme in ("token", "basic", "session")]


def _other_operations() -> dict[str, dict[str, Any]]:
    """The paths that are not in the table. A test compares them with the application's routes."""
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
                    "200": {
                        "description": "The OpenAPI document",
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    },
                    **_refusals(401, 403),
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
        "security": _security(Role.ADMIN),
        "responses": {"200": {"description": "Read"}, **_refusals(401, 403, 500, 503)},
    }


def _webhook(name: str) -> dict[str, Any]:
    """Alertmanager's webhook, version 4. The schema requires only the list `alerts`, since other fields are repaired.

    Field descriptions come from the reader's types (`receiver.clients.alert_payload`).
    """
    alert = {
        "description": "As Alertmanager writes it. What does not fit is repaired",
        "properties": _read(AlertDocument),
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
        "properties": {**_read(WebhookDocument), "alerts": {"type": "array", "items": alert}},
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
            **_refusals(400, 401, 403, 413, 500, 503),
        },
    }


def _read(document: Any) -> dict[str, Any]:
    """The fields of a typed dictionary with descriptions only: no types, none required."""
    properties = TypeAdapter(document).json_schema()["properties"]
    return {name: {"description": part.get("description", "")} for name, part in properties.items()}
