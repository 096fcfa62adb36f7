"""Search terms of incidents beside titles and findings: labels (also of alerts), system, people and notes.

For closed incidents they are in the tables `closed_words` and `closed_people`, written at closing and at every later
change, so that webhooks during a storm do not wait for it. Incidents that are not closed are few, and are read one by
one; only their systems are in a table (`open_systems`), because every incident page queries it.
"""

from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Connection, select

from receiver.core.model import Fact, Incident, State
from receiver.core.responder_history import people_of
from receiver.store import codec, schema, statements
from receiver.store.session import Session

NOT_CLOSED = [state.value for state in State if state is not State.CLOSED]

MOST_ALERTS = 100
"""The most alerts of an incident whose labels are search terms, the worst first."""

_SAID = """SELECT * FROM entries WHERE incident_id = ANY(:ids) AND "by" <> '' ORDER BY incident_id, position"""
_KEEP = """
INSERT INTO closed_words (number, system, words) VALUES (?, ?, ?)
ON CONFLICT (number) DO UPDATE SET system = excluded.system, words = excluded.words
"""
_KEEP_PERSON = "INSERT INTO closed_people (person, number) VALUES (?, ?) ON CONFLICT DO NOTHING"
_KEEP_OPEN = "INSERT INTO open_systems (system, number) VALUES (?, ?) ON CONFLICT DO NOTHING"
_FORGET_OPEN = "DELETE FROM open_systems WHERE system = ? AND number = ?"


def keep(session: Session, incidents: Sequence[Incident]) -> None:
    """Store the search terms of the closed ones of these incidents, whose new entries are stored already."""
    closed = [each for each in incidents if each.state is State.CLOSED]
    if not closed:
        return
    session.write(_KEEP, [(each.number, _clean(each.system), words) for each, words in _words(session, closed)])
    session.write(_KEEP_PERSON, [(_clean(name), each.number) for each in closed for name in sorted(people_of(each))])


def keep_systems(session: Session, incidents: Sequence[Incident]) -> None:
    """Store the systems of those of these incidents that are not closed, and remove those of closed ones."""
    pairs = [(each.state is State.CLOSED, (_clean(each.system), each.number)) for each in incidents if each.system]
    session.write(_KEEP_OPEN, [pair for is_closed, pair in pairs if not is_closed])
    session.write(_FORGET_OPEN, [pair for is_closed, pair in pairs if is_closed])


def not_closed(connection: Connection, is_found: Callable[[Incident], bool]) -> list[int]:
    """Numbers of the incidents that are not closed and match."""
    return [each.number for each in _not_closed(connection) if is_found(each)]


def not_closed_with(connection: Connection, words: str) -> list[int]:
    """Numbers of the incidents that are not closed and contain these words, ignoring case."""
    found = _words(Session(connection), _not_closed(connection))
    return [each.number for each, text in found if words.lower() in text.lower()]


def _not_closed(connection: Connection) -> list[Incident]:
    columns = schema.incidents.c
    rows = connection.execute(select(columns.number, columns.doc).where(columns.state.in_(NOT_CLOSED)))
    return codec.readable(lambda row: codec.read_incident(row.doc, row.number), rows)


def _said(session: Session, ids: list[str]) -> dict[str, list[str]]:
    """Incident id → people's notes, both timeline notes and those given with an action."""
    said: dict[str, list[str]] = {}
    for entry in codec.readable(codec.read_entry, session.rows(_SAID, ids=ids) if ids else ()):
        noted = (entry.data.get("note", ""), entry.data.get("text", "") if entry.fact is Fact.NOTED else "")
        said.setdefault(entry.incident_id, []).extend(each for each in noted if each)
    return said


def _labels(session: Session, ids: list[str]) -> dict[str, set[str]]:
    """Incident id → ``name=value`` of the labels of its alerts, firing or cleared."""
    found: dict[str, set[str]] = {}
    rows = session.rows(statements.FIRED, ids=ids, most=MOST_ALERTS) if ids else ()
    for of, alert in codec.readable(lambda row: (row.incident_id, codec.read_alert(row.doc, row.incident_id)), rows):
        found.setdefault(of, set()).update(f"{name}={value}" for name, value in alert.labels.items())
    return found


def _words(session: Session, incidents: Sequence[Incident]) -> Iterator[tuple[Incident, str]]:
    """Each incident and its search terms."""
    ids = [each.id for each in incidents]
    said, labels = _said(session, ids), _labels(session, ids)
    for each in incidents:
        of_all = {f"{name}={value}" for name, value in each.labels.items()} | labels.get(each.id, set())
        yield each, _clean("\n".join((*sorted(of_all), *sorted(people_of(each)), *said.get(each.id, ()))))


def _clean(text: str) -> str:
    """Text without NUL characters, which PostgreSQL rejects."""
    return text.replace("\0", "")
