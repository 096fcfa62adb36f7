"""How a message looks in Slack: Block Kit, within Slack's limits (CONTRACTS C).

Rules: everything foreign is escaped, then cut without splitting an entity; `verbatim` and `emoji: False` keep
Slack from finding mentions, links and smileys in it. Only the policy's own mention is markup.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from receiver.core.model import Incident, Kind, State
from receiver.messages import Message
from receiver.messages.plain import seam

HEADER, SECTION, FIELD, FIELDS, TEXT, LINK_LABEL = 150, 3000, 2000, 10, 3000, 75
MAX_BLOCKS = 50
TOTAL = 9000
"""Characters of all further paragraphs: beyond about 13,000 in all, Slack refuses the message."""

ACKNOWLEDGE_ALL = "acknowledge_all"
"""The button under a message of several incidents; its value is the message's name."""

Block = dict[str, Any]

TERSE = frozenset({Kind.NOTICE, Kind.REMINDER})
"""In a thread, these are one sentence."""


def escape(text: str, limit: int) -> str:
    """Without markup, at most `limit` characters as Slack counts them."""
    whole = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if len(whole) <= limit:
        return whole
    kept = whole[: seam(whole, limit - 1)]
    begun = kept.rfind("&")
    if begun > kept.rfind(";"):
        kept = kept[:begun]
    return f"{kept.rstrip()}…"


def fallback(message: Message, mention: str) -> str:
    """The text of notifications, and of clients that show no blocks."""
    said = escape(f"{message.headline}\n{message.lead}", TEXT - len(mention) - 1)
    return f"{mention} {said}" if mention else said


def parent(message: Message, incident: Incident, name: str, mention: str, *, buttons: bool) -> list[Block]:
    """The message that the incident's thread hangs on: all there is to know, as it stands now.

    `name`: what its button calls it, where it is of several incidents.
    """
    blocks = [
        _header(message.headline),
        _section(_with_mention(mention, escape(message.lead, SECTION - len(mention) - 1))),
        _fields(message.facts),
        *_paragraphs(message.paragraphs),
    ]
    if buttons and message.live:
        blocks.append(_buttons(incident) if message.count == 1 else _button_for_all(message.count, name))
    blocks.append(_links(message.links))
    return _within_limits(blocks)


def reply(message: Message, kind: Kind, mention: str) -> list[Block]:
    """A message in the thread. The headline says which incident: threads may be of several, and pages are broadcast."""
    room = SECTION - len(mention) - HEADER - 10
    said = f"*{escape(message.headline, HEADER)}*\n{escape(message.lead, room)}"
    blocks = [_section(_with_mention(mention, said))]
    if kind not in TERSE:
        if kind is Kind.PAGE:
            blocks.append(_fields(message.facts))
        blocks += [*_paragraphs(message.paragraphs), _links(message.links)]
    return _within_limits(blocks)


def _with_mention(mention: str, text: str) -> str:
    return f"{mention} {text}" if mention else text


def _header(text: str) -> Block:
    return {"type": "header", "text": _plain(text, HEADER)}


def _section(markup: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": markup, "verbatim": True}} if markup else {}


def _fields(facts: Sequence[tuple[str, str]]) -> Block:
    fields = [
        {"type": "mrkdwn", "text": f"*{escape(name, 100)}*\n{escape(value, FIELD - 110)}", "verbatim": True}
        for name, value in facts[:FIELDS]
    ]
    return {"type": "section", "fields": fields} if fields else {}


def _paragraphs(paragraphs: Iterable[str]) -> Iterable[Block]:
    room = TOTAL
    for paragraph in paragraphs:
        if room <= 0:
            return
        block = _plain(paragraph, min(SECTION, room))
        room -= len(block["text"])
        yield {"type": "section", "text": block}


def _buttons(incident: Incident) -> Block:
    """They carry the incident's id; the block's own id tells the state that the person saw."""
    actions = [("escalate", "Escalate"), ("resolve", "Resolve")]
    if incident.state is State.OPEN:
        actions.insert(0, ("acknowledge", "Acknowledge"))
    elements: list[Block] = [
        {"type": "button", "action_id": action, "value": incident.id, "text": _plain(label, LINK_LABEL)}
        for action, label in actions
    ]
    if incident.state is State.OPEN:
        elements[0]["style"] = "primary"
    return {"type": "actions", "block_id": f"state:{incident.state}", "elements": elements}


def _button_for_all(count: int, name: str) -> Block:
    label = _plain(f"Acknowledge these {count}", LINK_LABEL)
    button = {"type": "button", "action_id": ACKNOWLEDGE_ALL, "value": name, "text": label, "style": "primary"}
    return {"type": "actions", "block_id": "bundle", "elements": [button]}


def _links(links: Iterable[tuple[str, str]]) -> Block:
    """Links to where people may go; the URLs were checked where the words were made."""
    shown = [
        f"<{escape(url, FIELD)}|{escape(label, LINK_LABEL).replace('|', ' ')}>"
        for label, url in links
        if len(url) < FIELD - 10
    ]
    if not shown:
        return {}
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": " · ".join(shown), "verbatim": True}]}


def _plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": escape(text, limit), "emoji": False}


def _within_limits(blocks: Iterable[Block]) -> list[Block]:
    return [block for block in blocks if block][:MAX_BLOCKS]
