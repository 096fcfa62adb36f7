"""The organisation's identity provider, as OpenID Connect speaks: where people log in, and who came back.

`receiver.web.auth.oidc` asks here; it needs the extra `oidc`. authlib makes the requests and judges the claims, joserfc
the signature; aiohttp carries them, as everywhere else (authlib's own client wants httpx, and warns that it will want
another). Rules: what an answer says counts only when it is signed by a key that the issuer publishes, for us, for this
login, and now; every failure is told in words without tokens, codes or secrets.
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

from receiver.clients.egress import Egress, reason_of
from receiver.clients.http_session import HttpSession
from receiver.core.model import Instant
from receiver.errors import CannotError
from rules.policy import HOUR, SECOND

PATIENCE = 10.0
"""Seconds for everything that one step of a login asks the provider."""

MOST = 1 << 20
"""Bytes of an answer."""

DESCRIBED_FOR = HOUR
"""Microseconds that the provider's description of itself is believed."""

LEEWAY = 60
"""Seconds that the provider's clock may differ from ours."""

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Signatures that only the provider can make; a secret that we know as well proves nothing."""

FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


class ProviderSilentError(CannotError):
    """The provider cannot be asked just now."""


class ProviderRefusedError(CannotError):
    """The provider said no, or something that is not believed."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One login that is under way: what only the browser that began it can show."""

    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Registration:
    """What the provider knows us by."""

    issuer: str
    client_id: str
    client_secret: str
    """Empty for a public client: PKCE alone."""
    redirect_uri: str
    scope: str


class Provider:
    """Asks one provider."""

    def __init__(self, registration: Registration, egress: Egress | None = None) -> None:
        self._own = registration
        self._session = HttpSession(aiohttp.ClientTimeout(total=PATIENCE), egress)
        self._described: tuple[Instant, Mapping[str, Any]] | None = None

    async def login_url(self, attempt: Attempt, now: Instant) -> str:
        """Where the person says who they are. Raises ProviderSilentError, ProviderRefusedError."""
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
        """What the provider says of the person who came back with `code`.

        `wanted`: a claim that is asked for at the user info endpoint where the ID token lacks it.
        Raises ProviderSilentError, ProviderRefusedError.
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
            raise ProviderRefusedError("its user information is about somebody else")
        return {**told, **claims}

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def _about(self, now: Instant) -> Mapping[str, Any]:
        """The provider's description of itself."""
        if self._described is not None and self._described[0] + DESCRIBED_FOR > now:
            return self._described[1]
        about = await self._ask("GET", f"{self._own.issuer}/.well-known/openid-configuration")
        if str(about.get("issuer", "")).rstrip("/") != self._own.issuer:
            raise ProviderRefusedError("it calls itself by another name than TOCSIN_OIDC_ISSUER")
        self._described = (now, about)
        return about

    async def _redeem(self, about: Mapping[str, Any], code: str, attempt: Attempt) -> Mapping[str, Any]:
        """Give the code, get the tokens."""
        body = prepare_token_request(
            "authorization_code", redirect_uri=self._own.redirect_uri, code=code, code_verifier=attempt.verifier
        )
        client = ClientAuth(self._own.client_id, self._own.client_secret, self._method(about))
        url, headers, body = client.prepare("POST", _endpoint(about, "token_endpoint"), dict(FORM), body)
        return await self._ask("POST", url, headers=headers, data=body)

    async def _ask(self, method: str, url: str, **more: Any) -> Mapping[str, Any]:
        """A JSON object."""
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
        """The ID token's claims, if they are the provider's, for us, about this login, and not over."""
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
    """By whichever key fits: a provider may publish several of one name. Raises JoseError, and what else keys raise."""
    *others, last = keys
    for key in others:
        with suppress(JoseError, ValueError, TypeError, KeyError):
            return jwt.decode(token, key, algorithms=ALGORITHMS)
    return jwt.decode(token, last, algorithms=ALGORITHMS)


def _usable_keys(published: Mapping[str, Any]) -> Sequence[Key]:
    """The keys that we understand; the provider may publish others, for other purposes or for software to come. A
    shared secret proves nothing.
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
    """A claim that is one text or several."""
    if isinstance(value, str):
        return [value]
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
