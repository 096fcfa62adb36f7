"""Words in titles: found in any case, by an index that follows what is stored, or without one."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.dialects import postgresql

from receiver.core.model import Entry, Fact, Incident, State
from receiver.core.response import Deed, Occurrence, Response, Turn
from receiver.demo.tools import free_port
from receiver.store import SqlStore, schema, search
from receiver.store.closed_words import MOST_ALERTS
from receiver.store.search import FEW, RECENT, WALKED
from receiver.store.session import Session
from tests.npm import missing
from tests.store.samples import NOW, alert, incident, save

Open = Callable[[str], SqlStore]


@pytest.fixture
def many(store: SqlStore) -> SqlStore:
    """More titles with one word than are looked up one by one, of two levels and two types."""
    titles = ["Disk full on “db one”", *(f"Disk {number} slow" for number in range(FEW + 20)), 'A "quoted" pump']
    save(
        store,
        opened=[
            incident(
                str(number),
                title=title,
                level=1 + number % 2,
                type="rare" if number < 3 else "often",
                opened_at=NOW + number,
                state=State.OPEN if number % 10 == 0 else State.CLOSED,
            )
            for number, title in enumerate(titles)
        ],
    )
    return store


WORDS = ("disk", "DISK", "k 17", "on “DB", '"QUOTED"', "zebra", "di", "p", "k%1", "k_1", "OR")
OTHERS: tuple[dict, ...] = ({}, {"type": "rare"}, {"level": 2}, {"until": NOW + 40}, {"state": {State.OPEN}})


def test_what_is_found_is_what_is_there(many: SqlStore) -> None:
    """Words alone or with other conditions find exactly what reading every title finds, page after page."""
    reads = many.reads()
    for other in OTHERS:
        everything, _ = reads.incidents(limit=10_000, **other)
        for words in WORDS:
            expected = [each.number for each in everything if words.lower() in each.title.lower()]
            found, cursor = reads.incidents(search=words, limit=300, **other)
            while cursor:
                page, cursor = reads.incidents(search=words, limit=300, cursor=cursor, **other)
                found += page
            assert [each.number for each in found] == expected, (words, other)


def test_short_words_are_looked_for_in_the_newest(store: SqlStore) -> None:
    """One or two letters, which no index helps with, find nothing in a million old titles; a number does."""
    old, new = (incident(f"n{number}", number=number, title="zq", state=State.CLOSED) for number in (7, RECENT + 7))
    save(store, opened=[old, new])
    reads = store.reads()
    assert [each.number for each in reads.incidents(search="zq")[0]] == [RECENT + 7]
    assert [each.number for each in reads.incidents(search="7")[0]] == [7]


def test_older_ones_are_found_as_the_newest_are(store: SqlStore) -> None:
    """Words of old incidents are found when the newest fill no page, alone, with other conditions, and page by page."""
    numbers = (3, 7, WALKED + 7, WALKED + 9)
    told = [_answered(f"n{n}", State.CLOSED, "priya", number=n, labels={"region": "north"}, level=2) for n in numbers]
    save(store, opened=[*told, incident("last", number=2 * WALKED, state=State.CLOSED)])
    reads = store.reads()
    for words in ("region=NORTH", "priya"):
        for other in OTHERS[:1] + OTHERS[2:3]:
            found: list[int] = []
            cursor = None
            while cursor or not found:
                page, cursor = reads.incidents(search=words, limit=1, cursor=cursor, **other)
                found += [each.number for each in page]
            assert found == [*reversed(numbers)], (words, other)


def test_what_was_written_down_is_found_and_forgotten(store: SqlStore) -> None:
    """Facts of an incident and of its earlier occurrences are found as titles are; earlier closed ones of its type or
    its system are like an incident. With the incident its facts are forgotten.
    """
    before = Occurrence(1, NOW, NOW, facts={"root_cause": "Loose cable"})
    facts = {"lessons_learned": "Check 100% of the cables\nÜberprüfe die Kabel"}
    told = [
        incident("a", type="engine", labels={"service": "wing"}, facts=facts, state=State.CLOSED, closed_at=NOW),
        incident("b", type="pump", labels={"system": "wing"}, response=Response(occurrences=(before,))),
        incident("c", type="pump", state=State.CLOSED, closed_at=NOW),
    ]
    save(store, opened=told)
    saved = save(
        store, opened=[incident("d", type="engine", labels={"job": "tail"}), incident("e", labels={"app": "wing"})]
    )
    reads = store.reads()
    for words, expected in (
        ("CABLE", ["id-b", "id-a"]),
        ("100%", ["id-a"]),
        ("1000%", []),
        ("le", ["id-b", "id-a"]),
        ("cables überprüfe DIE", ["id-a"]),
        ("ÜBERPRÜFE", ["id-a"]),
    ):
        assert [each.id for each in reads.incidents(search=words)[0] if each.id in {"id-a", "id-b"}] == expected
    assert [each.id for each in reads.incidents(search="cable", type="pump")[0]] == ["id-b"]
    assert [[one.id for one in reads.similar(each, 5)] for each in saved] == [["id-a"], ["id-a"]]
    save(store, changed=[replace(told[1], number=2, state=State.RESOLVED)])
    assert [[one.id for one in reads.similar(each, 5)] for each in saved] == [["id-a"], ["id-b", "id-a"]]
    assert store.forget(NOW + 1, 10) == 2
    assert [each.id for each in reads.incidents(search="cable")[0]] == ["id-b"]
    assert reads.similar(saved[0], 5) == []


def test_forgotten_titles_are_not_found(store: SqlStore) -> None:
    """What is deleted, and what a title was before, leaves the index of what is closed."""
    one, two = save(store, opened=[incident("a", title="pump one"), incident("b", title="pump two")])
    save(store, changed=[replace(each, state=State.CLOSED) for each in (one, two)])
    assert len(store.reads().incidents(search="pump")[0]) == 2
    with store._database.write() as connection:
        Session(connection).run("DELETE FROM incidents WHERE id = :id", {"id": "id-a"})
        Session(connection).run("UPDATE incidents SET title = 'valve' WHERE id = :id", {"id": "id-b"})
    assert store.reads().incidents(search="pump")[0] == []
    assert [each.id for each in store.reads().incidents(search="valve")[0]] == ["id-b"]


def _answered(name: str, state: State, by: str, **more: Any) -> Incident:
    response = Response(owner=by, history=(Turn(Deed.ACKNOWLEDGED, NOW, by),))
    return incident(name, state=state, acknowledged_by=by, response=response, **more)


def test_labels_people_and_notes_are_found(store: SqlStore) -> None:
    """The words of an incident's labels, owners and notes are found, of open and of closed ones; a system and a person
    choose exactly theirs. Changes after the closing are found too; with the incident all is forgotten.
    """
    noted = [
        Entry("id-b", 1, NOW, Fact.NOTED, "priya", {"text": 'The "left" servo hums'}),
        Entry("id-a", 1, NOW, Fact.ACKNOWLEDGED, "jonas", {"note": "servo again"}),
        Entry("id-c", 1, NOW, Fact.OPENED, "", {"note": "servo"}),
    ]
    told = [
        _answered("a", State.ACKNOWLEDGED, "jonas", labels={"service": "landing-7", "region": "North"}),
        _answered("b", State.CLOSED, "priya", labels={"service": "landing-7"}, closed_at=NOW),
        incident("c", state=State.CLOSED, labels={"service": "landing-71"}, closed_at=NOW),
    ]
    saved = save(store, opened=told, entries=noted)
    reads = store.reads()

    def found(**asked: Any) -> list[str]:
        return [each.id for each in reads.incidents(**asked)[0]]

    for words, expected in (
        ("LANDING-7", ["id-c", "id-b", "id-a"]),
        ("region=north", ["id-a"]),
        ("priya", ["id-b"]),
        ("Jonas", ["id-a"]),
        ("servo", ["id-b", "id-a"]),
        ('the "left"', ["id-b"]),
        ("100%", []),
    ):
        assert found(search=words) == expected, words
        assert found(search=words, level=told[0].level) == expected, words
    assert found(system="landing-7") == ["id-b", "id-a"]
    assert found(person="jonas") == ["id-a"]
    assert found(person="priya", system="landing-7", search="servo") == ["id-b"]
    assert found(person="priya", limit=1) == ["id-b"]
    late = [Entry("id-c", 2, NOW, Fact.NOTED, "mia", {"text": "Cable was loose"})]
    save(store, changed=[saved[2]], entries=late)
    assert found(search="was loose") == ["id-c"]
    assert store.forget(NOW + 1, 10) == 2
    assert (found(search="priya"), found(search="landing"), found(person="priya")) == ([], ["id-a"], [])
    with store._database.read() as connection:
        rows = Session(connection).rows("SELECT number FROM closed_words UNION ALL SELECT number FROM closed_people")
    assert rows == []


def test_labels_of_alerts_are_found(store: SqlStore) -> None:
    """The unit that an alert names finds its incident, also where other alerts of the incident name others: while it is
    open, and after the alert cleared and the incident closed; of many alerts the worst are found.
    """
    many = [("id-b", alert(f"b{each}", level=1, labels={"disk": f"sd-{each}"})) for each in range(MOST_ALERTS)]
    save(
        store,
        opened=[incident("a"), incident("b", state=State.CLOSED, closed_at=NOW)],
        alerts=[
            ("id-a", alert("a1", labels={"zone": "z1"})),
            ("id-a", alert("a2", labels={"zone": "z2"})),
            ("id-b", alert("worst", level=4, firing=False, labels={"zone": "Z3"})),
            *many,
        ],
    )
    reads = store.reads()
    expected = {"zone=z1": ["id-a"], "zone=z2": ["id-a"], "zone=z": ["id-b", "id-a"], "zone=z3": ["id-b"]}
    expected |= {"sd-0": ["id-b"], "sd-99": []}
    assert {words: [each.id for each in reads.incidents(search=words)[0]] for words in expected} == expected


@pytest.fixture(scope="module")
def debians() -> Iterator[str]:
    """Debian's PostgreSQL, which has pg_trgm; the tests' own has not."""
    tools = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not tools:
        missing("Debian's postgresql is not installed")
    here = Path(tempfile.mkdtemp(prefix="tocsin-debian-"))
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(here, user)
    port = free_port()
    run = {"check": True, "user": user, "cwd": here, "stdout": subprocess.DEVNULL, "timeout": 60}
    control = [tools[-1].with_name("pg_ctl"), "-D", here / "data", "-w", "-s"]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={here} -c fsync=off"
    subprocess.run([tools[-1], "-D", here / "data", "-A", "trust", "-U", "admin", "-N"], **run)
    subprocess.run([*control, "-l", here / "log", "-o", options, "start"], **run)
    yield f"postgresql://admin@127.0.0.1:{port}/postgres"
    subprocess.run([*control, "-m", "immediate", "stop"], **run)
    shutil.rmtree(here, ignore_errors=True)


def _indexes(store: SqlStore, table: str = "incidents") -> set[str]:
    with store._database.read() as connection:
        found = Session(connection).rows("SELECT indexname FROM pg_indexes WHERE tablename = :table", table=table)
    return {row.indexname for row in found}


def test_postgresql_walks_its_trigrams(debians: str, open_stores: Open) -> None:
    """Where pg_trgm may be added it is, and a search for a rare word walks its index."""
    store = open_stores(debians)
    assert "incidents_by_words" in _indexes(store)
    assert "closed_words_by_words" in _indexes(store, "closed_words")
    save(store, opened=[incident("a", title="Pump ÄRGER one"), incident("b", title="valve")])
    assert [each.id for each in store.reads().incidents(search="ärger")[0]] == ["id-a"]
    with store._database.read() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        connection.exec_driver_sql("SET LOCAL enable_indexscan = off")
        asked = select(schema.incidents.c.number).where(search.contains(schema.incidents.c.title, "pump"))
        sql = asked.compile(connection, compile_kwargs={"literal_binds": True})
        plan = Session(connection).rows(f"EXPLAIN {sql}".replace("%%", "%"))
        assert "incidents_by_words" in str(plan)


def test_postgresql_without_the_right_to_add_it(debians: str, open_stores: Open) -> None:
    """Where pg_trgm must not be added the store opens all the same, and titles are read one by one."""
    with psycopg.connect(debians, autocommit=True) as admin:
        admin.execute("CREATE ROLE guest LOGIN")
        admin.execute("CREATE DATABASE guests")
    with psycopg.connect(debians.replace("/postgres", "/guests"), autocommit=True) as admin:
        admin.execute("CREATE SCHEMA guest AUTHORIZATION guest")
    store = open_stores(debians.replace("admin@", "guest@").replace("/postgres", "/guests"))
    assert "incidents_by_words" not in _indexes(store)
    save(store, opened=[incident("a", title="Pump one"), incident("b", title="valve")])
    assert [each.id for each in store.reads().incidents(search="PUMP")[0]] == ["id-a"]


def _steps(store: SqlStore, ask: Callable[[], object]) -> int:
    """Steps of SQLite's machine that a question takes, in tens."""
    count = 0

    def tick() -> int:
        nonlocal count
        count += 1
        return 0

    with store._database.driver() as connection:
        connection.set_progress_handler(tick, 10)
        ask()
        connection.set_progress_handler(None, 0)
    return count


def test_what_is_not_there_is_not_looked_for_one_by_one(open_stores: Open) -> None:
    """A word in no title and a time before all incidents cost next to nothing; without the indexes they cost each one."""
    store = open_stores("sqlite://")
    save(
        store,
        opened=[incident(str(n), title=f"Disk {n} slow", opened_at=NOW + n, state=State.CLOSED) for n in range(FEW)],
    )
    reads = store.reads()
    asked = (lambda: reads.incidents(search="zebra"), lambda: reads.incidents(until=NOW))
    for ask in asked:
        assert _steps(store, ask) < FEW / 5
    with store._database.write() as connection:
        connection.exec_driver_sql("DROP TABLE incident_titles")
        connection.exec_driver_sql("DROP TABLE closed_words_index")
        connection.exec_driver_sql("DROP INDEX incidents_by_opening")
    for ask in asked:
        assert _steps(store, ask) > FEW / 5


def test_a_search_is_made_of_what_the_index_is_made_of() -> None:
    """PostgreSQL's trigram indexes are of lower(title) and lower(words): for ILIKE every row of a million would be read."""
    for column in (schema.incidents.c.title, schema.closed_words.c.words):
        asked = str(search.contains(column, "50%").compile(dialect=postgresql.dialect()))
        assert asked.startswith(f"lower({column}) LIKE lower(")
