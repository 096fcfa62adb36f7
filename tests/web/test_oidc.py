"""Logging in at the organisation's identity provider: a real one (oidc-provider), and a person's browser."""

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from receiver.core.model import Instant
from receiver.errors import SettingsError
from receiver.settings import Settings
from receiver.web.auth.signing import Signing
from rules.policy import MINUTE
from tests.npm import installed
from tests.web.conftest import Running
from tests.web.test_sessions import PEOPLE, log_in

HERE = Path(__file__).parent / "oidc"
OURS = "http://tocsin.example.test"
BACK = f"{OURS}/login/oidc/return"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """A running provider."""
    node, folder = installed(HERE)
    command = [node, str(HERE / "provider.mjs"), str(folder), BACK]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        yield next(line.strip() for line in process.stdout if line.startswith("http"))
        process.kill()


def environ(issuer: str, **more: str) -> dict[str, str]:
    """The settings."""
    return {
        **PEOPLE,
        "TOCSIN_EXTERNAL_URL": OURS,
        "TOCSIN_OIDC_ISSUER": issuer,
        "TOCSIN_OIDC_CLIENT_ID": "tocsin",
        "TOCSIN_OIDC_CLIENT_SECRET": "s3cret-of-tocsin",
        "TOCSIN_OIDC_ROLES": "sre=admin, oncall=responder, staff=viewer",
        "TOCSIN_OIDC_SCOPES": "openid profile groups",
        **more,
    }


class Browser:
    """A person's browser: keeps cookies, follows the way to the provider, fills in its forms."""

    def __init__(self, receiver: Running) -> None:
        self.receiver = receiver
        self.jar: dict[str, str] = {}
        self.flags: dict[str, str] = {}
        self.provider = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def ask(self, address: str) -> tuple[int, str, str]:
        """GET of ours by its public address; status, where it leads, the page."""
        parts = urlsplit(address)
        url = f"{self.receiver.url}{parts.path}{f'?{parts.query}' if parts.query else ''}"
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.jar.items()), "Accept": "text/html"}
        async with self.receiver.http.get(url, headers=headers, allow_redirects=False) as answer:
            for name, cookie in answer.cookies.items():
                self.jar[name] = cookie.value
                self.flags[name] = cookie.OutputString()
            self.receiver.http.cookie_jar.clear()
            return answer.status, answer.headers.get("Location", ""), await answer.text()

    async def at_provider(self, url: str, name: str) -> str:
        """Log in there and agree; the address that leads back to us."""
        form: dict[str, str] | None = None
        while not url.startswith(OURS):
            how = {"data": form} if form else {}
            async with self.provider.request("POST" if form else "GET", url, allow_redirects=False, **how) as answer:
                page, form = await answer.text(), None
                if answer.status in {302, 303}:
                    url = str(answer.url.join(aiohttp.client.URL(answer.headers["Location"])))
                    continue
                assert answer.status == 200, page
                action, prompt = re.search(r'action="([^"]+)"', page), re.search(r'name="prompt" value="(\w+)"', page)
                assert action, page
                assert prompt, page
                url, form = action[1], {"prompt": prompt[1], "login": name, "password": "any"}
        return url

    async def log_in(self, name: str, following: str = "/history") -> tuple[int, str, str]:
        """The whole way."""
        status, there, page = await self.ask(f"/login/oidc?next={following}")
        assert status == 303, page
        return await self.ask(await self.at_provider(there, name))


@pytest.fixture
async def visit(start: Callable[..., Any]) -> Any:
    """Starts a receiver on the real clock, and a browser."""
    browsers: list[Browser] = []

    async def begin(issuer: str, ahead: int = 0, **more: str) -> Browser:
        receiver = await start(**environ(issuer, **more))
        receiver.clock.now = Instant(time.time_ns() // 1000 + ahead)  # the provider lives in real time
        browsers.append(Browser(receiver))
        return browsers[-1]

    yield begin
    for browser in browsers:
        await browser.provider.close()


async def test_whole_way(visit: Any, issuer: str) -> None:
    """From the button to a session with the role of the person's groups, and back to where they wanted to go."""
    browser = await visit(issuer)
    _, _, page = await browser.ask("/login?next=/history")
    button = re.search(r'href="([^"]+)">Log in with your organisation', page)
    assert button
    status, there, _ = await browser.ask(button[1])
    asked = parse_qs(urlsplit(there).query)
    assert (status, asked["code_challenge_method"], asked["response_type"]) == (303, ["S256"], ["code"])
    assert asked["state"] != asked["nonce"]
    status, location, _ = await browser.ask(await browser.at_provider(there, "ron"))
    assert (status, location) == (303, "/history")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(browser.flags["tocsin"].split("; "))
    assert (await browser.ask("/history"))[0] == 200
    [(_, entry)] = browser.receiver.store.newest_audits(5)
    assert (entry.who, entry.action, entry.data) == (
        "RON",
        "login",
        {"by": "oidc", "subject": "ron", "role": "responder"},
    )


@pytest.mark.parametrize(("name", "acts", "reloads"), [("ron", 201, 403), ("ada", 201, 200)])
async def test_groups_give_the_role(visit: Any, issuer: str, name: str, acts: int, reloads: int) -> None:
    """The highest role of all groups counts."""
    browser = await visit(issuer)
    assert (await browser.log_in(name))[0] == 303
    mark = Signing("k" * 32, browser.receiver.clock).seal("csrf", browser.jar["tocsin"])
    headers = {"Cookie": f"tocsin={browser.jar['tocsin']}", "X-CSRF-Token": mark}
    assert (await browser.receiver.post("/api/v1/incidents", {"type": "engine_failure"}, headers=headers))[0] == acts
    assert (await browser.receiver.post("/-/reload", headers=headers))[0] == reloads


@pytest.mark.parametrize("name", ["eve", "nil"])
async def test_no_group_no_access(visit: Any, issuer: str, name: str) -> None:
    """Who is in no group of the settings is told so, and gets no session."""
    browser = await visit(issuer)
    status, _, page = await browser.log_in(name)
    assert (status, "tocsin" in browser.jar) == (403, False)
    assert f"as {name.upper()}, but in no group" in page


async def test_wrong_state(visit: Any, issuer: str) -> None:
    """An answer to another login, or to none of this browser, begins no session."""
    browser, other = await visit(issuer), await visit(issuer)
    _, there, _ = await browser.ask("/login/oidc")
    back = await browser.at_provider(there, "ada")
    assert (await other.ask(back))[0] == 400
    await other.ask("/login/oidc")
    assert (await other.ask(back))[0] == 400
    changed = back.replace("state=", "state=x")
    assert (await browser.ask(changed))[0] == 400
    assert (await browser.ask(back))[0] == 400, "the login is used up"
    assert "tocsin" not in {**browser.jar, **other.jar}


async def test_login_cookie_is_over_after_ten_minutes(visit: Any, issuer: str) -> None:
    """Who takes longer begins again."""
    browser = await visit(issuer)
    _, there, _ = await browser.ask("/login/oidc")
    back = await browser.at_provider(there, "ada")
    browser.receiver.clock.now += 10 * MINUTE
    assert (await browser.ask(back))[0] == 400


async def test_replayed_code(visit: Any, issuer: str) -> None:
    """A code that was used begins no second session, even with the cookie of its login."""
    browser = await visit(issuer)
    _, there, _ = await browser.ask("/login/oidc")
    kept = dict(browser.jar)
    back = await browser.at_provider(there, "ada")
    assert (await browser.ask(back))[0] == 303
    browser.jar = kept
    status, _, page = await browser.ask(back)
    assert (status, "tocsin" in browser.jar) == (403, False)
    assert "answer is not taken" in page


async def test_stolen_code(visit: Any, issuer: str) -> None:
    """A stolen code is useless in another browser's login: PKCE and the nonce differ."""
    browser, thief = await visit(issuer), await visit(issuer)
    _, there, _ = await browser.ask("/login/oidc")
    code = parse_qs(urlsplit(await browser.at_provider(there, "ada")).query)["code"][0]
    _, there, _ = await thief.ask("/login/oidc")
    state = parse_qs(urlsplit(there).query)["state"][0]
    status, _, _ = await thief.ask(f"/login/oidc/return?code={code}&state={state}")
    assert (status, "tocsin" in thief.jar) == (403, False)


@pytest.mark.parametrize("ahead", [5 * MINUTE, -5 * MINUTE])
async def test_expired_token(visit: Any, issuer: str, ahead: int) -> None:
    """An ID token that is over (or from the future) begins no session."""
    browser = await visit(issuer, ahead=ahead)
    status, _, page = await browser.log_in("ada")
    assert (status, "tocsin" in browser.jar) == (403, False)
    assert "answer is not taken" in page


async def test_person_says_no(visit: Any, issuer: str) -> None:
    """Whom the provider turns away is told so in our words, without the provider's."""
    browser = await visit(issuer)
    _, there, _ = await browser.ask("/login/oidc")
    state = parse_qs(urlsplit(there).query)["state"][0]
    status, _, page = await browser.ask(f"/login/oidc/return?error=access_denied&error_description=<b>x&state={state}")
    assert (status, "(access_denied)" in page, "<b>x" in page) == (403, True, False)


async def test_wrong_secret(visit: Any, issuer: str) -> None:
    """A provider that rejects our secret is logged, and no user gets in."""
    browser = await visit(issuer, TOCSIN_OIDC_CLIENT_SECRET="another")
    assert (await browser.log_in("ada"))[0] == 403


async def test_other_issuer(visit: Any, issuer: str) -> None:
    """A provider that calls itself by another name than the settings do is not believed."""
    browser = await visit(issuer.replace("127.0.0.1", "localhost"))
    assert (await browser.ask("/login/oidc"))[0] == 403


async def test_provider_down(visit: Any, unused_tcp_port: int) -> None:
    """A provider that does not answer is said on the login page, where the other ways to log in still work."""
    browser = await visit(f"http://127.0.0.1:{unused_tcp_port}")
    status, _, page = await browser.ask("/login/oidc?next=/history")
    assert status == 503
    assert "does not answer" in page
    assert ' action="/login">' in page
    assert (await log_in(browser.receiver))[0] == 303
    assert (await log_in(browser.receiver, "", "annes-token"))[0] == 303


async def test_sessions_end_with_the_mapping(visit: Any, issuer: str) -> None:
    """When the settings map groups otherwise, who came by the old mapping logs in anew."""
    browser, later = await visit(issuer), await visit(issuer, TOCSIN_OIDC_ROLES="oncall=viewer")
    assert (await browser.log_in("ada"))[0] == 303
    assert (await browser.ask("/history"))[0] == 200
    later.jar = browser.jar
    status, there, _ = await later.ask("/history")
    assert (status, there) == (303, "/login?next=%2Fhistory")


async def test_logout(visit: Any, issuer: str) -> None:
    """Who came by the provider and logs out is out: the old cookie does not answer any more."""
    browser = await visit(issuer)
    await browser.log_in("ron")
    cookie = {"Cookie": f"tocsin={browser.jar['tocsin']}"}
    receiver = browser.receiver
    assert (await receiver.get("/api/v1/incidents", headers=cookie))[0] == 200
    assert (await receiver.post("/logout", headers=cookie))[0] == 303
    assert (await receiver.get("/api/v1/incidents", headers=cookie))[0] == 401


async def test_nobody_is_local_beside_a_provider(start: Callable[..., Any]) -> None:
    """With a provider and nothing else configured, this machine's own people log in as well."""
    only = {
        name: value
        for name, value in environ("https://id.example.test").items()
        if "OIDC" in name or "EXTERNAL" in name
    }
    receiver = await start(**only)
    assert (await receiver.get("/api/v1/incidents"))[0] == 401


def test_settings() -> None:
    """What is missing or makes no sense is said by name, without what stands in it."""
    alone = {"TOCSIN_OIDC_ISSUER": "https://id.example.test"}
    for name in ("TOCSIN_OIDC_CLIENT_ID", "TOCSIN_OIDC_ROLES", "TOCSIN_EXTERNAL_URL"):
        with pytest.raises(SettingsError, match=f"{name}: is needed where TOCSIN_OIDC_ISSUER is set"):
            Settings.read(alone)
    with pytest.raises(SettingsError, match="must begin with https://"):
        Settings.read(environ("http://id.example.test"))
    with pytest.raises(SettingsError, match="entry 2 must be group=role"):
        Settings.read({"TOCSIN_OIDC_ROLES": "a=admin, hidden=king"})
    lines = Settings.read({"TOCSIN_OIDC_ROLES": "cn=a,ou=b=admin\nc d=viewer\n"}).oidc_roles
    assert [(group, role.name) for group, role in lines] == [("cn=a,ou=b", "ADMIN"), ("c d", "VIEWER")]
