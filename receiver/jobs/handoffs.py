"""Keeps the shift log and sends handoff messages. The service runs `Handoffs.look` every few seconds.

`receiver.core.shift_log` decides about new entries and messages; these are stored before anything is sent, so several
replicas log and send once. People newly on call are paged about open incidents.
"""

import asyncio

import structlog

from receiver.channels import SEND_TIMEOUT, Outgoing, Senders, without_address
from receiver.core.events import Outcome, Overtaken, Rejected, Retry
from receiver.core.model import Incident, Instant, Kind, Notification, Reason
from receiver.core.plan import DecisionContext
from receiver.core.shift_log import (
    LISTED,
    HandoffMessage,
    ShiftEntry,
    ShiftNotes,
    is_overtaken,
    listed,
    note_shifts,
    settle_message,
)
from receiver.core.urgency import CLAIMS, STEPS
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.messages.handoff_text import HandoffText
from receiver.on_call.calendar_copy import copies_for
from receiver.on_call.expand import shifts, why_void
from receiver.on_call.override_log import as_override, in_effect, kept
from receiver.store import SqlStore
from rules.policy import HOUR, INFORMATIONAL
from rules.time_zones import time_zone

EVERY = 10.0
"""Seconds between two runs."""

AHEAD = 35 * 24 * HOUR
"""Microseconds ahead within which the end of a shift is searched."""

BACK = 24 * HOUR
"""Microseconds back within which a handoff that was not logged is still logged."""

log = structlog.get_logger()


class Handoffs:
    """Logs the starts and ends of shifts, and notifies the people concerned."""

    def __init__(self, queue: CommandQueue, engine: Engine, store: SqlStore, senders: Senders, console: str) -> None:
        """`console`: the console's public URL; empty: none."""
        self._queue = queue
        self._engine = engine
        self._store = store
        self._senders = senders
        self._console = console
        self._looked_at: Instant | None = None
        """When the log was last complete."""

    async def look(self) -> None:
        """Log new shifts, and send due messages. Raises StoreUnavailable."""
        now = self._queue.clock()
        position, noted = await self._queue.browse(self._compare, now)
        if not noted.entries or await self._queue.run(self._store.handoffs.note, position, noted, urgency=STEPS):
            self._looked_at = now
        if noted.entries and self._looked_at == now:
            for each in noted.entries:
                _say(each)
            await self._queue.run(self._engine.page_on_call, now, urgency=STEPS)
        due = await self._queue.run(self._store.handoffs.claim, now, urgency=CLAIMS)
        if due:
            _, last = await self._queue.browse(self._store.handoffs.last)
            await asyncio.gather(*(self._carry(each, last.get(each.schedule)) for each in due))

    def _compare(self, now: Instant) -> tuple[int, ShiftNotes]:
        """The log's last position, and the entries and messages to add."""
        reads, current = self._store.reads(), self._engine.current
        position, last = self._store.handoffs.last()
        changes = kept(reads.override_changes())
        calendars = copies_for(current.policy, reads.calendar_texts())
        rosters = shifts(current.policy, calendars, in_effect(changes), now - BACK, now + AHEAD)
        context = self._engine.context(current, rosters, now)
        void = [(each, why_void(current.policy, as_override(each))) for each in changes if not each.is_over(now)]
        looked_at = self._looked_at
        noted = note_shifts(context, last, void, listed((), 0), looked_at)
        if not noted.messages:
            return position, noted
        total = sum(reads.overview.live().values())
        return position, note_shifts(context, last, void, listed(reads.overview.urgent(LISTED), total), looked_at)

    async def _carry(self, message: HandoffMessage, last: ShiftEntry | None) -> None:
        """Send a message unless it is no longer true, and store its outcome. `last`: its schedule's last entry."""
        context = self._engine.context(self._engine.current)
        outcome = Overtaken() if is_overtaken(message, last) else await self._send(message, context)
        settled = settle_message(message, outcome, context, self._queue.clock())
        level = log.info if settled.due_at is None and not settled.detail else log.warning
        level(
            "a message of a handoff was overtaken" if isinstance(outcome, Overtaken) else "a handoff was told",
            schedule=message.schedule,
            person=message.person,
            channel=message.channel,
            status=settled.status,
            reason=settled.detail,
        )
        await self._queue.run(self._store.handoffs.keep, settled, urgency=STEPS)

    async def _send(self, message: HandoffMessage, context: DecisionContext) -> Outcome:
        channel = context.channel(message.channel)
        sender = self._senders.get(channel.type) if channel else None
        if channel is None or sender is None or not channel.enabled:
            return Rejected(f"channel {message.channel} is not configured")
        notification = _notification(message)
        person = context.current.policy.person(message.person)
        words = HandoffText(message, time_zone(person.time_zone if person else "UTC"), self._console)
        outgoing = Outgoing(
            notification=notification,
            channel=channel,
            message=words.as_message(),
            thread="",
            key=f"{self._store.installation}-{message.id}",
            incident_ref=f"{self._store.installation}-{message.id}",
            incident=_stand_in(message),
            pages=range(0),
            name=message.id,
        )
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                return without_address(await sender.send(outgoing), notification)
        except TimeoutError:
            return Retry(f"no answer within {SEND_TIMEOUT:.0f} s")
        except Exception as error:
            log.exception("telling a handoff failed unexpectedly", channel=message.channel)
            return Retry(f"internal error ({type(error).__name__})")


def _say(entry: ShiftEntry) -> None:
    if entry.override:
        words = {"schedule": entry.schedule, "override": entry.override, "reason": entry.void}
        (log.warning if entry.void else log.info)(
            "an override is void: nobody is on call by it" if entry.void else "an override is in effect again", **words
        )
        return
    log.info("who is on call is noted", schedule=entry.schedule, on_call=", ".join(entry.people) or "nobody")


def _notification(message: HandoffMessage) -> Notification:
    """The notification for senders; it belongs to no incident."""
    return Notification(
        id=message.id,
        incident_id="",
        sequence=1,
        kind=Kind.NOTICE,
        reason=Reason.HANDOFF,
        channel=message.channel,
        recipient=message.recipient,
        level=INFORMATIONAL,
        created_at=message.created_at,
        due_at=message.due_at,
        give_up_at=message.created_at,
        attempts=message.attempts,
        person=message.person,
    )


def _stand_in(message: HandoffMessage) -> Incident:
    """An incident for senders, which require one; its text is not used."""
    return Incident(
        id=message.id,
        key="handoff",
        policy="",
        level=INFORMATIONAL,
        type="handoff",
        title="",
        opened_at=message.at,
        response_due_at=message.at,
    )
