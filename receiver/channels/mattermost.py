"""Mattermost: a bot's post in a channel or a person's direct messages, each page with a button that acknowledges.

The first post about an incident is edited to the present state; later ones are replies in its thread. A post's key is
its `pending_post_id`: Mattermost drops a second post with the same for half a minute. What alerts say is in Markdown
posts, so formatting characters in it are replaced by similar ones.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from receiver.channels import Configured, Outgoing
from receiver.channels.posting import Answer, Poster, Unanswered, Unsendable, excerpt
from receiver.clients.egress import Egress
from receiver.core.events import Delivered, Outcome, Rejected, Retry
from receiver.core.model import Kind
from receiver.messages import Message
from receiver.messages.plain import cut
from receiver.settings import Settings

TIMEOUT = 7.0
"""Seconds for a whole call; a message takes two, the first to a person four."""

PATH = "/callbacks/mattermost"
"""Where Mattermost posts a press."""

HEADLINE, TEXT, FACT, FACTS, LABELS, LINK = 300, 1500, 300, 20, 1000, 1500
"""Characters of the headline, a paragraph, a fact's value, number of facts, characters of all labels, of an address."""
MOST = 6000
"""Characters of the attachment's paragraphs together: a post of older servers has 8,000 in all."""

COLOURS = {1: "#808080", 2: "#2f6fde", 3: "#e08a00", 4: "#c62828"}
"""Level → the attachment's colour."""
CALM = "#2e7d32"

LOUD = frozenset({Kind.PAGE, Kind.REMINDER})
"""Kinds with the policy's mention."""
TERSE = frozenset({Kind.NOTICE, Kind.REMINDER})
"""Kinds that are one sentence in a thread."""

_MARKDOWN = re.compile(
    r"(?<![A-Za-z0-9])_|[*`~\[\]|\\]|^\s*[-+>#](?=\s)|(?<=^\d)\.(?=\s)|:(?=[\w+-]+:)|(?<![\w.+-])@(?=\w)", re.MULTILINE
)
"""What Mattermost may read as formatting, a link, an emoji or a mention."""
_ALIKE = str.maketrans(
    "*_~`[]|\\-+>#.:@", "\u2217\u02cd\u223c\u02cb\uff3b\uff3d\u2223\u29f5\u2010\uff0b\u203a\uff03\u2024\ua789\uff20"
)
"""Similar characters without a meaning."""


@dataclass(frozen=True, slots=True)
class MattermostPost:
    """A post; stored as ``channel:post``, with ``:bundle`` if it is of several incidents."""

    channel: str
    post: str
    bundle: bool = False

    @classmethod
    def parse(cls, reference: str) -> "MattermostPost | None":
        """Returns the post in a reference; None: invalid."""
        found = re.fullmatch(r"(\w+):(\w+)(:bundle)?", reference, re.ASCII)
        return cls(found[1], found[2], bool(found[3])) if found else None

    def __str__(self) -> str:
        return f"{self.channel}:{self.post}{':bundle' if self.bundle else ''}"


@dataclass(frozen=True, slots=True)
class MattermostFailure:
    """A call that Mattermost did not carry out."""

    outcome: Retry | Rejected
    error: str = ""
    """Mattermost's id of the error."""


class MattermostSender:
    """The sender for channels of type mattermost."""

    def __init__(
        self, token: str, url: str, external_url: str = "", egress: Egress | None = None, *, timeout: float = TIMEOUT
    ) -> None:
        """`url`: of the server. `external_url`: where it reaches Tocsin; empty: there are no buttons."""
        self._token = token
        self._url = f"{url.rstrip('/')}/api/v4"
        self._external_url = external_url
        self._poster = Poster(timeout, egress)
        self._direct: dict[str, str] = {}
        """Id of a person → id of the channel of direct messages."""

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Posts the message, and edits the incident's first post to the present state."""
        kind = outgoing.notification.kind
        thread = MattermostPost.parse(outgoing.thread)
        first = thread if thread and not thread.bundle else None
        if first and kind in {Kind.ACKNOWLEDGED, Kind.RESOLVED}:
            # Before the post, because an edit may always be repeated.
            edited = await self._edit(outgoing.message, first)
            if isinstance(edited, MattermostFailure) and isinstance(edited.outcome, Retry):
                return edited.outcome
        outcome = await self._post(outgoing, thread)
        if first and kind is Kind.PAGE and isinstance(outcome, Delivered):
            await self._edit(outgoing.message, first)  # an outcome other than success is ignored: the page is out
        return outcome

    async def _post(self, outgoing: Outgoing, thread: MattermostPost | None) -> Outcome:
        channel = await self._channel(outgoing)
        if isinstance(channel, MattermostFailure):
            return channel.outcome
        whole = thread is None or outgoing.notification.kind not in TERSE
        mention = outgoing.channel.mention if outgoing.notification.kind in LOUD else ""
        words = {
            "channel_id": channel,
            "pending_post_id": outgoing.key,
            **self._shown(outgoing.message, mention, whole=whole),
        }
        done = await self._call("posts", words | ({"root_id": thread.post} if thread else {}))
        if isinstance(done, MattermostFailure) and thread and "root_id" in done.error:  # the first post was deleted
            done = await self._call("posts", words)
        if isinstance(done, MattermostFailure):
            return done.outcome
        return Delivered(str(MattermostPost(channel, str(done["id"]), bundle=outgoing.message.count > 1)))

    async def _channel(self, outgoing: Outgoing) -> str | MattermostFailure:
        """The id of the recipient's channel: for a person that of their direct messages with the bot."""
        recipient = outgoing.notification.recipient
        if not outgoing.notification.person:
            return recipient
        if recipient not in self._direct:
            own = judge(await self._poster.get(f"{self._url}/users/me", self._headers), self._token)
            if isinstance(own, MattermostFailure):
                return own
            found = await self._call("channels/direct", [own["id"], recipient])
            if isinstance(found, MattermostFailure):
                return found
            self._direct[recipient] = str(found["id"])
        return self._direct[recipient]

    async def _edit(self, message: Message, first: MattermostPost) -> Mapping[str, Any] | MattermostFailure:
        words = orjson.dumps(self._shown(message, "", whole=True))
        answer = await self._poster.put(f"{self._url}/posts/{first.post}/patch", words, self._headers)
        return judge(answer, self._token)

    async def _call(self, path: str, words: Any) -> Mapping[str, Any] | MattermostFailure:
        return judge(await self._poster.post(f"{self._url}/{path}", orjson.dumps(words), self._headers), self._token)

    @property
    def _headers(self) -> Mapping[str, str]:
        return {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}

    def _shown(self, message: Message, mention: str, *, whole: bool) -> dict[str, Any]:
        """The post's text, and its attachment. `whole`: with all parts, not only headline and reason."""
        headline = f"**{_literal(cut(message.headline or message.subject, HEADLINE))}**"
        text = "\n".join(filter(None, (mention, headline, _literal(cut(message.lead, TEXT)))))
        attachment = {
            "fallback": _literal(cut(message.headline, HEADLINE)),
            "color": COLOURS[message.level] if message.live else CALM,
            "text": "\n\n".join(_paragraphs(message)) if whole else "",
            "fields": [_field(*fact) for fact in message.facts[:FACTS]] if whole else [],
            "actions": self._actions(message),
        }
        return {"message": text, "props": {"attachments": [attachment] if whole else []}}

    def _actions(self, message: Message) -> list[dict[str, Any]]:
        """The button. Mattermost keeps its address and context from clients."""
        if not message.answer_token or not self._external_url:
            return []
        label = f"Acknowledge these {message.count}" if message.count > 1 else "Acknowledge"
        integration = {"url": f"{self._external_url}{PATH}", "context": {"token": message.answer_token}}
        return [{"id": "acknowledge", "type": "button", "name": label, "style": "primary", "integration": integration}]

    async def close(self) -> None:
        """Closes the connections."""
        await self._poster.close()


def configure(settings: Settings, _now: Callable[[], int]) -> Configured | None:
    """Configured if there are a server and a bot's token. Buttons need an external URL."""
    token, url = (settings.of_channels.get(f"mattermost_{name}") for name in ("token", "api_url"))
    if token is None or url is None:
        return None
    shown, where, home = token.get_secret_value(), url.get_secret_value(), settings.external_url or ""
    return Configured(lambda egress: MattermostSender(shown, where, home, egress))


def judge(answer: Answer | Unanswered | Unsendable, token: str) -> Mapping[str, Any] | MattermostFailure:
    """Returns the document in Mattermost's answer, or why there is none."""
    match answer:
        case Unsendable(reason):
            return MattermostFailure(Rejected(f"{reason}: mend TOCSIN_MATTERMOST_API_URL"))
        case Unanswered(reason):
            return MattermostFailure(Retry(reason))
        case Answer():
            pass
    told = _document(answer.body)
    if 200 <= answer.status < 300:
        return told if told.get("id") else MattermostFailure(Retry("Mattermost's answer makes no sense"))
    error = str(told.get("id", ""))
    return MattermostFailure(_judge_refusal(answer, error, excerpt(str(told.get("message", "")), (token,))), error)


def _judge_refusal(answer: Answer, error: str, said: str) -> Retry | Rejected:
    status = answer.status
    if status == 429:
        return Retry("Mattermost limits the rate (429)", answer.retry_after)
    if status in {408, 425} or status >= 500:
        return Retry(f"Mattermost is not ready ({status})", answer.retry_after)
    if 300 <= status < 400 or not error:
        return Rejected(f"Mattermost's address answered {status}: check TOCSIN_MATTERMOST_API_URL")
    if status == 401:
        return Rejected("Mattermost refuses the token (401): set TOCSIN_MATTERMOST_TOKEN to the bot's token")
    if status == 403:
        return Rejected(f"Mattermost lets the bot not post there (403): add it to the channel ({said})")
    if status == 404:
        return Rejected(f"Mattermost knows no such channel or person (404): is the id in the policy right ({said})")
    return Rejected(f"Mattermost refuses it ({status}): {said}")


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _field(name: str, value: str) -> dict[str, Any]:
    return {"title": _literal(name), "value": _literal(cut(value, FACT)), "short": len(value) <= 40}


def _paragraphs(message: Message) -> list[str]:
    """Steps, paragraphs, labels and links; of a long message the longest are left out, which is said."""
    steps = "\n".join(f"{number}. {_literal(action)}" for number, action in enumerate(message.actions, 1))
    first = [f"**First do this:**\n{cut(steps, TEXT)}"] if steps else []
    labels = ", ".join(f"{name}={value}" for name, value in message.labels)
    told = (
        *message.paragraphs,
        labels and f"Labels: {cut(labels, LABELS)}",
        "" if message.answer_token else message.command,
    )
    more = [_literal(cut(part, TEXT)) for part in told if part]
    links = " · ".join(f"[{_literal(label)}](<{url}>)" for label, url in message.links if len(url) <= LINK)
    all_of_it = len(more)
    while more and sum(map(len, more)) > MOST:
        more.remove(max(more, key=len))
    left_out = "This message was too long for Mattermost; the incident's page has the rest."
    return [*first, *more, *([left_out] if len(more) < all_of_it else ()), *([links] if links else ())]


def _literal(text: str) -> str:
    return _MARKDOWN.sub(lambda found: found[0].translate(_ALIKE), text)
