"""What differs between two policies, in what they mean: `tocsin diff` and `tocsin replay` print these tables."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from receiver.core.events import AlertsReceived
from receiver.core.model import Alert, Instant, Target
from receiver.drill.told import Episode, Told, episodes, shifts
from receiver.drill.world import World
from receiver.messages.times import stamp
from rules.durations import format_duration
from rules.policy import IncidentType, Policy, Rule

UNTOLD = frozenset({"place", "section", "name", "key"})
"""Fields that say where a thing is written, not what it means."""

DURATIONS = frozenset({"response_time", "escalation_time", "resolve_after", "update_interval", "interval", "hold"})
OTHERS = (
    "signals",
    "procedures",
    "initial_response",
    "stakeholders",
    "roles",
    "investigation",
    "fix_implementation",
    "post_incident",
    "impact_raises",
    "templates",
    "reports",
    "fallback",
    "default_severity",
    "severity_aliases",
    "severities",
    "ignore",
    "contact_information",
)
NOTHING = "—"


@dataclass(frozen=True, slots=True)
class Table:
    """Differences of one kind."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def differences(old: Policy, new: Policy) -> list[Table]:
    """Tables of what differs; those without a row are left out."""
    columns = ("what", "change", "before", "after")
    parts = [
        Table("Levels", columns, tuple(_parts(_by(old.levels, "name"), _by(new.levels, "name")))),
        Table("Channels", columns, tuple(_parts(_by(old.channels, "name"), _by(new.channels, "name")))),
        Table("Rules", columns, tuple(_parts(_by(old.rules, "key"), _by(new.rules, "key")))),
        Table("Incident types", columns, tuple(_parts(_by(old.incident_types, "key"), _by(new.incident_types, "key")))),
        Table("Other", ("what", "before", "after"), tuple(_others(old, new))),
        Table(
            "Who is told when, if nobody acknowledges",
            ("who", "is told", "before", "after", "of"),
            tuple(_reached(old, new)),
        ),
    ]
    return [table for table in parts if table.rows]


def _by(parts: Iterable[Any], name: str) -> dict[str, Any]:
    return {getattr(part, name): part for part in parts}


def _parts(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for name in dict.fromkeys((*old, *new)):
        before, after = old.get(name), new.get(name)
        if before is None or after is None:
            said = (_summary(before), NOTHING) if after is None else (NOTHING, _summary(after))
            yield name, "removed" if after is None else "added", *said
            continue
        for field in fields(before):
            was, now = getattr(before, field.name), getattr(after, field.name)
            if field.name not in UNTOLD and was != now:
                yield name, field.name.replace("_", " "), _say(field.name, was), _say(field.name, now)


def _summary(part: Any) -> str:
    """A rule, type, channel or level in a few words."""
    words = [getattr(part, "condition", "") or getattr(part, "type", "")]
    if hasattr(part, "level"):
        words.append(f"level {part.level}")
    words.append(", ".join(getattr(part, "channels", ()) or getattr(part, "recipients", ())))
    return "; ".join(word for word in words if word)


def _say(name: str, value: Any) -> str:
    if value is None or value in ("", ()):
        return NOTHING
    if name in DURATIONS:
        return format_duration(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join("=".join(map(str, each)) if isinstance(each, tuple) else str(each) for each in value)
    return str(value)


def _others(old: Policy, new: Policy) -> Iterator[tuple[str, str, str]]:
    for name in OTHERS:
        was, now = getattr(old, name), getattr(new, name)
        if _placeless(was) == _placeless(now):
            continue
        if isinstance(was, tuple) and not all(isinstance(each, str) for each in (*was, *now)):
            yield name.replace("_", " "), *_changed_names(was, now)
        else:
            plain = isinstance(was, str | int | tuple)
            yield name.replace("_", " "), _say(name, was) if plain else "…", _say(name, now) if plain else "changed"


def _placeless(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_placeless(each) for each in value)
    if hasattr(value, "__dataclass_fields__"):
        return tuple(_placeless(getattr(value, each.name)) for each in fields(value) if each.name != "place")
    return value


def _changed_names(was: Sequence[Any], now: Sequence[Any]) -> tuple[str, str]:
    """Of two lists, the names of what is not the same in both."""

    def named(parts: Sequence[Any]) -> dict[str, Any]:
        return {part[0] if isinstance(part, tuple) else part.name: _placeless(part) for part in parts}

    before, after = named(was), named(now)
    gone = [name for name in before if before[name] != after.get(name)]
    come = [name for name in after if after[name] != before.get(name)]
    return ", ".join(gone) or NOTHING, ", ".join(come) or NOTHING


def _reached(old: Policy, new: Policy) -> Iterator[tuple[str, str, str, str, str]]:
    """One row per shift, with all the rules and types that it concerns."""
    before, after = _told(old), _told(new)
    rows: dict[tuple[str, str, str, str], list[str]] = {}
    for key in dict.fromkeys((*before, *after)):
        for shift in shifts(before.get(key, {}), after.get(key, {})):
            who = f"{shift.target.channel} {shift.target.recipient}"
            row = (who, shift.verdict, _when(shift.before), _when(shift.after))
            rows.setdefault(row, []).append(key.rpartition("/")[2])
    for row, keys in rows.items():
        yield *row, ", ".join(dict.fromkeys(keys))


def _when(micros: int | None) -> str:
    return NOTHING if micros is None else f"+{format_duration(micros)}"


def _told(policy: Policy) -> dict[str, Mapping[Target, int]]:
    """Rule or type → who is told when, from the opening to the breach."""
    members: list[Rule | IncidentType] = [*policy.rules, *policy.incident_types]
    return {each.key: _drilled(policy, each.level, each.key) for each in members}


def _drilled(policy: Policy, level: int, rule: str) -> Mapping[Target, int]:
    world = World(policy)
    alert = Alert(rule, world.now, firing=True, level=level, rule=rule, type=rule, labels={}, annotations={})
    world.handle(AlertsReceived(rule, "", (alert,)))
    world.advance(Instant(world.now + policy.level(level).response_time))
    return next(iter(episodes(world).values())).first


def replayed(before: Mapping[Episode, Told], after: Mapping[Episode, Told]) -> list[Table]:
    """What another policy would have made of a recording."""
    rows: list[tuple[str, ...]] = []
    levels: list[tuple[str, ...]] = []
    for episode in sorted({*before, *after}):
        was, now = before.get(episode), after.get(episode)
        told = now or was
        assert told is not None, "an episode is of one of the two"
        at = stamp(episode.begun_at)
        if was and now and was.level != now.level:
            levels.append((at, told.name, str(was.level), str(now.level)))
        for shift in shifts(was.first if was else {}, now.first if now else {}):
            who = f"{shift.target.channel} {shift.target.recipient}"
            rows.append((at, told.name, who, shift.verdict, _when(shift.before), _when(shift.after)))
    columns = ("at", "incident", "who", "is told", "before", "after")
    found = [
        Table("Levels that would have been others", ("at", "incident", "before", "after"), tuple(levels)),
        Table("Who would have been told", columns, tuple(rows)),
    ]
    return [table for table in found if table.rows]


def as_markdown(tables: Iterable[Table]) -> str:
    """For a pull request's comment."""
    lines: list[str] = []
    for table in tables:
        lines += [f"### {table.title}", "", _row(table.columns), _row("---" for _ in table.columns)]
        lines += [*(_row(_cell(each) for each in row) for row in table.rows), ""]
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    """One line; what Markdown would take for its own is code."""
    flat = " ".join(text.split()).replace("`", "'").replace("|", "\\|")
    return f"`{flat}`" if any(character in flat for character in "<>*_#@") else flat


def as_json(tables: Iterable[Table]) -> list[dict[str, Any]]:
    """For programs."""
    return [
        {"title": table.title, "rows": [dict(zip(table.columns, row, strict=True)) for row in table.rows]}
        for table in tables
    ]
