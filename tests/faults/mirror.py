"""What the engines committed, remembered beside the store, and what must hold at every single commit.

The mirror sees every transaction between the engine and the store. So what the store loses afterwards is missed.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from msgspec.structs import replace

from receiver.core.alerts import title_of
from receiver.core.model import Alert, Entry, Fact, Incident, Instant, Notification, State, Status, Window
from receiver.core.plan import PolicyVersion
from receiver.core.storage import Changes
from receiver.messages.timeline import sentence
from rules.policy import CRITICAL, EMERGENCY
from rules.stored import digest
from tests.core.truth import Record, UntrueError, check_line
from tests.faults.paged import Pager, WrongPageError
from tests.faults.policy import POLICY

VERSION = PolicyVersion.of(POLICY, digest(POLICY))
"""Of the worlds without schedules."""

QUIET = {"email", "slack"}
"""Channels that wake no one."""

FIRED_BY = {
    Fact.BREACHED: Window.BREACH,
    Fact.ACK_EXPIRED: Window.ACK_EXPIRY,
    Fact.CLOSED: Window.CLOSE,
    Fact.HELP_UNANSWERED: Window.HELP,
    Fact.RECOVERY_CONFIRM: Window.VERIFY,
    Fact.RECOVERY_UNVERIFIED: Window.VERIFY,
}
"""Facts that only a window can bring about."""
BY_ITSELF = {Fact.ESCALATED: Window.ESCALATE, Fact.RESOLVED: Window.VERIFY}
"""Facts that a window brings about where no person did."""
AT_0 = {Fact.OPENED, Fact.DECLARED, Fact.REOPENED, Fact.ACK_VOIDED, Fact.ACK_EXPIRED, Fact.GIVEN_BACK}
"""From here the steps are counted anew."""
CONCLUDES = {Fact.RESOLVED, Fact.CLOSED, Fact.RECOVERY_CONFIRM, Fact.RECOVERY_UNVERIFIED}
"""What waits while an alert is held as a possible echo."""
DISTURBS = {Fact.SILENCED, Fact.SILENCE_ENDED, Fact.LEVEL_ROSE, Fact.RULE_JOINED, Fact.CHANGED, Fact.REPLANNED}
"""The plan, and so the windows, may be others from here on."""


class Broken(BaseException):
    """A promise was not kept. Not an Exception: the engine contains those."""


@dataclass
class Steps:
    """One run of escalations, from "as at 0" on: which steps must have been taken or recorded as missed by when."""

    began: int
    escalation: int | None
    response: int
    taken: int = 0

    def expected(self, now: int) -> int:
        """Steps due from the beginning of the run until now."""
        since = now - self.began
        if self.escalation is None:
            return 0 if since < self.response else 1
        early = 1 if self.escalation < self.response and since >= self.escalation else 0
        late = 0 if since < self.response else 1 + (since - self.response) // self.escalation
        return early + late


@dataclass
class Mirror:
    """Incidents, alerts, timelines and fates of messages, as committed."""

    words: Callable[[Entry], str] = sentence
    """How a line of the timeline reads."""
    version: PolicyVersion = VERSION
    pager: Pager | None = None
    """Knows whom pages must go to; None: the world has no schedules."""
    incidents: dict[str, Incident] = field(default_factory=dict)
    alerts: dict[str, dict[str, Alert]] = field(default_factory=lambda: defaultdict(dict))
    holders: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Unit → the incident that its alert was stored with last, and under which fingerprint."""
    timeline: dict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    fates: dict[str, Status] = field(default_factory=dict)
    """Notification → its status, as committed last."""
    waiting: dict[str, Notification] = field(default_factory=dict)
    """What is in the outbox; what was overtaken is due at once."""
    messages: dict[str, dict[str, Notification]] = field(default_factory=lambda: defaultdict(dict))
    """Incident → its messages, as committed last."""
    reached: set[tuple[str, int]] = field(default_factory=set)
    """(incident, page) of the pages that reached a person, at levels 3 and 4 by a waking channel."""
    fired: set[tuple[str, Window, int]] = field(default_factory=set)
    steps: dict[str, Steps | None] = field(default_factory=dict)

    def open_key(self, key: str) -> Incident | None:
        """The incident of that key that is not closed."""
        return next((each for each in self.incidents.values() if each.key == key and not _is_closed(each)), None)

    def held(self, unit: str) -> tuple[Incident | None, Alert | None]:
        """The incident that is not closed and holds the unit's alert, and the alert as it is stored there."""
        incident_id, fingerprint = self.holders.get(unit, ("", ""))
        incident = self.incidents.get(incident_id)
        if incident is None or _is_closed(incident):
            return None, None
        alert = self.alerts[incident.id][fingerprint]
        return (incident, alert) if alert.labels["unit"] == unit else (None, None)

    def similar(self, incident: Incident) -> list[Incident]:
        """Earlier closed ones of its type with a cause, a fix or a lesson, the newest two."""
        told = ("root_cause", "fix_description", "lessons_learned")
        found = (
            each
            for each in self.incidents.values()
            if _is_closed(each) and each.type == incident.type and each.number < incident.number and not each.exercise
        )
        return [each for each in found if any(each.facts.get(fact) for fact in told)][-2:]

    def is_due(self, now: Instant) -> bool:
        """Whether a window is."""
        return any(each.due_at is not None and each.due_at <= now for each in self.incidents.values())

    def next_due(self) -> int | None:
        """The earliest window or message."""
        windows = (each.due_at for each in self.incidents.values() if each.due_at is not None)
        return min((*windows, *self._heads()), default=None)

    def has_mail(self, now: Instant) -> bool:
        """Whether a message may be due."""
        return any(at <= now for at in self._heads())

    def _heads(self) -> list[int]:
        """When the first that waits is due, of each queue."""
        heads: dict[tuple[str, str, str], Notification] = {}
        for each in self.waiting.values():
            queue = (each.incident_id, each.channel, each.recipient)
            if queue not in heads or each.sequence < heads[queue].sequence:
                heads[queue] = each
        return [each.due_at for each in heads.values() if each.due_at is not None]

    def take(self, changes: Changes, now: Instant, *, blind: bool) -> None:
        """A transaction was committed: check it, and remember it."""
        entries: dict[str, list[Entry]] = defaultdict(list)
        for entry in changes.entries:
            entries[entry.incident_id].append(entry)
        for incident, alert in changes.alerts:
            old = self.alerts[incident.id].get(alert.fingerprint)
            heard = any(each.fact in {Fact.ECHO_DROPPED, Fact.ECHO_BELIEVED} for each in entries[incident.id])
            was_held = old is not None and old.held_until and not old.firing
            if was_held and not (alert.held_until or alert.firing or heard):
                raise Broken(
                    f"{alert.fingerprint} was held as a possible echo and dropped, though its end was not heard"
                )
            self.alerts[incident.id][alert.fingerprint] = alert
            self.holders[alert.labels["unit"]] = incident.id, alert.fingerprint
        for notification in (*changes.planned, *changes.settled):
            wakes = notification.channel not in QUIET or notification.level < CRITICAL
            if notification.reached_at is not None and wakes:
                self.reached.add((notification.incident_id, notification.page))
            if self.fates.get(notification.id, Status.WAITING) is not Status.WAITING:
                raise Broken(f"{notification.id} was final and is changed again")
            self.fates[notification.id] = notification.status
            self.messages[notification.incident_id][notification.id] = notification
            self.waiting.pop(notification.id, None)
            if notification.due_at is not None:
                self.waiting[notification.id] = notification
        for incident_id, _ in changes.supersedes:
            for each in [each for each in self.waiting.values() if each.incident_id == incident_id]:
                if not each.leased_by:
                    self.waiting[each.id] = replace(each, due_at=each.created_at)
        for after in (*changes.opened, *changes.changed):
            self._check(self.incidents.get(after.id), after, entries[after.id], now, blind=blind)
            before, self.incidents[after.id] = self.incidents.get(after.id), after
            self.timeline[after.id].extend(entries[after.id])
            wrote = [each for each in (*changes.planned, *changes.settled) if each.incident_id == after.id]
            self._check_pages(before, after, entries[after.id], now)
            self._check_lines(before, after, entries[after.id], wrote, now)

    def _check(
        self, before: Incident | None, after: Incident, entries: list[Entry], now: Instant, *, blind: bool
    ) -> None:
        known = before.entries if before else 0
        if [each.position for each in entries] != list(range(known + 1, after.entries + 1)):
            raise Broken(f"timeline of #{after.number} has gaps: {known} → {after.entries}")
        if entries and self.timeline[after.id] and entries[0].at < self.timeline[after.id][-1].at:
            raise Broken(f"timeline of #{after.number} goes back in time")
        if before is not None and before.state is not State.CLOSED and after.opened_at != before.opened_at:
            raise Broken(f"#{after.number} is another incident by now")
        if after.held and any(each.fact in CONCLUDES and not each.by for each in entries):
            raise Broken(f"#{after.number} comes to an end while an alert is held as a possible echo")
        if before is not None and before.is_paused and after.is_paused and any(e.fact is Fact.PAGED for e in entries):
            raise Broken(f"#{after.number} is silenced, and pages")
        self._check_title(after)
        self._check_reach(before, after, entries)
        for entry in entries:
            if entry.fact is Fact.RESOLVED and not entry.by:
                self._check_resolve(before, after, now, blind=blind)
            window = FIRED_BY.get(entry.fact) or (BY_ITSELF.get(entry.fact) if not entry.by else None)
            if window is not None:
                self._check_window(before, window, now)
            self._count(after, entry)

    def _check_lines(
        self,
        before: Incident | None,
        after: Incident,
        entries: list[Entry],
        wrote: list[Notification],
        now: Instant,
    ) -> None:
        """What the timeline says is so when it is written."""
        for entry in entries:
            told = self.timeline[after.id][: entry.position]
            alerts = self.alerts[after.id].values()
            try:
                check_line(
                    self.words(entry),
                    Record(after, told, now, self.version, alerts, wrote, before=before, on_call=self._on_call(now)),
                )
            except UntrueError as lie:
                raise Broken(str(lie)) from lie

    def record(self, incident: Incident, now: Instant) -> Record:
        """All that is known of an incident, as it was when it was that."""
        entries = self.timeline[incident.id][: incident.entries]
        messages = self.messages[incident.id].values()
        alerts = [*self.alerts[incident.id].values()]
        return Record(incident, entries, now, self.version, alerts, [*messages], on_call=self._on_call(now))

    def _on_call(self, now: Instant) -> Mapping[str, Mapping[str, str]] | None:
        return self.pager.on_call.at(now) if self.pager else None

    def _check_pages(self, before: Incident | None, after: Incident, entries: list[Entry], now: Instant) -> None:
        """Checks that all who are paged are on call, and all who are on call are paged."""
        if self.pager is not None:
            with as_broken():
                self.pager.check_commit(before, after, entries, self.messages[after.id].values(), now)

    def check_claim(self, notification: Notification, incident: Incident, now: Instant) -> None:
        """A message is about to leave."""
        if self.pager is not None:
            with as_broken():
                self.pager.check_claim(notification, incident, now)

    def check_open(self, now: Instant) -> None:
        """All is well for a while: who is on call has heard of what is open."""
        for each in self.incidents.values() if self.pager else ():
            if each.wants_answer and not each.is_paused and each.page.serial and each.level >= CRITICAL:
                with as_broken():
                    self.pager.check_open(each, self.messages[each.id].values(), now)  # type: ignore[union-attr]

    def _check_title(self, after: Incident) -> None:
        """What lists, pages and reports call it: what fires, as long as anything does."""
        firing = [each for each in self.alerts[after.id].values() if each.firing and each.level]
        if firing and not after.declared and after.title not in map(title_of, firing):
            raise Broken(f"#{after.number} is called {after.title!r}, and that does not fire")

    def _check_reach(self, before: Incident | None, after: Incident, entries: list[Entry]) -> None:
        """At levels 3 and 4 the rescue ends only with a page on what wakes; an answer that is taken back begins none."""
        goes_on = any(each.fact is Fact.ACK_UNDONE for each in entries)
        was_reached = (
            before is not None and before.page.delivered and (goes_on or before.page.serial == after.page.serial)
        )
        is_told = after.page.delivered and not was_reached and after.level >= CRITICAL
        if is_told and (after.id, after.page.serial) not in self.reached:
            raise Broken(f"the rescue of #{after.number} ended, and its page woke nobody")

    def _check_window(self, before: Incident | None, window: Window, now: Instant) -> None:
        at = before.windows.get(window) if before else None
        if before is None or at is None or at > now:
            raise Broken(f"the window {window} fired early (due at {at}, now {now})")
        if (before.id, window, at) in self.fired:
            raise Broken(f"the window {window} of #{before.number} fired twice")
        self.fired.add((before.id, window, at))

    def _check_resolve(self, before: Incident | None, after: Incident, now: Instant, *, blind: bool) -> None:
        """Resolved by itself: only when the recovery was verified."""
        alerts = self.alerts[after.id].values()
        if blind or any(each.firing for each in alerts) or after.level == EMERGENCY:
            raise Broken(f"#{after.number} resolved by itself on an unverified recovery (blind: {blind})")
        recovered_at = before.recovered_at if before else None
        clearings = [each.ended_at for each in alerts if each.ended_at is not None]
        last = [each for each in alerts if each.ended_at == max(clearings, default=None)]
        if recovered_at is None or recovered_at >= now or (last and all(each.twin for each in last)):
            raise Broken(f"#{after.number} resolved by itself, and nothing proved the recovery")

    def _count(self, after: Incident, entry: Entry) -> None:
        """Every step is taken or recorded as missed."""
        run = self.steps.get(after.id)
        if entry.fact in AT_0:
            escalation = after.windows.get(Window.ESCALATE)
            self.steps[after.id] = Steps(
                entry.at, escalation - entry.at if escalation else None, after.response_due_at - entry.at
            )
        elif (
            entry.fact in DISTURBS
            or entry.fact in {Fact.ACKNOWLEDGED, Fact.RESOLVED}
            or run is None
            or (entry.fact is Fact.ESCALATED and entry.by)
            or (entry.fact is Fact.BREACHED and not after.wants_answer)  # recorded with the answer that came too late
        ):
            self.steps[after.id] = None
        elif entry.fact in {Fact.ESCALATED, Fact.BREACHED, Fact.WINDOW_MISSED}:
            run.taken += int(entry.data.get("steps", 1)) if entry.fact is Fact.WINDOW_MISSED else 1
            if entry.fact is not Fact.WINDOW_MISSED and run.escalation is not None:
                expected = run.expected(entry.at)
                if run.taken != expected:
                    raise Broken(f"#{after.number}: {run.taken} steps taken or missed, {expected} were due")


@contextmanager
def as_broken() -> Iterator[None]:
    """A wrong page is a promise that was not kept."""
    try:
        yield
    except WrongPageError as wrong:
        raise Broken(str(wrong)) from wrong


def _is_closed(incident: Incident) -> bool:
    return incident.state is State.CLOSED
