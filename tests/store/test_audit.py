"""The audit log: everything that people do stands in it, once, and no change goes unnoticed."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from receiver.core.audit_log import Origin
from receiver.core.events import Acknowledge, Declare, Note
from receiver.core.model import Instant
from receiver.engine.commands import Asked, ForIncident
from receiver.engine.engine import Engine
from receiver.store import SqlStore
from receiver.store.audit_chain import AuditBroken
from rules.load import load
from tests.patience import GIVES_UP

NOW = Instant(1_795_400_000_000_000)
ADA = Origin("ada", "api", "10.0.0.7")


def engine(store: SqlStore) -> Engine:
    """An engine on the shipped policy."""
    policy = load()
    return Engine(store, policy, [channel.name for channel in policy.channels], NOW)


def declare(key: str = "a", origin: Origin = ADA) -> Asked:
    """ada declares an incident."""
    return Asked(Declare(f"{key:0>64}", "engine_failure", "ada", note="smoke\0"), origin)


def note(incident_id: str, text: str, reference: str = "") -> Asked:
    """ada writes a note."""
    return Asked(ForIncident(incident_id, Note("ada", text)), Origin("ada", "slack", "", reference))


def test_actions_are_logged(store: SqlStore) -> None:
    """Each action stands in the log: who, from where, what was said, on which incident, and whether it was done."""
    one = engine(store)
    [opened] = one.handle([declare()], NOW)
    assert opened.incident is not None
    late = Asked(ForIncident(opened.incident.id, Acknowledge("ada", answers=0)), ADA)
    one.handle([late, note(opened.incident.id, "looking")], NOW)
    entries = [entry for _, entry in store.newest_audits(10)][::-1]
    assert [(entry.action, entry.via, entry.address, entry.outcome[:13]) for entry in entries] == [
        ("declare", "api", "10.0.0.7", "done"),
        ("acknowledge", "api", "10.0.0.7", "something new"),
        ("note", "slack", "", "done"),
    ]
    assert {entry.incident for entry in entries} == {f"#1 {opened.incident.id}"}
    assert entries[2].data == {"by": "ada", "text": "looking"}
    assert store.verify_audit()[0] == 3


def test_webhooks_are_not(store: SqlStore) -> None:
    """What no person did is told in the timeline alone."""
    [opened] = engine(store).handle([declare().what], NOW)
    assert opened.incident is not None
    assert store.newest_audits(10) == []
    assert store.verify_audit() == (0, "")


def test_a_request_is_carried_out_once(store: SqlStore) -> None:
    """What a provider sends twice, at once or later, is done and logged once."""
    one = engine(store)
    [opened] = one.handle([declare()], NOW)
    assert opened.incident is not None
    twice = [note(opened.incident.id, "hello", "SM1"), note(opened.incident.id, "hello", "SM1")]
    first, second = one.handle(twice, NOW)
    [third] = one.handle(twice[:1], NOW)
    assert first.refusal is None
    assert second.refusal is not None
    assert third.refusal is not None
    assert [entry.fact for entry in store.reads().timeline(opened.incident.id)].count("noted") == 1
    assert store.verify_audit()[0] == 2


CHANGES = {
    "a word changed": "UPDATE audit SET who = 'eve' WHERE position = 2",
    "an outcome changed": "UPDATE audit SET outcome = 'refused' WHERE position = 2",
    "an entry taken out": "DELETE FROM audit WHERE position = 2",
    "the first taken out": "DELETE FROM audit WHERE position = 1",
    "the last taken out": "DELETE FROM audit WHERE position = 3",
    "a hash changed": "UPDATE audit SET hash = 'x' WHERE position = 2",
    "two exchanged": "UPDATE audit SET position = CASE position WHEN 1 THEN 102 ELSE 101 END WHERE position < 3",
    "all taken out": "DELETE FROM audit",
    "the head changed": "UPDATE meta SET value = '2 x' WHERE name = 'audit_head'",
    "an entry put in": "INSERT INTO audit SELECT 4, at, who, via, address, action, incident, outcome, data, 'r', hash "
    "FROM audit WHERE position = 3",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_every_change_is_found(store: SqlStore, change: str) -> None:
    """Verifying reports any record that is changed, removed, inserted or exchanged."""
    engine(store).handle([declare(key) for key in "abc"], NOW)
    assert store.verify_audit()[0] == 3
    with store._database.write() as connection:
        connection.exec_driver_sql(change)
    with pytest.raises(AuditBroken):
        store.verify_audit()


def test_a_log_made_anew_is_found_by_a_noted_head(tmp_path: Path, open_stores: Callable[[str], SqlStore]) -> None:
    """Who writes the whole chain anew passes, but not against a head that was noted elsewhere."""
    genuine, forged = (open_stores(f"sqlite:///{tmp_path / name}") for name in ("a.db", "b.db"))
    engine(genuine).handle([declare("a"), declare("b")], NOW)
    head = genuine.verify_audit()
    engine(genuine).handle([declare("c")], NOW)
    assert genuine.verify_audit(head)[0] == 3
    engine(forged).handle([declare("a"), declare("x"), declare("c")], NOW)
    engine(forged).handle([declare("b", Origin("eve", "api"))], NOW)
    assert forged.verify_audit()[0] == 4
    with pytest.raises(AuditBroken, match="noted"):
        forged.verify_audit((head[0] + 2, head[1]))
    with pytest.raises(AuditBroken, match="noted"):
        genuine.verify_audit((9, head[1]))


def test_replicas_append_in_turn(postgresql: Callable[[], str], open_stores: Callable[[str], SqlStore]) -> None:
    """Several replicas that log at once make one chain; the same request to all of them is carried out once."""
    url = postgresql()
    engines = [engine(open_stores(url)) for _ in range(3)]
    [opened] = engines[0].handle([declare()], NOW)
    assert opened.incident is not None
    incident_id = opened.incident.id

    def work(number: int) -> None:
        for turn in range(10):
            one = engines[number]
            one.handle([declare(f"{number}{turn}"), note(incident_id, "same", f"R{turn}")], NOW)

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(work, range(3)))
    store = open_stores(url)
    assert store.verify_audit()[0] == 1 + 30 + 10
    assert [entry.fact for entry in store.reads().timeline(incident_id)].count("noted") == 10


def test_command(tmp_path: Path, open_stores: Callable[[str], SqlStore]) -> None:
    """`tocsin audit` lists, verifies, and exits 1 with what was changed."""
    url = f"sqlite:///{tmp_path / 'tocsin.db'}"
    store = open_stores(url)
    engine(store).handle([declare("a"), declare("b")], NOW)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "receiver.cli", "audit", *words, "--database", url]
        return subprocess.run(command, capture_output=True, text=True, timeout=GIVES_UP)

    verified = run("verify")
    assert verified.returncode == 0, verified.stderr
    head = verified.stdout.split()[-1]
    assert run("verify", "--head", head).returncode == 0
    assert '"who": "ada"' in run("list", "--json").stdout
    assert "declare" in run("list").stdout
    with store._database.write() as connection:
        connection.exec_driver_sql(CHANGES["a word changed"])
    broken = run("verify")
    assert (broken.returncode, broken.stderr) == (1, "tocsin: entry 2 of the audit log, or its hash, was changed\n")
