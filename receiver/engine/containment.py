"""Isolation of failing items: after a failure a batch runs item by item, and an incident that fails is postponed.

The engine runs all its batches through a Containment.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from receiver.core.model import Instant
from receiver.errors import StoreConflict, StoreUnavailable
from rules.policy import SECOND

POSTPONE = 60 * SECOND
"""Microseconds until the next attempt on an incident that failed."""

ATTEMPTS = 5
"""Attempts of a batch before a conflict between replicas is reported to the caller."""

Item = TypeVar("Item")
Out = TypeVar("Out")


class Containment:
    """Runs batches, and remembers which incidents failed."""

    def __init__(self, put_off: Callable[[str, Instant], None], on_poison: Callable[[object, Exception], None]) -> None:
        """`put_off` postpones an incident in the store; `on_poison` is called with each failing item and its error."""
        self._put_off_in_store = put_off
        self._on_poison = on_poison
        self._put_off: dict[str, Instant] = {}
        """Incidents that failed, and until when they are postponed in the store."""
        self._left_alone: dict[str, Instant] = {}
        """Those of them that were due despite that, and until when this replica skips them."""

    @property
    def left_alone(self) -> int:
        """Number of incidents that this replica skips."""
        return len(self._left_alone)

    def not_left_alone(self, ids: Sequence[str], now: Instant) -> list[str]:
        """The ids without the incidents that this replica skips at `now`."""
        self._left_alone = {each: until for each, until in self._left_alone.items() if now < until <= now + POSTPONE}
        return [each for each in ids if each not in self._left_alone]

    def postpone(self, incident_id: str, now: Instant, result: Out) -> Out:
        """Postpone an incident in the store; skip it here too if that had no effect, because its row is damaged.

        Returns `result`, the caller's substitute for the incident's result.
        """
        until = Instant(now + POSTPONE)
        self._put_off = {each: end for each, end in self._put_off.items() if now < end <= until}
        if incident_id in self._put_off:
            self._left_alone[incident_id] = until
        self._put_off[incident_id] = until
        self._put_off_in_store(incident_id, until)
        return result

    def run(
        self,
        batch: Sequence[Item],
        run: Callable[[Sequence[Item]], list[Out]],
        failed: Callable[[Item, Exception], Out],
    ) -> list[Out]:
        """Run a batch: again after a conflict, item by item after any other error.

        `failed` gives the result of an item that failed alone. Raises StoreUnavailable.
        """
        if not batch:
            return []
        for _ in range(ATTEMPTS):
            try:
                return run(batch)
            except StoreConflict:
                continue
            except StoreUnavailable:
                raise
            except Exception as error:  # noqa: BLE001 - a bug or a bad row: isolated, logged, counted
                if len(batch) > 1:
                    return [out for each in batch for out in self.run([each], run, failed)]
                self._on_poison(batch[0], error)
                return self._fail(batch[0], error, failed)
        raise StoreUnavailable("replicas kept changing the same incidents; nothing was stored")

    def _fail(self, item: Item, reason: Exception, failed: Callable[[Item, Exception], Out]) -> list[Out]:
        """The result of an item that failed; empty where `failed` fails too."""
        try:
            return [failed(item, reason)]
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            self._on_poison(item, error)
            return []
