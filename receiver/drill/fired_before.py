"""When a rule would have fired, from what its condition returned at each evaluation: pure, for `tocsin check`."""

from collections.abc import Iterable, Sequence

Span = tuple[float, float]
"""From the alert's firing to its end, in seconds since 1970."""


def firings(points: Sequence[float], step: float, waits: float, keeps: float) -> list[Span]:
    """When one series' alert fires. `points`: the times at which its condition held, `step` seconds apart at least."""
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
    """Spans of one rule's alerts, those that overlap or touch as one: they are one incident."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
