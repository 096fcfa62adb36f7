"""What a provider of identities publishes and we do not understand: a small provider that publishes it."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from joserfc import jwt
from joserfc.jwk import RSAKey

from receiver.clock import wall_clock
from receiver.web.auth.provider import Attempt, Provider, ProviderRefusedError, Registration
from rules.policy import SECOND

KEY = RSAKey.generate_key(2048, {"kid": "ours", "use": "sig", "alg": "RS256"})
STRANGE: list[Any] = [
    {"kty": "AKP", "kid": "of-the-future", "alg": "ML-DSA-65", "pub": "AAAA"},
    {"kty": "EC", "crv": "P-999", "kid": "another-curve", "x": "AA", "y": "AA"},
    {"kty": "EC", "crv": "P-256", "kid": "not-on-the-curve", "x": "AA", "y": "AA"},
    {"kty": "RSA", "kid": "cut-off", "n": "!", "e": "AQAB"},
    {"kty": ["RSA"], "kid": "a-list"},
    {"kty": "oct", "kid": "ours", "k": "c2VjcmV0"},
    RSAKey.generate_key(2048, {"kid": "ours"}).as_dict(private=False),
    {**KEY.as_dict(private=False), "kid": "to-encrypt", "use": "enc", "alg": "RSA-OAEP"},
    {**KEY.as_dict(private=False), "kid": ["a", "list"]},
    {"kty": "RSA", "kid": "half-private", "n": "AAAA", "e": "AQAB", "d": "AQ"},
    {"kid": "of-no-kind"},
    {},
    None,
    "text",
    7,
]
"""Keys that no test here can use."""


UNUSABLE = [each for each in STRANGE if not (isinstance(each, dict) and len(str(each.get("n", ""))) > 3)]
"""Those of them that are no keys at all."""


def _signed(said: Any) -> str:
    return jwt.encode({"alg": "RS256", "kid": "ours"}, said, KEY)


async def claims(published: Any, sign: Callable[[Any], str] = _signed) -> Any:
    """The claims of a user who comes back from a provider that publishes those keys, and signs so."""
    answers: dict[str, Any] = {"/keys": published}

    async def answer(request: web.Request) -> web.Response:
        return web.json_response(answers[request.path])

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        url, now = str(server.make_url("")).rstrip("/"), wall_clock()
        said = {"iss": url, "aud": "tocsin", "sub": "ann", "nonce": "nonce", "groups": ["sre"]}
        said |= {"iat": now // SECOND, "exp": now // SECOND + 60}
        answers["/token"] = {"id_token": sign(said), "access_token": "x"}
        answers["/.well-known/openid-configuration"] = {
            "issuer": url,
            "jwks_uri": f"{url}/keys",
            "token_endpoint": f"{url}/token",
        }
        provider = Provider(Registration(url, "tocsin", "secret", "http://back", "openid"))
        try:
            return await provider.claims("code", Attempt("state", "nonce", "verifier"), "groups", now)
        finally:
            await provider.close()


@pytest.mark.parametrize("strange", STRANGE, ids=range(len(STRANGE)))
async def test_strange_keys_are_ignored(strange: Any) -> None:
    """An unusable key locks no user out: the others are used."""
    ours = KEY.as_dict(private=False)
    assert (await claims({"keys": [strange, ours]}))["sub"] == "ann"
    assert (await claims({"keys": [ours, strange]}))["sub"] == "ann"


@pytest.mark.parametrize("published", [{"keys": UNUSABLE}, {"keys": []}, {"keys": None}, {"keys": "x"}, {}], ids=repr)
async def test_no_usable_key(published: Any) -> None:
    """A provider without a key that we understand is refused in those words, not by an error of our own."""
    with pytest.raises(ProviderRefusedError, match="no key that we understand"):
        await claims(published)


async def test_other_key() -> None:
    """Who signs with a key that is not published is not believed, strange keys beside it or not."""
    other = RSAKey.generate_key(2048, {"kid": "other"}).as_dict(private=False)
    with pytest.raises(ProviderRefusedError, match="not believed"):
        await claims({"keys": [*STRANGE, other]})


def _part(said: Any) -> str:
    return urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()


def _by_secret(said: Any, secret: bytes) -> str:
    signed = f"{_part({'alg': 'HS256', 'kid': 'ours'})}.{_part(said)}"
    made = hmac.digest(secret, signed.encode(), "sha256")
    return f"{signed}.{urlsafe_b64encode(made).rstrip(b'=').decode()}"


def _exchanged(said: Any) -> str:
    head, _, signature = _signed(said).split(".")
    return f"{head}.{_part(said | {'sub': 'root'})}.{signature}"


FOREIGN = RSAKey.generate_key(2048, {"kid": "ours"})
FORGED: dict[str, Callable[[Any], str]] = {
    "unsigned": lambda said: f"{_part({'alg': 'none'})}.{_part(said)}.",
    "unsigned, spelt otherwise": lambda said: f"{_part({'alg': 'nOnE', 'kid': 'ours'})}.{_part(said)}.",
    "by our secret": lambda said: _by_secret(said, b"secret"),
    "by the public key as a secret": lambda said: _by_secret(said, KEY.as_pem(private=False)),
    "by a key that it brings": lambda said: jwt.encode(
        {"alg": "RS256", "kid": "ours", "jwk": FOREIGN.as_dict(private=False)}, said, FOREIGN
    ),
    "by a key that it says where to find": lambda said: jwt.encode(
        {"alg": "RS256", "kid": "ours", "jku": "http://127.0.0.1:1/keys"}, said, FOREIGN
    ),
    "with another's claims under its signature": _exchanged,
    "no token": lambda _: "ann",
}
CLAIMED: dict[str, dict[str, Any]] = {
    "for another client": {"aud": "another"},
    "for another client too": {"aud": ["tocsin", "another"]},
    "for us, given to another": {"aud": ["tocsin", "another"], "azp": "another"},
    "for us alone, given to another": {"azp": "another"},
    "for nobody": {"aud": []},
    "for all": {"aud": None},
    "of another issuer": {"iss": "https://elsewhere.example.com"},
    "of no issuer": {"iss": None},
    "of another login": {"nonce": "another"},
    "of no login": {"nonce": None},
    "over": {"exp": 1},
    "never over": {"exp": None},
    "over at a word": {"exp": "tomorrow"},
    "made tomorrow": {"iat": 4_000_000_000},
    "not valid yet": {"nbf": 4_000_000_000},
    "about nobody": {"sub": None},
    "for another access token": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
async def test_forged_tokens(forged: Callable[[Any], str]) -> None:
    """Only the issuer's own published key makes a token, for all claims in it."""
    with pytest.raises(ProviderRefusedError, match="not believed"):
        await claims({"keys": [KEY.as_dict(private=False)]}, forged)


@pytest.mark.parametrize("claimed", CLAIMED.values(), ids=CLAIMED)
async def test_tokens_of_others(claimed: dict[str, Any]) -> None:
    """A token that the issuer signed counts for us, for this login, for one person, and now."""

    def sign(said: Any) -> str:
        return _signed({name: value for name, value in (said | claimed).items() if value is not None})

    with pytest.raises(ProviderRefusedError, match="not believed"):
        await claims({"keys": [KEY.as_dict(private=False)]}, sign)
