"""The picture of a message, drawn on another thread and in bounded time; without success the message has none.

The dispatcher calls it. A picture neither delays a message beyond WITHIN nor makes it fail. The first page of an
incident has none, because it is sent before Prometheus is queried. Pictures are cached for the next recipient.
"""

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

import structlog

from receiver.core.model import Incident, Kind, Notification, Reason
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.messages import Picture
from receiver.reports.drawing import PlotLine
from receiver.reports.exhibits import SignalSeries, latest, marks
from receiver.reports.plots import can_draw, draw_png
from receiver.reports.queries import drawable
from receiver.store import Reads

WITHIN = 2.0
"""Seconds that a message waits for its picture."""

WAITING = 4
"""Pictures that may be requested at a time; further messages have none."""

KEPT = 64

PICTURED = frozenset({Kind.PAGE, Kind.BREACH, Kind.ACKNOWLEDGED, Kind.UPDATE, Kind.RESOLVED, Kind.REPORT})
"""Kinds with a picture. Not external notices: an approver has approved their exact content."""

log = structlog.get_logger()


class Plotter:
    """Draws one picture at a time."""

    def __init__(self, queue: CommandQueue, engine: Engine, reads: Reads) -> None:
        self._queue = queue
        self._engine = engine
        self._reads = reads
        self._thread = ThreadPoolExecutor(1, "tocsin-plot")
        self._waiting = 0
        self.within = WITHIN
        self._kept: OrderedDict[tuple[object, ...], Picture] = OrderedDict()

    async def picture(self, notification: Notification, incident: Incident) -> Picture | None:
        """Returns the picture of the signals around the incident; None: none, or not in time."""
        is_first = notification.kind is Kind.PAGE and notification.reason is Reason.OPENED
        if (
            not self._engine.standing.verifies
            or is_first
            or notification.kind not in PICTURED
            or self._waiting >= WAITING
        ):
            return None
        self._waiting += 1
        try:
            async with asyncio.timeout(self.within):
                return await self._draw(incident)
        except TimeoutError:
            log.warning("a picture took too long; the message goes without", incident=incident.number)
        except Exception:
            log.exception("a picture could not be drawn; the message goes without", incident=incident.number)
        finally:
            self._waiting -= 1
        return None

    def warm_up(self) -> None:
        """Imports matplotlib and builds its font cache in advance: that takes seconds."""
        self._thread.submit(draw_png, [SignalSeries("", "", None, (PlotLine("", [(0.0, 0.0)]),))], [])

    def close(self) -> None:
        """Stops the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _draw(self, incident: Incident) -> Picture | None:
        entries = await self._queue.read(drawable, self._reads, incident.id)
        shown, beside = latest(entries), marks(entries)
        if not shown:
            return None
        key = (incident.id, shown[0].moment, *beside)
        if key not in self._kept:
            png = await asyncio.get_running_loop().run_in_executor(self._thread, draw_png, shown, beside)
            self._kept[key] = Picture(png, "; ".join(each.words for each in shown))
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return self._kept[key]


def make_plotter(queue: CommandQueue, engine: Engine, reads: Reads) -> Plotter | None:
    """Returns the plotter if the extra `plots` is installed, warmed up if signals will be kept; else None."""
    if not can_draw():
        return None
    plotter = Plotter(queue, engine, reads)
    if engine.standing.verifies:
        plotter.warm_up()
    return plotter
