"""Which sources' alerts arrive: a cleared alert is proof only if a firing one would have arrived.

Made from the heartbeats (`receiver.core.heartbeat`); `DecisionContext` passes it to every decision.
"""

from collections.abc import Mapping

from msgspec import Struct, field

from receiver.core.model import Instant

ANY = "*"
"""In `blind`: every source without a heartbeat of its own."""


class Sight(Struct, frozen=True):
    """Which sources are blind, and until when the others are known to have worked."""

    blind: frozenset[str] = frozenset()
    """Sources whose heartbeat is missing or whose rules fail to evaluate."""
    beaten: Mapping[str, Instant] = field(default_factory=dict)
    """Source → the evaluation time of its last heartbeat, by Prometheus' clock; of several, the oldest."""

    def is_blind(self, source: str) -> bool:
        """Whether an alert of that source may have been lost."""
        return source in self.blind or (ANY in self.blind and source not in self.beaten)

    def has_beaten_since(self, source: str, at: Instant) -> bool:
        """Whether the source worked after `at`; True for a source without a heartbeat."""
        if self.is_blind(source):
            return False
        return source not in self.beaten or self.beaten[source] > at


SIGHTED = Sight()
"""No source is known to be blind, and no heartbeat is known."""
