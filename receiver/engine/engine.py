"""Transactions over `decide()`: the only way anything gets into the store. Synchronous; one thread calls it.

Rules: incidents are locked first, in key order, everything else is touched only under that lock. One
call is one transaction (group commit): what it returns has been committed. A conflict between replicas
runs the batch again; any other error runs each event alone, so that one bad row never stops the rest.
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
"""How long a claimed notification belongs to its sender; longer than any channel's own time-out (30 s)."""

BUNDLE_LIMIT = 500
"""Incidents that one bundle names; what gathered beyond them leaves as the next, at once."""

EPOCH = Instant(0)

OPEN_LIMIT = 1000
"""Open incidents of which an override or a new calendar pages whom it puts on call; of others they hear later."""

OPEN_AT_ONCE = 100
"""Of them, in one transaction."""

ROSTERED_DAYS = 8
"""Days ahead that the decisions' rosters tell: longer than a week's shift, so that most ends are seen."""

BUNDLE_NAMES = 10
"""Incidents of a bundle whose alerts its words may name."""

NAMED_ALERTS = 10
"""Alerts of an incident that words may name; of the others they give the number."""

READ_FOR_NEWS = 500
"""Alerts of an incident among which the one is looked for that a page tells of."""

Outcomes = tuple[tuple[str, ...], Refusal | None]
"""Ids of the incidents that a request concerned, and why it was refused."""


class EngineState(Struct, frozen=True):
    """What decisions depend on beside incident and event; the shell knows it."""

    policy: str
    """Digest of the version that new incidents run under."""
    configured: frozenset[str]
    """Channels whose provider is configured."""
    sight: Sight
    """Which sources are blind."""
    verifies: bool
    """Whether there is a Prometheus to ask."""
    cluster: Cluster
    """The Alertmanagers that send webhooks here."""
    jumps: tuple[Jump, ...]
    """Of the clock, that our time has followed."""
    receipts: bool = False
    """Whether providers can call back here."""
    accounts: frozenset[str] = frozenset()
    """Who may log in, by name."""


class Engine:
    """The policy and the store, and the few things that can be done with them."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        configured: Iterable[str],
        now: Instant,
        on_poison: Callable[[object, Exception], None] = lambda *_: None,
        on_entries: Callable[[Iterable[tuple[Incident, Entry]]], None] = lambda _: None,
    ) -> None:
        """`configured`: channels whose provider is configured. `on_poison` hears of events that cannot be decided,
        `on_entries` of timeline entries once they are committed, each with its incident.
        """
        self._store = store
        self._on_entries = on_entries
        self._policy_versions: dict[str, PolicyVersion] = {}
        self._containment = Containment(self._put_off, on_poison)
        self.verifies = False
        """Whether there is a Prometheus to ask (set by the shell)."""
        self.receipts = False
        """Whether providers can call back here (set by the shell)."""
        self.accounts: frozenset[str] = frozenset()
        """Who may log in, by name (set by the shell)."""
        self.sight = SIGHTED
        """Which sources are blind (set by the shell)."""
        self.cluster = Cluster()
        """The Alertmanagers that send webhooks here (set by the shell)."""
        self.jumps: Sequence[Jump] = ()
        """Of the clock, that our time has followed (set by the shell, which goes on adding to it)."""
        self._overrides: list[tuple[int, OverrideChange]] = []
        self._calendars: dict[str, tuple[str, str]] = {}
        self._rostered: tuple[tuple[object, ...], Sequence[Roster]] | None = None
        self.keep_policy(policy, now)
        self._current: PolicyVersion
        self._configured: frozenset[str]
        self.adopt(policy, configured)

    @property
    def standing(self) -> EngineState:
        """What its decisions depend on now."""
        jumps = tuple(self.jumps)
        return EngineState(
            self._current.digest,
            self._configured,
            self.sight,
            self.verifies,
            self.cluster,
            jumps,
            self.receipts,
            self.accounts,
        )

    def stand(self, standing: EngineState) -> None:
        """Decide on that from now on. Raises StoreUnavailable."""
        if standing.policy != self._current.digest:
            self._current = self.policy_version(standing.policy)
        self._configured, self.sight, self.verifies = standing.configured, standing.sight, standing.verifies
        self.cluster, self.jumps, self.receipts = standing.cluster, standing.jumps, standing.receipts
        self.accounts = standing.accounts

    @property
    def current(self) -> PolicyVersion:
        """The policy version that new incidents run under."""
        return self._current

    def keep_policy(self, policy: Policy, now: Instant) -> None:
        """Store a policy, before it is adopted: an incident names only what is stored. Raises StoreUnavailable."""
        with self._store.transaction() as transaction:
            transaction.save_policy(digest(policy), dump(policy), now)

    def adopt(self, policy: Policy, configured: Iterable[str]) -> None:
        """Take a policy that is stored into use (start, reload)."""
        policy_version = PolicyVersion.of(policy, digest(policy))
        self._policy_versions[policy_version.digest] = self._current = policy_version
        self._configured = frozenset(configured)

    def known_policy_version(self, version: str) -> PolicyVersion:
        """A policy version that was met before. Raises KeyError."""
        return self._policy_versions[version]

    def policy_version(self, version: str) -> PolicyVersion:
        """A policy version. Raises StoreUnavailable."""
        if version in self._policy_versions:
            return self._policy_versions[version]
        with self._store.transaction() as transaction:
            return self.find_policy_version(version, transaction.policy)

    def find_policy_version(self, version: str, read: Callable[[str], bytes | None]) -> PolicyVersion:
        """A policy version, from memory or by `read`, which gives its document; readers' threads ask as well.

        The one in use where the store has lost it, which cannot happen: it is stored before an incident names it.
        """
        if version not in self._policy_versions:
            document = read(version)
            if document is None:
                return self._current
            self._policy_versions[version] = PolicyVersion.of(parse(document), version)
        return self._policy_versions[version]

    def handle(self, requests: Sequence[Request], now: Instant) -> list[Result]:
        """Decide and store a batch in one transaction; one result per request, in order.

        Raises StoreUnavailable: then nothing is known to be stored. What cannot be decided has its `error` set.
        """
        return self._containment.run(requests, lambda batch: self._handle(batch, now), lambda _, error: _failure(error))

    def answer(self, requests: Sequence[Request], now: Instant) -> list[Result]:
        """As `handle`; but only who asks for something gets the incidents whole: machines have no use for them, and
        they are most of what goes between the processes.
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
        """Write what was decided; of the new pages, those beyond what their recipients may get wait for a bundle."""
        planned = counted_when_planned(work.planned(), self.context(self._current))
        work.plan(self._allot(transaction, planned, now))
        work.save()

    def _allot(self, transaction: Transaction, counted: Sequence[Notification], now: Instant) -> Sequence[Notification]:
        """Take what is counted out of its keys' buckets; returns what has to wait, in its new form."""
        if not counted:
            return ()
        buckets = transaction.buckets(sorted({rate_limit_key(each) for each in counted}))
        allotment = allot(counted, buckets, now, self.context(self._current))
        transaction.save_buckets(allotment.buckets)
        return allotment.wait

    def _carry_out(self, work: UnitOfWork, request: Request, ledger: Ledger) -> Outcomes:
        """Decide one request; the ids of the incidents it concerned, and the refusal."""
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
        """What a person asks for: once, and noted."""
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
        """Note what people did that concerns no incident: logins, reloads; once where it has a reference."""
        with self._store.transaction() as transaction:
            known = transaction.audited({each.reference for each in audits} - {""})
            transaction.append_audits([each for each in audits if each.reference not in known])

    def retire_heartbeat(self, key: str, entry: Audit) -> None:
        """Note that a heartbeat is not expected any more, and who said so. Raises StoreUnavailable."""
        self._store.retire_heartbeat(key, entry)

    def fire_due(self, now: Instant, limit: int = 500) -> int:
        """Carry out due windows, the most overdue first; returns how many incidents were concerned."""
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
        """Take due notifications under a lease, in order per incident, channel and recipient.

        `busy`: channels (by name) that have enough under way already. `limit`: incidents, not counting bundles.
        `levels`: only of incidents with a notification of one of these levels due.
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
        """Whether its recipient is off call by now: then it is planned anew."""
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
        # Each try has a list of its own: who answers the first must not take what only the second names.
        name = f"{message[0].id}-{now}" if len(message) > 1 else ""
        alerts = {each.id: firing[each.id] for _, each in items if each.id in firing}
        return Delivery(items, threads.get(message[0].id, ""), self.context(policy_version), alerts, name)

    def holds(self, claimed: Sequence[Notification], now: Instant) -> bool:
        """Whether the lease on all of them, as claimed, still holds: asked just before the first byte."""
        with self._store.transaction() as transaction:
            stored = transaction.notifications([each.id for each in claimed])
        return all(_is_held(stored.get(each.id), each) for each in claimed) and all(
            each.due_at is not None and each.due_at > now and not each.superseded for each in stored.values()
        )

    def report(self, reports: Sequence[OutcomeReport], now: Instant) -> int:
        """Record what became of claimed notifications; returns how many counted (a lost lease does not).

        Raises StoreUnavailable: then the leases run out and the messages are sent again.
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
        """Record that what a provider accepted did not arrive after all; returns whether something is still waiting.

        `message`: a notification's id or a bundle's. What is still waiting (its sender has not reported yet) stays as
        it is: ask again.
        """
        before = self._hear(message, lambda stored: Bounced(stored, reason), now)
        return any(each.status is Status.WAITING for each in before)

    def arrive(self, message: str, reference: str, now: Instant, receipt: str = "") -> bool:
        """Record that a provider has a message, or (with `receipt`: how that is known) that the message arrived.

        Returns whether a sender has yet to report on some of it: then ask again, lest the receipt is lost.
        """
        before = self._hear(message, lambda stored: Arrived(stored, reference, receipt), now)
        return any(each.leased_by for each in before if each.status is Status.WAITING)

    def _hear(self, message: str, news: Callable[[Notification], Event], now: Instant) -> list[Notification]:
        """A provider's news of a message; returns its notifications as they were before."""
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
        """Keep an override of a schedule, or its cancellation, and page whom it puts on call of what is open.

        Returns its number. Raises StoreUnavailable.
        """
        with self._store.transaction() as transaction:
            transaction.append_audits([entry])  # first: who appends to the log waits for whoever else does
            number = transaction.add_override_change(change)
        self.page_on_call(entry.at)
        return number

    def page_on_call(self, now: Instant) -> None:
        """Page of what is open whom an override or a new calendar has put on call. Raises StoreUnavailable."""
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
        """Who is on call about now; overrides by number and calendars by digest are read within the transaction."""
        policy = self._current.policy
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
        """The last good copy of each calendar that a URL feeds; a text is read again only when its digest changes."""
        if not any(each.is_fetched for each in policy.schedules):
            return {}
        for name, version in transaction.calendar_digests().items():
            if self._calendars.get(name, ("", ""))[0] != version:
                self._calendars[name] = version, transaction.calendar_text(name)
        return copies_for(policy, {name: text for name, (_, text) in self._calendars.items()})

    @contextmanager
    def _working(self, now: Instant) -> Iterator[tuple[Transaction, UnitOfWork]]:
        """A transaction and its work; what happened in it is told once it is committed."""
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

    def context(
        self, policy_version: PolicyVersion, rosters: Sequence[Roster] = (), now: Instant = EPOCH
    ) -> DecisionContext:
        """What an incident under that version is decided, and told, by; decided at `now`, with who is on call."""
        jumps = tuple(self.jumps)
        return DecisionContext(
            policy_version,
            self._current,
            self._configured,
            self.sight,
            self.verifies,
            self.cluster,
            jumps,
            self.receipts,
            rosters,
            now,
            self.accounts,
        )


def _result(work: UnitOfWork, incident_ids: Sequence[str], refusal: Refusal | None) -> Result:
    """What became of a request, by what is stored."""
    incidents = tuple(filter(None, map(work.by_id, incident_ids)))
    concerned = tuple(Concerned(each.id, each.number, each.level, each.opened_at) for each in incidents)
    return Result(concerned, incidents, refusal)


def _failure(error: Exception) -> Result:
    """What stands for a request that could not be decided on."""
    is_damage = isinstance(error, StoreDamaged) and not isinstance(error, RowUnreadable)
    return Result(error=str(error) if is_damage else "internal error", is_damage=is_damage)


def _worst_first(message: Sequence[Notification], work: UnitOfWork) -> list[Notification]:
    """Of several in one message the worst comes first, of them the oldest: so numbers are told in their order."""
    numbers = {each.id: incident.number for each in message if (incident := work.by_id(each.incident_id))}
    return sorted(message, key=lambda each: (-each.level, numbers.get(each.id, 0)))


def _read_news(
    transaction: Transaction,
    messages: Sequence[Sequence[Notification]],
    firing: Mapping[str, tuple[Alert, ...]],
    work: UnitOfWork,
) -> dict[str, tuple[Alert, ...]]:
    """Incident id → its first alerts with the one before them that a message tells of, where that was not among them.

    Beyond `READ_FOR_NEWS` alerts it is not looked for: the transaction holds up all others.
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
    """Where a sender had it and never reported, that was an attempt: it may have left."""
    tried = notification.attempts + bool(notification.leased_by)
    return replace(notification, attempts=tried, leased_by="")


def _is_held(stored: Notification | None, claimed: Notification) -> bool:
    """Whether nobody has claimed or finished it since this claim."""
    return stored is not None and stored.status is Status.WAITING and stored.leased_by == claimed.leased_by
