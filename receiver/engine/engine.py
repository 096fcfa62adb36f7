"""Transactions that run `decide()`: the only way to store decisions. Synchronous; called on one thread.

Rules: incidents are locked first, in key order; everything else is changed only under these locks. One call is one
transaction (group commit): its results are committed. After a conflict between replicas the batch runs again; after any
other error each item runs alone, so that one bad row does not stop the rest.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache

from msgspec import Struct
from msgspec.structs import replace

from receiver.core.alerts import title_with_value
from receiver.core.audit_log import Audit, Ledger
from receiver.core.cluster import Cluster
from receiver.core.draft import Refusal
from receiver.core.events import (
    AlertsReceived,
    Arrived,
    Bounced,
    EchoesListed,
    Event,
    Overtaken,
    Relieved,
    Reported,
    RosterChanged,
    TimePassed,
)
from receiver.core.handoff import is_relieved
from receiver.core.instant import Jump
from receiver.core.model import Alert, Entry, Incident, Instant, Notification, State, Status
from receiver.core.plan import DecisionContext, PolicyVersion
from receiver.core.rate_limit import allot, bundle, counted_when_due, counted_when_planned, rate_limit_key
from receiver.core.sight import SIGHTED, Sight
from receiver.core.storage import Store, Transaction
from receiver.engine.commands import (
    Asked,
    Concerned,
    Delivery,
    ForIncident,
    FromPrometheus,
    OutcomeReport,
    Request,
    Result,
)
from receiver.engine.containment import Containment
from receiver.engine.unit_of_work import UnitOfWork
from receiver.errors import RowUnreadable, StoreDamaged
from receiver.on_call.calendar_copy import copies_for
from receiver.on_call.expand import shifts
from receiver.on_call.override_log import OverrideChange, in_effect, kept
from receiver.on_call.shift import Roster
from rules.policy import HOUR, LEVELS, SECOND, Policy
from rules.stored import digest, dump, parse

LEASE = 45 * SECOND
"""Microseconds of a claim: longer than the timeout of any channel (30 s)."""

BUNDLE_LIMIT = 500
"""Incidents per bundle; further ones leave at once in the next bundle."""

EPOCH = Instant(0)

OPEN_LIMIT = 1000
"""Open incidents about which an override or a new calendar pages people newly on call; of others they learn later."""

OPEN_AT_ONCE = 100
"""Of these, incidents per transaction."""

ROSTERED_DAYS = 8
"""Days ahead in the rosters that decisions see: longer than a week's shift, so that most ends are included."""

BUNDLE_NAMES = 10
"""Incidents of a bundle whose alerts its text may name."""

NAMED_ALERTS = 10
"""Alerts of an incident that a text may name; it gives the number of the others."""

READ_FOR_NEWS = 500
"""Alerts of an incident that are searched for the one that a page reports."""

Outcomes = tuple[tuple[str, ...], Refusal | None]
"""Ids of the incidents that a request concerned, and its refusal (None: carried out)."""


class EngineState(Struct):
    """The inputs of decisions beside incident and event: `Engine.adopt` sets the first two, the service the others."""

    policy: str = ""
    """Digest of the policy version for new incidents."""
    configured: frozenset[str] = frozenset()
    """Channels whose provider is configured."""
    sight: Sight = SIGHTED
    """Which sources are blind, because their heartbeat is missing or their rules fail."""
    verifies: bool = False
    """Whether a Prometheus is configured for queries."""
    cluster: Cluster = Cluster()
    """The Alertmanagers that send webhooks here."""
    jumps: Sequence[Jump] = ()
    """Jumps of the clock that Tocsin's time has followed; the service appends to it."""
    receipts: bool = False
    """Whether providers can call back."""
    accounts: frozenset[str] = frozenset()
    """Names of the accounts that may log in."""


class Engine:
    """The policy and the store, and the operations on them."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        configured: Iterable[str],
        now: Instant,
        on_poison: Callable[[object, Exception], None] = lambda *_: None,
        on_entries: Callable[[Iterable[tuple[Incident, Entry]]], None] = lambda _: None,
    ) -> None:
        """`configured`: channels whose provider is configured. `on_poison` is called with each item that fails, and its
        error; `on_entries` with committed timeline entries, each with its incident.
        """
        self._store = store
        self._on_entries = on_entries
        self._policy_versions: dict[str, PolicyVersion] = {}
        self._containment = Containment(self._put_off, on_poison)
        self.standing = EngineState()
        self.held_rosters: Sequence[Roster] | None = None
        """Who is on call at all times, instead of by the schedules (set by drills); None: by the schedules."""
        self._overrides: list[tuple[int, OverrideChange]] = []
        self._calendars: dict[str, tuple[str, str]] = {}
        self._rostered: tuple[tuple[object, ...], Sequence[Roster]] | None = None
        self.keep_policy(policy, now)
        self._current: PolicyVersion
        self.adopt(policy, configured)

    def stand(self, standing: EngineState) -> None:
        """Use these inputs for decisions from now on. Raises StoreUnavailable."""
        if standing.policy != self._current.digest:
            self._current = self.policy_version(standing.policy)
        self.standing = standing

    @property
    def current(self) -> PolicyVersion:
        """The policy version for new incidents."""
        return self._current

    def keep_policy(self, policy: Policy, now: Instant) -> None:
        """Store a policy; required before `adopt`, as incidents refer to stored versions. Raises StoreUnavailable."""
        with self._store.transaction() as transaction:
            transaction.save_policy(digest(policy), dump(policy), now)

    def adopt(self, policy: Policy, configured: Iterable[str]) -> None:
        """Put a stored policy into use (at start and reload)."""
        policy_version = PolicyVersion.of(policy, digest(policy))
        self._policy_versions[policy_version.digest] = self._current = policy_version
        self.standing.policy, self.standing.configured = policy_version.digest, frozenset(configured)

    def known_policy_version(self, version: str) -> PolicyVersion:
        """A policy version that is in memory. Raises KeyError."""
        return self._policy_versions[version]

    def policy_version(self, version: str) -> PolicyVersion:
        """A policy version, from memory or the store. Raises StoreUnavailable."""
        if version in self._policy_versions:
            return self._policy_versions[version]
        with self._store.transaction() as transaction:
            return self.find_policy_version(version, transaction.policy)

    def find_policy_version(self, version: str, read: Callable[[str], bytes | None]) -> PolicyVersion:
        """A policy version, from memory or by `read`, which returns its document. Readers' threads call it too.

        The one in use if the store has lost it, which only damage can cause: versions are stored before use.
        """
        if version not in self._policy_versions:
            document = read(version)
            if document is None:
                return self._current
            self._policy_versions[version] = PolicyVersion.of(parse(document), version)
        return self._policy_versions[version]

    def handle(self, requests: Sequence[Request], now: Instant) -> list[Result]:
        """Decide and store a batch in one transaction; one result per request, in order.

        Raises StoreUnavailable: then nothing is known to be stored. A request that failed has `error` in its result.
        """
        return self._containment.run(requests, lambda batch: self._handle(batch, now), lambda _, error: _failure(error))

    def answer(self, requests: Sequence[Request], now: Instant) -> list[Result]:
        """As `handle`, but only people's requests get whole incidents: other callers do not use them, and they are most
        of the data sent between the processes.
        """
        results = self.handle(requests, now)
        return [
            result if isinstance(request, Asked | ForIncident) else replace(result, incidents=())
            for request, result in zip(requests, results, strict=True)
        ]

    def _handle(self, requests: Sequence[Request], now: Instant) -> list[Result]:
        with self._working(now) as (transaction, work):
            bare = [each.what if isinstance(each, Asked) else each for each in requests]
            work.load_received(
                [each for each in bare if isinstance(each, AlertsReceived)],
                [each.key for each in bare if not isinstance(each, ForIncident | FromPrometheus)],
                [each.id for each in bare if isinstance(each, ForIncident | FromPrometheus)],
            )
            if any(isinstance(each, EchoesListed) for each in bare):
                work.load_held()
            references = {each.origin.reference for each in requests if isinstance(each, Asked)} - {""}
            ledger = Ledger(transaction.audited(references), now)
            outcomes = [self._carry_out(work, request, ledger) for request in requests]
            self._save(transaction, work, now)
            transaction.append_audits(ledger.audits(work.by_id))
            return [_result(work, *outcome) for outcome in outcomes]

    def _save(self, transaction: Transaction, work: UnitOfWork, now: Instant) -> None:
        """Write the decisions; new pages beyond their recipients' rate limits wait for a bundle."""
        planned = counted_when_planned(work.planned(), self.context(self._current))
        work.plan(self._allot(transaction, planned, now))
        work.save()

    def _allot(self, transaction: Transaction, counted: Sequence[Notification], now: Instant) -> Sequence[Notification]:
        """Charge counted notifications to their rate limits; returns those that must wait, in their new form."""
        if not counted:
            return ()
        buckets = transaction.buckets(sorted({rate_limit_key(each) for each in counted}))
        allotment = allot(counted, buckets, now, self.context(self._current))
        transaction.save_buckets(allotment.buckets)
        return allotment.wait

    def _carry_out(self, work: UnitOfWork, request: Request, ledger: Ledger) -> Outcomes:
        """Decide one request; returns the ids of its incidents, and its refusal."""
        match request:
            case Asked():
                return self._ask(work, request, ledger)
            case AlertsReceived():
                parts = [self._decide(work, work.by_key(part.key), part) for part in work.route(request)]
                return tuple(each for ids, _ in parts for each in ids), None
            case ForIncident():
                return self._decide(work, work.by_id(request.id), request.action)
            case FromPrometheus():
                return self._decide(work, work.by_id(request.id), request.answer)
            case _:
                return self._decide(work, work.by_key(request.key), request)

    def _decide(self, work: UnitOfWork, incident: Incident | None, event: Event) -> Outcomes:
        effects = work.decide(incident, event)
        concerned = effects.incident or incident
        return ((concerned.id,) if concerned else ()), effects.refusal

    def _ask(self, work: UnitOfWork, asked: Asked, ledger: Ledger) -> Outcomes:
        """Carry out a person's request, unless it is a repetition, and record it for the audit log."""
        what = asked.what
        if ledger.is_repeated(asked.origin):
            known = work.by_id(what.id) if isinstance(what, ForIncident) else work.by_key(what.key)
            refusal = Refusal("this was carried out already", known.state if known else State.CLOSED)
            return ((known.id,) if known else ()), refusal
        ids, refused = self._carry_out(work, what, ledger)
        action = what.action if isinstance(what, ForIncident) else what
        ledger.note(asked.origin, action, ids[0] if ids else None, refused)
        return ids, refused

    def audit(self, audits: Sequence[Audit]) -> None:
        """Record actions without an incident (logins, reloads) in the audit log; once per reference."""
        with self._store.transaction() as transaction:
            known = transaction.audited({each.reference for each in audits} - {""})
            transaction.append_audits([each for each in audits if each.reference not in known])

    def retire_heartbeat(self, key: str, entry: Audit) -> None:
        """Stop expecting a heartbeat; `entry` is the audit log's entry of it. Raises StoreUnavailable."""
        self._store.retire_heartbeat(key, entry)

    def fire_due(self, now: Instant, limit: int = 500) -> int:
        """Process due windows, the most overdue first; returns the number of incidents concerned."""
        contained = self._containment
        with self._store.transaction() as transaction:
            found = transaction.due_incidents(now, limit + contained.left_alone)
        due = contained.not_left_alone(found, now)[:limit]
        return sum(
            contained.run(due, lambda ids: self._fire(ids, now), lambda each, _: contained.postpone(each, now, 0))
        )

    def _fire(self, ids: Sequence[str], now: Instant) -> list[int]:
        with self._working(now) as (transaction, work):
            work.load([], ids, skip_locked=True)
            work.load_held()
            due = [incident for incident in work.incidents() if incident.due_at and incident.due_at <= now]
            for incident in due:
                work.decide(incident, TimePassed())
            self._save(transaction, work, now)
            return [len(due)]

    def claim(
        self,
        now: Instant,
        worker: str,
        busy: frozenset[str] = frozenset(),
        levels: Sequence[int] = LEVELS,
        limit: int = 32,
    ) -> list[Delivery]:
        """Lease due notifications to `worker`, in order per incident, channel and recipient.

        `busy`: names of channels at their limit of concurrent messages. `levels`: only incidents with a due
        notification of these levels. `limit`: incidents, those of bundles not counted.
        """
        contained = self._containment
        with self._store.transaction() as transaction:
            more = contained.left_alone
            alone = transaction.sendable_incidents(now, limit + more, busy, levels)
            bundled = transaction.bundled_incidents(now, BUNDLE_LIMIT + more, busy, levels)
        ids = contained.not_left_alone(alone, now)[:limit] + contained.not_left_alone(bundled, now)[:BUNDLE_LIMIT]
        none: list[Delivery] = []
        claimed = contained.run(
            ids,
            lambda some: [self._claim(some, worker, now, busy)],
            lambda each, _: contained.postpone(each, now, none),
        )
        return [delivery for deliveries in claimed for delivery in deliveries]

    def _claim(self, ids: Sequence[str], worker: str, now: Instant, busy: frozenset[str]) -> list[Delivery]:
        with self._working(now) as (transaction, work):
            work.load([], ids, skip_locked=True)
            heads = transaction.heads([incident.id for incident in work.incidents()], now, busy)
            for overtaken in (each for each in heads if each.superseded):
                work.decide(work.by_id(overtaken.incident_id), Reported(_without_lease(overtaken), Overtaken()))
            due = [each for each in heads if not (each.superseded or self._relieve(work, each))]
            work.plan(self._allot(transaction, counted_when_planned(work.planned(), self.context(self._current)), now))
            wait = self._allot(transaction, counted_when_due(due, self.context(self._current)), now)
            held = {each.id for each in wait}
            leased = [_lease(each, worker, now) for each in due if each.id not in held]
            work.settle((*leased, *wait))
            messages = [_worst_first(each, work) for each in bundle(leased)]
            threads = transaction.threads([message[0] for message in messages if len(message) == 1])
            work.save()
            named = dict.fromkeys(each.incident_id for message in messages for each in message[:BUNDLE_NAMES])
            firing = transaction.first_firing(list(named), NAMED_ALERTS)
            firing = {**firing, **_read_news(transaction, messages, firing, work)}
            deliveries = [self._delivery(work, transaction, message, threads, firing, now) for message in messages]
            transaction.keep_bundles(
                {each.bundle: [item.id for item, _ in each.items] for each in deliveries if each.bundle}
            )
            return deliveries

    def _relieve(self, work: UnitOfWork, head: Notification) -> bool:
        """Whether the recipient is off call by now; if so, the notification is planned again."""
        incident = work.by_id(head.incident_id)
        if incident is None or not head.via or not is_relieved(work.context(incident), head):
            return False
        work.decide(incident, Relieved(head))
        return True

    def _delivery(
        self,
        work: UnitOfWork,
        transaction: Transaction,
        message: Sequence[Notification],
        threads: Mapping[str, str],
        firing: Mapping[str, tuple[Alert, ...]],
        now: Instant,
    ) -> Delivery:
        items = tuple((each, incident) for each in message if (incident := work.by_id(each.incident_id)))
        policy_version = self.find_policy_version(items[0][1].policy, transaction.policy)
        # A bundle name per attempt: an answer to the first must not apply to incidents that only the second names.
        name = f"{message[0].id}-{now}" if len(message) > 1 else ""
        alerts = {each.id: firing[each.id] for _, each in items if each.id in firing}
        return Delivery(items, threads.get(message[0].id, ""), self.context(policy_version), alerts, name)

    def holds(self, claimed: Sequence[Notification], now: Instant) -> bool:
        """Whether all leases, as claimed, are still valid; checked just before sending."""
        with self._store.transaction() as transaction:
            stored = transaction.notifications([each.id for each in claimed])
        return all(_is_held(stored.get(each.id), each) for each in claimed) and all(
            each.due_at is not None and each.due_at > now and not each.superseded for each in stored.values()
        )

    def report(self, reports: Sequence[OutcomeReport], now: Instant) -> int:
        """Record the outcomes of claimed notifications; returns how many counted (those with a lost lease do not).

        Raises StoreUnavailable: then the leases expire and the messages are sent again.
        """
        return sum(self._containment.run(reports, lambda batch: self._report(batch, now), lambda *_: 0))

    def _report(self, reports: Sequence[OutcomeReport], now: Instant) -> list[int]:
        with self._working(now) as (transaction, work):
            ids = [report.notification.id for report in reports]
            work.load([], list(dict.fromkeys(report.notification.incident_id for report in reports)))
            stored = transaction.notifications(ids)
            counted = 0
            for report in reports:
                notification = stored.get(report.notification.id)
                if notification is not None and _is_held(notification, report.notification):
                    work.decide(work.by_id(notification.incident_id), Reported(notification, report.outcome))
                    counted += 1
            self._save(transaction, work, now)
            return [counted]

    def bounce(self, message: str, reason: str, now: Instant) -> bool:
        """Record that a message was not delivered although its provider had accepted it.

        `message`: id of a notification or name of a bundle. Returns whether a notification of it is still waiting,
        because its sender has not reported yet; it is unchanged: call again later.
        """
        before = self._hear(message, lambda stored: Bounced(stored, reason), now)
        return any(each.status is Status.WAITING for each in before)

    def arrive(self, message: str, reference: str, now: Instant, receipt: str = "") -> bool:
        """Record that a provider has a message, or (with `receipt`: how that is known) that the message arrived.

        Returns whether a sender has not reported yet on some of it: then call again, or the receipt is lost.
        """
        before = self._hear(message, lambda stored: Arrived(stored, reference, receipt), now)
        return any(each.leased_by for each in before if each.status is Status.WAITING)

    def _hear(self, message: str, news: Callable[[Notification], Event], now: Instant) -> list[Notification]:
        """Decide on a provider's report about a message; returns its notifications as they were before."""
        with self._working(now) as (transaction, work):
            ids = transaction.bundle(message) or [message]
            named = transaction.notifications(ids)
            work.load([], list({each.incident_id for each in named.values()}))
            stored = transaction.notifications(list(named)).values()
            for each in stored:
                work.decide(work.by_id(each.incident_id), news(each))
            self._save(transaction, work, now)
            return list(stored)

    def override(self, change: OverrideChange, entry: Audit) -> int:
        """Store an override of a schedule or its cancellation, and page people newly on call about open incidents.

        Returns its number. Raises StoreUnavailable.
        """
        with self._store.transaction() as transaction:
            transaction.append_audits([entry])  # first, because it waits for other appenders
            number = transaction.add_override_change(change)
        self.page_on_call(entry.at)
        return number

    def page_on_call(self, now: Instant) -> None:
        """Page people whom an override or a new calendar put on call about open incidents. Raises StoreUnavailable."""
        with self._store.transaction() as transaction:
            ids = transaction.open_incidents(OPEN_LIMIT)
        for begin in range(0, len(ids), OPEN_AT_ONCE):
            part = ids[begin : begin + OPEN_AT_ONCE]
            self._containment.run(part, lambda some: self._heed_rosters(some, now), lambda *_: None)

    def _heed_rosters(self, ids: Sequence[str], now: Instant) -> list[None]:
        with self._working(now) as (transaction, work):
            work.load([], ids)
            work.load_held()
            for incident in (each for each in work.incidents() if each.wants_answer):
                work.decide(incident, RosterChanged())
            self._save(transaction, work, now)
            return []

    def _rosters(self, transaction: Transaction, now: Instant) -> Sequence[Roster]:
        """The current rosters; overrides by number and calendars by digest are read within the transaction."""
        policy = self._current.policy
        if self.held_rosters is not None:
            return self.held_rosters
        if not policy.schedules:
            return ()
        self._overrides += transaction.override_changes(self._overrides[-1][0] if self._overrides else 0)
        calendars = self._copies(transaction, policy)
        digests = tuple(sorted((name, version) for name, (version, _) in self._calendars.items()))
        known = self._current.digest, len(self._overrides), digests, now // HOUR
        if self._rostered is None or self._rostered[0] != known:
            since, until = now - 24 * HOUR, now + ROSTERED_DAYS * 24 * HOUR
            self._rostered = known, shifts(policy, calendars, in_effect(kept(self._overrides)), since, until)
        return self._rostered[1]

    def _copies(self, transaction: Transaction, policy: Policy) -> Mapping[str, str]:
        """The last good copies of fetched calendars; a text is read again only if its digest has changed."""
        if not any(each.is_fetched for each in policy.schedules):
            return {}
        for name, version in transaction.calendar_digests().items():
            if self._calendars.get(name, ("", ""))[0] != version:
                self._calendars[name] = version, transaction.calendar_text(name)
        return copies_for(policy, {name: text for name, (_, text) in self._calendars.items()})

    @contextmanager
    def _working(self, now: Instant) -> Iterator[tuple[Transaction, UnitOfWork]]:
        """A transaction and its unit of work; passes the new timeline entries to `on_entries` after the commit."""
        with self._store.transaction() as transaction:
            rosters = self._rosters(transaction, now)

            @cache
            def context(version: str | None) -> DecisionContext:
                found = self.find_policy_version(version, transaction.policy) if version else self._current
                return self.context(found, rosters, now)

            work = UnitOfWork(transaction, context, now)
            yield transaction, work
        self._on_entries(work.entries())

    def _put_off(self, incident_id: str, until: Instant) -> None:
        with self._store.transaction() as transaction:
            transaction.postpone(incident_id, until)

    def context_at(self, now: Instant) -> DecisionContext:
        """The context of a decision at `now` on an incident under the current policy."""
        with self._store.transaction() as transaction:
            return self.context(self._current, self._rosters(transaction, now), now)

    def context(
        self, policy_version: PolicyVersion, rosters: Sequence[Roster] = (), now: Instant = EPOCH
    ) -> DecisionContext:
        """The context of decisions at `now`, and of messages, for incidents under a policy version."""
        standing = self.standing
        return DecisionContext(
            policy_version,
            self._current,
            standing.configured,
            standing.sight,
            standing.verifies,
            standing.cluster,
            tuple(standing.jumps),
            standing.receipts,
            rosters,
            now,
            standing.accounts,
        )


def _result(work: UnitOfWork, incident_ids: Sequence[str], refusal: Refusal | None) -> Result:
    """The result of a request, with its incidents as decided."""
    incidents = tuple(filter(None, map(work.by_id, incident_ids)))
    concerned = tuple(Concerned(each.id, each.number, each.level, each.opened_at) for each in incidents)
    return Result(concerned, incidents, refusal)


def _failure(error: Exception) -> Result:
    """The result of a request that failed."""
    is_damage = isinstance(error, StoreDamaged) and not isinstance(error, RowUnreadable)
    return Result(error=str(error) if is_damage else "internal error", is_damage=is_damage)


def _worst_first(message: Sequence[Notification], work: UnitOfWork) -> list[Notification]:
    """Sort the notifications of a message: the highest level first, then by incident number."""
    numbers = {each.id: incident.number for each in message if (incident := work.by_id(each.incident_id))}
    return sorted(message, key=lambda each: (-each.level, numbers.get(each.id, 0)))


def _read_news(
    transaction: Transaction,
    messages: Sequence[Sequence[Notification]],
    firing: Mapping[str, tuple[Alert, ...]],
    work: UnitOfWork,
) -> dict[str, tuple[Alert, ...]]:
    """Incident id → its first firing alerts with the alert that a message reports in front, if `firing` lacks it.

    At most READ_FOR_NEWS alerts are searched, because the transaction blocks all others.
    """
    found: dict[str, tuple[Alert, ...]] = {}
    for told in (each[0] for each in messages if len(each) == 1):
        read, news = firing.get(told.incident_id, ()), told.data.get("summary")
        incident = work.by_id(told.incident_id)
        if not news or incident is None or any(title_with_value(each) == news for each in read):
            continue
        if sum(incident.firing) > len(read):
            every = transaction.first_firing([incident.id], READ_FOR_NEWS).get(incident.id, ())
            found[incident.id] = (*(each for each in every if title_with_value(each) == news), *read)[: len(read)]
    return found


def _lease(notification: Notification, worker: str, now: Instant) -> Notification:
    """`leased_by` is worker@claim time, so a suspended worker cannot report on a newer claim.

    An expired lease counts as an attempt.
    """
    return replace(_without_lease(notification), leased_by=f"{worker}@{now}", due_at=Instant(now + LEASE))


def _without_lease(notification: Notification) -> Notification:
    """A lease that was not reported on counts as an attempt: the message may have been sent."""
    tried = notification.attempts + bool(notification.leased_by)
    return replace(notification, attempts=tried, leased_by="")


def _is_held(stored: Notification | None, claimed: Notification) -> bool:
    """Whether the notification waits under the same claim."""
    return stored is not None and stored.status is Status.WAITING and stored.leased_by == claimed.leased_by
