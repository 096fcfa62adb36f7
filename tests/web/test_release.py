"""What an earlier release stored goes on: its database is opened, decided on, verified, and its links are good.

`tests/store/release/make.py` wrote it with that release's code. Later code may be called anything; what stands in the
file may not. `tests/store/test_frozen.py` compares the names themselves.
"""

import gzip
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest

from receiver.core.events import AUDITED_AS
from receiver.core.model import Fact, Incident, Instant, Kind, Reason, State, Status
from receiver.store import SqlStore, codec, open_store
from receiver.store.audit_chain import AuditBroken
from rules.load import load
from rules.policy import HOUR, MINUTE, Policy
from rules.stored import dump, parse
from tests.web.conftest import START, Running

RELEASE = Path(__file__).parent.parent / "store" / "release"
EXPECTED = json.loads((RELEASE / "expected.json").read_text("utf-8"))
NUMBERS = EXPECTED["numbers"]
ENVIRON = {"TOCSIN_API_TOKENS": "ann:admin:token", "TOCSIN_EXTERNAL_URL": "https://tocsin.example.test"}
TOKEN = {"Authorization": "Bearer token"}

SINCE = {"withdraw", "giveback", "signoff", "close", "filereport", "withdrawfiling", "judgeobligation"}
SINCE |= {"attachfile", "redactfile", "placehold", "releasehold", "undo", "openroom"}
"""Words of the audit log that the release did not have."""

Start = Callable[..., Any]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A copy of the release's database."""
    path = tmp_path / "tocsin.db"
    path.write_bytes(gzip.decompress((RELEASE / "tocsin.db.gz").read_bytes()))
    return path


@pytest.fixture
def store(database: Path) -> Iterator[SqlStore]:
    """The copy, opened by today's code."""
    opened = open_store(f"sqlite:///{database}", to_serve=True)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def policy() -> Policy:
    """The policy files of the release, read by today's code; receivers in this module start with it."""
    return load([RELEASE / "policy"])


async def serve(start: Start, database: Path) -> Running:
    """A receiver that goes on with the copy, a moment after the release stopped."""
    running: Running = await start(TOCSIN_DATABASE=f"sqlite:///{database}", **ENVIRON)
    return running


async def state(receiver: Running, number: int) -> str:
    """An incident's, by the API."""
    status, found = await receiver.get(f"/api/v1/incidents/{number}", headers=TOKEN)
    assert status == 200, found
    return str(found["state"])


async def test_a_repeat_opens_nothing(start: Start, database: Path) -> None:
    """What Alertmanager repeats finds the incident that it opened under the release, by source, group and fingerprint."""
    receiver = await serve(start, database)
    before = receiver.store.reads().incidents(limit=100)[0]
    for each in EXPECTED["bodies"]:
        path = f"/webhook/alertmanager?source={each['source']}"
        status, answer = await receiver.post(path, each["body"].encode(), headers=TOKEN)
        assert (status, answer["incidents"]) == (200, each["numbers"]), each["name"]
    after = receiver.store.reads().incidents(limit=100)[0]
    assert [each.id for each in after] == [each.id for each in before]
    assert {str(each.number): each.state for each in after if each.id != "filled"} == EXPECTED["states"]


STEPS = (
    ("acknowledge", "acknowledged"),
    ("escalate", "acknowledged"),
    ("give-back", "open"),
    ("acknowledge", "acknowledged"),
)


async def test_people_go_on(start: Start, database: Path) -> None:
    """Each incident that is open can be acknowledged, escalated and resolved, and the log's chain goes on."""
    receiver = await serve(start, database)
    open_ones = [number for number, stood in EXPECTED["states"].items() if stood == "open"]
    for number in open_ones:
        path = f"/api/v1/incidents/{number}"
        for what, stands in STEPS:
            status, found = await receiver.post(f"{path}/{what}", {"by": "ada"}, headers=TOKEN)
            assert (status, found.get("state")) == (200, stands), (number, what, found)
        said = {"by": "ada", "note": "it was a cable", "force": True}
        for by in ("ada", "ben", "cid"):  # as many as the level may ask
            if await state(receiver, number) == "acknowledged":
                await receiver.post(f"{path}/resolve", {**said, "by": by}, headers=TOKEN)
        assert await state(receiver, number) == "resolved", number
    position, _ = receiver.store.verify_audit(_head())
    assert position >= _head()[0] + 4 * len(open_ones)


async def test_windows_are_due(start: Start, database: Path) -> None:
    """Deadlines that the release set are carried out: nothing that is open is left where it was."""
    receiver = await serve(start, database)
    before = {each.id: each for each in receiver.store.reads().incidents(limit=100)[0]}
    due = {each.id for each in before.values() if each.due_at is not None and each.due_at <= START + 12 * HOUR}
    assert len(due) >= len([each for each in EXPECTED["states"].values() if each == "open"])
    await receiver.pass_time(12 * HOUR)
    after = {each.id: each for each in receiver.store.reads().incidents(limit=100)[0]}
    assert {each for each in after if after[each].version > before[each].version} == due
    assert after[_id(after, "recovering")].state in {State.OPEN, State.RESOLVED}
    assert after[_id(after, "fresh")].step > before[_id(before, "fresh")].step
    assert after["filled"] == before["filled"]


async def test_what_waited_is_sent(start: Start, database: Path) -> None:
    """Messages that the release left behind, leased or waiting, are claimed and reach the incident's thread."""
    receiver = await serve(start, database)
    waiting = _waiting(receiver)
    assert waiting
    later = Instant(START + 5 * MINUTE)
    claimed = await receiver.queue.run(receiver.engine.claim, later, "new")
    assert {each.id for delivery in claimed for each, _ in delivery.items} & waiting


def _waiting(receiver: Running) -> set[str]:
    reads = receiver.store.reads()
    found = [each for incident in reads.incidents(limit=100)[0] for each in reads.notifications(incident.id)]
    return {each.id for each in found if each.status is Status.WAITING}


async def test_links_are_good(start: Start, database: Path) -> None:
    """Links in messages of the release still acknowledge what they are about; no forged one does."""
    receiver = await serve(start, database)
    for number, path in EXPECTED["links"].items():
        forged = f"{path[:-1]}{'0' if path[-1] != '0' else '1'}"
        altered = path.replace(f"/act/{number}-", "/act/99-")
        resealed = f"{path[:-32]}{'0' * 24}{path[-8:]}"
        for wrong in (forged, altered, resealed):
            assert (await receiver.post(wrong, b""))[0] == 404, wrong
        assert await state(receiver, int(number)) == "open"
        status, page = await receiver.get(path)
        assert (status, f"#{number}" in page) == (200, True), page
    assert (await receiver.post(EXPECTED["link of several"]))[0] == 200
    taken = [number for number in EXPECTED["links"] if await state(receiver, int(number)) == "acknowledged"]
    assert len(taken) == 2
    for number in set(EXPECTED["links"]) - set(taken):
        assert (await receiver.post(EXPECTED["links"][number], b""))[0] == 200
        assert await state(receiver, int(number)) == "acknowledged"


async def test_a_session_goes_on(start: Start, database: Path) -> None:
    """Who was logged in stays logged in; forms of the release's pages are taken, and no forged session is."""
    receiver = await serve(start, database)
    cookie, mark = {"Cookie": EXPECTED["cookie"]}, {"X-CSRF-Token": EXPECTED["csrf"]}
    number = NUMBERS["of an older policy"]
    assert (await receiver.get("/api/v1/incidents", headers=cookie))[0] == 200
    assert (await receiver.get("/api/v1/incidents", headers={"Cookie": f"{EXPECTED['cookie']}x"}))[0] == 401
    assert (await receiver.post(f"/api/v1/incidents/{number}/acknowledge", {}, headers=cookie))[0] == 403
    assert (await receiver.post(f"/api/v1/incidents/{number}/acknowledge", {}, headers=cookie | mark))[0] == 200


LATER = {"approvereport", "editnotice"}
"""Words of what people could not do yet in that release."""


def test_the_audit_log_is_whole(store: SqlStore, database: Path) -> None:
    """The chain leads to the release's head, and has an entry of every word that people's actions are logged under."""
    assert store.verify_audit(_head()) == _head()
    words = {entry.action for _, entry in store.newest_audits(100)}
    assert set(AUDITED_AS.values()) <= words | LATER | SINCE
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE audit SET action = 'approve' WHERE action = 'approvenotice'")
        connection.commit()
    with pytest.raises(AuditBroken):
        store.verify_audit()


def _head() -> tuple[int, str]:
    position, _, link = EXPECTED["audit head"].partition(" ")
    return int(position), link


READ: dict[str, Callable[[str], Any]] = {
    "SELECT doc FROM incidents": lambda doc: codec.read_incident(doc, ""),
    "SELECT doc FROM alerts": lambda doc: codec.read_alert(doc, ""),
    "SELECT doc FROM heartbeats": codec.read_heartbeat,
    "SELECT value FROM meta WHERE name LIKE 'canary/%'": codec.read_canary,
    "SELECT value FROM meta WHERE name = 'loaded_rules'": codec.read_loaded_rules,
}


@pytest.mark.parametrize("sql", READ)
def test_documents_are_read_whole(database: Path, sql: str) -> None:
    """Nothing that the release wrote is lost when it is read and written again; fields may have been added."""
    for doc in _column(database, sql):
        assert _holds(orjson.loads(codec.to_json(READ[sql](doc))), orjson.loads(doc)), doc


@pytest.mark.parametrize(
    ("table", "column", "kinds"),
    [
        ("entries", "fact", Fact),
        ("notifications", "kind", Kind),
        ("notifications", "reason", Reason),
        ("notifications", "status", Status),
    ],
)
def test_every_kind_of_row_is_read(store: SqlStore, database: Path, table: str, column: str, kinds: Any) -> None:
    """Every kind of entry and message occurs in the database, and is read as what it was."""
    written = _column(database, f"SELECT {column} FROM {table}")
    assert {each.value for each in kinds} >= set(written)
    reads = store.reads()
    rows = [row for each in _everything(store) for row in (*reads.timeline(each.id), *reads.notifications(each.id))]
    found = [getattr(each, column) for each in rows if hasattr(each, column)]
    assert sorted(each.value for each in found) == sorted(written)


def _everything(store: SqlStore) -> list[Incident]:
    return store.reads().incidents(limit=100)[0]


def test_policy_versions_are_read(database: Path) -> None:
    """Each version that incidents name is read whole, and is what its digest says."""
    with closing(sqlite3.connect(database)) as connection:
        versions = list(connection.execute("SELECT digest, document FROM policies"))
    assert len(versions) == 2
    for version, document in versions:
        written = orjson.loads(document)
        assert _holds(orjson.loads(dump(parse(document))), written)
        meaning = orjson.dumps(_without_places(written), option=orjson.OPT_SORT_KEYS)
        assert sha256(meaning).hexdigest() == version


def test_policy_files_mean_the_same(database: Path, policy: Policy) -> None:
    """The release's policy files still mean what it understood."""
    (last,) = _column(
        database, "SELECT document FROM policies JOIN incidents ON digest = policy WHERE incidents.id = 'filled'"
    )
    assert _holds(_without_places(orjson.loads(dump(policy))), _without_places(orjson.loads(last)))


def _column(database: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(database)) as connection:
        found = [row[0] for row in connection.execute(sql)]
    assert found
    return found


def _holds(now: Any, then: Any) -> bool:
    """Whether `now` says all that `then` did."""
    if isinstance(then, dict):
        return isinstance(now, dict) and all(name in now and _holds(now[name], each) for name, each in then.items())
    if isinstance(then, list):
        return isinstance(now, list) and len(now) == len(then) and all(map(_holds, now, then))
    return bool(now == then)


def _without_places(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_places(each) for name, each in value.items() if name != "place"}
    return [_without_places(each) for each in value] if isinstance(value, list) else value


def _id(incidents: dict[str, Incident], what: str) -> str:
    return next(each.id for each in incidents.values() if each.number == NUMBERS[what])
