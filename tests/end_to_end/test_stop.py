"""SIGTERM: no webhook is taken any more, what was taken is kept, what is under way is finished or given back."""

import asyncio
import re
import signal
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from receiver.demo.stand_ins import start_web
from receiver.demo.tools import free_port
from receiver.service import Service
from receiver.settings import Settings
from tests.end_to_end.conftest import Told, until
from tests.end_to_end.processes import POLICY, post, serving, webhook
from tests.patience import GIVES_UP

SENDERS, EACH = 4, 60
CALM = POLICY.replace("escalation_time: 2s", "escalation_time: 10m")
"""Nothing escalates during the test: each recipient is told once."""

EXIT = 40
"""Seconds a stop may take at the worst; Kubernetes and compose wait for 60."""


class Slow:
    """A webhook channel's other end, which answers when it is let."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.url = ""

    async def answer(self, _request: web.Request) -> web.Response:
        self.asked.set()
        await self.may_answer.wait()
        return web.Response()


@pytest.fixture
async def slow() -> AsyncIterator[Slow]:
    """It listens."""
    it = Slow()
    app = web.Application()
    app.router.add_post("/", it.answer)
    runner, it.url = await start_web(app)
    yield it
    it.may_answer.set()
    await runner.cleanup()


def tells(slow: Slow) -> str:
    """A policy whose emergencies are told to it."""
    hook = f'    - {{name: slack, type: webhook, url: "{slow.url}/", rate_limit: 1000/1m}}'
    lines = (hook if "name: slack" in line else line for line in CALM.splitlines())
    return "\n".join(lines).replace("channels: [email, slack]", "channels: [slack]")


def column(environment: dict[str, str], name: str) -> list[str]:
    """A column of the stored notifications."""
    with closing(sqlite3.connect(environment["TOCSIN_DATABASE"].removeprefix("sqlite:///"))) as database:
        return [value for (value,) in database.execute(f"SELECT {name} FROM notifications")]


async def send(base: str, serials: range, accepted: set[int], answers: set[int]) -> None:
    """One webhook after the other until one is refused; as Alertmanager, on a connection that is kept."""
    async with aiohttp.ClientSession() as session:
        for serial in serials:
            try:
                async with session.post(f"{base}/webhook/alertmanager", json=webhook(serial)) as response:
                    answers.add(response.status)
                    if response.status != 200:
                        return
                    accepted.add(serial)
            except aiohttp.ClientError:
                return


async def test_sigterm_under_load_loses_nothing(environment: dict[str, str], told: Told, tmp_path: Path) -> None:
    """Everything answered 200 before the stop is told, by this process or the next one, and told once; nothing is
    answered but 200 and 503; no lease is left behind, and the process ends well."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(CALM)
    port = free_port()
    accepted: set[int] = set()
    answers: set[int] = set()
    async with serving(policy, environment, port) as process:
        ranges = [range(start * EACH, (start + 1) * EACH) for start in range(SENDERS)]
        senders = [asyncio.create_task(send(f"http://127.0.0.1:{port}", each, accepted, answers)) for each in ranges]
        await until(lambda: len(accepted) >= 30, what="some webhooks were accepted")
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(EXIT):
            assert await process.wait() == 0
        await asyncio.gather(*senders)
    assert len(accepted) < SENDERS * EACH, "the load ended before the stop did"
    assert answers <= {200, 503}
    assert set(column(environment, "leased_by")) <= {""}
    async with serving(policy, environment, port):
        for medium in ("email", "slack"):
            await until(lambda: accepted <= units(told, medium).keys(), "everybody was told")  # noqa: B023
    assert {units(told, medium)[serial] for medium in ("email", "slack") for serial in accepted} == {1}


def units(told: Told, medium: str) -> Counter[int]:
    """How often each unit was told of."""
    texts = (f"{headline} {text}" for _, _, headline, text in told.on(medium))
    return Counter(int(serial) for each in texts for serial in set(re.findall(r"\bunit-(\d+)\b", each)))


async def test_a_stopping_receiver_refuses_webhooks_and_finishes_messages(
    environment: dict[str, str], slow: Slow, tmp_path: Path
) -> None:
    """While a message is under way a stopping receiver says that it stops, answers webhooks 503, and ends when the
    message has arrived and that is written down."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(tells(slow))
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    async with serving(policy, environment, port) as process:
        assert await post(base, 1) == 200
        await asyncio.wait_for(slow.asked.wait(), GIVES_UP)
        process.send_signal(signal.SIGTERM)
        async with aiohttp.ClientSession() as session, asyncio.timeout(GIVES_UP):
            said = ""
            while "stopping" not in said:
                async with session.get(f"{base}/-/ready") as answer:
                    said = await answer.text()
                    assert "stopping" not in said or answer.status == 503
        assert await post(base, 2) == 503
        slow.may_answer.set()
        async with asyncio.timeout(EXIT):
            assert await process.wait() == 0
    assert column(environment, "status") == ["accepted"]


async def test_a_message_that_is_cut_off_is_given_back(environment: dict[str, str], slow: Slow, tmp_path: Path) -> None:
    """A message that does not end in time is left without a lease and due: the next service sends it at once."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(tells(slow))
    async with Service(Settings.read(environment), [policy]) as service:
        assert await post(service.address, 1) == 200
        await asyncio.wait_for(slow.asked.wait(), GIVES_UP)
        assert column(environment, "leased_by") != [""]
        service._scheduling.cancel()  # no further send begins here
        await service.dispatcher.finish(0.0)
        assert column(environment, "leased_by") == [""]
        assert column(environment, "status") == ["waiting"]
        assert column(environment, "due_at")[0] <= service.clock()
