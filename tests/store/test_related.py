"""Other incidents of the same system: found by an index, whether they are closed or not."""

from collections.abc import Callable

from msgspec.structs import replace

from receiver.core.model import Incident, State
from receiver.store import SqlStore, statements
from receiver.store.session import Session
from tests.store.samples import NOW, incident, save

DAY = 24 * 60 * 60 * 1_000_000


def of(name: str, system: str = "landing-7", at: int = NOW, **more: object) -> Incident:
    """An incident about a system."""
    return incident(name, labels={"system": system}, opened_at=at, **more)


def test_others_of_the_system(store: SqlStore) -> None:
    """Those that are not closed, and the closed ones since some day without exercises: each the newest first and so many
    at most. Neither itself nor another system's is among them; one without a system has none.
    """
    closed = {"state": State.CLOSED, "closed_at": NOW}
    told = save(
        store,
        opened=[
            of("old", at=NOW - 40 * DAY, **closed),
            of("lately", **closed),
            of("practice", exercise=True, **closed),
            of("open"),
            of("taken", state=State.ACKNOWLEDGED),
            of("resolved", state=State.RESOLVED, resolved_at=NOW),
            of("other", "landing-71"),
            incident("nothing"),
        ],
    )
    by_id = {each.id: each for each in told}
    reads = store.reads()

    def found(name: str, limit: int = 9) -> tuple[list[str], list[str]]:
        now, lately = reads.related(by_id[f"id-{name}"], NOW - 30 * DAY, limit)
        return [each.id[3:] for each in now], [each.id[3:] for each in lately]

    assert found("open") == (["resolved", "taken"], ["lately"])
    assert found("lately") == (["resolved", "taken", "open"], [])
    assert found("lately", 2)[0] == ["resolved", "taken"]
    assert found("other") == found("nothing") == ([], [])
    save(store, changed=[replace(by_id["id-taken"], state=State.CLOSED, closed_at=NOW)])
    assert found("open") == (["resolved"], ["taken", "lately"])
    assert store.forget(NOW + 1, 10) == 4
    assert found("open") == (["resolved"], [])


def test_postgresql_walks_its_indexes(postgresql: Callable[[], str], open_stores: Callable[[str], SqlStore]) -> None:
    """Both questions find the system in an index; of SQLite `test_what_is_asked_often_walks_an_index` says so."""
    store = open_stores(postgresql())
    asked = {"system": "a", "number": 1, "limit": 5, "since": NOW}
    with store._database.read() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        session = Session(connection)
        plans = [
            str(session.rows(f"EXPLAIN {sql}", **asked)) for sql in (statements.RELATED_NOW, statements.RELATED_CLOSED)
        ]
    assert "open_systems_pkey" in plans[0]
    assert "closed_words_by_system" in plans[1]
