"""Sanitises text from outside: alerts, annotations and notes.

All text in a message passes through this module, once. Markup stays: it differs between media, so each channel escapes
its own.
"""

import re
from unicodedata import category, east_asian_width
from urllib.parse import urlsplit

LINE = 200
"""Maximum characters of a value on one line."""
BLOCK = 2000
"""Maximum characters of a value of several lines."""
URL = 2000
"""Maximum characters of an address; longer ones are not usable by a person."""

_BREAKS = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_GAPS = re.compile(r"\n{3,}")
_JOIN = "\u200d"
_JOINERS = f"\u200c{_JOIN}"
"""Invisible characters that some scripts and many emoji need."""
_TONES = frozenset(map(chr, range(0x1F3FB, 0x1F400)))
_FLAGS = frozenset(map(chr, range(0x1F1E6, 0x1F200)))
"""Regional indicators; a pair is a flag."""
LONGEST_WORD = 40
"""A longer word, such as an address, may be cut in the middle; otherwise nothing might be left."""
LONGEST = 32
"""Maximum code points of one visible character; characters with more combining marks are cut."""


def plain(text: str, limit: int = BLOCK) -> str:
    """Returns text of several lines: newlines only, without control and direction marks, cut to `limit` characters."""
    # Cut first to bound the cost of long input; four times the limit leaves room for what is removed below.
    text = text[: limit * 4]
    if text.isprintable():  # the usual case: no line breaks, nothing for `_harmless`
        return cut(text.strip(), limit)
    parts = _BREAKS.sub("\n", text).split("\n")
    text = "\n".join(_without_harm(part).rstrip() for part in parts).strip()
    return cut(_GAPS.sub("\n\n", text), limit)


def line(text: str, limit: int = LINE) -> str:
    """Returns the same on one line."""
    return cut(" ".join(plain(text, limit * 4).split()), limit)


def web_address(url: str) -> str:
    """Returns the URL if it is safe for a browser; else empty (``javascript:``, incomplete addresses …)."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not parts.hostname or len(url) > URL:
        return ""
    return url if url.isprintable() and not any(char in ' "<>|' for char in url) else ""


def cut(text: str, limit: int) -> str:
    """Returns at most `limit` characters; an ellipsis marks a cut."""
    return text if len(text) <= limit else text[: seam(text, limit - 1)].rstrip() + "…"


def seam(text: str, end: int) -> int:
    """Returns the last place up to `end` for a cut that splits no emoji, flag or accented letter."""
    place = end
    while end - place < LONGEST and 0 < place < len(text) and _belong(text, place):
        place -= 1
    return end if end - place == LONGEST else place


def cut_words(text: str, limit: int) -> str:
    """As `cut`, at the end of a word."""
    return text if len(text) <= limit else text[: word_seam(text, limit - 1)].rstrip() + "…"


def word_seam(text: str, end: int) -> int:
    """Returns the last place up to `end` at which a word ends; a place within the word if the word is too long."""
    place = seam(text, end)
    near = range(place, max(place - LONGEST_WORD, -1), -1)
    return next((each for each in near if _ends_word(text, each)), place)


def _ends_word(text: str, place: int) -> bool:
    """Whether a word may end there. Scripts with wide letters have no spaces between words."""
    around = text[max(place - 1, 0) : place + 1]
    return place in {0, len(text)} or " " in around or any(east_asian_width(char) in "WF" for char in around)


def _belong(text: str, place: int) -> bool:
    """Whether the characters on both sides are part of one visible character."""
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
        case "Cs":  # lone surrogate: no encoder takes it
            return "\ufffd"
        case "Cc" | "Cf":  # bells, escapes, NUL; invisible characters and direction marks
            return ""
        case _:
            return char
