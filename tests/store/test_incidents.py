"""Locking, numbering, alerts, windows: what a transaction asks about incidents."""

import pytest
from msgspec.structs import replace

from receiver.core.model import Instant, State
from receiver.store import SqlStore
from tests.store.samples import MINUTE, NOW, alert, changes, due, entry, incident, message, save, stored


def test_not_closed_incidents_are_found_by_key_and_any_by_id(store: SqlStore) -> None:
    """A key finds the incident that is not closed; an id finds any; each comes once, in key order."""
    closed = incident("old", key="key-a", state=State.CLOSED, closed_at=NOW)
    a, b, other, old = save(store, opened=[incident("a"), incident("b"), incident("c"), closed])
    with store.transaction() as transaction:
        assert transaction.lock(["key-b", "key-a", "key-nobody"], []) == [a, b]
        assert transaction.lock(["key-a"], ["id-a", "id-b", "id-nobody"]) == [a, b]
        assert transaction.lock([], ["id-old", "id-c"], skip_locked=True) == [old, other]
        assert transaction.lock([], []) == []


def test_many_keys_are_asked_for_at_once(store: SqlStore) -> None:
    """A batch may name more keys than any database takes as parameters."""
    save(store, opened=[incident("a")])
    with store.transaction() as transaction:
        found = transaction.lock([f"key-{number}" for number in range(70_000)] + ["key-a"], [])
    assert [each.id for each in found] == ["id-a"]


def test_a_closed_incident_frees_its_key(store: SqlStore) -> None:
    """Once an incident is closed, another may be opened with its key."""
    (first,) = save(store, opened=[incident("a")])
    save(store, changed=[replace(first, state=State.CLOSED, closed_at=NOW + 1, version=1)])
    save(store, opened=[incident("again", key="key-a")])
    with store.transaction() as transaction:
        assert [each.id for each in transaction.lock(["key-a"], [])] == ["id-again"]


def test_a_changed_incident_is_read_back_as_it_was_written(store: SqlStore) -> None:
    """What changed is what comes back, in the row and in the lists that are made from its columns."""
    (first,) = save(store, opened=[incident("a")])
    changed = replace(first, state=State.ACKNOWLEDGED, level=4, title="Worse", acknowledged_by="ada", version=7)
    save(store, changed=[changed])
    assert store.reads().incident("id-a") == changed
    assert store.reads().incidents(state={State.ACKNOWLEDGED}, level=4, search="worse")[0] == [changed]
    assert store.reads().incidents(state={State.OPEN})[0] == []


def test_numbers_are_given_once(store: SqlStore) -> None:
    """Blocks of numbers do not overlap, and begin at 1."""
    with store.transaction() as transaction:
        assert transaction.next_numbers(3) == 1
        assert transaction.next_numbers(2) == 4
    with store.transaction() as transaction:
        assert transaction.next_numbers(1) == 6


def test_named_alerts_are_read_and_replaced(store: SqlStore) -> None:
    """Exactly the alerts that are named come back; a later form replaces the earlier one."""
    save(
        store,
        opened=[incident("a"), incident("b", source="another")],
        alerts=[("id-a", alert("f")), ("id-a", alert("g")), ("id-b", alert("f", level=4))],
    )
    cleared = alert("f", firing=False, ended_at=NOW + 1)
    save(store, alerts=[("id-a", cleared), ("id-a", alert("h"))])
    with store.transaction() as transaction:
        found = transaction.alerts({"id-a": ["f", "f", "h", "nobody"], "id-b": ["f", "g"], "id-nobody": ["f"]})
        assert found == {"id-a": {"f": cleared, "h": alert("h")}, "id-b": {"f": alert("f", level=4)}}
        assert transaction.alerts({}) == {}
    assert [each.fingerprint for each in store.reads().alerts("id-a")] == ["g", "h", "f"]


def test_the_first_alerts_that_fire_are_read(store: SqlStore) -> None:
    """Of each incident so many at most, none that has ended: the worst first, and of them the oldest."""
    alerts = [
        replace(alert(f"a{number}"), level=level, starts_at=Instant(NOW + at), firing=firing)
        for number, (level, at, firing) in enumerate([(3, 5, True), (4, 9, True), (4, 7, True), (4, 1, False)])
    ]
    save(store, opened=[incident("a"), incident("b")], alerts=[("id-a", each) for each in alerts])
    with store.transaction() as transaction:
        found = transaction.first_firing(["id-a", "id-b", "id-nobody"], 2)
        every = transaction.first_firing(["id-a"], 10)
        assert transaction.first_firing([], 10) == {}
    assert {name: [each.fingerprint for each in some] for name, some in found.items()} == {"id-a": ["a2", "a1"]}
    assert [each.fingerprint for each in every["id-a"]] == ["a2", "a1", "a0"]


def test_the_most_overdue_incident_comes_first(store: SqlStore) -> None:
    """Due windows are named from the most overdue on, as many as wanted; what is not due is not named."""
    save(store, opened=[due("a", NOW - 1), due("b", NOW - 3), due("c", NOW), due("d", NOW + 1), due("e", None)])
    with store.transaction() as transaction:
        assert transaction.due_incidents(NOW, 10) == ["id-b", "id-a", "id-c"]
        assert transaction.due_incidents(NOW, 2) == ["id-b", "id-a"]


def test_a_postponed_incident_is_left_alone_until_then(store: SqlStore) -> None:
    """Its windows and messages come up again at that time, not before; later ones do not move."""
    save(
        store,
        opened=[due("a", NOW), due("b", NOW + 9 * MINUTE)],
        planned=[message(1), message(2, channel="email", due_at=NOW + 9 * MINUTE)],
    )
    with store.transaction() as transaction:
        transaction.postpone("id-a", NOW + MINUTE)
        transaction.postpone("id-b", NOW + MINUTE)
    with store.transaction() as transaction:
        assert transaction.due_incidents(NOW + MINUTE - 1, 9) == []
        assert transaction.sendable_incidents(NOW + MINUTE - 1, 9) == []
        assert transaction.due_incidents(NOW + MINUTE, 9) == ["id-a"]
        assert transaction.sendable_incidents(NOW + MINUTE, 9) == ["id-a"]
        assert transaction.due_incidents(NOW + 9 * MINUTE, 9) == ["id-a", "id-b"]
    assert stored(store, 2).due_at == NOW + 9 * MINUTE


def test_a_policy_version_is_kept_once(store: SqlStore) -> None:
    """The first document of a digest stays."""
    with store.transaction() as transaction:
        transaction.save_policy("d", b'{"a": 1}', NOW)
        transaction.save_policy("d", b"other", NOW + 1)
    with store.transaction() as transaction:
        assert transaction.policy("d") == b'{"a": 1}'
        assert transaction.policy("unknown") is None
    assert store.reads().policy("d") == b'{"a": 1}'
    assert store.reads().policy("unknown") is None


def test_what_fails_leaves_nothing(store: SqlStore) -> None:
    """A transaction that raises has written nothing, numbers included."""

    def fail() -> None:
        with store.transaction() as transaction:
            transaction.next_numbers(5)
            transaction.save_policy("d", b"{}", NOW)
            opened, alerts = [incident("a", number=1)], [("id-a", alert())]
            transaction.save(changes(opened=opened, alerts=alerts, planned=[message(1)], entries=[entry()]))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    reads = store.reads()
    assert reads.incidents() == ([], None)
    assert (reads.notifications("id-a"), reads.timeline("id-a"), reads.alerts("id-a")) == ([], [], [])
    assert reads.policy("d") is None
    with store.transaction() as transaction:
        assert transaction.next_numbers(1) == 1
