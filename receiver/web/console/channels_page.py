"""`/channels`: state of each channel: configuration, last success, queue, last failures, a test button.

A test's result is shown in the response and stored only in the audit log.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog
from aiohttp import web

from receiver.channels import Senders
from receiver.channels.trial import Tried, try_channel
from receiver.core.audit_log import audit_of
from receiver.core.canary import Canary
from receiver.core.model import Instant
from receiver.core.urgency import PEOPLE
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.messages import MessageRenderer
from receiver.messages.times import rfc3339
from receiver.store import Reads
from receiver.store.overview import RECENT, Traffic
from receiver.web.api import views
from receiver.web.api.heartbeat_clocks import HeartbeatsApi
from receiver.web.api.requests import TEXT_LIMIT
from receiver.web.console import tables
from receiver.web.console.pages import Frame, Visit, go_to
from receiver.web.http.problem_details import HttpProblem
from rules.policy import Channel

log = structlog.get_logger()

COLUMNS = ("channel", "type", "state", "reaches", "last_success", "waiting", "oldest_waiting")

NO_TRAFFIC = Traffic(None, 0, None, ())


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """One channel on the page."""

    channel: Channel
    recipients: tuple[str, ...]
    """Masked where they hold secrets."""
    problem: str
    """Why nothing can be sent; empty: sending is possible."""
    traffic: Traffic
    canary: Canary | None
    """State of its canary messages; None: it has none, or none was sent yet."""
    numbers: dict[str, int]
    """Id of an incident with a failed message → its number."""


@dataclass(frozen=True, slots=True)
class ChannelsPage:
    """Handlers of the channels page and its buttons."""

    frame: Frame
    queue: CommandQueue
    engine: Engine
    reads: Reads
    senders: Senders
    renderer: MessageRenderer
    heartbeats: HeartbeatsApi
    clock: Callable[[], Instant]

    async def show(self, visit: Visit) -> web.Response:
        """Shows the page."""
        return await self._page(visit)

    async def test(self, visit: Visit) -> web.Response:
        """Sends a test message and shows the provider's answer."""
        channel = self.engine.current.policy.channel(visit.form.get("channel", ""))
        if channel is None:
            raise HttpProblem(404, "the policy has no such channel")
        if not self.can_send(channel):
            return await self._page(visit, channel.name, problem=self._problem(channel) or "not configured")
        tried = await self.send(visit, channel)
        shown = zip(self._recipients(channel), tried, strict=True)
        return await self._page(visit, channel.name, [replace(each, recipient=name) for name, each in shown])

    def can_send(self, channel: Channel) -> bool:
        """Whether a test message can be sent."""
        return channel.type in self.senders and not self._problem(channel)

    async def send(self, visit: Visit, channel: Channel, person: str = "") -> Sequence[Tried]:
        """Sends a test message to the channel's recipients and records it. `person`: the only intended recipient."""
        sender, policy = self.senders[channel.type], self.engine.current.policy
        tried = await try_channel(sender, policy, channel, self.renderer, self.clock)
        await self._note(visit, channel, tried, person)
        return tried

    async def retire(self, visit: Visit) -> web.Response:
        """Retires a heartbeat. Raises HttpProblem."""
        reason = visit.form.get("reason", "").strip()
        if not reason:
            raise HttpProblem(400, "say why the heartbeat is gone for good")
        origin = visit.caller.origin
        await self.heartbeats.retire_by(visit.form.get("heartbeat", ""), reason[:TEXT_LIMIT], origin, visit.caller.name)
        return go_to("/channels#heartbeats")

    async def export(self, _visit: Visit) -> web.Response:
        """The channels as CSV."""
        rows = (
            (
                *(row.channel.name, row.channel.type, row.problem or "configured", ", ".join(row.recipients)),
                row.traffic.last_success and rfc3339(row.traffic.last_success),
                row.traffic.waiting,
                row.traffic.oldest and rfc3339(row.traffic.oldest),
            )
            for row in await self.queue.browse(self._read)
        )
        return tables.answer("channels", COLUMNS, rows)

    async def _note(self, visit: Visit, channel: Channel, tried: Sequence[Tried], person: str) -> None:
        outcome = "done" if all(each.delivered for each in tried) else "; ".join(each.words for each in tried)
        log.info("test messages sent", channel=channel.name, by=visit.caller.name, outcome=outcome)
        origin = visit.caller.origin
        entry = audit_of(
            origin,
            visit.now,
            "test-channel",
            outcome=outcome,
            data={"channel": channel.name} | ({"person": person} if person else {}),
        )
        await self.queue.run(self.engine.audit, [entry], urgency=PEOPLE)

    async def _page(
        self, visit: Visit, tested: str = "", tried: Sequence[Tried] = (), problem: str = ""
    ) -> web.Response:
        rows = await self.queue.browse(self._read)
        values = {"rows": rows, "recent": RECENT, "tested": tested, "tried": tried, "problem": problem}
        values["heartbeats"] = self.heartbeats.watched
        return self.frame.page(visit, "channels.html", status=409 if problem else 200, **values)

    def _read(self) -> list[ChannelRow]:
        traffic = self.reads.overview.traffic()
        current = self.engine.current
        return [self._row(channel, traffic.get(channel.name, NO_TRAFFIC)) for channel in current.policy.channels]

    def _row(self, channel: Channel, traffic: Traffic) -> ChannelRow:
        concerned = {each.incident_id for each in traffic.failures}
        found = ((each, self.reads.incident(each)) for each in concerned)
        numbers = {each: incident.number for each, incident in found if incident is not None}
        recipients, problem, canary = self._recipients(channel), self._problem(channel), self._canary(channel)
        return ChannelRow(channel, recipients, problem, traffic, canary, numbers)

    def _recipients(self, channel: Channel) -> tuple[str, ...]:
        """Recipients, masked: a webhook's URL may hold a secret."""
        shown = views.show_policy(self.engine.current).channels
        return next((tuple(each.recipients) for each in shown if each.name == channel.name), ())

    def _canary(self, channel: Channel) -> Canary | None:
        return self.reads.canary(channel.name) if channel.canary is not None else None

    def _problem(self, channel: Channel) -> str:
        engine = self.engine
        if not channel.enabled:
            return "switched off in the policy"
        if not channel.recipients:
            return "no recipient in the policy"
        return "" if engine.context(engine.current).is_set_up(channel.name) else "not configured"
