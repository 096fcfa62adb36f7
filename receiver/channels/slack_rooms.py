"""An incident's own channel in Slack: created, people invited, the incident posted and pinned; archived at the end.

Creating is what a retry must not do twice: where the name is taken after an earlier try, the channel of that name that
the bot is in, and that is not older than the request, is the one of that try (scope channels:read). An invitation or a
pin that Slack refuses holds nothing up: the channel is open without it, and the timeline says so.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

from msgspec.structs import replace as with_changes

from receiver.channels import Outgoing
from receiver.channels.slack_lookup import Failed, Search, errors_in
from receiver.core.events import Delivered, Outcome, Rejected, Retry
from receiver.core.model import Reason

NAMES = 5
"""Names that are tried: ``inc-12``, ``inc-12-2`` …"""

DONE_BEFORE = frozenset({"already_in_channel", "cant_invite_self", "already_pinned", "already_archived"})
"""Slack's errors that mean that there is nothing to do."""

MAY_NOT_CREATE = frozenset({"restricted_action", "cannot_create_channel", "user_is_restricted"})
NOT_CREATED = "the workspace does not let the bot create channels: ask its administrator"

LINK = "https://slack.com/app_redirect?channel={}"

Call = Callable[..., Awaitable[dict[str, Any] | Failed]]


class Rooms:
    """Opens and archives channels of incidents."""

    def __init__(self, call: Call, post: Callable[[Outgoing], Awaitable[Outcome]], search: Search) -> None:
        """`post` posts the message of an incident to its recipient, once even if it is tried again."""
        self._call = call
        self._post = post
        self._search = search

    async def carry_out(self, outgoing: Outgoing, channel: str) -> Outcome:
        """Archives the `channel` (its id) where the incident is closed, else opens one."""
        if outgoing.notification.reason is not Reason.CLOSED:
            return await self._open(outgoing)
        done = await self._call("conversations.archive", outgoing, channel=channel)
        return done.outcome if isinstance(done, Failed) and done.error not in DONE_BEFORE else Delivered()

    async def _open(self, outgoing: Outgoing) -> Outcome:
        made = await self._create(outgoing)
        if not isinstance(made, dict):
            return made
        channel = str(made["id"])
        there = replace(outgoing, notification=with_changes(outgoing.notification, recipient=channel))
        uninvited = await self._invite(there)
        if isinstance(uninvited, Retry):
            return uninvited
        posted = await self._post(there)
        if not isinstance(posted, Delivered):
            return posted
        unpinned = await self._pin(there, posted.reference.split(":")[-1])
        if isinstance(unpinned, Retry):
            return unpinned
        unmet = "; ".join((*uninvited, *unpinned))
        return Delivered(posted.reference, {"name": str(made["name"]), "link": LINK.format(channel), "unmet": unmet})

    async def _create(self, outgoing: Outgoing) -> dict[str, Any] | Outcome:
        """Returns the new channel, or that of an earlier try."""
        for name in _names(outgoing.notification.recipient.removeprefix("#")):
            done = await self._call("conversations.create", outgoing, name=name)
            if not isinstance(done, Failed):
                channel = done.get("channel")
                if isinstance(channel, dict) and channel.get("id") and channel.get("name"):
                    return channel
                return Retry("Slack does not name the channel that it made")
            if done.error != "name_taken":
                return Rejected(NOT_CREATED) if done.error in MAY_NOT_CREATE else done.outcome
            if outgoing.notification.attempts and (ours := await self._search.made(name, outgoing)):
                return ours
        return Rejected(f"Slack has a channel {outgoing.notification.recipient} already, and those with a number too")

    async def _invite(self, there: Outgoing) -> tuple[str, ...] | Retry:
        """Returns whom Slack does not let in, and why."""
        invited = there.notification.data.get("invite", "").splitlines()
        names = {user: name for user, _, name in (each.partition(" ") for each in invited)}
        if not names:
            return ()
        channel, users = there.notification.recipient, ",".join(names)
        done = await self._call("conversations.invite", there, channel=channel, users=users, force=True)
        if isinstance(done, Failed) and isinstance(done.outcome, Retry):
            return done.outcome
        errors = done.errors if isinstance(done, Failed) else errors_in(done)
        whose = [(names.get(str(each.get("user")), ""), str(each.get("error", ""))) for each in errors]
        if isinstance(done, Failed) and not whose:
            whose = [(", ".join(names.values()), done.error)]
        return tuple(f"invitation of {name} ({why})" for name, why in whose if name and why not in DONE_BEFORE)

    async def _pin(self, there: Outgoing, ts: str) -> tuple[str, ...] | Retry:
        done = await self._call("pins.add", there, channel=there.notification.recipient, timestamp=ts)
        if not isinstance(done, Failed) or done.error in DONE_BEFORE:
            return ()
        return done.outcome if isinstance(done.outcome, Retry) else (f"pin ({done.error})",)


def _names(wanted: str) -> Iterator[str]:
    yield wanted
    yield from (f"{wanted}-{number}" for number in range(2, NAMES + 1))
