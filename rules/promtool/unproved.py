"""What the unit tests do not prove, with reasons: listed in the files, by `tocsin compile` and by `tocsin check -v`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Unproved:
    """Something that is not proved."""

    kind: Literal["rule", "twin", "recording", "alerts"]
    name: str
    expr: str
    reason: str
    partly: bool = False
    """Whether the rest of it is proved."""

    def __str__(self) -> str:
        expr = f" ({' '.join(self.expr.split())})" if self.expr else ""
        return f"{self.kind} {self.name}{expr}: {self.reason}"


def summary(rules: int, left: Iterable[Unproved]) -> str:
    """For example ``1,074 of 1,089 rules proved``."""
    return f"{rules - unproved_rules(left):,} of {rules:,} rules proved"


def unproved_rules(left: Iterable[Unproved]) -> int:
    """How many rules are not proved at all."""
    return len({each.name for each in left if each.kind == "rule" and not each.partly})
