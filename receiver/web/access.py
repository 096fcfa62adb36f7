"""Who is asking, and whether they may: tokens become callers, callers have roles.

The API, the pages and the webhook ask here. Rules: tokens are compared in constant time, every one of them;
with no API tokens configured (only possible on loopback) everybody is the admin "local", but only under a
name of this machine, so that a web page cannot reach the API by pointing its own name at 127.0.0.1.
"""

import binascii
from base64 import b64decode
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web

from receiver.settings import ApiToken, Role, Settings
from receiver.web.problems import Problem

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="tocsin", Basic realm="tocsin", charset="UTF-8"'}


SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking."""

    name: str
    role: Role


LOCAL = Caller("local", Role.ADMIN)
"""Everybody, where no token is configured."""


class Access:
    """The tokens, ready to be compared."""

    def __init__(self, settings: Settings) -> None:
        self._callers = tuple(
            (_digest(token.token.get_secret_value()), _caller(token)) for token in settings.api_tokens
        )
        self._external = urlsplit(settings.external_url or "").netloc

    def caller(self, request: web.Request, role: Role) -> Caller:
        """Who is asking, having at least `role`. Raises Problem: 401 unknown, 403 not allowed."""
        refuse_other_sites(request, self._external)
        caller = self._identify(request)
        if caller.role < role:
            raise Problem(403, f"{caller.name} is a {caller.role.name.lower()}; this needs a {role.name.lower()}")
        return caller

    def _identify(self, request: web.Request) -> Caller:
        if not self._callers:
            return self._local(request)
        token = credential(request)
        if token is None:
            raise Problem(401, "an API token is needed: Authorization: Bearer TOKEN", headers=CHALLENGE)
        given = _digest(token)
        found = [caller for known, caller in self._callers if compare_digest(known, given)]
        if not found:
            raise Problem(401, "nobody has this API token", headers=CHALLENGE)
        return found[0]

    def _local(self, request: web.Request) -> Caller:
        if request.host == self._external or _is_this_machine(request.host):
            return LOCAL
        raise Problem(403, "without TOCSIN_API_TOKENS only this machine's own address is served; set a token")


class WebhookAccess:
    """The webhook's own token: Bearer, or Basic with any user."""

    def __init__(self, settings: Settings) -> None:
        token = settings.webhook_token
        self._expected = _digest(token.get_secret_value()) if token else None

    def require(self, request: web.Request) -> None:
        """Raises Problem 401 where a token is configured and the request has not got it."""
        refuse_other_sites(request)
        if self._expected is None:
            return
        token = credential(request)
        if token is None or not compare_digest(_digest(token), self._expected):
            raise Problem(401, "the webhook token is missing or wrong", headers=CHALLENGE)


def credential(request: web.Request) -> str | None:
    """The token a request carries: Bearer, or the password of Basic."""
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
    """Of equal length for every token, so that comparing tells nothing of it."""
    return sha256(token.encode("utf-8", "surrogateescape")).digest()


def _caller(token: ApiToken) -> Caller:
    return Caller(token.name, token.role)


def refuse_other_sites(request: web.Request, external: str = "") -> None:
    """A page of another site must not act through somebody's browser (programs send no Origin). Raises Problem 403."""
    origin = request.headers.get("Origin")
    if origin is None or request.method in SAFE_METHODS:
        return
    if origin.partition("://")[2] not in {request.host, external or request.host}:
        raise Problem(403, "requests from pages of another site are refused")


def _is_this_machine(host: str) -> bool:
    """Whether a Host header is localhost or a bare address, which no other name can be made to be."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or bool(ip_address(name))
    except ValueError:
        return False
