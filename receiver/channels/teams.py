"""Microsoft Teams: one Adaptive Card per message, posted to the webhook of a workflow in Power Automate.

A workflow answers 202 before it posts, which proves only receipt, so a card must stay within Teams's limits
(`receiver.channels.teams_card`). It returns no message id, so cards are not updated: each message shows the state. It
has no idempotency key; an uncertain message is sent again. A workflow's URL permits posting, so it is a setting of each
recipient and not in the policy.
"""

import re
from collections.abc import Callable
from functools import partial

from receiver.channels import Configured, Outgoing
from receiver.channels.posting import Answer, Poster, Unanswered, Unsendable, excerpt
from receiver.channels.teams_card import as_body
from receiver.clients.egress import Egress
from receiver.core.events import Delivered, Outcome, Rejected, Retry
from receiver.errors import SettingsError
from receiver.settings import Settings, variable_of
from rules.policy import Channel

SETTING = "teams_url"
TIMEOUT = 15.0
"""Seconds for a whole request."""

_FAILED = re.compile(rb"Webhook message delivery failed with error: .*?HTTP error (\d{3})", re.DOTALL)
"""Answer of the older connectors, with status 200, if Teams refused the message."""


class TeamsSender:
    """Posts cards to the workflows of Teams channels."""

    def __init__(self, url_of: Callable[[str], str], egress: Egress | None = None, *, timeout: float = TIMEOUT) -> None:
        """`url_of` returns the URL of a recipient's workflow, or an empty string. `timeout`: seconds for a whole
        request.
        """
        self._url_of = url_of
        self._poster = Poster(timeout, egress)

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Delivered: the workflow answered 2xx."""
        recipient = outgoing.notification.recipient
        variable, url = variable_of(SETTING, recipient), self._url_of(recipient)
        if not url:
            return Rejected(f"the Teams workflow of {recipient} is not known: set {variable} to its URL")
        answer = await self._poster.post(url, as_body(outgoing.message), {"Content-Type": "application/json"})
        return judge(answer, variable, url)

    async def close(self) -> None:
        """Closes the connections."""
        await self._poster.close()


def configure(settings: Settings, _now: Callable[[], int]) -> Configured | None:
    """Configured if there is a workflow's URL; serves the channels with a recipient that has one.
    Raises SettingsError.
    """
    urls = settings.owners(SETTING)
    for variable, url in urls.items():
        if not re.fullmatch(r"https?://[^\s/]+/\S*", url.get_secret_value()):
            raise SettingsError(f"{variable}: must be the URL of a Teams workflow, which begins with https://")

    def url_of(recipient: str) -> str:
        url = settings.own(SETTING, recipient)
        return url.get_secret_value() if url else ""

    def serves(channel: Channel) -> bool:
        return any(each.startswith("@") or url_of(each) for each in channel.recipients)

    return Configured(partial(TeamsSender, url_of), serves) if urls else None


def judge(answer: Answer | Unanswered | Unsendable, variable: str, url: str) -> Outcome:
    """Returns the outcome of the workflow's answer; `variable`: the setting with its URL."""
    match answer:
        case Unsendable(reason):
            return Rejected(f"{reason}: mend {variable}")
        case Unanswered(reason):
            return Retry(reason)
        case Answer(status=status) if 200 <= status < 300:
            failed = _FAILED.search(answer.body)
            return _judge_status(answer, int(failed[1]), variable, url) if failed else Delivered()
        case Answer(status=status):
            return _judge_status(answer, status, variable, url)


def _judge_status(answer: Answer, status: int, variable: str, url: str) -> Outcome:
    if status == 429:
        return Retry("Teams limits the rate (429)", answer.retry_after)
    if status in {408, 425} or status >= 500:
        return Retry(f"the Teams workflow is not ready ({status})", answer.retry_after)
    if status in {401, 403}:
        return Rejected(f"the Teams workflow refuses its URL ({status}): copy it into {variable} anew")
    if status in {404, 410}:
        return Rejected(f"there is no Teams workflow any more ({status}): make one, and set {variable} to its URL")
    if 300 <= status < 400:
        return Rejected(f"the Teams workflow redirects ({status}), which is not followed: copy its URL into {variable}")
    said = excerpt(answer.body, (url, *re.findall(r"[^/?&=]{16,}", url)))
    return Rejected(f"the Teams workflow refuses the card ({status}){f': {said}' if said else ''}: is it turned on?")
