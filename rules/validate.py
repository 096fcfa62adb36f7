"""Validates a merged policy with the document models, and locates the errors.

Called by `rules.load`. pydantic gives the error and its path; this module makes a Problem at the line and column of the
key or value, with a message for the policy's author.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rules.document import GUIDE_SECTIONS, PolicyDocument, is_section
from rules.document.incident_response import IncidentResponse, ResponseSection
from rules.document.values import ALLOWED, Vocabulary, nearest, suggest
from rules.nodes import Mark, Node, Step, render
from rules.policy import Place
from rules.problems import Problem
from rules.source import Sources

FRAMEWORK_ALERTS = (
    "; the ways to reach people are `incident_response: {alert_channels: …}`, and the framework's own `alerts:` stand "
    "in a file with its `system:`"
)
"""The hint about a top-level `alerts:`."""

Model = TypeVar("Model", bound=BaseModel)

_WORDS = {
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "decimal_type": "must be a number",
    "decimal_parsing": "must be a number",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
}


def validate(model: type[Model], node: Node, vocabulary: Vocabulary, sources: Sources, where: str = "") -> Model | None:
    """The model of a tree; None if it is invalid, with the reasons in `sources.problems`.

    `where` names the tree in messages.
    """
    try:
        return model.model_validate(without_free_keys(node.plain()), context=vocabulary)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        wrong = [each["loc"] for each in details]
        sources.problems += [
            _problem(model, node, part, sources, where)
            for each in details
            if not (each["type"] == "too_short" and any(_is_inside(loc, each["loc"]) for loc in wrong))
            for part in _apart(each)
        ]
        return None


def _apart(error: ErrorDetails) -> Iterator[ErrorDetails]:
    """Split the faults that `rules.document.values.refuse_all` combined."""
    yield error
    for context in error.get("ctx", {}).get("more", ()):
        yield {**error, "ctx": context}


def _is_inside(loc: tuple[int | str, ...], of: tuple[int | str, ...]) -> bool:
    """Whether a path is below another: an element that is itself wrong does not count in its list."""
    return len(loc) > len(of) and loc[: len(of)] == of


def unknown_sections(node: Node) -> Iterator[Problem]:
    """The top-level keys that are not sections."""
    known = {*PolicyDocument.model_fields, *GUIDE_SECTIONS}
    for key, mark in node.keys.items():
        if not is_section(key) and not key.startswith("x-"):
            hint = suggest(key, known) or "; keys of your own begin with `x-`"
            if key in IncidentResponse.model_fields:
                hint = "; it stands in `incident_response:`"
            hint = FRAMEWORK_ALERTS if key == "alerts" else hint
            yield Problem(*mark, f"unknown section `{key}`{hint}")


def without_free_keys(value: Any) -> Any:
    """Plain data without the keys that begin with ``x-``."""
    if isinstance(value, dict):
        return {key: without_free_keys(entry) for key, entry in value.items() if not key.startswith("x-")}
    if isinstance(value, list):
        return [without_free_keys(item) for item in value]
    return value


def locate(node: Node, steps: Sequence[Step]) -> tuple[Node, Mark, tuple[Step, ...]]:
    """The deepest node on the path `steps`, the mark of its key (or its own), and the part of the path followed."""
    mark = node.mark
    for depth, step in enumerate(steps):
        child = node.child(step)
        if child is None:
            return node, mark, tuple(steps[:depth])
        mark = node.keys[step] if isinstance(step, str) else child.mark
        node = child
    return node, mark, tuple(steps)


def place_of(node: Node, *steps: Step) -> Place:
    """The position of the value at the end of the path: its key's, or the list item's."""
    _, mark, _ = locate(node, steps)
    return Place(mark.path, mark.line, mark.column, render(steps))


def _problem(model: type[BaseModel], root: Node, error: ErrorDetails, sources: Sources, where: str) -> Problem:
    context, kind = error.get("ctx", {}), error["type"]
    steps = (*error["loc"], *((context["key"],) if "key" in context else ()), *context.get("way", ()))
    node, mark, reached = locate(root, steps)
    if kind == "missing":
        inside = ".".join(part for part in (where, render(reached)) if part) or "this"
        return Problem(*(node.mark if isinstance(node.value, dict) else mark), f"{inside} needs `{steps[-1]}`")
    if kind == "extra_forbidden":
        holder = _model_at(model, steps[:-1])
        known = holder.model_fields if holder else ()
        return Problem(*mark, f"unknown key `{steps[-1]}`{suggest(str(steps[-1]), known)}")
    if steps[-1:] == ("[key]",):
        # pydantic reports an invalid key at (…, key, "[key]").
        key = str(steps[-2])
        return Problem(*mark, f"`{key}`: {_words(error, Node(mark, key, key))}")
    name = render(reached[-2:] if reached and isinstance(reached[-1], int) else reached[-1:]) or where or "this"
    if len(reached) < len(steps):
        name, point = f"`{steps[-1]}`", mark
    elif kind == "policy":
        point = _point(node, context, sources)
    else:
        point = mark if isinstance(node.value, dict | list) else node.mark
    return Problem(*point, f"{name}: {_words(error, node)}")


def _words(error: ErrorDetails, node: Node) -> str:
    context = error.get("ctx", {})
    kind = error["type"]
    if kind == "policy":
        return str(context["message"])
    if node.value is None and kind != "missing":
        return "is empty (an unquoted # begins a comment)"
    if kind == "string_type" and not isinstance(node.value, dict | list):
        return f'must be text: write "{node.raw}" with quotes'
    if kind in {"string_too_short", "too_short"}:
        return "must not be empty"
    if kind in {"list_type", "tuple_type"}:
        hint = "put it in [ ]" if isinstance(node.value, dict) else f"write [{node.raw}]"
        return f"{_WORDS[kind]}, not {node.kind}: {hint}"
    if kind in _WORDS:
        return f"{_WORDS[kind]}, not {node.kind}"
    if kind == "literal_error":
        known = re.findall(r"'([^']*)'", str(context["expected"]))
        near = nearest(str(node.value), known)
        hint = f"; did you mean `{near}`?" if near else ""
        return f"must be {context['expected']}, not {node.kind}{hint}"
    if kind == "string_pattern_mismatch":
        return f"{node.kind} is not {ALLOWED.get(context['pattern'], 'of the allowed form')}"
    message = error["msg"]
    return message[:1].lower() + message[1:]


def _point(node: Node, context: dict[str, Any], sources: Sources) -> Mark:
    """The position inside a value that an error refers to: an offset, a line, or a word."""
    path, line, column = node.mark
    if "find" in context and (found := word_in(node, context["find"], sources)) != node.mark:
        return found
    if "line" in context and node.style in ("|", ">"):
        return Mark(path, line + context["line"], 1)
    if "offset" in context and isinstance(node.value, str):
        # The offset is a column only if the file has the text literally (no escapes, no folding).
        start = column - 1 + (1 if node.style in ("'", '"') else 0)
        before = node.value[: context["offset"]]
        if sources.line(path, line)[start:].startswith(before):
            return Mark(path, line, start + len(before) + 1)
    return node.mark


def word_in(node: Node, word: str, sources: Sources) -> Mark:
    """The position of a word in a value; the value's beginning if the file does not have the text literally."""
    path, line, column = node.mark
    for number in range(line, node.end_line + 1):
        at = sources.line(path, number).find(word, column - 1 if number == line else 0)
        if at >= 0:
            return Mark(path, number, at + 1)
    return node.mark


def _model_at(model: Any, steps: Sequence[Step]) -> type[BaseModel] | None:
    """The model that pydantic used at a path."""
    for step in steps:
        if isinstance(model, type) and issubclass(model, BaseModel):
            field = model.model_fields.get(str(step))
            model = field.annotation if field else ResponseSection
        else:
            model = _item(model)
        model = _item(model) if get_origin(model) is not None and type(None) in get_args(model) else model
    return model if isinstance(model, type) and issubclass(model, BaseModel) else None


def _item(annotation: Any) -> Any:
    """The element type of an Optional, a tuple or a dict."""
    kinds = [each for each in get_args(annotation) if each not in (type(None), ..., str)]
    return kinds[-1] if kinds else None
