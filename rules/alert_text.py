"""What people may write into an alert: text, in which ``{{ $value }}`` and ``{{ $labels.NAME }}`` are the alert's own.

`rules.document` refuses what looks like one of the two and is none; `rules.compile` gives Prometheus the text, with all
other braces escaped, because it would run them as a template. Nothing is imported here, so that everybody may.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

VALUE = '{{ printf "%.6g" $value }}'
"""The alert's value in a sentence."""

ALLOWED = "{{ $value }} and {{ $labels.NAME }}"

_BRACES = re.compile(r"\{\{(?P<inner>.*?)\}\}", re.DOTALL)
_KNOWN = re.compile(r"\s*\$(?:(?P<value>value)|labels\.(?P<label>[a-zA-Z_][a-zA-Z0-9_]*))\s*")
_MEANT = re.compile(r"[-\s]*(?:\.|(?:value|labels)\b)|.*\$", re.DOTALL | re.IGNORECASE)
"""What looks like a template of Prometheus: ``{{ .Value }}``, ``{{ labels.x }}``, ``{{ printf "%.2f" $value }}``."""

_NO_LABELS: Mapping[str, str] = MappingProxyType({})


def escaped(text: str) -> str:
    """People's text for a label or an annotation, where Prometheus would run ``{{`` as a template."""
    return text.replace("{{", "{{ `{{` }}")


def first_fault(text: str) -> tuple[str, str]:
    """What is wrong with the text, and the words of it that are; both empty: nothing."""
    for found in _BRACES.finditer(text):
        inner = found["inner"]
        if not _KNOWN.fullmatch(inner) and _MEANT.match(inner):
            return f"`{found[0]}` is none of {ALLOWED}, which are all that may stand here", found[0]
    unclosed = re.search(r"\{\{\s*\$[^\n]*", _BRACES.sub("", text))
    return ("`{{` is not closed by `}}`", unclosed[0].strip()) if unclosed else ("", "")


def first_template(text: str) -> tuple[str, str]:
    """Why a text that is the same on every alert may hold none of them, and the words; both empty: it holds none."""
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


def filled(text: str, own: Mapping[str, str] = _NO_LABELS) -> str:
    """The text as Prometheus's template. `own`: labels that the rule sets itself, which its series do not have."""

    def put(found: re.Match[str]) -> str:
        label = found["label"]
        return VALUE if found["value"] else escaped(own[label]) if label in own else f"{{{{ $labels.{label} }}}}"

    return _put(text, put, escaped)


def labels_named(text: str) -> Iterator[tuple[str, str]]:
    """(the words, the label) of each ``{{ $labels.NAME }}`` in it."""
    for found in _BRACES.finditer(text):
        inner = _KNOWN.fullmatch(found["inner"])
        if inner and inner["label"]:
            yield found[0], inner["label"]


def general(text: str) -> str:
    """The text where no alert is spoken of: ``pressure is {{ $value }}`` is ``pressure is …``."""
    return _put(text, lambda _: "…", str)


def _put(text: str, known: Callable[[re.Match[str]], str], other: Callable[[str], str]) -> str:
    parts, end = [], 0
    for found in _BRACES.finditer(text):
        if inner := _KNOWN.fullmatch(found["inner"]):
            parts += [other(text[end : found.start()]), known(inner)]
            end = found.end()
    return "".join((*parts, other(text[end:])))
