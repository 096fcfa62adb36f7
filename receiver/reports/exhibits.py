"""The signals that were kept as evidence with an incident, as data and drawings."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import orjson

from receiver.core.model import Entry, Fact
from receiver.messages.plain import line
from receiver.reports.drawing import MARKED, PlotLine, PlotMark, draw_lines
from receiver.reports.incident_record import IncidentRecord
from receiver.reports.report import Drawing
from rules.policy import SECOND

STANDING = frozenset(
    {Fact.OPENED, Fact.DECLARED, Fact.ACKNOWLEDGED, Fact.BREACHED, Fact.RECOVERED, Fact.RESOLVED, Fact.REOPENED}
)
"""Events that are marked beside the signals."""

MOST_MARKS = 8


@dataclass(frozen=True, slots=True)
class SignalSeries:
    """The series of one signal, fetched at one moment."""

    moment: str
    """opened or resolved."""
    query: str
    threshold: float | None
    lines: tuple[PlotLine, ...]

    @property
    def words(self) -> str:
        """Caption of the drawing."""
        return f"{self.query}, as Prometheus had it when the incident {self.moment}"

    @property
    def has_data(self) -> bool:
        """Whether there is data to draw."""
        return any(each.points for each in self.lines)


def courses(entries: Iterable[Entry]) -> Iterator[SignalSeries]:
    """Yields the series in a timeline, in its order."""
    for entry in entries:
        if entry.fact is not Fact.EVIDENCE:
            continue
        data = entry.data
        threshold = float(data["threshold"]) if data.get("threshold") else None
        lines = tuple(
            PlotLine(line(name), [(at, value) for at, value in points]) for name, points in _read(data["series"])
        )
        yield SignalSeries(line(data.get("inquiry", "")), line(data["query"]), threshold, lines)


def latest(entries: Iterable[Entry]) -> list[SignalSeries]:
    """Returns the series of the last moment that has data, for media with a single picture."""
    found = [each for each in courses(entries) if each.has_data]
    return [each for each in found if each.moment == found[-1].moment]


def marks(entries: Iterable[Entry]) -> list[PlotMark]:
    """Returns the events to mark beside the signals."""
    told = [each for each in entries if each.fact in STANDING]
    return [PlotMark(each.at / SECOND, MARKED[each.fact]) for each in told[:MOST_MARKS]]


def drawn(record: IncidentRecord, moment: str) -> Iterator[Drawing]:
    """Yields a drawing of each signal that was fetched at that moment and has data."""
    yield from draw([each for each in courses(record.decisive) if each.moment == moment], marks(record.decisive))


def draw(shown: Iterable[SignalSeries], beside: Sequence[PlotMark]) -> Iterator[Drawing]:
    """Yields SVG drawings of the series that have data."""
    for course in shown:
        if course.has_data:
            yield Drawing(course.words, draw_lines(course.lines, course.threshold, beside, course.words))


def _read(series: str) -> list[tuple[str, list[tuple[float, float]]]]:
    """Reads the format that `receiver.jobs.evidence` writes."""
    return [(name, points) for name, points in orjson.loads(series)]
