"""Durable ingest: webhooks per second over real HTTP, each answered only after the commit, with new incidents.

Compared with a bare aiohttp handler with the same models (the limit), and with Alertmanager's API for the same alerts;
all three alternate by round, so that changes of the machine's load affect them alike. `repeats`: webhooks about open
incidents, as Alertmanager sends them every `repeat_interval`. The load is from wrk if installed, else from this
package's generator; a run states which.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from bench import postgres, servers, wrk
from bench.load import fire, prepare
from bench.table import Row
from receiver.demo.tools import free_port

ROUNDS = 3
REQUESTS = {1: 6000, 10: 1500}
"""Alerts in a body → requests per round."""

REPEATED = 500
"""The number of open incidents that are repeated."""

POLICY = """
incident_response:
  classification:
    severity_levels:
      - {level: 1, name: informational, response_time: 24h, escalation_time: 12h}
      - {level: 2, name: warning, response_time: 4h, escalation_time: 2h}
      - {level: 3, name: critical, response_time: 1h, escalation_time: 30m}
      - {level: 4, name: emergency, response_time: 15m, escalation_time: 5m}
  alert_channels:
    - {name: email, type: email, recipients: [oncall@example.com]}
    - {name: slack, type: slack, channel: "#incidents"}
  detection:
    rules:
      - {name: accuracy_low, condition: "model_accuracy < 0.9", severity: 3, channels: [email, slack]}
"""

_serial = count(int.from_bytes(os.urandom(4)) << 20)


def body(alerts: int) -> bytes:
    """A webhook in Alertmanager's form, about a new signal."""
    return _body(f"unit-{next(_serial)}", [f"{next(_serial):016x}" for _ in range(alerts)])


def _template(alerts: int) -> bytes:
    """As `body`, with `@@` for a unique word (`bench.wrk`)."""
    return _body("unit-@@", [f"@@{index:04x}" for index in range(alerts)])


def _body(unit: str, fingerprints: Sequence[str]) -> bytes:
    labels = {
        "alertname": "AccuracyLow",
        "section": "incident_response",
        "rule": "accuracy_low",
        "severity": "critical",
    }
    labels |= {"severity_level": "3", "signal": "model_accuracy", "system": unit, "job": "ml"}
    listed: list[dict[str, Any]] = [
        {
            "status": "firing",
            "labels": labels | {"instance": f"10.0.{index // 250}.{index % 250}:9090"},
            "annotations": {
                "summary": f"accuracy_low: model_accuracy < 0.9 on {unit}",
                "description": "accuracy is 0.87.",
            },
            "startsAt": "2026-11-23T02:28:11.821Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prom.example.test/graph?g0.expr=model_accuracy+%3C+0.9&g0.tab=1",
            "fingerprint": fingerprint,
        }
        for index, fingerprint in enumerate(fingerprints)
    ]
    group = {"system": unit, "signal": "model_accuracy"}
    return json.dumps(
        {
            "version": "4",
            "groupKey": f'{{}}:{{system="{unit}"}}',
            "truncatedAlerts": 0,
            "receiver": "tocsin",
            "status": "firing",
            "alerts": listed,
            "groupLabels": group,
            "commonLabels": labels,
            "commonAnnotations": {},
            "externalURL": "http://am.example.test",
        }
    ).encode()


def run() -> list[Row]:
    """All sizes on SQLite; with Alertmanager if installed, and PostgreSQL if the tests' server is present."""
    print("load: wrk" if wrk.is_installed() else wrk.ELSEWHERE)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = Path(folder)
        (path / "policy.yaml").write_text(POLICY)
        urls = {"bare": stack.enter_context(servers.bare())}
        urls["bare, msgspec"] = stack.enter_context(servers.bare("msgspec"))
        told = stack.enter_context(providers())
        for name, database in _databases(stack, path):
            urls[name] = stack.enter_context(servers.receiver(database, path / "policy.yaml", told))
        alertmanager = stack.enter_context(servers.alertmanager(path))
        if alertmanager:
            urls["alertmanager"] = alertmanager
        rows = [row for alerts in REQUESTS for row in _measure(urls, alerts)]
        return [*rows, *_repeats(urls["bare"], urls["sqlite"])]


def _databases(stack: ExitStack, folder: Path) -> Iterator[tuple[str, str]]:
    yield "sqlite", f"sqlite:///{folder / 'tocsin.db'}"
    yield "postgresql", stack.enter_context(postgres.database(folder))


@contextmanager
def providers() -> Iterator[dict[str, str]]:
    """Stand-ins for SMTP and Slack as targets of the dispatcher."""
    port, smtp = free_port(), free_port()
    command = [sys.executable, "-m", "bench.providers", str(port), str(smtp)]
    with servers.process(command, f"http://127.0.0.1:{port}/ready"):
        yield {
            "TOCSIN_SMTP_URL": f"smtp://127.0.0.1:{smtp}",
            "TOCSIN_EMAIL_FROM": "tocsin@example.com",
            "TOCSIN_SLACK_TOKEN": "xoxb-bench",
            "TOCSIN_SLACK_API_URL": f"http://127.0.0.1:{port}/slack/api/",
        }


def _measure(urls: dict[str, str], alerts: int) -> list[Row]:
    rates: dict[str, list[float]] = {name: [] for name in urls}
    for _ in range(ROUNDS):
        for name, url in urls.items():
            rates[name].append(_rate(name, url, alerts))
    rows = [Row("ingest", f"{name}, {alerts} alerts/body", "webhooks/s", tuple(rates[name])) for name in urls]
    for name, target in (("sqlite", "≥ 0.30"), ("postgresql", "≥ 0.20")):
        if name in urls:
            ratios = tuple(a / b for a, b in zip(rates[name], rates["bare"], strict=True))
            rows.append(Row("ingest", f"{name} / bare, {alerts} alerts/body", "ratio", ratios, target))
            ratios = tuple(a / b for a, b in zip(rates[name], rates["bare, msgspec"], strict=True))
            rows.append(Row("ingest", f"{name} / bare with msgspec, {alerts} alerts/body", "ratio", ratios))
    if "alertmanager" in urls:
        ratios = tuple(a / b for a, b in zip(rates["sqlite"], rates["alertmanager"], strict=True))
        rows.append(
            Row(
                "ingest",
                f"sqlite / alertmanager, {alerts} alerts/body",
                "ratio",
                ratios,
                "≥ 1.0" if alerts == 10 else "",
            )
        )
    return rows


def _repeats(bare: str, url: str) -> list[Row]:
    known = [body(1) for _ in range(REPEATED)]
    asyncio.run(fire(url, prepare(url, known)))
    rates: dict[str, list[float]] = {bare: [], url: []}
    for _ in range(ROUNDS):
        for each, taken in rates.items():
            taken.append(_repeated(each, known))
    ratios = tuple(a / b for a, b in zip(rates[url], rates[bare], strict=True))
    return [
        Row("ingest", "sqlite, repeats", "webhooks/s", tuple(rates[url])),
        Row("ingest", "sqlite / bare, repeats", "ratio", ratios, "≥ 0.6"),
    ]


def _repeated(url: str, known: list[bytes]) -> float:
    """Webhooks per second of one round of repeats."""
    if wrk.is_installed():
        return wrk.rate(url, known)
    return _fired(url, known * (REQUESTS[1] // REPEATED))


def _rate(name: str, url: str, alerts: int) -> float:
    """Webhooks per second of one round."""
    bodies = [_template(alerts)] if wrk.is_installed() else [body(alerts) for _ in range(REQUESTS[alerts])]
    if name == "alertmanager":
        bodies = [for_alertmanager(each) for each in bodies]
    return wrk.rate(url, bodies) if wrk.is_installed() else _fired(url, bodies)


def _fired(url: str, bodies: list[bytes]) -> float:
    """Webhooks per second, from this package's generator. Raises RuntimeError if any was refused."""
    seconds, refused = asyncio.run(fire(url, prepare(url, bodies)))
    if refused:
        raise RuntimeError(f"{url}: {refused} of {len(bodies)} requests were refused")
    return len(bodies) / seconds


def for_alertmanager(content: bytes) -> bytes:
    """A webhook's alerts in the form of Alertmanager's API."""
    keep = ("labels", "annotations", "generatorURL")
    return json.dumps([{name: alert[name] for name in keep} for alert in json.loads(content)["alerts"]]).encode()
