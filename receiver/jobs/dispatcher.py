"""Sends claimed notifications on their channels and reports the outcomes. It decides nothing.

Each channel has a limit of concurrent messages, so that a hanging channel does not delay another; messages of
emergencies have a limit of their own, so that they wait only for each other. Sending takes place outside transactions:
after a crash between a send and its report the message is sent again with the same key (at least once).
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import structlog
from msgspec.structs import replace

from receiver.channels import SEND_TIMEOUT, Outgoing, Senders, without_address
from receiver.clock import steady_clock
from receiver.core.events import Outcome, Overtaken, Rejected, Retry
from receiver.core.model import Incident, Kind, Notification
from receiver.core.outside import KEPT_IN, leaves_the_house
from receiver.core.urgency import CLAIMS, EMERGENCIES, STEPS
from receiver.engine.commands import Delivery, OutcomeReport
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.errors import StoreDamaged, StoreUnavailable
from receiver.messages import Message, MessageRenderer, Picture
from receiver.reports import mail
from receiver.reports.pictures import Plotter
from receiver.reports.queries import Records
from receiver.telemetry.metrics import Metrics
from receiver.telemetry.tracing import Traces
from rules.policy import EMERGENCY, LEVELS, SECOND, Channel

IN_FLIGHT = 16
"""Concurrent messages per channel, and the same number again for emergencies."""

OTHERS = tuple(level for level in LEVELS if level != EMERGENCY)
"""Levels that are claimed after emergencies."""

FRESH = SECOND
"""Microseconds after a claim within which the lease is not checked again before sending."""

REPORT_RETRY = 0.5
"""Seconds between attempts to report while the store is unavailable; they end with the lease."""

REPORTED_AT_ONCE = 100
"""Reports per transaction: bundles in a storm have many, and webhooks wait meanwhile."""

UNRECORDED = 1_000
"""Outcomes waiting to be recorded above which only emergencies are claimed.

Claims are faster than records: in a storm 27,000 outcomes waited, held 70 MB, and neared the end of their leases.
"""

EARLIER_WITHIN = 1.0
"""Seconds that a page waits for similar earlier incidents."""

LAST_REPORT = 10.0
"""Seconds that reports may take when the service stops."""

log = structlog.get_logger()


class Dispatcher:
    """Sends due messages concurrently, and reports in batches."""

    def __init__(
        self,
        queue: CommandQueue,
        engine: Engine,
        senders: Senders,
        renderer: MessageRenderer,
        records: Records,
        worker: str,
        metrics: Metrics,
    ) -> None:
        self._queue = queue
        self._engine = engine
        self.senders = senders
        self._renderer = renderer
        self._records = records
        self._worker = worker
        self._metrics = metrics
        self._in_flight: Counter[tuple[str, bool]] = Counter()
        """(channel, whether an emergency) → messages being sent."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._reports: list[OutcomeReport] = []
        self._reporting: asyncio.Task[None] | None = None
        self._is_finishing = False
        self.traces: Traces | None = None
        self.return_token: Callable[[Incident, str], str] = lambda _incident, _name: ""
        """Makes `Outgoing.return_token` from the (first) incident and the message's name."""
        self.on_progress: Callable[[], None] = lambda: None
        """Called after each report: further messages may be due."""
        self.plotter: Plotter | None = None
        """Draws charts for messages; None: not possible here."""

    @property
    def unrecorded(self) -> int:
        """Messages whose outcome is known and not recorded yet."""
        return len(self._reports)

    async def send_due(self) -> int:
        """Claim due messages and start sending them; returns how many were started.

        Emergencies are claimed first in a transaction of their own: the others' may take 0.1 s in a storm. The others
        are not claimed while more than UNRECORDED outcomes wait.
        """
        emergencies = await self._start((EMERGENCY,))
        return emergencies if self.unrecorded > UNRECORDED else emergencies + await self._start(OTHERS)

    async def send_emergencies(self) -> None:
        """As `send_due`, for emergencies only. If that fails, the next `send_due` claims them."""
        if self._is_finishing:  # released messages are left to another process
            return
        try:
            await self._start((EMERGENCY,))
        except StoreUnavailable as error:
            log.warning("cannot claim the messages of an emergency; trying again", reason=str(error))
        except Exception:
            log.exception("claiming the messages of an emergency failed; trying again")

    async def _start(self, levels: Sequence[int]) -> int:
        now, is_emergency = self._queue.clock(), EMERGENCY in levels
        busy = frozenset(
            channel for (channel, of), count in self._in_flight.items() if of is is_emergency and count >= IN_FLIGHT
        )
        urgency = EMERGENCIES if is_emergency else CLAIMS
        claimed_at = steady_clock()
        deliveries = await self._queue.run(self._engine.claim, now, self._worker, busy, levels, urgency=urgency)
        for delivery in filter(None, map(self._keep_in, deliveries)):
            self._in_flight[_counted_by(delivery)] += 1
            task = asyncio.create_task(self._carry(delivery, claimed_at))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return len(deliveries)

    def _keep_in(self, delivery: Delivery) -> Delivery | None:
        """Remove notifications of exercises to outside recipients; None: no other is left.

        The core plans none: this is a second check, of the address about to be used.
        """
        kept_in = [
            (notification, incident)
            for notification, incident in delivery.items
            if leaves_the_house(incident, notification.recipient, delivery.context)
        ]
        if not kept_in:
            return delivery
        log.error("a message of an exercise would have left the house: it is not sent", channel=_channel(delivery))
        self._report(OutcomeReport(notification, Rejected(KEPT_IN)) for notification, _ in kept_in)
        left = tuple(each for each in delivery.items if each not in kept_in)
        return replace(delivery, items=left) if left else None

    async def finish(self, seconds: float) -> None:
        """Wait for messages being sent, at most that many seconds; release the others, which are sent again later."""
        self._is_finishing = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._reporting:
            await asyncio.wait([self._reporting], timeout=LAST_REPORT)
            self._reporting.cancel()

    async def _carry(self, delivery: Delivery, claimed_at: int) -> None:
        began = self._queue.clock()
        try:
            outcome = await self._send(delivery, claimed_at)
        except asyncio.CancelledError:
            log.warning("stopping: a message is cut off and will be sent again", channel=_channel(delivery))
            self._report(OutcomeReport(notification, Overtaken()) for notification, _ in delivery.items)
            raise
        finally:
            self._in_flight[_counted_by(delivery)] -= 1
        ended = self._queue.clock()
        if self.traces:
            self.traces.sent(delivery, outcome, began, ended)
        for notification, _ in delivery.items:
            self._metrics.sent(notification, outcome, ended)
        self._report(OutcomeReport(notification, outcome) for notification, _ in delivery.items)

    async def _send(self, delivery: Delivery, claimed_at: int) -> Outcome:
        notification, incident = delivery.items[0]
        channel = delivery.context.channel(notification.channel)
        sender = self.senders.get(channel.type) if channel else None
        if channel is None or sender is None:
            return Rejected(f"channel {notification.channel} is not configured")
        if steady_clock() - claimed_at > FRESH and not await self._still_ours(delivery):
            return Overtaken()
        try:
            outgoing = Outgoing(
                notification=notification,
                channel=channel,
                message=await self._write(delivery, channel),
                thread=delivery.thread,
                key=f"{self._renderer.installation}-{notification.id}",
                incident_ref=f"{self._renderer.installation}-{incident.id}",
                incident=incident,
                pages=pages_to_close(incident, notification),
                name=delivery.name,
                return_token=self.return_token(incident, delivery.name),
            )
            async with asyncio.timeout(SEND_TIMEOUT):
                return without_address(await sender.send(outgoing), notification)
        except TimeoutError:
            return Retry(f"no answer within {SEND_TIMEOUT:.0f} s")
        except Exception as error:
            log.exception("sending failed unexpectedly", incident=incident.number, channel=notification.channel)
            return Retry(f"internal error ({type(error).__name__})")

    async def _write(self, delivery: Delivery, channel: Channel) -> Message:
        """The message's text; for a report, the current report."""
        notification, incident = delivery.items[0]
        picture = await self._picture(delivery, channel)
        earlier = await self._earlier(delivery, channel)
        message = await asyncio.to_thread(self._renderer.render, delivery, self._queue.clock(), picture, earlier)
        if message.unfilled:
            self._metrics.unfilled.inc()
            log.error("a policy's template cannot be filled: Tocsin's own words go out", reason=message.unfilled)
        if notification.kind is not Kind.REPORT:
            return message
        report = await self._queue.read(self._records.incident, incident, self._queue.clock())
        return mail(report, message, message.lead if "number" in notification.data else "")

    async def _picture(self, delivery: Delivery, channel: Channel) -> Picture | None:
        """A chart of the incident's signals, if the channel can show it."""
        if self.plotter is None or not channel.facts.shows_pictures or len(delivery.items) > 1:
            return None
        return await self.plotter.picture(*delivery.items[0])

    async def _earlier(self, delivery: Delivery, channel: Channel) -> Sequence[Incident]:
        """For a page with room for them: similar earlier incidents; empty if they take longer than EARLIER_WITHIN."""
        notification, incident = delivery.items[0]
        if notification.kind is not Kind.PAGE or not channel.facts.shows_pictures or len(delivery.items) > 1:
            return ()
        try:
            async with asyncio.timeout(EARLIER_WITHIN):
                return await self._queue.read(self._records.similar, incident)
        except (TimeoutError, StoreUnavailable, StoreDamaged) as error:
            reason = str(error) or "no answer in time"
            log.warning(
                "earlier incidents cannot be read; a page goes without", incident=incident.number, reason=reason
            )
            return ()

    async def _still_ours(self, delivery: Delivery) -> bool:
        """Whether all leases are still valid; False if the store is unavailable, so that nothing is sent twice."""
        claimed = [notification for notification, _ in delivery.items]
        try:
            return await self._queue.run(self._engine.holds, claimed, self._queue.clock(), urgency=_urgency(claimed))
        except (StoreUnavailable, StoreDamaged):
            return False

    def _report(self, reports: Iterable[OutcomeReport]) -> None:
        self._reports.extend(reports)
        if self._reporting is None or self._reporting.done():
            self._reporting = asyncio.create_task(self._flush())

    async def _flush(self) -> None:
        """Report everything that has gathered, one transaction after the other."""
        while self._reports:
            batch, self._reports = self._reports[:REPORTED_AT_ONCE], self._reports[REPORTED_AT_ONCE:]
            await self._record(batch)
            if any(report.notification.level == EMERGENCY for report in batch):  # a fallback or a queued one may be due
                await self.send_emergencies()
            self.on_progress()

    async def _record(self, batch: list[OutcomeReport]) -> None:
        urgency = _urgency([report.notification for report in batch])
        for _ in range(int(SEND_TIMEOUT / REPORT_RETRY)):
            try:
                counted = await self._queue.run(self._engine.report, batch, self._queue.clock(), urgency=urgency)
            except StoreUnavailable as error:
                log.warning("cannot record what was sent; trying again", reason=str(error), messages=len(batch))
                await asyncio.sleep(REPORT_RETRY)
            else:
                self._metrics.lost_leases.inc(len(batch) - counted)
                return
        log.error("could not record what was sent; it will be sent again", messages=len(batch))


def pages_to_close(incident: Incident, notification: Notification) -> range:
    """Serial numbers of the pages that an acknowledgement or a resolve closes.

    Notifications planned by an older release do not contain them: then all pages since the last resolve.
    """
    first, dash, last = notification.data.get("pages", "").partition("-")
    if dash:
        return range(int(first), int(last) + 1)
    return range(incident.pages_closed + 1, incident.page.serial + 1)


def _urgency(messages: Iterable[Notification]) -> int:
    """The urgency of calls to the store about these notifications."""
    return EMERGENCIES if any(each.level == EMERGENCY for each in messages) else STEPS


def _channel(delivery: Delivery) -> str:
    return delivery.items[0][0].channel


def _counted_by(delivery: Delivery) -> tuple[str, bool]:
    """The key of its concurrent messages in `_in_flight`."""
    return _channel(delivery), delivery.items[0][0].level == EMERGENCY
