"""How canaries fared is kept for every replica, and each is sent by one."""

from receiver.core.canary import Canary
from receiver.core.model import Instant
from receiver.store import SqlStore
from tests.core.alerts import START


def test_one_takes_the_turn(store: SqlStore) -> None:
    """Of replicas that saw the same result, one sends the next; one that sees the newer result may send another."""
    first, second, third = (Canary(Instant(START + number), failures=number) for number in range(3))
    assert store.reads().canary("mail") is None
    assert store.take_turn("mail", None, first)
    assert not store.take_turn("mail", None, second), "another replica had seen nothing either"
    assert store.reads().canary("mail") == first
    assert store.take_turn("mail", first, second)
    assert not store.take_turn("mail", first, third)
    store.keep_canary("mail", third)
    assert store.reads().canary("mail") == third
    assert store.reads().canary("chat") is None
