"""What is known of the ways by which alerts come in: a cleared alert proves something only where one could have fired.

Made by the shell from the heartbeats (`receiver.core.heartbeat`); `DecisionContext` passes it to every decision.
"""

from collections.abc import Mapping

from msgspec import Struct, field

from receiver.core.model import Instant

ANY = "*"
"""In `blind`: every source that has no heartbeat of its own."""


class Sight(Struct, frozen=True):
    """Which sources are blind, and up to when the others are known to have lived."""

    blind: frozenset[str] = frozenset()
    """Sources whose heartbeat is missing or whose rules fail to evaluate."""
    beaten: Mapping[str, Instant] = field(default_factory=dict)
    """Source → the evaluation of its last beat, by Prometheus' clock; the oldest, where it has several."""

    def is_blind(self, source: str) -> bool:
        """Whether an alert of that source may have been lost."""
        return source in self.blind or (ANY in self.blind and source not in self.beaten)

    def has_beaten_since(self, source: str, at: Instant) -> bool:
        """Whether the source is known to have lived after `at`; also where nothing ever told whether it lives."""
        if self.is_blind(source):
            return False
        return source not in self.beaten or self.beaten[source] > at


SIGHTED = Sight()
"""Nothing is known to be blind, and nothing tells whether it lives."""
