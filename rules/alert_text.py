"""Texts of a policy in alerts; ``{{ $value }}`` and ``{{ $labels.NAME }}`` insert the alert's own values.

`rules.document` refuses near misses of the two; `rules.compile` passes the text to Prometheus with all other braces
escaped, because it would run them as a template. No imports of the project, so that all modules may use it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType

DIGITS, FINER, MOST = 6, 3, 17
"""Digits of a value in a sentence: at least, how many more than its limit has, and of a float at most."""


def value_shown(limit: float | None = None, digits: int = DIGITS) -> str:
    """The alert's value as a Prometheus template, with at least so many digits, and so many that the nearest value that
    matters does not read as the limit.
    """
    needed = 0 if limit is None else len(Decimal(repr(limit)).normalize().as_tuple().digits) + FINER
    return f'{{{{ printf "%.{min(max(digits, needed), MOST)}g" $value }}}}'


ALLOWED = "{{ $value }} and {{ $labels.NAME }}"

_BRACES = re.compile(r"\{\{(?P<inner>.*?)\}\}", re.DOTALL)
_KNOWN = re.compile(r"\s*\$(?:(?P<value>value)|labels\.(?P<label>[a-zA-Z_][a-zA-Z0-9_]*))\s*")
_MEANT = re.compile(r"[-\s]*(?:\.|(?:value|labels)\b)|.*\$", re.DOTALL | re.IGNORECASE)
"""Likely attempts at Prometheus templates: ``{{ .Value }}``, ``{{ labels.x }}``, ``{{ printf "%.2f" $value }}``."""

_NO_LABELS: Mapping[str, str] = MappingProxyType({})


def escaped(text: str) -> str:
    """A policy's text escaped for a label or an annotation, where Prometheus would evaluate ``{{``."""
    return text.replace("{{", "{{ `{{` }}")


def first_fault(text: str) -> tuple[str, str]:
    """(fault, the words at fault); both empty: the text is valid."""
    for found in _BRACES.finditer(text):
        inner = found["inner"]
        if not _KNOWN.fullmatch(inner) and _MEANT.match(inner):
            return f"`{found[0]}` is none of {ALLOWED}, which are all that may stand here", found[0]
    unclosed = re.search(r"\{\{\s*\$[^\n]*", _BRACES.sub("", text))
    return ("`{{` is not closed by `}}`", unclosed[0].strip()) if unclosed else ("", "")


def first_template(text: str) -> tuple[str, str]:
    """Why a text that is equal on every alert may not contain the first template in it, and its words; both empty:
    none.
    """
    for found in _BRACES.finditer(text):
        inner = found["inner"]
        known = _KNOWN.fullmatch(inner)
        stays = f"`{found[0]}` would stay as it stands"
        if known and known["label"]:
            way = "give it another name in the condition with `label_replace()`, or write it into `summary`"
            return f"{stays}. The alert has its series' labels already: leave it out, {way} or `description`", found[0]
        if known or _MEANT.match(inner):
            way = f"write it into `summary` or `description`, which may hold {ALLOWED}"
            return f"{stays}, and a value here would make another alert of every value: {way}", found[0]
    return first_fault(text)


def filled(text: str, own: Mapping[str, str] = _NO_LABELS, limit: float | None = None) -> str:
    """The text as a Prometheus template. `own`: labels that the rule sets, which its series do not have; `limit`: what
    the rule compares its value with.
    """

    def put(found: re.Match[str]) -> str:
        label = found["label"]
        return (
            value_shown(limit)
            if found["value"]
            else escaped(own[label])
            if label in own
            else f"{{{{ $labels.{label} }}}}"
        )

    return _put(text, put, escaped)


def labels_named(text: str) -> Iterator[tuple[str, str]]:
    """(words, label) of each ``{{ $labels.NAME }}`` in the text."""
    for found in _BRACES.finditer(text):
        inner = _KNOWN.fullmatch(found["inner"])
        if inner and inner["label"]:
            yield found[0], inner["label"]


def general(text: str) -> str:
    """The text for use without an alert: ``pressure is {{ $value }}`` becomes ``pressure is …``."""
    return _put(text, lambda _: "…", str)


def _put(text: str, known: Callable[[re.Match[str]], str], other: Callable[[str], str]) -> str:
    parts, end = [], 0
    for found in _BRACES.finditer(text):
        if inner := _KNOWN.fullmatch(found["inner"]):
            parts += [other(text[end : found.start()]), known(inner)]
            end = found.end()
    return "".join((*parts, other(text[end:])))
