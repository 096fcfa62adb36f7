"""The numeric ranges of an impact scale's texts: ``5-20% revenue impact`` is above 0.05, up to and including 0.2.

A scale is either of percentages, which are kept as ratios, or of plain numbers: ``100-1,000 users``. A text without a
readable range stays a text, and `rules.lint.impact_lints` reports it.
"""

import re
from collections.abc import Iterable
from itertools import pairwise

Range = tuple[str, float, float | None]
"""(grade, above, up to and including); None: no upper end."""

_NUMBER = r"[$€£¥]?\s?(?P<{}>\d{{1,3}}(?:[,_]\d{{3}})+(?:\.\d+)?|\d+(?:\.\d+)?)"
_PERCENT = r"\s*(?P<{}>%)?\s*"
_FORMS = (
    _NUMBER.format("low") + _PERCENT.format("low_percent") + r"(?:[-\u2013\u2014]|\bto\b)\s*" + _NUMBER.format("high"),
    _NUMBER.format("least") + _PERCENT.format("least_percent") + r"(?:\+|\bor more\b)",
    r"(?:>=?|≥|(?:above|over|more than|at least|from)\s)\s*" + _NUMBER.format("above"),
    r"(?:<=?|≤|(?:below|under|less than|up to|at most)\s)\s*" + _NUMBER.format("below"),
)
_ENDS = r"(?![\w%+])(?![.,:/]\d)(?!\s*[-\u2013\u2014]?\s*\d)"
"""Not within a number, before an attached unit (``5m``, ``10k``), or within a date."""
_RANGE = re.compile(rf"\s*(?:{'|'.join(_FORMS)})(?:\s*(?P<percent>%))?{_ENDS}", re.IGNORECASE)
_SPEAKS_OF_NUMBERS = re.compile(r"(?<![A-Za-z0-9])\d")


def read(text: str) -> tuple[float, float | None, bool] | None:
    """(above, up to and including, whether in percent, as ratios) at the beginning of a grade's text."""
    found = _RANGE.match(text)
    if found is None:
        return None
    percent = any(found[each] for each in ("percent", "low_percent", "least_percent"))
    low = _number(found["low"] or found["above"] or found["least"] or "0", percent=percent)
    high = _number(found["high"] or found["below"], percent=percent) if found["high"] or found["below"] else None
    return None if high is not None and high <= low else (low, high, percent)


def _number(text: str, *, percent: bool) -> float:
    return float(text.replace(",", "").replace("_", "")) / (100 if percent else 1)


def in_percent(thresholds: Iterable[tuple[str, str]]) -> bool:
    """Whether a scale is of percentages: one of its grades' texts has a percentage."""
    return any(found[2] for _, words in thresholds if (found := read(words)))


def ranges(thresholds: Iterable[tuple[str, str]]) -> tuple[Range, ...]:
    """The ranges of a scale's grades, from the mildest to the worst, without gaps.

    `thresholds`: (grade, text), from low to critical. Values between the end of one range and the beginning of the next
    (``0-10``, ``11-100``) belong to the worse grade.
    """
    known = tuple(thresholds)
    percent = in_percent(known)
    found = [(grade, *numbers[:2]) for grade, words in known if (numbers := read(words)) and numbers[2] == percent]
    severity = {grade: place for place, (grade, _) in enumerate(known)}
    order = sorted(found, key=lambda each: each[1])
    for place, ((milder, low, until), (worse, above, high)) in enumerate(pairwise(order)):
        if until is not None and until < above:
            if severity[worse] > severity[milder]:
                order[place + 1] = (worse, until, high)
            else:
                order[place] = (milder, low, above)
    return tuple(sorted(order, key=lambda each: severity[each[0]]))


def unread(thresholds: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """(grade, reason): the grades whose texts contain or need numbers, but have no range."""
    known = tuple(thresholds)
    having, percent = {grade for grade, _, _ in ranges(known)}, in_percent(known)
    left = [(grade, words) for grade, words in known if grade not in having]
    return [
        (grade, _why(words, percent=percent)) for grade, words in left if having or _SPEAKS_OF_NUMBERS.search(words)
    ]


def _why(words: str, *, percent: bool) -> str:
    if read(words):
        return "it has no % where others of the scale have one"
    if _SPEAKS_OF_NUMBERS.search(words):
        kind = '"5-20% of it", ">50%" or "<5%"' if percent else '"100-1,000 users", ">1,000 users" or "<100 users"'
        return f"its number cannot be read: begin with a range such as {kind}"
    return "it is words, where others of the scale are numbers"


def overlaps(found: Iterable[Range]) -> list[tuple[Range, Range]]:
    """Pairs of neighbouring ranges that overlap; the milder grade applies to the common numbers."""
    order = sorted(found, key=lambda each: each[1])
    return [(one, other) for one, other in pairwise(order) if one[2] is None or one[2] > other[1]]
