"""The state of all open incidents, for every page: their number, the worst level, and those that may ring.

Exercises do not count.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from receiver.core.model import State
from receiver.engine.engine import Engine
from receiver.messages.now_firing import NowFiring
from receiver.messages.plain import line
from receiver.store import Reads
from rules.policy import CRITICAL

MOST = 1000
"""Incidents that may ring, the newest first: a new one rings however many are open."""

TITLED = 50
"""The newest of them, which are told with their title: a browser shows few notices at once."""

NAMED = 10
"""Alerts read per incident, for its title."""


def worst_open(live: Mapping[tuple[int, State, bool], int]) -> int:
    """The worst level of open incidents without exercises; 0: none is open. `live`: `Overview.live`."""
    return max((level for level, state, is_exercise in live if state is State.OPEN and not is_exercise), default=0)


@dataclass(frozen=True, slots=True)
class OpenStanding:
    """Reads the state, for `receiver.web.console.live`."""

    engine: Engine
    reads: Reads

    def read(self) -> str:
        """The state as JSON: ``open`` (count), ``worst`` (level, 0: none), its ``name``, and ``loud``.

        ``loud`` lists unanswered incidents of levels 3 and 4, the newest first, with number, level, the level's name,
        and title (of the newest ones; else empty).
        """
        live = self.reads.overview.live()
        worst = worst_open(live)
        told = {
            "open": sum(
                count for (_, state, is_exercise), count in live.items() if state is State.OPEN and not is_exercise
            ),
            "worst": worst,
            "name": self._name(worst) if worst else "",
            "loud": self._loud(),
        }
        return orjson.dumps(told).decode()

    def _loud(self) -> list[dict[str, Any]]:
        loud = [each for each in self.reads.overview.loud(CRITICAL, MOST) if each.wants_answer]
        firing = self.reads.first_firing([each.id for each in loud[:TITLED]], NAMED)
        titles = {each.id: NowFiring(each, firing.get(each.id, ())).title for each in loud[:TITLED]}
        return [
            {
                "number": each.number,
                "level": each.level,
                "name": self._name(each.level),
                "title": line(titles.get(each.id, ""), 120),
            }
            for each in loud
        ]

    def _name(self, level: int) -> str:
        return line(self.engine.current.policy.level(level).name, 40)
