"""The heartbeats as this replica knows them: those stored by all replicas, and its own that are not stored yet.

The webhook reports heartbeats, `receiver.jobs.reconcile` the ones that Alertmanagers list; `receiver.jobs.heartbeat`
stores and evaluates them; pages and metrics show them. Without the database, this replica's own heartbeats count.
"""

from collections.abc import Callable, Iterable, Sequence

import structlog
from msgspec.structs import replace

from receiver.core.classify import Received, is_heartbeat
from receiver.core.heartbeat import MOST_CLOCKS, Beat, HeartbeatClock, Watched, hear, read, watch
from receiver.core.listed_heartbeats import Proof, newer_beats
from receiver.core.model import Instant
from receiver.core.reconcile import Listing
from rules.policy import Policy

log = structlog.get_logger()


class Heartbeats:
    """All clocks, by their keys."""

    def __init__(self, clock: Callable[[], Instant]) -> None:
        self._clock = clock
        self.began = clock()
        """Start of this replica: it has received heartbeats since."""
        self._clocks: dict[str, HeartbeatClock] = {}
        self._begins: dict[str, Instant] = {}
        """Clock key → start time of the heartbeat alert in the last webhook to this replica."""
        self._unkept: dict[str, tuple[Beat, ...]] = {}
        """Clock key → the last heartbeat, and the later end of it if one was received; not stored yet."""

    def hear(self, policy: Policy, source: str, received: Iterable[Received]) -> None:
        """Record the heartbeats among received alerts."""
        now = self._clock()
        for each in received:
            if is_heartbeat(policy, source, each.labels):
                beat = read(each, source, policy, now)
                self._take(beat)
                if beat.key in self._clocks:
                    self._begins[beat.key] = each.starts_at

    def compare(self, policy: Policy, listings: Sequence[Listing | None], proved: frozenset[Proof]) -> frozenset[Proof]:
        """Record newer evaluations in Alertmanagers' listings; returns the proofs to pass to the next comparison."""
        beats, proved = newer_beats(policy, self._clocks.values(), self._begins, listings, proved, self._clock())
        for each in beats:
            self._take(each)
        return proved

    def _take(self, beat: Beat) -> None:
        known = self._clocks.get(beat.key)
        if known is None and len(self._clocks) >= MOST_CLOCKS:
            log.warning("heartbeat ignored: too many label sets", source=beat.source, known=MOST_CLOCKS)
            return
        after = hear(known, beat)
        if after is not None:
            self._clocks[beat.key] = after
            self._keep(beat)

    def _keep(self, beat: Beat) -> None:
        before = self._unkept.get(beat.key, ())
        self._unkept[beat.key] = (*before[:1], beat) if beat.ended else (beat,)

    def take_unkept(self) -> Sequence[Beat]:
        """The heartbeats to store, those of each clock in the order of arrival; removes them here."""
        beats = [beat for some in self._unkept.values() for beat in some]
        self._unkept = {}
        return beats

    def give_back(self, beats: Iterable[Beat]) -> None:
        """Take back heartbeats that could not be stored; those received since come after them."""
        later, self._unkept = self._unkept, {}
        for beat in (*beats, *(each for some in later.values() for each in some)):
            self._keep(beat)

    def learn(self, stored: Iterable[HeartbeatClock]) -> None:
        """Replace the clocks by the stored ones of all replicas, then apply the heartbeats that are not stored yet."""
        self._clocks = {each.key: each for each in stored}
        for beat in self.take_unkept():
            self._take(beat)

    def retire(self, key: str, now: Instant) -> None:
        """Stop expecting a heartbeat, at a person's request."""
        if key in self._clocks:
            self._clocks[key] = replace(self._clocks[key], retired_at=now)
        self._unkept.pop(key, None)

    def watched(self, policy: Policy) -> tuple[Watched, ...]:
        """Every expected heartbeat with its current state."""
        return watch(self._clocks.values(), policy, self.began, self._clock())
