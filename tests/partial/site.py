"""A site where everything is real: Prometheus, Alertmanager with the compiled rules and routes, Tocsin, two mailboxes.

Time that the rules and routes speak of is divided by PACE (an environment variable; 1: real time). Tocsin's own time
limits are not: they are the product's.
"""

import asyncio
import os
import re
import secrets
import ssl
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml
from aiohttp import web
from aiosmtpd.smtp import SMTP

from receiver.demo import tools
from receiver.demo.exporter import Exporter
from receiver.demo.stand_ins import Mailbox, Providers, start_mailbox, start_web
from rules import self_monitoring
from rules.compile import compile as compile_rules
from rules.durations import format_duration, parse
from rules.groups import AlertingRule, Group
from rules.load import load
from rules.outputs import Options, alertmanager_config, rule_file
from rules.time_scale import faster_groups
from tests.end_to_end import processes
from tests.end_to_end.conftest import Told
from tests.end_to_end.processes import serving, webhook
from tests.web.test_tls import Papers

PACE = int(os.environ.get("PACE", "5"))
HEALTHY, LOW = 0.99, 0.9
FOREIGN = "ReactorHot"
"""A level 4 alert of a rule outside the policy, with the word for it in `severity`."""
OURS = "SafetyMarginLow"
PAGED = "safety_margin_low"
"""How Tocsin's own pages name it: by the policy's rule."""
WINDOW = re.compile(r"(?<=\[)\w+(?=\])|(?<=offset )\w+")
POLICY = processes.POLICY.replace(", channels: [email, slack]}", ", check_interval: 15, channels: [email, slack]}")
RESTORED = 3
"""Evaluations of a group after which Prometheus, which has just started, writes the series ALERTS."""


def sooner(text: str, pace: int) -> str:
    """A duration divided by the pace."""
    return format_duration(parse(text) // pace)


def sooner_group(group: Group, pace: int) -> Group:
    """The group with what its alerts look back over, and how much they bear, divided by the pace."""

    def sooner_alert(rule: AlertingRule) -> AlertingRule:
        expr = WINDOW.sub(lambda found: sooner(found[0], pace), rule.expr)
        for seconds in (self_monitoring.LATEST, self_monitoring.UNHEARD):
            expr = expr.replace(f"> {seconds}", f"> {seconds // pace}")
        return replace(rule, expr=expr)

    rules = tuple(sooner_alert(each) if isinstance(each, AlertingRule) else each for each in group.rules)
    return replace(group, rules=rules)


def sooner_routes(route: dict[str, Any], pace: int) -> dict[str, Any]:
    """The routing tree with its waits divided by the pace."""
    waits = {key: sooner(str(value), pace) for key, value in route.items() if key.endswith(("_wait", "_interval"))}
    return route | waits | {"routes": [sooner_routes(each, pace) for each in route.get("routes", [])]}


class ChannelFaults:
    """How all providers are: they take messages, refuse them, or do not answer."""

    def __init__(self, told: Told) -> None:
        self.rejects = False
        self.answers = asyncio.Event()
        self.answers.set()
        self.app = Providers(told.show).app
        self.app.middlewares.append(self._middleware)

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Any) -> web.StreamResponse:
        await self.answers.wait()
        if self.rejects:
            return web.json_response({"ok": False, "error": "invalid_auth"})
        return await handler(request)


class MoodyMailbox(Mailbox):
    """A mail server with those faults."""

    def __init__(self, told: Told, channel_faults: ChannelFaults) -> None:
        super().__init__(told.show)
        self._channel_faults = channel_faults

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802 - aiosmtpd's name
        await self._channel_faults.answers.wait()
        if self._channel_faults.rejects:
            return "550 5.7.1 refused"
        envelope.rcpt_tos.append(address)
        return "250 OK"


@dataclass
class Seen:
    """What is seen of Tocsin from outside, in the words of the table."""

    webhook: str
    ready: str
    alive: str
    store_up: str
    age: str


@dataclass
class Site:
    """One Tocsin and its surroundings, in a folder of its own."""

    folder: Path
    url: str
    """Of its database."""
    starting: asyncio.Semaphore
    """Held while its servers start."""
    tls: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)
    """Settings of this Tocsin alone."""
    pace: int = PACE
    """What divides the time of its rules and routes."""
    told: Told = field(default_factory=Told)
    around: Told = field(default_factory=Told)
    exporter: Exporter = field(default_factory=Exporter)
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    path: str = "/webhook/alertmanager"
    padding: str = ""
    """What Alertmanager's bodies carry beside."""
    trusted: Path | None = None
    """The file of the CA that Alertmanager trusts."""

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.channel_faults = ChannelFaults(self.told)
        self.port = tools.free_port()
        self.base = f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"
        self._stack = AsyncExitStack()
        self._tocsin = AsyncExitStack()
        if self.tls:
            self.papers = Papers(self.folder)
            self.trusted = self.folder / "trusted.pem"
            self.trusted.write_bytes((self.folder / "ca.pem").read_bytes())

    async def __aenter__(self) -> Self:
        try:
            async with self.starting:
                await self._start()
            await until_true(self.is_heard, 60 + 180 / self.pace, "Tocsin hears the heartbeat")
            await until_true(self.evaluates, 60 + 180 / self.pace, "Prometheus evaluates as one that has run for long")
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self.channel_faults.answers.set()
        await self._tocsin.aclose()
        await self._stack.aclose()

    # Its parts.

    async def _start(self) -> None:
        self.policy = self.folder / "policy.yaml"
        self.policy.write_text(POLICY.replace("escalation_time: 2s", f"escalation_time: {300 // self.pace}s"))
        self.exporter.values = {"safety_margin": HEALTHY}
        runner, model = await start_web(self.exporter.app)
        self._stack.push_async_callback(runner.cleanup)
        fallback, self._smarthost = await start_mailbox(self.around.show)
        self._stack.callback(fallback.close)
        self.environment = await self._providers()
        await self.start_tocsin()
        self.alertmanager = await self._start_alertmanager()
        self.prometheus = await self._start_prometheus(model.removeprefix("http://"))

    async def _providers(self) -> dict[str, str]:
        handler = MoodyMailbox(self.told, self.channel_faults)
        mail = await asyncio.get_running_loop().create_server(lambda: SMTP(handler), "127.0.0.1", 0)
        self._stack.callback(mail.close)
        runner, slack = await start_web(self.channel_faults.app)
        self._stack.push_async_callback(runner.cleanup)
        environment = {
            "TOCSIN_DATABASE": self.url,
            "TOCSIN_WEBHOOK_TOKEN": self.token,
            "TOCSIN_ALERTMANAGER_PEERS": "1",
            "TOCSIN_SMTP_URL": f"smtp://127.0.0.1:{mail.sockets[0].getsockname()[1]}",
            "TOCSIN_EMAIL_FROM": "tocsin@example.test",
            "TOCSIN_SLACK_TOKEN": "xoxb-test",
            "TOCSIN_SLACK_API_URL": f"{slack}/slack/api/",
        }
        if self.tls:
            environment |= {
                "TOCSIN_TLS_CERT_FILE": str(self.folder / "server.pem"),
                "TOCSIN_TLS_KEY_FILE": str(self.folder / "server.key"),
            }
        return environment | dict(self.extra)

    async def start_tocsin(self) -> None:
        """As its supervisor does."""
        scheme = "https" if self.tls else "http"
        self.process = await self._tocsin.enter_async_context(
            serving(self.policy, self.environment, self.port, scheme=scheme)
        )

    def configure_alertmanager(self) -> None:
        """Write its configuration: the compiled one, faster."""
        (self.folder / "token").write_text(self.token)
        options = Options(
            receiver_url=self.base + self.path,
            token_file=str(self.folder / "token"),
            alertmanager_peers=1,
            fallback_email="lead@example.com",
            fallback_smarthost=self._smarthost.removeprefix("smtp://"),
            fallback_from="alertmanager@example.com",
        )
        config = yaml.safe_load(alertmanager_config.render(load([self.policy]), options))
        config["route"] = sooner_routes(config["route"], self.pace)
        if self.trusted:
            config["receivers"][0]["webhook_configs"][0]["http_config"]["tls_config"] = {"ca_file": str(self.trusted)}
        (self.folder / "alertmanager.yml").write_text(yaml.safe_dump(config, sort_keys=False))

    async def _start_alertmanager(self) -> tools.Tool:
        self.configure_alertmanager()
        return await self._start_tool(
            "prometheus-alertmanager",
            f"--config.file={self.folder / 'alertmanager.yml'}",
            f"--storage.path={self.folder / 'alertmanager'}",
            "--cluster.listen-address=",
            "--log.level=debug",  # it then says what it flushes, also where it sends nothing
        )

    async def _start_tool(self, name: str, *arguments: str) -> tools.Tool:
        port = tools.free_port()
        tool = tools.Tool(name, self.folder, port)
        self._stack.push_async_callback(tool.stop)
        await tool.start(*arguments, f"--web.listen-address=127.0.0.1:{port}")
        return tool

    def write_rules(self) -> None:
        """Write what Prometheus evaluates: the compiled groups, faster, and a rule outside the policy."""
        policy = load([self.policy])
        tocsin = self_monitoring.Tocsin(receiver_url=self.base + self.path)
        groups = faster_groups((*compile_rules(policy), *self_monitoring.groups(policy, tocsin)), self.pace)
        document = yaml.safe_load(rule_file.render(sooner_group(each, self.pace) for each in groups))
        foreign = {"alert": FOREIGN, "expr": "safety_margin < 0.95", "labels": {"severity": "emergency"}}
        document["groups"].append({"name": "somebody's own", "rules": [foreign]})
        for group in document["groups"] if self.padding else ():
            for rule in group["rules"]:
                if not rule.get("alert", "Tocsin").startswith("Tocsin"):
                    rule["annotations"] = rule.get("annotations", {}) | {"note": self.padding}
        (self.folder / "rules.yml").write_text(yaml.safe_dump(document))

    async def _start_prometheus(self, model: str) -> tools.Tool:
        self.write_rules()
        manager = self.alertmanager.url.removeprefix("http://")
        tls = {"scheme": "https", "tls_config": {"insecure_skip_verify": True}} if self.tls else {}
        config = {
            "global": {"scrape_interval": sooner("15s", self.pace), "evaluation_interval": sooner("15s", self.pace)},
            "rule_files": [str(self.folder / "rules.yml")],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [manager]}]}]},
            "scrape_configs": [
                {"job_name": "ml", "static_configs": [{"targets": [model]}]},
                {"job_name": "alertmanager", "static_configs": [{"targets": [manager]}]},
                {"job_name": "tocsin", "static_configs": [{"targets": [f"127.0.0.1:{self.port}"]}], **tls},
            ],
        }
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        return await self._start_tool(
            "prometheus",
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'tsdb'}",
            f"--rules.alert.resend-delay={sooner('1m', self.pace)}",
        )

    # What is seen of it.

    def trust(self) -> ssl.SSLContext | bool:
        """How Alertmanager trusts."""
        return ssl.create_default_context(cafile=str(self.trusted)) if self.trusted else True

    async def see(self, serial: int) -> Seen:
        """Everything that the table has a column for; a webhook about a unit of that number is posted."""
        figures = await self.figures()
        age = figures.get("tocsin_oldest_undelivered_emergency_seconds")
        up = figures.get("tocsin_store_up")
        return Seen(
            webhook=await self._post(serial),
            ready=await self._status("/-/ready"),
            alive=await self._status("/-/healthy"),
            store_up="none" if up is None else f"{up:.0f}",
            age="not said" if age is None else "grows" if age else "0",
        )

    async def figures(self) -> dict[str, float]:
        """Its metrics; empty where it does not answer."""
        status, text = await self._ask("GET", "/metrics")
        if status != "200":
            return {}
        lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}

    async def is_heard(self) -> bool:
        """Whether the heartbeat of Prometheus and Alertmanager has reached Tocsin."""
        return 'tocsin_heartbeat_age_seconds{source=""}' in await self.figures()

    async def evaluates(self) -> bool:
        """Whether Prometheus has evaluated each group often enough."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.prometheus.url}/metrics") as answer:
            said = re.findall(r"^prometheus_rule_group_iterations_total\{.*\} (\d+)", await answer.text(), re.MULTILINE)
        return bool(said) and min(map(int, said)) >= RESTORED

    async def _status(self, path: str) -> str:
        return (await self._ask("GET", path))[0]

    async def _post(self, serial: int) -> str:
        body = webhook(serial, 3) | {"commonAnnotations": {"note": self.padding}}
        headers = {"Authorization": f"Bearer {self.token}"}
        return (await self._ask("POST", self.path, json=body, headers=headers, trust=self.trust()))[0]

    async def _ask(self, method: str, path: str, trust: ssl.SSLContext | bool = False, **what: Any) -> tuple[str, str]:
        timeout = aiohttp.ClientTimeout(total=20 if method == "POST" else 5)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.request(method, self.base + path, ssl=trust, **what) as answer,
            ):
                return str(answer.status), await answer.text()
        except aiohttp.ClientSSLError:
            return "TLS refused", ""
        except (aiohttp.ClientError, TimeoutError):
            return "none", ""

    def mails_around(self) -> list[tuple[str, str, str, str]]:
        """Mails about an emergency that Tocsin may not have delivered."""
        return self.around.on("email", self_monitoring.FAIL_THROUGH)

    def has_flushed_end(self) -> bool:
        """Whether Alertmanager has come to the end of fail-through, which sends no message."""
        log = (self.folder / "prometheus-alertmanager.log").read_text()
        return bool(re.search(rf"msg=flushing .*{self_monitoring.FAIL_THROUGH}\[\w+\]\[resolved\]", log))

    def said_around(self) -> str:
        """All that these say."""
        return "".join(text for *_, text in self.mails_around())

    async def fail_through_fires(self) -> bool:
        """As Prometheus sees it."""
        query = {"query": f'ALERTS{{alertname="{self_monitoring.FAIL_THROUGH}",alertstate="firing"}}'}
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.prometheus.url}/api/v1/query", params=query) as answer,
        ):
            return bool((await answer.json())["data"]["result"])

    # What the store's faults need.

    def writer(self) -> int:
        """The process that writes to the database."""
        (child,) = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(child)

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return Path(self.url.removeprefix("sqlite:///"))


async def until_true(condition: Any, seconds: float, what: str) -> None:
    """Wait until an awaited condition holds."""
    try:
        async with asyncio.timeout(seconds):
            while not await condition():
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"never came true: {what}") from None
