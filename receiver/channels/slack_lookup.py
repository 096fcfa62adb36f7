"""Finds a message in Slack, and whether an earlier try has already posted it.

Each message carries its idempotency key as metadata, hidden from people and readable by apps. The search needs scopes
that a bot may lack, a channel's id where the policy has its name, and an answer in time. Without one of them the
message counts as not found: a duplicate is better than a lost message.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from receiver.channels import Outgoing
from receiver.core.events import Outcome
from rules.policy import SECOND

EVENT = "tocsin_notification"
PAGE = 200
"""Messages of a channel that are searched; a channel has hardly more in the hour of a message's tries."""
PAGES = 5
"""Pages of a thousand channels each that are searched for a name."""
SKEW = 60 * SECOND
"""Microseconds that Slack's clock may be behind ours."""

_log = logging.getLogger(__name__)
_ID = re.compile(r"[CGD][A-Z0-9]{7,}")


@dataclass(frozen=True, slots=True)
class Posted:
    """A message's place in Slack; stored as ``channel:ts``, with ``:bundle`` if it is of several incidents."""

    channel: str
    ts: str
    bundle: bool = False

    @classmethod
    def parse(cls, reference: str) -> "Posted | None":
        """Returns the place in a reference; None: invalid."""
        parts = reference.split(":")
        return cls(parts[0], parts[1], parts[2:] == ["bundle"]) if len(parts) >= 2 else None

    def __str__(self) -> str:
        return f"{self.channel}:{self.ts}{':bundle' if self.bundle else ''}"


@dataclass(frozen=True, slots=True)
class Failed:
    """A failed call of Slack's API: its error code, its outcome, and of several users those it failed for."""

    error: str
    outcome: Outcome
    errors: tuple[dict[str, Any], ...] = ()


def errors_in(answer: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """Returns an answer's errors about single users, each with `user` and `error`."""
    listed = answer.get("errors")
    return tuple(each for each in listed if isinstance(each, dict)) if isinstance(listed, list) else ()


def metadata(outgoing: Outgoing) -> dict[str, Any]:
    """Returns the metadata that identifies a message in the API."""
    return {"event_type": EVENT, "event_payload": {"key": outgoing.key}}


class Search:
    """Searches messages by their keys."""

    def __init__(self, client: AsyncWebClient, timeout: float) -> None:
        """`timeout`: seconds for a search."""
        self._client = client
        self._timeout = timeout
        self._ids: dict[str, str] = {}

    def remember(self, recipient: str, channel: str) -> None:
        """Stores the id of a channel under its name in the policy."""
        self._ids[recipient] = channel

    async def find(self, outgoing: Outgoing, thread: Posted | None) -> Posted | None:
        """Returns the message of an earlier try; None: not found, or unknown. Never raises."""
        try:
            async with asyncio.timeout(self._timeout):
                channel = thread.channel if thread else await self._id(outgoing.notification.recipient)
                messages = await self._messages(channel, thread, outgoing) if channel else []
        except Exception as error:  # noqa: BLE001 - any error means "not known": the message is sent (again)
            _log.warning("Slack cannot say whether a message arrived (%s); it is sent again", type(error).__name__)
            return None
        ours = metadata(outgoing)
        found = next((each for each in messages if each.get("metadata") == ours and each.get("ts")), None)
        return Posted(channel, str(found["ts"]), bundle=outgoing.message.count > 1) if found else None

    async def made(self, name: str, outgoing: Outgoing) -> dict[str, Any] | None:
        """Returns the channel of that name that an earlier try created; None: not found, or unknown. Never raises."""
        oldest = (outgoing.notification.created_at - SKEW) / SECOND
        try:
            async with asyncio.timeout(self._timeout):
                async for channel in self._channels():
                    if channel.get("name") == name and channel.get("is_member") and channel.get("id"):
                        return channel if float(channel.get("created", 0)) >= oldest else None
        except Exception as error:  # noqa: BLE001 - any error means "not known": another name is taken
            _log.warning("Slack cannot say whether a channel was created (%s)", type(error).__name__)
        return None

    async def _messages(self, channel: str, thread: Posted | None, outgoing: Outgoing) -> list[dict[str, Any]]:
        words = {
            "channel": channel,
            "oldest": f"{(outgoing.notification.created_at - SKEW) / SECOND:.6f}",
            "limit": PAGE,
            "include_all_metadata": "true",
        }
        if thread:
            answer = await self._read("conversations.replies", ts=thread.ts, **words)
        else:
            answer = await self._read("conversations.history", **words)
        return [each for each in answer.get("messages", ()) if isinstance(each, dict)]

    async def _id(self, recipient: str) -> str:
        """Returns a channel's id; empty: unknown."""
        if _ID.fullmatch(recipient):
            return recipient
        if recipient not in self._ids:
            async for channel in self._channels():
                self._ids[f"#{channel.get('name')}"] = str(channel.get("id", ""))
        return self._ids.get(f"#{recipient.removeprefix('#')}", "") or self._ids.get(recipient, "")

    async def _channels(self) -> AsyncIterator[dict[str, Any]]:
        cursor = ""
        for _ in range(PAGES):
            answer = await self._read(
                "conversations.list", types="public_channel,private_channel", limit=1000, cursor=cursor
            )
            for channel in answer.get("channels", ()):
                yield channel
            cursor = answer.get("response_metadata", {}).get("next_cursor", "")
            if not cursor:
                return

    async def _read(self, method: str, **words: Any) -> dict[str, Any]:
        response = await self._client.api_call(method, http_verb="GET", params=words)
        return response.data if isinstance(response.data, dict) else {}
