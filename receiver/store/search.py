"""Finds incidents by words in their titles and in what people wrote down about them: a part of it, whatever its case.

SQLite has a trigram index of the closed ones (migration 0004) that is walked newest first, so neither a word in every
title nor one in none reads much; those that are not closed are few, and read. PostgreSQL has an index on the same
condition and plans for itself. Fewer than three characters have no trigram, and some databases no index: then titles
are read one by one, newest first. What was written down (the table `learned`) is read one by one: people write less
than machines open.
"""

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, column, or_, select, text

from receiver.core.model import State
from receiver.store import schema

FEW = 500
"""Titles that match which are looked up one by one where other conditions choose among them."""

TRIGRAM = 3
LONGEST_NUMBER = 10
"""Digits below which words may be an incident's number."""

_NUMBERS = """
SELECT rowid FROM incident_titles
WHERE incident_titles MATCH :words AND rowid < :below ORDER BY rowid DESC LIMIT :limit
"""
_COUNT = f"SELECT count(*) FROM ({_NUMBERS})"  # noqa: S608 - our own words
_HAS_INDEX = "SELECT count(*) FROM sqlite_master WHERE name = 'incident_titles'"
_NO_END = (1 << 63) - 1
_NOT_CLOSED = [state.value for state in State if state is not State.CLOSED]


def with_words(connection: Connection, words: str, below: int | None, newest: int | None) -> ColumnElement[bool]:
    """The condition that a title or what was written down has these words, for numbers smaller than `below` (None:
    for all).

    `newest`: so many of them are enough, because nothing else chooses among them; None: something does.
    """
    words = words.replace("\0", "")
    found = or_(_with_title(connection, words, below, newest), _with_facts(connection, words))
    number = words.strip().removeprefix("#")
    if number.isascii() and number.isdigit() and len(number) < LONGEST_NUMBER:
        return or_(schema.incidents.c.number == int(number), found)
    return found


def _with_facts(connection: Connection, words: str) -> ColumnElement[bool]:
    """Few are named one by one, so that PostgreSQL can take its index of titles beside them."""
    found = select(schema.learned.c.number).where(schema.learned.c.words.icontains(words, autoescape=True))
    few = connection.scalars(found.limit(FEW + 1)).all()
    return schema.incidents.c.number.in_(few if len(few) <= FEW else found)


def _with_title(connection: Connection, words: str, below: int | None, newest: int | None) -> ColumnElement[bool]:
    read = schema.incidents.c.title.icontains(words, autoescape=True)
    if connection.dialect.name != "sqlite" or len(words) < TRIGRAM or not connection.scalar(text(_HAS_INDEX)):
        return read
    asked = {"words": '"' + words.replace('"', '""') + '"', "below": _NO_END if below is None else below}
    limit = FEW if newest is None else newest
    if newest is None and connection.scalar(text(_COUNT), {**asked, "limit": FEW + 1}) > FEW:
        return read  # so many that those that the other conditions leave are read sooner
    numbers = text(_NUMBERS).bindparams(**asked, limit=limit).columns(column("rowid", BigInteger))
    columns = schema.incidents.c
    return or_(columns.number.in_(numbers), and_(columns.state.in_(_NOT_CLOSED), read))
