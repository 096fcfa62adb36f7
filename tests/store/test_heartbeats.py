"""Heartbeats are kept for every replica, and across restarts."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from msgspec.structs import replace

from receiver.core.audit_log import Audit
from receiver.core.heartbeat import UNKNOWN, Beat
from receiver.core.model import Instant
from receiver.store import SqlStore
from rules.policy import MINUTE
from tests.core.alerts import START

BEAT = Beat("eu", {"alertname": "TocsinHeartbeat"}, "f", START, START)
OTHER = replace(BEAT, source="us")
DUMP = Path(__file__).with_name("revision_0001.sql")


def test_the_newest_word_counts_whoever_heard_it(store: SqlStore) -> None:
    """Two replicas' records of one clock are one clock, set by the newest evaluation, in any order."""
    later = replace(BEAT, at=Instant(START + MINUTE), heard_at=Instant(START + MINUTE))
    store.hear([OTHER, later])
    store.hear([BEAT])
    assert {each.source: each.evaluated_at for each in store.heartbeats()} == {"eu": START + MINUTE, "us": START}


def test_a_retired_one_stays_retired_and_who_did_it_is_kept(store: SqlStore) -> None:
    """It is retired for every replica, and the audit log says by whom and why."""
    store.hear([BEAT])
    entry = Audit(Instant(START + MINUTE), "ann", "api", "", "retire-heartbeat", data={"reason": "torn down"})
    store.retire_heartbeat(BEAT.key, entry)
    store.hear([BEAT])
    (clock,) = store.heartbeats()
    assert clock.retired_at == START + MINUTE
    ((_, noted),) = store.newest_audits(5)
    assert (noted.who, noted.data["reason"]) == ("ann", "torn down")


def test_the_one_instant_of_an_older_release_ends_with_the_first_beat(
    tmp_path: Path, open_stores: Callable[[str], SqlStore]
) -> None:
    """An older database's heartbeat goes on as one of unknown source, until one is heard by name."""
    path = tmp_path / "tocsin.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(DUMP.read_text())
        connection.execute("INSERT INTO meta (name, value) VALUES ('heartbeat_at', ?)", (str(START),))
        connection.commit()
    store = open_stores(f"sqlite:///{path}")
    (old,) = store.heartbeats()
    assert (old.key, old.evaluated_at, old.source) == (UNKNOWN, START, "")
    store.hear([BEAT])
    assert [each.source for each in store.heartbeats()] == ["eu"]
