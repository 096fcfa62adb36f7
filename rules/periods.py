"""Legal time limits: a duration such as ``72h``, or whole calendar months, ``1month``.

The document models call `parse_period`. Months are added by `rules.rota.months_later`, as in a rotation.
"""

import re
from typing import NamedTuple

from rules.durations import UNITS, bounded, parse
from rules.policy import Micros
from rules.rota import parse_every

MONTHS_FORM = r"[1-9]\d{0,3}month"
_MONTHS = re.compile(MONTHS_FORM, re.ASCII)


class Period(NamedTuple):
    """A time limit: a duration, or whole calendar months."""

    micros: Micros
    months: int = 0
    """If not 0: so many months, and `micros` is 0."""
    written: str = ""
    """As written in the policy: ``72h``."""

    @property
    def shortest(self) -> Micros:
        """The minimum length, in microseconds: no month is shorter than 28 days."""
        return Micros(self.micros + self.months * 28 * UNITS["d"])


def parse_period(text: str) -> Period:
    """Parse a duration such as ``72h``, or whole months: ``1month``.

    Raises ValueError with a message for the policy's author.
    """
    found = _MONTHS.fullmatch(text.strip())
    if found is None:
        return Period(parse(text), written=text.strip())
    months = parse_every(text).number
    bounded(months * 28 * UNITS["d"])
    return Period(Micros(0), months)
