"""The picture that goes with a message: drawn beside the loop, in bounded time, or not at all.

The dispatcher asks. A message never waits long for its picture and never fails for one; the first page of an
incident has none, because it leaves before Prometheus has been asked. Pictures are kept for the next recipient.
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
"""Pictures that may be asked for at a time; further messages go without."""

KEPT = 64

PICTURED = frozenset({Kind.PAGE, Kind.BREACH, Kind.ACKNOWLEDGED, Kind.UPDATE, Kind.RESOLVED, Kind.REPORT})
"""Kinds that carry one. Never what goes to the outside: an approver has read it word for word."""

log = structlog.get_logger()


class Plotter:
    """Draws, one picture at a time."""

    def __init__(self, queue: CommandQueue, engine: Engine, reads: Reads) -> None:
        self._queue = queue
        self._engine = engine
        self._reads = reads
        self._thread = ThreadPoolExecutor(1, "tocsin-plot")
        self._waiting = 0
        self.within = WITHIN
        self._kept: OrderedDict[tuple[object, ...], Picture] = OrderedDict()

    async def picture(self, notification: Notification, incident: Incident) -> Picture | None:
        """Of the signals around the incident; None: there is none, or not in time."""
        is_first = notification.kind is Kind.PAGE and notification.reason is Reason.OPENED
        if not self._engine.verifies or is_first or notification.kind not in PICTURED or self._waiting >= WAITING:
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
        """Import what draws, and let it find its fonts: that takes seconds, which no message should wait."""
        self._thread.submit(draw_png, [SignalSeries("", "", None, (PlotLine("", [(0.0, 0.0)]),))], [])

    def close(self) -> None:
        """Let go of the thread."""
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
    """The plotter, where the extra `plots` is installed; warmed up where there will be something to draw."""
    if not can_draw():
        return None
    plotter = Plotter(queue, engine, reads)
    if engine.verifies:
        plotter.warm_up()
    return plotter
