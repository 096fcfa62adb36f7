"""The way out: by which proxy a destination is reached, and which authorities prove who it is.

Every client that speaks HTTP is handed an Egress: `receiver.clients.http_session` for aiohttp, the channels whose
libraries bring their own. Rules: this machine is never asked for through a proxy; a proxy's credentials stand in no
error. Mail does not go by a proxy, because no mail server is asked by HTTP.
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
"""The settings that say the way out."""


@dataclass(frozen=True)
class Egress:
    """How this process gets out."""

    http_proxy: str | None = None
    https_proxy: str | None = None
    no_proxy: tuple[str, ...] = ()
    """Hosts, domains (.example.com), networks (10.0.0.0/8), each perhaps with a port; ``*``: everything."""
    ca_file: Path | None = None
    """Authorities in PEM that are believed beside the system's."""
    own: str = ""
    """What a channel says (`rules.policy.Channel.proxy`): it counts more than the rest."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings say."""
        https, http = settings.https_proxy, settings.http_proxy
        return cls(
            http.get_secret_value() if http else None,
            https.get_secret_value() if https else None,
            settings.no_proxy,
            settings.ca_file,
        )

    @classmethod
    def of_environment(cls, environ: Mapping[str, str]) -> Self:
        """As a client is told by its environment, whatever else is set for a receiver there. Raises SettingsError."""
        named = tuple(variable for variable, field in VARIABLES.items() if field in _FIELDS)
        ours = {*named, *(f"{each}_FILE" for each in named), *PROXIES, *map(str.lower, PROXIES)}
        return cls.of(Settings.read({name: text for name, text in environ.items() if name in ours}))

    def through(self, own: str) -> "Egress":
        """The way of a channel that says so itself."""
        return replace(self, own=own) if own else self

    def proxy_for(self, url: str) -> str | None:
        """The proxy that leads to a URL; None: none."""
        if self.own:
            return None if self.own == DIRECT else self.own
        parts = urlsplit(url)
        host = parts.hostname or ""
        if is_loopback(host) or _is_among(self.no_proxy, host, parts.port):
            return None
        return self.https_proxy if parts.scheme in {"https", "wss"} else self.http_proxy

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """What proves to us who a server is. Raises SettingsError for a file without certificates."""
        context = ssl.create_default_context()
        if self.ca_file:
            try:
                context.load_verify_locations(self.ca_file)
            except OSError as error:  # ssl.SSLError is one
                why = "it has no certificates in PEM" if isinstance(error, ssl.SSLError) else error.strerror
                raise SettingsError(f"TOCSIN_CA_FILE: cannot use {self.ca_file}: {why}") from None
        return context

    def prepare(self, session: requests.Session, url: str) -> None:
        """Let a session of requests reach that URL by the same way."""
        session.trust_env = False
        proxy = self.proxy_for(url)
        session.proxies = {"http": proxy, "https": proxy} if proxy else {}
        session.mount("https://", _Adapter(self.tls))


class _Adapter(requests.adapters.HTTPAdapter):
    """requests with the authorities of an SSLContext, also behind a proxy."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **more)

    def proxy_manager_for(self, *args: Any, **more: Any) -> Any:
        return super().proxy_manager_for(*args, ssl_context=self._context, **more)


def _is_among(patterns: Iterable[str], host: str, port: int | None) -> bool:
    """Whether NO_PROXY means that host."""
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
    except ValueError:  # one of them is a name
        return host == name.removeprefix(".") or host.endswith(f".{name.removeprefix('.')}")


def reason_of(error: BaseException) -> str:
    """A failed connection in a few words, without a URL: which proxy stands in the way, or the error's kind."""
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
        case requests.exceptions.ProxyError():
            return "the proxy cannot be reached, or does not let us through"
        case _:
            return type(error).__name__
