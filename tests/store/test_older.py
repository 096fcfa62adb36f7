"""A database that an older Tocsin wrote is brought up to date, and goes on where it was."""

import sqlite3
from contextlib import closing
from pathlib import Path

from msgspec.structs import replace

from receiver.core.events import AlertsReceived
from receiver.core.model import Instant, State, Status, Window
from receiver.engine import Engine
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
    path = tmp_path / "tocsin.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(DUMP.read_text())
        older, newer = (row[0] for row in connection.execute("SELECT id FROM incidents ORDER BY number"))
        connection.execute("DELETE FROM alerts WHERE incident_id = ?", (newer,))
        connection.execute(
            "INSERT INTO alerts SELECT ?, fingerprint, starts_at, firing, level, doc FROM alerts", (newer,)
        )
        names = {row[0] for row in connection.execute("SELECT fingerprint FROM alerts")}
        connection.commit()
    store = open_store(f"sqlite:///{path}", to_serve=True)
    with store.transaction() as transaction:
        assert transaction.holders([("", name) for name in names]) == {("", name): newer for name in names}
    assert {each.fingerprint for each in store.reads().alerts(older)} == names
    _end_in_both(store, older, newer)
    store.close()


def _end_in_both(store: SqlStore, *ids: str) -> None:
    """Its end, told by the group of either incident, ends it there: none stays open."""
    engine = Engine(store, POLICY, ALL, START)
    for each in ids:
        incident = store.reads().incident(each)
        assert incident is not None
        ended = tuple(
            replace(one, firing=False, ended_at=Instant(START + HOUR))
            for one in store.reads().alerts(each)
            if one.firing
        )
        engine.handle([AlertsReceived(incident.key, "", ended)], Instant(START + HOUR))
    assert not any(alert.firing for each in ids for alert in store.reads().alerts(each))
