"""docs/policy-reference.md: every key of a policy, from the document models."""

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from rules.document import PolicyDocument
from rules.document.framework_system import AlertSpec, SloSpec, SystemSpec, ThresholdSpec, WatchSpec
from rules.document.incident_response import ResponseSection
from rules.lint_catalog import DOUBTS
from rules.meaning import USUAL_WORDS
from rules.placeholders import PLACEHOLDERS

HEAD = """# Every key of a policy

Made from the models that check a policy (`python -m manual`; a test keeps it so). [Writing a policy](policy.md)
explains how the parts work together. Keys that begin with `x-` are free everywhere; any other key that is not here is
an error, with the nearest known one suggested.

"""
SYSTEMS = """
## Keys of a system configuration

A framework system configuration may lie beside the policy's files. What concerns Tocsin is compiled, everything else in
it is listed by `tocsin check -v` as not used. These are the parts that concern Tocsin:

"""
PARTS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("`system`", SystemSpec),
    ("`slos.NAME`", SloSpec),
    ("`safety_thresholds.NAME`", ThresholdSpec),
    (
        "an entry of `monitoring.rules`, `slo.alert_rules`, `slo.validation.rules` or any `alerts` with a condition",
        WatchSpec,
    ),
    ("an entry without a condition, in the same places", AlertSpec),
)
DURATION = "(?:(\\d+)y)?"
WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true, false"}


def page() -> str:
    """The whole page."""
    schema = PolicyDocument.model_json_schema()
    models = {"PolicyDocument": schema, **schema["$defs"]}
    places = dict(_places(models))
    sections = "\n".join(_section(name, models[name], places[name]) for name in places)
    systems = "\n".join(_section(model.__name__, model.model_json_schema(), [place]) for place, model in PARTS)
    return f"{HEAD}{sections}{SYSTEMS}{systems}{_words()}"


def _words() -> str:
    """The placeholders of templates, and the lints of `tocsin check`."""
    placeholders = "".join(f"| `{{{name}}}` | {_cell(what)} |\n" for name, what in PLACEHOLDERS.items())
    lints = "".join(f"| `{name}` | {each.severity} | {_cell(each.explanation)} |\n" for name, each in DOUBTS.items())
    severities = "".join(f"| {level} | {', '.join(words)} |\n" for level, words in _severities())
    return f"""
## Words of the label severity

What the label `severity` of alerts that Tocsin did not compile means, where the policy says nothing of the word.
Capitals, blanks and signs do not count (`SEV-1` is `sev1`). A number alone means nothing, because some count up and
others down: it is unknown, as every other word is, and unknown is `default_severity`, with a note on the incident.
Level 0: the alert is kept in the history and nobody is told.

| level | words |
|---|---|
{severities}
## Placeholders

| placeholder | what stands there |
|---|---|
{placeholders}
## Lints of tocsin check

| lint | severity | what it means |
|---|---|---|
{lints}"""


def _severities() -> Iterator[tuple[int, list[str]]]:
    """The default severity words by level, from the most severe to no notification."""
    for level in sorted(set(USUAL_WORDS.values()), reverse=True):
        yield level, [f"`{word}`" for word, number in USUAL_WORDS.items() if number == level]


def _places(models: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Every model of a policy with its paths, in the order of first mention."""
    found: dict[str, list[str]] = {"PolicyDocument": [""]}
    waiting = [("PolicyDocument", "")]
    for name, path in waiting:
        keys = dict(models[name]["properties"])
        if name == "PolicyDocument":
            keys["NAME_incident_response"] = {"$ref": f"#/$defs/{ResponseSection.__name__}"}
        for key, value in keys.items():
            for other, suffix in _references(value):
                place = f"{path}.{key}{suffix}".lstrip(".")
                if other not in found:
                    waiting.append((other, place))
                if f"`{place}`" not in found.setdefault(other, []):
                    found[other].append(f"`{place}`")
    yield from found.items()


def _references(value: dict[str, Any], suffix: str = "") -> Iterator[tuple[str, str]]:
    """(model, path suffix) of a key's value: ``[]`` in a list, ``.NAME`` in a mapping."""
    if "$ref" in value:
        yield value["$ref"].rpartition("/")[2], suffix
    for part in value.get("anyOf", ()):
        yield from _references(part, suffix)
    if "items" in value:
        yield from _references(value["items"], f"{suffix}[]")
    if value.get("type") == "object":
        yield from _references(_named(value), f"{suffix}.NAME")


def _named(value: dict[str, Any]) -> dict[str, Any]:
    """The schema of a mapping's values, whether or not its names have a pattern."""
    found: dict[str, Any] = value.get("additionalProperties") or next(iter(value["patternProperties"].values()))
    return found


def _section(name: str, model: dict[str, Any], places: list[str]) -> str:
    rows = "\n".join(_row(key, value, key in model.get("required", ())) for key, value in model["properties"].items())
    if name == "PolicyDocument":
        further = f"[{_title(ResponseSection.__name__)}](#{_anchor(ResponseSection.__name__)})"
        rows += f"\n| `NAME_incident_response` | {further} | | {_cell(ResponseSection.__doc__ or '')} |"
    about = " ".join(model["description"].split())
    where = f"Stands at: {', '.join(places)}.\n\n" if name != "PolicyDocument" else ""
    return f"## {_title(name)}\n\n{about}\n\n{where}| key | takes | left out | meaning |\n|---|---|---|---|\n{rows}\n"


def _row(key: str, value: dict[str, Any], required: bool) -> str:
    return f"| `{key}` | {_takes(value)} | {_default(value, required=required)} | {_cell(value['description'])} |"


def _cell(text: str) -> str:
    """Text for a table's cell, escaped so that it cannot end the cell or begin a tag."""
    return re.sub(r"<([^<>\s]+)>", r"`<\1>`", " ".join(text.split()).replace("|", "\\|"))


def _takes(value: dict[str, Any]) -> str:
    """The allowed values, as text."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[{_title(name)}](#{_anchor(name)})"
    if "anyOf" in value:
        if any(part.get("type") == "number" for part in value["anyOf"]):
            return "number"  # pydantic also accepts a Decimal as text
        return " or ".join(dict.fromkeys(_takes(part) for part in value["anyOf"] if part.get("type") != "null"))
    if "enum" in value or "const" in value:
        return ", ".join(f"`{each}`" for each in value.get("enum", [value.get("const")]))
    if value["type"] == "array":
        return f"list of {_takes(value['items'])}"
    if value["type"] == "object":
        return f"a mapping of names to: {_takes(_named(value))}"
    if value["type"] == "string" and DURATION in value.get("pattern", ""):
        return "duration (`15m`, `24h`, `1h30m`)"
    return WORDS[value["type"]] + _bounds(value)


def _bounds(value: dict[str, Any]) -> str:
    if "maximum" in value:
        return f", {value.get('minimum', 0)} to {value['maximum']}"
    if "minimum" in value:
        return f", {value['minimum']} at least"
    return f", such as `{value['examples'][0]}`" if "examples" in value else ""


def _default(value: dict[str, Any], *, required: bool) -> str:
    """The value of an omitted key; empty if the description states it."""
    if required:
        return "**needed**"
    default = value.get("default")
    if default in (None, "", [], {}):
        return ""
    if "15m" in str(value) and isinstance(default, int):
        return f"{default // 1_000_000} s"
    return f"`{str(default).lower()}`" if isinstance(default, bool) else f"`{default}`"


def _title(name: str) -> str:
    """A model's name as words: AlertChannel is an alert channel."""
    if name == "PolicyDocument":
        return "The top of a policy"
    words = re.findall(
        r"[A-Z][a-z]*", name.removesuffix("Spec") + ("Entry" if name in ("WatchSpec", "AlertSpec") else "")
    )
    return " ".join(words).capitalize().replace("Slo", "SLO")


def _anchor(name: str) -> str:
    return _title(name).lower().replace(" ", "-")
