"""PagerDuty's callbacks (v3 webhooks): an acknowledgement in PagerDuty acknowledges the incident in Tocsin.

A resolve in PagerDuty also only acknowledges: in Tocsin the signal or a person resolves. Rules: only actions of persons
count, because PagerDuty also reports Tocsin's own; the dedup key identifies the page.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import orjson
import structlog
from aiohttp import web

from receiver.core.audit_log import Origin
from receiver.core.events import Acknowledge
from receiver.core.model import State
from receiver.messages.plain import line
from receiver.web.callbacks.actions import CallbackActions
from receiver.web.callbacks.context import CallbackContext
from receiver.web.http.problem_details import Handler, HttpProblem
from receiver.web.http.request_body import read_strangers_body

PATH = "/callbacks/pagerduty"
DEEDS = {"incident.acknowledged": "acknowledged in PagerDuty", "incident.resolved": "resolved in PagerDuty"}

_KEY = re.compile(r"[^-]+-(?P<incident>[0-9a-f]{32})-(?P<page>\d{1,9})")
"""``receiver.channels.pagerduty.dedup_key``: installation, incident, page."""

log = structlog.get_logger()


class PagerDutyCallbacks:
    """Handler of PagerDuty's webhook."""

    def __init__(self, queue: CallbackActions, secrets: Sequence[str]) -> None:
        """`secrets`: of the webhook subscription; several during a rotation."""
        self._queue = queue
        self._secrets = tuple(secret.encode() for secret in secrets)

    def routes(self) -> tuple[tuple[str, str, Handler], ...]:
        """Method, path, handler."""
        return (("POST", PATH, self.receive),)

    async def receive(self, request: web.Request) -> web.Response:
        """Takes an event of PagerDuty."""
        body = await read_strangers_body(request)
        if not self._is_signed(body, request.headers.get("X-PagerDuty-Signature", "")):
            log.warning("callback refused: not signed by PagerDuty", path=request.path)
            raise HttpProblem(401, "this is not signed by PagerDuty")
        event = _event(body)
        agent, data = event.get("agent"), event.get("data")
        deed = DEEDS.get(str(event.get("event_type")))
        if not (deed and isinstance(agent, dict) and isinstance(data, dict)) or agent.get("type") != "user_reference":
            return web.Response(status=204)
        key = _KEY.fullmatch(str(data.get("incident_key", "")))
        if key is not None:
            who = line(str(agent.get("summary") or agent.get("id") or "somebody in PagerDuty"), 80)
            origin = Origin(who, "pagerduty", line(str(agent.get("id", "")), 40), f"pagerduty {event.get('id', '')}")
            action = Acknowledge(who, deed, expects=State.OPEN, answers=int(key["page"]))
            outcome = await self._queue.act(key["incident"], action, origin)
            if outcome.again:
                raise HttpProblem(503, "this could not be stored; please try again")
            log.info("PagerDuty called back", deed=deed, done=outcome.done)
        return web.Response(status=204)

    def _is_signed(self, body: bytes, header: str) -> bool:
        given = [each.strip().encode("utf-8", "surrogatepass") for each in header.split(",")][:10]
        expected = [b"v1=" + hmac.new(secret, body, sha256).hexdigest().encode() for secret in self._secrets]
        return any(hmac.compare_digest(one, other) for one in given for other in expected)


def configure(context: CallbackContext) -> PagerDutyCallbacks | None:
    """Configured if there is a secret."""
    secrets = context.settings.pagerduty_webhook_secret
    if not secrets:
        return None
    given = (secret.strip() for secret in secrets.get_secret_value().split(","))
    return PagerDutyCallbacks(context.actions, [secret for secret in given if secret])


def _event(body: bytes) -> Mapping[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise HttpProblem(400, "the body is no JSON") from None
    event = document.get("event") if isinstance(document, dict) else None
    if not isinstance(event, dict):
        raise HttpProblem(400, "the body has no event")
    return event
