"""`/api/v1/openapi.json`: the API described, generated from the table of endpoints and their models."""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from receiver import __doc__ as about
from receiver.web.call import Endpoint
from receiver.web.routes import ROOT

PROBLEM = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong, for a person"},
        "state": {"type": "string", "description": "409: the state that is true now"},
        "errors": {"type": "array", "items": {"type": "object"}, "description": "400: what is wrong where"},
    },
    "required": ["title", "status", "detail"],
}

REFUSALS = {
    "GET": {"400": "The query is wrong", "401": "No token, or an unknown one", "404": "No such incident"},
    "POST": {
        "400": "The body is wrong",
        "401": "No token, or an unknown one",
        "403": "The token's role does not allow it",
        "404": "No such incident",
        "409": "Refused: the state is another by now, or does not allow it",
        "503": "The database is unavailable; nothing was stored",
    },
}

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "maxLength": 200},
    "description": "The same key opens one incident, however often it is sent",
}


def describe(endpoints: Sequence[Endpoint[Any]], version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
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
        "paths": paths,
        "components": {
            "schemas": {**schemas.get("$defs", {}), "Problem": PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _operation(endpoint: Endpoint[Any], refs: Any) -> dict[str, Any]:
    name = endpoint.run.__name__
    summary = (endpoint.run.__doc__ or "").strip()
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "description": f"Needs the role {endpoint.role.name.lower()}.",
        "parameters": [*_path_parameters(endpoint.path)],
        "responses": {
            str(endpoint.status): {
                "description": "Done" if endpoint.method != "GET" else "Found",
                "content": {
                    "application/json": {"schema": refs[endpoint.gives, "serialization"]},
                    **{each: {"schema": {"type": "string"}} for each in endpoint.also},
                },
            },
            **_refusals(endpoint.method),
        },
    }
    if endpoint.method == "GET":
        operation["parameters"] += _query_parameters(endpoint.takes)
    else:
        content = {"application/json": {"schema": refs[endpoint.takes, "validation"]}}
        operation["requestBody"] = {"content": content, "required": name == "declare"}
    if name == "declare":
        operation["parameters"].append(IDEMPOTENCY_KEY)
    return operation


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
    return [{"name": name, "in": "query", "schema": _plain(part)} for name, part in properties.items()]


def _plain(part: dict[str, Any]) -> dict[str, Any]:
    """A parameter's schema: left out is left out, so null is no choice and needs no default."""
    options = [each for each in part.get("anyOf", []) if each.get("type") != "null"]
    merged = {**part, **options[0]} if len(options) == 1 else part
    return {name: value for name, value in merged.items() if name not in {"title", "anyOf", "default"}}


def _refusals(method: str) -> dict[str, Any]:
    known = REFUSALS["GET" if method == "GET" else "POST"]
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {"description": words, "content": {"application/problem+json": schema}}
        for status, words in known.items()
    }
