"""Fills every Jinja2 template of a policy for sample incidents when the policy is loaded.

A template that fails or exceeds the limits of `rules.rendering` is refused with its line, because during an incident
Tocsin's default text would replace it. Texts in braces need no trial, because they execute nothing.
"""

from collections.abc import Iterator, Mapping

from rules.nodes import Node
from rules.placeholders import PLACEHOLDERS, UNKNOWN, TemplateError, kind
from rules.policy import Place, Policy
from rules.problems import Problem
from rules.rendering import CHECKED_SECONDS, fill_jinja
from rules.validate import place_of

SECTIONS = ("initial_alert_template", "status_update_template", "resolution_template")
PARTS = ("subject", "body")
STATES = ("open", "acknowledged", "resolved", "closed")
LONG = "A pump lost pressure; the standby pump has taken over. " * 40
"""A long text by a responder."""


def find(policy: Policy, root: Node) -> Iterator[Problem]:
    """The first fault of each template."""
    filled = list(samples(policy))
    for way, node in _texts(root):
        if isinstance(node.value, str) and kind(node.value) == "jinja":
            error = _first_error(node.value, filled)
            if error is not None:
                yield Problem.at(_place(root, node, way, error.line), f"this template fails: {error}")


def _texts(root: Node) -> Iterator[tuple[tuple[str | int, ...], Node]]:
    """(path, node) of every text: the policy's own, and those of its groups."""
    groups = root.child("stakeholder_notification")
    parents: list[tuple[tuple[str | int, ...], Node]] = [((), root)]
    parents += [(("stakeholder_notification", n), each) for n, each in enumerate(groups.items() if groups else ())]
    for way, parent in parents:
        for section in SECTIONS:
            template = parent.child(section)
            for part in PARTS if template is not None else ():
                node = template.child(part) if template is not None else None
                if node is not None:
                    yield (*way, section, part), node


def samples(policy: Policy) -> Iterator[Mapping[str, str]]:
    """Placeholder values for every state and level, with little known and with much."""
    for level in policy.levels:
        for state in STATES:
            for told in (UNKNOWN, LONG):
                yield dict.fromkeys(PLACEHOLDERS, told) | {
                    "incident_id": "#12",
                    "severity": level.name,
                    "status": state,
                    "timestamp": "2026-01-31 09:00 UTC",
                }


def _first_error(text: str, filled: list[Mapping[str, str]]) -> TemplateError | None:
    for sample in filled:
        try:
            fill_jinja(text, sample, CHECKED_SECONDS)
        except TemplateError as error:
            return error
    return None


def _place(root: Node, node: Node, way: tuple[str | int, ...], line: int) -> Place:
    """The line inside a block of lines; else the beginning of the text."""
    path, row, column = node.mark
    in_block = node.style in ("|", ">")
    return Place(path, row + line if in_block else row, 1 if in_block else column, place_of(root, *way).pointer)
