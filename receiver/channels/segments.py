"""How many SMS a text takes, and how to say it in fewer.

A text of the GSM-7 alphabet takes 160 characters alone, or 153 in each part of several; one other character makes
all of it UCS-2: 70, or 67 a part, where an emoji counts twice. Characters of the alphabet's extension count twice,
and neither those nor emojis are split between parts.
"""

import unicodedata
from collections.abc import Callable

from receiver.messages.plain import seam

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
    if count_segments(text) <= segments:
        return text
    plain = simplify(text)
    text = plain if is_gsm(plain) else text
    if count_segments(text) <= segments:
        return text
    ellipsis = "..." if is_gsm(text) else "…"
    # The number of segments grows with the length, so the longest beginning that fits can be halved towards.
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if count_segments(text[:middle].rstrip() + ellipsis) <= segments:
            fits = middle
        else:
            too_long = middle
    return text[: seam(text, fits)].rstrip() + ellipsis


def simplify(text: str) -> str:
    """Typographic characters by plain ones, letters without the accents GSM-7 lacks, no emojis.

    The odd character that is left becomes a question mark; a text in another script is left as it is.
    """
    simple = "".join(_simple(c) for c in text.translate(_PLAIN))
    odd = sum(not is_gsm(c) for c in simple)
    return "".join(c if is_gsm(c) else "?" for c in simple) if odd <= len(simple) * _FEW else simple


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
