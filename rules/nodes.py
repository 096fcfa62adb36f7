"""YAML as a tree with positions.

`rules.composer` builds Nodes, `rules.merge` joins the trees of several files, `rules.validate` passes them to pydantic
and locates its errors.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

Scalar: TypeAlias = str | int | float | bool | None
Step: TypeAlias = str | int


class Mark(NamedTuple):
    """A position in a file, counted from 1 (rules.policy.Place adds the path inside the document)."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(slots=True, eq=False)
class Node:
    """One YAML value. Trees are immutable once composed: an alias shares its anchor's node."""

    mark: Mark
    value: "Scalar | list[Node] | dict[str, Node]"
    raw: str = ""
    """A scalar as written (``+49`` is the number 49, but may have been meant as a text)."""
    style: str = ""
    """``'``, ``"``, ``|``, ``>`` or empty for plain."""
    end_line: int = 0
    keys: dict[str, Mark] = field(default_factory=dict)
    """Of a mapping: the position of each key."""
    size: int = 1
    """Nodes in this tree; an alias counts at each use."""
    depth: int = 1

    @property
    def kind(self) -> str:
        """The kind of value, as text for users."""
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
        """The items of a list; for any other value none."""
        return self.value if isinstance(self.value, list) else []

    def entries(self) -> "dict[str, Node]":
        """The entries of a mapping; for any other value none."""
        return self.value if isinstance(self.value, dict) else {}

    def texts(self) -> Iterator[str]:
        """All texts in the tree, in order."""
        if isinstance(self.value, str):
            yield self.value
        for child in (*self.entries().values(), *self.items()):
            yield from child.texts()

    def plain(self) -> Any:
        """The value as dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def mapping(mark: Mark, entries: dict[str, Node], keys: dict[str, Mark]) -> Node:
    """A new mapping node of existing nodes."""
    size = 1 + sum(node.size for node in entries.values())
    depth = 1 + max((node.depth for node in entries.values()), default=0)
    return Node(mark, entries, keys=keys, size=size, depth=depth)


def same(first: Node, second: Node) -> bool:
    """Whether two trees have the same content, regardless of position."""
    return first is second or first.plain() == second.plain()


def render(steps: tuple[Step, ...]) -> str:
    """The path to a value, as text: ``incident_response.detection.rules[2]``."""
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
