"""The placeholders of templates.

`rules.document` refuses templates with unknown placeholders (`rules.rendering.placeholders` finds them);
`receiver.messages` fills them. A text is either in braces (``{severity}``, the guide's form) or Jinja2 (``{{ severity
}}``), never both.
"""

from typing import Literal

PLACEHOLDERS: dict[str, str] = {
    "contact_information": "how to reach those who respond (policy: contact_information)",
    "current_impact": "the impact as told last, or the level's usual impact until it is assessed",
    "estimated_resolution_time": "when a responder expects it to be resolved",
    "fix_description": "which fix or workaround was applied",
    "fix_status": "how far the fix is",
    "impact_description": "the impact, or the level's usual impact until it is assessed",
    "incident_duration": "from the opening to the resolution, or to now",
    "incident_id": "the incident's number for people, such as #12",
    "incident_type": "what kind of incident it is",
    "investigation_status": "how far the investigation is",
    "lessons_learned": "what was learned",
    "next_steps": "the steps of the incident's procedures still to do; not told outside",
    "next_update": "when the next status update comes",
    "post_incident_actions": "what is done after the resolution; not told outside",
    "resolution_time": "when it was resolved",
    "root_cause": "the root cause, once a responder has written it",
    "severity": "the level's name",
    "status": "the incident's state: open, acknowledged, resolved or closed",
    "timestamp": "when it began; in a status update, when that was made; in a resolution, when it was resolved",
    "update_interval": "how often updates come",
    "verification_status": "whether the recovery is verified, and how",
}
"""Every placeholder of the guide's three templates and `next_update` → its meaning."""

INTERNAL = ("next_steps", "post_incident_actions")
"""Steps of procedures: external notices omit them unless a person has entered a text."""

UNKNOWN = "not yet known"
"""The text for a value that is not known."""


class TemplateError(ValueError):
    """An unreadable template; `line` (from 1 within the text) or `word` gives the position."""

    def __init__(self, message: str, line: int = 1, word: str = "") -> None:
        super().__init__(message)
        self.line, self.word = line, word


def kind(text: str) -> Literal["braces", "jinja"]:
    """The kind of a text: ``{{``, ``{%`` or ``{#`` anywhere makes it Jinja2."""
    return "jinja" if any(sign in text for sign in ("{{", "{%", "{#")) else "braces"
