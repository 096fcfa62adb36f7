"""The fields of the policy's dataclasses with their types, from which their meaning is derived without lists of names.

`rules.time_scale` scales every duration and `tocsin diff` reports every change by these, so that both cover new fields
of `rules.policy`.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

from rules.policy import Micros

Part = TypeVar("Part")

NO_MEANING = frozenset({"place", "spellings", "written"})
"""Fields for the position and spelling of an element, which do not affect Tocsin's behaviour."""

Matcher = tuple[str, str, str]
"""A tuple of three texts is always a matcher in a policy."""


def types_of(kind: Any) -> Mapping[str, Any]:
    """Field → type of a dataclass of `rules.policy`, without NO_MEANING."""
    return _types(kind)


@cache
def _types(kind: type) -> Mapping[str, Any]:
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in fields(kind) if each.name not in NO_MEANING}


def required(type_: Any) -> Any:
    """The type without None."""
    present = [each for each in get_args(type_) if each is not type(None)]
    return present[0] if is_optional(type_) else type_


def is_optional(type_: Any) -> bool:
    """Whether the type includes None."""
    return type(None) in get_args(type_)


def is_duration(type_: Any) -> bool:
    """Whether its values are microseconds."""
    return required(type_) is Micros


def elements(type_: Any, count: int) -> list[Any]:
    """The types of a tuple's `count` elements."""
    of = get_args(required(type_))
    return [of[0]] * count if of[-1] is Ellipsis else list(of)


def map_durations(part: Part, change: Callable[[Micros], Micros]) -> Part:
    """The part with every duration changed, and nothing else."""
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
