"""The tokens of a PromQL text with their positions, for `rules.condition`, because promql-parser gives none.

It decides nothing about meaning: promql-parser accepts or refuses the text.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

Kind = Literal["name", "number", "duration", "string", "mark"]


class Token(NamedTuple):
    """One token: its kind, its text as written, its offset in characters, and its enclosing brackets."""

    kind: Kind
    text: str
    offset: int
    in_range: bool = False
    in_braces: bool = False

    def touches(self, other: "Token") -> bool:
        """Whether this token and the one after it are adjacent."""
        return self.offset + len(self.text) == other.offset


@lru_cache(maxsize=32_768)
def tokens(text: str) -> tuple[Token, ...]:
    """Names, numbers, durations (``5m``), strings and single marks, without spaces and comments."""
    return tuple(_tokens(text))


def _tokens(text: str) -> Iterator[Token]:
    at, opened = 0, ""
    while at < len(text):
        end = _end(text, at)
        word = text[at:end]
        if not word[0].isspace() and word[0] != "#":
            opened = opened + word if word in ("{", "[") else opened.removesuffix({"}": "{", "]": "["}.get(word, "\0"))
            yield Token(_kind(word), word, at, opened.endswith("["), opened.endswith("{"))
        at = end


def offset_of(words: Iterable[Token], text: str) -> int:
    """The first offset of the word, in any case; 0 if it is absent."""
    return next((word.offset for word in words if word.text.lower() == text.lower()), 0)


GROUPINGS = frozenset(("by", "without", "on", "ignoring", "group_left", "group_right"))


def quoted_names(words: Sequence[Token]) -> Iterator[tuple[Token, str]]:
    """Quoted names of metrics and labels, each with the keyword of its list: ``{"a.b"}``, ``by ("a.b")``."""
    grouping = ""
    for before, word in zip((None, *words[:-1]), words, strict=True):
        if word.text == "(" and before is not None and before.text.lower() in GROUPINGS:
            grouping = before.text.lower()
        elif word.text == ")":
            grouping = ""
        in_braces = word.in_braces and before is not None and before.text in {"{", ","}
        if word.kind == "string" and (in_braces or grouping):
            yield word, grouping


def is_offset(words: Sequence[Token], before: Token | None) -> bool:
    """Whether the token after `before` is the duration of an ``offset``."""
    if before is not None and before.text == "-":
        before = words[words.index(before) - 1]
    return before is not None and before.kind == "name" and before.text.lower() == "offset"


def _end(text: str, at: int) -> int:
    first = text[at]
    if first in "\"'`":
        return _string_end(text, at)
    if first == "#":
        return len(text) if (newline := text.find("\n", at)) < 0 else newline
    if first.isdigit() or (first == "." and text[at + 1 : at + 2].isdigit()):
        return _number_end(text, at)
    name = _NAME.match(text, at)
    return name.end() if name else at + 1


_NAME = re.compile(r"[^\W\d][\w:]*")


def _string_end(text: str, at: int) -> int:
    end = at + 1
    while end < len(text) and text[end] != text[at]:
        end += 2 if text[end] == "\\" and text[at] != "`" else 1
    return min(end + 1, len(text))


def _number_end(text: str, at: int) -> int:
    end = at + 1
    while end < len(text) and (_is_letter(text[end]) or text[end].isdigit() or text[end] == "."):
        signed = text[end] in "eE" and text[end + 1 : end + 2] in ("+", "-")
        end += 2 if signed and not text.startswith(("0x", "0X"), at) else 1
    return end


def _kind(word: str) -> Kind:
    if word[0] in "\"'`":
        return "string"
    if word[0].isdigit() or (word[0] == "." and len(word) > 1):
        return "number" if _is_number(word) else "duration"
    return "name" if _is_letter(word[0]) else "mark"


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return word[:2].lower() == "0x"
    return True


def _is_letter(character: str) -> bool:
    return character.isalpha() or character == "_"
