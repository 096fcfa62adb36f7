"""Carrier pigeons: one note per message, handed to the pigeon post, which takes each key once."""

import json
from collections.abc import Callable

from receiver.channels import Configured, Outgoing
from receiver.channels.posting import Answer, Poster, Unanswered, Unsendable, excerpt
from receiver.clients.egress import Egress
from receiver.core.events import Delivered, Outcome, Rejected, Retry
from receiver.settings import Settings


class PigeonSender:
    """The sender for channels of type pigeon."""

    def __init__(self, url: str, token: str, timeout: float = 10.0, egress: Egress | None = None) -> None:
        """`timeout`: seconds for a whole request."""
        self._url = url
        self._token = token
        self._poster = Poster(timeout, egress)

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Delivered means that a pigeon is on its way."""
        note = {"to": outgoing.notification.recipient, "text": outgoing.message.short, "key": outgoing.key}
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
        return self._judge(await self._poster.post(f"{self._url}/notes", json.dumps(note).encode(), headers))

    def _judge(self, answer: Answer | Unanswered | Unsendable) -> Outcome:
        match answer:
            case Unsendable(reason):
                return Rejected(reason)
            case Unanswered(reason):
                return Retry(reason)
            case Answer(status=401):
                return Rejected("the pigeon post refuses the token: set TOCSIN_PIGEON_TOKEN")
            case Answer(status=status) if status < 300:
                return Delivered()
            case Answer(status=status) if status == 429 or status >= 500:
                return Retry(f"the pigeon post is not ready ({status})", answer.retry_after)
            case Answer(status=status):
                return Rejected(f"the pigeon post refuses it ({status}): {excerpt(answer.body, [self._token])}")

    async def close(self) -> None:
        """Let go of the connections."""
        await self._poster.close()


def configure(settings: Settings, _now: Callable[[], int]) -> Configured | None:
    """Where there is a token, and the post's address."""
    token, url = (settings.of_channels.get(name) for name in ("pigeon_token", "pigeon_url"))
    if not (token and url):
        return None
    where, shown = url.get_secret_value(), token.get_secret_value()
    return Configured(lambda egress: PigeonSender(where, shown, egress=egress))
