"""Full-text search of incidents: substrings of titles, of recorded findings and of the search terms in
`receiver.store.closed_words`, ignoring case.

SQLite has trigram indexes of closed incidents (migrations 0004 and 0024). They are read newest first, so that neither a
frequent nor an absent word costs much; incidents that are not closed are few, and are read one by one. PostgreSQL has
indexes on the same conditions and its own planner. Words shorter than three characters have no trigram, and some
databases have no index: then titles are read one by one, for shorter words only those of the newest incidents
(`RECENT`), and labels, people and notes only with an index or with three characters. Findings (the table `learned`)
are read one by one: they are few compared with incidents.
"""

from collections.abc import Iterator

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    column,
    false,
    func,
    or_,
    select,
    text,
)

from receiver.core.responder_history import people_of
from receiver.store import closed_words, codec, schema

FEW = 500
"""Most matches that are listed one by one in a statement with other conditions."""

TRIGRAM = 3

WALKED = 5_000
"""Newest closed incidents whose words are read one by one before the index of them is asked: they fill a page with
frequent words, and an index of trigrams must find all matches before it tells which are the newest.
"""

RECENT = 10_000
"""Newest incidents that words shorter than a trigram are looked for in: of a million, those took 11 s."""

LONGEST_NUMBER = 10
"""Words with fewer digits than this may be an incident's number."""

_NUMBERS = """
SELECT rowid FROM {index}
WHERE {index} MATCH :words AND rowid < :below ORDER BY rowid DESC LIMIT :limit
"""
_HAS_INDEX = "SELECT count(*) FROM sqlite_master WHERE name = :index"
_NO_END = (1 << 63) - 1


def with_words(
    connection: Connection, words: str, below: int | None, newest: int | None
) -> Iterator[ColumnElement[bool]]:
    """Conditions that an incident contains these words, exact for numbers smaller than `below` (None: for all).

    The first that fills a page is enough: one that is followed by another holds only for the newest incidents.

    `newest`: the number of matches needed if there is no other condition; None: there are other conditions.
    """
    words = words.replace("\0", "")
    is_not_closed = schema.incidents.c.state.in_(closed_words.NOT_CLOSED)
    with_title = contains(schema.incidents.c.title, words)
    found = [_with_facts(connection, words)]
    in_titles = _indexed(connection, "incident_titles", words, below, newest)
    found.append(with_title if in_titles is None else or_(in_titles, and_(is_not_closed, with_title)))
    number = words.strip().removeprefix("#")
    if len(words) >= TRIGRAM:
        found.append(_are(closed_words.not_closed_with(connection, words)))
        in_others = _indexed(connection, "closed_words_index", words, below, newest)
        if in_others is None:
            end = _newest(connection) + 1 if below is None else below
            if newest is None:
                walked = schema.incidents.c.number.in_(_among(words, end).where(_is_walked(end)))
                yield and_(schema.incidents.c.number >= end - WALKED, or_(*found, walked))
            in_others = _with_others(connection, words, end, newest)
        found.append(in_others)
    else:
        found = [and_(schema.incidents.c.number > _newest(connection) - RECENT, or_(*found))]
    if number.isascii() and number.isdigit() and len(number) < LONGEST_NUMBER:
        found.append(schema.incidents.c.number == int(number))
    yield or_(*found)


def contains(text_column: ColumnElement[str], words: str) -> ColumnElement[bool]:
    """The condition that a column contains these words, ignoring case: as PostgreSQL's indexes have it, by `lower`.

    SQLAlchemy's `icontains` is ILIKE there, for which those indexes are of no use.
    """
    pattern = words.replace("/", "//").replace("%", "/%").replace("_", "/_")
    return func.lower(text_column).like(func.lower(f"%{pattern}%"), escape="/")


def _newest(connection: Connection) -> int:
    """The highest number of an incident; 0: there is none."""
    return connection.scalar(select(func.max(schema.incidents.c.number))) or 0


def of_system(connection: Connection, system: str) -> ColumnElement[bool]:
    """The condition that an incident concerns this system."""
    kept = schema.closed_words.c
    closed = select(kept.number).where(kept.system == system)
    return or_(
        schema.incidents.c.number.in_(closed),
        _are(closed_words.not_closed(connection, lambda each: each.system == system)),
    )


def of_person(connection: Connection, person: str) -> ColumnElement[bool]:
    """The condition that this person acknowledged the incident, answered a call for help, or got it handed over."""
    kept = schema.closed_people.c
    closed = select(kept.number).where(kept.person == person)
    return or_(
        schema.incidents.c.number.in_(closed),
        _are(closed_words.not_closed(connection, lambda each: person in people_of(each))),
    )


def _are(numbers: list[int]) -> ColumnElement[bool]:
    """The condition that a number is listed; as literals, because databases limit the number of parameters."""
    if not numbers:
        return false()
    return schema.incidents.c.number.in_(bindparam(None, numbers, expanding=True, literal_execute=True))


def _with_facts(connection: Connection, words: str) -> ColumnElement[bool]:
    """Match in findings. Few matches are listed by number, so that PostgreSQL can use its index of titles too."""
    kept = schema.learned.c.words
    as_written = contains(kept, words)  # by an older release
    found = select(schema.learned.c.number).where(or_(as_written, contains(kept, codec.folded(words))))
    few = connection.scalars(found.limit(FEW + 1)).all()
    return schema.incidents.c.number.in_(few if len(few) <= FEW else found)


def _among(words: str, end: int) -> Select[int]:
    """Numbers smaller than `end` of closed incidents with these words in labels, people or notes."""
    kept = schema.closed_words.c
    return select(kept.number).where(contains(kept.words, words), kept.number < end)


def _is_walked(end: int) -> ColumnElement[bool]:
    return schema.closed_words.c.number >= end - WALKED


def _with_others(connection: Connection, words: str, end: int, newest: int | None) -> ColumnElement[bool]:
    """Match in labels, people and notes of closed incidents, without SQLite's trigram index."""
    kept, found = schema.closed_words.c, _among(words, end)
    if newest is None:
        few = connection.scalars(found.limit(FEW + 1)).all()
        if len(few) <= FEW:
            return schema.incidents.c.number.in_(few)
        return found.where(kept.number == schema.incidents.c.number).exists()
    numbers = connection.scalars(found.where(_is_walked(end)).order_by(kept.number.desc()).limit(newest)).all()
    if len(numbers) < newest:
        # Materialized: else PostgreSQL may walk all incidents, newest first, for words that only old ones have.
        every = found.cte().prefix_with("MATERIALIZED", dialect="postgresql")
        numbers = connection.scalars(select(every.c.number).order_by(every.c.number.desc()).limit(newest)).all()
    return schema.incidents.c.number.in_(numbers)


def _indexed(
    connection: Connection, index: str, words: str, below: int | None, newest: int | None
) -> ColumnElement[bool] | None:
    """Match by SQLite's trigram index of that name; None: there is none, or reading incidents one by one is faster."""
    if connection.dialect.name != "sqlite" or len(words) < TRIGRAM:
        return None
    if not connection.scalar(text(_HAS_INDEX), {"index": index}):
        return None
    sql = _NUMBERS.format(index=index)
    asked = {"words": '"' + words.replace('"', '""') + '"', "below": _NO_END if below is None else below}
    if newest is None and connection.scalar(text(f"SELECT count(*) FROM ({sql})"), {**asked, "limit": FEW + 1}) > FEW:  # noqa: S608 - our own words
        return None  # so many that reading the incidents left by the other conditions is faster
    numbers = (
        text(sql).bindparams(**asked, limit=FEW if newest is None else newest).columns(column("rowid", BigInteger))
    )
    return schema.incidents.c.number.in_(numbers)
