"""The layout of a message in Teams: an Adaptive Card, within Teams's limits.

Text from outside is in text runs, which Teams shows literally; in the values of facts, which are Markdown, formatting
characters are replaced by similar ones. The longest text is cut first, never the headline, the reason or the
acknowledge link.
"""

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from receiver.messages import Message
from receiver.messages.plain import cut

MOST = 20_000
"""Bytes of the whole body. Teams stores at most 28 kB of a card and adds to it: 24,453 bytes became 28,897."""
HEADLINE, TEXT, FACTS, FACT, LABELS = 300, 3000, 30, 500, 1500
"""Characters of the headline and of a paragraph, number of facts, characters of a fact's value and of all labels."""
LINKS, TITLE, LINK = 6, 60, 1500
"""Buttons under a card (Teams shows six), characters of a button's label and of an address."""

COLOURS = {1: "Default", 2: "Accent", 3: "Warning", 4: "Attention"}
"""Level → the headline's colour."""

Element = dict[str, Any]

_MARKDOWN = re.compile(r"(?<![A-Za-z0-9])_|[*`~\[\]]|^\s*[-+>#](?=\s)|(?<=^\d)\.(?=\s)", re.MULTILINE)
"""What Teams may read as formatting or a link."""
_ALIKE = str.maketrans("*_~`[]-+>#.", "\u2217\u02cd\u223c\u02cb\uff3b\uff3d\u2010\uff0b\u203a\uff03\u2024")
"""Similar characters without formatting."""


def as_body(message: Message) -> bytes:
    """Returns the card as the body of a request to the workflow."""
    first, second, *more = _body(message)
    actions = [_link(label, url) for label, url in _addresses(message)][:LINKS]
    whole = len(more)
    while len(written := _written([first, second, *more, *_left_out(whole - len(more))], actions)) > MOST and more:
        more.remove(max(more, key=lambda each: len(json.dumps(each))))
    return written


def _written(body: list[Element], actions: list[Element]) -> bytes:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",  # the newest version that every Teams client shows
        "msteams": {"width": "Full"},
        "body": body,
        **({"actions": actions} if actions else {}),
    }
    kind = "application/vnd.microsoft.card.adaptive"
    whole = {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": card}]}
    return json.dumps(whole, separators=(",", ":")).encode()


def _body(message: Message) -> list[Element]:
    """The headline and the reason come first and are never removed."""
    steps = "\n".join(f"{number}. {action}" for number, action in enumerate(message.actions, 1))
    labels = ", ".join(f"{name}={value}" for name, value in message.labels)
    command = "" if message.acknowledge else message.command
    told = (*message.paragraphs, labels and f"Labels: {cut(labels, LABELS)}", command)
    colour = COLOURS[message.level] if message.live else "Good"
    facts = [{"title": _literal(name), "value": _literal(cut(value, FACT))} for name, value in message.facts]
    return [
        _text(cut(message.headline, HEADLINE), size="Large", weight="Bolder", color=colour),
        _text(message.lead or message.subject),
        *([_text(f"First do this:\n{steps}", weight="Bolder")] if steps else ()),
        *([{"type": "FactSet", "facts": facts[:FACTS]}] if facts else ()),
        *(_text(each) for each in told if each),
    ]


def _left_out(count: int) -> list[Element]:
    return [_text("This message was too long for Teams; the incident's page has the rest.")] if count else []


def _text(words: str, **style: str) -> Element:
    """A paragraph with one run per line: Teams ignores line breaks within a run."""
    runs = ({"type": "TextRun", "text": line, **style} for line in cut(words, TEXT).splitlines())
    lines: list[Element] = [{"type": "RichTextBlock", "spacing": "None", "inlines": [run]} for run in runs]
    return {"type": "Container", "items": lines}


def _literal(text: str) -> str:
    return _MARKDOWN.sub(lambda found: found[0].translate(_ALIKE), text)


def _addresses(message: Message) -> Iterable[tuple[str, str]]:
    """(label, URL) of the buttons: acknowledge first."""
    if message.acknowledge:
        yield f"Acknowledge these {message.count}" if message.count > 1 else "Acknowledge", message.acknowledge
    yield from (
        each for each in message.links if len(each[1]) <= LINK and urlsplit(each[1]).scheme in {"http", "https"}
    )


def _link(label: str, url: str) -> Element:
    return {"type": "Action.OpenUrl", "title": cut(label, TITLE), "url": url}
