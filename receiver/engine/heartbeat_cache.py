"""The heartbeats as this replica knows them: what was heard and is not stored yet, and what was stored by all.

The webhook tells what it hears, `receiver.jobs.reconcile` what Alertmanagers list, `receiver.jobs.heartbeat` keeps it
in the store and judges, pages and metrics show it. While the database is away it goes on by what this replica hears.
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
        """Since when beats could be heard here."""
        self._clocks: dict[str, HeartbeatClock] = {}
        self._begins: dict[str, Instant] = {}
        """The start of each clock's heartbeat, as a webhook told it here last."""
        self._unkept: dict[str, tuple[Beat, ...]] = {}
        """The last beat of each clock, and its end where that was heard since."""

    def hear(self, policy: Policy, source: str, received: Iterable[Received]) -> None:
        """Take note of the heartbeats among alerts."""
        now = self._clock()
        for each in received:
            if is_heartbeat(policy, source, each.labels):
                beat = read(each, source, policy, now)
                self._take(beat)
                if beat.key in self._clocks:
                    self._begins[beat.key] = each.starts_at

    def compare(self, policy: Policy, listings: Sequence[Listing | None], proved: frozenset[Proof]) -> frozenset[Proof]:
        """Take note of newer evaluations that Alertmanagers list; returns what is proved for the next comparison."""
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
        """What must be stored, in the order in which it was heard of each clock."""
        beats = [beat for some in self._unkept.values() for beat in some]
        self._unkept = {}
        return beats

    def give_back(self, beats: Iterable[Beat]) -> None:
        """They could not be stored; what was heard since comes after them."""
        later, self._unkept = self._unkept, {}
        for beat in (*beats, *(each for some in later.values() for each in some)):
            self._keep(beat)

    def learn(self, stored: Iterable[HeartbeatClock]) -> None:
        """What all replicas have stored; what is not stored yet goes on top."""
        self._clocks = {each.key: each for each in stored}
        for beat in self.take_unkept():
            self._take(beat)

    def retire(self, key: str, now: Instant) -> None:
        """A person said that one is not expected any more."""
        if key in self._clocks:
            self._clocks[key] = replace(self._clocks[key], retired_at=now)
        self._unkept.pop(key, None)

    def watched(self, policy: Policy) -> tuple[Watched, ...]:
        """Every heartbeat that is expected, as it stands now."""
        return watch(self._clocks.values(), policy, self.began, self._clock())
