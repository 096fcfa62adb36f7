"""The signals around an incident as PNG, for mail and Slack, which show no SVG. Needs matplotlib, the extra `plots`.

Only the object-oriented interface with Agg, which may run on any thread. matplotlib is imported when a picture is
drawn, so the module can be imported without it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from io import BytesIO
from typing import Any

from receiver.messages.plain import cut
from receiver.reports.drawing import FAINT, LIMIT, LINES, PlotMark
from receiver.reports.exhibits import SignalSeries

MOST = 3
"""Signals in one picture."""

WIDTH, HEIGHT, DPI = 7.6, 2.7, 110
"""Width and height in inches of one signal; dots per inch."""

TICKS = 5

LAST_GLYPH = "\u058f"
"""matplotlib's own font has no glyphs beyond it."""


def can_draw() -> bool:
    """Whether the extra is installed."""
    return find_spec("matplotlib") is not None


def draw_png(courses: Sequence[SignalSeries], marks: Sequence[PlotMark]) -> bytes:
    """Returns one picture of the signals, one below the other."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - an extra, and slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415

    shown = courses[:MOST]
    figure = Figure(figsize=(WIDTH, HEIGHT * len(shown)), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    for axes, course in zip(figure.subplots(len(shown), squeeze=False)[:, 0], shown, strict=True):
        _draw(axes, course, marks)
    out = BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def _draw(axes: Any, course: SignalSeries, marks: Sequence[PlotMark]) -> None:
    drawn = [
        axes.plot([at for at, _ in each.points], [value for _, value in each.points], color=_colour(place))[0]
        for place, each in enumerate(course.lines)
    ]
    times = [at for each in course.lines for at, _ in each.points]
    for mark in marks:
        if min(times) <= mark.at <= max(times):
            axes.axvline(mark.at, color=FAINT, linewidth=0.8)
            axes.annotate(
                _plain(mark.word), (mark.at, 1), xycoords=("data", "axes fraction"), fontsize=7, color=FAINT,
                rotation=90, va="top", ha="right", parse_math=False,
            )  # fmt: skip
    if course.threshold is not None:
        axes.axhline(course.threshold, color=LIMIT, linestyle="--", linewidth=1)
    axes.set_title(_plain(course.query), fontsize=9, loc="left", parse_math=False)
    _dress(axes, drawn, [_plain(each.name) for each in course.lines], min(times), max(times))


def _dress(axes: Any, drawn: Sequence[Any], names: Sequence[str], begin: float, end: float) -> None:
    axes.set_xlim(begin, max(end, begin + 1))
    places = [begin + (end - begin) * share / TICKS for share in range(TICKS + 1)]
    axes.set_xticks(places, [f"{_time(at):%H:%M:%S}" for at in places])
    axes.set_xlabel(f"{_time(begin):%d %b %Y}, UTC", fontsize=8, color=FAINT)
    axes.tick_params(labelsize=8, colors=FAINT)
    axes.spines[["top", "right"]].set_visible(False)
    legend = axes.legend(drawn, names, fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(0, -0.22))
    for text in legend.get_texts():
        text.set_parse_math(False)


def _time(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _colour(place: int) -> str:
    return LINES[place % len(LINES)]


def _plain(text: str) -> str:
    """Returns the text with a leading space before an underscore: the legend leaves such names out."""
    shown = "".join(each if each <= LAST_GLYPH else "?" for each in cut(text, 100))
    return f" {shown}" if shown.startswith("_") else shown
