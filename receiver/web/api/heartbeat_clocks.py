"""The operations of heartbeats: list the watched ones, retire one."""

from collections.abc import Callable

from receiver.core.audit_log import Origin, audit_of
from receiver.core.heartbeat import Watched
from receiver.core.model import Instant
from receiver.core.urgency import PEOPLE
from receiver.engine.engine import Engine
from receiver.engine.heartbeat_cache import Heartbeats
from receiver.engine.queue import CommandQueue
from receiver.messages.times import rfc3339
from receiver.web.api import requests
from receiver.web.api.call import Call
from receiver.web.api.responses import HeartbeatsView, HeartbeatView
from receiver.web.http.problem_details import HttpProblem
from rules.policy import SECOND


class HeartbeatsApi:
    """Handlers of /heartbeats; the console also calls `retire_by`."""

    def __init__(
        self, queue: CommandQueue, engine: Engine, heartbeats: Heartbeats, clock: Callable[[], Instant]
    ) -> None:
        self._queue = queue
        self._engine = engine
        self._heartbeats = heartbeats
        self._clock = clock

    @property
    def watched(self) -> tuple[Watched, ...]:
        """Every expected heartbeat."""
        return self._heartbeats.watched(self._engine.current.policy)

    async def list(self, _call: Call[requests.Nothing]) -> HeartbeatsView:
        """List the watched heartbeats."""
        return self._show()

    async def retire(self, call: Call[requests.RetireBody]) -> HeartbeatsView:
        """Retire a heartbeat that is no longer expected."""
        await self.retire_by(call.part, call.said.reason, call.caller.origin, call.by(call.said.by))
        return self._show()

    async def retire_by(self, key: str, reason: str, origin: Origin, by: str) -> None:
        """Retires a heartbeat and records it in the audit log. Raises HttpProblem: 404, 409."""
        found = next((each for each in self.watched if each.clock.key == key), None)
        if found is None:
            raise HttpProblem(404, "there is no such heartbeat")
        if not found.was_heard:
            raise HttpProblem(
                409, f"{found.name!r} is expected because the policy names it: take it out of `heartbeats`"
            )
        now = self._clock()
        data = {"heartbeat": key, "of": found.words, "reason": reason, "by": by}
        entry = audit_of(origin, now, "retire-heartbeat", data=data)
        await self._queue.run(self._engine.retire_heartbeat, key, entry, urgency=PEOPLE)
        self._heartbeats.retire(key, now)

    def _show(self) -> HeartbeatsView:
        now = self._clock()
        return HeartbeatsView(heartbeats=[_show(each, now) for each in self.watched])


def _show(each: Watched, now: Instant) -> HeartbeatView:
    return HeartbeatView(
        key=each.clock.key,
        name=each.name,
        source=each.clock.source,
        labels=dict(each.clock.labels),
        state=each.life,
        evaluated_at=rfc3339(each.clock.evaluated_at) if each.was_heard else None,
        age=max(0, now - each.since) / SECOND,
        within=each.within / SECOND,
    )
