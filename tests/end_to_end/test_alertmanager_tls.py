"""A real Alertmanager comes by TLS, with the certificate that the webhook asks for; one without gets nothing in."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from receiver.demo import tools
from receiver.service import Service
from receiver.settings import Settings
from rules.load import load
from rules.outputs import Options, alertmanager_config
from tests.end_to_end.conftest import need
from tests.end_to_end.test_alertmanager import FACTOR, push
from tests.patience import GIVES_UP
from tests.web.test_tls import Papers


def configured(service: Service, papers: Papers, **tls: str) -> bytes:
    """The compiled configuration, with what docs/access.md adds to the webhook."""
    options = Options(receiver_url=f"{service.address}/webhook/alertmanager")
    config: dict[str, Any] = yaml.safe_load(alertmanager_config.render(load(), options))
    for receiver in config["receivers"]:
        for webhook in receiver.get("webhook_configs", []):
            webhook["http_config"] = {"tls_config": {"ca_file": str(papers.folder / "ca.pem"), **tls}}
    return yaml.safe_dump(config).encode()


async def look(service: Service, papers: Papers, path: str) -> str:
    """What it answers to a caller without a certificate."""
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=papers.of(""))) as session,
        session.get(service.address + path) as answer,
    ):
        return await answer.text()


@pytest.mark.parametrize("has_certificate", [True, False])
async def test_alertmanager_shows_its_certificate(tmp_path: Path, *, has_certificate: bool) -> None:
    """With the client's certificate the alert becomes an incident; without it the webhook is refused and counted."""
    need("prometheus-alertmanager")
    papers = Papers(tmp_path)
    environ = papers.environ(TOCSIN_TLS_CLIENT_CA_FILE=str(tmp_path / "ca.pem"))
    async with Service(Settings.read(environ), []) as service:
        own = {"cert_file": str(tmp_path / "client.pem"), "key_file": str(tmp_path / "client.key")}
        config = configured(service, papers, **(own if has_certificate else {}))
        tool = await tools.start_alertmanager(tmp_path, config, FACTOR)
        try:
            await push(tool.url, firing=True)
            wanted = "accepted" if has_certificate else "unauthorized"
            async with asyncio.timeout(GIVES_UP):
                while f'tocsin_webhooks_total{{result="{wanted}"}} 0.0' in await look(service, papers, "/metrics"):
                    await asyncio.sleep(0.05)
            incidents = json.loads(await look(service, papers, "/api/v1/incidents"))["incidents"]
            assert len(incidents) == int(has_certificate)
        finally:
            await tool.stop()
