"""As much of JSON Schema as the policy's schema uses: what an editor would complain of."""

import re
from collections.abc import Iterator
from typing import Any

TYPES = {"string": str, "object": dict, "array": list, "boolean": bool, "null": type(None)}
KNOWN = frozenset(
    [
        "$ref",
        "$defs",
        "$schema",
        "title",
        "description",
        "default",
        "examples",
        "type",
        "enum",
        "const",
        "anyOf",
        "properties",
        "patternProperties",
        "additionalProperties",
        "required",
        "minItems",
        "propertyNames",
        "items",
        "minLength",
        "maxLength",
        "pattern",
        "minimum",
        "maximum",
    ]
)


def complaints(schema: dict[str, Any], value: Any, root: dict[str, Any], at: str = "") -> Iterator[str]:
    """Where the value does not fit, and why."""
    assert set(schema) <= KNOWN, f"this validator does not know {set(schema) - KNOWN}"
    if "$ref" in schema:
        yield from complaints(root["$defs"][schema["$ref"].rpartition("/")[2]], value, root, at)
    if "anyOf" in schema:
        tried = [list(complaints(each, value, root, at)) for each in schema["anyOf"]]
        if all(tried):
            yield from min(tried, key=len)
    if not _has_type(schema.get("type"), value):
        yield f"{at}: {value!r} is no {schema['type']}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is none of {schema['enum']}"
    if not _within(schema, value):
        yield f"{at}: {value} is out of bounds"
    if isinstance(value, str):
        yield from _text(schema, value, at)
    elif isinstance(value, dict):
        yield from _mapping(schema, value, root, at)
    elif isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            yield f"{at}: is too short"
        for index, each in enumerate(value):
            yield from complaints(schema.get("items", {}), each, root, f"{at}[{index}]")


def _within(schema: dict[str, Any], value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return True
    return schema.get("minimum", value) <= value <= schema.get("maximum", value)


def _has_type(wanted: str | None, value: Any) -> bool:
    if wanted is None:
        return True
    if wanted in ("integer", "number"):
        return isinstance(value, int if wanted == "integer" else int | float) and not isinstance(value, bool)
    return isinstance(value, TYPES[wanted])


def _text(schema: dict[str, Any], value: str, at: str) -> Iterator[str]:
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{at}: {value!r} does not match"
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        yield f"{at}: {value!r} is too short or too long"


def _mapping(schema: dict[str, Any], value: dict[str, Any], root: dict[str, Any], at: str) -> Iterator[str]:
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{at}: needs {name}"
    for name, each in value.items():
        fitting = [part for pattern, part in schema.get("patternProperties", {}).items() if re.search(pattern, name)]
        if name in schema.get("properties", {}):
            fitting.append(schema["properties"][name])
        if "propertyNames" in schema:
            yield from complaints(schema["propertyNames"], name, root, f"{at}.{name}")
        more = schema.get("additionalProperties", True)
        if not fitting and more is False:
            yield f"{at}.{name}: unknown"
        elif not fitting and isinstance(more, dict):
            fitting.append(more)
        for part in fitting:
            yield from complaints(part, each, root, f"{at}.{name}")
