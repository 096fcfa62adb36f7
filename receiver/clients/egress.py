"""Outgoing connections: the proxy for a destination, and the certificate authorities that are trusted.

Every HTTP client gets an Egress: `receiver.clients.http_session` for aiohttp, and the channels with libraries of their
own. Rules: this machine is never reached through a proxy; no error contains a proxy's credentials. Mail does not use a
proxy, because these are HTTP proxies.
"""

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
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
