"""Client of the organisation's identity provider (OpenID Connect).

`receiver.web.auth.oidc` uses it; it needs the extra `oidc`. authlib builds the requests and validates the claims,
joserfc verifies the signature, aiohttp transports as everywhere else (authlib's own client needs httpx, which it plans
to replace). Rules: an ID token is accepted only if signed by a key that the issuer publishes, for this client, for this
login, and unexpired; errors never contain tokens, codes or secrets.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from cryptography.exceptions import UnsupportedAlgorithm
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key

from receiver.clients.egress import Egress, HttpSession, reason_of
from receiver.core.model import Instant
from receiver.errors import CannotError
from rules.policy import HOUR, SECOND

PATIENCE = 10.0
"""Seconds for all requests to the provider in one step of a login."""

MOST = 1 << 20
"""Bytes of a response."""

DESCRIBED_FOR = HOUR
"""Microseconds for which the provider's discovery document is cached."""

LEEWAY = 60
"""Seconds of allowed clock difference to the provider."""

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Asymmetric signatures only: one by a shared secret does not prove that the provider signed."""

FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


class ProviderSilentError(CannotError):
    """The provider cannot be reached."""


class ProviderRefusedError(CannotError):
    """The provider refused, or its response is not valid."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Secrets of one login in progress, bound to the browser that began it."""

    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Registration:
    """Tocsin's registration at the provider."""

    issuer: str
    client_id: str
    client_secret: str
    """Empty for a public client: PKCE alone."""
    redirect_uri: str
    scope: str


class Provider:
    """Client of one provider."""

    def __init__(self, registration: Registration, egress: Egress | None = None) -> None:
        self._own = registration
        self._session = HttpSession(aiohttp.ClientTimeout(total=PATIENCE), egress)
        self._described: tuple[Instant, Mapping[str, Any]] | None = None

    async def login_url(self, attempt: Attempt, now: Instant) -> str:
        """The URL where the person logs in. Raises ProviderSilentError, ProviderRefusedError."""
        async with asyncio.timeout(PATIENCE):
            about = await self._about(now)
        url = prepare_grant_uri(
            _endpoint(about, "authorization_endpoint"),
            self._own.client_id,
            "code",
            self._own.redirect_uri,
            self._own.scope,
            attempt.state,
            nonce=attempt.nonce,
            code_challenge=create_s256_code_challenge(attempt.verifier),
            code_challenge_method="S256",
        )
        return str(url)

    async def claims(self, code: str, attempt: Attempt, wanted: str, now: Instant) -> Mapping[str, Any]:
        """The claims of the person who came back with `code`.

        `wanted`: a claim that is read from the user info endpoint if the ID token lacks it. Raises ProviderSilentError,
        ProviderRefusedError.
        """
        async with asyncio.timeout(PATIENCE):
            about = await self._about(now)
            tokens = await self._redeem(about, code, attempt)
            keys = await self._ask("GET", _endpoint(about, "jwks_uri"))
            claims = self._believe(tokens, keys, str(about["issuer"]), attempt, now)
            if wanted in claims or "userinfo_endpoint" not in about:
                return claims
            bearer = {"Authorization": f"Bearer {tokens.get('access_token', '')}"}
            told = await self._ask("GET", _endpoint(about, "userinfo_endpoint"), headers=bearer)
        if told.get("sub") != claims["sub"]:
            raise ProviderRefusedError("its user information is about another person")
        return {**told, **claims}

    async def close(self) -> None:
        """Closes the connections."""
        await self._session.close()

    async def _about(self, now: Instant) -> Mapping[str, Any]:
        """The provider's discovery document, cached for DESCRIBED_FOR."""
        if self._described is not None and self._described[0] + DESCRIBED_FOR > now:
            return self._described[1]
        about = await self._ask("GET", f"{self._own.issuer}/.well-known/openid-configuration")
        if str(about.get("issuer", "")).rstrip("/") != self._own.issuer:
            raise ProviderRefusedError("it calls itself by another name than TOCSIN_OIDC_ISSUER")
        self._described = (now, about)
        return about

    async def _redeem(self, about: Mapping[str, Any], code: str, attempt: Attempt) -> Mapping[str, Any]:
        """Exchanges the code for tokens."""
        body = prepare_token_request(
            "authorization_code", redirect_uri=self._own.redirect_uri, code=code, code_verifier=attempt.verifier
        )
        client = ClientAuth(self._own.client_id, self._own.client_secret, self._method(about))
        url, headers, body = client.prepare("POST", _endpoint(about, "token_endpoint"), dict(FORM), body)
        return await self._ask("POST", url, headers=headers, data=body)

    async def _ask(self, method: str, url: str, **more: Any) -> Mapping[str, Any]:
        """Requests a JSON object. Raises ProviderSilentError, ProviderRefusedError."""
        try:
            async with self._session.request(method, url, **more) as answer:
                body, status = await _read(answer), answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ProviderSilentError(f"it does not answer ({reason_of(error)})") from None
        if status >= 500:
            raise ProviderSilentError(f"it answers {status}")
        document = _object(body)
        if status != 200 or document is None:
            said = str((document or {}).get("error", ""))[:40]
            raise ProviderRefusedError(f"it answers {status}{f' ({said})' if said.isidentifier() else ''}")
        return document

    def _method(self, about: Mapping[str, Any]) -> str:
        if not self._own.client_secret:
            return "none"
        offered = about.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return "client_secret_basic" if "client_secret_basic" in offered else "client_secret_post"

    def _believe(
        self, tokens: Mapping[str, Any], keys: Any, issuer: str, attempt: Attempt, now: Instant
    ) -> Mapping[str, Any]:
        """The validated claims of the ID token: issuer, audience, nonce and expiry. Raises ProviderRefusedError."""
        try:
            token = _decode(str(tokens.get("id_token", "")), _usable_keys(keys))
            claims = CodeIDToken(
                token.claims,
                token.header,
                {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": self._own.client_id}},
                {
                    "nonce": attempt.nonce,
                    "client_id": self._own.client_id,
                    "access_token": tokens.get("access_token"),
                },
            )
            claims.validate(now=now // SECOND, leeway=LEEWAY)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            what = getattr(error, "error", "") or type(error).__name__
            raise ProviderRefusedError(f"its ID token is not believed ({what})") from None
        return dict(claims)


def _decode(token: str, keys: Sequence[Key]) -> jwt.Token:
    """Decodes with the first key that fits: several keys may share a name. Raises the last key's error."""
    *others, last = keys
    for key in others:
        with suppress(JoseError, ValueError, TypeError, KeyError):
            return jwt.decode(token, key, algorithms=ALGORITHMS)
    return jwt.decode(token, last, algorithms=ALGORITHMS)


def _usable_keys(published: Mapping[str, Any]) -> Sequence[Key]:
    """The supported keys. Others (other purposes, newer types) and shared secrets are skipped.

    Raises ProviderRefusedError if none is left.
    """
    keys: list[Key] = []
    listed = published.get("keys")
    for each in (each for each in (listed if isinstance(listed, list) else ()) if isinstance(each, dict)):
        if each.get("kty") == "oct":
            continue
        with suppress(JoseError, ValueError, TypeError, KeyError, AttributeError, UnsupportedAlgorithm):
            keys.append(import_key(each))
    if not keys:
        raise ProviderRefusedError("it publishes no key that we understand (jwks_uri)")
    return keys


def _endpoint(about: Mapping[str, Any], name: str) -> str:
    url = about.get(name)
    if not isinstance(url, str) or not url.startswith(("https://", "http://")):
        raise ProviderRefusedError(f"it describes itself without {name}")
    return url


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > MOST:
            raise ProviderRefusedError("its answer is too long")
    return bytes(body)


def _object(body: bytes) -> Mapping[str, Any] | None:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def texts(value: object) -> Sequence[str]:
    """A claim's texts: one or a list."""
    if isinstance(value, str):
        return [value]
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
