"""A database that an older Tocsin wrote is brought up to date, and goes on where it was."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from msgspec.structs import replace

from receiver.core.doubles import over
from receiver.core.events import AlertsReceived
from receiver.core.model import Instant, State, Status, Window
from receiver.core.response import Deed
from receiver.engine.engine import Engine
from receiver.store import SqlStore, open_store
from rules.policy import HOUR, MINUTE
from tests.core.alerts import SAFETY, SLO, START
from tests.core.guide import ALL, POLICY

DUMP = Path(__file__).with_name("revision_0001.sql")
"""Two incidents with their pages, one of them delivered, the others leased by a process that is gone."""


def test_a_database_of_the_first_revision_goes_on(tmp_path: Path) -> None:
    """Its incidents, windows and messages are read, carried out and sent by this version."""
    path = tmp_path / "tocsin.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(DUMP.read_text())
    store = open_store(f"sqlite:///{path}", to_serve=True)
    found, _ = store.reads().incidents()
    assert {rule for each in found for rule in each.rules} == {SLO, SAFETY}
    assert all(Window.ESCALATE in each.windows and each.state is State.OPEN for each in found)
    waiting = [one for each in found for one in store.reads().notifications(each.id) if one.status is Status.WAITING]
    engine = Engine(store, POLICY, ALL, START)
    claimed = [each for delivery in engine.claim(Instant(START + MINUTE), "new") for each, _ in delivery.items]
    assert {each.id for each in claimed} == {each.id for each in waiting}
    assert engine.fire_due(Instant(START + HOUR)) == len(found)
    assert all(each.step >= 2 for each in store.reads().incidents()[0])
    store.close()


def test_an_alert_in_two_incidents_stays_with_the_newer(tmp_path: Path) -> None:
    """Where groups had moved under an older version, one incident holds the alert from now on."""
    store, older, newer = _doubled(tmp_path)
    names = {each.fingerprint for each in store.reads().alerts(older)}
    with store.transaction() as transaction:
        assert transaction.holders([("", name) for name in names]) == {("", name): newer for name in names}
    assert {each.fingerprint for each in store.reads().alerts(newer)} == names
    store.close()


def test_an_alert_in_two_incidents_ends_with_its_holders(tmp_path: Path) -> None:
    """An end sent to the incident that holds the alert ends it in the other one too, whose group is sent no more."""
    store, other, holder = _doubled(tmp_path)
    engine, now = Engine(store, POLICY, ALL, START), Instant(START + HOUR)
    doubles = store.reads().doubles()
    assert {each.alert.fingerprint for each in doubles} == {each.fingerprint for each in store.reads().alerts(other)}
    assert over(doubles, now) == [], "it fires where it is held"
    _end(engine, store, holder, now)
    engine.handle(over(store.reads().doubles(), now), now)
    assert not any(alert.firing for each in (holder, other) for alert in store.reads().alerts(each))
    assert store.reads().doubles() == []
    store.close()


def test_an_alert_in_two_incidents_ends_where_either_group_tells_it(tmp_path: Path) -> None:
    """Its end, told by the group of either incident, ends it there: none stays open."""
    store, older, newer = _doubled(tmp_path)
    engine = Engine(store, POLICY, ALL, START)
    for each in (older, newer):
        _end(engine, store, each, Instant(START + HOUR))
    assert not any(alert.firing for each in (older, newer) for alert in store.reads().alerts(each))
    store.close()


def _end(engine: Engine, store: SqlStore, incident_id: str, now: Instant) -> None:
    """The end of all that fires in it is told by its own group."""
    incident = store.reads().incident(incident_id)
    assert incident is not None
    firing = [each for each in store.reads().alerts(incident_id) if each.firing]
    engine.handle(
        [AlertsReceived(incident.key, "", tuple(replace(each, firing=False, ended_at=now) for each in firing))], now
    )


def _doubled(folder: Path) -> tuple[SqlStore, str, str]:
    """A store of the first revision in which two incidents have the same alerts, opened; the older and the newer."""
    path = folder / "tocsin.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(DUMP.read_text())
        older, newer = (row[0] for row in connection.execute("SELECT id FROM incidents ORDER BY number"))
        connection.execute("DELETE FROM alerts WHERE incident_id = ?", (newer,))
        connection.execute(
            "INSERT INTO alerts SELECT ?, fingerprint, starts_at, firing, level, doc FROM alerts", (newer,)
        )
        connection.commit()
    return open_store(f"sqlite:///{path}", to_serve=True), older, newer


def test_what_an_older_version_wrote_down_is_found(tmp_path: Path) -> None:
    """Cause and lesson of incidents that an older version stored are searched, and shown to later ones like them."""
    path = tmp_path / "tocsin.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(DUMP.read_text())
        number, doc = connection.execute("SELECT number, doc FROM incidents ORDER BY number LIMIT 1").fetchone()
        doc = json.dumps(json.loads(doc) | {"facts": {"root_cause": "a worn bearing"}, "state": "closed"})
        connection.execute("""
            INSERT INTO entries SELECT id, 100, 1, 'noted', 'ben', '{"text": "Oil on the floor"}' FROM incidents
        """)
        connection.execute("UPDATE incidents SET doc = ?, state = 'closed' WHERE number = ?", (doc, number))
        connection.commit()
    store = open_store(f"sqlite:///{path}", to_serve=True)
    [found] = store.reads().incidents(search="BEARING")[0]
    assert found.number == number
    for words in ("unit=A", "on the floor"):
        assert number in [each.number for each in store.reads().incidents(search=words)[0]], words
    assert store.reads().similar(replace(found, number=100, labels={}), 5) == [found]
    store.close()


def test_who_had_an_incident_is_read_from_its_timeline(tmp_path: Path) -> None:
    """An incident that an older version reopened after an acknowledgement names its former owner."""
    path = tmp_path / "tocsin.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(DUMP.read_text())
        [incident] = connection.execute("SELECT id FROM incidents ORDER BY number LIMIT 1").fetchone()
        lines = [
            ("acknowledged", "amir", "{}"),
            ("handed_over", "amir", '{"to": "ben"}'),
            ("escalated", "", "{}"),
            ("escalated", "ben", "{}"),
            ("ack_expired", "", '{"whom": "ben"}'),
        ]
        connection.executemany(
            "INSERT INTO entries (incident_id, position, at, fact, by, data) VALUES (?, ?, ?, ?, ?, ?)",
            [(incident, 1000 + number, START + number, *line) for number, line in enumerate(lines)],
        )
        connection.commit()
    store = open_store(f"sqlite:///{path}", to_serve=True)
    found = store.reads().incident(incident)
    assert found is not None
    assert [(each.deed, each.by, each.to) for each in found.response.history] == [
        (Deed.ACKNOWLEDGED, "amir", ""),
        (Deed.HANDED_OVER, "amir", "ben"),
        (Deed.ASKED_FOR_HELP, "ben", ""),
        (Deed.EXPIRED, "ben", ""),
    ]
    store.close()


def test_what_came_back_has_its_occurrences(tmp_path: Path) -> None:
    """Of an incident that came back under an older version, what was done and entered before belongs to that time."""
    path = tmp_path / "tocsin.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(DUMP.read_text())
        incident, doc = connection.execute("SELECT id, doc FROM incidents ORDER BY number LIMIT 1").fetchone()
        done = {
            f"immediate_actions.{number}": {"by": "amir", "at": START + number * HOUR, "text": str(number)}
            for number in (1, 4)
        }
        changed = json.loads(doc) | {
            "recurrences": 1,
            "facts": {"root_cause": "a valve", "lessons_learned": "look twice"},
            "response": {"checklists": {"done": done}},
        }
        connection.execute("UPDATE incidents SET doc = ? WHERE id = ?", (json.dumps(changed), incident))
        lines = [
            ("changed", 1, "amir", '{"field": "root_cause", "value": "a valve"}'),
            ("resolved", 2, "amir", "{}"),
            ("reopened", 3, "", '{"reason": "recurred", "recurrences": "1"}'),
            ("changed", 4, "ben", '{"field": "lessons_learned", "value": "look twice"}'),
        ]
        connection.executemany(
            "INSERT INTO entries (incident_id, position, fact, at, by, data) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (incident, 1000 + number, fact, START + hour * HOUR, by, data)
                for number, (fact, hour, by, data) in enumerate(lines)
            ],
        )
        connection.commit()
    store = open_store(f"sqlite:///{path}", to_serve=True)
    found = store.reads().incident(incident)
    assert found is not None
    [before] = found.response.occurrences
    assert (before.number, before.ended_at, before.resolved_by) == (1, START + 3 * HOUR, "amir")
    assert (dict(before.facts), dict(found.facts)) == ({"root_cause": "a valve"}, {"lessons_learned": "look twice"})
    assert (list(before.checklists.done), list(found.response.checklists.done)) == (
        ["immediate_actions.1"],
        ["immediate_actions.4"],
    )
    store.close()
