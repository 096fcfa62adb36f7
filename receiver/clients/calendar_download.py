"""Downloads calendars for `receiver.jobs.calendar_fetch`. All external failures are raised as FeedFailed.

Rules: a URL may be a secret, so no error contains it; redirects must lead to https (from http on this machine, also to
this machine); time, size and number of redirects are limited.
"""

import asyncio
import re
from dataclasses import dataclass

import aiohttp
from yarl import URL

from receiver.clients.egress import Egress, HttpSession, reason_of
from receiver.errors import CannotError

WITHIN = 10.0
"""Seconds for a download, all redirects included."""

LARGEST = 4 << 20
"""Bytes that a calendar may have."""

REDIRECTS = 5

_PIECE = 64 << 10
_MOVED = frozenset((301, 302, 303, 307, 308))
_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|::1")
_OPAQUE = 500
"""Characters of an ETag or a Last-Modified header that are kept; longer ones are ignored."""


class FeedFailed(CannotError):  # noqa: N818 - an external state, not a bug
    """A calendar could not be fetched; `reason` says why, without its URL."""


@dataclass(frozen=True, slots=True)
class FetchedCalendar:
    """A server's answer."""

    text: str
    etag: str = ""
    modified: str = ""
    is_unchanged: bool = False
    """304: the known copy is current; the other fields are empty."""


class CalendarFeeds:
    """The connections to calendar servers."""

    def __init__(self, within: float = WITHIN, egress: Egress | None = None) -> None:
        """`within`: seconds for one download."""
        self._within = within
        self._http = HttpSession(aiohttp.ClientTimeout(total=within), egress)

    async def fetch(self, url: str, etag: str = "", modified: str = "") -> FetchedCalendar:
        """Download a calendar. `etag`, `modified`: the known copy's headers. Raises FeedFailed."""
        asked = {"If-None-Match": etag, "If-Modified-Since": modified}
        headers = {"User-Agent": "Tocsin", "Accept": "text/calendar, */*;q=0.5"}
        headers |= {name: value for name, value in asked.items() if value}
        try:
            async with asyncio.timeout(self._within):
                return await self._follow(URL(url), headers)
        except TimeoutError:
            raise FeedFailed(f"no whole answer within {self._within:g} s") from None
        except (aiohttp.ClientHttpProxyError, aiohttp.ClientProxyConnectionError) as error:
            raise FeedFailed(f"its server cannot be reached: {reason_of(error)}") from None
        except aiohttp.ClientConnectorError as error:
            why = error.strerror or type(error).__name__
            raise FeedFailed(f"its server cannot be reached ({why})") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise FeedFailed(f"its server cannot be reached ({type(error).__name__})") from None

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _follow(self, url: URL, headers: dict[str, str]) -> FetchedCalendar:
        for _ in range(REDIRECTS + 1):
            async with self._http.request("GET", str(url), headers=headers) as response:
                if response.status not in _MOVED:
                    return await _read(response)
                url = _moved_to(url, response.headers.get("Location", ""))
        raise FeedFailed(f"its server redirects more than {REDIRECTS} times")


def _moved_to(url: URL, location: str) -> URL:
    there = url.join(URL(location))
    is_local = url.scheme == "http" and there.scheme == "http" and _LOOPBACK.fullmatch(there.host or "")
    if not location or not (there.scheme == "https" or is_local):
        raise FeedFailed("its server redirects to a place that is not https")
    return there


async def _read(response: aiohttp.ClientResponse) -> FetchedCalendar:
    if response.status == 304:
        return FetchedCalendar("", is_unchanged=True)
    if response.status != 200:
        raise FeedFailed(f"its server answers {response.status}")
    found = bytearray()
    async for piece in response.content.iter_chunked(_PIECE):
        found += piece
        if len(found) > LARGEST:
            raise FeedFailed(f"it is longer than {LARGEST >> 20} MiB")
    text = _text(bytes(found))
    return FetchedCalendar(text, _kept(response, "ETag"), _kept(response, "Last-Modified"))


def _text(found: bytes) -> str:
    try:
        text = found.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FeedFailed("it is no text in UTF-8") from None
    if "\0" in text:
        raise FeedFailed("it is no text: it has NUL characters")
    return text


def _kept(response: aiohttp.ClientResponse, name: str) -> str:
    value = response.headers.get(name, "")
    return value if len(value) <= _OPAQUE and value.isascii() and value.isprintable() else ""
