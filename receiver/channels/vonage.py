"""Vonage's SMS API: the second provider for text messages (`receiver.channels.sms`), and the check of its callbacks.

Every answer is a 200 with a status for each part; only status 0 is a sent message. There is no idempotency key and no
list of sent messages: after a broken connection it is unknown whether the message was sent, so it is a Retry whose
reason says so.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson

from receiver.channels.number_senders import checked, sender_to
from receiver.channels.posting import Answer, Poster, Unanswered, Unsendable, excerpt
from receiver.clients.egress import Egress
from receiver.core.events import Delivered, Outcome, Rejected, Retry
from receiver.messages.segments import is_gsm
from receiver.settings import Settings

API_URL = "https://rest.nexmo.com"

STATUS_PATH = "/callbacks/vonage/status"
"""Where Vonage reports the result of a message; its `client-ref` is the message's name."""

TIMEOUT = 5.0
"""Seconds for a request: with the two requests of the first provider it stays below SEND_TIMEOUT."""

_CREDENTIALS = "Vonage refuses the credentials: set TOCSIN_VONAGE_API_KEY and TOCSIN_VONAGE_API_SECRET"
_THROTTLED = "Vonage limits the rate; nothing was sent"
_TRANSIENT: Mapping[str, str] = {
    "1": _THROTTLED,
    "5": "Vonage is in trouble (status 5); it may have been sent all the same",
    "10": _THROTTLED,
}
_PERMANENT: Mapping[str, str] = {
    "3": "a parameter is not valid: is TOCSIN_VONAGE_FROM right?",
    "4": _CREDENTIALS,
    "6": "the number is not valid",
    "7": "the number is barred",
    "8": "the account is barred",
    "9": "the account's credit is used up",
    "11": "the account may not send",
    "12": "the message is too long",
    "14": _CREDENTIALS,
    "15": "TOCSIN_VONAGE_FROM may not send to that country",
    "29": "a trial account reaches numbers of its list only",
    "33": "the number does not exist any more",
}
"""Meanings of permanent statuses; others are permanent too, in Vonage's words."""


@dataclass(frozen=True, slots=True)
class VonageAccount:
    """A Vonage account."""

    key: str
    secret: str = field(repr=False)
    sender: str
    """The number, or where networks permit it the name, that messages come from."""
    signature_secret: str = field(default="", repr=False)
    """Verifies callbacks as Vonage's; empty: no callbacks are requested."""
    api_url: str = field(default=API_URL, repr=False)
    external_url: str = ""
    """Where Vonage reaches this receiver; empty: nowhere."""

    @property
    def is_heard(self) -> bool:
        """Whether Vonage can call back: it has a URL, and its callbacks can be verified."""
        return bool(self.signature_secret and self.external_url)


def account_of(settings: Settings) -> VonageAccount | None:
    """Returns the account in the settings; None: they are incomplete. Raises SettingsError."""
    given = {name: value.get_secret_value() for name, value in settings.of_channels.items()}
    key, secret, sender = (given.get(f"vonage_{name}") for name in ("api_key", "api_secret", "from"))
    if not (key and secret and sender):
        return None
    sender = checked(sender, "TOCSIN_VONAGE_FROM")
    url = given.get("vonage_api_url", API_URL).rstrip("/")
    return VonageAccount(
        key, secret, sender, given.get("vonage_signature_secret", ""), url, settings.external_url or ""
    )


class Vonage:
    """One account's API."""

    def __init__(self, account: VonageAccount, egress: Egress | None = None, *, timeout: float = TIMEOUT) -> None:
        """`timeout`: seconds for a whole request."""
        self._account = account
        self._poster = Poster(timeout, egress)

    async def text(self, to: str, body: str, validity: int, name: str = "") -> Outcome:
        """Sends an SMS to a number (+4930123456) that networks may try for `validity` seconds. `name`: the reference in
        callbacks; empty: none are requested.
        """
        account = self._account
        form = [
            ("api_key", account.key),
            ("api_secret", account.secret),
            ("from", sender_to(to, account.sender).removeprefix("+")),
            ("to", to.removeprefix("+")),
            ("text", body),
            ("type", "text" if is_gsm(body) else "unicode"),
            ("ttl", str(validity * 1000)),
        ]
        if name and account.is_heard:
            callback = f"{account.external_url}{STATUS_PATH}"
            form += [("client-ref", name), ("status-report-req", "1"), ("callback", callback)]
        return judge(await self._poster.post(f"{account.api_url}/sms/json", form, {}), account.secret)

    async def close(self) -> None:
        """Closes the connections."""
        await self._poster.close()


def judge(answer: Answer | Unanswered | Unsendable, secret: str) -> Outcome:
    """Returns the outcome of Vonage's answer."""
    match answer:
        case Unsendable(reason):
            return Rejected(f"Vonage: {reason}")
        case Unanswered(reason, sent):
            return Retry(f"Vonage: {reason}{'; it may have been sent all the same' if sent else ''}")
        case Answer(status=429):
            return Retry(f"{_THROTTLED} (429)", answer.retry_after)
        case Answer(status=status) if status >= 500 or status == 408:
            return Retry(f"Vonage is in trouble ({status}); it may have been sent all the same", answer.retry_after)
        case Answer(status=status) if status in {401, 403}:
            return Rejected(f"{_CREDENTIALS} ({status})")
        case Answer(status=status) if status >= 300:
            return Rejected(f"Vonage refuses it ({status}): is TOCSIN_VONAGE_API_URL right?")
        case Answer():
            return _judge_parts(_parts(answer), secret)


def _judge_parts(parts: Sequence[Mapping[str, Any]], secret: str) -> Outcome:
    """Delivered if all parts of the message were accepted."""
    failed = next((part for part in parts if part.get("status") != "0"), None)
    if not parts or not isinstance(parts[0].get("message-id", ""), str):
        return Retry("the answer is not Vonage's: is TOCSIN_VONAGE_API_URL right? It may have been sent")
    if failed is None:
        return Delivered(str(parts[0].get("message-id", "")))
    status = str(failed.get("status"))
    if status in _TRANSIENT:
        return Retry(_TRANSIENT[status])
    said = excerpt(str(failed.get("error-text") or "no reason given"), [secret])
    return Rejected(f"{_PERMANENT.get(status, f'Vonage refuses it: {said}')} (Vonage {excerpt(status, [secret])})")


def _parts(answer: Answer) -> list[Mapping[str, Any]]:
    try:
        parts = orjson.loads(answer.body)["messages"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return []
    return parts if isinstance(parts, list) and all(isinstance(each, dict) for each in parts) else []


def valid_signature(secret: str, params: Mapping[str, str]) -> bool:
    """Whether a callback is Vonage's: its parameter `sig` is the HMAC-SHA256, in hex, of the other parameters sorted by
    name. False for an empty secret.
    """
    signed = "".join(
        f"&{name}={params[name].replace('&', '_').replace('=', '_')}" for name in sorted(params) if name != "sig"
    )
    expected = hmac.new(secret.encode(), signed.encode("utf-8", "surrogatepass"), sha256).hexdigest()
    given = params.get("sig", "").lower().encode("utf-8", "surrogatepass")
    return bool(secret) and hmac.compare_digest(expected.encode(), given)
