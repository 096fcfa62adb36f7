"""An incident while it is being decided on: each rule adds its changes to the draft.

Used only inside the core; `effects()` returns the finished, immutable decision.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from receiver.core.backoff import schedule_of
from receiver.core.model import (
    Alert,
    Entry,
    Fact,
    FileChange,
    Incident,
    Instant,
    Kind,
    Notification,
    Reason,
    State,
    Status,
    Supersede,
    Target,
    Window,
)
from receiver.core.outside import KEPT_IN, split
from receiver.core.plan import DecisionContext, Plan

NO_ALERTS: Mapping[str, Alert] = MappingProxyType({})

NO_WORDS: Mapping[str, str] = MappingProxyType({})

LAST = Instant(2**62)
"""After every instant."""


class RefusedError(Exception):
    """An action cannot be carried out; the message says why. A rule raises it before it changes anything.

    It does not leave the core: `decide` turns it into a Refusal.
    """


class Refusal(Struct, frozen=True):
    """Why an action was not carried out, with the incident's present state."""

    reason: str
    state: State


class Effects(Struct, frozen=True):
    """What one decision stores, in one transaction. `incident` None: nothing to store."""

    incident: Incident | None = None
    notifications: tuple[Notification, ...] = ()
    """New ones, and ones that a sender's report changed (same id)."""
    entries: tuple[Entry, ...] = ()
    alerts: tuple[Alert, ...] = ()
    supersedes: tuple[Supersede, ...] = ()
    refusal: Refusal | None = None
    files: tuple[FileChange, ...] = ()


class Draft:
    """One decision in progress. `incident` is the incident as decided so far."""

    def __init__(
        self, incident: Incident, now: Instant, context: DecisionContext, known: Mapping[str, Alert] = NO_ALERTS
    ) -> None:
        """`known`: the stored alerts that the event concerns, by fingerprint."""
        self.known = known
        self.incident = incident
        self.now = now
        self.context = context
        self._notifications: list[Notification] = []
        self._entries: list[Entry] = []
        self._alerts: list[Alert] = []
        self._supersedes: list[Supersede] = []
        self._files: list[FileChange] = []

    @property
    def plan(self) -> Plan:
        """The plan of the incident as it is now."""
        return self.context.policy_version.plan(self.incident)

    def set(self, **changes: Any) -> None:
        """Change fields of the incident. Callers that need the previous incident keep it before the first change."""
        self.incident = replace(self.incident, **changes)

    def respond(self, **changes: Any) -> None:
        """Change fields of the incident's Response."""
        self.set(response=replace(self.incident.response, **changes))

    def enter(self, fact: Fact, by: str = "", **data: str | int) -> None:
        """Add an entry to the timeline."""
        position = self.incident.entries + len(self._entries) + 1
        words = {name: str(value) for name, value in data.items() if value != ""}
        self._entries.append(Entry(self.incident.id, position, self.now, fact, by, words))

    def has(self, fact: Fact) -> bool:
        """Whether this decision has entered that fact."""
        return any(entry.fact is fact for entry in self._entries)

    @property
    def entered(self) -> Sequence[Entry]:
        """The timeline entries of this decision so far."""
        return self._entries

    def keep(self, alert: Alert) -> None:
        """Store an alert."""
        self._alerts.append(alert)

    def change_file(self, change: FileChange) -> None:
        """Keep or remove the content of an evidence file."""
        self._files.append(change)

    def arm(self, window: Window, at: int) -> None:
        """Set a window, replacing one of the same kind."""
        self.set(windows={**self.incident.windows, window: Instant(at)})

    def disarm(self, *windows: Window) -> None:
        """Remove windows; those not set are ignored."""
        if not self.incident.windows.keys().isdisjoint(windows):
            self.set(windows={window: at for window, at in self.incident.windows.items() if window not in windows})

    def notify(
        self,
        kind: Kind,
        reason: Reason,
        targets: Iterable[Target],
        words: Mapping[str, str] = NO_WORDS,
        status: Status = Status.WAITING,
        until: Instant | None = None,
    ) -> None:
        """Plan a notification to each target. `status` UNDELIVERABLE records one that cannot be sent; `until`: the
        latest time at which it is given up. An exercise plans none to outside recipients (`receiver.core.outside`).
        """
        words = {name: value for name, value in words.items() if value}
        if self.incident.exercise and status is Status.WAITING:
            targets, kept_in = split(self.context, targets)
            self.notify(kind, reason, kept_in, {**words, "why": KEPT_IN}, Status.UNDELIVERABLE)
            for channel in dict.fromkeys(target.channel for target in kept_in):
                self.enter(Fact.UNDELIVERABLE, channel=channel, why=KEPT_IN)
        waiting = status is Status.WAITING
        for target in targets:
            sequence = self.incident.sequence + len(self._notifications) + 1
            schedule = schedule_of(self.context.facts(target.channel))
            person = self.context.person(target)
            via = self._via(target) if kind is Kind.PAGE and person else ""
            shift = self.context.shift(via, person) if via else None
            self._notifications.append(
                Notification(
                    id=f"{self.incident.id}-{sequence}",
                    incident_id=self.incident.id,
                    sequence=sequence,
                    kind=kind,
                    reason=reason,
                    channel=target.channel,
                    recipient=target.recipient,
                    level=self.incident.level,
                    created_at=self.now,
                    due_at=self.now if waiting else None,
                    give_up_at=min(Instant(self.now + schedule.give_up_after), until or LAST),
                    page=self.incident.page.serial if kind is Kind.PAGE else 0,
                    status=status,
                    done_at=None if waiting else self.now,
                    data=words,
                    person=person,
                    via=via,
                    shift=shift.source if shift else "",
                )
            )

    def _via(self, target: Target) -> str:
        """The reference by which a person is paged at the target; of a personal target, from the page's channels."""
        return self.context.reference(target, (*self.incident.page.told, *self.plan.breach))

    def supersede(self, kinds: Iterable[Kind], channels: Iterable[str] | None = None) -> None:
        """Supersede waiting notifications of these kinds (on these channels; None: all) planned before this call."""
        before = self.incident.sequence + len(self._notifications) + 1
        self._supersedes.append(
            Supersede(frozenset(kinds), before, frozenset(channels) if channels is not None else None)
        )

    def effects(self, *changed: Notification) -> Effects:
        """The finished decision. `changed`: stored notifications in their new form."""
        self.set(
            entries=self.incident.entries + len(self._entries),
            sequence=self.incident.sequence + len(self._notifications),
            version=self.incident.version + 1,
        )
        return Effects(
            self.incident,
            (*changed, *self._notifications),
            tuple(self._entries),
            tuple(self._alerts),
            tuple(self._supersedes),
            files=tuple(self._files),
        )
