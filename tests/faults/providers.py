"""Providers as they are: they answer, refuse, fall silent, answer late, or deliver and lose the answer."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from receiver.core.events import Delivered, Outcome, Rejected, Retry
from receiver.core.model import Incident, Instant, Kind, Notification
from receiver.engine.commands import Delivery
from receiver.engine.engine import LEASE
from rules.policy import SECOND
from tests.core.truth import Record
from tests.faults.mirror import Broken
from tests.faults.policy import OUTSIDER

SEND_TIMEOUT = 30 * SECOND
MOODS = ("well", "slow", "silent", "answer lost", "busy", "refuses")


@dataclass(eq=False)
class Attempt:
    """A claimed message on its way."""

    worker: str
    claimed_at: Instant
    delivery: Delivery
    records: Mapping[str, Record]
    """Incident → what was known of it when it was claimed."""
    sent_at: Instant | None = None
    over: str = ""
    """How it ended: reported, or its worker died."""

    @property
    def items(self) -> tuple[tuple[Notification, Incident], ...]:
        return self.delivery.items

    @property
    def ids(self) -> list[str]:
        return [notification.id for notification, _ in self.items]


@dataclass
class Providers:
    """What arrived where, in order of the first byte."""

    dice: Random
    weights: dict[str, tuple[int, ...]] = field(default_factory=dict)
    attempts: dict[str, list[Attempt]] = field(default_factory=lambda: defaultdict(list))
    """Notification → attempts that reached the provider."""
    taken: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Notification → idempotency keys of what the provider took."""
    last: dict[tuple[str, str, str, str], int] = field(default_factory=dict)
    """(incident, channel, recipient, "news", or "" for all) → the sequence of the last that went out."""
    holders: dict[str, str] = field(default_factory=dict)
    """Notification → who leased it last."""
    duplicates: int = 0

    def upset(self, channels: tuple[str, ...]) -> None:
        """Every channel gets its own kind of bad days."""
        for channel in channels:
            kind = self.dice.choice((0, 0, 1, 1, 1, 2, 3))
            self.weights[channel] = (
                (1, 0, 0, 0, 0, 0),
                (6, 2, 1, 1, 1, 0),
                (2, 2, 2, 2, 2, 1),
                (0, 0, 1, 0, 3, 1),
            )[kind]

    def heal(self) -> None:
        """All is well from now on."""
        self.weights.clear()

    def settle(self, notification: Notification) -> None:
        """What its lease's holder reported was committed: that attempt is over, whether its worker knows or not."""
        if notification.leased_by:
            self.holders[notification.id] = notification.leased_by
            return
        for attempt in self.attempts[notification.id]:
            held = {each.id: each.leased_by for each, _ in attempt.items}[notification.id]
            if held == self.holders.get(notification.id):
                attempt.over = attempt.over or "recorded"

    def receive(self, attempt: Attempt, installation: str, now: Instant) -> tuple[Outcome, int, str]:
        """The first byte arrives: the outcome the sender will see, after how long, and the mood it was met with."""
        attempt.sent_at = now
        for notification, incident in attempt.items:
            self._check(attempt, notification, incident)
            self.attempts[notification.id].append(attempt)
        channel = attempt.items[0][0].channel
        mood = self.dice.choices(MOODS, self.weights[channel])[0] if channel in self.weights else "well"
        if mood in {"well", "slow", "answer lost"} or (mood == "silent" and self.dice.random() < 0.5):
            for notification, _ in attempt.items:
                key = f"{installation}-{notification.id}"
                self.duplicates += bool(self.taken[notification.id])
                self.taken[notification.id].append(key)
                if key != self.taken[notification.id][0]:
                    raise Broken(f"{notification.id} was sent again with another key")
        soon = self.dice.randrange(SECOND)
        match mood:
            case "well":
                return Delivered(f"ref-{attempt.ids[0]}"), soon, mood
            case "slow":
                return Delivered(f"ref-{attempt.ids[0]}"), self.dice.randrange(SEND_TIMEOUT), mood
            case "silent":
                return Retry("no answer within 30 s"), SEND_TIMEOUT, mood
            case "answer lost":
                return Retry("the connection was cut"), soon, mood
            case "busy":
                return Retry("busy", self.dice.choice((None, 20 * SECOND))), soon, mood
            case _:
                return Rejected("no such recipient"), soon, mood

    def _check(self, attempt: Attempt, notification: Notification, incident: Incident) -> None:
        is_page = notification.kind is Kind.PAGE
        bundled = notification.bundle_at is not None and not is_page
        # News that waits for its bundle holds no page up.
        queue = (incident.id, notification.channel, notification.recipient, "news" if bundled else "")
        if notification.sequence < self.last.get(queue, 0):
            raise Broken(
                f"{notification.id} overtaken on {notification.channel}: {self.last[queue]} went out before it"
            )
        for what in ("",) if is_page else ("", "news"):
            place = (*queue[:3], what)
            self.last[place] = max(notification.sequence, self.last.get(place, 0))
        if notification.recipient == OUTSIDER and (incident.exercise or notification.kind is not Kind.EXTERNAL):
            raise Broken(f"{notification.id} ({notification.kind}) left the house")
        for earlier in self.attempts[notification.id]:
            lease_over = earlier.claimed_at + LEASE <= attempt.claimed_at
            if not (earlier.over or lease_over):
                raise Broken(f"{notification.id} is sent twice at once: by {earlier.worker} and {attempt.worker}")
