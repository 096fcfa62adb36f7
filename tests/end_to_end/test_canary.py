"""A canary through the real sender: it proves the way to the provider, and a broken one opens an incident."""

import asyncio
from pathlib import Path

import aiohttp

from receiver.jobs.canary import Canaries
from receiver.messages import MessageRenderer
from receiver.service import Service
from receiver.settings import Settings
from receiver.store import open_store
from rules.load import load
from tests.end_to_end.conftest import Told, until
from tests.end_to_end.test_reconcile import get
from tests.patience import GIVES_UP

POLICY = """
incident_response:
  alert_channels:
    - {name: mail, type: email, recipients: [on@call.test], canary: {every: 24h}}
    - {name: chat, type: slack, channel: "#inc"}
"""


async def text(service: Service, path: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"{service.address}{path}") as response:
        return await response.text()


async def test_a_canary_gets_through_or_is_an_incident(environment: dict[str, str], told: Told, tmp_path: Path) -> None:
    """Sent once a day and not again at a restart; twice refused, the other channel hears of it; metric and page say so."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    async with Service(Settings.read(environment), [policy], load([policy])) as service:
        await until(lambda: told.on("email", "Test message"), "the canary arrives")
        await until(lambda: service.metrics.registry.get_sample_value("tocsin_channel_canary", {"channel": "mail"}))
        assert "got through" in await text(service, "/channels")
    async with Service(Settings.read(environment), [policy], load([policy])) as service:
        await until(lambda: service.metrics.registry.get_sample_value("tocsin_channel_canary", {"channel": "mail"}))
        assert len(told.on("email", "Test message")) == 1, "a restart sends no other one"

    broken = environment | {
        "TOCSIN_SMTP_URL": "smtp://127.0.0.1:1",
        "TOCSIN_DATABASE": f"sqlite:///{tmp_path / 'other.db'}",
    }
    policy.write_text(POLICY.replace("24h", "1s"))
    async with Service(Settings.read(broken), [policy], load([policy])) as service:
        store = open_store(broken["TOCSIN_DATABASE"])
        words = MessageRenderer("", "test", sms_replies=False)
        canaries = Canaries(service.queue, service.engine, store, service.dispatcher.senders, words, service.metrics)
        async with asyncio.timeout(GIVES_UP):
            while not told.on("slack", "Channel mail is broken"):
                await canaries.look()
                await asyncio.sleep(0.1)
        assert "does not get through" in await text(service, "/channels")
        assert (await get(service, "/1"))["type"] == "channel_is_broken"
        store.close()
