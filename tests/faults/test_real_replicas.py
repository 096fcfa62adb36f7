"""Three `tocsin serve` on one real PostgreSQL: killed, stopped, and the database restarted under them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.soak import Soak
from receiver.core.events import AlertsReceived, Delivered
from receiver.core.model import Instant
from receiver.engine.engine import LEASE, Engine, OutcomeReport
from receiver.store import SqlStore
from rules.policy import MINUTE
from tests.core.alerts import KEY, START, alert
from tests.core.guide import ALL, POLICY


async def test_three_replicas_lose_nothing(server: Any, tmp_path: Path) -> None:
    """One is killed, one is stopped and wakes late, the database restarts: all accepted is told, few of it twice."""

    def restart() -> None:
        server.stop()
        server.start()

    soak = Soak(server.get_uri(), 3, tmp_path, rate=15, every=(0.5, 1.5))
    outcome = await soak.run(10, restart)
    print(outcome)
    assert outcome.killed >= 1
    assert outcome.stopped >= 1
    assert outcome.accepted > 20
    assert outcome.lost == 0, sorted(soak.told.missing(soak.accepted))
    assert outcome.duplicated <= outcome.accepted, "at least once, and seldom more"


def test_work_moves_within_the_lease(postgresql: Callable[[], str], open_stores: Callable[[str], SqlStore]) -> None:
    """What a killed replica had under way another one sends when the lease is over, and its windows fire at once."""
    url = postgresql()
    dead, alive = (Engine(open_stores(url), POLICY, ALL, START) for _ in range(2))
    dead.handle([AlertsReceived(KEY, "", (alert(level=4, starts_at=START),))], START)
    lost = {each.id for delivery in dead.claim(START, "dead") for each, _ in delivery.items}
    assert lost
    assert alive.claim(Instant(START + LEASE - 1), "alive") == []
    taken = [each for delivery in alive.claim(Instant(START + LEASE), "alive") for each, _ in delivery.items]
    assert {each.id for each in taken} == lost
    assert alive.report([OutcomeReport(each, Delivered()) for each in taken], Instant(START + LEASE + 1)) == len(lost)
    assert alive.fire_due(Instant(START + 5 * MINUTE)) == 1


def test_whoever_wakes_late_sends_nothing_twice(
    postgresql: Callable[[], str], open_stores: Callable[[str], SqlStore]
) -> None:
    """A replica stopped between its claim and the first byte finds its lease gone, and its report does not count."""
    url = postgresql()
    stopped, other = (Engine(open_stores(url), POLICY, ALL, START) for _ in range(2))
    stopped.handle([AlertsReceived(KEY, "", (alert(level=3, starts_at=START),))], START)
    slept = [each for delivery in stopped.claim(START, "stopped") for each, _ in delivery.items]
    later = Instant(START + LEASE)
    again = [each for delivery in other.claim(later, "other") for each, _ in delivery.items]
    assert {each.id for each in again} == {each.id for each in slept}
    assert not stopped.holds(slept, later)
    assert stopped.report([OutcomeReport(each, Delivered()) for each in slept], later) == 0
    assert other.report([OutcomeReport(each, Delivered()) for each in again], later) == len(again)
