"""The differences between a report and its preceding approved version."""

from collections.abc import Iterator

from receiver.reports.report import Report, counted

MOST_ROWS = 5
"""New rows of a table that are listed; the table has the others."""

COUNTS = frozenset({"data_collected"})
"""Fields that only count other values."""


NAMELESS = ""
"""The timeline is the only table without a title. Its new lines are only counted, because the
fields show the changes."""


def changes(before: Report, after: Report) -> tuple[str, ...]:
    """Returns each difference once, in the order of the later version."""
    return tuple(dict.fromkeys((*_lines(before, after), *_fields(before, after), *_rows(before, after))))


def _lines(before: Report, after: Report) -> Iterator[str]:
    for name in ("title", "subtitle", "organisation"):
        was, is_now = getattr(before, name), getattr(after, name)
        if was != is_now:
            yield _told(name.capitalize(), was, is_now)


def _fields(before: Report, after: Report) -> Iterator[str]:
    """Lists a change under several names (root cause, root cause found) once, under the first."""
    known, now = _told_fields(before), _told_fields(after)
    found: dict[tuple[str, str], str] = {}
    for where in (*now, *known):
        change = ("; ".join(known.get(where, ())), "; ".join(now.get(where, ())))
        if change[0] != change[1]:
            found.setdefault(change, where[1])
    yield from (_told(label, *change) for change, label in found.items())


def _told_fields(report: Report) -> dict[tuple[str, str], tuple[str, ...]]:
    """Returns (part's title, label) → values."""
    parts = (part for section in report.sections for part in section.parts)
    return {
        (part.title, field.label): field.values for part in parts for field in part.fields if field.name not in COUNTS
    }


def _rows(before: Report, after: Report) -> Iterator[str]:
    """Lists each row once, under the first table that has it: deadlines of an occurrence are among
    all deadlines too.
    """
    known, now = _told_rows(before), _told_rows(after)
    told: set[tuple[str, ...]] = set()
    for title, rows in now.items():
        was = known.get(title, [])
        added = [row for row in rows if row not in was and row not in told]
        if title == NAMELESS:
            if added:
                yield f"Timeline: {counted(len(added), 'further line')}"
            continue
        taken = [row for row in was if row not in rows and row not in told]
        told.update((*added, *taken))
        for word, found in (("new", added), ("no longer", taken)):
            yield from (f"{title}, {word}: {' | '.join(filter(None, row))}" for row in found[:MOST_ROWS])
            if len(found) > MOST_ROWS:
                yield f"{title}, {word}: {len(found) - MOST_ROWS} further rows"


def _told_rows(report: Report) -> dict[str, list[tuple[str, ...]]]:
    found: dict[str, list[tuple[str, ...]]] = {}
    for section in report.told:
        for table in section.tables:
            found.setdefault(table.title or NAMELESS, []).extend(table.rows)
    return found


def _told(label: str, was: str, is_now: str) -> str:
    if not was:
        return f"{label}: {is_now}"
    return f"{label}: {is_now or 'not told any more'} (before: {was})"
