"""The weekly figures of History, for all levels and for each, as numbers and drawings.

Each drawing has one bar per week, in its own units; the page scales it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from receiver.messages.times import moment, rfc3339
from receiver.store.statistics import Tally
from receiver.web.console.duration_text import span
from receiver.web.console.tables import Cell
from receiver.web.console.weeks import Week, mean
from rules.policy import SECOND

HEIGHT = 100
STEP = 50


@dataclass(frozen=True, slots=True)
class Bar:
    """One week of a drawing; `parts` are heights from the bottom, 0 to HEIGHT."""

    label: str
    words: str
    x: int
    parts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LevelFigures:
    """Figures of one level, or of all; mean times in microseconds."""

    level: int
    """0: all."""
    incidents: int
    to_acknowledge: int | None
    to_resolve: int | None
    kept: int
    breached: int
    deadlines: tuple[Bar, ...]
    """Response times: kept, and above them breached."""
    acknowledging: tuple[Bar, ...]
    resolving: tuple[Bar, ...]
    """Mean times."""

    @property
    def share(self) -> int | None:
        """Percentage of response times kept; None: none has ended."""
        ended = self.kept + self.breached
        return 100 * self.kept // ended if ended else None


@dataclass(frozen=True, slots=True)
class _Sum:
    """Sums and means over several tallies."""

    tallies: Sequence[Tally]

    @property
    def kept(self) -> int:
        return sum(each.kept for each in self.tallies)

    @property
    def breached(self) -> int:
        return sum(each.breached for each in self.tallies)

    @property
    def incidents(self) -> int:
        return sum(each.incidents for each in self.tallies)

    @property
    def to_acknowledge(self) -> int | None:
        return mean([(each.to_acknowledge, each.acknowledged) for each in self.tallies])

    @property
    def to_resolve(self) -> int | None:
        return mean([(each.to_resolve, each.resolved) for each in self.tallies])


def figures_of(weeks: Sequence[Week], level: int) -> LevelFigures:
    """The figures of a level; 0: of all."""
    sums = [_sum(week, level) for week in weeks]
    whole = _Sum([each for week in sums for each in week.tallies])
    return LevelFigures(
        level=level,
        incidents=whole.incidents,
        to_acknowledge=whole.to_acknowledge,
        to_resolve=whole.to_resolve,
        kept=whole.kept,
        breached=whole.breached,
        deadlines=_bars(weeks, [(each.kept, each.breached) for each in sums], _deadline_words),
        acknowledging=_bars(weeks, [(each.to_acknowledge or 0,) for each in sums], _time_words),
        resolving=_bars(weeks, [(each.to_resolve or 0,) for each in sums], _time_words),
    )


def _sum(week: Week, level: int) -> _Sum:
    return _Sum([each for each in week.tallies if level in {0, each.level}])


def _deadline_words(parts: Sequence[int]) -> str:
    return f"{parts[0]} kept, {parts[1]} breached"


def _time_words(parts: Sequence[int]) -> str:
    return span(parts[0]) if parts[0] else "none"


def _bars(
    weeks: Sequence[Week], values: Sequence[tuple[int, ...]], words: Callable[[Sequence[int]], str]
) -> tuple[Bar, ...]:
    most = max((sum(parts) for parts in values), default=0) or 1
    return tuple(
        Bar(
            label=f"{moment(week.begins).day} {moment(week.begins):%b}",
            words=words(parts),
            x=place * STEP,
            parts=tuple(round(HEIGHT * part / most) for part in parts),
        )
        for place, (week, parts) in enumerate(zip(weeks, values, strict=True))
    )


FIGURE_COLUMNS = (
    *("week", "level", "incidents", "kept", "breached"),
    *("mean_seconds_to_acknowledge", "mean_seconds_to_resolve"),
)


def figure_rows(weeks: Iterable[Week]) -> Iterable[Sequence[Cell]]:
    """Yields FIGURE_COLUMNS, week by week, level by level."""
    for week in weeks:
        for level in (4, 3, 2, 1):
            total = _sum(week, level)
            times = (None if each is None else each // SECOND for each in (total.to_acknowledge, total.to_resolve))
            yield rfc3339(week.begins), level, total.incidents, total.kept, total.breached, *times
