"""The Prometheus versions that an expression needs: names, functions and spellings by version.

A policy's `prometheus:` is the oldest version that runs its rules; without it, only what both 2.42 and 3 support is
accepted. `rules.document` refuses the rest and names the required version, `rules.lint` reports what needs a flag or
differs on 3, and the compiled files state their requirements.
"""

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import promql_parser as promql

from rules.expression import (
    HOLT_WINTERS,
    SMOOTHING,
    ConditionError,
    is_label_name,
    is_metric_name,
    nodes,
    selector,
    syntax,
)
from rules.tokens import Token, is_offset, offset_of, quoted_names, tokens

LATEST = "latest"
OLDEST = "2.42"
VERSIONS = (OLDEST, "3.0", "3.5", LATEST)
"""The values of `prometheus:`, the oldest first."""

FLAG = "--enable-feature=promql-experimental-functions"

EXPERIMENTAL: dict[str, str] = {
    SMOOTHING: "3.0",
    "info": "3.0",
    "limit_ratio": "3.0",
    "limitk": "3.0",
    "mad_over_time": "3.0",
    "sort_by_label": "3.0",
    "sort_by_label_desc": "3.0",
    "ts_of_last_over_time": "3.5",
    "ts_of_max_over_time": "3.5",
    "ts_of_min_over_time": "3.5",
    "first_over_time": LATEST,
    "ts_of_first_over_time": LATEST,
    "histogram_quantiles": LATEST,
}
"""Functions and aggregations that need FLAG, with the first of VERSIONS that has them (tried on 2.42 and 3.5)."""

NEWER: dict[str, str] = {"histogram_avg": "3.0", "histogram_stddev": "3.0", "histogram_stdvar": "3.0"}
"""Functions that 2.42 lacks and that need no flag."""

JOINING = frozenset(("on", "ignoring", "group_left", "group_right"))
"""Keywords after which 3.5 accepts quoted labels but loses the quotes at evaluation, so that the rule fails (tried)."""

LABEL_ARGUMENTS: dict[str, tuple[int, ...]] = {"label_replace": (1, 3), "label_join": (1,)}
"""The indices of a function's arguments that are label names."""


@dataclass(frozen=True, slots=True)
class Need:
    """A part of an expression that some Prometheus versions do not support."""

    what: str
    """As in "Prometheus 2.42 knows no …"."""
    since: str
    offset: int = 0
    flag: bool = False
    """Whether it needs FLAG."""
    until: str = ""
    """The replacement on versions that no longer support it; empty: all newer ones do."""


def require_known(text: str, target: str | None) -> None:
    """Raises ConditionError if the target (one of VERSIONS; None: all) does not support the expression."""
    oldest = target or OLDEST
    for need in needs(text):
        if need.until and target != OLDEST:
            cure = f'write {need.until}, or `prometheus: "{OLDEST}"` in the policy where all are older'
            raise ConditionError(f"Prometheus 3 knows no {need.what}: {cure}", need.offset)
        if VERSIONS.index(need.since) > VERSIONS.index(oldest):
            cure = f'write `prometheus: "{need.since}"` in the policy where none is older'
            raise ConditionError(f"{said(oldest)} knows no {need.what}: {cure}", need.offset)


def said(version: str) -> str:
    """For example ``Prometheus 3.5``."""
    return "Prometheus 3.5" if version == LATEST else f"Prometheus {version}"


@functools.lru_cache(maxsize=32_768)
def needs(text: str) -> tuple[Need, ...]:
    """The version-dependent parts of an expression, in order."""
    words = tokens(text)
    tree = syntax(text)
    return (*_spellings(words), *_calls(words, tree), *_names(words, tree))


def requirement(texts: Iterable[str]) -> str:
    """The requirement of a file with these expressions: ``Prometheus 2.42 or newer``."""
    found = [need for text in texts for need in needs(text)]
    oldest = max((need.since for need in found), key=VERSIONS.index, default=OLDEST)
    newer = "newer than 3.5" if oldest == LATEST else f"{oldest} or newer"
    older = f"{OLDEST} or newer, but older than 3.0"
    with_flag = f", with {FLAG} (promtool, too)" if any(need.flag for need in found) else ""
    return f"Prometheus {older if any(need.until for need in found) else newer}{with_flag}"


def _spellings(words: tuple[Token, ...]) -> Iterator[Need]:
    for word, grouping in quoted_names(words):
        if grouping in JOINING:
            yield Need(f"quoted labels such as {word.text} in {grouping}()", LATEST, word.offset)
        else:
            yield Need(f"quoted names such as {word.text}", "3.0", word.offset)
    for before, word in zip((None, *words[:-1]), words, strict=True):
        if word.kind == "duration" and not word.in_range and not is_offset(words, before):
            yield Need(f"duration such as {word.text} for a number", "3.0", word.offset)
        if word.kind == "number" and (word.in_range or is_offset(words, before)):
            yield Need(f"time without a unit: write {word.text}s for seconds", "3.0", word.offset)


def _calls(words: tuple[Token, ...], tree: promql.Expr) -> Iterator[Need]:
    winters = next((word.offset for word in words if word.text.lower() == HOLT_WINTERS), None)
    for node in nodes(tree):
        name = node.func.name if isinstance(node, promql.Call) else ""
        name = str(node.op) if isinstance(node, promql.AggregateExpr) else name
        at = offset_of(words, name)
        if name == SMOOTHING and winters is not None:
            yield Need(f"{HOLT_WINTERS}()", OLDEST, winters, until=f"{SMOOTHING}()")
        elif name in EXPERIMENTAL:
            yield Need(f"{name}()", EXPERIMENTAL[name], at, flag=True)
        elif name in NEWER:
            yield Need(f"{name}()", NEWER[name], at)


def _names(words: tuple[Token, ...], tree: promql.Expr) -> Iterator[Need]:
    """Names of metrics and labels that are quoted string values."""
    for node in nodes(tree):
        named: list[str] = []
        if isinstance(node, promql.VectorSelector):
            read = selector(node)
            if read.name and not is_metric_name(read.name):
                yield Need(f"metrics with names such as {read.name}", "3.0", _string(words, read.name))
        elif isinstance(node, promql.Call):
            named = [
                node.args[index].val
                for index in LABEL_ARGUMENTS.get(node.func.name, ())
                if index < len(node.args) and isinstance(node.args[index], promql.StringLiteral)
            ]
        elif isinstance(node, promql.AggregateExpr) and isinstance(node.param, promql.StringLiteral):
            named = [node.param.val]
        for name in named:
            if name and not is_label_name(name):
                yield Need(f"labels with names such as {name}", "3.0", _string(words, name))


def _string(words: tuple[Token, ...], value: str) -> int:
    return next((word.offset for word in words if word.kind == "string" and word.text[1:-1] == value), 0)
