"""Parses PromQL with promql-parser: the tree, the metrics that it names, and whether any Prometheus accepts it.

`rules.condition` and `rules.slo` use it. The parser gives no positions, so `rules.tokens` scans the text again for
them, and for spellings that the tree does not keep (``5m`` written as a number is 300 there).
"""

import functools
import itertools
from dataclasses import dataclass

import promql_parser as promql

from rules.matchers import quoted
from rules.tokens import Token, offset_of, tokens

HOLT_WINTERS, SMOOTHING = "holt_winters", "double_exponential_smoothing"
"""One function: its name before Prometheus 3, and since."""

NO_FUNCTIONS = frozenset(("end", "max_of", "min_of", "range", "start", "step"))
"""Words of computed durations that promql-parser parses as functions."""


class ConditionError(ValueError):
    """An invalid condition: `str()` gives the reason and the cure, `offset` (characters from 0) the position."""

    def __init__(self, message: str, offset: int = 0) -> None:
        """Keep the offset beside the message, so that the loader can set a caret."""
        super().__init__(message)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric as a condition selects it, without offset or range; the condition is unknown without its data."""

    name: str
    matchers: tuple[tuple[str, str, str], ...] = ()
    """(label, operator, value), the operator one of ``= != =~ !~``."""

    def __str__(self) -> str:
        """The selector as PromQL."""
        within = ",".join(f"{label_name(label)}{operator}{quoted(value)}" for label, operator, value in self.matchers)
        if is_metric_name(self.name):
            return f"{self.name}{{{within}}}" if within else self.name
        return f"{{{quoted(self.name)}{',' if within else ''}{within}}}"


def is_metric_name(name: str) -> bool:
    """Whether PromQL can name the metric without quotes."""
    plain = name.replace(":", "_").replace("_", "a")
    return plain.isascii() and plain.isalnum() and not plain[0].isdigit()


def is_label_name(name: str) -> bool:
    """Whether PromQL can name the label without quotes."""
    return ":" not in name and is_metric_name(name)


def label_name(name: str) -> str:
    """The label in PromQL, in quotes if necessary."""
    return name if is_label_name(name) else quoted(name)


@functools.lru_cache(maxsize=32_768)
def syntax(text: str) -> promql.Expr:
    """The tree of an expression that is an instant vector and that some supported Prometheus accepts.

    `rules.prometheus_versions` decides which; ``holt_winters`` is in it under its name of Prometheus 3.
    """
    words = tokens(text)
    if not words:
        raise ConditionError("the condition is empty")
    try:
        tree = _parse(text)
    except ValueError as error:
        raise _unreadable(text, words, str(error)) from None
    _refuse_others(words, tree)
    match value_type(tree):
        case "matrix":
            raise ConditionError(
                f"{text.strip()!r} is a range of samples: put a function such as avg_over_time(…) around it"
            )
        case "string":
            raise ConditionError(f"{text.strip()} is a string, not a condition")
        case "scalar":
            raise ConditionError(f"{text.strip()!r} is one number, not signals that can be good or bad")
        case _:
            return tree


@functools.lru_cache(maxsize=32_768)
def nodes(tree: promql.Expr) -> tuple[promql.Expr, ...]:
    """The tree's nodes, depth first, left to right."""
    found: list[promql.Expr] = []
    promql.walk(tree, found.append)
    return tuple(found)


def looks_back(tree: promql.Expr) -> bool:
    """Whether the expression depends on values before the evaluation time."""
    return any(
        isinstance(node, promql.MatrixSelector | promql.SubqueryExpr)
        or (isinstance(node, promql.VectorSelector) and (node.offset is not None or node.at is not None))
        for node in nodes(tree)
    )


def _unreadable(text: str, words: tuple[Token, ...], reason: str) -> ConditionError:
    """The error's position is after the longest beginning that parses."""
    offset = words[0].offset
    for word, following in itertools.pairwise(words):
        try:
            _parse(text[: word.offset + len(word.text)])
        except ValueError:
            continue
        offset = following.offset
    if len(words) > 1 and words[-1].kind == "mark" and words[-1].text not in ")]}":
        offset = words[-1].offset + len(words[-1].text)  # an operand is missing at the end
    hint = " ('&&' is 'and', '||' is 'or' in PromQL)" if {word.text for word in words} & {"&", "|"} else ""
    reason = "this is not PromQL" if reason == "invalid promql query" else reason
    return ConditionError(f"{text.strip()!r} cannot be read: {reason}{hint}", offset)


def _parse(text: str) -> promql.Expr:
    """promql-parser's tree; the parser knows only the new name of ``holt_winters``. Raises ValueError."""
    words = [word for word in tokens(text) if word.text.lower() == HOLT_WINTERS] if HOLT_WINTERS in text else []
    for word in reversed(words):
        text = f"{text[: word.offset]}{SMOOTHING}{text[word.offset + len(word.text) :]}"
    tree: promql.Expr = promql.parse(text)
    return tree


def _refuse_others(words: tuple[Token, ...], tree: promql.Expr) -> None:
    """Refuse what promql-parser accepts but every Prometheus refuses without further flags (each was tried)."""
    for node in nodes(tree):
        modifier = node.modifier if isinstance(node, promql.BinaryExpr) else None
        if modifier and (modifier.fill_values.lhs is not None or modifier.fill_values.rhs is not None):
            raise ConditionError("Prometheus knows no fill() without further flags", offset_of(words, "fill"))
        if isinstance(node, promql.VectorSelector) and node.matchers.or_matchers:
            raise ConditionError("'or' within braces is not PromQL", offset_of(words, "or"))
        if isinstance(node, promql.Call) and node.func.name in NO_FUNCTIONS:
            name = node.func.name
            raise ConditionError(f"Prometheus knows no {name}() without further flags", offset_of(words, name))


def value_type(node: promql.Expr) -> str:
    """The expression's type: ``vector``, ``scalar``, ``matrix`` or ``string``."""
    match node:
        case promql.MatrixSelector() | promql.SubqueryExpr():
            return "matrix"
        case promql.StringLiteral():
            return "string"
        case promql.NumberLiteral():
            return "scalar"
        case promql.ParenExpr() | promql.UnaryExpr():
            return value_type(node.expr)
        case promql.BinaryExpr():
            return "vector" if "vector" in {value_type(node.lhs), value_type(node.rhs)} else "scalar"
        case promql.Call():
            is_scalar = node.func.return_type == promql.ValueType.Scalar
            return "scalar" if is_scalar else "vector"
        case _:
            return "vector"


def selector(node: promql.VectorSelector) -> Selector:
    """The metric and the label matchers of a selector in the tree."""
    name = node.name or ""
    matchers = []
    for matcher in node.matchers.matchers:
        operator = _OPERATORS[str(matcher.op)]
        if matcher.name == "__name__" and operator == "=":
            name = matcher.value
        else:
            matchers.append((matcher.name, operator, matcher.value))
    return Selector(name, tuple(matchers))


_OPERATORS = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}
