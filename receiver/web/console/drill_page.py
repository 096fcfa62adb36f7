"""`/policy/drill`: simulates an incident: who is notified when, on a virtual clock.

The real engine runs in memory with the configured channels, and sends nothing. One drill at a time, because it occupies
a processor.
"""

import asyncio
from collections.abc import Mapping

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from receiver.core.model import Instant
from receiver.drill.lanes_drawing import draw
from receiver.drill.script import Played, Script, UnknownIncident, play
from receiver.drill.simulator import ChannelFaults, World, begins_at
from receiver.drill.text_report import deadline_words, lines
from receiver.engine.engine import Engine
from receiver.web.api.requests import Duration, Name
from receiver.web.console.declare import kinds
from receiver.web.console.pages import Frame, Visit
from receiver.web.http.problem_details import HttpProblem, invalid
from rules.durations import parse
from rules.policy import Policy

CHOICES = ("2m", "5m", "10m", "30m", "1h", "4h")
"""Times of acknowledgement and recovery that the form offers."""

MOST_LINES = 150


class DrillQuery(BaseModel):
    """The drill's parameters."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    incident: Name = ""
    acknowledge: Duration | None = None
    resolve: Duration | None = None
    without: Name = ""
    """A channel on which every message fails."""


class DrillPage:
    """Handler of the drill page."""

    def __init__(self, frame: Frame, engine: Engine) -> None:
        self._frame = frame
        self._engine = engine
        self._turn = asyncio.Lock()

    async def show(self, visit: Visit) -> web.Response:
        """Shows the form, and the requested drill."""
        query = _query(visit.request.query)
        current = self._engine.current
        configured = self._engine.context(current).configured
        began_at = begins_at(current.policy, visit.now)
        played = await self._play(current.policy, began_at, configured, query) if query.incident else None
        told = list(lines(played)) if played else []
        return self._frame.page(
            visit,
            "drill.html",
            query=query,
            kinds=kinds(current),
            choices=CHOICES,
            channels=[each.name for each in current.policy.channels],
            level=current.policy.level(played.incident.level) if played else None,
            drawing=draw(played) if played else "",
            lines=told[:MOST_LINES],
            more=max(0, len(told) - MOST_LINES),
            deadlines=[(each.outcome, deadline_words(each, played.began_at)) for each in played.deadlines]
            if played
            else [],
            is_reached=played is None or played.reached_after is not None,
        )

    async def _play(self, policy: Policy, began_at: Instant, configured: frozenset[str], query: DrillQuery) -> Played:
        script = Script(_micros(query.acknowledge), _micros(query.resolve))
        channel_faults = ChannelFaults(frozenset({query.without} if query.without else ()))
        async with self._turn:
            try:
                return await asyncio.to_thread(
                    lambda: play(World(policy, channel_faults, configured, began_at), script, query.incident)
                )
            except UnknownIncident:
                raise HttpProblem(404, f"the policy has no {query.incident!r}") from None


def _query(asked: Mapping[str, str]) -> DrillQuery:
    try:
        return DrillQuery.model_validate({name: value for name, value in asked.items() if value})
    except ValidationError as error:
        raise invalid(error, "query") from None


def _micros(text: str | None) -> int | None:
    return None if text is None else parse(text)
