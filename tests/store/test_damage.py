"""Damaged rows and damaged files: what is whole goes on, what is not is mended, set aside or refused, and said."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from receiver.core.audit_log import Origin
from receiver.core.canary import Canary
from receiver.core.events import Acknowledge
from receiver.core.fetched_calendars import CalendarFetches
from receiver.core.heartbeat import Beat
from receiver.core.loaded_rules import LoadedRules
from receiver.core.model import Instant, State, Status
from receiver.engine.commands import Asked, ForIncident
from receiver.errors import StoreDamaged, StoreUnavailable
from receiver.store import SqlStore, open_store
from receiver.store.audit_chain import AuditBroken
from receiver.store.integrity import IntegrityFindings, look
from rules.policy import HOUR, MINUTE
from tests.core.world import START
from tests.engine.world import EngineWorld, firing, messages
from tests.store.samples import NOW, due, entry, incident, message, save, stale_index

Open = Callable[[str], SqlStore]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "tocsin.db"


@pytest.fixture
def world(store: SqlStore) -> EngineWorld:
    """An engine over each kind of store."""
    return EngineWorld(store)


def spoil(store: SqlStore, *statements: str) -> None:
    """Change rows behind everybody's back."""
    with store._database.write() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def damage(world: EngineWorld) -> list[tuple[str, str]]:
    """What is noted: what it is of, and its id."""
    return [(what, id_) for what, id_, _ in world.reads.doubts.untold(1000)]


def examine(world: EngineWorld, at: int = 0) -> None:
    """As the service does every minute."""
    now = Instant(START + at)
    doubtful, _ = world.reads.doubts.incidents(now, -1, 1000)
    world.store.put_right(doubtful, world.reads.doubts.notifications(1000), now)


UNREADABLE = ["doc = 'no json'", "doc = '{\"id\": 3}'"]


@pytest.mark.parametrize("change", UNREADABLE)
def test_an_unreadable_incident_stops_no_other(world: EngineWorld, change: str) -> None:
    """Windows and messages of the others go on in the same call; it is set aside once, and not met again."""
    bad, good = world.fire("bad", level=4), world.fire("good", level=4)
    spoil(world.store, f"UPDATE incidents SET {change} WHERE id = '{bad.id}'")
    assert {each.incident_id for each in messages(world.claim())} == {good.id}
    assert world.fire_due(5 * MINUTE) == 1
    assert damage(world) == [("incident", bad.id)]
    assert world.poison == []
    assert world.reads.incident(bad.id) is None
    assert [each.id for each in world.reads.incidents()[0]] == [good.id]
    assert world.facts(bad.id), "its timeline is still there"
    assert world.reads.figures(START).set_aside == 1


UNKNOWN = {
    "a state": {"state": "asleep"},
    "a recovery": {"recovery": "partly"},
    "a window": {"windows": {"lunch": START}},
    "an impact's grade": {"response": {"impacts": {"revenue_impact": {"grade": "apocalyptic", "said": "0.3"}}}},
    "a notice's state": {"response": {"notices": [{"id": "n1", "state": "lost"}]}},
    "a page that is a list": {"page": []},
    "a level that is a word": {"level": "high"},
}


@pytest.mark.parametrize("change", UNKNOWN.values(), ids=UNKNOWN)
def test_a_word_that_nobody_knows_is_damage(world: EngineWorld, change: dict[str, Any]) -> None:
    """An incident with a value that this version does not know is set aside, once; lists and pages show the others."""
    bad, good = world.fire("bad", level=4), world.fire("good", level=4)
    with world.store._database.write() as connection:
        (doc,) = connection.exec_driver_sql(f"SELECT doc FROM incidents WHERE id = '{bad.id}'").one()
        spoilt = json.dumps({**json.loads(doc), **change})
        connection.execute(text("UPDATE incidents SET doc = :doc WHERE id = :id"), {"doc": spoilt, "id": bad.id})
    assert {each.incident_id for each in messages(world.claim())} == {good.id}
    assert [each.id for each in world.reads.incidents()[0]] == [good.id]
    assert damage(world) == [("incident", bad.id)]
    assert world.poison == []


@pytest.mark.parametrize("change", UNREADABLE)
def test_what_fires_again_opens_another(world: EngineWorld, change: str) -> None:
    """Its key is free: Alertmanager's repeat opens an incident that pages, instead of failing for ever."""
    bad = world.fire("key", level=4)
    spoil(world.store, f"UPDATE incidents SET {change}")
    again = world.fire("key", level=4, at=MINUTE)
    assert again.id != bad.id
    assert {each.incident_id for each in messages(world.claim(MINUTE))} == {again.id}


def test_an_unreadable_message_stops_no_other(world: EngineWorld) -> None:
    """The other messages of its incident leave, those behind it too; it is noted."""
    one = world.fire(level=4)
    first = messages(world.claim())[0]
    spoil(
        world.store,
        "UPDATE notifications SET leased_by = '', due_at = created_at",
        f"UPDATE notifications SET data = 'no json' WHERE id = '{first.id}'",
    )
    claimed = messages(world.claim())
    assert len(claimed) == len(world.reads.notifications(one.id)) > 1
    assert first.id not in {each.id for each in claimed}
    assert damage(world) == [("notification", first.id)]
    assert world.poison == []


def test_a_message_without_a_due_time_is_due_at_once(world: EngineWorld) -> None:
    """Where another of its incident is due it leaves with that; alone, when what waits is examined."""
    one, other = world.fire("one", level=4), world.fire("other", level=4)
    kept = {each.id for each in world.reads.notifications(one.id)}
    lone = [each.id for each in world.reads.notifications(other.id)]
    spoil(
        world.store,
        f"UPDATE notifications SET due_at = NULL WHERE id IN ('{min(kept)}', '{lone[0]}')",
        f"UPDATE notifications SET status = 'accepted', due_at = NULL WHERE incident_id = '{other.id}' AND id <> '{lone[0]}'",
    )
    assert {each.id for each in messages(world.claim())} == kept
    examine(world)
    assert {each.id for each in messages(world.claim())} == {lone[0]}
    assert sorted(damage(world)) == sorted([("notification", min(kept)), ("notification", lone[0])])


@pytest.mark.parametrize("change", [f"due_at = {START + 1000 * HOUR}", f"due_at = {2**62}"])
def test_an_absurd_due_time_is_due_at_once(world: EngineWorld, change: str) -> None:
    """What would wait long after it is to be given up is found when what waits is examined."""
    one = world.fire(level=4)
    spoil(world.store, f"UPDATE notifications SET {change}")
    assert world.claim() == []
    examine(world)
    assert len(messages(world.claim())) == len(world.reads.notifications(one.id))


@pytest.mark.parametrize(
    "change",
    [
        *("due_at = NULL", f"due_at = {START + 1000 * HOUR}", "open_key = NULL", "level = 1", "policy = 'x'"),
        *("state = 'apocalyptic'", "state = ''", "open_key = 'x'", "type = 'x'", "resolved_at = 7"),
    ],
)
def test_columns_that_contradict_the_document_are_put_right(world: EngineWorld, change: str) -> None:
    """The document is the truth: windows fire again, the key is its again, and a person is told."""
    one = world.fire(level=4)
    spoil(world.store, f"UPDATE incidents SET {change}")
    examine(world)
    assert damage(world) == [("incident", one.id)]
    assert world.fire_due(5 * MINUTE) == 1
    assert world.fire("key", level=4, at=6 * MINUTE).id == one.id
    examine(world, 6 * MINUTE)
    assert len(damage(world)) == 1, "nothing else is wrong"


def test_whole_rows_are_not_doubted(world: EngineWorld) -> None:
    """Waiting, leased, overdue, postponed, acknowledged: none of it seems damaged."""
    for place, key in enumerate(("a", "b", "c")):
        world.fire(key, level=2 + place)
    world.claim()
    postponed = world.reads.incidents()[0][0].id
    with world.store.transaction() as transaction:
        transaction.postpone(postponed, Instant(START + MINUTE))
    for at in (0, HOUR):
        examine(world, at)
    assert damage(world) == []


def test_a_spoiled_bucket_begins_anew(world: EngineWorld) -> None:
    """What may still be sent under a key is not worth a page: the bucket is full again."""
    world.fire("one", level=4)
    if world.store._database.is_sqlite:
        spoil(world.store, "UPDATE buckets SET credit = 'x'")
    world.fire("two", level=4)
    assert len({each.incident_id for each in messages(world.claim())}) == 2
    assert world.poison == []


def test_what_cannot_be_put_off_is_left_alone(world: EngineWorld) -> None:
    """An incident that fails again and again, even when it is put off, is tried once a minute; the others every time."""
    bad, good = world.fire("bad", level=4), world.fire("good", level=4)
    real = world.engine._store

    class Failing:
        """Every decision on one incident fails."""

        def transaction(self) -> object:
            return _Failing(real.transaction(), bad.id)

    world.engine._store = Failing()  # type: ignore[assignment]
    assert {each.incident_id for each in messages(world.claim())} == {good.id}
    seen = len(world.poison)
    assert seen
    for _ in range(20):
        world.claim()
    assert len(world.poison) == 2 * seen, "the second time it is plain that putting it off does not help"
    seen = len(world.poison)
    world.claim(2 * MINUTE)
    assert len(world.poison) > seen


class _Failing:
    """A transaction that cannot touch one incident."""

    def __init__(self, inner: object, bad: str) -> None:
        self._inner, self._bad = inner, bad

    def __enter__(self) -> Self:
        self._transaction = self._inner.__enter__()  # type: ignore[attr-defined]
        return self

    def __exit__(self, *what: object) -> object:
        return self._inner.__exit__(*what)  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> object:
        return getattr(self._transaction, name)

    def lock(self, keys: list[str], ids: list[str], **more: bool) -> object:
        if self._bad in ids:
            raise StoreDamaged
        return self._transaction.lock(keys, ids, **more)

    def postpone(self, *_: object) -> None:
        raise StoreDamaged


def test_text_that_is_no_text_hides_nothing(path: Path, open_stores: Open) -> None:
    """Bytes that are no UTF-8 in one row: the others are listed and sent."""
    store = open_stores(f"sqlite:///{path}")
    save(
        store,
        opened=[due("a", NOW), due("b", NOW)],
        planned=[message(1), message(1, "id-b")],
        entries=[entry(), entry(2)],
    )
    spoil(
        store,
        "UPDATE incidents SET doc = CAST(CAST(doc AS BLOB) || x'fffe' AS TEXT) WHERE id = 'id-a'",
        "UPDATE entries SET fact = CAST(x'fffe' AS TEXT) WHERE position = 1",
    )
    assert [each.id for each in store.reads().incidents()[0]] == ["id-b"]
    assert store.reads().timeline("id-a") == [entry(2)]
    with store.transaction() as transaction:
        assert [each.id for each in transaction.lock([], ["id-a", "id-b"])] == ["id-b"]
    assert store.reads().incident("id-b")


def filled(path: Path) -> None:
    """A file with some hundred incidents."""
    store = open_store(f"sqlite:///{path}")
    save(
        store,
        opened=[due(f"{number:04}", NOW) for number in range(300)],
        planned=[message(1, f"id-{number:04}") for number in range(300)],
    )
    store.close()


def test_indexes_are_made_anew_at_the_start(path: Path) -> None:
    """An index that does not agree with its table, which `quick_check` does not see, is mended before it is served."""
    filled(path)
    stale_index(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]
    store = open_store(f"sqlite:///{path}", to_serve=True)
    assert store.found is IntegrityFindings.MENDED
    assert look(path, 10) == []
    world = EngineWorld(store)
    examine(world)
    assert len({each for _, each in damage(world)}) >= 199
    store.close()


def test_what_cannot_be_mended_is_refused(path: Path) -> None:
    """Tables with overwritten pages are not served: what to do is said, and the file is left as it is."""
    filled(path)
    whole = path.read_bytes()
    spoiled = whole[:65536] + b"\xff" * (len(whole) - 65536)
    path.write_bytes(spoiled)
    with pytest.raises(StoreDamaged, match="tocsin restore BACKUP"):
        open_store(f"sqlite:///{path}", to_serve=True)
    assert path.read_bytes() == spoiled


def test_null_where_none_may_be_is_a_row_not_a_file(path: Path) -> None:
    """A row that breaks its table's rules does not keep the file from being served: it is set aside."""
    filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema = 1")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'doc TEXT NOT NULL', 'doc TEXT') WHERE name = 'incidents'"
        )
        connection.commit()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE incidents SET doc = NULL WHERE number = 7")
        connection.execute("PRAGMA writable_schema = 1")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'doc TEXT', 'doc TEXT NOT NULL') WHERE name = 'incidents'"
        )
        connection.commit()
    store = open_store(f"sqlite:///{path}", to_serve=True)
    assert len(store.reads().incidents(limit=1000)[0]) == 299
    store.close()


def test_a_check_that_takes_too_long_is_put_off(path: Path) -> None:
    """No answer within the time is neither whole nor damaged."""
    store = open_store(f"sqlite:///{path}")
    save(store, opened=[incident(f"{number:04}", facts={"text": "x" * 20_000}) for number in range(2000)])
    store.close()
    assert look(path, 0) is None
    assert look(path, 60) == []


def test_a_deleted_file_is_unavailable_at_once(path: Path, open_stores: Open) -> None:
    """Nothing is read from or written into a file that has no name any more; it comes back under its name: it goes on."""
    store = open_stores(f"sqlite:///{path}")
    save(store, opened=[incident("a")])
    path.rename(path.with_name("elsewhere"))
    for ask in (store.probe, store.next_due, lambda: store.reads().incidents()):
        with pytest.raises(StoreUnavailable, match="was deleted while it was in use"):
            ask()
    assert not path.exists()
    path.with_name("elsewhere").rename(path)
    store.probe()
    assert store.reads().incident("id-a")


def test_a_replaced_file_is_unavailable_at_once(path: Path, open_stores: Open) -> None:
    """Another file under its name, even a good one: nothing is committed, the transaction under way neither."""
    store = open_stores(f"sqlite:///{path}")
    save(store, opened=[incident("a")])
    store.backup(path.with_name("copy"))
    with pytest.raises(StoreUnavailable, match="was replaced by another file"), store.transaction() as transaction:  # noqa: PT012 - the block is the transaction
        transaction.next_numbers(1)
        path.with_name("copy").replace(path)
    with pytest.raises(StoreUnavailable, match="was replaced by another file"):
        store.reads().incidents()


def test_a_lock_that_was_deleted_is_taken_again(path: Path) -> None:
    """A deleted lock is taken again; where another process took it first, nothing is sent from here."""
    store = open_store(f"sqlite:///{path}", to_serve=True)
    lock = path.with_name("tocsin.db.lock")
    lock.unlink()
    store.keep_lock()
    with pytest.raises(Exception, match="another Tocsin serves"):
        open_store(f"sqlite:///{path}", to_serve=True).close()
    lock.unlink()
    other = open_store(f"sqlite:///{path}", to_serve=True)
    with pytest.raises(StoreUnavailable, match="another Tocsin serves"):
        store.keep_lock()
    other.close()
    store.keep_lock()
    store.close()


def test_a_long_reader_leaves_no_long_journal(path: Path, open_stores: Open) -> None:
    """During a read the journal grows, and writes wait for no reader; afterwards the room is given back."""
    store = open_stores(f"sqlite:///{path}")
    journal = path.with_name("tocsin.db-wal")
    big = [incident(f"{number:04}", facts={"text": "x" * 20_000}) for number in range(500)]
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM incidents").fetchall()
        for place in range(0, 500, 100):
            save(store, opened=big[place : place + 100])
        store.shorten_journal()
        assert journal.stat().st_size > 8 << 20
        assert store.reads().incident("id-0000")
        reader.execute("COMMIT")
    store.shorten_journal()
    assert journal.stat().st_size == 0
    save(store, opened=[incident("last")])
    assert stored_state(store) is State.OPEN


def stored_state(store: SqlStore) -> State:
    """Of the last."""
    found = store.reads().incident("id-last")
    assert found is not None
    return found.state


def test_final_messages_need_no_due_time(world: EngineWorld) -> None:
    """A delivered message has none, and does not count as damaged."""
    one = world.fire(level=4)
    world.deliver_all()
    examine(world)
    assert damage(world) == []
    assert {each.status for each in world.reads.notifications(one.id)} == {Status.ACCEPTED}


SPOILT = {"garbage": "no json", "another type": '{"id": 3}', "a number": "7", "huge": "x" * 1_000_000}


@pytest.mark.parametrize("value", SPOILT.values(), ids=SPOILT)
def test_one_damaged_heartbeat_silences_no_other(world: EngineWorld, value: str) -> None:
    """The other clocks are read; the damaged one begins anew with its next beat, and a person is told."""
    one, two = (Beat(name, {}, name, START, START) for name in ("one", "two"))
    world.store.hear([one, two])
    with world.store._database.write() as connection:
        connection.execute(
            text("UPDATE heartbeats SET doc = :value WHERE key = :key"), {"value": value, "key": one.key}
        )
    assert [each.key for each in world.store.heartbeats()] == [two.key]
    world.store.hear([replace(one, at=Instant(START + MINUTE), heard_at=Instant(START + MINUTE))])
    assert {each.key for each in world.store.heartbeats()} == {one.key, two.key}
    assert [what for what, _ in damage(world)] == ["heartbeat"]


@pytest.mark.parametrize("value", ["no json", "7", "x" * 1_000_000], ids=["garbage", "a number", "huge"])
def test_damaged_notes_begin_anew(world: EngineWorld, value: str) -> None:
    """What is known of canaries, calendars and rules: unreadable, it is as if nothing were, and is kept anew."""
    canary, rules, fetches = Canary(START), LoadedRules(), CalendarFetches("u", START, START)
    assert world.store.take_turn("email", None, canary)
    assert world.store.keep_loaded_rules(None, rules)
    assert world.store.take_calendar_turn("primary", None, fetches)
    with world.store._database.write() as connection:
        notes = "name LIKE 'canary/%' OR name LIKE 'calendar/%' OR name = 'loaded_rules'"
        connection.execute(text(f"UPDATE meta SET value = :value WHERE {notes}"), {"value": value})
    assert world.reads.canary("email") is None
    assert world.store.loaded_rules() is None
    assert world.reads.calendar_fetches("primary") is None
    assert world.store.take_turn("email", None, canary)
    assert world.store.keep_loaded_rules(None, rules)
    assert world.store.take_calendar_turn("primary", None, fetches)
    assert world.reads.calendar_fetches("primary") == fetches
    assert (world.reads.canary("email"), world.store.loaded_rules()) == (canary, rules)
    assert {id_ for _, id_ in damage(world)} == {"canary/email", "calendar/primary", "loaded_rules"}


@pytest.mark.parametrize("value", [*SPOILT.values(), ""], ids=[*SPOILT, "empty"])
def test_a_damaged_head_of_the_audit_log_keeps_nobody_from_acknowledging(world: EngineWorld, value: str) -> None:
    """The log goes on behind its last row, and `verify` passes again: the chain itself is whole."""
    asked = [world.fire(f"key-{number}", level=4).id for number in range(2)]
    world.handle(Asked(ForIncident(asked[0], Acknowledge("ada")), Origin("ada", "api")))
    with world.store._database.write() as connection:
        connection.execute(text("UPDATE meta SET value = :value WHERE name = 'audit_head'"), {"value": value})
    with pytest.raises(AuditBroken):
        world.store.verify_audit()
    (result,) = world.handle(Asked(ForIncident(asked[1], Acknowledge("ada")), Origin("ada", "api")))
    assert result.error == ""
    assert world.incident(asked[1]).state is State.ACKNOWLEDGED
    assert world.store.verify_audit()[0] == 2


def test_a_damaged_audit_entry_hides_no_other(world: EngineWorld) -> None:
    """The list shows every entry, the damaged one with what can be read of it; `verify` names it."""
    for number in range(3):
        incident = world.fire(f"key-{number}")
        world.handle(Asked(ForIncident(incident.id, Acknowledge("ada")), Origin("ada", "api")))
    spoil(world.store, "UPDATE audit SET data = 'no json' WHERE position = 2")
    assert [position for position, _ in world.store.newest_audits(10)] == [3, 2, 1]
    with pytest.raises(AuditBroken, match="entry 2"):
        world.store.verify_audit()


@pytest.mark.parametrize("value", ["0", "1"])
def test_numbers_that_were_used_are_not_given_again(world: EngineWorld, value: str) -> None:
    """A last number that is too small keeps no incident from being opened: the incidents' own say what is used."""
    used = [world.fire(f"key-{number}").number for number in range(3)]
    spoil(world.store, f"UPDATE meta SET value = '{value}' WHERE name = 'last_number'")
    assert world.fire("another", level=4).number == max(used) + 1
    assert world.poison == []


def test_an_alert_that_nobody_can_be_found_to_hold_pages_again(path: Path) -> None:
    """A row without its incident's id holds no alert: the alert opens an incident and pages."""
    store = open_store(f"sqlite:///{path}")
    EngineWorld(store).fire("key")
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema = 1")
        connection.execute("UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE name = 'alerts'")
        connection.commit()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alerts SET incident_id = NULL")
        connection.commit()
    store = open_store(f"sqlite:///{path}")
    world = EngineWorld(store)
    again = world.fire("key", at=MINUTE)
    assert world.reads.alerts(again.id)
    assert world.poison == []
    assert damage(world)[0][0] == "alert"
    store.close()


def test_a_state_that_is_not_there_keeps_nobody_waiting(path: Path) -> None:
    """An incident without a state takes its next alert, and keeps no other webhook from being stored; it is mended."""
    store = open_store(f"sqlite:///{path}")
    EngineWorld(store).fire("key", level=4)
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema = 1")
        connection.execute("UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE name = 'incidents'")
        connection.commit()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE incidents SET state = NULL")
        connection.commit()
    world = EngineWorld(open_store(f"sqlite:///{path}"))
    both = world.handle(firing("key", "a", "b", level=4), firing("other"), at=MINUTE)
    assert [each.incident is not None for each in both] == [True, True]
    examine(world, MINUTE)
    assert len(world.reads.incidents()[0]) == 2
    assert world.poison == []
    world.store.close()
