"""Who may do what."""

from collections.abc import Callable
from typing import Any

import pytest

from receiver.errors import SettingsError
from tests.web.conftest import Running, payload

TOKENS = {
    "TOCSIN_API_TOKENS": "eve:viewer:see, ron:responder:do:it, ann:approver:say-yes, secret-of-admin",
    "TOCSIN_WEBHOOK_TOKEN": "hook",
}
WHO: dict[str, str | None] = {
    "nobody": None,
    "stranger": "guess",
    "webhook": "hook",
    "viewer": "see",
    "responder": "do:it",
    "approver": "say-yes",
    "admin": "secret-of-admin",
}
READ = ["/", "/api/v1/incidents", "/api/v1/incidents/1", "/api/v1/incidents/1/timeline"]
READ += ["/api/v1/incidents/1/notifications", "/api/v1/incidents/1/alerts", "/api/v1/policy", "/api/v1/openapi.json"]
ACT = ["acknowledge", "escalate", "notes", "updates", "replan", "resolve"]


async def one_incident(start: Callable[..., Any]) -> Running:
    """A receiver with tokens, and an incident."""
    receiver = await start(**TOKENS)
    await receiver.post("/webhook/alertmanager", payload("single_firing"), headers={"Authorization": "Bearer hook"})
    return receiver


def of(who: str) -> dict[str, str]:
    """The headers of a caller."""
    return {} if WHO[who] is None else {"Authorization": f"Bearer {WHO[who]}"}


@pytest.mark.parametrize(
    ("who", "reads", "acts", "reloads"),
    [
        ("nobody", 401, 401, 401),
        ("stranger", 401, 401, 401),
        ("webhook", 401, 401, 401),
        ("viewer", 200, 403, 403),
        ("responder", 200, 200, 403),
        ("approver", 200, 200, 403),
        ("admin", 200, 200, 200),
    ],
)
async def test_roles(start: Callable[..., Any], who: str, reads: int, acts: int, reloads: int) -> None:
    """A viewer reads, a responder acts, an admin does everything, a stranger nothing; the webhook's token is no other."""
    receiver = await one_incident(start)
    headers = of(who)
    assert {(await receiver.get(path, headers=headers))[0] for path in READ} == {reads}
    body = {"note": "because", "force": True}
    found = set()
    for action in ACT:
        said = body if action == "resolve" else {"note": "x"} if action in {"notes", "updates"} else {}
        found.add((await receiver.post(f"/api/v1/incidents/1/{action}", said, headers=headers))[0])
    found.add((await receiver.ask("PATCH", "/api/v1/incidents/1", {"facts": {"root_cause": "x"}}, headers=headers))[0])
    declared, _ = await receiver.post("/api/v1/incidents", {"type": "engine_failure"}, headers=headers)
    found.add(200 if declared == 201 else declared)
    assert found == {acts}
    assert (await receiver.post("/-/reload", headers=headers))[0] == reloads


async def test_challenge(start: Callable[..., Any]) -> None:
    """A 401 says how to identify oneself, and is a problem document."""
    receiver = await start(**TOKENS)
    async with receiver.http.get(receiver.url + "/api/v1/incidents") as answer:
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.content_type == "application/problem+json"


async def test_basic(start: Callable[..., Any]) -> None:
    """A browser's Basic password is a token too."""
    receiver = await one_incident(start)
    headers = {"Authorization": "Basic YW55Ym9keTpzZWU="}
    assert (await receiver.get("/", headers=headers))[0] == 200


@pytest.mark.parametrize("path", ["/metrics", "/-/healthy", "/-/ready"])
async def test_open_paths_tell_nothing(start: Callable[..., Any], path: str) -> None:
    """Metrics and health need no token and hold nothing of any incident."""
    receiver = await one_incident(start)
    status, text = await receiver.get(path)
    assert status == 200
    for content in ("Error rate", "HighErrorRate", "10.0.0.1", "payments"):
        assert content not in text


async def test_name_of_the_token(start: Callable[..., Any]) -> None:
    """Who acts is the token's owner, unless the request says who."""
    receiver = await one_incident(start)
    await receiver.post("/api/v1/incidents/1/notes", {"note": "mine"}, headers=of("responder"))
    await receiver.post("/api/v1/incidents/1/notes", {"note": "hers", "by": "dora"}, headers=of("responder"))
    _, answer = await receiver.get("/api/v1/incidents/1/timeline", headers=of("viewer"))
    assert [entry["by"] for entry in answer["timeline"] if entry["fact"] == "noted"] == ["ron", "dora"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8095", 200),
        ("127.0.0.1", 200),
        ("[::1]:8095", 200),
        ("10.1.2.3", 200),
        ("evil.example.test", 403),
        ("localhost.evil.example.test", 403),
        ("[", 403),
    ],
)
async def test_local_only_by_its_own_name(receiver: Running, host: str, status: int) -> None:
    """Without tokens, a web page that points its own name at 127.0.0.1 gets nothing."""
    assert (await receiver.get("/api/v1/incidents", headers={"Host": host}))[0] == status


async def test_other_sites(receiver: Running) -> None:
    """A page of another site can read nothing (no CORS) and do nothing through somebody's browser."""
    await receiver.send("single_firing")
    for origin, status in [("https://evil.example.test", 403), ("null", 403), (receiver.url, 200)]:
        answer, _ = await receiver.post("/api/v1/incidents/1/acknowledge", {}, headers={"Origin": origin})
        assert answer == status
    async with receiver.http.get(receiver.url + "/api/v1/incidents", headers={"Origin": "https://e.test"}) as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("listen", ["0.0.0.0:8095", ":8095", "[::]:8095", "10.0.0.1:8095", "host.example.test:80"])
@pytest.mark.parametrize("lacks", ["TOCSIN_WEBHOOK_TOKEN", "TOCSIN_API_TOKENS"])
async def test_strangers_need_tokens(start: Callable[..., Any], listen: str, lacks: str) -> None:
    """Off loopback the application cannot even be made without both tokens."""
    environ = {**TOKENS, "TOCSIN_LISTEN": listen, lacks: ""}
    with pytest.raises(SettingsError, match=lacks):
        await start(**environ)
