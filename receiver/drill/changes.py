"""The differences between two policies in readable form; `receiver.drill.differences` prints them.

Each policy becomes a tree of texts by the types of its fields (`rules.fields`), so that new fields of `rules.policy`
are compared without further code. Named parts are compared by name.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from hashlib import sha256
from typing import Any, Union, get_args

from rules.channel_types import HIDDEN, as_shown, ends_of
from rules.durations import format_duration
from rules.fields import Matcher, elements, is_duration, is_optional, types_of
from rules.matchers import written
from rules.policy import OnCallSchedule, Policy

NOTHING, EMPTY = "—", "none"
"""Not set; and set to be empty, where that differs from not set."""

NAMES = ("key", "record", "name", "title")
"""The field that identifies a part among its kind: the first of these that the part has."""


@dataclass(slots=True)
class Parts:
    """A part with fields, or a collection of named parts."""

    named: dict[str, "Tree"]
    usual: frozenset[str] = frozenset()
    """Fields with their default values."""
    order: tuple[str, ...] = ()
    """The order of the names; ignored by dictionary equality."""

    def __post_init__(self) -> None:
        self.order = tuple(self.named)


Tree = Union[str, Parts]  # noqa: UP007 - a forward reference takes no bar


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """One difference: its path, and the texts before and after."""

    path: tuple[str, ...]
    before: str
    after: str


def changes(old: Policy, new: Policy) -> Iterator[PolicyChange]:
    """All differences, in the order of the policy's fields; a path begins with the policy's field.

    Addresses are shortened for display.
    """
    hidden = {**_hidden(old), **_hidden(new)}
    for change in _compare(_of_part(old), _of_part(new), ()):
        before, after = (_without(text, hidden) for text in (change.before, change.after))
        yield PolicyChange(change.path, before, after if after != before else f"{after} (another one)")


def _hidden(policy: Policy) -> dict[str, str]:
    """Confidential text → its replacement: contacts, numbers, URLs and headers of webhooks."""
    contacts = {address: ends_of(address) for person in policy.people for _, address in person.contacts}
    groups = {
        each: as_shown(each, None) for group in policy.stakeholders for each in group.recipients if each[:1] == "+"
    }
    channels = {each: as_shown(each, channel.facts) for channel in policy.channels for each in channel.recipients}
    headers = {value: HIDDEN for channel in policy.channels for _, value in channel.headers}
    return {
        whole: shown
        for whole, shown in {**headers, **channels, **groups, **contacts}.items()
        if whole and whole != shown
    }


def _without(text: str, hidden: Mapping[str, str]) -> str:
    """Replaces confidential texts, the longest first, because one may be the beginning of another."""
    if not hidden:
        return text
    known = "|".join(map(re.escape, sorted(hidden, key=len, reverse=True)))
    return re.sub(rf"(?<!\w)(?:{known})(?!\w)", lambda found: hidden[found[0]], text)


def _compare(was: Tree | None, now: Tree | None, path: tuple[str, ...]) -> Iterator[PolicyChange]:
    if was == now:
        return
    if isinstance(was, Parts) and isinstance(now, Parts):
        for name in dict.fromkeys((*was.named, *now.named)):
            yield from _compare(was.named.get(name), now.named.get(name), (*path, name))
        before, after = (
            [name for name in each if name in was.named and name in now.named] for each in (was.named, now.named)
        )
        if before != after:
            yield PolicyChange((*path, "order"), ", ".join(before), ", ".join(after))
    elif was is None or now is None:
        yield PolicyChange((*path, "added" if was is None else "removed"), _summary(was), _summary(now))
    else:
        yield PolicyChange(path, *_apart(_summary(was), _summary(now)))


def _summary(tree: Tree | None) -> str:
    """A tree as one text; a part without its default values."""
    if not isinstance(tree, Parts):
        return NOTHING if tree is None else tree
    said = [f"{name}: {_summary(each)}" for name, each in tree.named.items() if name not in tree.usual]
    return "; ".join(said) or "present"


def _apart(was: str, now: str) -> tuple[str, str]:
    """Only the differing lines of two long texts; for texts that look the same, a note that they differ."""
    if "\n" in was + now:
        before, after = was.splitlines(), now.splitlines()
        gone, come = (Counter(one) - Counter(other) for one, other in ((before, after), (after, before)))
        shown = tuple(" / ".join(line for line in each if line.strip()) or NOTHING for each in (gone, come))
        if shown[0] != shown[1]:
            return shown[0], shown[1]
    return (was, now) if was.split() != now.split() else (was, f"{now} (other spaces or lines)")


def _tree(value: Any, type_: Any) -> Tree:
    if value is None:
        return NOTHING
    if is_duration(type_):
        return format_duration(value)
    if is_dataclass(value):
        return _of_part(value)
    if isinstance(value, tuple) and _has_names(of := elements(type_, 1)[0]):
        return _by_name(_named(each, of) for each in value)
    if value in ("", ()):
        return EMPTY if is_optional(type_) else NOTHING
    if isinstance(value, tuple):
        return _in_words(value, elements(type_, len(value)))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f'"{value}"' if value in {NOTHING, EMPTY} else str(value)


def _of_part(part: Any) -> Parts:
    """The fields of a part except its name, which is its key."""
    names = {"section", "name"} if hasattr(part, "key") else set(NAMES)
    types = {name: each for name, each in types_of(type(part)).items() if name not in names}
    defaults = {each.name: each.default for each in fields(part)}
    usual = {name for name in types if defaults[name] is not MISSING and getattr(part, name) == defaults[name]}
    return Parts(
        {_words(name): _tree(_said(part, name), each) for name, each in types.items()}, frozenset(map(_words, usual))
    )


def _said(part: Any, name: str) -> Any:
    """The value of a field. A calendar's URL, which may be secret, becomes its host and a hash; a calendar's text
    becomes its number of events, because the people on call are compared elsewhere.
    """
    if name == "calendar" and isinstance(part, OnCallSchedule) and part.is_fetched:
        return f"{part.calendar_shown} ({_mark(part.calendar)})"
    if name == "calendar_text" and isinstance(part, OnCallSchedule) and part.calendar_text:
        return f"events: {part.calendar_text.count('BEGIN:VEVENT')} ({_mark(part.calendar_text)})"
    return getattr(part, name)


def _mark(text: str) -> str:
    """A short mark that identifies a text without showing it."""
    return sha256(text.encode()).hexdigest()[:6]


def _has_names(type_: Any) -> bool:
    """Whether the list's elements are identified by name: parts, and tuples that begin with one."""
    return is_dataclass(type_) or (get_args(type_)[:1] == (str,) and type_ != Matcher)


def _named(each: Any, type_: Any) -> tuple[str, Tree]:
    if is_dataclass(each):
        return str(next(getattr(each, name) for name in NAMES if hasattr(each, name))), _of_part(each)
    return each[0] or "every source", _rest(each, type_)


def _in_words(value: tuple[Any, ...], types: list[Any]) -> str:
    return written(value) if types[0] == Matcher else ", ".join(map(_in_list, value, types))


def _rest(pair: tuple[Any, ...], type_: Any) -> Tree:
    """The values of a tuple after its name."""
    _, *types = elements(type_, len(pair))
    trees = [_tree(each, of) for each, of in zip(pair[1:], types, strict=True)]
    return trees[0] if len(trees) == 1 else " to ".join(map(_summary, trees))


def _by_name(parts: Iterable[tuple[str, Tree]]) -> Parts:
    """Parts by name; further parts of the same name are numbered."""
    seen: Counter[str] = Counter()
    named: dict[str, Tree] = {}
    for name, tree in parts:
        seen[name] += 1
        named[name if seen[name] == 1 else f"{name} ({seen[name]})"] = tree
    return Parts(named)


def _in_list(value: Any, type_: Any) -> str:
    """An element of a comma-separated list, in quotes if it is empty or contains a comma."""
    text = value if isinstance(value, str) else _summary(_tree(value, type_))
    return text if text and "," not in text else f'"{text}"'


def _words(name: str) -> str:
    return name.replace("_", " ")
