"""Every change in a policy is told, and read; every duration is scaled, and nothing else."""

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from receiver.cli import app
from receiver.drill.changes import changes
from receiver.drill.differences import as_json, differences
from rules.durations import format_duration
from rules.fields import NO_MEANING
from rules.load import load
from rules.policy import HOUR, MINUTE, Micros, Policy, RateLimit, TimedActions
from rules.time_scale import faster
from tests.core.guide import WHOLE

FACTOR = 10
CHANNEL = "incident_response:\n  alert_channels:\n    - {name: email, type: email, recipients: [a@example.com]}\n"
TEXT = st.text("ab ,-\nü", max_size=6)
UNREADABLE = re.compile(r"\w\(|None|True|False|\[|\]|<|>|'|\d{6}")
"""What Python's own texts of values have in them."""

MANY = settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def values(type_: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type, as a policy file can say them."""
    arguments, origin = get_args(type_), get_origin(type_)
    if NoneType in arguments:
        return st.none() | values(next(each for each in arguments if each is not NoneType))
    if type_ is Micros:
        return st.integers(1, 10_000).map(lambda number: Micros(number * FACTOR * 1000))
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, arguments))
    if is_dataclass(type_):
        return st.builds(type_, **{name: values(each) for name, each in typed(type_).items()})
    return {str: TEXT, int: st.integers(0, 9), bool: st.booleans(), float: st.sampled_from([0.05, 0.5, 0.95, 1.0])}[
        type_
    ]


def typed(kind: Any) -> dict[str, Any]:
    """Field → type of a part, but for where and how it was written."""
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in fields(kind) if each.name not in NO_MEANING}


Way = tuple[str | int, ...]


def all_fields(value: Any, way: Way = ()) -> Iterator[tuple[Way, Any]]:
    """The way to every field of every part, and its type."""
    if isinstance(value, tuple):
        for index, each in enumerate(value):
            yield from all_fields(each, (*way, index))
    elif is_dataclass(value):
        for name, type_ in typed(type(value)).items():
            yield (*way, name), type_
            yield from all_fields(getattr(value, name), (*way, name))


def look(value: Any, way: Way) -> Any:
    """What stands there."""
    for step in way:
        value = getattr(value, step) if isinstance(step, str) else value[step]
    return value


def put(value: Any, way: Way, new: Any) -> Any:
    """The policy with something else there."""
    if not way:
        return new
    step, *rest = way
    inner = put(look(value, (step,)), tuple(rest), new)
    if isinstance(step, str):
        return replace(value, **{step: inner})
    return (*value[:step], inner, *value[step + 1 :])


@st.composite
def edited(draw: st.DrawFn) -> tuple[Policy, Policy, Way, Any]:
    """A policy, and the same with one field changed; which, and of what type."""
    old = draw(values(Policy))
    way, type_ = draw(st.sampled_from(list(all_fields(old))))
    new = draw(values(type_).filter(lambda value: value != look(old, way)))
    return old, put(old, way, new), way, type_


@MANY
@given(edited())
def test_any_change_is_told(case: tuple[Policy, Policy, Way, Any]) -> None:
    """Change any one field of any policy, and there is a row that people can read, with two different texts."""
    old, new, way, type_ = case
    found = list(changes(old, new))
    assert found, way
    for each in found:
        assert each.before != each.after
        assert not UNREADABLE.search("".join((*each.path, each.before, each.after)).replace(" (2)", "")), each
    if Micros in (type_, *get_args(type_)):
        was, now = look(old, way), look(new, way)
        (row,) = found
        assert row.before == ("—" if was is None else format_duration(was))
        assert row.after == ("—" if now is None else format_duration(now))


@MANY
@given(values(Policy))
def test_every_duration_is_scaled_and_nothing_else(policy: Policy) -> None:
    """In faster time each duration is a tenth, wherever it stands; every other field is what it was."""
    fast = faster(policy, FACTOR)
    for way, type_ in all_fields(policy):
        was, now = look(policy, way), look(fast, way)
        if Micros in (type_, *get_args(type_)):
            assert now == (None if was is None else was // FACTOR), way
        elif not _has_parts(was):
            assert now == was, way


def _has_parts(value: Any) -> bool:
    return is_dataclass(value) or (isinstance(value, tuple) and any(map(_has_parts, value)))


def test_what_was_not_told() -> None:
    """The limits of an initial response, a canary, retention, flapping, a rate limit, and the steps of a procedure."""
    email, *channels = WHOLE.channels
    first, *procedures = WHOLE.procedures
    assessed = replace(WHOLE.initial_response[1], time_limit=Micros(HOUR))
    new = replace(
        WHOLE,
        channels=(replace(email, canary=Micros(6 * HOUR), rate_limit=RateLimit(20, Micros(MINUTE))), *channels),
        procedures=(replace(first, steps=(*first.steps, "Tell the board, and wait")), *procedures),
        initial_response=(WHOLE.initial_response[0], assessed),
        post_incident=(TimedActions("monitoring", duration=Micros(HOUR)),),
        retention=Micros(400 * 24 * HOUR),
        heartbeat_within=Micros(5 * MINUTE),
        flapping=replace(WHOLE.flapping, within=Micros(20 * MINUTE)),
    )
    rows = {(table["title"], *row.values()) for table in as_json(differences(WHOLE, new)) for row in table["rows"]}
    steps = ", ".join(first.steps)
    assert rows >= {
        ("Channels", "email", "canary", "—", "6h"),
        ("Channels", "email", "rate limit", "—", "count: 20; per: 1m"),
        ("Procedures", "initial_response", "steps", steps, f'{steps}, "Tell the board, and wait"'),
        ("Initial response", "severity_assessment", "time limit", "30m", "1h"),
        ("Post incident", "monitoring", "added", "—", "duration: 1h"),
        ("Other", "retention", "—", "400d"),
        ("Other", "heartbeat within", "2m30s", "5m"),
        ("Other", "flapping within", "10m", "20m"),
    }


@pytest.mark.parametrize(("old", "new"), [("24h", "1h"), ("30d", "8h")])
def test_a_duration_in_a_file_is_told(tmp_path: Any, old: str, new: str) -> None:
    """`tocsin diff` of two files that differ in how long incidents are kept says so, and not that they mean the same."""
    files = [tmp_path / "old.yaml", tmp_path / "new.yaml"]
    for file, text in zip(files, (old, new), strict=True):
        file.write_text(f"{CHANNEL}retention: {text}\n")
    said = CliRunner().invoke(app, ["diff", *map(str, files)]).stdout
    assert "mean the same" not in said
    assert "retention" in said


def test_other_places_are_no_change() -> None:
    """The shipped policy read again, in another order of lines, means the same."""
    policy = load()
    moved = tuple(replace(rule, place=None) for rule in policy.rules)
    assert not list(changes(policy, replace(policy, rules=moved)))
