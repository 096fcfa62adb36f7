"""An engine over a store, and the few words the tests need: fire, clear, claim, deliver."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace

from receiver.core.events import AlertsReceived, Delivered, Outcome
from receiver.core.model import Alert, Incident, Instant, Notification
from receiver.engine.commands import Delivery, OutcomeReport, Request, Result
from receiver.engine.engine import Engine
from receiver.store import SqlStore
from rules.policy import MINUTE, Policy
from tests.core.guide import ALL, POLICY
from tests.core.world import START, alert

ESCALATES = 30 * MINUTE
BREACHES = 60 * MINUTE
"""Of level 3 in the guide's policy."""


class EngineWorld:
    """Times are microseconds after the start."""

    def __init__(self, store: Any, policy: Policy = POLICY) -> None:
        self.store = store
        self.poison: list[tuple[object, Exception]] = []
        self.engine = Engine(store, policy, ALL, START, lambda what, error: self.poison.append((what, error)))

    @property
    def reads(self) -> Any:
        """What the store shows."""
        return self.store.reads()

    def handle(self, *requests: Request, at: int = 0) -> list[Result]:
        """One batch."""
        return self.engine.handle(requests, Instant(START + at))

    def fire(self, key: str = "key", *names: str, level: int = 3, at: int = 0) -> Incident:
        """A webhook whose alerts fire; the incident as it is after it."""
        (result,) = self.handle(firing(key, *names, level=level), at=at)
        assert result.incident is not None, result
        return result.incident

    def fire_due(self, at: int) -> int:
        """Carry out due windows."""
        return self.engine.fire_due(Instant(START + at))

    def claim(self, at: int = 0, worker: str = "w", busy: frozenset[str] = frozenset()) -> list[Delivery]:
        """Take what may be sent."""
        return self.engine.claim(Instant(START + at), worker, busy)

    def report(self, messages: Sequence[Notification], outcome: Outcome | None = None, at: int = 0) -> int:
        """Say how claimed messages fared; by default they were delivered."""
        reports = [OutcomeReport(each, outcome or Delivered(f"ref-{each.id}")) for each in messages]
        return self.engine.report(reports, Instant(START + at))

    def deliver_all(self, at: int = 0) -> list[Notification]:
        """Claim and deliver until nothing is left to send; what was delivered, in order."""
        sent: list[Notification] = []
        while claimed := self.claim(at):
            self.report(messages(claimed), at=at)
            sent += messages(claimed)
        return sent

    def incident(self, incident_id: str) -> Incident:
        """As it is stored."""
        found = self.reads.incident(incident_id)
        assert found is not None
        return found

    def facts(self, incident_id: str) -> list[str]:
        """What its timeline says, in order."""
        return [str(entry.fact) for entry in self.reads.timeline(incident_id)]

    def dump(self) -> str:
        """Everything that is stored, to compare."""
        reads = self.reads
        found, _ = reads.incidents(limit=1000)
        return repr(
            [(each, *(ask(each.id) for ask in (reads.alerts, reads.timeline, reads.notifications))) for each in found]
        )


class Meddler:
    """A store of the real kind, in whose first `lock` something else happens: another replica, or a failure."""

    def __init__(self, store: SqlStore, meddle: Callable[[], None]) -> None:
        self.store = store
        self.meddle = meddle
        self.transactions = 0

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A transaction that is watched."""
        with self.store.transaction() as transaction:
            self.transactions += 1
            yield _Watched(transaction, self.meddle)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


class _Watched:
    def __init__(self, transaction: Any, meddle: Callable[[], None]) -> None:
        self._transaction = transaction
        self._meddle = meddle

    def lock(self, keys: Sequence[str], ids: Sequence[str], *, skip_locked: bool = False) -> list[Incident]:
        """Locks, and then something happens."""
        found: list[Incident] = self._transaction.lock(keys, ids, skip_locked=skip_locked)
        self._meddle()
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transaction, name)


def firing(key: str = "key", *names: str, level: int = 3, **labels: str) -> AlertsReceived:
    """What a webhook becomes. Each key has alerts of its own: one alert is never in two incidents."""
    own = "" if key == "key" else f"{key}."
    return AlertsReceived(key, "", tuple(_labelled(alert(own + name, level), labels) for name in names or ("a",)))


def _labelled(some: Alert, labels: dict[str, str]) -> Alert:
    return replace(some, labels={**some.labels, **labels})


def messages(claimed: Sequence[Delivery]) -> list[Notification]:
    """All messages of these deliveries."""
    return [notification for delivery in claimed for notification, _ in delivery.items]


def on(channel: str, some: Sequence[Notification]) -> Notification:
    """The one message on a channel."""
    (found,) = [each for each in some if each.channel == channel]
    return found
