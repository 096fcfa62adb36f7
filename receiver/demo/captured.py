"""Replacement for Prometheus and Alertmanager where they are not installed: posts a webhook captured from them."""

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from receiver.clock import wall_clock
from receiver.core.model import Instant
from receiver.messages.times import rfc3339

THRESHOLD = 0.95
NEVER = "0001-01-01T00:00:00Z"
LABELS = {
    "alertname": "SafetyMarginViolation",
    "immediate": "true",
    "incident_type": "safety_margin_violation",
    "instance": "127.0.0.1:9100",
    "job": "ml",
    "rule": "safety_margin_violation",
    "section": "safety_incident_response",
    "severity": "emergency",
    "severity_level": "4",
    "signal": "safety_margin",
    "system": "landing-7",
}


def post_to(receiver: str) -> Callable[[float], Awaitable[None]]:
    """A function that sets the safety margin, and posts Alertmanager's webhook when it crosses the threshold."""
    since: Instant | None = None

    async def drift(margin: float) -> None:
        nonlocal since
        now = wall_clock()
        if margin < THRESHOLD and since is None:
            since = now
            await _post(receiver, _body(margin, since, None))
        elif margin >= THRESHOLD and since is not None:
            await _post(receiver, _body(margin, since, now))
            since = None

    return drift


async def _post(receiver: str, body: dict[str, Any]) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{receiver}/webhook/alertmanager", json=body) as response,
    ):
        response.raise_for_status()


def _body(margin: float, starts_at: Instant, ends_at: Instant | None) -> dict[str, Any]:
    """Version 4 of Alertmanager's webhook, as release 0.25 sends it."""
    status = "firing" if ends_at is None else "resolved"
    annotations = {
        "condition": "safety_margin < 0.95",
        "description": f"safety_margin is {margin:.4g}.",
        "summary": "safety_margin_violation: safety_margin < 0.95",
    }
    alert = {
        "status": status,
        "labels": LABELS,
        "annotations": annotations,
        "startsAt": rfc3339(starts_at),
        "endsAt": NEVER if ends_at is None else rfc3339(ends_at),
        "generatorURL": "",
        "fingerprint": "5ad1f2c07be8d9a4",
    }
    group = {"system": LABELS["system"], "signal": LABELS["signal"]}
    return {
        "version": "4",
        "groupKey": '{}/{section!=""}:{signal="safety_margin", system="landing-7"}',
        "truncatedAlerts": 0,
        "receiver": "tocsin",
        "status": status,
        "alerts": [alert],
        "groupLabels": group,
        "commonLabels": LABELS,
        "commonAnnotations": annotations,
        "externalURL": "http://127.0.0.1:9093",
    }
