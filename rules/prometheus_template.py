"""Prometheus templates in annotations: syntax errors, labels used, and rendered text.

`rules.document` refuses invalid templates; the proofs use `filled` for an alert's expected text. Blocks (`range`,
`if`), queries and dates are left to Prometheus: their text is unknown, and reported as such.
"""

import functools
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

_ACTION = re.compile(r"\{\{(?P<before>- )?(?P<inner>(?:\"(?:[^\"\\]|\\.)*\"|`[^`]*`|.)*?)(?P<after> -)?\}\}", re.DOTALL)
_WORD = re.compile(
    r"""\s+|(?P<text>"(?:[^"\\]|\\.)*"|`[^`]*`|'(?:[^'\\]|\\.)+')|(?P<word>[-+]?\d[\w.]*|\$?[\w.]*[\w]|\$|\.)|(?P<mark>:=|[|(),=-])""",
    re.DOTALL,
)

OPENING = frozenset(("if", "range", "with", "define", "block"))
KEYWORDS = OPENING | {"else", "end", "template", "break", "continue", "nil", "true", "false"}
FUNCTIONS = frozenset(
    (
        *(
            "and",
            "or",
            "not",
            "eq",
            "ne",
            "lt",
            "le",
            "gt",
            "ge",
            "index",
            "slice",
            "len",
            "print",
            "printf",
            "println",
        ),
        *("html", "js", "urlquery", "call", "query", "first", "label", "value", "sortByLabel", "strvalue", "args"),
        *("humanize", "humanize1024", "humanizeDuration", "humanizePercentage", "humanizeTimestamp", "toTime"),
        *("title", "toUpper", "toLower", "match", "reReplaceAll", "graphLink", "tableLink", "externalURL", "safeHtml"),
        *("parseDuration", "pathPrefix", "stripPort", "stripDomain", "tmpl", "now", "toDuration", "urlQueryEscape"),
    )
)
"""Functions of Go's templates and of Prometheus."""

FIELDS = frozenset(("Labels", "Value", "ExternalLabels", "ExternalURL"))
VARIABLES = frozenset(("labels", "value", "externalLabels", "externalURL"))
_ASKING = frozenset(("if", "with", "else", "range"))
"""Actions that test whether a label is present."""


@dataclass(frozen=True, slots=True)
class _Action:
    """The content between ``{{`` and ``}}``."""

    shown: str
    words: tuple[str, ...]
    texts: frozenset[int]
    """Indices of the words that are literals, with quotes."""
    start: int
    end: int


def fault(text: str) -> tuple[str, str]:
    """Why Prometheus would refuse the template, and the words at fault; both empty: it would not."""
    open_blocks: list[str] = []
    declared: set[str] = set()
    for action in _actions(text):
        if action is None:
            return "`{{` is not closed by `}}`, or what stands between is no template", "{{"
        head = action.words[0] if action.words and 0 not in action.texts else ""
        if head in OPENING:
            open_blocks.append(action.shown)
        if head == "end":
            if not open_blocks:
                return f"`{action.shown}` ends nothing", action.shown
            open_blocks.pop()
        declared |= {word for word, after in zip(action.words, (*action.words[1:], ""), strict=True) if after == ":="}
        if head == "range" and ":=" in action.words:
            declared |= {word for word in action.words[: action.words.index(":=")] if word.startswith("$")}
        unknown = next(_unknown(action, declared, dot_is_alert=not open_blocks), "")
        if unknown:
            return f"`{action.shown}`: {unknown}", action.shown
    return (f"`{open_blocks[-1]}` has no `{{{{ end }}}}`", open_blocks[-1]) if open_blocks else ("", "")


def labels_named(text: str) -> Iterator[tuple[str, str]]:
    """(words, label) of each label whose value the template outputs, without labels that it tests first."""
    asked: set[str] = set()
    for action in _actions(text):
        if action is None:
            return
        named = [found[1] for word in action.words if (found := _LABEL.fullmatch(word))]
        if action.words and action.words[0] in _ASKING:
            asked.update(named)
        yield from ((action.shown, label) for label in named if label not in asked)


def filled(text: str, labels: Mapping[str, str], value: float) -> str | None:
    """The rendered template for an alert; None: unknown here."""
    parts: list[str] = []
    end, trims = 0, False
    for action in _actions(text):
        if action is None:
            return None
        literal = text[end : action.start]
        parts.append(literal.lstrip() if trims else literal)
        if action.shown.startswith("{{- "):
            parts[-1] = parts[-1].rstrip()
        said = _said(action, labels, value)
        if said is None:
            return None
        parts.append(said)
        end, trims = action.end, action.shown.endswith(" -}}")
    return "".join((*parts, text[end:].lstrip() if trims else text[end:]))


_LABEL = re.compile(r"(?:\$labels|\$?\.Labels)\.(\w+)")


@functools.lru_cache(maxsize=32_768)
def _actions(text: str) -> tuple[_Action | None, ...]:
    """All actions, in order; None for an invalid one."""
    found: list[_Action | None] = []
    end = 0
    for each in _ACTION.finditer(text):
        if "{{" in text[end : each.start()]:
            found.append(None)
        end = each.end()
        if not each["inner"].lstrip().startswith("/*"):
            found.append(_action(each))
    if "{{" in text[end:]:
        found.append(None)
    return tuple(found)


def _action(found: re.Match[str]) -> _Action | None:
    inner, at = found["inner"], 0
    words: list[str] = []
    texts: set[int] = set()
    while at < len(inner):
        word = _WORD.match(inner, at)
        if word is None:
            return None
        at = word.end()
        if word["text"]:
            texts.add(len(words))
        if word[0].strip():
            words.append(word[0])
    return _Action(found[0], tuple(words), frozenset(texts), *found.span()) if words else None


def _unknown(action: _Action, declared: set[str], *, dot_is_alert: bool) -> Iterator[str]:
    """The variables and fields of an action that no alert has. Within a block, the dot has another meaning."""
    for index, word in enumerate(action.words):
        name = word.lstrip("$.").split(".")[0]
        if index in action.texts or not name.isidentifier():
            continue
        if word.startswith("$."):
            if name not in FIELDS:
                yield f"an alert has no `{name}`; it has {', '.join(f'.{each}' for each in sorted(FIELDS))}"
        elif word.startswith("$"):
            if name not in VARIABLES and f"${name}" not in declared:
                yield f"there is no `${name}`; there are $labels and $value"
            if name == "value" and "." in word:
                yield "`$value` is a number, and has no parts"
        elif word.startswith("."):
            if dot_is_alert and name not in FIELDS:
                yield f"an alert has no `.{name}`; it has {', '.join(f'.{each}' for each in sorted(FIELDS))}"
        elif name not in FUNCTIONS | KEYWORDS:
            yield f"there is no function `{name}`"


_Value = str | float

EXPONENT_FROM = 6
"""Numbers with more digits before the point are printed with an exponent."""


def _said(action: _Action, labels: Mapping[str, str], value: float) -> str | None:
    """The action's output; None: only Prometheus can tell."""
    known: _Value | None = None
    for index, step in enumerate(_steps(action)):
        words = [_operand(word, labels, value) for word in step]
        if index:
            words.append(known)
        known = words[0] if len(words) == 1 else _called(step[0], words[1:])
        if known is None:
            return None
    return _printed(known) if known is not None else None


def _steps(action: _Action) -> list[tuple[str, ...]]:
    """The steps of a pipeline; empty if it contains brackets or blocks."""
    if {"(", ")", ":=", ","} & set(action.words) or (action.words[0] in KEYWORDS and 0 not in action.texts):
        return []
    steps: list[tuple[str, ...]] = []
    step: list[str] = []
    for index, word in enumerate(action.words):
        if word == "|" and index not in action.texts:
            steps.append(tuple(step))
            step = []
        else:
            step.append(word)
    return [*steps, tuple(step)]


def _operand(word: str, labels: Mapping[str, str], value: float) -> _Value | None:
    if word in {"$value", ".Value", "$.Value"}:
        return value
    if found := _LABEL.fullmatch(word):
        return labels.get(found[1], "")
    if word.startswith("`"):
        return word[1:-1]
    if word.startswith('"'):
        return word[1:-1] if "\\" not in word else None
    return _number(word)


def _number(word: str) -> float | None:
    try:
        return float(word) if word.lstrip("+-")[:1].isdigit() else None
    except ValueError:
        return None


def _called(name: str, arguments: list[_Value | None]) -> _Value | None:
    match arguments:
        case [str() as form, str() | float() as value] if name == "printf":
            return _formatted(form, value)
        case [float() as value] if name in _NUMBERS:
            return _NUMBERS[name](value)
        case [str() as text] if name in _TEXTS:
            return _TEXTS[name](text)
        case _:
            return None


_FORMAT = re.compile(r"((?:[^%]|%%)*)%([-+0 ]*\d*(?:\.\d+)?)([fgsv])((?:[^%]|%%)*)")


def _formatted(form: str, value: _Value) -> str | None:
    """The result of ``printf`` for one number or text."""
    found = _FORMAT.fullmatch(form)
    if found is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    before, how, kind, after = found.groups()
    if kind == "v" or (kind == "g" and "." not in how):
        said = None if how else _printed(value)
    elif (kind == "s") is isinstance(value, str):
        said = f"%{how}{kind}" % value
    else:
        said = None  # Go puts the error into the text
    return None if said is None else f"{before}{said}{after}".replace("%%", "%")


def _printed(value: _Value) -> str:
    """Go's default format: a number in its shortest form, with an exponent if far from 1."""
    if isinstance(value, str):
        return value
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    number = Decimal(repr(value)).normalize()
    if number == 0 or -4 <= number.adjusted() < EXPONENT_FROM:
        return f"{number:f}"
    return f"{value:.{len(number.as_tuple().digits) - 1}e}"


def _short(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else _printed(value)


def _scaled(value: float, base: float, larger: str, smaller: str) -> str:
    """The value with a prefix: ``1.5k``, ``20m``."""
    if value == 0 or not math.isfinite(value):
        return _short(value)
    prefix = ""
    if abs(value) >= 1:
        for each in larger.split():
            if abs(value) < base:
                break
            prefix, value = each, value / base
    else:
        for each in smaller.split():
            if abs(value) >= 1:
                break
            prefix, value = each, value * base
    return f"{_short(value)}{prefix}"


def _duration(value: float) -> str:
    if value == 0 or not math.isfinite(value):
        return f"{_short(value)}s" if value == 0 else _short(value)
    if abs(value) < 1:
        return f"{_scaled(value, 1000, '', 'm u n p f a z y')}s"
    sign, value = ("-", -value) if value < 0 else ("", value)
    whole = int(value)
    days, hours, minutes, seconds = whole // 86_400, whole // 3_600 % 24, whole // 60 % 60, whole % 60
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {seconds}s"
    return f"{sign}{minutes}m {seconds}s" if minutes else f"{sign}{_short(value)}s"


_NUMBERS: Mapping[str, Callable[[float], str]] = {
    "humanize": lambda value: _scaled(value, 1000, "k M G T P E Z Y", "m u n p f a z y"),
    "humanize1024": lambda value: (
        _scaled(value, 1024, "ki Mi Gi Ti Pi Ei Zi Yi", "") if abs(value) > 1 else _short(value)
    ),
    "humanizePercentage": lambda value: f"{_short(value * 100)}%",
    "humanizeDuration": _duration,
}
_TEXTS: Mapping[str, Callable[[str], str]] = {"toUpper": str.upper, "toLower": str.lower}
