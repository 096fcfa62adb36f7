"""The values of the placeholders of a policy's templates, and how they are filled in.

`{placeholder}` is replaced by name, not with str.format, whose fields reach attributes. Jinja2 runs in a process of its
own (`rules.rendering`); filling blocks, so it never runs on the event loop. Errors are raised as TemplateError, so that
the caller can send the page without the template.
"""

import re
from collections.abc import Callable, Mapping

from receiver.core.model import Instant
from receiver.messages.incident_text import IncidentText, name
from receiver.messages.plain import line, plain
from rules.placeholders import PLACEHOLDERS, UNKNOWN, kind
from rules.policy import TimedActions
from rules.rendering import OUTPUT_LIMIT, fill_jinja

_PLACEHOLDER = re.compile(r"\{(" + "|".join(PLACEHOLDERS) + r")\}")
_BULLET = re.compile(r"[ \t]*[-*] ")

_IMPACTS = frozenset({"current_impact", "impact_description"})
"""If either is entered, both are filled with the same impact as the facts beside the template."""

Value = str | tuple[str, ...]
"""Text, or several points."""


def values(case: IncidentText, event_at: Instant | None = None) -> dict[str, Value]:
    """Returns the value of every placeholder; a value that responders entered under its name has precedence.

    `event_at`: when the event that the template reports happened; None: now.
    """
    told = {name: make(case) for name, make in _MAKERS.items()}
    if event_at is not None:
        told["timestamp"] = case.stamp(event_at)
    entered = {name: fact for name in PLACEHOLDERS if name not in _IMPACTS and (fact := case.fact(name))}
    return {name: entered.get(name) or told.get(name) or UNKNOWN for name in PLACEHOLDERS}


def fill(text: str, filling: Mapping[str, Value]) -> str:
    """Returns the template's text with its placeholders filled. Raises TemplateError."""
    if kind(text) == "braces":
        return plain(_fill_braces(text, filling), OUTPUT_LIMIT)
    joined = {name: value if isinstance(value, str) else "; ".join(value) for name, value in filling.items()}
    return plain(fill_jinja(text, joined), OUTPUT_LIMIT)


def _fill_braces(text: str, filling: Mapping[str, Value]) -> str:
    return "\n".join(_fill_line(part, filling) for part in text.split("\n"))


def _fill_line(text: str, filling: Mapping[str, Value]) -> str:
    """Fills one line. Several points in a bullet become one bullet each."""
    bullet = _BULLET.match(text)

    def put(found: re.Match[str]) -> str:
        value = filling[found[1]]
        if isinstance(value, str):
            return value
        alone = bullet and found.start() == bullet.end() and found.end() == len(text.rstrip())
        return f"\n{bullet[0]}".join(value) if bullet and alone else "; ".join(value)

    return _PLACEHOLDER.sub(put, text)


def _next_steps(case: IncidentText) -> Value:
    if case.live and case.incident.recovery:
        return (f"{case.recovery[0].upper()}{case.recovery[1:]}",)
    return case.next_steps if case.live else _after(case)


def verification(case: IncidentText, stamp: Callable[[Instant], str]) -> str:
    """Returns how the recovery was verified; empty: unknown. `stamp`: formats an instant."""
    incident = case.incident
    if case.live:
        return case.recovery
    if incident.is_firing:
        return "not verified: alerts still fire"
    if incident.resolved_by:
        return f"confirmed by {name(incident.resolved_by)}"
    if incident.recovered_at is not None:
        return f"the signal recovered at {stamp(incident.recovered_at)} and stayed recovered"
    return ""


def _after(case: IncidentText) -> Value:
    """Returns the policy's post-incident actions, each block with its duration."""
    return tuple(actions_told(block, case) for block in case.policy.post_incident)


def actions_told(block: TimedActions, case: IncidentText) -> str:
    """Returns a block of the policy in one line: description, duration, actions."""
    said = line(block.description or block.name)
    lasting = f" for {case.as_set(block.duration)}" if block.duration else ""
    return f"{said}{lasting}: {'; '.join(map(line, block.actions))}"


_MAKERS: Mapping[str, Callable[[IncidentText], Value]] = {
    "contact_information": lambda case: line(case.policy.contact_information),
    "current_impact": lambda case: case.impact,
    "fix_status": lambda case: "applied" if case.fact("fix_description") else "",
    "impact_description": lambda case: case.impact,
    "incident_duration": lambda case: case.lasted,
    "incident_id": lambda case: case.number,
    "incident_type": lambda case: case.type,
    "investigation_status": lambda case: "root cause found" if case.fact("root_cause") else "",
    "next_steps": _next_steps,
    "next_update": lambda case: case.next_update,
    "post_incident_actions": _after,
    "resolution_time": lambda case: case.stamp(case.incident.resolved_at) if case.incident.resolved_at else "",
    "severity": lambda case: line(case.level.name),
    "status": lambda case: case.incident.state.value,
    "timestamp": lambda case: case.stamp(case.now),
    "update_interval": lambda case: case.as_set(case.plan.update_interval),
    "verification_status": lambda case: verification(case, case.stamp),
}
"""Functions that derive a placeholder's value. The other placeholders are known only from responders."""
