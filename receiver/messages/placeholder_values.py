"""What stands where a policy's templates have a placeholder, and how it gets there.

`{placeholder}` is filled by a list of names, never by str.format (whose fields reach attributes); Jinja2 runs in a
process of its own (`rules.rendering`): filling it blocks, so it is never done on the event loop. What goes wrong comes
back as TemplateError, so that a page goes out all the same.
"""

import re
from collections.abc import Callable, Mapping

from receiver.messages.incident_text import IncidentText, name
from receiver.messages.plain import line, plain
from receiver.messages.times import duration, stamp
from rules.placeholders import PLACEHOLDERS, UNKNOWN, kind
from rules.policy import TimedActions
from rules.rendering import OUTPUT_LIMIT, fill_jinja

_PLACEHOLDER = re.compile(r"\{(" + "|".join(PLACEHOLDERS) + r")\}")
_BULLET = re.compile(r"[ \t]*[-*] ")

Value = str | tuple[str, ...]
"""Words, or several points."""


def values(text: IncidentText) -> dict[str, Value]:
    """Every placeholder's value; what responders entered under its name goes before what we can tell."""
    told = {name: make(text) for name, make in _MAKERS.items()}
    entered = {name: fact for name in PLACEHOLDERS if (fact := text.fact(name))}
    return {name: entered.get(name) or told.get(name) or UNKNOWN for name in PLACEHOLDERS}


def fill(text: str, filling: Mapping[str, Value]) -> str:
    """A template's text with its placeholders filled. Raises TemplateError if it cannot be."""
    if kind(text) == "braces":
        return plain(_fill_braces(text, filling), OUTPUT_LIMIT)
    joined = {name: value if isinstance(value, str) else "; ".join(value) for name, value in filling.items()}
    return plain(fill_jinja(text, joined), OUTPUT_LIMIT)


def _fill_braces(text: str, filling: Mapping[str, Value]) -> str:
    return "\n".join(_fill_line(part, filling) for part in text.split("\n"))


def _fill_line(text: str, filling: Mapping[str, Value]) -> str:
    """One line. Several points behind a bullet become as many bullets."""
    bullet = _BULLET.match(text)

    def put(found: re.Match[str]) -> str:
        value = filling[found[1]]
        if isinstance(value, str):
            return value
        alone = bullet and found.start() == bullet.end() and found.end() == len(text.rstrip())
        return f"\n{bullet[0]}".join(value) if bullet and alone else "; ".join(value)

    return _PLACEHOLDER.sub(put, text)


def _contact(text: IncidentText) -> str:
    return line(text.policy.contact_information) or text.page_url or text.owner


def _next_steps(text: IncidentText) -> Value:
    """What is still to do, by the state it is in."""
    if text.live and text.incident.recovery:
        return (f"{text.recovery[0].upper()}{text.recovery[1:]}",)
    return text.next_steps if text.live else _after(text)


def _verification(text: IncidentText) -> str:
    incident = text.incident
    if text.live:
        return text.recovery
    if incident.is_firing:
        return "not verified: alerts still fire"
    if incident.resolved_by:
        return f"confirmed by {name(incident.resolved_by)}"
    if incident.recovered_at is not None:
        return f"the signal recovered at {stamp(incident.recovered_at)} and stayed recovered"
    return ""


def _after(text: IncidentText) -> Value:
    """The post-incident actions of the policy, each block with its duration."""
    return tuple(f"{_block(block)}: {'; '.join(map(line, block.actions))}" for block in text.policy.post_incident)


def _block(block: TimedActions) -> str:
    said = line(block.description or block.name)
    return f"{said} for {duration(block.duration)}" if block.duration else said


_MAKERS: Mapping[str, Callable[[IncidentText], Value]] = {
    "contact_information": _contact,
    "current_impact": lambda text: text.current_impact,
    "fix_status": lambda text: "applied" if text.fact("fix_description") else "",
    "impact_description": lambda text: text.impact,
    "incident_duration": lambda text: text.lasted,
    "incident_id": lambda text: text.number,
    "incident_type": lambda text: text.type,
    "investigation_status": lambda text: "root cause found" if text.fact("root_cause") else "",
    "next_steps": _next_steps,
    "post_incident_actions": _after,
    "resolution_time": lambda text: stamp(text.incident.resolved_at) if text.incident.resolved_at else "",
    "severity": lambda text: line(text.level.name),
    "status": lambda text: text.incident.state.value,
    "timestamp": lambda text: stamp(text.now),
    "update_interval": lambda text: duration(text.plan.update_interval),
    "verification_status": _verification,
}
"""How a placeholder is told; the others only responders can know."""
