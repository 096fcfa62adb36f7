"""SVG drawings without a library: presentation attributes only, no script, style or link.

Elements have classes, so that a page can set its own colours (docs/decisions/0007). All text from outside is escaped by
`_text`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from receiver.core.model import Entry, Fact, Instant, State
from receiver.messages.plain import cut, line
from receiver.messages.times import moment
from receiver.reports.incident_record import IncidentRecord

WIDTH, LEFT, RIGHT = 760, 10, 750
MARKS = 14
"""Maximum marks on a timeline; more would not be legible."""

COLOURS = {
    State.OPEN: "#b91c1c",
    State.ACKNOWLEDGED: "#b7791f",
    State.RESOLVED: "#2f7d4f",
    State.CLOSED: "#8a949e",
}
LINES = ("#1d4ed8", "#c2410c", "#2f7d4f", "#7c3aed", "#0e7490", "#4a6785")
INK, FAINT, LIMIT = "#1c2126", "#5a646e", "#b91c1c"

TURNS = {
    Fact.OPENED: State.OPEN,
    Fact.DECLARED: State.OPEN,
    Fact.ACKNOWLEDGED: State.ACKNOWLEDGED,
    Fact.ACK_VOIDED: State.OPEN,
    Fact.ACK_EXPIRED: State.OPEN,
    Fact.GIVEN_BACK: State.OPEN,
    Fact.ACK_UNDONE: State.OPEN,
    Fact.REOPENED: State.OPEN,
    Fact.RECORDED: State.RESOLVED,
    Fact.RESOLVED: State.RESOLVED,
    Fact.CLOSED: State.CLOSED,
}
"""Fact → the state that it puts the incident in."""

MARKED = {
    Fact.OPENED: "opened",
    Fact.DECLARED: "declared",
    Fact.LEVEL_ROSE: "level rose",
    Fact.ESCALATED: "escalated",
    Fact.BREACHED: "breached",
    Fact.ACKNOWLEDGED: "acknowledged",
    Fact.ACK_EXPIRED: "acknowledgement expired",
    Fact.ACK_VOIDED: "worse",
    Fact.ACK_UNDONE: "taken back",
    Fact.GIVEN_BACK: "given back",
    Fact.HELP_ASKED: "help asked for",
    Fact.HELP_WITHDRAWN: "help withdrawn",
    Fact.RECOVERED: "recovered",
    Fact.FIRED_AGAIN: "fired again",
    Fact.RECORDED: "recorded",
    Fact.RESOLVED: "resolved",
    Fact.REOPENED: "reopened",
    Fact.CLOSED: "closed",
}


@dataclass(frozen=True, slots=True)
class PlotLine:
    """One series: (seconds since 1970, value), in order."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class PlotMark:
    """An event, at seconds since 1970."""

    at: float
    word: str


def draw_timeline(record: IncidentRecord) -> str:
    """Returns a bar coloured by the incident's state, with marks for events."""
    begin = record.case.incident.opened_at
    end = max([record.case.incident.closed_at or record.now, *(entry.at for entry in record.timeline), begin + 1])
    marks = [entry for entry in record.decisive if entry.fact in MARKED][:MARKS]

    def x(at: int) -> float:
        return LEFT + (RIGHT - LEFT) * (at - begin) / (end - begin)

    turns = [(entry.at, TURNS[entry.fact]) for entry in record.decisive if entry.fact in TURNS] or [
        (begin, record.case.incident.state)
    ]
    ends = [at for at, _ in turns[1:]] + [end]
    bars = "".join(
        f'<rect x="{x(at):.1f}" y="10" width="{max(0.0, x(until) - x(at)):.1f}" height="16" fill="{COLOURS[state]}">'
        f"<title>{state.value}</title></rect>"
        for (at, state), until in zip(turns, ends, strict=True)
    )
    height = 40 + 15 * len(marks) + 18
    form = "%H:%M:%S" if moment(Instant(begin)).date() == moment(Instant(end)).date() else "%Y-%m-%d %H:%M"
    return _svg(
        height,
        bars,
        *_marks(marks, x, form),
        *_ends(begin, end, height - 4),
        words="The timeline: the table below tells it",
    )


def _marks(marks: Iterable[Entry], x: Callable[[int], float], form: str) -> Iterator[str]:
    """`form`: strftime format of the times, with the day if there are several."""
    for number, entry in enumerate(marks):
        at, y = x(entry.at), 40 + 15 * number
        anchor = "start" if at < (LEFT + RIGHT) / 2 else "end"
        yield f'<line x1="{at:.1f}" y1="10" x2="{at:.1f}" y2="{y + 4}" stroke="{FAINT}" stroke-width="0.7"/>'
        said = f"{moment(entry.at):{form}} {MARKED[entry.fact]}{f' ({entry.by})' if entry.by else ''}"
        yield _text(at + (3 if anchor == "start" else -3), y + 4, said, anchor)


def _ends(begin: int, end: int, y: float) -> Iterator[str]:
    yield _text(LEFT, y, f"{moment(Instant(begin)):%Y-%m-%d %H:%M:%S} UTC", "start", FAINT, "faint")
    yield _text(RIGHT, y, f"{moment(Instant(end)):%Y-%m-%d %H:%M:%S} UTC", "end", FAINT, "faint")


LOW, TOP, BOTTOM = 80, 24, 184
"""Pixels: the left, upper and lower edge of the plot."""


@dataclass(frozen=True, slots=True)
class _Scale:
    """Converts seconds and values to coordinates."""

    begin: float
    end: float
    low: float
    high: float

    @classmethod
    def around(cls, lines: Sequence[PlotLine], threshold: float | None) -> "_Scale":
        times = [at for each in lines for at, _ in each.points]
        values = [value for each in lines for _, value in each.points] + ([] if threshold is None else [threshold])
        low, high = min(values), max(values)
        margin = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
        return cls(min(times), max(times), low - margin, high + margin)

    def x(self, at: float) -> float:
        return LOW + (RIGHT - LOW) * (at - self.begin) / (self.end - self.begin or 1)

    def y(self, value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (value - self.low) / (self.high - self.low)


def draw_lines(
    lines: Sequence[PlotLine], threshold: float | None = None, marks: Sequence[PlotMark] = (), words: str = ""
) -> str:
    """Returns series over time, the condition's threshold as a dashed line, events as vertical
    lines. Empty: no data.
    """
    if not any(each.points for each in lines):
        return ""
    scale = _Scale.around(lines, threshold)
    parts = [*_uprights(marks, scale), *_ticks(scale)]
    if threshold is not None:
        y = scale.y(threshold)
        dashed = f'x1="{LOW}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}"'
        parts.append(f'<line class="limit" {dashed} stroke="{LIMIT}" stroke-dasharray="4 3"/>')
        parts.append(_text(RIGHT, y - 4, f"threshold {threshold:.15g}", "end", LIMIT, "limit"))
    parts += [_polyline(place, each, scale) for place, each in enumerate(lines)]
    parts += _ends(int(scale.begin * 1e6), int(scale.end * 1e6), BOTTOM + 18)
    for place, each in enumerate(lines):
        colour = LINES[place % len(LINES)]
        parts.append(_text(LOW, BOTTOM + 36 + 15 * place, each.name, "start", colour, f"s{place % len(LINES)}"))
    return _svg(BOTTOM + 30 + 15 * len(lines) + 8, *parts, words=words)


def _polyline(place: int, series: PlotLine, scale: _Scale) -> str:
    points = " ".join(f"{scale.x(at):.1f},{scale.y(value):.1f}" for at, value in series.points)
    number = place % len(LINES)
    return f'<polyline class="s{number}" fill="none" stroke="{LINES[number]}" stroke-width="1.5" points="{points}"/>'


def _uprights(marks: Sequence[PlotMark], scale: _Scale) -> Iterator[str]:
    """Vertical lines for events; the word is left out if it would overlap."""
    last = -1e9
    for each in marks:
        if not scale.begin <= each.at <= scale.end:
            continue
        x = scale.x(each.at)
        yield f'<line class="faint" x1="{x:.1f}" y1="{TOP - 10}" x2="{x:.1f}" y2="{BOTTOM}" stroke="{FAINT}"/>'
        if x - last > 75:
            yield _text(x, TOP - 12, each.word, "middle" if x < RIGHT - 40 else "end", FAINT, "faint")
            last = x


def _ticks(scale: _Scale) -> Iterator[str]:
    room = (scale.high - scale.low) * 0.05
    for value in (scale.low + room, scale.high - room):
        yield _text(LOW - 5, scale.y(value) + 4, f"{value:.4g}", "end", FAINT, "faint")


def _text(x: float, y: float, said: str, anchor: str = "start", colour: str = INK, kind: str = "ink") -> str:
    words = escape(cut(line(said), 110))
    place = f'x="{x:.1f}" y="{y:.1f}"'
    return f'<text class="{kind}" {place} font-size="11" text-anchor="{anchor}" fill="{colour}">{words}</text>'


def _svg(height: float, *parts: str, words: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="100%" role="img"'
        f' aria-label="{escape(line(words), quote=True)}"'
        f' font-family="Helvetica, Arial, sans-serif">{"".join(parts)}</svg>'
    )
