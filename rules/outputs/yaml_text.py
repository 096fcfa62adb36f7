"""Plain values → YAML, the same bytes for the same values. Every YAML output goes through here.

The values are turned into events for libyaml's emitter: representing them node by node first (`yaml.dump`) takes five
times as long, which 10,000 rules would feel. Strings that any YAML reader could take for something else are quoted,
since Kubernetes refuses a number or a boolean where its schema wants a string.
"""

from collections.abc import Iterator, Mapping, Sequence
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
    head = "".join(f"# {line}".rstrip() + "\n" for line in comment.splitlines())
    body: str = yaml.emit(_document(value), Dumper=yaml.CSafeDumper, width=WIDTH, allow_unicode=True)
    return (head + body).encode()


def _document(value: Any) -> Iterator[Event]:
    yield StreamStartEvent()
    yield DocumentStartEvent(explicit=False)
    yield from _events(value)
    yield DocumentEndEvent(explicit=False)
    yield StreamEndEvent()


def _events(value: Any) -> Iterator[Event]:
    if isinstance(value, str):
        yield _scalar(value)
    elif isinstance(value, Mapping):
        yield MappingStartEvent(None, None, True, flow_style=not value)
        for key, item in value.items():
            yield _scalar(key)
            yield from _events(item)
        yield MappingEndEvent()
    elif isinstance(value, Sequence):
        yield SequenceStartEvent(None, None, True, flow_style=not value)
        for item in value:
            yield from _events(item)
        yield SequenceEndEvent()
    else:
        yield ScalarEvent(None, None, (True, False), str(value).lower())


def _scalar(value: str) -> ScalarEvent:
    is_duration = value[:1].isdigit() and value[-1] in "smhd" and value.isalnum() and "x" not in value.lower()
    plain = is_duration or (value[:1].isalpha() and value.lower() not in AMBIGUOUS)
    return ScalarEvent(None, None, (plain, True), value, style="|" if "\n" in value else None)
