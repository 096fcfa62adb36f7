"""When a rule would have fired, from the past results of its condition: pure, for `tocsin check`."""

from collections.abc import Iterable, Sequence

Span = tuple[float, float]
"""Start and end of firing, in seconds since 1970."""


def firings(points: Sequence[float], step: float, waits: float, keeps: float) -> list[Span]:
    """The firing spans of one series' alert. `points`: the times (seconds) at which the condition held, at least `step`
    apart.
    """
    found: list[Span] = []
    began = before = None
    for at in (*points, None):
        if began is not None and before is not None and (at is None or at - before > 1.5 * step):
            if before - began >= waits:
                found.append((began + waits, before + step + keeps))
            began = None
        if at is not None and began is None:
            began = at
        before = at
    return found


def together(spans: Iterable[Span]) -> list[Span]:
    """One rule's spans, merged where they overlap or touch, because those are one incident."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
