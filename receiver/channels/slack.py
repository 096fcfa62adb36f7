"""Slack: one thread per incident and channel; its first message always shows the present state.

Pages are new messages (Slack does not notify of edits and thread replies): the first opens the thread, later ones are
broadcast replies with the policy's mention. News stays in the thread. Slack does not drop duplicates: a retry first
searches for the message of the earlier try (receiver/channels/slack_lookup.py), if the bot may read the channel; if not
found, it is posted again. A picture follows its message in the thread, if the app may upload files; a failed upload
does not affect the delivery.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from receiver.channels import Configured, Outgoing
from receiver.channels.posting import excerpt, patience
from receiver.channels.slack_blocks import Block, fallback, parent, reply
from receiver.channels.slack_lookup import Failed, Posted, Search, errors_in, metadata
from receiver.channels.slack_rooms import Rooms
from receiver.clients.egress import Egress, reason_of
from receiver.core.events import Delivered, Outcome, Rejected, Retry
from receiver.core.model import Kind
from receiver.settings import Settings

TIMEOUT = 7.0
"""Seconds for one call; a message takes two, plus the search of a retry."""

UPLOAD_TIMEOUT = 4.0
"""Seconds for the three calls of a picture together."""

PASSING = frozenset(
    {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org", "accesslimited"}
)
LIMITED = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
UNSHOWABLE = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"})
"""Slack refuses the layout: the plain text is sent instead."""
THREAD_GONE = frozenset({"thread_not_found", "message_not_found", "cannot_reply_to_message"})
"""The thread's first message was deleted: a new one replaces it."""

CREDENTIALS_REFUSED = (
    "Slack refuses the token ({error}): set TOCSIN_SLACK_TOKEN to the bot token (xoxb-…) of the app, installed anew"
)
ADVICE = {
    **dict.fromkeys(
        ("invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive"), CREDENTIALS_REFUSED
    ),
    "channel_not_found": "Slack shows us no channel {channel}: check its name; if it is private, invite the bot there",
    "not_in_channel": "the bot is not in {channel}: invite it (/invite in that channel)",
    "is_archived": "the channel {channel} is archived: name another one in the policy",
    "missing_scope": "the Slack app lacks the scope {needed}: add it and install the app anew",
    "restricted_action": "the workspace lets the bot not post in {channel} ({error}): ask its administrator",
}

PICTURED = frozenset({Kind.PAGE, Kind.RESOLVED})
"""Kinds that a picture follows in the thread; more would hide the text."""

# The SDK's log messages contain what is sent; it writes them unless the logger has its own level.
_log = logging.getLogger("receiver.channels.slack.sdk")
_log.setLevel(logging.WARNING)


class SlackSender:
    """The sender for channels of type slack."""

    def __init__(
        self,
        token: str,
        base_url: str = "https://slack.com/api",
        timeout: float = TIMEOUT,
        *,
        egress: Egress | None = None,
        interactive: bool = True,
    ) -> None:
        """`timeout`: seconds per call. `interactive`: whether button presses reach Tocsin."""
        self._token = token
        self._timeout = timeout
        self._interactive = interactive
        self._no_files = False
        """Slack has refused an upload because the app may not upload files."""
        self._client = quiet_client(token, base_url, timeout, egress)
        self._search = Search(self._client, timeout)
        self._rooms = Rooms(self._call, self._post_once_only, self._search)

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Posts the message, and updates the thread's first message to the present state."""
        kind = outgoing.notification.kind
        thread = Posted.parse(outgoing.thread)
        if kind is Kind.ROOM:
            return await self._rooms.carry_out(outgoing, thread.channel if thread else "")
        repaint = thread if thread and not thread.bundle else None
        if repaint and kind in {Kind.ACKNOWLEDGED, Kind.RESOLVED}:
            # Before the post, because the update may be repeated and a post may not.
            painted = await self._repaint(outgoing, repaint)
            if isinstance(painted, Retry):
                return painted
        outcome = await self._post_once_only(outgoing, thread)
        if repaint and kind is Kind.PAGE and isinstance(outcome, Delivered):
            await self._repaint(outgoing, repaint)  # an outcome other than Delivered is ignored: the page is out
        return outcome

    async def close(self) -> None:
        """Does nothing: no state between calls."""

    async def _repaint(self, outgoing: Outgoing, thread: Posted) -> Outcome:
        blocks = parent(outgoing.message, outgoing.incident, outgoing.name, "", buttons=self._interactive)
        text = fallback(outgoing.message, "")
        done = await self._call("chat.update", outgoing, channel=thread.channel, ts=thread.ts, text=text, blocks=blocks)
        return done.outcome if isinstance(done, Failed) else Delivered()

    async def _post_once_only(self, outgoing: Outgoing, thread: Posted | None = None) -> Outcome:
        """Posts the message, unless an earlier try has."""
        found = await self._search.find(outgoing, thread) if outgoing.notification.attempts else None
        return Delivered(str(found)) if found else await self._post(outgoing, thread)

    async def _post(self, outgoing: Outgoing, thread: Posted | None) -> Outcome:
        """Posts the message; on the matching error without layout, or outside the thread."""
        done = await self._post_once(outgoing, thread, self._blocks(outgoing, thread))
        if isinstance(done, Failed) and thread and done.error in THREAD_GONE:
            thread = None
            done = await self._post_once(outgoing, thread, self._blocks(outgoing, thread))
        if isinstance(done, Failed) and done.error in UNSHOWABLE:
            done = await self._post_once(outgoing, thread, [])
        if isinstance(done, Failed):
            return done.outcome
        place = Posted(str(done.get("channel", "")), str(done.get("ts", "")), bundle=outgoing.message.count > 1)
        if not thread and place.channel:
            self._search.remember(outgoing.notification.recipient, place.channel)
        await self._add_picture(outgoing, thread or place)
        return Delivered(str(place) if place.channel and place.ts else "")

    async def _add_picture(self, outgoing: Outgoing, thread: Posted) -> None:
        picture = outgoing.message.picture
        if picture is None or self._no_files or outgoing.notification.kind not in PICTURED:
            return
        try:
            async with asyncio.timeout(UPLOAD_TIMEOUT):
                await self._client.files_upload_v2(
                    content=picture.png,
                    filename="signals.png",
                    title=picture.words[:150],
                    alt_txt=picture.words[:900],
                    channel=thread.channel,
                    thread_ts=thread.ts,
                )
        except SlackApiError as error:
            failed = self._judge(error.response, outgoing.notification.recipient)
            self._no_files = failed.error == "missing_scope"
            hint = "; the scope files:write lets it" if self._no_files else ""
            _log.warning("Slack took no picture (%s)%s", failed.error, hint)
        except Exception as error:  # noqa: BLE001 - only the picture failed: the message is out
            _log.warning("Slack took no picture (%s)", type(error).__name__)

    async def _post_once(
        self, outgoing: Outgoing, thread: Posted | None, blocks: list[Block]
    ) -> dict[str, Any] | Failed:
        words: dict[str, Any] = {
            "channel": thread.channel if thread else outgoing.notification.recipient,
            "text": fallback(outgoing.message, _mention(outgoing)),
            "unfurl_links": False,
            "unfurl_media": False,
            "metadata": metadata(outgoing),
        }
        if blocks:
            words["blocks"] = blocks
        if thread:
            words |= {"thread_ts": thread.ts, "reply_broadcast": outgoing.notification.kind is Kind.PAGE}
        return await self._call("chat.postMessage", outgoing, **words)

    def _blocks(self, outgoing: Outgoing, thread: Posted | None) -> list[Block]:
        mention = _mention(outgoing)
        if thread:
            kind = outgoing.notification.kind
            return reply(outgoing.message, outgoing.incident, kind, mention, buttons=self._interactive)
        return parent(outgoing.message, outgoing.incident, outgoing.name, mention, buttons=self._interactive)

    async def _call(self, method: str, outgoing: Outgoing, **words: Any) -> dict[str, Any] | Failed:
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._client.api_call(method, json=words)
        except SlackApiError as error:
            return self._judge(error.response, outgoing.notification.recipient)
        except TimeoutError:
            return Failed("", Retry(f"no answer from Slack within {self._timeout:g} s"))
        except Exception as error:  # noqa: BLE001 - the network, or an answer that the SDK cannot parse
            return Failed("", Retry(f"no connection with Slack, or no sense in its answer ({reason_of(error)})"))
        return dict(response.data) if isinstance(response.data, dict) else {}

    def _judge(self, response: Any, channel: str) -> Failed:
        """`response` is the SDK's, or aiohttp's if the body was not JSON."""
        status = getattr(response, "status_code", 0) or getattr(response, "status", 0)
        data = getattr(response, "data", None)
        data = data if isinstance(data, dict) else {}
        error = excerpt(str(data.get("error", "")), [self._token])
        if status == 429 or error in LIMITED:
            return Failed(error, Retry("Slack asks us to slow down", patience(response.headers)))
        if status >= 500 or status == 408 or error in PASSING or (status == 200 and not error):
            return Failed(error, Retry(f"Slack is unwell ({error or f'status {status}'})", patience(response.headers)))
        if not error:
            return Failed("", Rejected(f"Slack's address answered {status}: check TOCSIN_SLACK_API_URL"))
        needed = excerpt(str(data.get("needed", "chat:write")), [self._token])
        advice = ADVICE.get(error, "Slack will not post in {channel}: {error}")
        return Failed(error, Rejected(advice.format(error=error, channel=channel, needed=needed)), errors_in(data))


def quiet_client(token: str, base_url: str, timeout: float, egress: Egress | None = None) -> AsyncWebClient:
    """Returns Slack's API client for one token; `timeout`: seconds per call. No retries, no logged messages."""
    client = AsyncWebClient(
        token=token,
        base_url=f"{base_url.rstrip('/')}/",
        timeout=int(timeout) + 1,
        retry_handlers=[],  # the SDK's own would post twice after a broken connection
        logger=_log,
        ssl=egress.tls if egress else None,
    )
    # The SDK's reading of HTTPS_PROXY does not honour NO_PROXY.
    client.proxy = egress.proxy_for(base_url) if egress else None
    return client


def configure(settings: Settings, _now: Callable[[], int]) -> Configured | None:
    """Configured if there is a token. Buttons are shown if presses reach Tocsin and can be verified as Slack's."""
    if not settings.slack_token:
        return None
    token, url = settings.slack_token.get_secret_value(), settings.slack_api_url
    interactive = settings.slack_signing_secret is not None or "slack_app_token" in settings.of_channels
    return Configured(lambda egress: SlackSender(token, url, egress=egress, interactive=interactive))


def _mention(outgoing: Outgoing) -> str:
    """Returns the policy's mention for messages that require action."""
    return outgoing.channel.mention if outgoing.notification.kind in {Kind.PAGE, Kind.REMINDER} else ""
