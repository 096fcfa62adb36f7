"""A receiver with its console and API for the stories of the manual: people act under their own logins, and every
message is recorded with its time, in order.
"""

import textwrap
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import aiohttp

from manual.examples import read_blocks
from manual.stage import Stage
from receiver.core.model import Instant
from receiver.demo.stand_ins import start_web
from receiver.engine.heartbeat_cache import Heartbeats
from receiver.engine.service_state import ServiceState
from receiver.jobs.loaded_rules import RulesSeen
from receiver.telemetry.metrics import Metrics
from receiver.web.app import make_app
from rules.load import PACKS, load
from rules.policy import Policy

HERE = Path(__file__).parent
PEOPLE = {"dana": "responder", "amir": "responder", "erik": "approver", "mira": "approver"}
"""Login → role."""


@dataclass(frozen=True)
class Heard:
    """One message to a person."""

    at: Instant
    medium: str
    to: str
    headline: str
    text: str
    """Without the headline."""

    @property
    def words(self) -> str:
        """Headline and text."""
        return f"{self.headline}\n{self.text}"


@dataclass(frozen=True)
class Done:
    """An action of a person, or an event from a machine."""

    at: Instant
    who: str
    what: str


@dataclass(frozen=True)
class Chapter:
    """The beginning of a chapter."""

    at: Instant
    title: str


@dataclass(frozen=True)
class Shown:
    """A page, a report or a list that a person reads."""

    at: Instant
    title: str
    text: str
    language: str = "text"


Scene = Heard | Done | Chapter | Shown


class House(Stage):
    """The receiver of a story, its people, and the scenes so far."""

    def __init__(self, policy: Policy, begin: Instant) -> None:
        tokens = ",".join(f"{name}:{role}:{_token(name)}" for name, role in PEOPLE.items())
        super().__init__("", {"TOCSIN_API_TOKENS": tokens, "TOCSIN_WEBHOOK_TOKEN": _token("alertmanager")})
        self.policy, self.now = policy, begin
        self.scenes: list[Scene] = []

    def load(self, providers: str) -> Policy:  # noqa: ARG002 - it has no webhooks
        """The policy that was passed in."""
        return self.policy

    @asynccontextmanager
    async def open(self) -> AsyncIterator["House"]:
        """Run all services during the block."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(super().open())
            app = make_app(
                queue=self.queue,
                engine=self.engine,
                heartbeats=Heartbeats(self.clock),
                store=self.store,
                rules_seen=RulesSeen(),
                state=ServiceState(),
                reads=self.reads,
                settings=self.settings,
                clock=self.clock,
                metrics=Metrics(),
                reload=_no_reload,
                key=self.settings.key(self.store.key),
                installation=self.store.installation,
                senders=self.senders,
            )
            runner, url = await start_web(app)
            stack.push_async_callback(runner.cleanup)
            self.http = await stack.enter_async_context(aiohttp.ClientSession(url))
            yield self

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        self.scenes.append(Chapter(self.now, title))

    def show(self, title: str, text: str, language: str = "text") -> None:
        """Record a text that a person reads."""
        self.scenes.append(Shown(self.now, title, text, language))

    async def call(self, who: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Call the API or load a page under a person's login; then send the planned messages."""
        headers = {"Authorization": f"Bearer {_token(who)}"}
        async with self.http.request(method, f"/{path}", json=body, headers=headers) as answer:
            said = await answer.json(content_type=None) if "json" in answer.content_type else await answer.text()
        await self.work()
        return answer.status, said

    async def do(self, who: str, what: str, method: str, path: str, body: Any = None) -> Any:
        """Perform a person's action, which must succeed."""
        self.scenes.append(Done(self.now, who, what))
        status, said = await self.call(who, method, f"api/v1/{path}", body)
        assert status < 300, (path, said)
        return said

    async def refused(self, who: str, what: str, method: str, path: str, body: Any = None) -> str:
        """Try an action that Tocsin must refuse; returns the reason."""
        status, said = await self.call(who, method, f"api/v1/{path}", body)
        assert status in (403, 409, 422), (path, said)
        self.scenes.append(Done(self.now, who, f"{what} Refused: {said['detail']}"))
        return str(said["detail"])

    async def get(self, path: str, who: str = "dana") -> Any:
        """Read from the API."""
        status, said = await self.call(who, "GET", f"api/v1/{path}")
        assert status == 200, said
        return said

    async def prometheus(self, what: str, *alerts: Mapping[str, Any]) -> None:
        """Receive a webhook of Alertmanager."""
        self.scenes.append(Done(self.now, "Alertmanager", what))
        await self.alert(*alerts)

    async def work(self) -> None:
        """Execute and send what is due now, and record the messages."""
        await super().work()
        kept = self.take()
        heard = [self._mail(each) for each in kept.mails]
        heard += [*map(self._slack, kept.slack), *map(self._event, kept.pagerduty)]
        heard += [self._heard("sms", each["To"], each["Body"], "") for each in kept.sms]
        heard += [self._heard("phone", each["To"], _spoken(each["Twiml"]), "") for each in kept.calls]
        heard.sort(key=lambda each: (MEDIA.index(each.medium), each.headline, each.text, each.to))
        self.scenes += heard

    def heard(self, medium: str = "", to: str = "", *, since: int = 0) -> list[Heard]:
        """The messages from scene `since` on, in this medium and to an address that contains `to`."""
        found = [each for each in self.scenes[since:] if isinstance(each, Heard)]
        return [each for each in found if (not medium or each.medium == medium) and to in each.to]

    def _heard(self, medium: str, to: str, headline: str, text: str) -> Heard:
        return Heard(self.now, medium, to, headline.strip(), text.strip())

    def _mail(self, mail: EmailMessage) -> Heard:
        body = mail.get_body(("plain",))
        assert body
        attached = [each.get_filename() for each in mail.iter_attachments()]
        text = body.get_content().replace("\r\n", "\n") + "".join(f"\n[attached: {each}]" for each in attached)
        return self._heard("email", mail["To"], mail["Subject"], text)

    def _slack(self, form: Mapping[str, Any]) -> Heard:
        where = str(form["channel"]) + (" (thread)" if form.get("thread_ts") else "")
        blocks = form.get("blocks")
        headline, _, text = (read_blocks(blocks) if blocks else str(form["text"])).partition("\n")
        return self._heard("slack", where, headline, text)

    def _event(self, event: Mapping[str, Any]) -> Heard:
        payload = event.get("payload", {})
        details = payload.get("custom_details", {}).items()
        headline = f"{event['event_action']}: {payload.get('summary', '')}".removesuffix(": ")
        text = "\n".join(f"{name}: {value}" for name, value in details if isinstance(value, str))
        return self._heard("pagerduty", "service ml-systems", headline, text)


MEDIA = ("phone", "sms", "pagerduty", "slack", "email")
"""The order of simultaneous messages in a story: the most urgent first."""


def policy_of(*own: str, packs: Sequence[str]) -> Policy:
    """The policy of these files of this folder and of the guide's packs."""
    return load([*(HERE / each for each in own), *(PACKS / each for each in packs)])


def _token(name: str) -> str:
    return f"{name}-token-of-the-story"


def _spoken(twiml: str) -> str:
    return textwrap.fill(ET.fromstring(twiml).findtext(".//Say") or "", 120)  # noqa: S314 - our own document


async def _no_reload() -> list[str]:
    return []
