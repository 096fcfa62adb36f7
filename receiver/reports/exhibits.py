"""The evidence that was kept with an incident: the course of its signals, to read and to draw."""

from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from receiver.core.model import Fact
from receiver.messages.plain import line
from receiver.reports.dossier import Dossier
from receiver.reports.drawing import Line, draw_lines
from receiver.reports.report import Drawing


@dataclass(frozen=True, slots=True)
class Course:
    """The series of one signal, fetched at one moment."""

    moment: str
    """opened or resolved."""
    query: str
    threshold: float | None
    lines: tuple[Line, ...]


def exhibits(dossier: Dossier) -> Iterator[Course]:
    """What the timeline keeps, in its order."""
    for entry in dossier.entries(Fact.EVIDENCE):
        data = entry.data
        threshold = float(data["threshold"]) if data.get("threshold") else None
        lines = tuple(Line(line(name), [(at, value) for at, value in points]) for name, points in _read(data["series"]))
        yield Course(line(data.get("inquiry", "")), line(data["query"]), threshold, lines)


def _read(series: str) -> list[tuple[str, list[tuple[float, float]]]]:
    """As `receiver.evidence` wrote it."""
    return [(name, points) for name, points in orjson.loads(series)]


def drawn(dossier: Dossier, moment: str) -> Iterator[Drawing]:
    """A picture of each signal that was fetched at that moment and has data."""
    for course in exhibits(dossier):
        svg = draw_lines(course.lines, course.threshold) if course.moment == moment else ""
        if svg:
            yield Drawing(f"{course.query}, as Prometheus had it when the incident {course.moment}", svg)
