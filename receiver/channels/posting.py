"""One HTTP request and its answer, for the channels without a client library (such as Twilio and webhook).

Rules: redirects are not followed (they would send credentials or the message elsewhere); an answer is read up to a cap
and within the timeout; failures are returned as values, in words without the URL, because a URL may contain a secret.
No retries: the core decides them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

import aiohttp

from receiver.clients.egress import Egress, HttpSession, make_connector, reason_of
from rules.policy import HOUR, SECOND

MAX_ANSWER = 64 * 1024
"""Bytes of an answer that are read."""

MAX_RETRY_AFTER = HOUR
"""Microseconds: the longest Retry-After that is honoured."""

CONNECT_TIMEOUT = 5.0
"""Seconds to connect."""

_TOLD = 200
"""Characters of an external answer that are shown to people."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    """At most MAX_ANSWER bytes."""
    whole: bool
    """False: the answer broke off, or was longer than the cap."""

    @property
    def retry_after(self) -> int | None:
        """Microseconds that the server asks to wait, at most MAX_RETRY_AFTER; None: not given."""
        return patience(self.headers)


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No answer: the connection failed or timed out."""

    reason: str
    sent: bool
    """Whether the request may have reached the server; False if no connection was made."""


@dataclass(frozen=True, slots=True)
class Unsendable:
    """The request cannot be made; a retry would not help."""

    reason: str


class AddressRefused(OSError):  # noqa: N818 - a rule, not a mistake
    """An address that a sender must not connect to; raised by its connector's socket factory."""


class Poster:
    """Holds the connections of one sender."""

    def __init__(
        self,
        timeout: float,
        egress: Egress | None = None,
        connector: Callable[..., aiohttp.BaseConnector] = make_connector,
    ) -> None:
        """`timeout`: seconds for everything, from name resolution to the last byte of the answer."""
        self._timeout = timeout
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_TIMEOUT)
        self._session = HttpSession(limits, egress, connector)

    async def post(
        self, url: str, data: bytes | Sequence[tuple[str, str]], headers: Mapping[str, str]
    ) -> Answer | Unanswered | Unsendable:
        """POSTs bytes, or pairs as a form. Returns failures instead of raising."""
        # aiohttp treats a list of pairs as a form, but not a tuple.
        return await self._ask("POST", url, headers, data if isinstance(data, bytes) else list(data), MAX_ANSWER)

    async def put(self, url: str, data: bytes, headers: Mapping[str, str]) -> Answer | Unanswered | Unsendable:
        """PUTs bytes. Returns failures instead of raising."""
        return await self._ask("PUT", url, headers, data, MAX_ANSWER)

    async def get(
        self, url: str, headers: Mapping[str, str], cap: int = MAX_ANSWER
    ) -> Answer | Unanswered | Unsendable:
        """GETs the URL; `cap`: maximum bytes read. Returns failures instead of raising."""
        return await self._ask("GET", url, headers, None, cap)

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str], data: bytes | list[tuple[str, str]] | None, cap: int
    ) -> Answer | Unanswered | Unsendable:
        try:
            async with self._session.request(method, url, data=data, headers=headers) as response:
                body, whole = await _read(response, cap)
                return Answer(response.status, response.headers, body, whole)
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            return Unsendable("the URL is not one that can be posted to")
        except (aiohttp.ClientHttpProxyError, aiohttp.ClientProxyConnectionError) as error:
            return Unanswered(reason_of(error), sent=False)
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, AddressRefused):
                return Unsendable(str(error.os_error))
            return Unanswered(_connecting(error), sent=False)
        except aiohttp.ConnectionTimeoutError:
            return Unanswered(f"no connection within {min(CONNECT_TIMEOUT, self._timeout):g} s", sent=False)
        except TimeoutError:
            return Unanswered(f"no answer within {self._timeout:g} s", sent=True)
        except (aiohttp.ClientError, OSError) as error:
            return Unanswered(f"the connection broke before an answer came ({type(error).__name__})", sent=True)
        except ValueError:
            # Line ends in a header value and similar; the error's text would contain the value.
            return Unsendable("the URL or a header cannot be sent as it is written")

    async def close(self) -> None:
        """Closes the connections."""
        await self._session.close()


async def _read(response: aiohttp.ClientResponse, cap: int) -> tuple[bytes, bool]:
    """Returns (body, whole). If the answer breaks off, the part received so far: its status is known."""
    body = bytearray()
    try:
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > cap:
                return bytes(body[:cap]), False
    except (aiohttp.ClientError, TimeoutError, OSError):
        return bytes(body), False
    return bytes(body), True


def _connecting(error: aiohttp.ClientConnectorError) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the host {error.host} cannot be found"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return f"{error.host} does not prove who it is (TLS: {type(error).__name__}); see TOCSIN_CA_FILE"
    return f"cannot connect to {error.host}:{error.port} ({error.os_error.strerror or error.os_error})"


def patience(headers: Mapping[str, str]) -> int | None:
    """Returns Retry-After in microseconds, at most MAX_RETRY_AFTER; None if missing or invalid.

    A date is compared with the answer's own Date, because the clocks of two machines may differ.
    """
    asked = headers.get("Retry-After", "").strip()
    if asked.isascii() and asked.isdigit():
        return min(int(asked[:9]) * SECOND, MAX_RETRY_AFTER)
    until, at = _date(asked), _date(headers.get("Date", ""))
    if until is None or at is None:
        return None
    return max(0, min(int((until - at).total_seconds()) * SECOND, MAX_RETRY_AFTER))


def _date(text: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else None


def excerpt(body: bytes | str, secrets: Iterable[str]) -> str:
    """Returns the beginning of an external text for display: one line, with the secrets replaced."""
    text = body if isinstance(body, str) else body.decode("utf-8", "replace")
    for secret in secrets:
        if secret:
            text = text.replace(secret, "…")
    # Secrets are replaced before cutting: a cut within a secret would leave part of it.
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _TOLD else line[: _TOLD - 1] + "…"
