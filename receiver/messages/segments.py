"""How many SMS a text takes, and how to say it in fewer. Texts are cut by what they cost, at the ends of words.

A text of the GSM-7 alphabet takes 160 characters alone, or 153 in each part of several; one other character makes
all of it UCS-2: 70, or 67 a part, where an emoji counts twice. Characters of the alphabet's extension count twice,
and neither those nor emojis are split between parts.
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
    {"…": "...", "→": "->", "≥": ">=", "≤": "<=", "œ": "oe", "Œ": "OE"}
    | dict.fromkeys("–—‑−•·", "-")  # noqa: RUF001 - these are what is replaced
    | dict.fromkeys("‘’‚", "'")  # noqa: RUF001
    | dict.fromkeys("“”„«»", '"')
    | dict.fromkeys("\u00a0\u202f\t", " ")
    | dict(zip("×łŁđĐı", "xlLdDi", strict=True))  # noqa: RUF001
)
_FEW = 0.05
"""Up to this share of characters may be lost rather than half of the message."""


def is_gsm(text: str) -> bool:
    """Whether the GSM-7 alphabet has all its characters."""
    return all(c in _BASIC or c in _EXTENSION for c in text)


def count_segments(text: str) -> int:
    """How many SMS the text takes."""
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
    """The text as it is where it fits; else in plainer characters; else cut, with an ellipsis."""
    return fit_between("", text, "", segments) or ""


def fit_between(begin: str, middle: str, end: str, segments: int, least: int = 0) -> str | None:
    """The three in a row; where they do not fit, the middle is cut at the end of a word, with an ellipsis.

    None: they do not fit with `least` characters of the middle either.
    """
    begin, middle, end = _in_characters((begin, middle, end), segments)
    if count_segments(begin + middle + end) <= segments:
        return begin + middle + end
    ellipsis = "..." if is_gsm(begin + middle + end) else "…"

    def fits(kept: str) -> bool:
        return count_segments(f"{begin}{kept}{ellipsis}{end}") <= segments

    return f"{begin}{_longest_beginning(middle, fits)}{ellipsis}{end}" if fits(middle[:least]) else None


def _in_characters(parts: tuple[str, str, str], segments: int) -> tuple[str, str, str]:
    """In GSM-7, if replacing typography is enough for that; accents and emojis give way only where it is too long."""
    begin, middle, end = (part.translate(_PLAIN) for part in parts)
    if is_gsm(begin + middle + end):
        return begin, middle, end
    if count_segments("".join(parts)) <= segments:
        return parts
    # Odd characters of the middle may be lost, but none that say which incident it is, or how to answer.
    begin, middle, end = _bare(begin), simplify(middle), _bare(end)
    return (begin, middle, end) if is_gsm(begin + middle + end) else parts


def _longest_beginning(text: str, fits: Callable[[str], bool]) -> str:
    """The longest beginning that fits, up to the end of a word where there is one."""
    kept, too_long = 0, len(text)  # the cost grows with the length: halve towards the longest that fits
    while too_long - kept > 1:
        half = (kept + too_long) // 2
        kept, too_long = (half, too_long) if fits(text[:half].rstrip()) else (kept, half)
    return text[: word_seam(text, kept)].rstrip()


def simplify(text: str) -> str:
    """Typographic characters by plain ones, letters without the accents GSM-7 lacks, no emojis.

    The odd character that is left becomes a question mark; a text in another script is left as it is.
    """
    simple = _bare(text.translate(_PLAIN))
    odd = sum(not is_gsm(c) for c in simple)
    return "".join(c if is_gsm(c) else "?" for c in simple) if odd <= len(simple) * _FEW else simple


def _bare(text: str) -> str:
    return "".join(map(_simple, text))


def _simple(character: str) -> str:
    if is_gsm(character):
        return character
    if unicodedata.category(character) in {"So", "Sk", "Mn", "Cf"}:
        return ""
    base = unicodedata.normalize("NFKD", character)
    letters = "".join(c for c in base if not unicodedata.combining(c))
    return letters if is_gsm(letters) else character


def _measure(text: str) -> tuple[Callable[[str], int], int, int]:
    """What a character costs, what fits into one SMS, and into each of several."""
    if is_gsm(text):
        return (lambda c: 2 if c in _EXTENSION else 1), 160, 153
    return (lambda c: 2 if c > "\uffff" else 1), 70, 67
