"""What the log says of incidents: one line for each thing that happened, with the number and nothing secret."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog

from receiver.service import Service
from receiver.settings import Settings
from receiver.store import without_secrets
from receiver.telemetry.logs import configure_logs
from tests.web.conftest import payload


@pytest.fixture
def heard(capfd: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    """What this process and the one that writes log on standard error."""
    with open(2, "w", closefd=False) as stream:  # the descriptor, as the other process has it
        configure_logs(stream=stream)
        yield capfd
        structlog.reset_defaults()


async def test_life_of_an_incident_in_the_log(tmp_path: Path, heard: pytest.CaptureFixture[str]) -> None:
    """Opened, paged, escalated, acknowledged and resolved are a line each, of the process that writes, with the number.

    The line at the start names version, policy digest and database. No line holds a label, a note or a name.
    """
    file = tmp_path / "t.db"
    environ = {"TOCSIN_LISTEN": "127.0.0.1:0", "TOCSIN_DATABASE": f"sqlite:///{file}", "TOCSIN_LOG_FORMAT": "text"}
    environ |= {"TOCSIN_SMTP_URL": "smtp://127.0.0.1:1", "TOCSIN_EMAIL_FROM": "tocsin@example.test"}
    async with Service(Settings.read(environ), []) as service, aiohttp.ClientSession() as http:
        digest = service.engine.current.digest
        hook = f"{service.address}/webhook/alertmanager"
        async with http.post(hook, data=payload("single_firing")) as answer:
            [number] = (await answer.json())["incidents"]
        for action in ("escalate", "acknowledge", "resolve"):
            body: dict[str, Any] = {"by": "Ann Secret", "note": "the secret of ann"}
            body |= {"force": True} if action == "resolve" else {}
            async with http.post(f"{service.address}/api/v1/incidents/{number}/{action}", json=body) as answer:
                assert answer.status == 200, await answer.text()
    lines = heard.readouterr().err.splitlines()
    told = [line for line in lines if f"incident={number} " in f"{line} "]
    for event in (
        "incident opened",
        "incident paged",
        "incident escalated",
        "incident acknowledged",
        "incident resolved",
    ):
        assert len([line for line in told if f'event="{event}"' in line]) >= 1, event
    assert len([line for line in told if 'event="incident opened"' in line]) == 1
    assert not [line for line in lines if "ecret" in line or "HighErrorRate" in line]
    [started] = [line for line in lines if "event=listening" in line]
    assert f"policy={digest}" in started
    assert f"database=sqlite:///{file}" in started
    assert "version=" in started


def test_database_without_secrets() -> None:
    """A database is logged without its password, wherever in the URL that stands."""
    url = "postgresql://tocsin:hunter2@db.example.test:5432/tocsin?password=hunter3&sslmode=require"
    assert without_secrets(url) == "postgresql+psycopg://tocsin:***@db.example.test:5432/tocsin"
