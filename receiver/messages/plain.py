"""Foreign text made harmless, in one place: alerts, annotations and notes come from anywhere.

Everything that goes into a message passes here, once. Markup is not touched: what is markup differs from
medium to medium, and each channel escapes its own.
"""

import re
from unicodedata import category, east_asian_width
from urllib.parse import urlsplit

LINE = 200
"""Characters of a value that stands on one line."""
BLOCK = 2000
"""Characters of a value of several lines."""
URL = 2000
"""Characters of an address; a longer one is none that a person can use."""

_BREAKS = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_GAPS = re.compile(r"\n{3,}")
_JOIN = "\u200d"
_JOINERS = f"\u200c{_JOIN}"
"""Invisible, but words in some scripts and many emoji need them."""
_TONES = frozenset(map(chr, range(0x1F3FB, 0x1F400)))
_FLAGS = frozenset(map(chr, range(0x1F1E6, 0x1F200)))
"""Two of these letters make a flag."""
LONGEST_WORD = 40
"""A longer one, such as an address, may be cut within: nothing might be left otherwise."""
LONGEST = 32
"""Code points of one visible character; whoever stacks more of them on each other has them cut."""


def plain(text: str, limit: int = BLOCK) -> str:
    """Text of several lines: line ends are newlines, control and direction marks are gone, cut to `limit`."""
    # Cut first, so that half a megabyte costs nothing; what is removed below comes out of the surplus.
    text = text[: limit * 4]
    if text.isprintable():  # nearly always: nothing that a line break or `_harmless` could be about
        return cut(text.strip(), limit)
    parts = _BREAKS.sub("\n", text).split("\n")
    text = "\n".join(_without_harm(part).rstrip() for part in parts).strip()
    return cut(_GAPS.sub("\n\n", text), limit)


def line(text: str, limit: int = LINE) -> str:
    """The same on one line."""
    return cut(" ".join(plain(text, limit * 4).split()), limit)


def web_address(url: str) -> str:
    """The URL if a browser may be sent there; empty otherwise (``javascript:``, half an address …)."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not parts.hostname or len(url) > URL:
        return ""
    return url if url.isprintable() and not any(char in ' "<>|' for char in url) else ""


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, an ellipsis being the last where something is missing."""
    return text if len(text) <= limit else text[: seam(text, limit - 1)].rstrip() + "…"


def seam(text: str, end: int) -> int:
    """The last place, up to `end`, at which a text may be cut: no emoji, flag or accented letter falls apart."""
    place = end
    while end - place < LONGEST and 0 < place < len(text) and _belong(text, place):
        place -= 1
    return end if end - place == LONGEST else place


def cut_words(text: str, limit: int) -> str:
    """As `cut`, at the end of a word."""
    return text if len(text) <= limit else text[: word_seam(text, limit - 1)].rstrip() + "…"


def word_seam(text: str, end: int) -> int:
    """The last place, up to `end`, at which a word ends; within a word where one alone is too long."""
    place = seam(text, end)
    near = range(place, max(place - LONGEST_WORD, -1), -1)
    return next((each for each in near if _ends_word(text, each)), place)


def _ends_word(text: str, place: int) -> bool:
    """Whether a word may end there. Scripts whose letters are wide have no spaces between words."""
    around = text[max(place - 1, 0) : place + 1]
    return place in {0, len(text)} or " " in around or any(east_asian_width(char) in "WF" for char in around)


def _belong(text: str, place: int) -> bool:
    """Whether what people see as one character stands on both sides."""
    before, after = text[place - 1], text[place]
    if _JOIN in {before, after} or category(after) in {"Mn", "Me", "Mc"} or after in _TONES:
        return True
    if before not in _FLAGS or after not in _FLAGS:
        return False
    begin = place - 1
    while begin and text[begin - 1] in _FLAGS:
        begin -= 1
    return bool((place - begin) % 2)


def _without_harm(part: str) -> str:
    return part if part.isprintable() else "".join(map(_harmless, part))


def _harmless(char: str) -> str:
    if char in _JOINERS:
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
