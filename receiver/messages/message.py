"""The words of one notification, ready for every medium."""

from collections.abc import Sequence
from dataclasses import dataclass

SHORT_LIMIT = 300
"""Characters of `Message.short`."""


PICTURE_ID = "signals@tocsin"
"""What the HTML form calls its picture: ``cid:signals@tocsin``."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that goes with the words."""

    png: bytes
    words: str
    """What it shows."""


@dataclass(frozen=True, slots=True)
class Message:
    """The words of one notification, for every medium; each channel takes what it can show.

    Nothing in it can do harm as plain text: no control characters, no marks that turn text around, every part
    cut to a length. What a medium takes for markup is that channel's to escape.
    """

    subject: str
    """One line, no control characters."""
    text: str
    """Plain text, several lines."""
    html: str
    """A complete HTML document, for mail."""
    short: str
    """For SMS: at most SHORT_LIMIT characters, the essence and how to acknowledge."""
    speech: str
    """For phone: plain sentences."""
    headline: str
    """For chat: one line without markup that says which incident it is and how it stands."""
    facts: Sequence[tuple[str, str]]
    """For chat: (label, value), most important first."""
    paragraphs: Sequence[str]
    """For chat: further plain text blocks (next actions, a note …)."""
    links: Sequence[tuple[str, str]]
    """(label, URL): the incident's page, the runbook."""
    level: int
    severity: str
    """PagerDuty's word for the level: critical, error, warning, info."""
    lead: str = ""
    """Why this message comes now: a sentence or two."""
    live: bool = True
    """Somebody still has to act: buttons make sense."""
    count: int = 1
    """How many incidents it tells of; more than one: a bundle."""
    unfilled: str = ""
    """Why Tocsin's own words stand where the policy's template was due; empty: they do not."""
    picture: Picture | None = None
    """For mail and Slack; where there is one, `html` shows it as PICTURE_ID."""
