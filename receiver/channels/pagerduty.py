"""PagerDuty, by Events API v2. No other module imports pdpyras (docs/decisions/0002-pdpyras.md).

Each page is its own PagerDuty alert with the key ``<incident>-<page serial>``: a second trigger with the same key would
only be logged there and notify no person. An acknowledgement and a resolve apply to all of them. All three are
idempotent by that key, so every uncertain result is a Retry.

Rules: pdpyras may not retry, wait (on 429 it would wait without limit) or follow redirects; its calls run on daemon
threads; its error texts are not shown, because they contain the end of the routing key.
"""

import asyncio
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from io import BytesIO
from typing import Any, assert_never

import requests
import urllib3

from receiver.channels import Configured, Outgoing
from receiver.channels.posting import MAX_ANSWER, excerpt, patience
from receiver.channels.threads import DaemonThreads, ThreadsExhausted
from receiver.clients.egress import Egress, reason_of
from receiver.core.events import Delivered, Outcome, Rejected, Retry
from receiver.core.model import Kind, State
from receiver.messages.plain import line, plain
from receiver.messages.times import rfc3339
from receiver.settings import Settings, variable_of
from rules.policy import MINUTE, Channel

with warnings.catch_warnings():
    # It warns of its retirement on import (docs/decisions/0002-pdpyras.md).
    warnings.simplefilter("ignore")
    import pdpyras

API_URL = "https://events.pagerduty.com"
_SETTING = "pagerduty_routing_key"
"""Shared by all services; each service may have its own."""
PATIENCE = MINUTE
"""After a 429 PagerDuty advises to wait minutes."""

_MAX_KEY, _MAX_SUMMARY = 255, 1024
_FACT_NAMES = {"state": "stands"}
"""Facts in words whose names are reserved for machine-readable values."""
_MAX_FACTS, _MAX_NOTES, _MAX_DETAIL, _MAX_NAME = 20, 5, 1000, 200
"""Together they keep an event well below 512 kB, even at twelve bytes per character."""
_AT_ONCE = 6
"""Alerts that are closed in parallel."""
_REMEMBERED = 1000
"""Messages whose progress in closing alerts is kept."""


class PagerDutySender:
    """Triggers, acknowledges and resolves PagerDuty alerts."""

    def __init__(
        self,
        key_of: Callable[[str], str],
        *,
        api_url: str = API_URL,
        egress: Egress | None = None,
        timeout: tuple[float, float] = (3.0, 10.0),
        deadline: float = 25.0,
    ) -> None:
        """`key_of` returns a service's routing key, or an empty string.

        `timeout`: seconds to connect, and between two bytes. `deadline`: seconds for a message.
        """
        self._key_of = key_of
        self._api_url = api_url
        self._egress = egress or Egress()
        self._timeout = timeout
        self._deadline = deadline
        self._threads = DaemonThreads("pagerduty")
        self._idle: dict[str, list[_Session]] = {}
        """Idle sessions by key. One call at a time uses a session: requests sessions are not thread-safe."""
        self._closed_pages: dict[str, set[int]] = {}
        """Message → pages already closed, so that a retry after a 429 continues there."""

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Sends the event. Kinds without a PagerDuty event count as delivered."""
        service = outgoing.notification.recipient
        key = self._key_of(service)
        if not key:
            return Rejected(f"no routing key: set {variable_of(_SETTING, service)}, or the common one")
        try:
            async with asyncio.timeout(self._deadline):
                return await self._tell(outgoing, key)
        except TimeoutError:
            return Retry(f"PagerDuty gave no answer within {self._deadline:g} s")
        except ThreadsExhausted:
            return Retry("PagerDuty does not finish its answers; too many are still under way")

    async def _tell(self, outgoing: Outgoing, key: str) -> Outcome:
        match outgoing.notification.kind:
            case Kind.PAGE:
                event = trigger(outgoing)
                return await self._post(key, "trigger", dedup_key(outgoing, outgoing.notification.page), event)
            case Kind.ACKNOWLEDGED:
                return await self._close_pages(outgoing, key, "acknowledge")
            case Kind.RESOLVED:
                return await self._close_pages(outgoing, key, "resolve")
            case (
                Kind.NOTICE
                | Kind.REMINDER
                | Kind.UPDATE
                | Kind.BREACH
                | Kind.REPORT
                | Kind.EXTERNAL
                | Kind.APPROVAL
                | Kind.ROOM
            ):
                # The core plans none of these for PagerDuty, which would not show them.
                return Delivered()
            case other:
                assert_never(other)

    async def _close_pages(self, outgoing: Outgoing, key: str, action: str) -> Outcome:
        """Closes all pages, a few at a time; a Retry for one is a Retry for the message."""
        done = self._closed_pages.setdefault(outgoing.key, set())
        refused: Rejected | None = None
        left = [serial for serial in outgoing.pages if serial not in done]
        for start in range(0, len(left), _AT_ONCE):
            serials = left[start : start + _AT_ONCE]
            outcomes = await asyncio.gather(
                *(self._post(key, action, dedup_key(outgoing, serial), {}) for serial in serials)
            )
            done.update(s for s, outcome in zip(serials, outcomes, strict=True) if not isinstance(outcome, Retry))
            refused = next((each for each in outcomes if isinstance(each, Rejected)), refused)
            waiting = [each for each in outcomes if isinstance(each, Retry)]
            if waiting:
                self._forget_oldest()
                return max(waiting, key=lambda each: each.after or 0)
        self._closed_pages.pop(outgoing.key, None)
        return refused or Delivered(dedup_key(outgoing, outgoing.pages[-1]) if outgoing.pages else "")

    def _forget_oldest(self) -> None:
        while len(self._closed_pages) > _REMEMBERED:
            del self._closed_pages[next(iter(self._closed_pages))]

    async def _post(self, key: str, action: str, dedup: str, event: Mapping[str, Any]) -> Outcome:
        return await self._threads.run(lambda given_up: self._call(key, action, dedup, event, given_up))

    def _call(self, key: str, action: str, dedup: str, event: Mapping[str, Any], given_up: threading.Event) -> Outcome:
        """Runs on its own thread."""
        idle = self._idle.setdefault(key, [])
        try:
            session = idle.pop()
        except IndexError:
            session = _Session(key, self._api_url, self._timeout, self._egress)
        session.given_up = given_up
        try:
            session.send_event(action, dedup_key=dedup, **event)
        except pdpyras.PDClientError as error:
            return judge(error, key)
        finally:
            idle.append(session)
        return Delivered(dedup)

    async def close(self) -> None:
        """Closes idle connections; the threads are daemons."""
        for sessions in self._idle.values():
            while sessions:
                sessions.pop().close()


def configure(settings: Settings, _now: Callable[[], int]) -> Configured | None:
    """Configured if there is a routing key; serves the channels whose service has one."""
    if not (settings.pagerduty_routing_key or settings.owners(_SETTING)):
        return None

    def key_of(service: str) -> str:
        key = settings.own(_SETTING, service) or settings.pagerduty_routing_key
        return key.get_secret_value() if key else ""

    def serves(channel: Channel) -> bool:
        return any(key_of(service) for service in channel.recipients)

    url = settings.pagerduty_api_url
    return Configured(lambda egress: PagerDutySender(key_of, api_url=url, egress=egress), serves)


class _Session(pdpyras.EventsAPISession):  # type: ignore[misc]  # pdpyras has no types
    """pdpyras with one try, no redirects, Tocsin's egress, and a bounded answer."""

    def __init__(self, key: str, api_url: str, timeout: tuple[float, float], egress: Egress) -> None:
        super().__init__(key)
        self.url = api_url
        self.timeout = timeout
        self.max_network_attempts = 0
        egress.prepare(self, api_url)
        self.given_up = threading.Event()
        self.hooks["response"].append(self._read)

    def post(self, *args: Any, **options: Any) -> requests.Response:
        return super().post(*args, allow_redirects=False, **options)  # type: ignore[no-any-return]

    def postprocess(self, response: requests.Response) -> None:
        """Raises for error statuses before pdpyras's own handling, which can retry without end."""
        if not 200 <= response.status_code < 300:
            raise pdpyras.PDHTTPError("refused", response)

    def _read(self, response: requests.Response, **_: Any) -> None:
        """Reads the answer up to MAX_ANSWER, and stops when the caller has given up."""
        body = bytearray()
        try:
            for chunk in response.raw.stream(1, decode_content=True):
                body += chunk
                if len(body) > MAX_ANSWER or self.given_up.is_set():
                    response.raw.close()
                    break
        except urllib3.exceptions.HTTPError:
            # The connection broke: the status is known, and the incomplete body will not parse.
            response.raw.close()
        response.raw = BytesIO(body)


def dedup_key(outgoing: Outgoing, serial: int) -> str:
    """Returns PagerDuty's dedup key of a page."""
    key = f"{outgoing.incident_ref}-{serial}"
    return key if len(key) <= _MAX_KEY else sha256(key.encode()).hexdigest()


def judge(error: pdpyras.PDClientError, key: str) -> Outcome:
    """Returns the outcome of a failed call, from the status alone: pdpyras's error classes do not distinguish the
    cases.
    """
    response = error.response
    if response is None:
        return Retry(_network(error.__cause__))
    match response.status_code:
        case 401 | 403 as status:
            advice = "set TOCSIN_PAGERDUTY_ROUTING_KEY to the key of an Events API v2 integration"
            return Rejected(f"PagerDuty refuses the routing key ({status}): {advice}")
        case 429:
            asked = patience(response.headers)
            return Retry("PagerDuty limits the rate (429)", max(PATIENCE, asked or 0))
        case status if 200 <= status < 300:
            return Retry(f"PagerDuty's answer ({status}) is not one of the Events API; is the API URL right?")
        case status if status >= 500 or status == 408:
            return Retry(f"PagerDuty is in trouble ({status})", patience(response.headers))
        case status if 300 <= status < 400:
            return Rejected(f"PagerDuty's address redirects ({status}), which is not followed: is the API URL right?")
        case status:
            return Rejected(f"PagerDuty refuses the event ({status}): {_complaint(response, key)}")


def _network(cause: BaseException | None) -> str:
    match cause:
        case requests.ConnectTimeout():
            return "PagerDuty cannot be reached: no connection in time"
        case requests.Timeout():
            return "PagerDuty did not answer in time"
        case requests.exceptions.SSLError():
            return "PagerDuty's server does not prove who it is (TLS); see TOCSIN_CA_FILE"
        case requests.exceptions.ProxyError():
            return f"PagerDuty: {reason_of(cause)}"
        case _:
            return f"PagerDuty cannot be reached, or hung up ({type(cause).__name__})"


def _complaint(response: requests.Response, key: str) -> str:
    """Returns the answer's error text without the key, which some answers repeat in part."""
    text = response.text
    with suppress(ValueError):
        answer = response.json()
        errors = answer.get("errors") if isinstance(answer, dict) else None
        if isinstance(errors, Sequence) and errors:
            text = "; ".join(str(each) for each in errors)
    return excerpt(text, (key, key[-4:])) or "no reason given"


def trigger(outgoing: Outgoing) -> dict[str, Any]:
    """Returns the event that opens an alert."""
    message, incident = outgoing.message, outgoing.incident
    links = [{"href": url, "text": line(label)} for label, url in message.links]
    return {
        "client": "Tocsin",
        **({"client_url": message.links[0][1]} if message.links else {}),
        **({"links": links} if links else {}),
        "payload": {
            "summary": line(message.headline, _MAX_SUMMARY) or f"Incident #{incident.number}",
            "timestamp": rfc3339(outgoing.notification.created_at),
            "source": line(message.system or incident.labels.get("system", "")) or "tocsin",
            "severity": message.severity,
            "class": line(incident.type),
            "custom_details": _details(outgoing),
        },
    }


def _details(outgoing: Outgoing) -> dict[str, Any]:
    """Returns the custom details for people and event rules; names are added, never changed."""
    message, incident = outgoing.message, outgoing.incident
    facts = {_FACT_NAMES.get(name := _key(label), name): plain(value, _MAX_DETAIL) for label, value in message.facts}
    details: dict[str, Any] = {
        **dict(list(facts.items())[:_MAX_FACTS]),
        "number": incident.number,
        "type": line(incident.type),
        "system": line(message.system),
        "level": incident.level,
        "level_name": message.level_name,
        "state": incident.state.value,
        "reason": outgoing.notification.reason.value,
        "exercise": incident.exercise,
        "opened_at": rfc3339(incident.opened_at),
        "acknowledge_by": rfc3339(incident.response_due_at) if incident.state is State.OPEN else "",
        "rules": [line(rule) for rule in list(incident.rules)[:_MAX_FACTS]],
        "labels": {line(name, _MAX_NAME): line(value, _MAX_NAME) for name, value in message.labels},
        "first_actions": [plain(action, _MAX_DETAIL) for action in message.actions[:_MAX_NOTES]],
        "firing": dict(message.firing),
        "notes": [plain(text, _MAX_DETAIL) for text in message.paragraphs[:_MAX_NOTES]],
    }
    return {name: value for name, value in details.items() if value not in ("", [], {})}


def _key(label: str) -> str:
    """Returns a fact's label as a name for event rules: ``acknowledge_by``."""
    return "_".join(line(label, 100).lower().split())
