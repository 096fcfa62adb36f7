"""Every value that the core can hold comes back unchanged from every store."""

import itertools

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from receiver.core.model import (
    Alert,
    Entry,
    Incident,
    Notification,
    Page,
    Recovery,
    State,
    Target,
    Window,
)
from receiver.core.response import Checklists, Done, FollowUp, Impact, ImpactGrade, Moment, Notice, Response, Standing
from receiver.errors import StoreConflict, StoreDamaged
from receiver.store import SqlStore
from receiver.store.codec import read_incident, to_json
from tests.store.samples import alert, entry, incident, message, save, stored

UNIQUE = itertools.count(1)

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
words = st.dictionaries(texts, texts, max_size=4)
counts = st.integers(0, 2**31)
instants = st.integers(0, 2**62)
maybe = st.none() | instants
levels = st.integers(1, 4)
targets = st.builds(Target, texts, texts)

done = st.builds(Done, by=texts, at=instants, text=texts, note=texts, link=texts)
checklists = st.builds(
    Checklists,
    attached=st.dictionaries(texts, instants, max_size=3),
    done=st.dictionaries(texts, done, max_size=3),
    calls=st.lists(texts, max_size=3).map(tuple),
)
responses = st.builds(
    Response,
    checklists=checklists,
    owner=texts,
    assessed_at=maybe,
    impacts=st.dictionaries(texts, st.builds(Impact, st.sampled_from(ImpactGrade), texts), max_size=3),
    notices=st.lists(
        st.builds(
            Notice,
            id=texts,
            group=texts,
            moment=st.sampled_from(Moment),
            held_at=instants,
            standing=st.sampled_from(Standing),
            decided_at=maybe,
            subject=texts,
        ),
        max_size=2,
    ).map(tuple),
    follow_ups=st.lists(
        st.builds(FollowUp, id=texts, text=texts, owner=texts, due_at=maybe, by=texts, at=instants, done_at=maybe),
        max_size=2,
    ).map(tuple),
)

incidents = st.builds(
    Incident,
    id=texts,
    key=texts,
    policy=texts,
    level=levels,
    type=texts,
    title=texts,
    opened_at=instants,
    response_due_at=instants,
    state=st.sampled_from(State),
    source=texts,
    labels=words,
    rules=st.dictionaries(texts, levels, max_size=4),
    firing=st.tuples(counts, counts, counts, counts),
    step=counts,
    windows=st.dictionaries(st.sampled_from(Window), instants),
    page=st.builds(Page, counts, st.lists(texts, max_size=3).map(tuple), st.booleans()),
    paged=st.lists(targets, max_size=3).map(tuple),
    pages_closed=counts,
    pages_acknowledged=counts,
    inhibited=st.booleans(),
    held=counts,
    flapping_since=maybe,
    flapping=st.lists(texts, max_size=3).map(tuple),
    flaps=counts,
    breached_at=maybe,
    acknowledged_at=maybe,
    acknowledged_by=texts,
    ack_holds=instants,
    recovery=st.sampled_from(Recovery),
    recovered_at=maybe,
    twin_cleared_last=st.booleans(),
    confirmed_by=st.lists(texts, max_size=3).map(tuple),
    resolved_at=maybe,
    resolved_by=texts,
    closed_at=maybe,
    recurrences=counts,
    declared=st.booleans(),
    exercise=st.booleans(),
    recorded_only=st.booleans(),
    absent=st.lists(texts, max_size=3).map(tuple),
    facts=words,
    response=responses,
    changed=st.booleans(),
    updated_at=maybe,
    entries=counts,
    sequence=counts,
    version=counts,
)
alerts = st.builds(
    Alert,
    fingerprint=texts,
    starts_at=instants,
    firing=st.booleans(),
    level=st.integers(0, 4),
    rule=texts,
    type=texts,
    labels=words,
    annotations=words,
    twin=st.booleans(),
    level_note=texts,
    generator_url=texts,
    ended_at=maybe,
    end_heard_at=maybe,
    end_told_by=texts,
    held_until=maybe,
    ended_before=maybe,
    doubtful=st.booleans(),
    firings=st.lists(instants, max_size=4).map(tuple),
    repairs=st.lists(texts, max_size=3).map(tuple),
    start_unknown=st.booleans(),
    absent=st.booleans(),
)
notifications: st.SearchStrategy[Notification] = st.builds(
    Notification,
    id=texts,
    incident_id=texts,
    sequence=counts,
    channel=texts,
    recipient=texts,
    level=levels,
    created_at=instants,
    due_at=maybe,
    give_up_at=instants,
    page=counts,
    attempts=counts,
    leased_by=texts,
    superseded=st.booleans(),
    bundle_at=maybe,
    reference=texts,
    detail=texts,
    done_at=maybe,
    data=words,
)
entries: st.SearchStrategy[Entry] = st.builds(
    Entry, incident_id=texts, position=counts, at=instants, by=texts, data=words
)

many = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""One store serves all examples: each has an id of its own."""


def own_id() -> str:
    """An id that no other example has."""
    return f"id{next(UNIQUE)}"


@many
@given(incidents, incidents)
def test_incidents_come_back_whole(store: SqlStore, before: Incident, after: Incident) -> None:
    """An incident that is written, and written again, is read as it was, by id, by number and under lock."""
    name = own_id()
    (new,) = save(store, opened=[replace(before, id=name, key=f"key-{name}")])
    assert store.reads().incident(name) == new
    changed = replace(after, id=name, key=new.key, number=new.number)
    save(store, changed=[changed])
    assert store.reads().by_number(new.number) == changed
    with store.transaction() as transaction:
        (locked,) = transaction.lock([], [name])
    assert locked == changed
    assert list(locked.rules) == list(changed.rules), "rules are in order of arrival"
    assert locked.windows == changed.windows
    assert all(isinstance(window, Window) for window in locked.windows)


@many
@given(st.lists(alerts, min_size=1, max_size=4, unique_by=lambda each: each.fingerprint))
def test_alerts_come_back_whole(store: SqlStore, some: list[Alert]) -> None:
    """Alerts are read as they were written."""
    name = own_id()
    save(store, alerts=[(name, each) for each in some])
    expected = {each.fingerprint: each for each in some}
    with store.transaction() as transaction:
        assert transaction.alerts({name: list(expected)}) == {name: expected}
    assert {each.fingerprint: each for each in store.reads().alerts(name)} == expected


@many
@given(notifications, notifications)
def test_notifications_come_back_whole(store: SqlStore, before: Notification, after: Notification) -> None:
    """A notification that is planned, and settled, is read as it was; superseded is never taken back."""
    name = own_id()
    planned = replace(before, id=f"{name}-1", incident_id=name, sequence=1)
    save(store, planned=[planned])
    assert stored(store, 1, name) == planned
    changing = {
        each: getattr(after, each)
        for each in (
            "due_at",
            "status",
            "attempts",
            "leased_by",
            "superseded",
            "bundle_at",
            "reference",
            "detail",
            "done_at",
        )
    }
    save(store, settled=[replace(planned, **changing)])
    changing["superseded"] = before.superseded or after.superseded
    settled = replace(planned, **changing)
    assert store.reads().notifications(name) == [settled]


@many
@given(st.lists(entries, max_size=4, unique_by=lambda each: each.position))
def test_timelines_come_back_whole(store: SqlStore, some: list[Entry]) -> None:
    """A timeline is read as it was written, in its order."""
    name = own_id()
    lines = [replace(each, incident_id=name) for each in some]
    save(store, entries=lines)
    assert store.reads().timeline(name) == sorted(lines, key=lambda each: each.position)


def test_incidents_written_before_a_field_existed_are_read(store: SqlStore) -> None:
    """A row of an older version, without the fields that came later, is an incident with their defaults."""
    old = {name: value for name, value in orjson.loads(to_json(incident())).items() if name != "response"}
    assert read_incident(orjson.dumps(old).decode(), "old") == incident()
    assert incident().response == Response()


def test_nul_characters_stop_nothing(store: SqlStore) -> None:
    """PostgreSQL knows no NUL in a text: an incident that has one in its words is kept all the same."""
    (new,) = save(
        store,
        opened=[incident("a", title="a\0b", type="t\0", labels={"x\0": "\0"})],
        alerts=[("id-a", alert(labels={"x": "\0"}))],
        planned=[message(1, data={"text": "\0"})],
        entries=[entry(data={"text": "\0"})],
    )
    assert store.reads().incident("id-a") == new
    assert store.reads().incidents(search="a\0b")[0] == [new]
    assert store.reads().timeline("id-a")[0].data == {"text": "\0"}


@pytest.mark.parametrize(
    "spoil",
    [
        'UPDATE incidents SET doc = \'{"labels": {"password": "secret"}}\'',
        "UPDATE incidents SET doc = 'secret'",
    ],
)
def test_an_unreadable_row_is_named_without_its_values(store: SqlStore, spoil: str) -> None:
    """What cannot be read is said with the incident's id; nothing of its content is shown."""
    save(store, opened=[incident("a")])
    with store._database.write() as connection:
        connection.exec_driver_sql(spoil)

    with pytest.raises(StoreDamaged, match="incident id-a") as caught:
        store.reads().incident("id-a")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_errors_show_no_values(store: SqlStore) -> None:
    """The text of a database error names the statement, never what was to be written."""
    (_, second) = save(store, opened=[incident("a"), incident("b")], planned=[message(1)])
    with pytest.raises(Exception, match="notifications") as new:
        save(store, planned=[message(1, data={"note": "secret"})])
    with pytest.raises(StoreConflict) as changed:
        save(store, changed=[replace(second, key="key-a", title="secret")])
    for error in (new.value, changed.value, changed.value.__cause__):
        assert "secret" not in str(error)
