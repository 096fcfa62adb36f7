"""Twilio's REST API, shared by SMS and calls: form, credentials, judging the answer.

There is no idempotency key: after a 5xx or a broken connection it is unknown whether the message was sent. That is a
Retry whose reason says so; the next try first searches for the message of the last one
(receiver/channels/twilio_lookup.py). A 429 was certainly not processed.
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from urllib.parse import quote, urlencode

import orjson

from receiver.channels.number_senders import checked, sender_to
from receiver.channels.posting import Answer, Poster, Unanswered, Unsendable, excerpt
from receiver.channels.twilio_lookup import MAX_LIST, PAGE, FoundMessage, Unclear, Wanted, pick
from receiver.clients.egress import Egress
from receiver.core.events import Delivered, Outcome, Rejected, Retry
from receiver.settings import Settings
from rules.channel_types import NUMBER

API_URL = "https://api.twilio.com"

STATUS_PATH = "/callbacks/twilio/status"
"""Where Twilio reports the result of a message or a call; query: `notification`, its name."""
DIGITS_PATH = "/callbacks/twilio/digits"
"""Where Twilio reports the key pressed during a call; query: `notification`, the page's name."""

SIGNATURE_HEADER = "X-Twilio-Signature"
SETTINGS_HEADER = "X-Twilio-Webhooks-Signature-Settings"
"""Present if a Webhooks Rule has Twilio sign with a SharedKey instead of the auth token; it names the algorithm."""
HMAC_SHA1 = "HMAC_SHA1"
_DIGESTS = {HMAC_SHA1: sha1, "HMAC_SHA256": sha256}

TIMEOUT = 12.0
"""Seconds for one request; a try takes two at most."""
MAX_BLIND = 3
"""Tries that are made although an earlier one may have been sent: a duplicate page is better than none."""

_CREDENTIALS = "Twilio refuses the credentials: set TOCSIN_TWILIO_ACCOUNT_SID and TOCSIN_TWILIO_AUTH_TOKEN"
_PERMANENT: Mapping[int, str] = {
    20003: _CREDENTIALS,
    21211: "the number is not valid",
    21408: "the account may not send to that country (geographic permissions)",
    21608: "a trial account reaches verified numbers only",
    21610: "the recipient has opted out of SMS from our number (STOP); only their own answer START to it ends that",
    21614: "the number is not a mobile number",
    21617: "the message is too long",
}
_OF_RECIPIENT = frozenset({21211, 21610, 21614, 21617})
"""Errors that another provider would not solve, or, after STOP, must not circumvent."""
_RATE_LIMITED = 20429


@dataclass(frozen=True, slots=True)
class Account:
    """A Twilio account, or one at a provider with the same API."""

    sid: str
    token: str = field(repr=False)
    sender: str
    """The number that messages and calls come from."""
    api_url: str = field(default=API_URL, repr=False)
    external_url: str = ""
    """Where Twilio reaches this receiver; empty: nowhere, so no callbacks are requested."""

    def callback(self, path: str, name: str) -> str:
        """Returns the public URL that Twilio calls back; empty: none."""
        return f"{self.external_url}{path}?{urlencode({'notification': name})}" if self.external_url else ""

    @property
    def secrets(self) -> tuple[str, str]:
        """Values that must not be shown, in the forms in which an answer could repeat them."""
        return self.token, self.credentials

    @property
    def credentials(self) -> str:
        """SID and token for Basic authentication."""
        return b64encode(f"{self.sid}:{self.token}".encode()).decode()


def account_of(settings: Settings) -> Account | None:
    """Returns the account in the settings; None: they are incomplete. Raises SettingsError."""
    sid, token, sender = settings.twilio_account_sid, settings.twilio_auth_token, settings.twilio_from
    if not (sid and token and sender):
        return None
    sender = checked(sender, "TOCSIN_TWILIO_FROM")
    return Account(sid, token.get_secret_value(), sender, settings.twilio_api_url, settings.external_url or "")


def is_number(recipient: str) -> bool:
    """Whether it can be dialled: E.164, such as +4930123456."""
    return NUMBER.fullmatch(recipient) is not None


class Twilio:
    """One account's API."""

    def __init__(self, account: Account, egress: Egress | None = None, *, timeout: float = TIMEOUT) -> None:
        """`timeout`: seconds for a whole request."""
        self.account = account
        self._poster = Poster(timeout, egress)
        self._headers = {"Authorization": f"Basic {account.credentials}", "Accept": "application/json"}

    async def send(self, resource: str, form: Sequence[tuple[str, str]], wanted: Wanted, attempts: int) -> Outcome:
        """Creates a message (``Messages``) or a call (``Calls``), unless an earlier try is found.

        `attempts`: number of earlier tries. Empty form values are left out.
        """
        if attempts:
            found = await self._look(resource, wanted)
            if isinstance(found, FoundMessage):
                return Delivered(found.sid)
            if isinstance(found, Unclear) and attempts >= MAX_BLIND:
                return Retry(f"it may have been sent {attempts} times: {found.reason}")
        values = [
            (name, value) for name, value in (("From", sender_to(wanted.to, self.account.sender)), *form) if value
        ]
        return judge(await self._poster.post(self._url(resource), values, self._headers), self.account.secrets)

    async def _look(self, resource: str, wanted: Wanted) -> FoundMessage | Unclear | None:
        """Returns what Twilio has of it; None: certainly nothing."""
        query = urlencode({"To": wanted.to, "PageSize": str(PAGE)})
        answer = await self._poster.get(f"{self._url(resource)}?{query}", self._headers, MAX_LIST)
        if not isinstance(answer, Answer) or answer.status != 200 or not answer.whole:
            return Unclear("Twilio does not tell whether it has it")
        return pick(_fields(answer).get(resource.lower()), wanted)

    def _url(self, resource: str) -> str:
        return f"{self.account.api_url}/2010-04-01/Accounts/{quote(self.account.sid, safe='')}/{resource}.json"

    async def close(self) -> None:
        """Closes the connections."""
        await self._poster.close()


def judge(answer: Answer | Unanswered | Unsendable, secrets: Iterable[str]) -> Outcome:
    """Returns the outcome of Twilio's answer."""
    match answer:
        case Unsendable(reason):
            return Rejected(f"Twilio: {reason}")
        case Unanswered(reason, sent):
            return Retry(f"Twilio: {reason}{'; it may have been sent all the same' if sent else ''}")
        case Answer(status=201) if not answer.whole:
            # 201 means created; a retry because of the incomplete body would send a duplicate.
            return Delivered()
        case Answer(status=status) if 200 <= status < 300:
            sid = _fields(answer).get("sid")
            if isinstance(sid, str) and sid:
                return Delivered(sid)
            return Retry(f"the answer ({status}) is not Twilio's: is the API URL right? It may have been sent")
        case Answer(status=status) if status == 429 or _code(answer) == _RATE_LIMITED:
            return Retry("Twilio limits the rate (429); nothing was sent", answer.retry_after)
        case Answer(status=status) if status >= 500 or status == 408:
            return Retry(f"Twilio is in trouble ({status}); it may have been sent all the same", answer.retry_after)
        case Answer(status=status) if 300 <= status < 400:
            return Rejected(f"Twilio's address redirects ({status}), which is not followed: is the API URL right?")
        case Answer():
            return Rejected(_refusal(answer, secrets))


def _refusal(answer: Answer, secrets: Iterable[str]) -> str:
    code = _code(answer)
    if known := meaning_of(code):
        return known
    if answer.status in {401, 403}:
        return f"{_CREDENTIALS} ({answer.status})"
    if answer.status == 404:
        return "Twilio knows no such account (404): set TOCSIN_TWILIO_ACCOUNT_SID, or mend TOCSIN_TWILIO_API_URL"
    said = excerpt(str(_fields(answer).get("message") or answer.body.decode("utf-8", "replace")), secrets)
    return f"Twilio refuses it ({code or answer.status}): {said or 'no reason given'}"


def meaning_of(code: int) -> str:
    """Returns the meaning of a permanent Twilio error, with its number; empty: it may be temporary."""
    return f"{_PERMANENT[code]} (Twilio {code})" if code in _PERMANENT else ""


def concerns_recipient(outcome: Outcome) -> bool:
    """Whether it was refused because of the recipient or the content, so that no other provider is tried."""
    return isinstance(outcome, Rejected) and outcome.reason in map(meaning_of, _OF_RECIPIENT)


def _code(answer: Answer) -> int:
    code = _fields(answer).get("code")
    return code if isinstance(code, int) else 0


def _fields(answer: Answer) -> Mapping[str, object]:
    try:
        fields = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}
    return fields if isinstance(fields, dict) else {}


def valid_signature(
    secret: str, url: str, params: Iterable[tuple[str, str]], signature: str, algorithm: str = HMAC_SHA1
) -> bool:
    """Whether a callback is Twilio's: its X-Twilio-Signature matches the URL and the posted form.

    `url`: the public URL given to Twilio, with query; Twilio signs it with or without the port, regardless of the
    original. `params`: the form's pairs as received. `secret` and `algorithm`: the auth token and HMAC_SHA1, or the
    values that X-Twilio-Webhooks-Signature-Settings names. Never raises: invalid input is not valid.
    """
    digest = _DIGESTS.get(algorithm.upper())
    if digest is None:
        return False
    form = "".join(name + value for name, value in sorted(set(params)))
    given = signature.encode("utf-8", "surrogatepass")
    expected = [
        b64encode(hmac.new(secret.encode(), f"{each}{form}".encode("utf-8", "surrogatepass"), digest).digest())
        for each in _spellings(url)
    ]
    return any(hmac.compare_digest(each, given) for each in expected)


def signature_algorithm(settings: str) -> str:
    """Returns the algorithm in an X-Twilio-Webhooks-Signature-Settings header: ``key=…,algorithm=HMAC_SHA256``."""
    named = (part.partition("=") for part in settings.split(","))
    return next((value.strip() for name, _, value in named if name.strip() == "algorithm"), "") or HMAC_SHA1


def _spellings(url: str) -> tuple[str, ...]:
    """Returns the URL unchanged, and with the port added or removed."""
    scheme, separator, rest = url.partition("://")
    cut = next((place for place, char in enumerate(rest) if char in "/?#"), len(rest))
    host, path = rest[:cut], rest[cut:]
    bare = re.sub(r":\d*$", "", host)
    ported = host if bare != host else f"{host}:{443 if scheme == 'https' else 80}"
    return tuple(dict.fromkeys((url, *(f"{scheme}{separator}{each}{path}" for each in (bare, ported)))))
