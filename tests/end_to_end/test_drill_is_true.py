"""What a drill shows is what the receiver does: every rule of the packs, on a virtual clock and on the real one."""

import asyncio
import difflib
import json
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import groupby
from typing import Any

import aiohttp

from receiver.core.events import Delivered
from receiver.core.model import Fact
from receiver.drill.script import PEOPLE, Script, compiled_alert, play, received
from receiver.drill.simulator import START, World
from receiver.messages.timeline import sentence
from receiver.messages.times import moment
from receiver.service import Service
from receiver.settings import Settings
from rules.load import load
from rules.policy import EMERGENCY, MINUTE, SECOND, Micros, Policy, RateLimit
from rules.time_scale import faster

NAMES = tuple(each.key for each in (*load().rules, *load().incident_types) if getattr(each, "fires", True))
APART = 0.2
"""Seconds between one incident's beginning and the next one's: so many at once would be a storm."""

Line = tuple[str, str, str]
"""(fact, sentence, by)."""


def hurried(slowness: float) -> Policy:
    """The packs, with every response time 6 s, verified for half a second (by `slowness` longer), no limit on messages."""
    policy = load()
    paces = {each.level: each.response_time / (6 * SECOND) / slowness for each in policy.levels}
    settled = Micros(int(SECOND / 2 * slowness))
    levels = tuple(replace(faster(policy, paces[n]).level(n), resolve_after=settled) for n in paces)
    channels = tuple(replace(each, rate_limit=RateLimit(100_000, Micros(MINUTE))) for each in policy.channels)
    return replace(faster(policy, 120 / slowness), levels=levels, channels=channels)


def drilled(policy: Policy, name: str) -> list[Line]:
    """Unacknowledged until the response time is breached; then it is acknowledged, and recovers.

    Without receipts, as where Twilio cannot reach the receiver.
    """
    breach = policy.level(next(each.level for each in (*policy.rules, *policy.incident_types) if each.key == name))
    taken = breach.response_time + SECOND // 5
    played = play(World(policy), Script(acknowledge_after=taken, resolve_after=taken + SECOND // 5), name)
    assert all(isinstance(each.outcome, Delivered) for each in played.sent)
    resolved_at = next(each.at for each in played.entries if each.fact is Fact.RESOLVED)
    shown = [each for each in played.entries if each.at <= resolved_at and each.fact is not Fact.DELIVERED]
    told = [(str(each.fact), sentence(each), each.by) for each in shown]
    return list(in_order(told))


def in_order(lines: list[Line]) -> Iterator[Line]:
    """Which channel is the first of one moment is the network's affair: deliveries that follow each other are sorted."""
    for is_delivery, some in groupby(lines, lambda each: each[0] == Fact.ACCEPTED):
        lines_of_it = list(some)
        yield from sorted(lines_of_it) if is_delivery else lines_of_it


class Lived:
    """One incident in the real receiver, and the person who answers it as the script has it."""

    def __init__(self, api: aiohttp.ClientSession, policy: Policy, name: str) -> None:
        self._api = api
        alert = compiled_alert(policy, name)
        assert alert is not None
        self._alert = received(alert, START)
        self._source = name
        self._id = ""

    async def live(self) -> list[Line]:
        await self._send("firing")
        await self._until(lambda each: each["escalation"]["step"] >= 2)
        await self._act("acknowledge")
        await self._until(lambda each: each["state"] == "acknowledged")
        await self._send("resolved")
        incident = await self._until(lambda each: each["recovery"] == "confirm" or each["state"] == "resolved")
        if incident["state"] != "resolved":
            assert incident["level"] == EMERGENCY
            await self._act("resolve")
        await self._until(lambda each: each["state"] == "resolved")
        timeline = (await self._get(f"incidents/{self._id}/timeline"))["timeline"]
        return list(in_order([(each["fact"], each["text"], each.get("by") or "") for each in timeline]))

    async def _send(self, status: str) -> None:
        alert = {
            "status": status,
            "labels": dict(self._alert.labels),
            "annotations": dict(self._alert.annotations),
            "startsAt": moment(START).isoformat(),
            "endsAt": moment(START + MINUTE).isoformat(),
            "fingerprint": self._alert.fingerprint,
        }
        body = json.dumps({"alerts": [alert], "groupLabels": {}}).encode()
        params = {"source": self._source}
        async with self._api.post("/webhook/alertmanager", data=body, params=params) as response:
            self._id = str((await response.json())["incidents"][0])

    async def _act(self, action: str) -> None:
        async with self._api.post(f"/api/v1/incidents/{self._id}/{action}", json={"by": PEOPLE[0]}) as response:
            assert response.status == 200, await response.text()

    async def _get(self, path: str) -> Any:
        async with self._api.get(f"/api/v1/{path}") as response:
            return await response.json()

    async def _until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until that holds, and everything that was to be said about it has been."""
        async with asyncio.timeout(200):
            while True:
                incident = await self._get(f"incidents/{self._id}")
                if holds(incident) and await self._all_is_told():
                    return incident
                await asyncio.sleep(0.3)

    async def _all_is_told(self) -> bool:
        messages = (await self._get(f"incidents/{self._id}/notifications"))["notifications"]
        return all(each["status"] != "waiting" for each in messages)


async def lived(policy: Policy, environment: dict[str, str]) -> dict[str, list[Line]]:
    """Every rule's incident, all in one receiver."""
    async with AsyncExitStack() as stack:
        settings = Settings.read({**environment, "TOCSIN_DATABASE": "sqlite://"})
        service = await stack.enter_async_context(Service(settings, [], policy))
        api = await stack.enter_async_context(aiohttp.ClientSession(service.address))

        async def begin(index: int, name: str) -> list[Line]:
            await asyncio.sleep(index * APART)
            return await Lived(api, policy, name).live()

        told = await asyncio.gather(*(begin(index, name) for index, name in enumerate(NAMES)))
    return dict(zip(NAMES, told, strict=True))


async def test_a_drill_and_the_receiver_tell_the_same_story(environment: dict[str, str]) -> None:
    """The same incident gives the same timeline, entry by entry, on the virtual and on the real clock.

    On a machine that is too busy for windows of seconds an unplanned rescue may come: then they are made longer.
    """
    real: dict[str, list[Line]] = {}
    expected: dict[str, list[Line]] = {"": []}
    for slowness in (6, 20):
        policy = hurried(slowness)
        try:
            real = await lived(policy, environment)
        except TimeoutError:
            continue
        expected = {name: drilled(policy, name) for name in NAMES}
        if real == expected:
            break
    print(differing(real, expected))
    assert real == expected


def differing(real: dict[str, list[Line]], expected: dict[str, list[Line]]) -> str:
    """What is not the same, as a diff."""
    lines: list[str] = []
    for name in NAMES:
        drill, truth = (["  ".join(each) for each in story[name]] for story in (expected, real))
        lines += difflib.unified_diff(drill, truth, f"{name} drilled", "real", lineterm="", n=1)
    return "\n".join(lines)
