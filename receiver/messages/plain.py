"""Foreign text made harmless, in one place: alerts, annotations and notes come from anywhere.

Everything that goes into a message passes here, once. Markup is not touched: what is markup differs from
medium to medium, and each channel escapes its own.
"""

import re
from unicodedata import category

LINE = 200
"""Characters of a value that stands on one line."""
BLOCK = 2000
"""Characters of a value of several lines."""

_BREAKS = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_GAPS = re.compile(r"\n{3,}")
_JOINERS = "\u200c\u200d"
"""Invisible, but words in some scripts and many emoji need them."""


def plain(text: str, limit: int = BLOCK) -> str:
    """Text of several lines: line ends are newlines, control and direction marks are gone, cut to `limit`."""
    # Cut first, so that half a megabyte costs nothing; what is removed below comes out of the surplus.
    text = _BREAKS.sub("\n", text[: limit * 4])
    text = "".join(harmless for char in text if (harmless := _harmless(char)))
    text = "\n".join(part.rstrip() for part in text.split("\n")).strip()
    return cut(_GAPS.sub("\n\n", text), limit)


def line(text: str, limit: int = LINE) -> str:
    """The same on one line."""
    return cut(" ".join(plain(text, limit * 4).split()), limit)


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, an ellipsis being the last where something is missing."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _harmless(char: str) -> str:
    if char == "\n" or char in _JOINERS:
        return char
    if char == "\t":
        return " "
    match category(char):
        case "Cs":  # half a character: no encoder takes it
            return "\ufffd"
        case "Cc" | "Cf":  # bells, escapes, NUL; what is invisible or turns the text around
            return ""
        case _:
            return char
