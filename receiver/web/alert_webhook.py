"""`POST /webhook/alertmanager?source=`: receives alerts. The hot path; it must not lose any.

Rules: 200 only when everything is committed, and fast, since Alertmanager blocks the group meanwhile; 503 or 500 where
a retry can succeed, because it retries 5xx; 4xx only where none can, because it does not retry those; never a redirect.
A refused webhook is counted and logged without its content.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import orjson
import structlog
from aiohttp import web
from msgspec.structs import replace
from pydantic import ValidationError

from receiver.clients.alert_payload import Payload, parse
from receiver.clock import steady_clock
from receiver.core.classify import Received, is_ignored, is_sign_of_life, sort
from receiver.core.events import AlertsReceived
from receiver.core.loaded_rules import digests
from receiver.core.model import Instant
from receiver.core.unreadable import told
from receiver.engine.commands import Result
from receiver.engine.engine import Engine
from receiver.engine.heartbeat_cache import Heartbeats
from receiver.engine.queue import CommandQueue
from receiver.engine.service_state import ServiceState
from receiver.errors import StoreDamaged, StoreUnavailable
from receiver.jobs.loaded_rules import RulesSeen
from receiver.settings import Settings
from receiver.telemetry.metrics import Metrics
from receiver.telemetry.tracing import Traces
from receiver.web.auth.access import WebhookAccess
from receiver.web.http.connections import know
from receiver.web.http.problem_details import JSON, STOPPING, UNAVAILABLE, HttpProblem
from receiver.web.http.request_body import read_body
from receiver.web.peers import PeersSeen
from receiver.web.recorder import Recorder

SOURCE_LIMIT = 200
"""Characters of ``?source=`` that are kept."""

LARGE = 256 << 10
"""Bytes from which a body is processed on a thread: it takes over 20 ms."""

REFUSED_WHOLE = frozenset((400, 413))
"""Statuses that refuse an authenticated sender's whole body; Alertmanager sends such a body again and again."""

OUTCOMES = {400: "malformed", 401: "unauthorized", 403: "unauthorized", 413: "too_large", 503: "unavailable"}

Out = TypeVar("Out")

log = structlog.get_logger()


class Webhook:
    """Receives Alertmanager's notifications."""

    def __init__(  # noqa: PLR0913 - its parts, each by name
        self,
        *,
        queue: CommandQueue,
        engine: Engine,
        heartbeats: Heartbeats,
        rules_seen: RulesSeen,
        state: ServiceState,
        settings: Settings,
        clock: Callable[[], Instant],
        metrics: Metrics,
        recorder: Recorder | None = None,
        traces: Traces | None = None,
    ) -> None:
        self._traces = traces
        self._queue = queue
        self._engine = engine
        self._heartbeats = heartbeats
        self._rules_seen = rules_seen
        self._state = state
        self._clock = clock
        self._metrics = metrics
        self._access = WebhookAccess(settings)
        self._recorder = recorder
        self._peers_seen = PeersSeen()
        self._turn = asyncio.Lock()
        """Serialises the processing of large bodies."""

    async def receive(self, request: web.Request) -> web.Response:
        """Takes a webhook. Returns the numbers of the incidents concerned, and the unreadable alerts."""
        began = steady_clock()
        source = request.query.get("source", "").replace("\0", "")[:SOURCE_LIMIT]
        try:
            self._access.require(request)
            know(request, sends=True)
            self._require_open()
            answer = await self._take(await read_body(request), source)
        except HttpProblem as problem:
            self._refuse(problem)
            await self._tell_of_refused(problem, source)
            raise
        except (StoreUnavailable, StoreDamaged) as error:
            self._refuse(UNAVAILABLE, str(error))
            raise UNAVAILABLE.with_traceback(None) from error  # one object for all: raises would extend its traceback
        except Exception:
            self._metrics.webhook("failed")
            raise
        self._metrics.webhook("accepted", steady_clock() - began)
        return web.Response(body=orjson.dumps(answer), content_type=JSON)

    def _require_open(self) -> None:
        if self._state.is_stopping:
            raise STOPPING.with_traceback(None)

    async def _take(self, body: bytes, source: str) -> dict[str, Any]:
        began = steady_clock()
        try:
            payload = await self._beside(body, parse, body, self._clock())
        except ValidationError as error:
            raise _unreadable(error) from None
        if self._recorder:
            self._recorder.take(self._clock(), source, body)
        what = self._engine.current, source, payload.group_labels, payload.alerts
        sorted_ = await self._beside(body, partial(sort, truncated=payload.truncated > 0), *what)
        requests = self._note(payload, source, sorted_)
        unreadable = self._report(payload, source, requests)
        if not requests:
            return {"incidents": []}
        parsed = steady_clock()
        results = await self._queue.handle(requests)
        if self._traces:
            concerned = {each.id: each for result in results for each in result.concerned}
            now, ended = self._clock(), steady_clock()
            self._traces.received(concerned.values(), Instant(now - ended + began), Instant(now - ended + parsed), now)
        return {"incidents": _numbers(results), **unreadable}

    def _report(self, payload: Payload, source: str, requests: list[AlertsReceived]) -> dict[str, Any]:
        """Adds a request about the unreadable alerts to `requests`; returns their part of the response."""
        if not payload.unreadable:
            return {}
        self._metrics.unreadable.inc(len(payload.unreadable))
        reasons = sorted({each.reason for each in payload.unreadable})
        log.warning("alerts cannot be read", alerts=len(payload.unreadable), source=source, reasons=reasons)
        requests.append(told(source, reasons, self._clock()))
        return {"unreadable": [{"index": each.index, "reason": each.reason} for each in payload.unreadable]}

    async def _tell_of_refused(self, problem: HttpProblem, source: str) -> None:
        """Notifies people of a body that was refused whole: each retry is refused again."""
        if problem.status not in REFUSED_WHOLE:
            return
        reason = f"a webhook was refused with {problem.status}, and none of its alerts was taken: {problem.detail}"
        try:
            await self._queue.handle([told(source, [reason], self._clock())])
        except (StoreUnavailable, StoreDamaged) as error:
            log.warning("no incident could tell of a refused webhook", source=source, reason=str(error))

    async def _beside(self, body: bytes, work: Callable[..., Out], *arguments: Any) -> Out:
        """Does `work` on a thread for a large body, one at a time, so that the event loop stays responsive."""
        if len(body) < LARGE:
            return work(*arguments)
        async with self._turn:
            return await asyncio.to_thread(work, *arguments)

    def _note(self, payload: Payload, source: str, sorted_: Sequence[AlertsReceived]) -> list[AlertsReceived]:
        """One event per incident key, with its sender; heartbeats are recorded and ignored alerts counted."""
        policy_version = self._engine.current
        told_by, peers_differ = self._peers_seen.hear(source, payload.external_url, payload.group_key)
        events = [replace(each, told_by=told_by, peers_differ=peers_differ) for each in sorted_]
        alerts = [alert for event in events for alert in event.alerts]
        self._metrics.alerts(alerts)
        for digest in digests(policy_version, payload.alerts):
            self._rules_seen.hear(source, digest, self._clock())
        if len(alerts) < len(payload.alerts):
            self._pass_over(source, payload.alerts)
        return events

    def _pass_over(self, source: str, alerts: Sequence[Received]) -> None:
        """Records the heartbeats among the alerts, and counts the ignored ones."""
        policy_version = self._engine.current
        signs = (each for each in alerts if is_sign_of_life(policy_version, source, each))
        self._heartbeats.hear(policy_version.policy, source, signs)
        self._metrics.ignored.inc(sum(is_ignored(policy_version, each) for each in alerts))

    def _refuse(self, problem: HttpProblem, reason: str = "") -> None:
        outcome = OUTCOMES.get(problem.status, "failed")
        self._metrics.webhook(outcome)
        log.warning("webhook refused", status=problem.status, outcome=outcome, reason=reason or problem.detail)


def _unreadable(error: ValidationError) -> HttpProblem:
    """The error of a body without readable alerts; does not quote the body."""
    fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if fault["type"] == "json_invalid":
        said = f"it is cut off or no JSON ({fault['msg'].removeprefix('Invalid JSON: ')})"
    else:
        said = "it has no list `alerts`, as Alertmanager's webhooks have"
    return HttpProblem(400, f"the body cannot be read: {said}. Mend what sends it: sent again, it is refused again.")


def _numbers(results: Sequence[Result]) -> list[int]:
    """Numbers of the incidents concerned. Raises HttpProblem 500 if one could not be stored; the others were."""
    failed = sum(1 for result in results if result.error)
    if failed:
        raise HttpProblem(500, f"{failed} of {len(results)} incidents could not be stored; the others were")
    return sorted({incident.number for result in results for incident in result.concerned})
