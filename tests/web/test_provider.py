"""What a provider of identities publishes and we do not understand: a small provider that publishes it."""

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
"""Keys that nobody here can use."""


UNUSABLE = [each for each in STRANGE if not (isinstance(each, dict) and len(str(each.get("n", ""))) > 3)]
"""Those of them that are no keys at all."""


async def claims(published: Any, **header: str) -> Any:
    """What we believe of somebody who comes back from a provider that publishes those keys and signs with `KEY`."""
    answers: dict[str, Any] = {"/keys": published}

    async def answer(request: web.Request) -> web.Response:
        return web.json_response(answers[request.path])

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        url, now = str(server.make_url("")).rstrip("/"), wall_clock()
        said = {"iss": url, "aud": "tocsin", "sub": "ann", "nonce": "nonce", "groups": ["sre"]}
        said |= {"iat": now // SECOND, "exp": now // SECOND + 60}
        token = jwt.encode({"alg": "RS256", "kid": "ours", **header}, said, KEY)
        answers["/token"] = {"id_token": token, "access_token": "x"}
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
    """A key that we do not understand, whatever it is, keeps nobody out: the others are used."""
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
