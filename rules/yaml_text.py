"""Plain values → YAML; the same values give identical bytes. All YAML output uses this module.

Simple values are written directly in libyaml's format: 10,000 rules are three million values, and libyaml would need
more time for them than Prometheus needs to read them. All others are left to libyaml. Strings that a YAML reader could
take for another type are quoted, because Kubernetes refuses a number or a boolean where its schema requires a string.
"""

import io
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import yaml
from yaml.events import (
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    StreamEndEvent,
    StreamStartEvent,
)

AMBIGUOUS = frozenset(("true", "false", "yes", "no", "on", "off", "y", "n", "null"))
LONGEST_AMBIGUOUS = max(map(len, AMBIGUOUS))
WIDTH = 1_000_000
"""Lines are not folded, because folded expressions are hard to read and to search."""

_EASY = re.compile("[ -~\u00a1-\u2027\u2030-\ud7ff]+")
"""Printable on one line, as libyaml counts lines."""
_EASY_LINES = re.compile(r"[!-~][ -~]*(?<! )(?:\n[ -~]+(?<! ))+")
_NOT_PLAIN = re.compile(r": |:$| #| $")
"""Marks that end an unquoted scalar for a YAML reader."""

_END = re.compile(r"\n(?:\.\.\.\n)?\Z")
"""libyaml writes a document end after a final text with trailing line breaks."""


class WrittenOften(dict[str, Any]):
    """A mapping that occurs many times, in one text or in several, as the same object; its lines are made once."""

    indent, lines = "", ""

    def at(self, indent: str, lead: str) -> str:
        """The lines, each below that indentation; `lead` precedes the first."""
        if not self.lines:
            made: list[str] = []
            _write_entries(self, indent, "", made)
            self.indent, self.lines = indent, "".join(made)
        if indent == self.indent:
            return lead + self.lines
        return lead + self.lines.replace(f"\n{self.indent}", f"\n{indent}")


def text(value: Any, comment: str = "") -> bytes:
    """The value (mappings, sequences, strings, integers, booleans) as YAML, below the comment's lines."""
    lines = [f"# {line}".rstrip() + "\n" for line in comment.splitlines()]
    _write(value, "", "", lines)
    return "".join(lines).encode()


def _write(value: Any, indent: str, lead: str, out: list[str]) -> None:
    """Write the items of a non-empty collection, each on its own lines; `lead` precedes the first, not `indent`."""
    if not isinstance(value, dict):
        _write_items(value, indent, lead, out)
    elif isinstance(value, WrittenOften) and indent:
        out.append(value.at(indent, lead))
    else:
        _write_entries(value, indent, lead, out)


def _write_entries(value: dict[str, Any], indent: str, lead: str, out: list[str]) -> None:
    for key, entry in value.items():
        if isinstance(entry, str):
            out.append(f"{lead}{_word(key)}: {_word(entry) or _lines(entry, indent)}\n")
        elif entry and isinstance(entry, dict | list | tuple):
            out.append(f"{lead}{_word(key)}:\n")
            inner = f"{indent}  " if isinstance(entry, dict) else indent
            _write(entry, inner, inner, out)
        else:
            out.append(f"{lead}{_word(key)}: {_small(entry)}\n")
        lead = indent


def _write_items(value: Iterable[Any], indent: str, lead: str, out: list[str]) -> None:
    for item in value:
        if isinstance(item, str):
            out.append(f"{lead}- {_word(item) or _lines(item, indent)}\n")
        elif item and isinstance(item, dict | list | tuple):
            _write(item, f"{indent}  ", f"{lead}- ", out)
        else:
            out.append(f"{lead}- {_small(item)}\n")
        lead = indent


def _small(value: Any) -> str:
    """A value that is neither a text nor a non-empty collection."""
    if isinstance(value, dict):
        return "{}"
    return "[]" if isinstance(value, list | tuple) else str(value).lower()


def _lines(value: str, indent: str) -> str:
    """A text with line breaks; continuation lines are indented below `indent`."""
    if _EASY_LINES.fullmatch(value):
        return "|-\n" + "\n".join(f"{indent}  {line}" for line in value.split("\n"))
    first, *further = _left_to_libyaml(value).split("\n")
    return "\n".join((first, *(f"{indent}{line}" if line else line for line in further)))


@lru_cache(maxsize=65_536)
def _word(value: str) -> str:
    """A text without a line break; empty: it has one."""
    if "\n" in value:
        return ""
    if not _EASY.fullmatch(value):
        return _left_to_libyaml(value)
    if _may_be_plain(value) and not _NOT_PLAIN.search(value):
        return value
    return "'" + value.replace("'", "''") + "'"


def _may_be_plain(value: str) -> bool:
    is_duration = value[:1].isdigit() and value[-1] in "smhd" and value.isalnum() and "x" not in value.lower()
    return is_duration or (value[:1].isalpha() and (len(value) > LONGEST_AMBIGUOUS or value.lower() not in AMBIGUOUS))


@lru_cache(maxsize=32_768)
def _left_to_libyaml(value: str) -> str:
    """The form that libyaml writes for the value of an unindented mapping's key."""
    stream = io.StringIO()
    emitter = yaml.CSafeDumper(stream, width=WIDTH, allow_unicode=True)
    plain = bool(value) and _may_be_plain(value)
    for event in (
        StreamStartEvent(),
        DocumentStartEvent(explicit=False),
        MappingStartEvent(None, None, True, flow_style=False),
        ScalarEvent(None, None, (True, False), "k"),
        ScalarEvent(None, None, (plain, True), value, style="|" if "\n" in value else None),
        MappingEndEvent(),
        DocumentEndEvent(explicit=False),
        StreamEndEvent(),
    ):
        emitter.emit(event)
    return _END.sub("", stream.getvalue().removeprefix("k: "))
