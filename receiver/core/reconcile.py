"""Compares Alertmanager's list of alerts with the stored ones: finds lost webhooks and alerts that are gone.

`receiver.jobs.reconcile` queries both sides; this module decides. Absence alone resolves nothing (CONTRACTS A.1): an
alert is gone only when every Alertmanager answers, none has just started, and none lists it for a while. That applies
to alerts that these Alertmanagers must list: compiled ones without a `?source=`, and those listed before. Only compiled
alerts are taken in: the identity of others needs the group's labels, which the API does not give. Alerts that only
Tocsin's own silences suppress (`receiver.core.silences`) count as active, so that these hide no new danger.
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
"""Tocsin's receiver name in `rules.outputs.alertmanager_config`; on Kubernetes a namespace and a name precede it."""

INHIBITED = "inhibited"
"""The id of the pseudo-silence of an inhibited alert."""

INHIBITED_FOR = 2 * MINUTE
"""Microseconds that an unconfirmed inhibition counts; reconciliation runs each minute."""

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
    """The answer of one Alertmanager."""

    up_since: Instant
    alerts: tuple[Listed, ...]
    silences: Mapping[str, Silence] = field(default_factory=dict)
    """Silences in force, by id."""
    members: frozenset[str] = frozenset()
    """The peers of its cluster, including itself; at most one: it is alone."""


class HeldAlert(Struct, frozen=True):
    """An alert stored as firing, and the key of its incident."""

    key: str
    alert: Alert
    source: str = ""

    @property
    def name(self) -> tuple[str, str]:
        """Its identity: (source, fingerprint)."""
        return self.source, self.alert.fingerprint


class Terms(Struct, frozen=True):
    """The time limits of the comparison, in microseconds."""

    unheard: int = 2 * MINUTE
    """The age from which an alert's webhook counts as lost."""
    gone: int = 5 * MINUTE
    """The time from the first to the last comparison without an alert before it is gone."""
    settled: int = 10 * MINUTE
    """The uptime before which an Alertmanager may not have received all alerts yet."""


Mark = tuple[str, str, Instant]
"""Key, fingerprint and start of an alert: identifies one firing."""


class Memory(Struct, frozen=True):
    """What one comparison passes to the next."""

    seen: frozenset[tuple[str, str]] = frozenset()
    """(source, fingerprint) of stored alerts that were listed at least once."""
    missing: Mapping[Mark, Instant] = field(default_factory=dict)
    """Since when a stored firing has been on no list."""
    silenced: frozenset[str] | None = None
    """Keys of incidents whose firing alerts were all silenced; None: unknown yet."""
    sources: tuple[str, ...] = ()
    """Per Alertmanager, the `?source=` under which its listed alerts were last received."""


class Findings(Struct, frozen=True):
    """The result of one comparison."""

    events: tuple[AlertsReceived, ...]
    silenced: tuple[Silenced, ...]
    """Incidents that are silenced, or no longer are; after a start, all that are not."""
    memory: Memory
    taken_in: int
    vanished: int
    foreign: int
    """The number of unknown alerts routed to Tocsin that lack a compiled `signal` label and cannot be taken in."""
    theirs: frozenset[str] = frozenset()
    """Keys of incidents with a listed alert."""


def reconcile(
    policy_version: PolicyVersion,
    held: Sequence[HeldAlert],
    listings: Sequence[Listing | None],
    now: Instant,
    memory: Memory,
    terms: Terms,
) -> Findings:
    """Compare stored and listed alerts. `listings`: one per Alertmanager, None for one that did not answer.

    `held` must be read before the listings, so that an alert that resolves in between is not taken in again.
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
    """The number of peers in the cluster that sends webhooks; None: unknown, as not all answered."""
    answered = [listing for listing in listings if listing is not None]
    if len(answered) < len(listings):
        return None
    return max(len(listings), *(len(each.members) for each in answered))


def are_strangers(listings: Sequence[Listing | None], held: Sequence[HeldAlert] = ()) -> bool:
    """Whether two of these Alertmanagers share no cluster, unless their alerts came under different sources."""
    known = [(listing.members, _heard_as(held, [listing])) for listing in listings if listing is not None]
    return any(
        one.isdisjoint(other) and not (these and those and these.isdisjoint(those))
        for (one, these), (other, those) in combinations(known, 2)
    )


def ask_about(
    held: Sequence[HeldAlert], listings: Sequence[Listing | None], before: frozenset[str]
) -> tuple[list[EchoesListed], frozenset[str]]:
    """Compare alerts held as possible echoes with the lists. Returns events, and the listed fingerprints.

    An alert listed now and in the comparison `before`, active or suppressed, fires. One is not enough: of two
    Prometheus one may clear a moment later. An unlisted alert is over only if all Alertmanagers answered, and only
    without a `?source=`.
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
    """The source of each Alertmanager's webhooks, from stored alerts with a listed start.

    If there is none, or several, the one known `before`.
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
    """Returns events of listed alerts that were never received, and the number of those that cannot be taken in."""
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
    """Active alerts, old enough, routed to Tocsin; if none names its receiver, all compiled ones."""
    named = [each for each in listing.alerts if any(_is_our_receiver(name) for name in each.receivers)]
    routed = named or [each for each in listing.alerts if is_ours(policy_version, each.received)]
    heard = (each.received for each in routed if each.active or _is_ours_to_hear(each, listing))
    return [each for each in heard if now - each.starts_at > terms.unheard]


def _is_ours_to_hear(listed: Listed, listing: Listing) -> bool:
    """Whether only Tocsin's own silences suppress it."""
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
    """Returns the alerts that are gone, by incident key, and those missing for less than `terms.gone`."""
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
    """Whether its key is that of a compiled rule's alert without a `?source=`."""
    alert = held.alert
    classified = classify(
        policy_version, "", {}, Received(alert.labels, alert.annotations, alert.fingerprint, alert.starts_at)
    )
    return bool(classified.believed.get("signal")) and classified.key == held.key


def _fingerprints(listings: Sequence[Listing | None]) -> frozenset[str]:
    return frozenset(each.received.fingerprint for listing in listings if listing for each in listing.alerts)


def _begins(listings: Sequence[Listing | None]) -> Mapping[str, frozenset[Instant]]:
    """Fingerprint → starts of the listed alerts, in whole milliseconds."""
    found: dict[str, set[Instant]] = {}
    for listing in filter(None, listings):
        for each in listing.alerts:
            found.setdefault(each.received.fingerprint, set()).add(_to_the_millisecond(each.received.starts_at))
    return {name: frozenset(begins) for name, begins in found.items()}


def _to_the_millisecond(at: int) -> Instant:
    return Instant(at // 1000 * 1000)


def _is_theirs(held: HeldAlert, begins: Mapping[str, frozenset[Instant]]) -> bool:
    """Whether these Alertmanagers list it.

    An alert with a `?source=` may be another cluster's with the same fingerprint: its start must match too.
    """
    return held.alert.fingerprint in begins and (not held.source or _began_then(held, begins))


def _began_then(held: HeldAlert, begins: Mapping[str, frozenset[Instant]]) -> bool:
    return _to_the_millisecond(held.alert.starts_at) in begins.get(held.alert.fingerprint, ())


def _silenced(held: Sequence[HeldAlert], listings: Sequence[Listing | None], now: Instant) -> Iterator[Silenced]:
    """Yields each incident whose firing alerts are all silenced or inhibited, or where one is not.

    Each comparison must confirm an inhibition.
    """
    listed: dict[str, list[tuple[Listed, Listing]]] = {}
    for listing in filter(None, listings):
        for alert in listing.alerts:
            listed.setdefault(alert.received.fingerprint, []).append((alert, listing))
    firing: dict[str, list[HeldAlert]] = {}
    for each in held:
        if each.alert.level:  # level 0 does not count as firing
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
    """The silence by others that ends last; None: none; a string: why it is unknown.

    Without one, an inhibition counts as a silence for INHIBITED_FOR.
    """
    known = [listing.silences.get(each) for each in listed.silenced_by]
    others = [each for each in known if each and not each.incident_id]
    if not others and None in known:
        return "it began or ended while we looked"
    if not others and listed.inhibited:
        return Silence(INHIBITED, Instant(now + INHIBITED_FOR), "another alert inhibits it")
    return max(others, key=lambda each: each.ends_at, default=None)
