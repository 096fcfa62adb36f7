"""A path in TOCSIN_EXTERNAL_URL, through a real reverse proxy that takes the path away, or leaves it."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from html import unescape
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from receiver.errors import SettingsError
from receiver.settings import Settings
from receiver.web.http.request_body import BODIES
from tests.web.conftest import Running, payload
from tests.web.test_sessions import PEOPLE

PATH = "/tools/tocsin"
HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "content-encoding"}
LINK = re.compile(r'(?:href|action|src|data-page)="([^"#][^"]*)"')


class Proxied:
    """A receiver behind a proxy that serves it below `PATH`, and other things beside it."""

    def __init__(self, public: str, receiver: Running, http: aiohttp.ClientSession) -> None:
        self.public = public
        self.receiver = receiver
        self.http = http

    async def get(self, path: str, **more: Any) -> aiohttp.ClientResponse:
        """A browser's GET; read whole."""
        answer = await self.http.get(urljoin(f"{self.public}/", path), headers={"Accept": "text/html"}, **more)
        await answer.read()
        return answer

    async def log_in(self) -> aiohttp.ClientResponse:
        """Through the form, where the page says that it is."""
        page = await self.get(f"{PATH}/incidents/1")
        assert page.url.path == f"{PATH}/login"
        following = unescape(re.findall(r'name="next" value="([^"]*)"', await page.text())[0])
        [action] = [each for each in LINK.findall(await page.text()) if each.endswith("/login")]
        form = {"name": "ron", "password": "correct horse", "next": following}
        answer = await self.http.post(urljoin(self.public, action), data=form, headers={"Accept": "text/html"})
        await answer.read()
        return answer


@pytest.fixture(params=[True, False], ids=["strips", "leaves"])
async def proxied(request: pytest.FixtureRequest, start: Callable[..., Awaitable[Running]]) -> AsyncIterator[Proxied]:
    """The proxy takes the path away from what it passes on, or leaves it there."""
    target: list[str] = []

    async def pass_on(asked: web.Request) -> web.StreamResponse:
        path = asked.rel_url.raw_path_qs
        if not (asked.path == PATH or asked.path.startswith(f"{PATH}/")):
            return web.Response(status=418, text="something else lives here")
        url = URL(target[0] + (path.removeprefix(PATH) or "/" if request.param else path), encoded=True)
        headers = {name: value for name, value in asked.headers.items() if name.lower() not in HOP}
        async with outward.request(
            asked.method, url, data=await asked.read(), headers=headers, allow_redirects=False
        ) as answer:
            kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in HOP]
            return web.Response(body=await answer.read(), status=answer.status, headers=kept)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", pass_on)
    async with (
        aiohttp.ClientSession(auto_decompress=True) as outward,
        TestServer(app) as server,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser,
    ):
        public = f"http://127.0.0.1:{server.port}{PATH}"
        receiver = await start(**PEOPLE, TOCSIN_EXTERNAL_URL=public)
        target.append(receiver.url)
        yield Proxied(public, receiver, browser)


async def test_every_link_of_every_page(proxied: Proxied) -> None:
    """From the login on, each link, form, style and script of each page leads below the path, and to something there."""
    await proxied.receiver.send("single_firing")
    page = await proxied.log_in()
    assert page.url.path == f"{PATH}/incidents/1"
    waiting, seen = [PATH, f"{PATH}/nothing-here"], set[str]()
    while waiting:
        here = waiting.pop()
        page = await proxied.get(here)
        assert page.status == (404 if here.endswith("nothing-here") else 200), here
        if page.content_type != "text/html":
            continue
        for link in map(unescape, LINK.findall(await page.text())):
            place = urljoin(str(page.url), link)
            if place.startswith("data:") or urlsplit(place).netloc != urlsplit(proxied.public).netloc:
                continue  # the runbook, the expression in Prometheus
            assert f"{urlsplit(place).path}/".startswith(f"{PATH}/"), f"{here}: {link}"
            if place not in seen and not re.search(r"/(logout|login)$|/incidents/1/[a-z-]+$|/test$", place):
                waiting.append(place)
            seen.add(place)
    paths = {urlsplit(each).path.removeprefix(PATH) for each in seen}
    assert {"/", "/history", "/policy", "/channels", "/declare", "/incidents/1", "/policy/drill"} <= paths
    assert {"/logout", "/incidents/1/acknowledge", "/incidents/1/timeline.csv"} <= paths
    assert any(re.fullmatch(r"/static/console\.[0-9a-f]+\.js", path) for path in paths)


async def test_forms_cookie_and_logout(proxied: Proxied) -> None:
    """A form acts and comes back below the path; the cookie is for that path alone; the logout leads to the login."""
    await proxied.receiver.send("single_firing")
    page = await proxied.log_in()
    cookies = {cookie.key: cookie["path"] for cookie in proxied.http.cookie_jar}
    assert cookies["tocsin"] == PATH
    assert set(cookies.values()) == {PATH}
    csrf = re.findall(r'name="csrf" value="([^"]*)"', await page.text())[0]
    form = {"csrf": csrf, "state": "open", "by": "ron"}
    async with proxied.http.post(f"{proxied.public}/incidents/1/acknowledge", data=form) as answer:
        assert (answer.status, answer.url.path) == (200, f"{PATH}/incidents/1")
    assert (await proxied.receiver.queue.read(proxied.receiver.store.reads().by_number, 1)).state == "acknowledged"
    async with proxied.http.post(f"{proxied.public}/logout") as answer:
        assert (answer.status, answer.url.path) == (200, f"{PATH}/login")
    assert (await proxied.get(f"{PATH}/history")).url.path == f"{PATH}/login"
    bodies = proxied.receiver.app[BODIES]
    assert (bodies.known.held, bodies.strangers.held) == (0, 0), "what was held for bodies is given back"


async def test_api(proxied: Proxied) -> None:
    """The API answers below the path, describes itself as being there, and the webhook takes alerts there."""
    bearer = {"Authorization": "Bearer annes-token"}
    async with proxied.http.get(f"{proxied.public}/api/v1/openapi.json", headers=bearer) as answer:
        assert (await answer.json())["servers"] == [{"url": proxied.public}]
    hook = f"{proxied.public}/webhook/alertmanager?source=x"
    async with proxied.http.post(hook, data=payload("single_firing")) as answer:
        assert (await answer.json())["incidents"] == [1]
    async with proxied.http.get(f"{proxied.public}/api/v1/incidents?state=closed", headers=bearer) as answer:
        assert (await answer.json())["incidents"] == []
    async with proxied.http.get(f"{proxied.public}/api/v1/incidents/%2e%2e", headers=bearer) as answer:
        assert answer.status == 404


async def test_directly(proxied: Proxied) -> None:
    """Who asks the receiver itself needs no path: probes, Prometheus, Alertmanager, the API."""
    receiver = proxied.receiver
    await receiver.send("single_firing")
    for path in ("/-/healthy", "/metrics", f"{PATH}/-/healthy"):
        assert (await receiver.get(path))[0] == 200
    for path in (f"{PATH}x/-/healthy", f"{PATH}{PATH}/-/healthy", "/tools/-/healthy"):
        assert (await receiver.get(path))[0] == 404


async def test_secure_cookie_below_a_path(start: Callable[..., Awaitable[Running]]) -> None:
    """With https the cookie is `__Secure-`: browsers take `__Host-` for the whole host only."""
    receiver = await start(**PEOPLE, TOCSIN_EXTERNAL_URL="https://example.test/tocsin")
    form = {"name": "ron", "password": "correct horse", "next": "/history"}
    async with receiver.http.post(f"{receiver.url}/login", data=form, allow_redirects=False) as answer:
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("__Secure-tocsin=")
        assert {"Secure", "Path=/tocsin", "HttpOnly"} <= {part.strip() for part in cookie.split(";")}
        assert answer.headers["Location"] == "/tocsin/history"


async def test_words_in_a_page_are_not_links(start: Callable[..., Awaitable[Running]]) -> None:
    """What people write is shown as they wrote it, however much it looks like one of our links."""
    receiver = await start(TOCSIN_EXTERNAL_URL="http://127.0.0.1/tocsin")
    title = 'a <a href="/x"> src="/y"'
    status, told = await receiver.post("/api/v1/incidents", {"type": "engine_failure", "note": title})
    assert status == 201, told
    await receiver.post("/api/v1/incidents/1/notes", {"note": title})
    _, page = await receiver.get("/incidents/1", headers={"Accept": "text/html"})
    assert "&#34;/x&#34;" in page
    assert "/tocsin/x" not in page
    assert "/tocsin/y" not in page


def test_redirect_uri_has_the_path() -> None:
    """The provider of identities is told to come back below the path."""
    from receiver.web.auth.oidc import _registration  # noqa: PLC0415 - only with the extra

    settings = Settings.read({"TOCSIN_EXTERNAL_URL": "https://example.test/tocsin/"})
    assert _registration(settings).redirect_uri == "https://example.test/tocsin/login/oidc/return"


@pytest.mark.parametrize("path", ["/webhook", "/webhook/alertmanager", "/api", "/api/v1", "/login", "/-"])
async def test_paths_of_our_own_are_refused(start: Callable[..., Awaitable[Running]], path: str) -> None:
    """Below one of our own paths the webhook would answer 404 to direct requests: the receiver does not start."""
    with pytest.raises(SettingsError, match=rf"TOCSIN_EXTERNAL_URL: its path {path} is one of Tocsin's own .*choose"):
        await start(TOCSIN_EXTERNAL_URL=f"https://example.test{path}", TOCSIN_API_TOKENS="ann:admin:anns-token")


@pytest.mark.parametrize("url", ["/x?a=b", "/x#y", "//x", "/a/../b", "/a b", '/a"b', "/%41"])
def test_paths_that_are_refused(url: str) -> None:
    """An external URL that cannot be put before other paths is refused at the start, with its name."""
    with pytest.raises(SettingsError, match="TOCSIN_EXTERNAL_URL: must be a host and perhaps a plain path"):
        Settings.read({"TOCSIN_EXTERNAL_URL": f"https://example.test{url}"})
