"""`tocsin doctor` beside the real Prometheus and Alertmanager: nothing to find, then ten misconfigurations, one by one."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
import trustme

from receiver.cli.doctor import Finding, examine
from receiver.demo import tools
from receiver.service import Service
from receiver.settings import Settings
from rules.load import load
from rules.outputs import Options, render
from rules.reserved import WATCH
from tests.end_to_end.conftest import need
from tests.patience import GIVES_UP

POLICY = """
incident_response:
  alert_channels:
    - {name: email, type: email, recipients: [oncall@example.com]}
    - {name: slack, type: slack, channel: "#incidents"}
  detection:
    check_interval: 60
    alert_threshold: 3
    rules:
      - {name: safety_margin_low, condition: "safety_margin < 0.95", severity: 4, channels: [email, slack]}
"""
TOKEN = "reader-token-of-the-doctor-0123456789"
BY_LOAD = {"scrapes"}
"""Parts that also fail on a full machine: these scrapes come each second, and must be answered within one."""


@dataclass
class Patient:
    """A whole cluster that is well, and how the doctor is called beside it."""

    environment: dict[str, str]
    policy: Path
    url: str
    alertmanager: tools.Tool
    routes: Path

    async def examine(
        self, policy: Path | None = None, token: str = TOKEN, url: str = "", **settings: str
    ) -> list[Finding]:
        """With some settings changed; empty: taken away."""
        environ = {**self.environment, **settings}
        return [each async for each in examine(environ, [policy or self.policy], url or self.url, token)]

    async def problems(
        self, policy: Path | None = None, token: str = TOKEN, url: str = "", **settings: str
    ) -> dict[str, str]:
        """What it finds, by part."""
        found = await self.examine(policy, token, url, **settings)
        wrong = [each for each in found if each.problem]
        return {part: "\n".join(each.problem for each in wrong if each.part == part) for part, _, _ in wrong}


@pytest.fixture
async def patient(environment: dict[str, str], tmp_path: Path) -> AsyncIterator[Patient]:
    need("prometheus", "prometheus-alertmanager")
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    policy = load([file])
    environment |= {"TOCSIN_API_TOKENS": f"doctor:viewer:{TOKEN}"}
    async with Service(Settings.read(environment), [file]) as service:
        options = Options(
            receiver_url=f"{service.address}/webhook/alertmanager",
            fallback_email="oncall@example.com",
            fallback_smarthost="127.0.0.1:9",
            fallback_from="alertmanager@example.com",
        )
        alertmanager = await tools.start_alertmanager(tmp_path, render(policy, options).files["alertmanager.yml"], 100)
        scraped = asyncio.Event()
        scraped.set()
        target = {"tocsin": service.address.removeprefix("http://")}
        rules = render(policy, options).files["rules.yml"]
        prometheus = await tools.start_prometheus(tmp_path, rules, target, alertmanager, scraped)
        urls = {"TOCSIN_ALERTMANAGER_URL": alertmanager.url, "TOCSIN_PROMETHEUS_URL": prometheus.url}
        yield Patient(environment | urls, file, service.address, alertmanager, tmp_path / "alertmanager.yml")
        await prometheus.stop()
        await alertmanager.stop()


async def until_well(patient: Patient) -> None:
    found: dict[str, str] = {"nothing": "was asked"}
    try:
        async with asyncio.timeout(GIVES_UP):
            while found := await patient.problems():
                await asyncio.sleep(0.5)
    except TimeoutError:
        pytest.fail(f"not well: {found}")


async def until_found(patient: Patient, part: str, words: str) -> None:
    found: dict[str, str] = {}
    try:
        async with asyncio.timeout(GIVES_UP):
            while words not in (found := await patient.problems()).get(part, ""):
                await asyncio.sleep(0.5)
    except TimeoutError:
        pytest.fail(f"{words!r} is not found: {found}")


async def test_each_misconfiguration_is_found_by_name(patient: Patient, tmp_path: Path) -> None:
    """A cluster that is well has no finding; each thing that is planted is the one found, by its name and with its cure."""
    await until_well(patient)
    nobody = f"http://127.0.0.1:{tools.free_port()}"
    other = tmp_path / "other.yaml"
    other.write_text(POLICY.replace("0.95", "0.9"))
    authority = trustme.CA()
    past = authority.issue_cert("tocsin.example", not_after=datetime.now(UTC) - timedelta(days=1))
    past.cert_chain_pems[0].write_to_path(tmp_path / "tls.crt")
    past.private_key_pem.write_to_path(tmp_path / "tls.key")
    tls = {"TOCSIN_TLS_CERT_FILE": str(tmp_path / "tls.crt"), "TOCSIN_TLS_KEY_FILE": str(tmp_path / "tls.key")}
    bad = {"TOCSIN_TLS_CERT_FILE": str(other), "TOCSIN_TLS_KEY_FILE": str(other)}
    mail = patient.environment["TOCSIN_SMTP_URL"]
    am = f"Alertmanager {patient.alertmanager.url.removeprefix('http://')}"
    planted: list[tuple[dict[str, str], str, str]] = [
        ({"TOCSIN_EXTERNAL_URL": "nowhere"}, "settings", "TOCSIN_EXTERNAL_URL"),
        ({"TOCSIN_LISTEN": "0.0.0.0:8095"}, "settings", "TOCSIN_WEBHOOK_TOKEN"),
        ({"TOCSIN_SLACK_TOKEN": ""}, "channel slack", "docs/channels/slack.md"),
        ({"TOCSIN_SLACK_API_URL": nobody}, f"provider {nobody}", "nothing listens"),
        (
            {"TOCSIN_SMTP_URL": nobody.replace("http", "smtp")},
            f"provider {nobody.replace('http', 'smtp')}",
            "open the way",
        ),
        ({"TOCSIN_SMTP_URL": mail.replace("//", "//dana:secret@")}, f"provider {mail}", "check TOCSIN_SMTP_URL"),
        ({"TOCSIN_ALERTMANAGER_URL": nobody}, f"Alertmanager {nobody[7:]}", "TOCSIN_ALERTMANAGER_URL"),
        ({"TOCSIN_PROMETHEUS_URL": nobody}, "Prometheus", "TOCSIN_PROMETHEUS_URL"),
        ({"TOCSIN_DATABASE": f"sqlite:///{tmp_path / 'none.db'}"}, "database", "TOCSIN_DATABASE"),
        (tls, "certificates", "renew it"),
        (bad, "certificates", "TOCSIN_TLS_CERT_FILE"),
        ({"TOCSIN_CA_FILE": str(other)}, "authorities", "TOCSIN_CA_FILE"),
    ]
    for settings, part, words in planted:
        found = await patient.problems(**settings)
        assert words in found.get(part, ""), (settings, found)
    found = await patient.problems(token="wrong")
    assert found.keys() - BY_LOAD == {"token"}
    assert "--token" in found["token"]
    found = await patient.problems(url=patient.alertmanager.url)
    assert found.keys() - BY_LOAD == {"receiver"}
    assert "is --url right?" in found["receiver"]
    found = await patient.problems(policy=other)
    assert found.keys() - BY_LOAD == {"Prometheus rules", "policy in use"}
    assert "compile this one" in found["Prometheus rules"]

    whole = patient.routes.read_text()
    patient.routes.write_text(whole.replace("send_resolved: true", "send_resolved: false"))
    patient.alertmanager.reload()
    await until_found(patient, am, "send_resolved")
    patient.routes.write_text(whole.replace("receiver: around-tocsin", "receiver: tocsin"))
    patient.alertmanager.reload()
    await until_found(patient, am.replace("Alertmanager", "fallback"), "--fallback-email")
    patient.routes.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    patient.alertmanager.reload()
    await until_found(patient, am, f"leads {WATCH[0]} to nobody")


async def test_the_command_has_a_line_each_and_an_exit_code(tmp_path: Path) -> None:
    """Nothing is set up: every part is a line with what to do, the exit code is 1, and `--json` tells the same."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    url = f"http://127.0.0.1:{tools.free_port()}"
    environment = {name: text for name, text in os.environ.items() if not name.startswith("TOCSIN_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "receiver.cli", "doctor", str(policy), "--url", url, "--json",
        stdout=asyncio.subprocess.PIPE, cwd=tmp_path, env=environment,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), GIVES_UP)
    assert process.returncode == 1
    checks = orjson.loads(said)["checks"]
    failed = {each["part"] for each in checks if not each["ok"]}
    assert {"database", "channel email", "channel slack", "Alertmanager", "Prometheus", "receiver"} == failed
