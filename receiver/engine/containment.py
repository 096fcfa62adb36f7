"""What cannot be decided on must not stop the rest: batches run again, then each item alone, and what fails is put off.

The engine runs all its batches through a Containment.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from receiver.core.model import Instant
from receiver.errors import StoreConflict, StoreUnavailable
from rules.policy import SECOND

POSTPONE = 60 * SECOND
"""How long an incident that cannot be decided on is left alone before the next try."""

ATTEMPTS = 5
"""Times a batch runs before a conflict between replicas is given back to the caller."""

Item = TypeVar("Item")
Out = TypeVar("Out")


class Containment:
    """Runs batches, and remembers which incidents could not be decided on."""

    def __init__(self, put_off: Callable[[str, Instant], None], on_poison: Callable[[object, Exception], None]) -> None:
        """`put_off` leaves an incident alone in the store until then; `on_poison` hears of what cannot be decided."""
        self._put_off_in_store = put_off
        self._on_poison = on_poison
        self._put_off: dict[str, Instant] = {}
        """Incidents that could not be decided on, and until when they are put off in the store."""
        self._left_alone: dict[str, Instant] = {}
        """Those of them that were due all the same, and until when nothing of them is tried here."""

    @property
    def left_alone(self) -> int:
        """How many incidents are left alone here."""
        return len(self._left_alone)

    def not_left_alone(self, ids: Sequence[str], now: Instant) -> list[str]:
        """Those that are not among what could not be decided on a moment ago."""
        self._left_alone = {each: until for each, until in self._left_alone.items() if now < until <= now + POSTPONE}
        return [each for each in ids if each not in self._left_alone]

    def postpone(self, incident_id: str, now: Instant, result: Out) -> Out:
        """Put it off in the store; where the damage is such that this does not help, it is left alone here.

        Returns `result`: what stands for what could not be done.
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
        """Run a batch; again on a conflict; each alone on any other error, so that one cannot stop the rest.

        `failed` gives what stands for the result of an item that failed of that. Raises StoreUnavailable.
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
            except Exception as error:  # noqa: BLE001 - a bug or a bad row: contained, said, counted
                if len(batch) > 1:
                    return [out for each in batch for out in self.run([each], run, failed)]
                self._on_poison(batch[0], error)
                return self._fail(batch[0], error, failed)
        raise StoreUnavailable("replicas kept changing the same incidents; nothing was stored")

    def _fail(self, item: Item, reason: Exception, failed: Callable[[Item, Exception], Out]) -> list[Out]:
        """What stands for the result of an item that failed; nothing, where even leaving it alone fails."""
        try:
            return [failed(item, reason)]
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            self._on_poison(item, error)
            return []
