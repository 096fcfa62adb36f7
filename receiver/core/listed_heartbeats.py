"""Heartbeats as each Alertmanager lists them: they say more than webhooks do while one peer has lost Prometheus.

That peer may be the one that repeats the heartbeat, with its last evaluation, and the others keep still because the
cluster has told: by webhooks alone alerting would seem blind, although alerts arrive (docs/decisions/0016). Taken are
only newer evaluations of clocks that webhooks made known. Two clusters may have the same labels under different
`?source=`, so whose a listed heartbeat is must be proved: once it was listed there with the very start, or the very
evaluation, that a webhook told for that clock.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from receiver.core.heartbeat import Beat, HeartbeatClock, evaluation, without_replica
from receiver.core.model import Instant
from receiver.core.reconcile import Listing
from rules.policy import Policy

Proof = tuple[int, str]
"""The place of an Alertmanager among those that are asked, and the key of a clock whose heartbeat it lists."""


def newer_beats(
    policy: Policy,
    clocks: Iterable[HeartbeatClock],
    begins: Mapping[str, Instant],
    listings: Sequence[Listing | None],
    proved: frozenset[Proof],
    now: Instant,
) -> tuple[list[Beat], frozenset[Proof]]:
    """The beats that no webhook told, and what is proved now. `begins`: clock's key -> start, as a webhook told it."""
    known = [each for each in clocks if each.retired_at is None and each.labels]
    found = list(_beats(policy, known, listings, now))
    said_by = {each.key: each.evaluated_at for each in known}
    proved = frozenset(each for each in proved if each[1] in said_by)
    proved |= {
        (place, beat.key)
        for place, began, beat in found
        if beat.at == said_by[beat.key] or _to_the_millisecond(began) == _to_the_millisecond(begins.get(beat.key))
    }
    return [beat for place, _, beat in found if (place, beat.key) in proved and beat.at > said_by[beat.key]], proved


def _beats(
    policy: Policy, clocks: Sequence[HeartbeatClock], listings: Sequence[Listing | None], now: Instant
) -> Iterator[tuple[int, Instant, Beat]]:
    """What is listed of each clock's labels, with its place and start. What does not say when it was evaluated proves
    nothing.
    """
    for place, listing in enumerate(listings):
        for each in listing.alerts if listing else ():
            received = each.received
            at = evaluation(received, now)
            if at is None:
                continue
            labels = without_replica(received, policy)
            for clock in (known for known in clocks if known.labels == labels):
                yield place, received.starts_at, Beat(clock.source, labels, received.fingerprint, at, now)


def _to_the_millisecond(at: Instant | None) -> int | None:
    """As Alertmanager's list tells starts; its webhooks tell them to the nanosecond."""
    return None if at is None else at // 1000
