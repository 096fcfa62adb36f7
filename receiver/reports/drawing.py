"""Pictures as SVG, drawn by a few lines of our own: presentation attributes only, no script, no style, no link.

Everything foreign that stands in a picture goes through `_text`, which escapes it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from receiver.core.model import Entry, Fact, Instant, State
from receiver.messages.plain import cut, line
from receiver.messages.times import moment
from receiver.reports.dossier import Dossier

WIDTH, LEFT, RIGHT = 760, 10, 750
MARKS = 14
"""Marks on a timeline; more than that nobody can read."""

COLOURS = {
    State.OPEN: "#b91c1c",
    State.ACKNOWLEDGED: "#b7791f",
    State.RESOLVED: "#2f7d4f",
    State.CLOSED: "#8a949e",
}
LINES = ("#1d4ed8", "#c2410c", "#2f7d4f", "#7c3aed", "#0e7490", "#4a6785")
INK, FAINT = "#1c2126", "#8a949e"

TURNS = {
    Fact.OPENED: State.OPEN,
    Fact.DECLARED: State.OPEN,
    Fact.ACKNOWLEDGED: State.ACKNOWLEDGED,
    Fact.ACK_VOIDED: State.OPEN,
    Fact.ACK_EXPIRED: State.OPEN,
    Fact.REOPENED: State.OPEN,
    Fact.RESOLVED: State.RESOLVED,
    Fact.CLOSED: State.CLOSED,
}
"""What brings an incident into which state."""

MARKED = {
    Fact.OPENED: "opened",
    Fact.DECLARED: "declared",
    Fact.LEVEL_ROSE: "level rose",
    Fact.ESCALATED: "escalated",
    Fact.BREACHED: "breached",
    Fact.ACKNOWLEDGED: "acknowledged",
    Fact.ACK_EXPIRED: "acknowledgement expired",
    Fact.ACK_VOIDED: "worse",
    Fact.RECOVERED: "recovered",
    Fact.FIRED_AGAIN: "fired again",
    Fact.RESOLVED: "resolved",
    Fact.REOPENED: "reopened",
    Fact.CLOSED: "closed",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One series: (seconds since 1970, value), in order."""

    name: str
    points: Sequence[tuple[float, float]]


def draw_timeline(dossier: Dossier) -> str:
    """A bar whose colour is the incident's state, with marks for what happened."""
    begin = dossier.case.incident.opened_at
    end = max([dossier.case.incident.closed_at or dossier.now, *(entry.at for entry in dossier.timeline), begin + 1])
    marks = [entry for entry in dossier.timeline if entry.fact in MARKED][:MARKS]

    def x(at: int) -> float:
        return LEFT + (RIGHT - LEFT) * (at - begin) / (end - begin)

    turns = [(entry.at, TURNS[entry.fact]) for entry in dossier.timeline if entry.fact in TURNS] or [
        (begin, dossier.case.incident.state)
    ]
    ends = [at for at, _ in turns[1:]] + [end]
    bars = "".join(
        f'<rect x="{x(at):.1f}" y="10" width="{max(0.0, x(until) - x(at)):.1f}" height="16" fill="{COLOURS[state]}">'
        f"<title>{state.value}</title></rect>"
        for (at, state), until in zip(turns, ends, strict=True)
    )
    height = 40 + 15 * len(marks) + 18
    return _svg(height, bars, *_marks(marks, x), *_ends(begin, end, height - 4))


def _marks(marks: Iterable[Entry], x: Callable[[int], float]) -> Iterator[str]:
    for number, entry in enumerate(marks):
        at, y = x(entry.at), 40 + 15 * number
        anchor = "start" if at < (LEFT + RIGHT) / 2 else "end"
        yield f'<line x1="{at:.1f}" y1="10" x2="{at:.1f}" y2="{y + 4}" stroke="{FAINT}" stroke-width="0.7"/>'
        said = f"{moment(entry.at):%H:%M:%S} {MARKED[entry.fact]}{f' ({entry.by})' if entry.by else ''}"
        yield _text(at + (3 if anchor == "start" else -3), y + 4, said, anchor)


def _ends(begin: int, end: int, y: float) -> Iterator[str]:
    yield _text(LEFT, y, f"{moment(Instant(begin)):%Y-%m-%d %H:%M:%S} UTC", "start", FAINT)
    yield _text(RIGHT, y, f"{moment(Instant(end)):%Y-%m-%d %H:%M:%S} UTC", "end", FAINT)


def draw_lines(lines: Sequence[Line], threshold: float | None = None) -> str:
    """Series over time, with the condition's threshold as a dashed line. Nothing to draw gives an empty text."""
    points = [point for each in lines for point in each.points]
    if not points:
        return ""
    begin, end = min(at for at, _ in points), max(at for at, _ in points)
    values = [value for _, value in points] + ([threshold] if threshold is not None else [])
    low, high = min(values), max(values)
    margin = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    low, high = low - margin, high + margin
    left, bottom = 70, 170

    def x(at: float) -> float:
        return left + (RIGHT - left) * (at - begin) / (end - begin or 1)

    def y(value: float) -> float:
        return bottom - (bottom - 10) * (value - low) / (high - low)

    drawn = [
        f'<polyline fill="none" stroke="{LINES[place % len(LINES)]}" stroke-width="1.5" points="'
        + " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in each.points)
        + '"/>'
        for place, each in enumerate(lines)
    ]
    drawn += [_text(left - 5, y(value) + 4, f"{value:.6g}", "end", FAINT) for value in (low + margin, high - margin)]
    if threshold is not None:
        dashed = f'x1="{left}" x2="{RIGHT}" y1="{y(threshold):.1f}" y2="{y(threshold):.1f}"'
        drawn.append(f'<line {dashed} stroke="#b91c1c" stroke-dasharray="4 3"/>')
        drawn.append(_text(RIGHT, y(threshold) - 4, f"threshold {threshold:.6g}", "end", "#b91c1c"))
    drawn += _ends(int(begin * 1e6), int(end * 1e6), bottom + 18)
    for place, each in enumerate(lines):
        drawn.append(_text(left, bottom + 36 + 15 * place, each.name, "start", LINES[place % len(LINES)]))
    return _svg(bottom + 30 + 15 * len(lines) + 8, *drawn)


def _text(x: float, y: float, said: str, anchor: str = "start", colour: str = INK) -> str:
    words = escape(cut(line(said), 110))
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="11" text-anchor="{anchor}" fill="{colour}">{words}</text>'


def _svg(height: float, *parts: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="100%" role="img"'
        f' font-family="Helvetica, Arial, sans-serif">{"".join(parts)}</svg>'
    )
