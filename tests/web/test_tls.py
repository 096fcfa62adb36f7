"""TLS of our own, and clients that have to show a certificate."""

import asyncio
import io
import os
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import structlog
import trustme

from receiver.errors import SettingsError
from receiver.service import Service
from receiver.settings import Settings
from receiver.telemetry.logs import configure_logs
from receiver.web.http.tls import Tls
from tests.web.conftest import payload

HOOK = "/webhook/alertmanager"


class Papers:
    """Certificates as files: ours, a client's of the CA, and one of an untrusted CA."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ca, self.others = folder, trustme.CA(), trustme.CA()
        self.ca.cert_pem.write_to_path(str(folder / "ca.pem"))
        self.write("server", self.ca.issue_cert("127.0.0.1"))
        self.write("client", self.ca.issue_cert("alertmanager.example.test"))
        self.write("stranger", self.others.issue_cert("alertmanager.example.test"))

    def write(self, name: str, certificate: trustme.LeafCert) -> None:
        certificate.private_key_pem.write_to_path(str(self.folder / f"{name}.key"))
        certificate.cert_chain_pems[0].write_to_path(str(self.folder / f"{name}.pem"))

    def environ(self, **more: str) -> dict[str, str]:
        """The settings of a receiver with TLS."""
        return {
            "TOCSIN_LISTEN": "127.0.0.1:0",
            "TOCSIN_DATABASE": "sqlite://",
            "TOCSIN_TLS_CERT_FILE": str(self.folder / "server.pem"),
            "TOCSIN_TLS_KEY_FILE": str(self.folder / "server.key"),
            **more,
        }

    def of(self, name: str) -> ssl.SSLContext:
        """What a client speaks with that has this certificate; empty: none."""
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        if name:
            context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context


Ask = Callable[..., AbstractAsyncContextManager[aiohttp.ClientResponse]]


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return Papers(tmp_path)


@pytest.fixture
def ask(papers: Papers) -> Ask:
    """Asks a service with the certificate named `who`."""

    @asynccontextmanager
    async def asked(service: Service, path: str, who: str = "", **more: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=papers.of(who))) as session,
            session.request("POST" if more else "GET", service.address + path, **more) as answer,
        ):
            yield answer

    return asked


async def test_tls(papers: Papers, ask: Ask) -> None:
    """With certificate and key everything is served by TLS, nothing without, and the session's cookie is for TLS alone."""
    async with Service(Settings.read(papers.environ(TOCSIN_API_TOKENS="ann:admin:see")), []) as service:
        assert service.address.startswith("https://")
        async with ask(service, HOOK, data=payload("single_firing")) as answer:
            assert answer.status == 200
        async with ask(service, "/login", data={"password": "see"}, allow_redirects=False) as answer:
            assert answer.headers["Set-Cookie"].startswith("__Host-tocsin=")
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientError):
                await session.get(service.address.replace("https", "http") + "/-/healthy")


@pytest.mark.parametrize(("who", "status"), [("client", 200), ("", 403)])
async def test_webhook_asks_for_a_certificate(papers: Papers, ask: Ask, who: str, status: int) -> None:
    """With a client CA the webhook takes only its clients; the rest is served to everybody as before."""
    environ = papers.environ(TOCSIN_TLS_CLIENT_CA_FILE=str(papers.folder / "ca.pem"))
    async with Service(Settings.read(environ), []) as service:
        async with ask(service, HOOK, who, data=payload("single_firing")) as answer:
            assert answer.status == status
        async with ask(service, "/-/healthy", who) as answer:
            assert answer.status == 200


@pytest.mark.parametrize("clients", ["webhook", "all"])
async def test_other_certificates_are_refused(papers: Papers, ask: Ask, clients: str) -> None:
    """A certificate of another CA gets nowhere, where the webhook or all paths require one."""
    ca = str(papers.folder / "ca.pem")
    environ = papers.environ(TOCSIN_TLS_CLIENT_CA_FILE=ca, TOCSIN_TLS_CLIENTS=clients)
    async with Service(Settings.read(environ), []) as service:
        for who in ("stranger", *([""] if clients == "all" else [])):
            with pytest.raises((aiohttp.ClientError, ConnectionError, ssl.SSLError)):
                async with ask(service, "/-/healthy", who):
                    pass
        async with ask(service, "/-/healthy", "client") as answer:
            assert answer.status == 200


async def test_token_and_certificate(papers: Papers, ask: Ask) -> None:
    """A certificate replaces no token: where both are set, both are asked for."""
    ca = str(papers.folder / "ca.pem")
    environ = papers.environ(TOCSIN_TLS_CLIENT_CA_FILE=ca, TOCSIN_WEBHOOK_TOKEN="hook")
    async with Service(Settings.read(environ), []) as service:
        for who, token, status in (("client", "hook", 200), ("client", "x", 401), ("", "hook", 403)):
            headers = {"Authorization": f"Bearer {token}"}
            async with ask(service, HOOK, who, data=payload("single_firing"), headers=headers) as answer:
                assert answer.status == status


async def test_renewed_certificate(papers: Papers) -> None:
    """A reload serves a renewed certificate to new connections; a broken one is refused, and the old one stays."""
    async with Service(Settings.read(papers.environ()), []) as service:
        before = await _shown(service)
        papers.write("server", papers.ca.issue_cert("127.0.0.1"))
        assert await service.reload() == []
        renewed = await _shown(service)
        assert renewed != before
        (papers.folder / "server.pem").write_text("nonsense")
        [problem] = await service.reload()
        assert "TOCSIN_TLS_CERT_FILE" in problem
        assert await _shown(service) == renewed


DAY = timedelta(days=1)
SPOILED: dict[str, tuple[dict[str, timedelta], str]] = {
    "expired": ({"not_before": -2 * DAY, "not_after": -DAY}, "expired at"),
    "not valid yet": ({"not_before": DAY, "not_after": 2 * DAY}, "is not valid before"),
}


@pytest.mark.parametrize(("dates", "said"), SPOILED.values(), ids=SPOILED.keys())
async def test_invalid_certificate_is_not_taken(papers: Papers, dates: dict[str, timedelta], said: str) -> None:
    """A reload keeps a good certificate where the file's is out of date, and says which setting, which file and why."""
    now = datetime.now(UTC)
    async with Service(Settings.read(papers.environ()), []) as service:
        before = await _shown(service)
        spoiled = papers.ca.issue_cert("127.0.0.1", **{name: now + away for name, away in dates.items()})
        papers.write("server", spoiled)
        [problem] = await service.reload()
        assert "TOCSIN_TLS_CERT_FILE" in problem
        assert said in problem
        assert await _shown(service) == before
        papers.write("server", papers.ca.issue_cert("127.0.0.1"))
        assert await service.reload() == []
        assert await _shown(service) != before


async def test_start_with_expired_certificate(papers: Papers, logged: io.StringIO) -> None:
    """At the start nothing better is at hand: it serves, since open incidents need their pages, and logs an error."""
    now = datetime.now(UTC)
    papers.write("server", papers.ca.issue_cert("127.0.0.1", not_before=now - 2 * DAY, not_after=now - DAY))
    async with Service(Settings.read(papers.environ()), []) as service:
        assert await _shown(service)
    line = next(each for each in logged.getvalue().splitlines() if "level=error" in each)
    assert "serving with a certificate that is not valid" in line
    assert "TOCSIN_TLS_CERT_FILE" in line
    assert "expired at" in line


def test_chain_out_of_order(papers: Papers) -> None:
    """A chain whose certificates do not follow each other is refused at a reload, as clients would refuse it."""
    tls = Tls(Settings.read(papers.environ()))
    pem = papers.folder / "server.pem"
    pem.write_bytes(pem.read_bytes() + papers.others.cert_pem.bytes())
    assert "is not issued by the next one" in tls.reload()[0]


def test_missing_chain_is_said(papers: Papers, logged: io.StringIO) -> None:
    """A certificate whose issuer is neither in the file nor known here is served, with a warning that names the issuer."""
    Tls(Settings.read(papers.environ()))
    assert "the file holds no certificate of that issuer" in logged.getvalue()
    logged.truncate(0)
    pem = papers.folder / "server.pem"
    pem.write_bytes(pem.read_bytes() + papers.ca.cert_pem.bytes())
    Tls(Settings.read(papers.environ()))
    assert not logged.getvalue().strip("\0")


async def test_client_ca_is_read_again(papers: Papers, ask: Ask) -> None:
    """A reload takes a changed client CA: its clients are served, and those of the one before are not any more."""
    ca = papers.folder / "clients.pem"
    papers.ca.cert_pem.write_to_path(str(ca))
    environ = papers.environ(TOCSIN_TLS_CLIENT_CA_FILE=str(ca), TOCSIN_TLS_CLIENTS="all")
    async with Service(Settings.read(environ), []) as service:
        for taken, refused in (("client", "stranger"), ("stranger", "client")):
            async with ask(service, "/-/healthy", taken) as answer:
                assert answer.status == 200
            with pytest.raises((aiohttp.ClientError, ConnectionError, ssl.SSLError)):
                async with ask(service, "/-/healthy", refused):
                    pass
            papers.others.cert_pem.write_to_path(str(ca))
            assert await service.reload() == []
        ca.write_text("nonsense")
        assert "TOCSIN_TLS_CLIENT_CA_FILE" in (await service.reload())[0]
        async with ask(service, "/-/healthy", "stranger") as answer:
            assert answer.status == 200


async def test_expiry_is_a_metric(papers: Papers, ask: Ask) -> None:
    """When the certificates expire is a metric, one per file, in seconds since 1970; a renewed one is told anew."""
    at = datetime(2031, 5, 4, tzinfo=UTC)
    papers.write("server", papers.ca.issue_cert("127.0.0.1", not_after=at))
    environ = papers.environ(TOCSIN_TLS_CLIENT_CA_FILE=str(papers.folder / "ca.pem"))
    name = "tocsin_tls_certificate_expiry_timestamp_seconds"
    async with Service(Settings.read(environ), []) as service:
        async with ask(service, "/metrics") as answer:
            text = await answer.text()
        assert float(text.partition(f'{name}{{file="server"}} ')[2].split()[0]) == at.timestamp()
        assert f'{name}{{file="client_ca"}}' in text


async def test_refused_handshakes_are_logged(papers: Papers, ask: Ask, logged: io.StringIO) -> None:
    """A refused handshake is one line with reason and client's address, without traceback; many in seconds are still one."""
    environ = papers.environ(TOCSIN_TLS_CLIENT_CA_FILE=str(papers.folder / "ca.pem"))
    async with Service(Settings.read(environ), []) as service:
        for who in ("stranger", "stranger", "stranger"):
            with pytest.raises((aiohttp.ClientError, ConnectionError, ssl.SSLError)):
                async with ask(service, "/-/healthy", who):
                    pass
    [line] = [each for each in logged.getvalue().splitlines() if "handshake" in each]
    assert "the client's certificate:" in line
    assert "address=127.0.0.1" in line
    assert "Traceback" not in logged.getvalue()


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What is logged."""
    stream = io.StringIO()
    configure_logs(stream=stream)
    yield stream
    structlog.reset_defaults()


async def _shown(service: Service) -> str:
    """The certificate that a new connection is shown."""
    parts = urlsplit(service.address)
    return await asyncio.to_thread(ssl.get_server_certificate, (str(parts.hostname), int(parts.port or 0)))


@pytest.mark.parametrize("variable", ["CERT_FILE", "KEY_FILE", "CLIENT_CA_FILE"])
def test_a_pipe_in_place_of_a_file(papers: Papers, variable: str) -> None:
    """It is not waited for, at the start or at a reload, and neither is a file without an end: what is in use stays."""
    ca, name = papers.folder / "ca.pem", f"TOCSIN_TLS_{variable}"
    environ = papers.environ(TOCSIN_TLS_CLIENT_CA_FILE=str(ca))
    file = Path(environ[name])
    tls = Tls(Settings.read(environ))
    in_use, kept = tls.context, file.read_bytes()
    for make, said in (
        (lambda: os.mkfifo(file), "it is a pipe, and a file is needed"),
        (lambda: file.symlink_to("/dev/zero"), "it is a device, and a file is needed"),
        (lambda: file.write_bytes(kept + b"#" * (4 << 20)), "it is larger than 4 MiB"),
    ):
        file.unlink()
        make()
        [problem] = tls.reload()
        assert name in problem
        assert said in problem
        assert tls.context is in_use
        with pytest.raises(SettingsError, match=said):
            Tls(Settings.read(environ))
    file.write_bytes(kept)
    assert tls.reload() == []


def test_wrong_files(papers: Papers) -> None:
    """Files that are missing, of another pair or none at all are said with their setting, before anything starts."""
    ca = papers.folder / "ca.pem"
    for more, said in (
        ({"TOCSIN_TLS_CERT_FILE": "/nowhere.pem"}, "cannot be read"),
        ({"TOCSIN_TLS_KEY_FILE": str(papers.folder / "client.key")}, "do not belong together"),
        ({"TOCSIN_TLS_CERT_FILE": str(papers.folder / "client.key")}, "no certificate"),
        ({"TOCSIN_TLS_CLIENT_CA_FILE": str(papers.folder / "client.key")}, "TOCSIN_TLS_CLIENT_CA_FILE"),
    ):
        with pytest.raises(SettingsError, match=said):
            Tls(Settings.read({**papers.environ(), **more}))
    with pytest.raises(SettingsError, match="TOCSIN_TLS_KEY_FILE: is needed where TOCSIN_TLS_CERT_FILE is set"):
        Settings.read({"TOCSIN_TLS_CERT_FILE": str(ca)})
    with pytest.raises(SettingsError, match="TOCSIN_TLS_CERT_FILE: is needed where TOCSIN_TLS_CLIENT_CA_FILE is set"):
        Settings.read({"TOCSIN_TLS_CLIENT_CA_FILE": str(ca)})
