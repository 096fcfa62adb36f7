"""Identifies callers by token; each caller has a role.

`receiver.web.auth.sessions` uses it for the API and the pages, the webhook directly. Rules: all tokens are compared, in
constant time. Without configured tokens (only possible on loopback) each local caller is the admin "local". A caller is
local if it connects from this machine, by a loopback name (a web page can point its own name at 127.0.0.1) and without
a proxy, behind which remote callers would appear local.
"""

import binascii
import re
from base64 import b64decode
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from hmac import compare_digest
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import HttpVersion11, web

from receiver.core.audit_log import Origin
from receiver.settings import ApiToken, Role, Settings, is_loopback
from receiver.web.http.problem_details import HttpProblem

_PORT = re.compile(r"^(?:([^:\[\]]+)|\[([^\]]+)\]):\d+$")
"""An address with a port, as Azure's gateways write it. The port differs per connection and is removed."""

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="tocsin", Basic realm="tocsin", charset="UTF-8"'}


ADDRESS_LIMIT = 64
"""Characters of an address that are kept."""

PROXY_HEADERS = (
    *("forwarded", "via", "x-forwarded", "x-original-", "x-real-", "x-client-", "x-cluster-", "x-proxy", "proxy-"),
    *("x-rewrite-", "x-scheme", "x-script-name", "x-remote-", "remote-", "client-ip", "true-client-ip", "x-host"),
    *("x-envoy-", "x-amzn-", "x-azure-", "x-arr-", "x-appengine-", "x-cloud-", "x-nginx-", "x-traefik-", "x-varnish"),
    *("x-akamai-", "akamai-", "x-vercel-", "fastly-", "fly-", "cf-"),
)
"""Prefixes of headers that proxies add, lower case, with hyphens for underscores."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller."""

    name: str
    role: Role
    via: str = "api"
    """How the caller authenticated: api, console, local."""
    address: str = ""
    """The client's address, as far as known."""

    @property
    def origin(self) -> Origin:
        """The caller as recorded in the audit log."""
        return Origin(self.name, self.via, self.address)


LOCAL = Caller("local", Role.ADMIN, "local")
"""Every local caller, where no token is configured."""


class Access:
    """The API tokens, hashed for comparison."""

    def __init__(self, settings: Settings) -> None:
        self._callers = tuple(
            (_digest(token.token.get_secret_value()), _caller(token)) for token in settings.api_tokens
        )
        self._is_open = settings.is_open
        self._proxies = settings.trusted_proxies
        self.external = urlsplit(settings.external_url or "").netloc
        """Host and port of the external URL; empty: not configured."""

    def caller(self, request: web.Request) -> Caller | None:
        """The caller by the request's token, or "local"; None: no token. Cookies are not read.

        Raises HttpProblem: 401 for an unknown token, 403 for another site's page, or another host's name.
        """
        refuse_other_sites(request, self.external)
        if self._is_open:
            require_direct(request, "TOCSIN_API_TOKENS")
            return replace(LOCAL, address=self.address(request))
        token = credential(request)
        if token is None:
            return None
        found = self.by_token(token)
        if found is None:
            raise HttpProblem(401, "unknown API token", headers=CHALLENGE)
        return replace(found, address=self.address(request))

    def by_token(self, token: str) -> Caller | None:
        """The caller with that token; None: unknown."""
        given = _digest(token)
        found = [caller for known, caller in self._callers if compare_digest(known, given)]
        return found[0] if found else None

    def address(self, request: web.Request) -> str:
        """The client's address: the nearest one that is no trusted proxy."""
        nearest = request.remote or ""
        lines = request.headers.getall("X-Forwarded-For", [])  # HAProxy adds its own line below the client's
        hops = [hop.strip() for hop in ",".join(lines).split(",") if hop.strip()]
        while hops and self._is_proxy(nearest):
            nearest = _PORT.sub(r"\1\2", hops.pop())
        return nearest[:ADDRESS_LIMIT]

    def _is_proxy(self, address: str) -> bool:
        try:
            return any(ip_address(address) in network for network in self._proxies)
        except ValueError:
            return False


class WebhookAccess:
    """The webhook's own token (Bearer, or Basic with any user) and client certificate."""

    def __init__(self, settings: Settings) -> None:
        token = settings.webhook_token
        self._expected = _digest(token.get_secret_value()) if token else None
        self._wants_certificate = settings.tls_client_ca_file is not None

    def require(self, request: web.Request) -> None:
        """Raises HttpProblem: 403 without the certificate, 401 without the token, if the settings require them."""
        refuse_other_sites(request)
        if self._wants_certificate and not request.get_extra_info("peercert"):
            raise HttpProblem(403, "the webhook takes only clients with a certificate of TOCSIN_TLS_CLIENT_CA_FILE")
        if self._expected is None:
            if not self._wants_certificate:
                require_direct(request, "TOCSIN_WEBHOOK_TOKEN")
            return
        token = credential(request)
        if token is None or not compare_digest(_digest(token), self._expected):
            raise HttpProblem(401, "the webhook token is missing or wrong", headers=CHALLENGE)


def holds(request: web.Request, token: str) -> bool:
    """Whether the request has that token: Bearer, or Basic with any user."""
    given = credential(request)
    return given is not None and compare_digest(_digest(given), _digest(token))


def credential(request: web.Request) -> str | None:
    """The request's token: Bearer, or the password of Basic."""
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return rest.strip()
        case "basic":
            return _password(rest.strip())
        case _:
            return None


def _password(encoded: str) -> str | None:
    try:
        user, colon, password = b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return password if colon else user


def _digest(token: str) -> bytes:
    """A digest of fixed length, so that the comparison's time reveals nothing of the token."""
    return sha256(token.encode("utf-8", "surrogateescape")).digest()


def _caller(token: ApiToken) -> Caller:
    return Caller(token.name, token.role)


def refuse_other_sites(request: web.Request, external: str = "") -> None:
    """Raises HttpProblem 403 for a change requested by another site's page. Programs send no Origin header."""
    origin = request.headers.get("Origin")
    if origin is None or request.method in SAFE_METHODS:
        return
    if origin.partition("://")[2] not in {request.host, external or request.host}:
        raise HttpProblem(403, "requests from pages of another site are refused")


def require_direct(request: web.Request, variable: str) -> None:
    """Raises HttpProblem 403 for a caller that is not local; the text says to set `variable`."""
    passed = next(filter(_is_of_a_proxy, request.headers), "")
    hosts = request.host, request.headers.get("Host", "")  # an absolute URL as the target has its own host
    if not all(map(is_loopback, (request.remote or "", *map(_name, hosts)))):
        reason = "only this machine is served, under localhost or 127.0.0.1"
    elif passed or request.version < HttpVersion11:  # nginx's default; it adds no header by itself
        reason = f"nobody is served through a proxy, which {passed or 'HTTP/1.0'} tells of"
    else:
        return
    raise HttpProblem(403, f"without {variable} {reason}; set {variable}")


@lru_cache(256)
def _is_of_a_proxy(header: str) -> bool:
    return header.lower().replace("_", "-").startswith(PROXY_HEADERS)


@lru_cache(256)
def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
