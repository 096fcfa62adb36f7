"""The fields of a policy's parts and their types, which say what a value is: no list of names beside them.

`rules.time_scale` scales every duration and `tocsin diff` tells every change by asking here, so that a field that is
added to `rules.policy` is known to both.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

from rules.policy import Micros

Part = TypeVar("Part")

NO_MEANING = frozenset({"place", "spellings", "written"})
"""Where and how a thing was written, which changes nothing that Tocsin does."""

Matcher = tuple[str, str, str]
"""Three texts are a matcher, wherever they stand in a policy."""


def types_of(kind: Any) -> Mapping[str, Any]:
    """Field → type of a dataclass of `rules.policy`; where and how a thing was written are none of its fields."""
    return _types(kind)


@cache
def _types(kind: type) -> Mapping[str, Any]:
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in fields(kind) if each.name not in NO_MEANING}


def required(type_: Any) -> Any:
    """The type without the None that it may be."""
    present = [each for each in get_args(type_) if each is not type(None)]
    return present[0] if is_optional(type_) else type_


def is_optional(type_: Any) -> bool:
    """Whether None is one of its values."""
    return type(None) in get_args(type_)


def is_duration(type_: Any) -> bool:
    """Whether its values are microseconds."""
    return required(type_) is Micros


def elements(type_: Any, count: int) -> list[Any]:
    """The types of a tuple's `count` elements."""
    of = get_args(required(type_))
    return [of[0]] * count if of[-1] is Ellipsis else list(of)


def map_durations(part: Part, change: Callable[[Micros], Micros]) -> Part:
    """The part with every duration in it changed, and nothing else."""
    changed = {name: _map(getattr(part, name), each, change) for name, each in types_of(type(part)).items()}
    return replace(part, **changed)  # type: ignore[type-var] # a dataclass


def _map(value: Any, type_: Any, change: Callable[[Micros], Micros]) -> Any:
    if value is None:
        return None
    if is_duration(type_):
        return change(value)
    if isinstance(value, tuple):
        return tuple(_map(each, of, change) for each, of in zip(value, elements(type_, len(value)), strict=True))
    return map_durations(value, change) if is_dataclass(value) else value
