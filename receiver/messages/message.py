"""The words of one notification, ready for every medium."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from receiver.core.model import Instant

SMS_PARTS = 2
"""SMS that a message takes; more only where which incident it is, and how to answer, do not fit."""
SHORT_LIMIT = 306
"""Characters of two SMS, at most."""

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
    """One line, no control characters. Of one incident always the same: its number and system, and nothing of how it
    stands."""
    text: str
    """Plain text, several lines."""
    html: str
    """A complete HTML document, for mail."""
    short: str
    """For SMS: the essence and how to acknowledge, in SMS_PARTS parts."""
    speech: str
    """For phone: plain sentences."""
    headline: str
    """For chat: one line without markup that says which incident it is and how it stands."""
    facts: Sequence[tuple[str, str]]
    """For chat: (label, value), most important first."""
    paragraphs: Sequence[str]
    """For chat: further plain text blocks (what the level means, the policy's text …)."""
    links: Sequence[tuple[str, str]]
    """(label, URL): the incident's page, the runbook."""
    level: int
    severity: str
    """PagerDuty's word for the level: critical, error, warning, info."""
    lead: str = ""
    """Why this message comes now: a sentence or two."""
    live: bool = True
    """Somebody still has to act: buttons make sense."""
    asks_reader: bool = True
    """Its reader is one of those who are to answer. Who is only told gets nothing to acknowledge with."""
    wants_sign_off: bool = False
    """It is resolved, and waits for a second person's signature before it closes."""
    count: int = 1
    """How many incidents it tells of; more than one: a bundle."""
    level_name: str = ""
    system: str = ""
    """What it is about; empty: no label names it."""
    actions: Sequence[str] = ()
    """What to do first, in order."""
    labels: Sequence[tuple[str, str]] = ()
    """(name, value) of the labels that people chose."""
    acknowledge: str = ""
    """Where whoever reads it may acknowledge without logging in; empty: nowhere."""
    command: str = ""
    """How to answer from a shell, for where there is no button."""
    instants: Mapping[str, Instant] = field(default_factory=dict)
    """The times that the words tell, as they stand there (``12:17 UTC``), for media that know their reader's zone."""
    unfilled: str = ""
    """Why Tocsin's own words stand where the policy's template was due; empty: they do not."""
    firing: Mapping[str, Any] = field(default_factory=dict)
    """For machines: what fires now (`receiver.messages.now_firing.NowFiring.document`); of a bundle nothing."""
    picture: Picture | None = None
    """For mail and Slack; where there is one, `html` shows it as PICTURE_ID."""
