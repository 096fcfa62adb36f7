"""Notes from Slack: `!note` before a message, or a pushpin or memo put on one, in an incident's thread or own channel.

Slack sends an event for each message and reaction in the channels that the bot is in; all others are ignored, as are
those in threads of messages about several incidents, and of closed ones. A check mark on the message says that it is
stored.
"""

from dataclasses import dataclass
from html import unescape

from receiver.channels.slack_lookup import EVENT, Posted
from receiver.messages.plain import plain
from receiver.web.callbacks.slack_calls import SlackCalls

WORD = "!note"
NOTING = frozenset({"pushpin", "memo"})
"""Slack's names of the reactions that make a note of a message."""
STORED = "white_check_mark"


@dataclass(frozen=True, slots=True)
class ThreadNote:
    """A note that a person made of a message."""

    thread: Posted
    """The thread's first message; of a message outside a thread, itself."""
    ts: str
    """The time, and so the id, of the message."""
    user: str
    """Slack id of who made the note."""
    text: str
    author: str = ""
    """Slack id of who wrote the message, if another."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """A reaction that makes a note of a message."""

    channel: str
    ts: str
    user: str


def read_note(event: object) -> ThreadNote | None:
    """Parses the event of a message; None: it is no note. Edited messages and those of bots are none."""
    match event:
        case {"type": "message", "channel": str(channel), "ts": str(ts), **rest}:
            user, text, thread = rest.get("user"), rest.get("text"), rest.get("thread_ts") or ts
            is_written = rest.get("subtype") in {None, "thread_broadcast"} and not rest.get("bot_id")
            if not is_written or not isinstance(user, str) or not isinstance(text, str):
                return None
            word, note = [*text.split(maxsplit=1), "", ""][:2]
            note = plain(unescape(note))
            return ThreadNote(Posted(channel, str(thread)), ts, user, note) if word.lower() == WORD and note else None
        case _:
            return None


def read_reaction(event: object) -> Reaction | None:
    """Parses the event of a reaction; None: it makes no note."""
    match event:
        case {
            "type": "reaction_added",
            "reaction": str(name),
            "user": str(user),
            "item": {"type": "message", "channel": str(channel), "ts": str(ts)},
        } if name in NOTING:
            return Reaction(channel, ts, user)
        case _:
            return None


async def read_message(calls: SlackCalls, reaction: Reaction) -> ThreadNote | None:
    """Reads the message of a reaction; None: Slack does not show it, it has no text, or is Tocsin's own."""
    asked = {"channel": reaction.channel, "ts": reaction.ts, "latest": reaction.ts, "inclusive": "true"}
    answer = await calls.ask("conversations.replies", "channels:history", **asked, include_all_metadata="true")
    messages = (answer or {}).get("messages") or ()
    found = next((each for each in messages if isinstance(each, dict) and each.get("ts") == reaction.ts), {})
    text, own = plain(unescape(str(found.get("text", "")))), found.get("metadata") or {}
    if not text or own.get("event_type") == EVENT:
        return None
    author = str(found.get("user", ""))
    thread = Posted(reaction.channel, str(found.get("thread_ts") or reaction.ts))
    return ThreadNote(thread, reaction.ts, reaction.user, text, author if author != reaction.user else "")


async def mark(calls: SlackCalls, note: ThreadNote) -> None:
    """Puts the check mark on the message of a stored note."""
    words = {"channel": note.thread.channel, "timestamp": note.ts, "name": STORED}
    await calls.tell("reactions.add", "reactions:write", **words)
