"""Plain values → YAML; the same values give identical bytes. All YAML output uses this module.

Simple values are written directly in libyaml's format: 10,000 rules are three million values, and libyaml would need
more time for them than Prometheus needs to read them. All others are left to libyaml. Strings that a YAML reader could
take for another type are quoted, because Kubernetes refuses a number or a boolean where its schema requires a string.
"""

import io
import re
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
    """A mapping that occurs many times in the text as the same object; its lines are made once."""


def text(value: Any, comment: str = "") -> bytes:
    """The value (mappings, sequences, strings, integers, booleans) as YAML, below the comment's lines."""
    lines = [f"# {line}".rstrip() + "\n" for line in comment.splitlines()]
    _write(value, "", lines, {})
    return "".join(lines).encode()


_Made = dict[tuple[int, str], list[str]]
"""(identity of a WrittenOften, indentation) → its lines."""


def _write(value: Any, indent: str, out: list[str], made: _Made) -> None:
    """Write the items of a non-empty collection, each on its own lines."""
    if not isinstance(value, dict):
        for item in value:
            _write_item(item, indent, out, made)
    elif isinstance(value, WrittenOften):
        key = (id(value), indent)
        if key not in made:
            made[key] = []
            _write_entries(value, indent, made[key], made)
        out += made[key]
    else:
        _write_entries(value, indent, out, made)


def _write_entries(value: dict[str, Any], indent: str, out: list[str], made: _Made) -> None:
    for key, entry in value.items():
        head = f"{indent}{_word(key)}:"
        if isinstance(entry, str):
            out.append(f"{head} {_scalar(entry, indent)}\n")
        elif entry and isinstance(entry, dict):
            out.append(f"{head}\n")
            _write(entry, f"{indent}  ", out, made)
        elif entry and isinstance(entry, list | tuple):
            out.append(f"{head}\n")
            _write(entry, indent, out, made)
        else:
            out.append(f"{head} {_small(entry)}\n")


def _write_item(item: Any, indent: str, out: list[str], made: _Made) -> None:
    if isinstance(item, str):
        out.append(f"{indent}- {_scalar(item, indent)}\n")
    elif item and isinstance(item, dict | list | tuple):
        first = len(out)
        _write(item, f"{indent}  ", out, made)
        out[first] = f"{indent}- {out[first][len(indent) + 2 :]}"
    else:
        out.append(f"{indent}- {_small(item)}\n")


def _small(value: Any) -> str:
    """A value that is neither a text nor a non-empty collection."""
    if isinstance(value, dict):
        return "{}"
    return "[]" if isinstance(value, list | tuple) else str(value).lower()


def _scalar(value: str, indent: str) -> str:
    """A text; continuation lines are indented below `indent`."""
    if "\n" not in value:
        return _word(value)
    if _EASY_LINES.fullmatch(value):
        return "|-\n" + "\n".join(f"{indent}  {line}" for line in value.split("\n"))
    first, *further = _left_to_libyaml(value).split("\n")
    return "\n".join((first, *(f"{indent}{line}" if line else line for line in further)))


@lru_cache(maxsize=65_536)
def _word(value: str) -> str:
    """A text without a line break."""
    if not _EASY.fullmatch(value):
        return _left_to_libyaml(value)
    if _may_be_plain(value) and not _NOT_PLAIN.search(value):
        return value
    return "'" + value.replace("'", "''") + "'"


def _may_be_plain(value: str) -> bool:
    is_duration = value[:1].isdigit() and value[-1] in "smhd" and value.isalnum() and "x" not in value.lower()
    return is_duration or (value[:1].isalpha() and value.lower() not in AMBIGUOUS)


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
