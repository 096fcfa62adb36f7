"""Plain values → YAML, the same bytes for the same values. Every YAML output goes through here.

The values are turned into events for libyaml's emitter: representing them node by node first (`yaml.dump`) takes five
times as long, which 10,000 rules would feel. Strings that any YAML reader could take for something else are quoted,
since Kubernetes refuses a number or a boolean where its schema wants a string.
"""

import io
from collections.abc import Callable
from typing import Any

import yaml
from yaml.events import (
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

AMBIGUOUS = frozenset(("true", "false", "yes", "no", "on", "off", "y", "n", "null"))
WIDTH = 1_000_000
"""Lines are not folded: a folded expression is hard to read and to search for."""


def text(value: Any, comment: str = "") -> bytes:
    """The value (mappings, sequences, strings, integers, booleans) as YAML, under the comment's lines."""
    stream = io.StringIO()
    stream.writelines(f"# {line}".rstrip() + "\n" for line in comment.splitlines())
    emitter = yaml.CSafeDumper(stream, width=WIDTH, allow_unicode=True)
    emitter.emit(StreamStartEvent())
    emitter.emit(DocumentStartEvent(explicit=False))
    _emit(value, emitter.emit)
    emitter.emit(DocumentEndEvent(explicit=False))
    emitter.emit(StreamEndEvent())
    return stream.getvalue().encode()


def _emit(value: Any, emit: Callable[[Event], None]) -> None:
    if isinstance(value, str):
        emit(_scalar(value))
    elif isinstance(value, dict):
        emit(MappingStartEvent(None, None, True, flow_style=not value))
        for key, item in value.items():
            emit(_scalar(key))
            _emit(item, emit)
        emit(MappingEndEvent())
    elif isinstance(value, list | tuple):
        emit(SequenceStartEvent(None, None, True, flow_style=not value))
        for item in value:
            _emit(item, emit)
        emit(SequenceEndEvent())
    else:
        emit(ScalarEvent(None, None, (True, False), str(value).lower()))


def _scalar(value: str) -> ScalarEvent:
    is_duration = value[:1].isdigit() and value[-1] in "smhd" and value.isalnum() and "x" not in value.lower()
    plain = is_duration or (value[:1].isalpha() and value.lower() not in AMBIGUOUS)
    return ScalarEvent(None, None, (plain, True), value, style="|" if "\n" in value else None)
