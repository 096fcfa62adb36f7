"""No page is over 100 kB, however big the story is: that is ten seconds on a bad line."""

import json
from typing import Any

from receiver.core.events import Declare, Note
from receiver.engine.commands import ForIncident
from rules.policy import MINUTE
from tests.web.conftest import Running, payload
from tests.web.test_console import page

LIMIT = 100_000
"""Bytes."""


def sixty_alerts() -> dict[str, Any]:
    """A body of sixty alerts, each with a summary, a value and labels of its own."""
    body: dict[str, Any] = json.loads(payload("single_firing"))
    one = body["alerts"][0]
    body["alerts"] = [
        one
        | {
            "fingerprint": f"{each:016x}",
            "labels": one["labels"] | {"zone": f"zone-{each % 3}", "instance": f"host-{each}.landing.example:9100"},
            "annotations": one["annotations"] | {"summary": f"The safety margin on host-{each} is {each / 100}"},
        }
        for each in range(60)
    ]
    return body


async def test_an_alert_is_a_row(receiver: Running) -> None:
    """Alerts whose texts differ only by the value have it in its column, and each is one row of labels."""
    body = sixty_alerts()
    for each, value in zip(body["alerts"], range(111, 999, 2), strict=False):
        each["annotations"] = {"summary": f"The margin is below 0.95: 0.{value}", "value": f"0.{value}"}
    await receiver.post("/webhook/alertmanager", body)
    table = (await page(receiver, "/incidents/1")).partition('<table class="alerts">')[2].partition("</table>")[0]
    assert ">0.111</td>" in table
    assert "The margin" not in table


async def test_the_big_stories(receiver: Running) -> None:
    """Sixty alerts, a timeline of 400 lines, each with a paragraph, 500 open incidents of one system: Now, the
    wall, History, the incident, its report's page and its timeline with each message.
    """
    await receiver.post("/webhook/alertmanager", sixty_alerts())
    _, incident = await receiver.get("/api/v1/incidents/1")
    system = incident["labels"].get("system", "landing-7")
    declared = [
        Declare(
            f"k{each}",
            "engine_failure",
            "ada",
            each % 4 + 1,
            f"The hydraulic pump of gate {each} has stopped",
            "It hums. " * 20,
            {"system": system},
        )
        for each in range(500)
    ]
    await receiver.queue.run(receiver.engine.handle, declared, receiver.clock())
    notes = [ForIncident(incident["id"], Note("ada", f"{each}: {'looked at the pump. ' * 15}")) for each in range(400)]
    await receiver.queue.run(receiver.engine.handle, notes, receiver.clock())
    await receiver.pass_time(MINUTE)
    sizes = {}
    for path in (
        "/",
        "/wall",
        "/history",
        "/history?search=pump",
        "/incidents/1",
        "/incidents/1?deliveries=1",
        "/incidents/1/report",
        "/incidents/2",
        "/policy",
        "/channels",
        "/on-call",
        "/declare",
        "/training",
    ):
        sizes[path] = len((await page(receiver, path)).encode())
    assert {path: size for path, size in sizes.items() if size > LIMIT} == {}
