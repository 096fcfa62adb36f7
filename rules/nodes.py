"""YAML as a tree that still knows where everything was written.

`rules.composer` builds Nodes, `rules.merge` joins the trees of several files, `rules.validate` shows them to
pydantic and finds the place of what it complains about.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

Scalar: TypeAlias = str | int | float | bool | None
Step: TypeAlias = str | int


class Mark(NamedTuple):
    """A place in a file, from 1 (rules.policy.Place adds the way to it inside the document)."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(slots=True, eq=False)
class Node:
    """One YAML value. Trees are never changed once composed: an alias shares its anchor's node."""

    mark: Mark
    value: "Scalar | list[Node] | dict[str, Node]"
    raw: str = ""
    """A scalar as it stands (``+49`` is the number 49, but was it meant so?)."""
    style: str = ""
    """``'``, ``"``, ``|``, ``>`` or empty for plain."""
    end_line: int = 0
    keys: dict[str, Mark] = field(default_factory=dict)
    """Of a mapping: where each key stands."""
    size: int = 1
    """Nodes in this tree, an alias counted as often as it is used."""
    depth: int = 1

    @property
    def kind(self) -> str:
        """What it is, in words for people."""
        if isinstance(self.value, dict):
            return "a mapping"
        if isinstance(self.value, list):
            return "a list"
        if self.value is None:
            return "empty"
        return f'"{self.raw[:40]}"' if isinstance(self.value, str) else self.raw[:40]

    def child(self, step: Step) -> "Node | None":
        """The value under a key or at an index, or None."""
        if isinstance(self.value, dict) and isinstance(step, str):
            return self.value.get(step)
        if isinstance(self.value, list) and isinstance(step, int) and 0 <= step < len(self.value):
            return self.value[step]
        return None

    def items(self) -> "list[Node]":
        """The items of a list; of anything else none."""
        return self.value if isinstance(self.value, list) else []

    def entries(self) -> "dict[str, Node]":
        """The entries of a mapping; of anything else none."""
        return self.value if isinstance(self.value, dict) else {}

    def texts(self) -> Iterator[str]:
        """Every text in it, from the first to the last."""
        if isinstance(self.value, str):
            yield self.value
        for child in (*self.entries().values(), *self.items()):
            yield from child.texts()

    def plain(self) -> Any:
        """The same as dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def mapping(mark: Mark, entries: dict[str, Node], keys: dict[str, Mark]) -> Node:
    """A new mapping node over nodes that exist already."""
    size = 1 + sum(node.size for node in entries.values())
    depth = 1 + max((node.depth for node in entries.values()), default=0)
    return Node(mark, entries, keys=keys, size=size, depth=depth)


def same(first: Node, second: Node) -> bool:
    """Whether two trees say the same, wherever they stand."""
    return first is second or first.plain() == second.plain()


def render(steps: tuple[Step, ...]) -> str:
    """The way to a value, for people: ``incident_response.detection.rules[2]``."""
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
