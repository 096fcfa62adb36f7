"""Every way out by a real proxy (Debian's tinyproxy), to servers that only a private authority proves.

The servers are called by this machine's name: what is asked for on a loopback address never goes by a proxy.
"""

import asyncio
import os
import re
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from dataclasses import replace as changed
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec.structs import replace

from receiver.channels.configured import make_senders
from receiver.cli.doctor import _reached
from receiver.clients.alertmanager import Alertmanager, AlertmanagerSilentError
from receiver.clients.calendar_download import CalendarFeeds, FeedFailed
from receiver.clients.egress import Egress
from receiver.clients.prometheus import Prometheus, QueryFailed
from receiver.core.events import Delivered, Rejected, Retry
from receiver.core.model import Instant
from receiver.demo.tools import free_port
from receiver.errors import SettingsError
from receiver.settings import Settings
from receiver.telemetry.otlp import Spans
from receiver.version import MARK
from receiver.web.auth.provider import Attempt, Provider, ProviderSilentError, Registration
from tests.channels.outgoings import INCIDENT, outgoing
from tests.end_to_end.conftest import need, until
from tests.patience import GIVES_UP

HOST = socket.gethostname()
ANSWERS = {
    "/api/chat.postMessage": {"ok": True, "channel": "C1", "ts": "1.0"},
    "/v2/enqueue": {"status": "success", "message": "Event processed", "dedup_key": "x"},
    "/2010-04-01/Accounts/AC1/Messages.json": {"sid": "SM1", "status": "queued"},
    "/api/v2/status": {"uptime": "2024-01-01T00:00:00Z", "cluster": {"peers": []}},
    "/api/v2/alerts": [],
    "/api/v2/silences": [],
    "/api/v1/heartbeats": {"heartbeats": []},
    "/api/v1/query": {"status": "success", "data": {"resultType": "vector", "result": []}},
}


@dataclass
class World:
    """A server behind TLS, and a proxy; how to reach the one by the other."""

    url: str
    ca_file: Path
    asked: list[str] = field(default_factory=list)
    """Paths."""

    def settings(self, proxy: str = "", **more: str) -> Settings:
        """Providers are that server."""
        return Settings.read(
            {
                **({"HTTPS_PROXY": proxy} if proxy else {}),
                "TOCSIN_CA_FILE": str(self.ca_file),
                "TOCSIN_SLACK_TOKEN": "xoxb-1",
                "TOCSIN_SLACK_API_URL": f"{self.url}/api",
                "TOCSIN_PAGERDUTY_ROUTING_KEY": "k" * 32,
                "TOCSIN_PAGERDUTY_API_URL": self.url,
                "TOCSIN_TWILIO_ACCOUNT_SID": "AC1",
                "TOCSIN_TWILIO_AUTH_TOKEN": "t",
                "TOCSIN_TWILIO_FROM": "+12025550100",
                "TOCSIN_TWILIO_API_URL": self.url,
                **more,
            }
        )


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Up, and down again."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.crt")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(HOST).configure_cert(context)
    port = free_port()
    found = World(f"https://{HOST}:{port}", tmp_path / "ca.crt")

    async def answer(request: web.Request) -> web.Response:
        found.asked.append(request.path)
        if request.path == "/.well-known/openid-configuration":
            return web.json_response({"issuer": found.url, "authorization_endpoint": f"{found.url}/authorize"})
        status = {"/v2/enqueue": 202, "/2010-04-01/Accounts/AC1/Messages.json": 201}.get(request.path, 200)
        return web.json_response(ANSWERS.get(request.path, {}), status=status, headers={MARK: "1"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, socket.gethostbyname(HOST), port, ssl_context=context).start()
    yield found
    await runner.cleanup()


@dataclass
class Proxy:
    """A tinyproxy."""

    url: str
    log: Path

    @property
    def connects(self) -> int:
        """How often it was asked for a way."""
        return self.log.read_text().count("Request (file") if self.log.exists() else 0


@asynccontextmanager
async def tinyproxy(folder: Path, *more: str) -> AsyncIterator[Proxy]:
    """One, on a free port; `more`: lines of its configuration."""
    need("tinyproxy")
    port, log, file = free_port(), folder / "proxy.log", folder / "tinyproxy.conf"
    lines = [f"Port {port}", "Listen 127.0.0.1", "Timeout 30", f'LogFile "{log}"', "LogLevel Connect", "MaxClients 50"]
    file.write_text("\n".join([*lines, *more, ""]))
    process = await asyncio.create_subprocess_exec(
        "tinyproxy", "-d", "-c", str(file), stdout=asyncio.subprocess.DEVNULL
    )

    async def answers() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    try:
        while not await answers():
            await asyncio.sleep(0.02)
        yield Proxy(f"http://127.0.0.1:{port}", log)
    finally:
        process.terminate()
        await process.wait()


Ask = Callable[[World, Settings], Awaitable[object]]


def by_channel(kind: str, recipient: Callable[[World], str], proxy: str = "") -> Ask:
    """Send a page on a channel of that type; `proxy`: what the channel says itself."""

    async def ask(world: World, settings: Settings) -> object:
        senders = make_senders(settings, lambda: 0)
        message = outgoing(kind, recipient(world))
        message = changed(message, channel=changed(message.channel, proxy=proxy))
        try:
            return await senders[kind].send(message)
        finally:
            for sender in senders.values():
                await sender.close()

    return ask


async def alertmanager(world: World, settings: Settings) -> object:
    client = Alertmanager(world.url, egress=Egress.of(settings))
    try:
        return await client.list()
    except AlertmanagerSilentError as error:
        return error
    finally:
        await client.close()


async def prometheus(world: World, settings: Settings) -> object:
    client = Prometheus(world.url, egress=Egress.of(settings))
    try:
        return await client.query("up")
    except QueryFailed as error:
        return error
    finally:
        await client.close()


async def calendar(world: World, settings: Settings) -> object:
    client = CalendarFeeds(egress=Egress.of(settings))
    try:
        return await client.fetch(f"{world.url}/calendar.ics")
    except FeedFailed as error:
        return error
    finally:
        await client.close()


async def provider(world: World, settings: Settings) -> object:
    client = Provider(Registration(world.url, "tocsin", "", "https://t.example/", "openid"), Egress.of(settings))
    try:
        return await client.login_url(Attempt("s", "n", "v" * 43), Instant(0))
    except ProviderSilentError as error:
        return error
    finally:
        await client.close()


async def traces(world: World, settings: Settings) -> object:
    spans = Spans(world.url, "worker", Egress.of(settings))
    spans.received([replace(INCIDENT, id="0" * 31 + "1")], Instant(1), Instant(2), Instant(3))
    await asyncio.to_thread(spans.close)
    return None


WAYS: dict[str, Ask] = {
    "webhook": by_channel("webhook", lambda world: f"{world.url}/hook"),
    "slack": by_channel("slack", lambda _: "#incidents"),
    "pagerduty": by_channel("pagerduty", lambda _: "ml"),
    "sms": by_channel("sms", lambda _: "+12025550199"),
    "Alertmanager": alertmanager,
    "Prometheus": prometheus,
    "calendar": calendar,
    "identity provider": provider,
    "traces": traces,
}


async def test_every_way_goes_by_the_proxy(world: World, tmp_path: Path) -> None:
    """With HTTPS_PROXY and TOCSIN_CA_FILE each way out passes the proxy and gets there; with NO_PROXY for that place none
    does, and gets there all the same."""
    async with tinyproxy(tmp_path) as proxy:
        for name, ask in WAYS.items():
            world.asked.clear()
            before = proxy.connects
            said = repr(await ask(world, world.settings(proxy.url)))
            assert not re.search(r"Error|Failed|Retry|Rejected", said), (name, said)
            await until(lambda: world.asked, what=name)
            assert proxy.connects > before, name
        passed = proxy.connects
        for name, ask in WAYS.items():
            world.asked.clear()
            await ask(world, world.settings(proxy.url, NO_PROXY=f"203.0.113.0/24,{HOST}"))
            await until(lambda: world.asked, what=name)
        assert proxy.connects == passed


async def command(world: World, **environment: str) -> tuple[int, str]:
    """`tocsin heartbeats`, asked of that server."""
    known = {name: text for name, text in os.environ.items() if not name.startswith("TOCSIN_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "receiver.cli", "heartbeats", "--url", world.url,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env={**known, **environment},
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), GIVES_UP)
    return process.returncode or 0, said.decode()


async def test_the_commands_go_the_same_way(world: World, tmp_path: Path) -> None:
    """A client command passes the proxy and believes TOCSIN_CA_FILE, also where a receiver's settings are invalid;
    without that file it names it, and of a proxy that is away it says so without the password.
    """
    async with tinyproxy(tmp_path) as proxy:
        way = {"HTTPS_PROXY": proxy.url, "TOCSIN_CA_FILE": str(world.ca_file), "TOCSIN_LISTEN": "nowhere"}
        code, said = await command(world, **way)
        assert (code, "No heartbeat is watched" in said) == (0, True), said
        assert proxy.connects == 1
    code, said = await command(world)
    assert (code, "in TOCSIN_CA_FILE" in said) == (1, True), said
    away = f"http://tocsin:hidden-password@127.0.0.1:{free_port()}"
    code, said = await command(world, HTTPS_PROXY=away)
    assert (code, "cannot be reached" in said, "hidden-password" in said) == (1, True, False), said


async def test_without_the_authority_nobody_is_believed(world: World, tmp_path: Path) -> None:
    """Behind the proxy too, an unproved server is not told anything; TOCSIN_CA_FILE is named."""
    other = tmp_path / "other.crt"
    trustme.CA().cert_pem.write_to_path(other)
    async with tinyproxy(tmp_path) as proxy:
        for name, ask in WAYS.items() - {("traces", traces)}:
            said = await ask(world, world.settings(proxy.url, TOCSIN_CA_FILE=str(other)))
            assert world.asked == [], name
            if name in {"webhook", "slack", "pagerduty", "sms", "Alertmanager", "Prometheus", "identity provider"}:
                assert "TOCSIN_CA_FILE" in str(said), name


async def test_a_proxy_that_refuses_is_said(world: World, tmp_path: Path) -> None:
    """Wrong credentials, a place that the proxy does not lead to, and a proxy that is away: each is said as such, without the
    password, and tried again."""
    channels = ("webhook", "slack", "pagerduty", "sms")
    async with tinyproxy(tmp_path, "BasicAuth tocsin right-password") as proxy:
        wrong = proxy.url.replace("//", "//tocsin:wrong-password@")
        right = proxy.url.replace("//", "//tocsin:right-password@")
        assert await WAYS["webhook"](world, world.settings(right)) == Delivered()
        for name in channels:
            outcome = await WAYS[name](world, world.settings(wrong))
            assert isinstance(outcome, Retry), name
            assert "proxy" in outcome.reason, name
            assert "password" not in outcome.reason
        for name in ("Alertmanager", "Prometheus", "calendar", "identity provider"):
            assert "the proxy asks for other credentials (" in str(await WAYS[name](world, world.settings(wrong)))
    (tmp_path / "closed").mkdir()
    async with tinyproxy(tmp_path / "closed", "ConnectPort 1") as proxy:
        outcome = await WAYS["webhook"](world, world.settings(proxy.url))
        assert isinstance(outcome, Retry)
        assert outcome.reason.startswith("the proxy does not let us through (")
    gone = f"http://127.0.0.1:{free_port()}"
    for name in channels:
        outcome = await WAYS[name](world, world.settings(gone))
        assert isinstance(outcome, Retry), name
        assert "the proxy" in outcome.reason, name


async def test_a_proxy_that_refuses_plain_http_is_said(tmp_path: Path) -> None:
    """Without a tunnel too a proxy's refusal, or that it cannot reach the server, is told as the proxy's by every client and
    the doctor; what the server itself answers, a 403 too, is the server's."""
    status = 403

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    (tmp_path / "filter").write_text("allowed.example.com\n")
    filters = (f'Filter "{tmp_path / "filter"}"', "FilterDefaultDeny Yes")
    async with TestServer(app, host=socket.gethostbyname(HOST)) as server:
        place = f"http://{HOST}:{server.port}"
        plain = World(place, tmp_path)
        ways = [WAYS[name] for name in ("webhook", "sms", "Alertmanager", "Prometheus")]
        for lines, words in (
            (("BasicAuth tocsin right-password",), "the proxy asks for other credentials (407)"),
            (filters, "the proxy does not let us through (403)"),
        ):
            async with tinyproxy(tmp_path, *lines) as proxy:
                settings = plain.settings(HTTP_PROXY=proxy.url, TOCSIN_CA_FILE="")
                for ask in ways:
                    assert words in str(await ask(plain, settings))
                assert words in (await _reached(place, Egress.of(settings))).problem
        async with tinyproxy(tmp_path) as proxy:
            settings = plain.settings(HTTP_PROXY=proxy.url, TOCSIN_CA_FILE="")
            assert isinstance(await WAYS["webhook"](plain, settings), Rejected)
            found = await _reached(place, Egress.of(settings))
            assert (found.problem, found.said) == ("", "answers")
            status = 503
            found = await _reached(place, Egress.of(settings))
            assert (found.problem, found.said) == ("", "answers")
            away = f"http://{HOST}:{free_port()}"
            assert "the proxy answers 5" in (await _reached(away, Egress.of(settings))).problem


async def test_a_channel_has_a_proxy_of_its_own(world: World, tmp_path: Path) -> None:
    """What the channel says counts more than the settings: another proxy, or none."""
    async with tinyproxy(tmp_path) as proxy:
        gone = f"http://127.0.0.1:{free_port()}"
        for kind, recipient in (
            ("webhook", f"{world.url}/hook"),
            ("slack", "#a"),
            ("pagerduty", "ml"),
            ("sms", "+12025550199"),
        ):
            before = proxy.connects
            ask = by_channel(kind, lambda _, recipient=recipient: recipient, proxy.url)
            assert isinstance(await ask(world, world.settings(gone)), Delivered), kind
            assert proxy.connects > before, kind
            ask = by_channel(kind, lambda _, recipient=recipient: recipient, "none")
            assert isinstance(await ask(world, world.settings(gone)), Delivered), kind


@pytest.mark.parametrize(
    ("no_proxy", "url", "direct"),
    [
        ("", "https://a.example.com", False),
        ("", "wss://wss-primary.slack.com/link", False),
        ("example.com", "https://a.example.com", True),
        (".example.com", "https://a.example.com", True),
        ("*.example.com", "https://a.example.com", True),
        ("example.com", "https://myexample.com", False),
        ("EXAMPLE.com", "https://a.Example.COM.", True),
        (".svc,.cluster.local", "http://prometheus.monitoring.svc:9090", True),
        ("10.0.0.0/8", "http://10.1.2.3:9093", True),
        ("10.0.0.0/8", "http://11.1.2.3:9093", False),
        ("10.1.2.3", "http://10.1.2.3:9093", True),
        ("fd00::/8", "http://[fd00::1]:9093", True),
        ("a.example.com:8443", "https://a.example.com:8443", True),
        ("a.example.com:8443", "https://a.example.com", False),
        ("*", "https://a.example.com", True),
        ("", "http://127.0.0.1:9093", True),
        ("", "http://localhost:9093", True),
        ("", "http://[::1]:9093", True),
    ],
)
def test_no_proxy_means_what_it_means_elsewhere(no_proxy: str, url: str, direct: bool) -> None:
    """Hosts, domains, networks, ports and the star; this machine is always reached directly."""
    settings = Settings.read({"HTTPS_PROXY": "http://p:1", "http_proxy": "http://q:1", "no_proxy": no_proxy})
    expected = "http://p:1" if url.startswith(("https", "wss")) else "http://q:1"
    assert Egress.of(settings).proxy_for(url) == (None if direct else expected)


def test_settings_of_proxies(tmp_path: Path) -> None:
    """Ours count more than everybody's, by a file too; nonsense is refused by its name, and no password is shown."""
    (tmp_path / "proxy").write_text("http://tocsin:hidden-password@proxy:3128")
    settings = Settings.read({"HTTPS_PROXY": "http://other:1", "TOCSIN_HTTPS_PROXY_FILE": str(tmp_path / "proxy")})
    assert Egress.of(settings).proxy_for("https://a.example.com") == "http://tocsin:hidden-password@proxy:3128"
    assert "hidden-password" not in repr(settings)
    with pytest.raises(SettingsError, match="TOCSIN_HTTPS_PROXY: must be a URL that begins with http"):
        Settings.read({"HTTPS_PROXY": "socks5://proxy:1080"})
    for content in (None, "nothing of the kind"):
        file = tmp_path / "ca"
        if content:
            file.write_text(content)
        with pytest.raises(SettingsError, match=r"TOCSIN_CA_FILE: cannot use .*: (No such file|it has no cert)"):
            _ = Egress.of(Settings.read({"TOCSIN_CA_FILE": str(file)})).tls


async def test_link_local_is_refused_behind_a_proxy(world: World, tmp_path: Path) -> None:
    """A webhook to where cloud machines keep credentials is refused before the proxy is asked."""
    async with tinyproxy(tmp_path) as proxy:
        ask = by_channel("webhook", lambda _: "https://169.254.169.254/latest")
        assert "link-local" in str(await ask(world, world.settings(proxy.url)))
        assert proxy.connects == 0
