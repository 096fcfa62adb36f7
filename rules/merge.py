"""Several documents → one: the same section may be written in several places.

Called by `rules.load`. Mappings merge key by key, lists of named things by their `level`, `name`, `title` or `source`,
and lists of matchers by those. No value overrides another: two different contents for one thing are a Problem with both
positions, because escalation times must not depend on the order of files.
"""

from collections.abc import Iterable

from rules.nodes import Mark, Node, mapping, same
from rules.problems import Problem

IDENTITIES = ("level", "name", "title", "source")


def merge(documents: Iterable[Node], problems: list[Problem]) -> Node | None:
    """One mapping with the content of all documents; None if there are none."""
    merged: Node | None = None
    for document in documents:
        merged = document if merged is None else _join(merged, document, "", problems)
    return merged


def find_repeats(node: Node, problems: list[Problem], where: str = "") -> None:
    """Report duplicate names within one list of one document."""
    for key, entry in node.entries().items():
        find_repeats(entry, problems, f"{where}.{key}" if where else key)
    seen: dict[str, Mark] = {}
    for item in node.items():
        find_repeats(item, problems, where)
        identity = _identity(item)
        if not identity:
            continue
        if first := seen.get(identity):
            problems.append(Problem.at(item.mark, f"{where} has {identity} twice (first in line {first.line})"))
        else:
            seen[identity] = item.mark


def _join(first: Node, second: Node, where: str, problems: list[Problem]) -> Node:
    if isinstance(first.value, dict) and isinstance(second.value, dict):
        return _join_mappings(first, second, where, problems)
    if isinstance(first.value, list) and isinstance(second.value, list):
        named = [_identity(item) for item in first.value + second.value]
        if all(named):
            return _join_lists(first, second, where, problems)
    if not same(first, second):
        here, there = _short(second), _short(first)
        contrast = f": {here} here, {there} there" if here and there else ""
        message = f"{where} is defined twice with different content{contrast} (first at {first.mark})"
        problems.append(Problem.at(second.mark, message))
    return first


def _join_mappings(first: Node, second: Node, where: str, problems: list[Problem]) -> Node:
    entries, keys = dict(first.entries()), {**second.keys, **first.keys}
    for key, node in second.entries().items():
        below = f"{where}.{key}" if where else key
        entries[key] = _join(entries[key], node, below, problems) if key in entries else node
    return mapping(first.mark, entries, keys)


def _join_lists(first: Node, second: Node, where: str, problems: list[Problem]) -> Node:
    items = {_identity(item): item for item in first.items()}
    for item in second.items():
        identity = _identity(item)
        known = items.get(identity)
        items[identity] = item if known is None else _join(known, item, f"{where}[{identity}]", problems)
    joined = list(items.values())
    return Node(
        first.mark, joined, size=1 + sum(n.size for n in joined), depth=1 + max((n.depth for n in joined), default=0)
    )


def _identity(item: Node) -> str:
    """The identity of a list's item, such as ``level 4`` or ``"engine_failure"``."""
    for key in IDENTITIES:
        node = item.entries().get(key)
        if node is not None and not isinstance(node.value, dict | list | None):
            return f"level {node.raw}" if key == "level" else f'"{node.raw}"'
    if "matchers" in item.entries():
        return f"matchers {item.entries()['matchers'].plain()}"
    return "a map for every source" if "map" in item.entries() else ""


def _short(node: Node) -> str:
    return node.kind if not isinstance(node.value, dict | list) else ""
