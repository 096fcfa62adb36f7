"""What people read: from an incident and a policy's templates to words, in one place."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """The words of one notification, for every medium; each channel takes what it can show."""

    subject: str
    """One line, no control characters."""
    text: str
    """Plain text, several lines."""
    html: str
    """A complete HTML document, for mail."""
    short: str
    """For SMS: at most 300 characters, the essence and how to acknowledge."""
    speech: str
    """For phone: plain sentences."""
    headline: str
    """For chat: one line without markup."""
    facts: Sequence[tuple[str, str]]
    """For chat: (label, value), most important first."""
    paragraphs: Sequence[str]
    """For chat: further plain text blocks (next actions, a note …)."""
    links: Sequence[tuple[str, str]]
    """(label, URL): the incident's page, the runbook."""
    level: int
    severity: str
    """PagerDuty's word for the level: critical, error, warning, info."""
