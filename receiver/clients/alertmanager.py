"""Client of Alertmanager's API: its alerts and silences. Used by `receiver.jobs.reconcile` and
`receiver.jobs.reconcile`.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Literal, NotRequired
from urllib.parse import urlsplit

import aiohttp
import orjson
import yaml
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from receiver.clients.alert_payload import AlertDocument, Texts, instant, take
from receiver.clients.alertmanager_routes import Routes
from receiver.clients.egress import Egress, HttpSession, reason_of
from receiver.core.model import Incident, Instant
from receiver.core.reconcile import Listed, Listing
from receiver.core.silences import Order, Silence
from receiver.errors import CannotError
from receiver.messages.times import rfc3339

MARK = "; made by Tocsin for incident "
"""Precedes the incident's id in the comment of silences made by Tocsin."""

WORDS = 200
"""Bytes of an error response that are kept."""


TIMEOUT = aiohttp.ClientTimeout(total=20)


class _State(TypedDict):
    state: Literal["active", "suppressed", "unprocessed"]
    silencedBy: NotRequired[list[str]]
    inhibitedBy: NotRequired[list[str]]


class _Receiver(TypedDict):
    name: str


class _Required(TypedDict):
    labels: Texts
    startsAt: datetime
    status: _State
    receivers: list[_Receiver]


class _AlertDocument(_Required, total=False):
    annotations: Texts
    fingerprint: str
    generatorURL: str


class _Peer(TypedDict):
    name: str


class _Cluster(TypedDict, total=False):
    peers: list[_Peer] | None
    """Missing where clustering is disabled."""


class _StatusDocument(TypedDict):
    uptime: datetime
    """The time of its start, despite the name."""
    cluster: NotRequired[_Cluster]


class _SilenceState(TypedDict):
    state: Literal["active", "pending", "expired"]


class _SilenceDocument(TypedDict):
    id: str
    status: _SilenceState
    endsAt: datetime
    createdBy: str
    comment: str


class _Made(TypedDict):
    silenceID: str


_SILENCES = TypeAdapter(list[_SilenceDocument])
_MADE = TypeAdapter(_Made)
_ALERTS = TypeAdapter(list[_AlertDocument])
_STATUS = TypeAdapter(_StatusDocument)


class AlertmanagerSilentError(CannotError):
    """Alertmanager did not answer; another request now would wait for its time-out as well."""


class Alertmanager:
    """One Alertmanager."""

    def __init__(self, url: str, owner: str = "tocsin", egress: Egress | None = None) -> None:
        """`url`: base URL, may contain user and password. `owner`: the `createdBy` of silences made by Tocsin."""
        self._url = url.rstrip("/")
        self._owner = owner
        self._session = HttpSession(TIMEOUT, egress)
        parts = urlsplit(url)
        self.name = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
        """Name in logs and metrics."""

    async def list(self) -> Listing:
        """Its alerts and silences now. Raises CannotError, AlertmanagerSilentError."""
        try:
            status, alerts, silences = [await self._get(what) for what in ("status", "alerts", "silences")]
            return await asyncio.to_thread(_read, status, alerts, silences, self._owner)
        except aiohttp.ClientHttpProxyError as error:
            raise AlertmanagerSilentError(reason_of(error)) from None
        except aiohttp.ClientResponseError as error:
            raise CannotError(f"it answered {error.status}") from None
        except ValidationError as error:
            raise CannotError(
                f"its answer is none of Alertmanager's API v2: {error.error_count()} fields are not as they should"
            ) from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise AlertmanagerSilentError(reason_of(error)) from None

    async def routes(self) -> Routes:
        """The routes of its configuration, in which secrets and webhook URLs are hidden. Raises CannotError."""
        try:
            document = orjson.loads(await self._get("status"))
            return Routes(yaml.safe_load(document["config"]["original"]))
        except aiohttp.ClientResponseError as error:
            raise CannotError(f"it answered {error.status}") from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise AlertmanagerSilentError(reason_of(error)) from None
        except (ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
            raise CannotError("its status has no configuration that can be read") from None

    async def carry_out(self, order: Order) -> None:
        """Make, change or end one of Tocsin's silences. Raises CannotError, AlertmanagerSilentError."""
        try:
            if order.incident is None or order.until is None:
                await self._delete(order.silence_id)
            else:
                await self._post(_silence(order, order.incident, order.until, self._owner))
        except aiohttp.ClientHttpProxyError as error:
            raise AlertmanagerSilentError(f"Alertmanager gave no answer ({reason_of(error)})") from None
        except aiohttp.ClientResponseError as error:
            raise CannotError(
                f"Alertmanager answered {error.status}{f': {error.message}' if error.message else ''}"
            ) from None
        except (aiohttp.ClientError, TimeoutError, ValidationError) as error:
            raise AlertmanagerSilentError(f"Alertmanager gave no answer ({reason_of(error)})") from None

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def _delete(self, silence_id: str) -> None:
        async with self._session.request("DELETE", f"{self._url}/api/v2/silence/{silence_id}") as response:
            if response.status not in {200, 404}:  # 404: already deleted
                raise aiohttp.ClientResponseError(response.request_info, (), status=response.status)

    async def _post(self, document: Mapping[str, object]) -> None:
        async with self._session.request("POST", f"{self._url}/api/v2/silences", json=document) as response:
            answer = await response.read()
            if response.status != 200:
                why = answer[:WORDS].decode(errors="replace").strip()
                raise aiohttp.ClientResponseError(response.request_info, (), status=response.status, message=why)
            _MADE.validate_json(answer)

    async def _get(self, what: str) -> bytes:
        async with self._session.request("GET", f"{self._url}/api/v2/{what}") as response:
            if response.status != 200:
                raise aiohttp.ClientResponseError(response.request_info, (), status=response.status)
            return await response.read()


def _read(status: bytes, alerts: bytes, silences: bytes, owner: str) -> Listing:
    """Parse the three responses. Raises pydantic's ValidationError."""
    known_status = _STATUS.validate_json(status)
    members = frozenset(each["name"] for each in known_status.get("cluster", {}).get("peers") or ())
    known = (
        _standing(each, owner) for each in _SILENCES.validate_json(silences) if each["status"]["state"] == "active"
    )
    listed = tuple(_listed(each) for each in _ALERTS.validate_json(alerts))
    return Listing(instant(known_status["uptime"]), listed, {each.id: each for each in known}, members)


def _standing(silence: _SilenceDocument, owner: str) -> Silence:
    by = ": ".join(filter(None, (silence["createdBy"], silence["comment"])))
    ours = silence["comment"].rpartition(MARK)[2] if silence["createdBy"] == owner else ""
    return Silence(silence["id"], instant(silence["endsAt"]), by, ours)


def _silence(order: Order, incident: Incident, until: Instant, owner: str) -> Mapping[str, object]:
    """The API's document of a silence for the labels that an incident's alerts share."""
    matchers = [
        {"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in incident.labels.items()
    ]
    return {
        **({"id": order.silence_id} if order.silence_id else {}),
        "matchers": matchers,
        "startsAt": rfc3339(incident.acknowledged_at or incident.opened_at),
        "endsAt": rfc3339(until),
        "createdBy": owner,
        "comment": f"#{incident.number} is acknowledged by {incident.acknowledged_by}{MARK}{incident.id}",
    }


def _listed(alert: _AlertDocument) -> Listed:
    document = AlertDocument(
        status="firing",
        labels=alert["labels"],
        annotations=alert.get("annotations"),
        startsAt=alert["startsAt"],
        fingerprint=alert.get("fingerprint"),
        generatorURL=alert.get("generatorURL"),
    )
    receivers = tuple(each["name"] for each in alert["receivers"])
    status = alert["status"]
    return Listed(
        take(document),
        receivers,
        status["state"] == "active",
        silenced_by=tuple(status.get("silencedBy", ())),
        inhibited=bool(status.get("inhibitedBy")),
    )
