"""What pages, the API and metrics see."""

import pytest
from msgspec.structs import replace

from receiver.core.model import Kind, State, Status
from receiver.errors import CursorError
from receiver.store import SqlStore
from receiver.store.figures import WaitingMessages
from tests.store.samples import MINUTE, NOW, alert, due, incident, message, save


@pytest.fixture
def seven(store: SqlStore) -> SqlStore:
    """Seven incidents, of several states, levels and types."""
    opened = [
        incident("1", level=1, title="Disk 100% full", opened_at=NOW),
        incident("2", level=4, type="fire", opened_at=NOW + 1),
        incident("3", state=State.ACKNOWLEDGED, title="Disk_slow", opened_at=NOW + 2),
        incident("4", state=State.RESOLVED, type="fire", opened_at=NOW + 3),
        incident("5", state=State.CLOSED, opened_at=NOW + 4, title="ÄRGER"),
        incident("6", state=State.CLOSED, level=4, opened_at=NOW + 5),
        incident("7", opened_at=NOW + 6, title="DISK on fire"),
    ]
    save(store, opened=opened)
    return store


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        pytest.param({}, [7, 6, 5, 4, 3, 2, 1], id="everything"),
        pytest.param({"state": {State.OPEN}}, [7, 2, 1], id="one state"),
        pytest.param({"state": {State.OPEN, State.ACKNOWLEDGED}}, [7, 3, 2, 1], id="two states"),
        pytest.param({"state": set()}, [], id="no state"),
        pytest.param({"level": 4}, [6, 2], id="a level"),
        pytest.param({"type": "fire"}, [4, 2], id="a type"),
        pytest.param({"search": "disk"}, [7, 3, 1], id="words, whatever their case"),
        pytest.param({"search": "100%"}, [1], id="a percent sign is one"),
        pytest.param({"search": "k_s"}, [3], id="an underscore is one"),
        pytest.param({"since": NOW + 2, "until": NOW + 5}, [5, 4, 3], id="a time"),
        pytest.param({"state": {State.CLOSED}, "level": 4, "since": NOW}, [6], id="all of it"),
    ],
)
def test_lists_can_be_narrowed(seven: SqlStore, wanted: dict, numbers: list[int]) -> None:
    """Incidents come newest first, exactly those that were asked for."""
    found, following = seven.reads().incidents(**wanted)
    assert [each.number for each in found] == numbers
    assert following is None


@pytest.mark.parametrize("state", [None, {State.OPEN, State.CLOSED, State.ACKNOWLEDGED, State.RESOLVED}])
def test_pages_follow_each_other(seven: SqlStore, state: set[State] | None) -> None:
    """Page by page every incident comes once, also when new ones are opened meanwhile."""
    seen: list[int] = []
    cursor = None
    for _ in range(3):
        found, cursor = seven.reads().incidents(state=state, limit=3, cursor=cursor)
        seen += [each.number for each in found]
        save(seven, opened=[incident(f"new-{len(seen)}")])
    assert seen == [7, 6, 5, 4, 3, 2, 1]
    assert cursor is None


@pytest.mark.parametrize(
    "cursor", ["", "before-", "before-x", "after-3", "before--3", "before-٣", "before-" + "9" * 30]
)
def test_a_cursor_that_is_none_is_refused(seven: SqlStore, cursor: str) -> None:
    """An invented cursor is refused, and the refusal says where cursors come from."""
    with pytest.raises(CursorError, match="is no cursor"):
        seven.reads().incidents(cursor=cursor)


def test_one_incident_is_found_by_id_and_number(seven: SqlStore) -> None:
    """Both ways lead to the same incident; nothing is found for others."""
    reads = seven.reads()
    found = reads.by_number(3)
    assert found is not None
    assert reads.incident("id-3") == found
    assert reads.by_number(99) is None
    assert reads.incident("nobody") is None


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("C1:1.1", "id-a"),
        ("C1:9.9", "id-a"),
        ("C2:2.2", "id-a"),
        ("C2:9.9", ""),
        ("C3:3.3", ""),
        (":9.9", ""),
        ("%:9.9", ""),
        ("_1:9.9", ""),
        ("", ""),
    ],
)
def test_a_message_of_a_provider_leads_to_its_incident(store: SqlStore, reference: str, found: str) -> None:
    """By its thread, and in the incident's own channel from everywhere; not to an incident that is closed."""
    accepted = {"status": Status.ACCEPTED, "due_at": None}
    save(
        store,
        opened=[incident("a"), incident("b", state=State.CLOSED)],
        planned=[
            message(1, kind=Kind.ROOM, recipient="#inc-1", reference="C1:1.1", **accepted),
            message(2, reference="C2:2.2", **accepted),
            message(3, "id-b", kind=Kind.ROOM, recipient="#inc-2", reference="C3:3.3", **accepted),
        ],
    )
    assert store.reads().incident_of(reference) == found


def test_the_worst_firing_alerts_come_first(store: SqlStore) -> None:
    """Of many alerts the first page has the firing ones, the worst of them first."""
    some = [alert("cleared", level=4, firing=False), alert("mild", level=2), alert("bad", level=4)]
    save(store, opened=[incident("a")], alerts=[("id-a", each) for each in some])
    assert [each.fingerprint for each in store.reads().alerts("id-a")] == ["bad", "mild", "cleared"]
    assert [each.fingerprint for each in store.reads().alerts("id-a", limit=1)] == ["bad"]


def test_figures_count_what_is_there(store: SqlStore) -> None:
    """Metrics: incidents by level and state, the outbox by channel, the oldest emergency, what is overdue."""
    empty = store.reads().figures(NOW)
    assert (empty.incidents, empty.waiting, empty.oldest_emergency, empty.overdue) == ({}, {}, None, 0)
    save(
        store,
        opened=[
            due("a", NOW - 5),
            replace(due("b", NOW), level=4),
            replace(due("c", NOW - 3), state=State.RESOLVED),
            replace(incident("d"), state=State.CLOSED),
        ],
        planned=[
            message(1, created_at=NOW - 9),
            message(2, created_at=NOW - 8),
            message(3, channel="email", level=4, created_at=NOW - 7, kind=Kind.UPDATE),
            message(4, channel="email", level=4, created_at=NOW - 6, superseded=True),
            message(5, channel="email", level=4, created_at=NOW - 5),
            message(6, channel="sms", level=4, created_at=NOW - MINUTE, status=Status.ACCEPTED, due_at=None),
        ],
        unreached={"id-b": NOW - 4, "id-x": NOW - 5, "id-y": None},
    )
    figures = store.reads().figures(NOW)
    assert figures.incidents == {(3, State.OPEN): 1, (4, State.OPEN): 1, (3, State.RESOLVED): 1}
    assert figures.waiting == {"slack": WaitingMessages(2, NOW - 9), "email": WaitingMessages(3, NOW - 7)}
    assert figures.oldest_emergency == NOW - 5
    assert figures.overdue == 2
