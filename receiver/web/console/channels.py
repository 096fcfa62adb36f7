"""`/channels`: whether messages get out. Per channel: configured, last success, queue, last failures."""

from dataclasses import dataclass

from aiohttp import web

from receiver.desk import Desk
from receiver.store import Reads
from receiver.store.overview import RECENT, Traffic
from receiver.web import views
from receiver.web.console.frame import Frame, Visit
from rules.policy import Channel

NO_TRAFFIC = Traffic(None, 0, None, ())


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """One channel."""

    channel: Channel
    recipients: tuple[str, ...]
    """As they may be shown."""
    problem: str
    """Why nothing can be sent; empty: it can."""
    traffic: Traffic
    numbers: dict[str, int]
    """Id of an incident that a failure was about → its number."""


@dataclass(frozen=True, slots=True)
class ChannelsPage:
    """The page."""

    frame: Frame
    desk: Desk
    reads: Reads

    async def show(self, visit: Visit) -> web.Response:
        """The page."""
        rows = await self.desk.read(self._read)
        return self.frame.page(visit, "channels.html", rows=rows, recent=RECENT)

    def _read(self) -> list[ChannelRow]:
        traffic = self.reads.overview.traffic()
        current = self.desk.engine.current
        return [self._row(channel, traffic.get(channel.name, NO_TRAFFIC)) for channel in current.policy.channels]

    def _row(self, channel: Channel, traffic: Traffic) -> ChannelRow:
        shown = views.show_policy(self.desk.engine.current).channels
        recipients = next((tuple(each.recipients) for each in shown if each.name == channel.name), ())
        concerned = {each.incident_id for each in traffic.failures}
        found = ((each, self.reads.incident(each)) for each in concerned)
        numbers = {each: incident.number for each, incident in found if incident is not None}
        return ChannelRow(channel, recipients, self._problem(channel), traffic, numbers)

    def _problem(self, channel: Channel) -> str:
        engine = self.desk.engine
        if not channel.enabled:
            return "switched off in the policy"
        if not channel.recipients:
            return "no recipient in the policy"
        return "" if engine.book(engine.current).usable(channel.name) else "not configured"
