"""Asks an Alertmanager's API what it lists. `receiver.reconcile` calls it; whatever goes wrong is a value, in words."""

import asyncio
from datetime import datetime
from typing import Literal
from urllib.parse import urlsplit

import aiohttp
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from receiver.core.reconcile import Listed, Listing
from receiver.web.payload import AlertDocument, Texts, instant, take

TIMEOUT = aiohttp.ClientTimeout(total=20)


class _State(TypedDict):
    state: Literal["active", "suppressed", "unprocessed"]


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


class _StatusDocument(TypedDict):
    uptime: datetime
    """The moment it started, whatever its name says."""


_ALERTS = TypeAdapter(list[_AlertDocument])
_STATUS = TypeAdapter(_StatusDocument)


class Alertmanager:
    """One Alertmanager."""

    def __init__(self, url: str) -> None:
        """`url`: its base; it may carry a user and a password."""
        self._url = url.rstrip("/")
        parts = urlsplit(url)
        self.name = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
        """For logs and metrics."""

    async def list(self) -> Listing | str:
        """What it lists now; a string says why it did not answer."""
        try:
            async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
                status = await self._get(session, "status")
                alerts = await self._get(session, "alerts")
            return await asyncio.to_thread(_read, status, alerts)
        except aiohttp.ClientResponseError as error:
            return f"it answered {error.status}"
        except ValidationError as error:
            return f"its answer is none of Alertmanager's API v2: {error.error_count()} fields are not as they should"
        except (aiohttp.ClientError, TimeoutError) as error:
            return type(error).__name__

    async def _get(self, session: aiohttp.ClientSession, what: str) -> bytes:
        async with session.get(f"{self._url}/api/v2/{what}", allow_redirects=False) as response:
            if response.status != 200:
                raise aiohttp.ClientResponseError(response.request_info, (), status=response.status)
            return await response.read()


def _read(status: bytes, alerts: bytes) -> Listing:
    """Raises pydantic's ValidationError."""
    up_since = instant(_STATUS.validate_json(status)["uptime"])
    return Listing(up_since, tuple(_listed(each) for each in _ALERTS.validate_json(alerts)))


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
    return Listed(take(document), receivers, alert["status"]["state"] == "active")
