"""The differences in effect between two policies, as tables: printed by `tocsin diff` and `tocsin replay`."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from receiver.core.events import AlertsReceived
from receiver.core.model import Alert, Instant, Target
from receiver.drill.changes import NOTHING, changes
from receiver.drill.first_pages import Episode, FirstPageChange, FirstPages, episodes, first_page_changes
from receiver.drill.on_call_walk import DAY, walk
from receiver.drill.simulator import START, World
from receiver.messages.times import stamp
from receiver.on_call.references import whom
from receiver.on_call.shift import Roster
from rules.durations import format_duration
from rules.policy import IncidentType, Policy, Rule
from rules.time_zones import time_zone


@dataclass(frozen=True, slots=True)
class DifferenceTable:
    """Differences of one kind."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def differences(old: Policy, new: Policy, now: Instant = START) -> list[DifferenceTable]:
    """The non-empty tables. `now`: the start of the comparison of who is on call."""
    tables: dict[str, list[tuple[str, ...]]] = {}
    others: list[tuple[str, ...]] = []
    for change in changes(old, new):
        kind, *path = change.path
        if len(path) > 1:
            row = path[0], " ".join(path[1:]), change.before, change.after
            tables.setdefault(kind.capitalize(), []).append(row)
        else:
            others.append((" ".join(change.path), change.before, change.after))
    told = DifferenceTable(
        "Who is told when, if nobody acknowledges",
        ("who", "is told", "before", "after", "of"),
        tuple(_reached(old, new, now)),
    )
    on_call = DifferenceTable(
        "Who is on call", ("schedule", "from", "until", "before", "after"), tuple(on_call_changes(old, new, now))
    )
    named = [
        DifferenceTable(title, ("what", "change", "before", "after"), tuple(rows)) for title, rows in tables.items()
    ]
    found = (*named, DifferenceTable("Other", ("what", "before", "after"), tuple(others)), told, on_call)
    return [table for table in found if table.rows]


def _reached(old: Policy, new: Policy, now: Instant) -> Iterator[tuple[str, str, str, str, str]]:
    """One row per change, with all rules and types that it affects."""
    before, after = _told(old, now), _told(new, now)
    rows: dict[tuple[str, str, str, str], list[str]] = {}
    for key in dict.fromkeys((*before, *after)):
        for change in first_page_changes(before.get(key, {}), after.get(key, {})):
            who = _whom(change, old, new)
            row = (who, change.verdict, _when(change.before), _when(change.after))
            rows.setdefault(row, []).append(key.rpartition("/")[2])
    for row, keys in rows.items():
        yield *row, ", ".join(dict.fromkeys(keys))


def _whom(change: FirstPageChange, old: Policy, new: Policy) -> str:
    """Resolved by the policy that notifies: the other may lack the channel or the person."""
    target, policy = change.target, old if change.after is None else new
    return f"{target.channel} {whom(policy, target.channel, target.recipient)}"


def _when(micros: int | None) -> str:
    return NOTHING if micros is None else f"+{format_duration(micros)}"


def _told(policy: Policy, now: Instant) -> dict[str, Mapping[Target, int]]:
    """Rule or type → recipients and times (microseconds), from the opening to the breach."""
    members: list[Rule | IncidentType] = [*policy.rules, *policy.incident_types]
    return {each.key: _drilled(policy, now, each.level, each.key) for each in members}


def _drilled(policy: Policy, now: Instant, level: int, rule: str) -> Mapping[Target, int]:
    world = World(policy, now=now)
    alert = Alert(rule, world.now, firing=True, level=level, rule=rule, type=rule, labels={}, annotations={})
    world.handle(AlertsReceived(rule, "", (alert,)))
    world.advance(Instant(world.now + policy.level(level).response_time))
    return next(iter(episodes(world).values())).first


def replayed(
    old: Policy, new: Policy, before: Mapping[Episode, FirstPages], after: Mapping[Episode, FirstPages]
) -> list[DifferenceTable]:
    """The effect of another policy on a recording; `before` and `after` are the results of each."""
    rows: list[tuple[str, ...]] = []
    levels: list[tuple[str, ...]] = []
    for episode in sorted({*before, *after}):
        was, now = before.get(episode), after.get(episode)
        told = now or was
        assert told is not None, "an episode is of one of the two"
        at = stamp(episode.begun_at)
        if was and now and was.level != now.level:
            levels.append((at, told.name, str(was.level), str(now.level)))
        rows += [
            (at, told.name, _whom(each, old, new), each.verdict, _when(each.before), _when(each.after))
            for each in first_page_changes(was.first if was else {}, now.first if now else {})
        ]
    columns = ("at", "incident", "who", "is told", "before", "after")
    found = [
        DifferenceTable("Levels that would have been others", ("at", "incident", "before", "after"), tuple(levels)),
        DifferenceTable("Who would have been told", columns, tuple(rows)),
    ]
    return [table for table in found if table.rows]


def as_markdown(tables: Iterable[DifferenceTable]) -> str:
    """As Markdown, for a comment on a pull request."""
    lines: list[str] = []
    for table in tables:
        lines += [f"### {table.title}", "", _row(table.columns), _row("---" for _ in table.columns)]
        lines += [*(_row(_cell(each) for each in row) for row in table.rows), ""]
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    """One line, with Markdown's special characters as code."""
    flat = " ".join(text.split()).replace("`", "'").replace("|", "\\|")
    return f"`{flat}`" if any(character in flat for character in "<>*_#@") else flat


def as_json(tables: Iterable[DifferenceTable]) -> list[dict[str, Any]]:
    """As JSON."""
    return [
        {"title": table.title, "rows": [dict(zip(table.columns, row, strict=True)) for row in table.rows]}
        for table in tables
    ]


DAYS = 400
MOST = 40
"""The maximum of rows for a schedule; the others are counted."""


def on_call_changes(old: Policy, new: Policy, now: Instant) -> Iterator[tuple[str, str, str, str, str]]:
    """(schedule, from, until, before, after) for each period of the coming days with different people on call."""
    before, after = ({each.name: each for each in walk(policy, now, DAYS).rosters} for policy in (old, new))
    for name in dict.fromkeys((*before, *after)):
        zone = (after.get(name) or before[name]).time_zone
        rows = list(_differing(before.get(name), after.get(name), now, now + DAYS * DAY))
        for starts, ends, was, becomes in rows[:MOST]:
            first, last = (stamp(Instant(at), time_zone(zone)) for at in (starts, ends))
            yield name, first, last, was, becomes
        if len(rows) > MOST:
            yield name, f"{len(rows) - MOST} more times", NOTHING, NOTHING, NOTHING


def _differing(
    before: Roster | None, after: Roster | None, starts: int, ends: int
) -> Iterator[tuple[int, int, str, str]]:
    """Adjacent periods with the same people are merged."""
    edges = {at for each in (before, after) if each for shift in each.shifts for at in (shift.starts, shift.ends)}
    inside = sorted({starts, *(at for at in edges if starts < at < ends)})
    open_: tuple[int, str, str] | None = None
    for at in inside:
        answers = _who(before, at), _who(after, at)
        if open_ is not None and open_[1:] == answers:
            continue
        if open_ is not None and open_[1] != open_[2]:
            yield open_[0], at, open_[1], open_[2]
        open_ = (at, *answers)
    if open_ is not None and open_[1] != open_[2]:
        yield open_[0], ends, open_[1], open_[2]


def _who(roster: Roster | None, at: int) -> str:
    if roster is None:
        return NOTHING
    return ", ".join(sorted(shift.person for shift in roster.at(at))) or "nobody"
