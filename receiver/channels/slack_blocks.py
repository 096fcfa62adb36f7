"""The layout of a message in Slack: Block Kit, within Slack's limits (CONTRACTS C).

Rules: text from outside is escaped, then cut without splitting an entity; `verbatim` and `emoji: False` keep Slack from
finding mentions, links and emoji in it. Text with formatting characters is sent as plain text, which shows them; other
text is markup, because only markup shows times in the reader's zone. Only the policy's mention is meant as markup.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from receiver.core.model import Incident, Kind, State
from receiver.messages import Message
from receiver.messages.plain import cut, seam
from rules.policy import SECOND

HEADER, SECTION, FIELD, FIELDS, TEXT, LINK_LABEL = 150, 3000, 2000, 10, 3000, 75
LINK, LINKS, ELEMENTS = 2800, 4000, 10
"""Characters of one link and of all, and links in one block."""
MAX_BLOCKS = 50
TOTAL = 9000
"""Characters of all further paragraphs."""
LABELS = 1500
MOST = 12_500
"""Characters of all blocks: Slack refuses messages beyond about 13,000."""

ACKNOWLEDGE_ALL = "acknowledge_all"
"""The button under a message of several incidents; its value is the message's name."""

SIGN_OFF = "sign_off"
"""The button of a resolved incident that waits for a second person's signature."""

Block = dict[str, Any]

TERSE = frozenset({Kind.NOTICE, Kind.REMINDER})
"""Kinds that are one sentence in a thread."""

_FORMATS = re.compile(r"(?<![A-Za-z0-9])[*_~](?=\S)|`|:(?=[\w+'-]+:)|^>", re.MULTILINE)
"""What Slack may read as bold, italic, strikethrough, code, emoji or quotation."""
_ALIKE = str.maketrans("*_~`:>", "\u2217\u02cd\u223c\u02cb\ua789\u203a")
"""Similar characters without formatting."""


def escape(text: str, limit: int) -> str:
    """Returns the text without markup, at most `limit` characters as Slack counts them."""
    whole = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if len(whole) <= limit:
        return whole
    kept = whole[: seam(whole, limit - 1)]
    begun = kept.rfind("&")
    if begun > kept.rfind(";"):
        kept = kept[:begun]
    return f"{kept.rstrip()}…"


def literal(text: str, limit: int) -> str:
    """Escapes text that is always markup: formatting characters are replaced by similar ones."""
    return escape(_FORMATS.sub(lambda found: found[0].translate(_ALIKE), text), limit)


def fallback(message: Message, mention: str) -> str:
    """Returns the text for notifications, and for clients without blocks."""
    room = TEXT - len(mention) - 1
    return _with_mention(mention, _dated(literal(f"{message.headline}\n{message.lead}", room), message, room))


def parent(message: Message, incident: Incident, name: str, mention: str, *, buttons: bool) -> list[Block]:
    """Returns the first message of the incident's thread: the full present state.

    `name`: the value of its button, if the message is of several incidents.
    """
    blocks = [
        _header(message.headline),
        *_told(message.lead, message, mention=mention),
        *_fields(message),
        *_paragraphs(message),
    ]
    if buttons and message.live and message.asks_reader:
        blocks.append(_buttons(incident) if message.count == 1 else _button_for_all(message.count, name))
    elif buttons and message.wants_sign_off:
        blocks.append(_sign_off(incident))
    else:
        blocks += _told(message.command, message)
    blocks.append(_links(message.links))
    return _within_limits(blocks)


def reply(message: Message, incident: Incident, kind: Kind, mention: str, *, buttons: bool) -> list[Block]:
    """Returns a message in the thread. The headline names the incident: threads may be of several, and pages are
    broadcast.

    A reminder of a missing signature has the button for it, because the thread's first message may be far above.
    """
    blocks = [
        *_told(message.headline, message, HEADER, mention, bold=True),
        *_told(message.lead, message),
    ]
    if kind not in TERSE:
        if kind is Kind.PAGE:
            blocks += _fields(message)
        blocks += [*_paragraphs(message), _links(message.links)]
    elif buttons and kind is Kind.REMINDER and message.wants_sign_off:
        blocks.append(_sign_off(incident))
    return _within_limits(blocks)


def _dated(markup: str, message: Message, limit: int) -> str:
    """Replaces every time by a token that Slack shows in the reader's zone; returns `markup` if the
    result is too long.
    """
    if not message.instants:
        return markup
    known = "|".join(map(re.escape, sorted(message.instants, key=len, reverse=True)))

    def token(found: re.Match[str]) -> str:
        told = found[0]
        form = "{time}" if told[2] == ":" else "{date_short} {time}"
        return f"<!date^{message.instants[told] // SECOND}^{form}|{told}>"

    dated = re.sub(rf"(?<![\w:])(?:{known})(?!\w)", token, markup)
    return dated if len(dated) <= limit else markup


def _with_mention(mention: str, text: str) -> str:
    return f"{mention} {text}" if mention else text


def _header(text: str) -> Block:
    return {"type": "header", "text": _plain(text, HEADER)}


def _told(
    text: str, message: Message, limit: int = SECTION, mention: str = "", *, bold: bool = False
) -> Iterable[Block]:
    """A paragraph, after the mention if there is one."""
    if not _FORMATS.search(text):
        room = SECTION - len(mention) - 3
        dated = _dated(escape(text, min(limit, room)), message, room)
        yield _section(_with_mention(mention, f"*{dated}*" if bold else dated))
        return
    yield _section(mention)
    yield {"type": "section", "text": _plain(text, limit)}


def _section(markup: str) -> Block:
    return {"type": "section", "text": _markup(markup)} if markup else {}


def _markup(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _fields(message: Message) -> Iterable[Block]:
    """The facts, ten to a block."""
    fields = [_field(name, value, message) for name, value in message.facts]
    for begin in range(0, len(fields), FIELDS):
        yield {"type": "section", "fields": fields[begin : begin + FIELDS]}


def _field(name: str, value: str, message: Message) -> Block:
    if _FORMATS.search(f"{name}\n{value}"):
        return _plain(f"{name}\n{value}", FIELD)
    room = FIELD - 110
    return _markup(f"*{escape(name, 100)}*\n{_dated(escape(value, room), message, room)}")


def _paragraphs(message: Message) -> Iterable[Block]:
    """The first actions, then the other paragraphs, the labels last."""
    steps = "\n".join(f"{number}. {action}" for number, action in enumerate(message.actions, 1))
    labels = ", ".join(f"{name}={value}" for name, value in message.labels)
    every = (steps and f"First do this:\n{steps}", *message.paragraphs, labels and f"Labels: {cut(labels, LABELS)}")
    room = TOTAL
    for paragraph in filter(None, every):
        if room <= 0:
            return
        limit = min(SECTION, room)
        room -= min(len(paragraph), limit)
        yield from _told(cut(paragraph, limit), message)


def _buttons(incident: Incident) -> Block:
    """Buttons carry the incident's id; the block's id holds the state that the person saw."""
    is_open, asked_by = incident.state is State.OPEN, incident.response.asked_by
    actions = [("acknowledge", "Acknowledge" if is_open else "I answer")] if incident.wants_answer else []
    actions += [("escalate", "Escalate" if is_open else "Ask again" if asked_by else "Ask for help")]
    actions += [("resolve", "Resolve")]
    actions += [("withdraw", "Help not wanted any more")] if asked_by else []
    actions += [("give_back", "Give back")] if not is_open else []
    elements: list[Block] = [
        {"type": "button", "action_id": action, "value": incident.id, "text": _plain(label, LINK_LABEL)}
        for action, label in actions
    ]
    if incident.wants_answer:
        elements[0]["style"] = "primary"
    return {"type": "actions", "block_id": f"state:{incident.state}", "elements": elements}


def _sign_off(incident: Incident) -> Block:
    button = {"type": "button", "action_id": SIGN_OFF, "value": incident.id, "text": _plain("Sign off", LINK_LABEL)}
    return {"type": "actions", "block_id": f"state:{incident.state}", "elements": [button]}


def _button_for_all(count: int, name: str) -> Block:
    label = _plain(f"Acknowledge these {count}", LINK_LABEL)
    button = {"type": "button", "action_id": ACKNOWLEDGE_ALL, "value": name, "text": label, "style": "primary"}
    return {"type": "actions", "block_id": "bundle", "elements": [button]}


def _links(links: Iterable[tuple[str, str]]) -> Block:
    """Returns the links, each its own element: one that is too long is left out alone.

    The messages package has checked the URLs.
    """
    elements: list[Block] = []
    room = LINKS
    for label, url in links:
        shown = f"<{escape(url, 2 * LINKS)}|{literal(label, LINK_LABEL).replace('|', ' ')}>"
        if len(shown) <= min(room, LINK) and len(elements) < ELEMENTS:
            elements.append(_markup(shown))
            room -= len(shown)
    return {"type": "context", "elements": elements} if elements else {}


def _plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": escape(text, limit), "emoji": False}


def _within_limits(blocks: Iterable[Block]) -> list[Block]:
    """Removes blocks until Slack accepts the message: the longest text first, never the headline, the reason or a
    button.
    """
    kept = [block for block in blocks if block][:MAX_BLOCKS]
    while sum(map(_length, kept)) > MOST:
        sections = [block for block in kept[2:] if block["type"] == "section"]
        if not sections:
            break
        kept.remove(max(sections, key=_length))
    return kept


def _length(block: Block) -> int:
    return len(json.dumps(block, ensure_ascii=False))
