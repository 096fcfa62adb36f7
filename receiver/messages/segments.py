"""Counts the SMS that a text takes, and shortens texts by that cost, at the ends of words.

A text in the GSM-7 alphabet takes 160 characters alone, or 153 in each part of several; one other character makes all
of it UCS-2: 70, or 67 a part, where an emoji counts twice. Characters of the alphabet's extension count twice; neither
those nor emojis are split between parts.
"""

import unicodedata
from collections.abc import Callable

from receiver.messages.plain import word_seam

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
_PLAIN = str.maketrans(
    {"…": "...", "→": "->", "≥": ">=", "≤": "<=", "œ": "oe", "Œ": "OE", "°": ""}
    | dict.fromkeys("–—‑−•·", "-")  # noqa: RUF001 - these are what is replaced
    | dict.fromkeys("‘’‚", "'")  # noqa: RUF001
    | dict.fromkeys("“”„«»", '"')
    | dict.fromkeys("\u00a0\u202f\t", " ")
    | dict(zip("×łŁđĐıµμ", "xlLdDiuu", strict=True))  # noqa: RUF001
)
_FEW = 0.05
"""Up to this share of characters may be replaced by question marks; the alternative is UCS-2, half the length."""


def is_gsm(text: str) -> bool:
    """Whether all characters are in the GSM-7 alphabet."""
    return all(c in _BASIC or c in _EXTENSION for c in text)


def count_segments(text: str) -> int:
    """Returns the number of SMS that the text takes."""
    price, alone, part = _measure(text)
    if sum(map(price, text)) <= alone:
        return 1
    segments, used = 1, 0
    for character in text:
        cost = price(character)
        if used + cost > part:
            segments, used = segments + 1, 0
        used += cost
    return segments


def fit(text: str, segments: int) -> str:
    """Returns the text unchanged if it fits; else in plainer characters; else cut, with an ellipsis."""
    return fit_between("", text, "", segments) or ""


def fit_between(begin: str, middle: str, end: str, segments: int, least: int = 0) -> str | None:
    """Returns the three parts joined; if too long, the middle is cut at the end of a word, with an ellipsis.

    None: they do not fit even with only `least` characters of the middle.
    """
    begin, middle, end = _in_characters((begin, middle, end), segments)
    if count_segments(begin + middle + end) <= segments:
        return begin + middle + end
    ellipsis = "..." if is_gsm(begin + middle + end) else "…"

    def fits(kept: str) -> bool:
        return count_segments(f"{begin}{kept}{ellipsis}{end}") <= segments

    return f"{begin}{_longest_beginning(middle, fits)}{ellipsis}{end}" if fits(middle[:least]) else None


def _in_characters(parts: tuple[str, str, str], segments: int) -> tuple[str, str, str]:
    """Converts to GSM-7 if replacing typography suffices; accents and emojis are replaced only if
    the text is too long.
    """
    begin, middle, end = (part.translate(_PLAIN) for part in parts)
    if is_gsm(begin + middle + end):
        return begin, middle, end
    if count_segments("".join(parts)) <= segments:
        return parts
    # The middle may lose unusual characters; the incident's name and the way to answer may not.
    begin, middle, end = _bare(begin), simplify(middle), _bare(end)
    return (begin, middle, end) if is_gsm(begin + middle + end) else parts


def _longest_beginning(text: str, fits: Callable[[str], bool]) -> str:
    """Returns the longest beginning that fits, up to the end of a word if possible."""
    kept, too_long = 0, len(text)  # the cost grows with the length: binary search
    while too_long - kept > 1:
        half = (kept + too_long) // 2
        kept, too_long = (half, too_long) if fits(text[:half].rstrip()) else (kept, half)
    return text[: word_seam(text, kept)].rstrip(" ,")


def simplify(text: str) -> str:
    """Replaces typographic characters by plain ones, strips accents that GSM-7 lacks, and removes emojis.

    Remaining characters become question marks if they are few; a text in another script is returned as it is.
    """
    simple = _bare(text.translate(_PLAIN))
    odd = sum(not is_gsm(c) for c in simple)
    return "".join(c if is_gsm(c) else "?" for c in simple) if odd <= len(simple) * _FEW else simple


def _bare(text: str) -> str:
    """Without the space beside an emoji that is removed: it would stand before a colon, or twice."""
    bare = ""
    for character in text:
        simple = _simple(character)
        if not simple and unicodedata.category(character) == "So":
            bare = bare.removesuffix(" ")
        bare += simple
    return bare if text.startswith(" ") else bare.lstrip(" ")


def _simple(character: str) -> str:
    if is_gsm(character):
        return character
    if unicodedata.category(character) in {"So", "Sk", "Mn", "Cf"}:
        return ""
    base = unicodedata.normalize("NFKD", character)
    letters = "".join(c for c in base if not unicodedata.combining(c))
    return letters if is_gsm(letters) else character


def _measure(text: str) -> tuple[Callable[[str], int], int, int]:
    """Returns the cost function of a character, the capacity of a single SMS, and that of each of several."""
    if is_gsm(text):
        return (lambda c: 2 if c in _EXTENSION else 1), 160, 153
    return (lambda c: 2 if c > "\uffff" else 1), 70, 67
