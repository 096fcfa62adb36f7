"""The outbox: order within a queue, leases, what is overtaken, threads, and when to look again."""

from msgspec.structs import replace

from receiver.core.model import Kind, Status, Supersede
from receiver.core.rate_limit import Bucket, RateLimitKey
from receiver.store import SqlStore
from tests.store.samples import MINUTE, NOW, due, heads, incident, message, save, stored

ALL_KINDS = frozenset(Kind)


def lease(store: SqlStore, sequence: int, until: int = NOW + MINUTE, worker: str = "w") -> None:
    """Claim a message."""
    save(store, settled=[replace(stored(store, sequence), leased_by=worker, due_at=until)])


def finish(store: SqlStore, sequence: int, status: Status = Status.ACCEPTED, reference: str = "") -> None:
    """Make a message final."""
    done = replace(
        stored(store, sequence), status=status, due_at=None, leased_by="", done_at=NOW, reference=reference, attempts=1
    )
    save(store, settled=[done])


def sendable(store: SqlStore, now: int = NOW, limit: int = 99, busy: frozenset[str] = frozenset()) -> list[str]:
    """Incidents with something to send."""
    with store.transaction() as transaction:
        return transaction.sendable_incidents(now, limit, busy)


def test_messages_of_one_queue_leave_one_after_the_other(store: SqlStore) -> None:
    """Only the first waiting message to a recipient on a channel may be sent; others wait for its end."""
    save(
        store,
        opened=[incident()],
        planned=[message(1), message(2), message(3, recipient="#all"), message(4, channel="email")],
    )
    assert heads(store) == [1, 3, 4]
    lease(store, 1)
    assert heads(store) == [3, 4]
    finish(store, 1)
    assert heads(store) == [2, 3, 4]


def test_a_message_that_is_not_due_keeps_back_those_behind_it(store: SqlStore) -> None:
    """A first message that waits for its next try is not overtaken by the second."""
    save(store, opened=[incident()], planned=[message(1, due_at=NOW + MINUTE), message(2)])
    assert heads(store) == []
    assert sendable(store) == []
    assert heads(store, now=NOW + MINUTE) == [1]


def test_a_lease_that_ran_out_can_be_taken_again(store: SqlStore) -> None:
    """When a lease is over the message is due again, under the same id."""
    save(store, opened=[incident()], planned=[message(1), message(2)])
    lease(store, 1, until=NOW + MINUTE)
    assert heads(store, now=NOW + MINUTE - 1) == []
    assert heads(store, now=NOW + MINUTE) == [1]
    assert stored(store, 1).leased_by == "w"


def test_final_messages_keep_nothing_back(store: SqlStore) -> None:
    """Delivered, given up, undeliverable or superseded: the next one follows."""
    planned = [message(1, status=Status.UNDELIVERABLE, due_at=None), *(message(number) for number in (2, 3, 4, 5))]
    save(store, opened=[incident()], planned=planned)
    for sequence, status in ((2, Status.GAVE_UP), (3, Status.SUPERSEDED), (4, Status.ACCEPTED)):
        assert heads(store) == [sequence]
        finish(store, sequence, status)
    assert heads(store) == [5]


def test_the_worst_level_is_sent_first(store: SqlStore) -> None:
    """An emergency does not wait behind the news of a storm, however old that is."""
    save(
        store,
        opened=[incident(name) for name in "abc"],
        planned=[
            message(1, "id-a", level=1, due_at=NOW - MINUTE),
            message(1, "id-b", level=4),
            message(1, "id-c", level=4, due_at=NOW - 1),
        ],
    )
    assert sendable(store) == ["id-c", "id-b", "id-a"]
    assert sendable(store, limit=1) == ["id-c"]
    with store.transaction() as transaction:
        assert [each.level for each in transaction.heads(["id-a", "id-b", "id-c"], NOW)] == [4, 4, 1]


def test_busy_channels_are_passed_by(store: SqlStore) -> None:
    """Nothing is named for a channel that is busy, and the others go on."""
    save(
        store,
        opened=[incident("a"), incident("b")],
        planned=[message(1), message(2, channel="email"), message(1, "id-b")],
    )
    assert sendable(store, busy=frozenset({"slack"})) == ["id-a"]
    assert heads(store, "id-a", "id-b", busy=frozenset({"slack"})) == [2]
    assert sendable(store, busy=frozenset({"slack", "email"})) == []


def test_waiting_messages_are_overtaken(store: SqlStore) -> None:
    """Exactly those of the kinds, channels and sequences named are marked, and are due at once."""
    save(
        store,
        opened=[incident("a"), incident("b")],
        planned=[
            message(1, due_at=NOW + MINUTE),
            message(2, channel="email"),
            message(3, recipient="#x", kind=Kind.NOTICE),
            message(4, recipient="#y"),
            message(1, "id-b"),
        ],
    )
    what = Supersede(frozenset({Kind.PAGE}), before=4, channels=frozenset({"slack", "sms"}))
    save(store, supersedes=[("id-a", what)])
    assert [stored(store, number).superseded for number in (1, 2, 3, 4)] == [True, False, False, False]
    assert stored(store, 1).due_at == NOW
    assert not stored(store, 1, "id-b").superseded
    save(store, supersedes=[("id-a", Supersede(frozenset({Kind.PAGE, Kind.NOTICE}), before=5))])
    assert [stored(store, number).superseded for number in (1, 2, 3, 4)] == [True] * 4


def test_what_is_planned_in_the_same_transaction_is_overtaken_too(store: SqlStore) -> None:
    """An acknowledgement decided in the same batch as the page overtakes that page."""
    save(
        store,
        opened=[incident()],
        planned=[message(1), message(2, kind=Kind.ACKNOWLEDGED)],
        supersedes=[("id-a", Supersede(frozenset({Kind.PAGE}), before=2))],
    )
    assert [stored(store, number).superseded for number in (1, 2)] == [True, False]


def test_a_message_under_way_keeps_its_lease_when_it_is_overtaken(store: SqlStore) -> None:
    """It is marked, but belongs to its sender until the lease ends; its report does not take the mark back."""
    save(store, opened=[incident()], planned=[message(1)])
    lease(store, 1, until=NOW + MINUTE)
    claimed = stored(store, 1)
    save(store, supersedes=[("id-a", Supersede(ALL_KINDS, before=9))])
    assert stored(store, 1) == replace(claimed, superseded=True)
    save(store, settled=[replace(claimed, leased_by="", due_at=NOW + 2 * MINUTE)])
    assert stored(store, 1).superseded


def test_final_messages_are_not_overtaken(store: SqlStore) -> None:
    """What was delivered stays as it is."""
    save(store, opened=[incident()], planned=[message(1)])
    finish(store, 1)
    before = stored(store, 1)
    save(store, supersedes=[("id-a", Supersede(ALL_KINDS, before=9))])
    assert stored(store, 1) == before


def test_a_thread_is_the_first_delivered_message(store: SqlStore) -> None:
    """Later messages to the same recipient on the same channel find the reference of the first delivered one."""
    save(
        store,
        opened=[incident()],
        planned=[
            message(1),
            message(2),
            message(3),
            message(4),
            message(5, channel="email"),
            message(6, recipient="#x"),
        ],
    )
    finish(store, 1, Status.GAVE_UP, "lost")
    finish(store, 2, reference="C1/2")
    finish(store, 3, reference="C1/3")
    with store.transaction() as transaction:
        wanted = transaction.notifications(["id-a-4", "id-a-5", "id-a-6"])
        assert transaction.threads(list(wanted.values())) == {"id-a-4": "C1/2"}
        assert transaction.threads([]) == {}


def test_the_next_due_time_is_of_windows_and_heads_of_queues(store: SqlStore) -> None:
    """Not of a message that has to wait behind another: nothing could be done at its time."""
    assert store.next_due() is None
    save(store, opened=[due("a", NOW + 9 * MINUTE)])
    assert store.next_due() == NOW + 9 * MINUTE
    save(store, planned=[message(1, due_at=NOW + 5 * MINUTE), message(2, due_at=NOW)])
    assert store.next_due() == NOW + 5 * MINUTE
    save(store, planned=[message(3, level=1, channel="email", due_at=NOW + MINUTE)])
    assert store.next_due() == NOW + MINUTE
    finish(store, 3)
    finish(store, 1)
    assert store.next_due() == NOW


def test_buckets_are_kept_per_key(store: SqlStore) -> None:
    """A bucket is found by channel, recipient and level; saving replaces it."""
    keys = [RateLimitKey("slack", "#ops", 3), RateLimitKey("slack", "#ops", 4), RateLimitKey("email", 'a"b@x', 3)]
    first = {keys[0]: Bucket(5, NOW), keys[2]: Bucket(7, NOW, NOW + MINUTE)}
    with store.transaction() as transaction:
        assert transaction.buckets(keys) == {}
        transaction.save_buckets(first)
    with store.transaction() as transaction:
        assert transaction.buckets(keys) == first
        transaction.save_buckets({keys[0]: Bucket(4, NOW + 1)})
    with store.transaction() as transaction:
        assert transaction.buckets(keys[:2]) == {keys[0]: Bucket(4, NOW + 1)}
        assert transaction.buckets([]) == {}
