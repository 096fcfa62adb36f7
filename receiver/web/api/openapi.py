"""`/api/v1/openapi.json`: the API described, generated from the table of endpoints and their models.

What stands beside the table (webhook, health, metrics, reload) is described in `receiver.web.api.other_operations`.
Pages and providers' callbacks are no API and not described.
"""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from receiver import __doc__ as about
from receiver.settings import Role
from receiver.web.api.call import IDEMPOTENCY_LIMIT, Endpoint
from receiver.web.api.other_operations import PROBLEM, SCHEMES, beside, refusals, security
from receiver.web.api.routes import ROOT

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "maxLength": IDEMPOTENCY_LIMIT},
    "description": "The same key opens one incident, however often it is sent",
}


def describe(endpoints: Sequence[Endpoint[Any]], version: str, external_url: str | None = None) -> dict[str, Any]:
    """The OpenAPI 3.1 document. `external_url`: where its paths begin; None: where the document was got."""
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
        "paths": {**paths, **beside()},
        "components": {"schemas": {**schemas.get("$defs", {}), "Problem": PROBLEM}, "securitySchemes": SCHEMES},
        "security": security(Role.VIEWER),
    }


def _operation(endpoint: Endpoint[Any], refs: Any) -> dict[str, Any]:
    name, reads = endpoint.run.__name__, endpoint.method == "GET"
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": (endpoint.run.__doc__ or "").strip(),
        "description": f"Needs the role {endpoint.role.name.lower()}.",
        "security": security(endpoint.role),
        "parameters": _path_parameters(endpoint.path),
        "responses": {
            str(endpoint.status): {
                "description": "Found" if reads else "Done",
                "content": {
                    "application/json": {"schema": refs[endpoint.gives, "serialization"]},
                    **{each: {"schema": {"type": "string"}} for each in endpoint.also},
                },
            },
            **refusals(*_refused(endpoint)),
        },
    }
    if reads:
        operation["parameters"] += _query_parameters(endpoint.takes)
    else:
        content = {"application/json": {"schema": refs[endpoint.takes, "validation"]}}
        operation["requestBody"] = {"content": content, "required": not _may_be_silent(endpoint.takes)}
    if name == "declare":
        operation["parameters"].append(IDEMPOTENCY_KEY)
    return operation


def _refused(endpoint: Endpoint[Any]) -> list[int]:
    """The statuses that an operation may refuse with."""
    statuses = [400, 401, 403, 503]
    if "{" in endpoint.path:
        statuses += [404, 409]
    if endpoint.method != "GET":
        statuses += [409, 413, 500]
    return sorted(set(statuses))


def _may_be_silent(model: type[BaseModel]) -> bool:
    """Whether a body of that kind may say nothing."""
    schema = model.model_json_schema()
    return not schema.get("required") and not schema.get("anyOf")


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
    """A parameter's schema: left out is left out, so null is no choice and needs no default."""
    options = [each for each in part.get("anyOf", []) if each.get("type") != "null"]
    merged = {**part, **options[0]} if len(options) == 1 else part
    return {name: value for name, value in merged.items() if name not in {"title", "anyOf", "default"}}
