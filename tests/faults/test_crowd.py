"""In any storm the most urgent comes first, nothing waits for ever, and no incident's events change places."""

from typing import Any

import pytest

from receiver.core.model import Instant
from receiver.core.urgency import Queue
from tests.faults.crowd import Crowd, Waiting
from tests.faults.mirror import Broken

STORMS = 40


class FirstCome(Queue[Waiting]):
    """The oldest first, of any rank."""

    def _most_urgent(self) -> Any:
        return next((place for place in self._by_age if not place.is_taken), None)


class Starves(Queue[Waiting]):
    """The most urgent first, however long others wait."""

    def _aged(self, now: Instant) -> None:
        return None


class Overtakes(Queue[Waiting]):
    """Events of one incident are ordered as if they were strangers."""

    def put(self, item: Waiting, key: str, its_rank: int, now: Instant, weight: int = 1) -> None:
        super().put(item, f"{key} {item.serial}", its_rank, now, weight)


class YoungestFirst(Queue[Waiting]):
    """Emergencies before all, the latest of them first."""

    def _most_urgent(self) -> Any:
        for line in reversed(self._by_rank):
            for place in reversed(line):
                if not place.is_taken:
                    return place
        return None


def live(queue: type[Queue[Waiting]]) -> list[int]:
    """Storm after storm; how much was decided in each."""
    return [Crowd(seed, queue).run().decided for seed in range(STORMS)]


def test_every_storm_is_decided_in_order() -> None:
    """Every request of any storm is decided, and none before its turn."""
    assert min(live(Queue)) > 0


@pytest.mark.parametrize(
    ("bug", "expected"),
    [
        (FirstCome, "which is less urgent"),
        (Starves, "waits for ever"),
        (Overtakes, "of the same incident"),
        (YoungestFirst, "as urgent as the later"),
    ],
)
def test_planted_bugs_are_noticed(bug: type[Queue[Waiting]], expected: str) -> None:
    """Each planted bug fails the build."""
    with pytest.raises(Broken, match=expected):
        live(bug)
