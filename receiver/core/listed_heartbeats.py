"""Heartbeats as each Alertmanager lists them: newer than those of webhooks while one peer has lost Prometheus.

That peer may be the one that repeats the heartbeat, with an old evaluation, while the others send nothing because the
cluster has notified: by webhooks alone alerting would seem blind, although alerts arrive (docs/decisions/0014). Only
newer evaluations of clocks known from webhooks are taken. Two clusters may have the same labels under different
`?source=`, so a listed heartbeat must be proved to belong to a clock: once the same Alertmanager listed it with the
start or the evaluation that a webhook gave for that clock.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from receiver.core.heartbeat import Beat, HeartbeatClock, evaluation, without_replica
from receiver.core.model import Instant
from receiver.core.reconcile import Listing
from rules.policy import Policy

Proof = tuple[int, str]
"""The index of an Alertmanager among those queried, and the key of a clock whose heartbeat it lists."""


def newer_beats(
    policy: Policy,
    clocks: Iterable[HeartbeatClock],
    begins: Mapping[str, Instant],
    listings: Sequence[Listing | None],
    proved: frozenset[Proof],
    now: Instant,
) -> tuple[list[Beat], frozenset[Proof]]:
    """The beats that no webhook sent, and all proofs now. `begins`: clock's key → start, as a webhook gave it."""
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
    """Index of the Alertmanager, start and beat of each listed heartbeat of a known clock; those without an evaluation
    time are skipped.
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
    """Milliseconds, the precision of Alertmanager's list; its webhooks have nanoseconds."""
    return None if at is None else at // 1000
