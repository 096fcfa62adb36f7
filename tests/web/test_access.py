"""Who may do what."""

import asyncio
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
        ("10.1.2.3", 403),
        ("8.8.8.8:8095", 403),
        ("evil.example.test", 403),
        ("localhost.evil.example.test", 403),
        ("[", 403),
    ],
)
async def test_local_only_by_its_own_name(receiver: Running, host: str, status: int) -> None:
    """Without tokens, a web page that points its own name at 127.0.0.1 reads nothing and opens no incident."""
    assert (await receiver.get("/api/v1/incidents", headers={"Host": host}))[0] == status
    found, answer = await receiver.post("/webhook/alertmanager", payload("single_firing"), headers={"Host": host})
    assert found == status
    assert status == 200 or "TOCSIN_WEBHOOK_TOKEN" in answer["detail"]


@pytest.mark.parametrize(
    "header",
    [
        *("X-Forwarded-For", "X-Forwarded-Host", "x-forwarded-proto", "Forwarded", "Via", "X-Real-IP", "Fly-Client-IP"),
        *("X_Forwarded_For", "X-ARR-LOG-ID", "X-Varnish", "Client-IP", "X-Rewrite-URL", "X-Remote-User", "X-Scheme"),
        *("X-Cloud-Trace-Context", "X-AppEngine-Country", "X-Vercel-Id", "Proxy-Connection", "CF-Connecting-IP"),
    ],
)
async def test_nobody_comes_through_a_proxy_without_tokens(receiver: Running, header: str) -> None:
    """Without tokens, a caller behind a proxy is refused everywhere; the answer names the setting."""
    headers = {header: "203.0.113.9"}
    for path in READ:
        status, answer = await receiver.get(path, headers=headers)
        assert (status, "set TOCSIN_API_TOKENS" in str(answer)) == (403, True), path
    status, answer = await receiver.post("/webhook/alertmanager", payload("single_firing"), headers=headers)
    assert (status, "set TOCSIN_WEBHOOK_TOKEN" in answer["detail"]) == (403, True)
    assert (await receiver.get("/-/healthy", headers=headers))[0] == 200


async def test_a_bare_proxy_is_known_by_its_version(receiver: Running) -> None:
    """nginx without configuration adds no header; it speaks HTTP/1.0, unlike other callers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
    writer.write(b"GET /api/v1/incidents HTTP/1.0\r\nHost: 127.0.0.1:8095\r\nConnection: close\r\n\r\n")
    assert b" 403 " in (await reader.readline())
    writer.close()


async def test_a_whole_url_as_the_target_hides_no_other_host(receiver: Running) -> None:
    """A target that names its own host is served only where the header Host names this machine as well."""
    for target, host, status in (
        ("http://127.0.0.1", "127.0.0.1", 200),
        ("http://127.0.0.1", "evil.example", 403),
        ("http://evil.example", "127.0.0.1", 403),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
        writer.write(f"GET {target}/api/v1/incidents HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert f" {status} ".encode() in await reader.readline(), (target, host)
        writer.close()


async def test_the_webhook_alone_may_be_without_a_token(start: Callable[..., Any]) -> None:
    """With people configured and no webhook token, this machine's Alertmanager is heard and a proxy's caller is not."""
    receiver = await start(TOCSIN_API_TOKENS="ann:admin:token", TOCSIN_EXTERNAL_URL="https://tocsin.example.test")
    body = payload("single_firing")
    assert (await receiver.post("/webhook/alertmanager", body))[0] == 200
    for headers in ({"Host": "tocsin.example.test"}, {"X-Forwarded-For": "203.0.113.9"}):
        assert (await receiver.post("/webhook/alertmanager", body, headers=headers))[0] == 403


async def test_other_sites(receiver: Running) -> None:
    """A page of another site can read nothing (no CORS) and act through no user's browser."""
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


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"TOCSIN_EXTERNAL_URL": "https://tocsin.example.test"}, "TOCSIN_EXTERNAL_URL"),
        ({"TOCSIN_TRUSTED_PROXIES": "127.0.0.0/8"}, "TOCSIN_TRUSTED_PROXIES"),
        ({"TOCSIN_TRUSTED_PROXIES": "10.0.0.0/8", "TOCSIN_WEBHOOK_TOKEN": "hook"}, "TOCSIN_TRUSTED_PROXIES"),
    ],
)
async def test_open_behind_a_proxy_does_not_start(
    start: Callable[..., Any], environ: dict[str, str], named: str
) -> None:
    """On loopback too, what says that others come through a proxy needs tokens, and the error says so."""
    with pytest.raises(SettingsError, match=f"{named}.*TOCSIN_API_TOKENS"):
        await start(**environ)
    assert await start(**environ, TOCSIN_API_TOKENS="ann:admin:token")
    assert await start(TOCSIN_EXTERNAL_URL="http://localhost:8095")
