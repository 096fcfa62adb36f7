"""What Alertmanager lists, compared with what we hold: webhooks that never came, alerts that are gone.

`receiver.jobs.reconcile` asks both sides and hands the answers in; the decision is here. Absence is never resolution by
itself (CONTRACTS A.1): an alert counts as gone only when every Alertmanager answers, none of them has just started,
and none lists it for a while. Only alerts that are an Alertmanager's to list are judged: compiled ones without a
`?source=`, and those that were seen listed before. Taken in are only compiled alerts, whose identity does not need
the group's labels: the API does not tell them. What only our own silences suppress (`receiver.core.silences`) counts
as active, so that they swallow no new danger.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, zip_longest

from msgspec import Struct, field
from msgspec.structs import replace

from receiver.core.classify import Received, believed, classify, is_ours, is_passed_over
from receiver.core.events import AlertsReceived, EchoesListed, Silenced
from receiver.core.model import Alert, Instant
from receiver.core.plan import PolicyVersion
from receiver.core.silences import Silence
from rules.policy import MINUTE

RECEIVER = "tocsin"
"""What `rules.outputs.alertmanager_config` calls our receiver; on Kubernetes a namespace and a name stand before it."""

INHIBITED = "inhibited"
"""Stands for the id of a silence where an alert is inhibited."""

INHIBITED_FOR = 2 * MINUTE
"""Microseconds that an inhibition is believed without being confirmed: looks are a minute apart."""

NEVER_CAME = "Alertmanager lists the alert, but its webhook never came"
VANISHED = "no Alertmanager lists the alert any more, but its resolve never came"


class Listed(Struct, frozen=True):
    """One alert that an Alertmanager lists."""

    received: Received
    receivers: tuple[str, ...]
    """Names of the receivers that it is routed to."""
    active: bool
    """Neither silenced nor inhibited."""
    silenced_by: tuple[str, ...] = ()
    """Ids of the silences that suppress it."""
    inhibited: bool = False


class Listing(Struct, frozen=True):
    """What one Alertmanager answered."""

    up_since: Instant
    alerts: tuple[Listed, ...]
    silences: Mapping[str, Silence] = field(default_factory=dict)
    """Those in force, by id."""
    members: frozenset[str] = frozenset()
    """The peers of its cluster, itself included; one or none: it is alone."""


class HeldAlert(Struct, frozen=True):
    """An alert that we hold as firing, and the key of its incident."""

    key: str
    alert: Alert
    source: str = ""

    @property
    def name(self) -> tuple[str, str]:
        """What tells it from other alerts: source and fingerprint."""
        return self.source, self.alert.fingerprint


class Terms(Struct, frozen=True):
    """How patient the comparison is, in microseconds."""

    unheard: int = 2 * MINUTE
    """An alert must be older than this before its webhook counts as lost."""
    gone: int = 5 * MINUTE
    """Time between the first and the last look that miss an alert before it counts as gone."""
    settled: int = 10 * MINUTE
    """An Alertmanager that has not been up for so long may not have heard of everything yet."""


Mark = tuple[str, str, Instant]
"""Key, fingerprint and begin of an alert: one firing of it."""


class Memory(Struct, frozen=True):
    """What a look leaves for the next."""

    seen: frozenset[tuple[str, str]] = frozenset()
    """(source, fingerprint) of alerts that we hold and that were listed once."""
    missing: Mapping[Mark, Instant] = field(default_factory=dict)
    """Since when a firing that we hold has been listed nowhere."""
    silenced: frozenset[str] | None = None
    """Keys of incidents of which all that fires was silenced; None: nothing is known yet."""
    sources: tuple[str, ...] = ()
    """The `?source=` under which what each of them lists was last heard."""


class Findings(Struct, frozen=True):
    """What a look comes to."""

    events: tuple[AlertsReceived, ...]
    silenced: tuple[Silenced, ...]
    """What is silenced, and what was and is not any more; after a start, what is not."""
    memory: Memory
    taken_in: int
    vanished: int
    foreign: int
    """Alerts routed to us that we do not know and cannot take in: they have no `signal` label of ours."""
    theirs: frozenset[str] = frozenset()
    """Keys of incidents of which they list an alert."""


def reconcile(
    policy_version: PolicyVersion,
    held: Sequence[HeldAlert],
    listings: Sequence[Listing | None],
    now: Instant,
    memory: Memory,
    terms: Terms,
) -> Findings:
    """Compare. `listings`: one for each Alertmanager, None for one that did not answer.

    `held` must have been asked before the listings: what resolves in between is then known as firing here and not
    taken in again.
    """
    begins = _begins(listings)
    sources = _sources(held, listings, memory.sources)
    lost, foreign = _unheard(policy_version, held, zip(listings, sources, strict=False), now, terms)
    gone, missing = _gone(policy_version, held, listings, now, memory, terms)
    seen = frozenset(each.name for each in held if each.name in memory.seen or _is_theirs(each, begins))
    silenced = list(_silenced(held, listings, now))
    quiet = frozenset(each.key for each in silenced if each.until is not None)
    told = tuple(
        each for each in silenced if each.until is not None or memory.silenced is None or each.key in memory.silenced
    )
    source_of = {each.key: each.source for each in held}
    vanished = [AlertsReceived(key, source_of[key], tuple(some), found=VANISHED) for key, some in gone.items()]
    taken_in, given_up = (sum(len(each.alerts) for each in events) for events in (lost, vanished))
    theirs = frozenset(each.key for each in held if _is_theirs(each, begins))
    return Findings(
        (*lost, *vanished), told, Memory(seen, missing, quiet, sources), taken_in, given_up, foreign, theirs
    )


def peers(listings: Sequence[Listing | None]) -> int | None:
    """How many peers the cluster has that sends here; None: not all answered, so it is unknown."""
    answered = [listing for listing in listings if listing is not None]
    if len(answered) < len(listings):
        return None
    return max(len(listings), *(len(each.members) for each in answered))


def are_strangers(listings: Sequence[Listing | None], held: Sequence[HeldAlert] = ()) -> bool:
    """Whether two of these Alertmanagers belong to no common cluster, and one source may stand for both: what they list
    was not heard under different ones.
    """
    known = [(listing.members, _heard_as(held, [listing])) for listing in listings if listing is not None]
    return any(
        one.isdisjoint(other) and not (these and those and these.isdisjoint(those))
        for (one, these), (other, those) in combinations(known, 2)
    )


def ask_about(
    held: Sequence[HeldAlert], listings: Sequence[Listing | None], before: frozenset[str]
) -> tuple[list[EchoesListed], frozenset[str]]:
    """What the Alertmanagers' answers say of alerts held as possible echoes, and which of them are listed.

    Listed by any of them, active or suppressed, in this look and in the one `before`: it fires. One look is not enough:
    of two Prometheus one may clear a moment after the other. That none of them lists it counts only when all answered,
    and only for alerts without a `?source=`, which are these Alertmanagers' to list.
    """
    listed, begins = _fingerprints(listings), _begins(listings)
    answered = all(listings)
    by_key: dict[str, list[HeldAlert]] = {}
    for each in held:
        by_key.setdefault(each.key, []).append(each)
    found = []
    seen: frozenset[str] = frozenset()
    for key, some in by_key.items():
        theirs = frozenset(each.alert.fingerprint for each in some if _is_theirs(each, begins))
        seen |= theirs
        fire = theirs & before
        over = frozenset(each.alert.fingerprint for each in some if answered and not each.source) - listed
        if fire or over:
            found.append(EchoesListed(key, fire, over))
    return found, seen


def _sources(held: Sequence[HeldAlert], listings: Sequence[Listing | None], before: Sequence[str]) -> tuple[str, ...]:
    """The source that each one's webhooks name: that of what began when an alert that it lists did. Where that is none,
    or several, the one that was known `before`.
    """
    together = _heard_as(held, listings)
    alone = (together if len(together) == 1 else _heard_as(held, [each]) for each in listings)
    return tuple(
        next(iter(found)) if len(found) == 1 else known for found, known in zip_longest(alone, before, fillvalue="")
    )


def _heard_as(held: Sequence[HeldAlert], listings: Sequence[Listing | None]) -> frozenset[str]:
    begins = _begins(listings)
    return frozenset(each.source for each in held if _began_then(each, begins))


def _unheard(
    policy_version: PolicyVersion,
    held: Sequence[HeldAlert],
    listings: Iterable[tuple[Listing | None, str]],
    now: Instant,
    terms: Terms,
) -> tuple[Sequence[AlertsReceived], int]:
    """Alerts that should have reached us, and the number of those we cannot take in. Listings: each with its source."""
    lost: dict[tuple[str, str], list[Alert]] = {}
    found: set[tuple[str, str]] = set()
    foreign = 0
    for listing, source in listings:
        begins = _begins([listing])
        found |= {
            (source, each.alert.fingerprint) for each in held if each.source == source or _is_theirs(each, begins)
        }
        for received in _ours(policy_version, listing, now, terms) if listing else ():
            name = source, received.fingerprint
            if name in found or is_passed_over(policy_version, source, received):
                continue
            found.add(name)
            if not believed(policy_version, received).get("signal"):
                foreign += 1
                continue
            classified = classify(policy_version, source, {}, received)
            lost.setdefault((source, classified.key), []).append(classified.alert)
    events = [AlertsReceived(key, source, tuple(alerts), found=NEVER_CAME) for (source, key), alerts in lost.items()]
    return events, foreign


def _ours(policy_version: PolicyVersion, listing: Listing, now: Instant, terms: Terms) -> list[Received]:
    """Active alerts, old enough, that are routed to us; where nothing is routed to our name, all compiled ones are."""
    named = [each for each in listing.alerts if any(_is_our_receiver(name) for name in each.receivers)]
    routed = named or [each for each in listing.alerts if is_ours(policy_version, each.received)]
    heard = (each.received for each in routed if each.active or _is_ours_to_hear(each, listing))
    return [each for each in heard if now - each.starts_at > terms.unheard]


def _is_ours_to_hear(listed: Listed, listing: Listing) -> bool:
    """Whether only our own silences suppress it."""
    known = [listing.silences.get(each) for each in listed.silenced_by]
    return bool(known) and not listed.inhibited and all(each and each.incident_id for each in known)


def _is_our_receiver(receiver: str) -> bool:
    return receiver.rpartition("/")[2] == RECEIVER


def _gone(
    policy_version: PolicyVersion,
    held: Sequence[HeldAlert],
    listings: Sequence[Listing | None],
    now: Instant,
    memory: Memory,
    terms: Terms,
) -> tuple[Mapping[str, list[Alert]], Mapping[Mark, Instant]]:
    """Alerts that are over without a resolve, by incident key, and what is missing but not yet for long enough."""
    if not all(listing and now - listing.up_since >= terms.settled for listing in listings):
        return {}, {}
    listed = _fingerprints(listings)
    gone: dict[str, list[Alert]] = {}
    missing: dict[Mark, Instant] = {}
    for each in held:
        alert = each.alert
        if alert.fingerprint in listed or not (each.name in memory.seen or _is_compiled(policy_version, each)):
            continue
        mark = (each.key, alert.fingerprint, alert.starts_at)
        since = memory.missing.get(mark)
        if since is not None and now - since >= terms.gone:
            gone.setdefault(each.key, []).append(replace(alert, firing=False, ended_at=now))
        else:
            missing[mark] = now if since is None else since
    return gone, missing


def _is_compiled(policy_version: PolicyVersion, held: HeldAlert) -> bool:
    """Whether it is what a compiled rule's alert becomes when it comes without a `?source=`: the key shows it."""
    alert = held.alert
    classified = classify(
        policy_version, "", {}, Received(alert.labels, alert.annotations, alert.fingerprint, alert.starts_at)
    )
    return bool(classified.believed.get("signal")) and classified.key == held.key


def _fingerprints(listings: Sequence[Listing | None]) -> frozenset[str]:
    return frozenset(each.received.fingerprint for listing in listings if listing for each in listing.alerts)


def _begins(listings: Sequence[Listing | None]) -> Mapping[str, frozenset[Instant]]:
    """Fingerprint -> begins, to the millisecond, of the alerts that are listed."""
    found: dict[str, set[Instant]] = {}
    for listing in filter(None, listings):
        for each in listing.alerts:
            found.setdefault(each.received.fingerprint, set()).add(_to_the_millisecond(each.received.starts_at))
    return {name: frozenset(begins) for name, begins in found.items()}


def _to_the_millisecond(at: int) -> Instant:
    return Instant(at // 1000 * 1000)


def _is_theirs(held: HeldAlert, begins: Mapping[str, frozenset[Instant]]) -> bool:
    """Whether these Alertmanagers list it. An alert with a `?source=` may be another cluster's, which has the same
    labels and so the same fingerprint: then it must have begun at the same time as the one that is listed.
    """
    return held.alert.fingerprint in begins and (not held.source or _began_then(held, begins))


def _began_then(held: HeldAlert, begins: Mapping[str, frozenset[Instant]]) -> bool:
    return _to_the_millisecond(held.alert.starts_at) in begins.get(held.alert.fingerprint, ())


def _silenced(held: Sequence[HeldAlert], listings: Sequence[Listing | None], now: Instant) -> Iterator[Silenced]:
    """What Alertmanager says of each incident: all that fires is silenced or inhibited, something is not, or nothing.

    That an alert is inhibited holds only for as long as each look confirms it.
    """
    listed: dict[str, list[tuple[Listed, Listing]]] = {}
    for listing in filter(None, listings):
        for alert in listing.alerts:
            listed.setdefault(alert.received.fingerprint, []).append((alert, listing))
    firing: dict[str, list[HeldAlert]] = {}
    for each in held:
        if each.alert.level:  # the others do not count as firing
            firing.setdefault(each.key, []).append(each)
    begins = _begins(listings)
    for key, some in firing.items():
        names = [each.alert.fingerprint for each in some if _is_theirs(each, begins)]
        told = [_last_silence(*where, now) for name in names for where in listed.get(name, ())]
        ends = [each for each in told if isinstance(each, Silence)]
        if any(each is None for each in told):
            yield Silenced(key, len(some), None)
        elif len(ends) == len(told) and len(names) == len(some):
            first = min(ends, key=lambda each: each.ends_at)
            yield Silenced(key, len(names), first.ends_at, first.by, inhibited=first.id == INHIBITED)


def _last_silence(listed: Listed, listing: Listing, now: Instant) -> Silence | str | None:
    """The silence that ends last of those that others made; None: there is none; a string: nobody knows yet.

    Where there is none and the alert is inhibited, that counts as one until two minutes from now.
    """
    known = [listing.silences.get(each) for each in listed.silenced_by]
    others = [each for each in known if each and not each.incident_id]
    if not others and None in known:
        return "it began or ended while we looked"
    if not others and listed.inhibited:
        return Silence(INHIBITED, Instant(now + INHIBITED_FOR), "another alert inhibits it")
    return max(others, key=lambda each: each.ends_at, default=None)
