"""A simulated world for a policy: the real engine, a clock that jumps to the next due event, and simulated channels.

All of this package uses it. The same policy, events, channel faults and seed give an identical world.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NoReturn

from receiver.core.events import Delivered, Outcome, Rejected, Retry
from receiver.core.model import Entry, Incident, Instant, Kind, Notification, Status
from receiver.core.plan import PolicyVersion
from receiver.core.reached import has_reached
from receiver.drill.memory_store import MemoryStore
from receiver.engine.commands import OutcomeReport, Request, Result
from receiver.engine.engine import Engine
from rules.policy import CRITICAL, Channel, Policy

START = Instant(1_767_225_600_000_000)
"""2026-01-01T00:00:00Z: the fixed start of drills, for repeatable results."""


def begins_at(policy: Policy, now: Instant) -> Instant:
    """The start of a drill of the policy: now if the policy has schedules, otherwise `START`."""
    return now if policy.schedules else START


WORKER = "drill"

NOBODY_REACHED = Retry("nobody is reached in this drill")


@dataclass(frozen=True, slots=True)
class ChannelFaults:
    """The behaviour of the channels. Names are channels' names, or types for all channels of the type."""

    down: frozenset[str] = frozenset()
    """Every message fails."""
    flaky: Mapping[str, float] = field(default_factory=dict)
    """Name → share of failed attempts, from 0 to 1."""
    seed: str = ""
    """The seed that selects the failing attempts."""
    missing: frozenset[str] = frozenset()
    """Recipients to whom no message gets through."""
    nobody_reached: bool = False
    """No page that would reach a person gets through; everything else does."""

    def outcome(self, notification: Notification, channel: Channel | None, *, would_reach: bool = False) -> Outcome:
        """The outcome of one attempt. `would_reach`: it is a page that reaches a person if it gets through."""
        if channel is None:
            return Rejected("no such channel")
        if _has_no_address(channel, notification.recipient):
            return Rejected(f"no number for {notification.recipient}: call by hand")
        names = (channel.name, channel.type)
        if self.down.intersection(names):
            return Retry("down in this drill")
        if notification.recipient in self.missing:
            return Retry("not there in this drill")
        if self.nobody_reached and would_reach:
            return NOBODY_REACHED
        share = max(self.flaky.get(name, 0.0) for name in names)
        if share > 0 and self._throw(notification) < share:
            return Retry("flaky in this drill")
        return Delivered(f"drill/{notification.id}")

    def _throw(self, notification: Notification) -> float:
        """A number in [0, 1) for each attempt, the same for the same seed."""
        text = f"{self.seed}/{notification.id}/{notification.attempts}"
        return int.from_bytes(blake2b(text.encode(), digest_size=4).digest()) / 2**32


def _has_no_address(channel: Channel, recipient: str) -> bool:
    """Whether the recipient is a plain name, of a person to be called by hand."""
    is_personal = channel.facts.address.is_personal
    return channel.facts.called_by_hand and is_personal is not None and not is_personal(recipient)


@dataclass(frozen=True, slots=True)
class Sent:
    """One delivery attempt."""

    at: Instant
    notification: Notification
    outcome: Outcome
    reached: bool = False
    """Whether it is a page that reached a person."""

    @property
    def would_reach(self) -> bool:
        """Whether it failed only because of `ChannelFaults.nobody_reached`."""
        return self.outcome == NOBODY_REACHED


def nothing() -> None:
    """Default callback; does nothing."""


class World:
    """Simulated incidents under a policy. Messages take no time; everything else takes its real time."""

    def __init__(
        self,
        policy: Policy,
        channel_faults: ChannelFaults | None = None,
        configured: Iterable[str] | None = None,
        now: Instant = START,
    ) -> None:
        """`configured`: channels whose provider is configured; None: all."""
        self.now = now
        self.until = now
        """The target of the current `advance`."""
        self.channel_faults = channel_faults or ChannelFaults()
        self.store = MemoryStore()
        names = [channel.name for channel in policy.channels] if configured is None else configured
        self.engine = Engine(self.store, policy, names, now, _raise)
        self.engine.standing.receipts = True
        self.sent: list[Sent] = []
        """All attempts, in order."""
        self.after_step: Callable[[], None] = nothing
        """Called after all events of one instant, so that simulated people can act."""

    @property
    def policy_version(self) -> PolicyVersion:
        """The policy, indexed."""
        return self.engine.current

    @property
    def timeline(self) -> Sequence[Entry]:
        """The entries of all incidents, in order."""
        return self.store.timeline

    def incident(self, incident_id: str) -> Incident:
        """The current state of the incident."""
        return self.store.incidents[incident_id]

    def handle(self, *requests: Request) -> list[Result]:
        """Handle requests now, with their immediate consequences."""
        results = self.engine.handle(requests, self.now)
        self._send()
        return results

    def advance(self, until: Instant, enough: Callable[[], bool] = lambda: False) -> None:
        """Advance the clock through all due events until `until`, or until `enough` returns true."""
        self.until = until
        while not enough() and (due_at := self.store.next_due()) is not None and due_at <= until:
            self.now = max(self.now, due_at)
            self.engine.fire_due(self.now)
            self._send()
            self.after_step()
        if not enough():
            self.now = max(self.now, until)

    def _send(self) -> None:
        while deliveries := self.engine.claim(self.now, WORKER):
            reports = []
            for delivery in deliveries:
                head = delivery.items[0][0]
                would_reach = self.channel_faults.nobody_reached and self._would_reach(head)
                outcome = self.channel_faults.outcome(
                    head, delivery.context.channel(head.channel), would_reach=would_reach
                )
                reports += [OutcomeReport(notification, outcome) for notification, _ in delivery.items]
            self.engine.report(reports, self.now)
            for each in reports:
                if isinstance(each.outcome, Delivered):
                    self._receive(each.notification, each.outcome.reference)
                reached_at = self.store.outbox[each.notification.id].reached_at
                self.sent.append(Sent(self.now, each.notification, each.outcome, reached_at is not None))

    def _would_reach(self, notification: Notification) -> bool:
        """Whether it is a page that reaches a person if it gets through, with the receipts of `_receive`."""
        level = notification.level
        if notification.kind is not Kind.PAGE:
            return False
        context = self.engine.context_at(self.now)
        can_wake = level >= CRITICAL and context.can_wake
        facts = context.facts(notification.channel)
        return has_reached(Status.DELIVERED, facts, level, receipts=True, can_wake=can_wake)

    def _receive(self, notification: Notification, reference: str) -> None:
        """Simulate receipts of accepted messages: an SMS is delivered, a call is answered."""
        channel = self.policy_version.channels.get(notification.channel)
        if channel is not None and channel.facts.reached_when != "accepted":
            self.engine.arrive(notification.id, reference, self.now, f"{channel.facts.reached_when} in this drill")


def _raise(_event: object, error: Exception) -> NoReturn:
    """Raises the error: the service contains errors of decisions, a drill must reveal them."""
    raise error
