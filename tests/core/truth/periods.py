"""The reports of a period: how many incidents there were, who answered them, how soon, and which response times were
kept, by level and type; and the drills in it, with who took part.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from receiver.core.model import Entry, Fact
from receiver.reports.report import Report, Table
from tests.core.truth.record import Record, UntrueError, moment, since_alarm, standing

NOTHING = {"-", "—"}
PRACTICE_IS_NOT = frozenset({Fact.DECLARED})
"""What a person does in a drill that is not practice."""


def check_period(report: Report, records: Collection[Record], since: int, until: int) -> None:
    """Raises UntrueError where the report counts, times or judges an incident of the period otherwise than it was.

    `records`: all incidents of the installation.
    """
    known = [each for each in records if since <= each.incident.opened_at < until and not _is_only_recorded(each)]
    groups = {
        "incidents": [each for each in known if not each.incident.exercise],
        "exercises": [each for each in known if each.incident.exercise],
    }
    _demand({f"{moment(at):%Y-%m-%d %H:%M}" in report.subtitle for at in (since, until)} == {True}, report.subtitle)
    _demand({each.name for each in report.sections} <= {*groups, "training"}, [each.name for each in report.sections])
    for name, group in groups.items():
        tables = [table for section in report.sections if section.name == name for table in section.tables]
        _demand(bool(tables) is bool(group), f"{name}: {tables}")
        for table in tables:
            _check_table(table, group)


def _is_only_recorded(record: Record) -> bool:
    return record.has(Fact.RECORDED) and not record.has(Fact.OPENED)


def _check_table(table: Table, group: Sequence[Record]) -> None:
    _demand(table.title in GROUPED_BY, table.title)
    parts: dict[str, list[Record]] = {}
    for each in group:
        parts.setdefault(GROUPED_BY[table.title](each), []).append(each)
    if table.title == "By level":
        parts["all"] = list(group)
    _demand({row[0] for row in table.rows} == set(parts) and len(table.rows) == len(parts), table.rows)
    for row in table.rows:
        _check_figures(dict(zip(table.columns[1:], row[1:], strict=True)), parts[row[0]])


def _level(record: Record) -> str:
    assert record.policy is not None
    level = record.incident.level
    return f"{level} {record.policy.policy.level(level).name}"


GROUPED_BY: Mapping[str, Callable[[Record], str]] = {"By level": _level, "By type": lambda record: record.incident.type}


def _check_figures(told: Mapping[str, str], group: Sequence[Record]) -> None:
    taken = [after for each in group if (after := taken_after(each)) is not None]
    over = [after for each in group if (after := _over_after(each)) is not None]
    judged = [_kept(each) for each in group]
    for name, count in (
        ("incidents", len(group)),
        ("acknowledged", len(taken)),
        ("resolved", len(over)),
        ("response time kept", judged.count(True)),
        ("breached", judged.count(False)),
    ):
        _demand(told[name] == str(count), f"{name}: {told[name]} of {[each.incident.number for each in group]}", count)
    for name, spans in (("MTTA", taken), ("MTTR", over)):
        _demand(_is_mean(told[name], spans, group), f"{name}: {told[name]}", spans)


def _is_mean(told: str, spans: Sequence[int], group: Sequence[Record]) -> bool:
    """Cut to its smallest unit; means of means are rounded to microseconds twice."""
    if not spans:
        return told in NOTHING
    mean = sum(spans) // len(spans)
    return any(group[0].is_long(told, mean + off) for off in (-2, 0, 2))


def _answers(record: Record) -> Iterator[Entry]:
    """Acknowledgements that held, and resolutions by a person."""
    for each in standing(record.entries):
        if each.fact is Fact.ACKNOWLEDGED or (each.fact is Fact.RESOLVED and each.by):
            yield each


def taken_after(record: Record) -> int | None:
    """From the opening to the first acknowledgement that held; microseconds."""
    first = next((each.at for each in standing(record.entries) if each.fact is Fact.ACKNOWLEDGED), None)
    return None if first is None else first - record.incident.opened_at


def _over_after(record: Record) -> int | None:
    """From the opening to the resolution that holds; microseconds."""
    last = next(record.find(Fact.RESOLVED), None)
    return last.at - record.incident.opened_at if record.is_over and last else None


def _kept(record: Record) -> bool | None:
    """Whether every response time that was asked for was kept; None: none is over, or none was needed."""
    if record.has(Fact.BREACHED) or _is_late(record):
        return False
    return True if any(_answers(record)) else None


def _is_late(record: Record) -> bool:
    """Whether the alarm that began last was answered after its response time, which no silence had suspended."""
    period = since_alarm(record.entries)
    answers = {each.position: each.at for each in _answers(record)}
    first = next((answers[each.position] for each in period if each.position in answers), None)
    is_suspended = any(each.data.get("pauses") for each in period)
    return first is not None and first > record.incident.response_due_at and not is_suspended


def check_drills(report: Report, records: Collection[Record], since: int, until: int) -> None:
    """Raises UntrueError where the report of the drills leaves one out, or says of one what is not so."""
    held = {
        f"#{each.incident.number}": each
        for each in records
        if each.incident.exercise and since <= each.incident.opened_at < until
    }
    tables = {table.title: table for section in report.sections for table in section.tables}
    if not held:
        _demand("Drills" not in tables, tables)
        return
    rows = [dict(zip(tables["Drills"].columns, row, strict=True)) for row in tables["Drills"].rows]
    _demand([each["drill"] for each in rows] == sorted(held, key=lambda name: -int(name[1:])), rows, sorted(held))
    for row in rows:
        _check_drill(row, held[row["drill"]])
    _check_people(tables["Who took part"], held.values(), _took_part)
    practised = {person for each in held.values() for person in _practised(each)}
    trained = [row for row in tables["Who is trained for what"].rows if row[1] != "nothing yet"]
    _demand({row[0] for row in trained} == practised, trained, practised)
    for who, subject, last, _due in trained:
        mine = [each.incident for each in held.values() if who in _practised(each)]
        by_subject = (each.opened_at for each in mine if subject in {each.type, *_roles(each.response.roles, who)})
        _demand(_stamp(max(by_subject, default=0)) == last, f"{who} practised {subject} on {last}", mine)


def _roles(roles: Mapping[str, str], who: str) -> list[str]:
    return [role for role, holder in roles.items() if holder == who]


def _check_drill(row: Mapping[str, str], record: Record) -> None:
    incident = record.incident
    _demand(row["when"] == _stamp(incident.opened_at), row, "when it was")
    _demand(row["what"] == incident.type and row["level"] == _level(record), row, "what it was")
    kept = {"yes": True, "no": False}.get(row["in time"])
    _demand(kept == _kept(record), row, f"whether it was answered in time: {_kept(record)}")
    for name, after in (("taken after", taken_after(record)), ("resolved after", _over_after(record))):
        so = row[name] in NOTHING if after is None else record.is_long(row[name], after)
        _demand(so, row, f"{name} {after}")
    people = [each.partition(" (")[0] for each in row["who took part"].split(", ")]
    _demand(set(people) == (_took_part(record) or {"nobody"}), row, f"who took part: {_took_part(record)}")


def _took_part(record: Record) -> set[str]:
    """Everybody who did something that holds, and to whom a role or the incident was given."""
    lines = [each for each in standing(record.entries) if each.by]
    given = {each.data["to"] for each in lines if each.fact in {Fact.ROLE_TAKEN, Fact.HANDED_OVER}}
    return given | {each.by for each in lines}


def _practised(record: Record) -> set[str]:
    return {each.by for each in standing(record.entries) if each.by and each.fact not in PRACTICE_IS_NOT}


def _check_people(table: Table, records: Collection[Record], who: Callable[[Record], set[str]]) -> None:
    so: dict[str, list[int]] = {}
    for each in records:
        for person in who(each):
            so.setdefault(person, []).append(each.incident.opened_at)
    told = {person: (drills, last) for person, drills, last in table.rows}
    _demand(told == {person: (str(len(at)), _stamp(max(at))) for person, at in so.items()}, told, so)


def _stamp(at: int) -> str:
    return f"{moment(at):%Y-%m-%d %H:%M} UTC"


def _demand(so: object, said: object, what: object = "") -> None:
    if not so:
        raise UntrueError(f"a report of a period says {said!r} (periods: {what}), and it is not so")
