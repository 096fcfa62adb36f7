"""The text of one notification for every medium."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from receiver.core.model import Instant

SMS_PARTS = 2
"""SMS parts of a message; more only where the incident's name and the way to answer do not fit."""
SHORT_LIMIT = 306
"""Maximum characters of two SMS."""

PICTURE_ID = "signals@tocsin"
"""Content-ID of the picture in the HTML form: ``cid:signals@tocsin``."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture sent with the text."""

    png: bytes
    words: str
    """Description of what it shows."""


@dataclass(frozen=True, slots=True)
class Message:
    """The text of one notification for every medium; each channel takes what it can show.

    All parts are safe as plain text: no control characters, no marks that change the text direction, each cut to a
    maximum length. Each channel escapes its own markup.
    """

    subject: str
    """One line without control characters. Constant for an incident: its number and system, not its state."""
    text: str
    """Plain text, several lines."""
    html: str
    """A complete HTML document, for mail."""
    short: str
    """For SMS: the most important facts and how to acknowledge, in SMS_PARTS parts."""
    speech: str
    """For phone calls: plain sentences."""
    headline: str
    """For chat: one line without markup with the incident's name and state."""
    facts: Sequence[tuple[str, str]]
    """For chat: (label, value), most important first."""
    paragraphs: Sequence[str]
    """For chat: further plain text blocks (the level's meaning, the policy's text …)."""
    links: Sequence[tuple[str, str]]
    """(label, URL): the incident's page, the runbook."""
    level: int
    severity: str
    """PagerDuty's word for the level: critical, error, warning, info."""
    lead: str = ""
    """Why this message is sent now: one or two sentences."""
    live: bool = True
    """The incident still needs action: channels show buttons."""
    asks_reader: bool = True
    """Its reader is one of the responders. Other readers get no link or button to acknowledge with."""
    wants_sign_off: bool = False
    """The incident is resolved and waits for a second person's signature before it closes."""
    count: int = 1
    """Number of incidents in the message; more than one: a bundle."""
    level_name: str = ""
    system: str = ""
    """The system the incident is about; empty: no label names it."""
    actions: Sequence[str] = ()
    """The first actions, in order."""
    labels: Sequence[tuple[str, str]] = ()
    """(name, value) of the labels that people chose."""
    acknowledge: str = ""
    """URL at which the reader may acknowledge without logging in; empty: none."""
    answer_token: str = ""
    """Token with which an answer names this message: in the address of a reply, on a button
    (`receiver.web.auth.message_tokens`); empty: no such answer is offered."""
    command: str = ""
    """Shell command to answer with, for media without buttons."""
    instants: Mapping[str, Instant] = field(default_factory=dict)
    """The times that the text names, by their text (``12:17 UTC``), for media that know their reader's zone."""
    unfilled: str = ""
    """Why Tocsin's own text replaces the policy's template; empty: it does not."""
    firing: Mapping[str, Any] = field(default_factory=dict)
    """For machines: what fires now (`receiver.messages.now_firing.NowFiring.document`); empty for a bundle."""
    picture: Picture | None = None
    """For mail and Slack; `html` shows it as PICTURE_ID."""
