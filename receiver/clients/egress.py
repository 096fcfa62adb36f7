"""Outgoing connections: the proxy for a destination, and the certificate authorities that are trusted.

Every HTTP client gets an Egress. A client by aiohttp (`receiver.clients.alertmanager`, `receiver.clients.prometheus`,
`receiver.channels.posting`, `receiver.web.auth.provider`, `receiver.jobs.heartbeat`) has an HttpSession per
destination, so that a slow one does not use up the connections of another; the owner of the client closes it. Rules:
this machine is never reached through a proxy; no error contains a proxy's credentials; no cookies; no limit of
connections, because callers limit their concurrent requests; a proxy that refuses plain HTTP raises the same error as
one that refuses a tunnel. Mail does not use a proxy, because these are HTTP proxies.
"""

import ssl
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
import requests.adapters

from receiver.errors import SettingsError
from receiver.setting_kinds import is_loopback
from receiver.settings import PROXIES, VARIABLES, Settings
from rules.channel_types import DIRECT

_FIELDS = frozenset({"https_proxy", "http_proxy", "no_proxy", "ca_file"})
"""The settings of outgoing connections."""


@dataclass(frozen=True)
class Egress:
    """Proxies and certificate authorities of this process."""

    http_proxy: str | None = None
    https_proxy: str | None = None
    no_proxy: tuple[str, ...] = ()
    """Hosts, domains (.example.com) and networks (10.0.0.0/8), each optionally with a port; ``*``: all."""
    ca_file: Path | None = None
    """Certificate authorities in PEM, trusted in addition to the system's."""
    own: str = ""
    """A channel's own proxy (`rules.policy.Channel.proxy`), which takes precedence."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """From the settings."""
        https, http = settings.https_proxy, settings.http_proxy
        return cls(
            http.get_secret_value() if http else None,
            https.get_secret_value() if https else None,
            settings.no_proxy,
            settings.ca_file,
        )

    @classmethod
    def of_environment(cls, environ: Mapping[str, str]) -> Self:
        """From a client's environment, ignoring all other settings of a receiver in it. Raises SettingsError."""
        named = tuple(variable for variable, field in VARIABLES.items() if field in _FIELDS)
        ours = {*named, *(f"{each}_FILE" for each in named), *PROXIES, *map(str.lower, PROXIES)}
        return cls.of(Settings.read({name: text for name, text in environ.items() if name in ours}))

    def through(self, own: str) -> "Egress":
        """The same Egress with a channel's own proxy, if it has one."""
        return replace(self, own=own) if own else self

    def proxy_for(self, url: str) -> str | None:
        """The proxy for a URL; None: direct."""
        if self.own:
            return None if self.own == DIRECT else self.own
        parts = urlsplit(url)
        host = parts.hostname or ""
        if is_loopback(host) or _is_among(self.no_proxy, host, parts.port):
            return None
        return self.https_proxy if parts.scheme in {"https", "wss"} else self.http_proxy

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """TLS context that verifies servers. Raises SettingsError for a file without certificates."""
        context = ssl.create_default_context()
        if self.ca_file:
            try:
                context.load_verify_locations(self.ca_file)
            except OSError as error:  # ssl.SSLError is one
                why = "it has no certificates in PEM" if isinstance(error, ssl.SSLError) else error.strerror
                raise SettingsError(f"TOCSIN_CA_FILE: cannot use {self.ca_file}: {why}") from None
        return context

    def prepare(self, session: requests.Session, url: str) -> None:
        """Configure a requests session for a URL in the same way."""
        session.trust_env = False
        proxy = self.proxy_for(url)
        session.proxies = {"http": proxy, "https": proxy} if proxy else {}
        session.mount("https://", _Adapter(self.tls))


class _Adapter(requests.adapters.HTTPAdapter):
    """requests with an SSLContext, also through a proxy."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **more)

    def proxy_manager_for(self, *args: Any, **more: Any) -> Any:
        return super().proxy_manager_for(*args, ssl_context=self._context, **more)


def _is_among(patterns: Iterable[str], host: str, port: int | None) -> bool:
    """Whether a host matches a NO_PROXY entry."""
    host = host.lower().rstrip(".")
    for pattern in patterns:
        name, colon, at = pattern.lower().rpartition(":")
        if colon and at.isdecimal() and ":" not in name.strip("[]"):
            if port != int(at):
                continue
        else:
            name = pattern.lower()
        if name == "*" or _fits(name.removeprefix("*").strip("[]"), host):
            return True
    return False


def _fits(name: str, host: str) -> bool:
    try:
        return ip_address(host) in ip_network(name, strict=False)
    except ValueError:  # at least one of them is a name, not an address
        return host == name.removeprefix(".") or host.endswith(f".{name.removeprefix('.')}")


def is_of_proxy(answer: aiohttp.ClientResponse) -> bool:
    """Whether an answer to plain HTTP through a proxy is the proxy's own, and not the server's.

    A proxy adds Via to what it passes on (RFC 9110, 7.6.3), and none to its own errors; Squid marks its own ones.
    """
    own = answer.status == 407 or "X-Squid-Error" in answer.headers
    return own or ((answer.status == 403 or answer.status >= 500) and "Via" not in answer.headers)


def reason_of(error: BaseException) -> str:
    """A connection error in a few words, without the URL: what failed, or the error's type."""
    match error:
        case aiohttp.ClientHttpProxyError(status=401 | 407 as status):
            return f"the proxy asks for other credentials ({status}): see HTTPS_PROXY"
        case aiohttp.ClientHttpProxyError(status=status):
            return f"the proxy does not let us through ({status})"
        case aiohttp.ClientProxyConnectionError():
            return (
                f"the proxy {error.host}:{error.port} cannot be reached ({error.os_error.strerror or 'no connection'})"
            )
        case aiohttp.ClientConnectorCertificateError():
            return f"{error.host} does not prove who it is (TLS): see TOCSIN_CA_FILE"
        case aiohttp.ClientConnectorDNSError():
            return "its name is not known"
        case aiohttp.ClientConnectorSSLError():
            return "it does not speak TLS as it should"
        case aiohttp.ClientConnectorError():
            return error.os_error.strerror or "no connection"
        case requests.exceptions.ProxyError():
            return "the proxy cannot be reached, or does not let us through"
        case _:
            return type(error).__name__


make_connector = partial(aiohttp.TCPConnector, limit=0)
"""Makes the connector of one destination; further keyword arguments go to aiohttp's TCPConnector."""


class HttpSession:
    """Opens connections on first use, and reuses them."""

    def __init__(
        self,
        timeout: aiohttp.ClientTimeout,
        egress: Egress | None = None,
        connector: Callable[..., aiohttp.BaseConnector] = make_connector,
    ) -> None:
        """`timeout` applies to each request. `egress` None: no proxy. `connector` is called in the event loop of the
        first request, with the TLS context as `ssl`.
        """
        self._timeout = timeout
        self._egress = egress or Egress()
        self._connector = connector
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def request(self, method: str, url: str, **more: Any) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Send a request; the context manager gives the response. Redirects are not followed."""
        proxy = self._egress.proxy_for(url)
        return self._get().request(method, url, proxy=proxy, allow_redirects=False, **more)

    def _get(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=self._connector(ssl=self._egress.tls),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                raise_for_status=self._require_passage,
            )
        return self._session

    async def _require_passage(self, answer: aiohttp.ClientResponse) -> None:
        """Raises ClientHttpProxyError for the refusal of a proxy, which would be taken for the server's."""
        if answer.status in {403, 407} and self.is_of_proxy(answer):
            raise aiohttp.ClientHttpProxyError(answer.request_info, answer.history, status=answer.status)

    def is_of_proxy(self, answer: aiohttp.ClientResponse) -> bool:
        """Whether a proxy answered in the server's place."""
        plain = answer.url.scheme == "http" and self._egress.proxy_for(str(answer.url)) is not None
        return plain and is_of_proxy(answer)

    async def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        if self._session is not None:
            await self._session.close()
