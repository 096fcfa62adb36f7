"""The faults of a policy in a form that people can act on: position, line, caret, cure.

Every check under `rules` makes Problems; `rules.load` collects and shows all of them at once, so that an author can
correct a file in one pass. Callers that know only a Place use `Problem.at`; the loader fills in the source line.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from rules.channel_types import numbers_cut
from rules.nodes import Mark
from rules.policy import Place

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault at one position. `line` and `column` count from 1; 0: the whole file."""

    path: str
    line: int
    column: int
    message: str
    severity: Severity = "error"
    source: str = ""
    """The line of the file as written, without its end."""
    name: str = ""
    """The lint's name (`rules.lint_catalog`), if it is one; a policy may allow it."""

    def __post_init__(self) -> None:
        """Shorten telephone numbers, because problems are logged and shown to all users of a check."""
        object.__setattr__(self, "message", numbers_cut(self.message))
        object.__setattr__(self, "source", numbers_cut(self.source, same_length=True))

    @classmethod
    def at(cls, place: Place | Mark | None, message: str, severity: Severity = "error") -> "Problem":
        """A problem at a place; None: of a part that is written in no file."""
        where = place or Place("", 0)
        return cls(where.path, where.line, where.column, message, severity)

    def __str__(self) -> str:
        said = self.message if self.severity == "error" else f"{self.severity}: {self.message}"
        said += f" [{self.name}]" if self.name else ""
        if self.line < 1:
            return f"{self.path}: {said}"
        head = f"{self.path}:{self.line}:{self.column}: {said}"
        if not self.source.strip():
            return head
        source, caret = _window(self.source, self.column)
        return f"{head}\n    {source}\n    {caret}"


class PolicyError(Exception):
    """The policy cannot be used; `problems` holds every reason, and the warnings."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


SHOWN = 120
"""The maximum of characters shown of a line, because terminals wrap; the window is around the caret."""


def _window(source: str, column: int) -> tuple[str, str]:
    """The part of the line around the column, and the caret under it."""
    start = 0 if len(source) <= SHOWN else max(0, min(column - 1 - SHOWN // 2, len(source) - SHOWN))
    shown = source[start : start + SHOWN]
    # A tab before the caret is kept, so that both lines are indented alike; other control characters could control the
    # reader's terminal.
    before = "".join("\t" if character == "\t" else " " for character in shown[: column - 1 - start])
    return "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in shown), before + "^"
