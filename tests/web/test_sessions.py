"""Logging in: who gets a session, what it allows, and how it ends."""

import asyncio
import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict
from structlog.testing import capture_logs

from receiver.settings import Settings
from receiver.web.auth.passwords import BY_ADDRESS, BY_PAIR, WINDOW, Failures, hash_password
from receiver.web.auth.sessions import LASTS, safe_path
from receiver.web.auth.signing import Signing
from tests.web.conftest import Running, StillClock

RONS = hash_password("correct horse")
USERS = f"# people\n\nron:responder:{RONS}\nvic:viewer:{hash_password('staple')}\n"
ANN = {"Authorization": "Bearer annes-token"}
PEOPLE = {"TOCSIN_USERS": USERS, "TOCSIN_API_TOKENS": "ann:admin:annes-token", "TOCSIN_SECRET_KEY": "k" * 32}


async def log_in(receiver: Running, name: str = "ron", password: str = "correct horse", **more: Any) -> tuple[int, str]:
    """Post the form; the status, and the cookie as browsers send it back."""
    form = {"name": name, "password": password, "next": "/incidents/1"}
    async with receiver.http.post(receiver.url + "/login", data=form, allow_redirects=False, **more) as answer:
        cookie = answer.headers.get("Set-Cookie", "")
        receiver.http.cookie_jar.clear()
        return answer.status, cookie


def sent(cookie: str) -> dict[str, str]:
    """The header that carries a cookie."""
    return {"Cookie": cookie.partition(";")[0]}


async def test_session(start: Callable[..., Any]) -> None:
    """A user's name and password begin a session, which reads; the cookie is out of scripts' and other sites' reach."""
    receiver = await start(**PEOPLE)
    assert (await receiver.get("/api/v1/incidents"))[0] == 401
    status, cookie = await log_in(receiver)
    assert status == 303
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "Secure" not in cookie
    assert (await receiver.get("/api/v1/incidents", headers=sent(cookie)))[0] == 200


async def test_secure_cookie(start: Callable[..., Any]) -> None:
    """Behind https the cookie is for https and this host only."""
    receiver = await start(**PEOPLE, TOCSIN_EXTERNAL_URL="https://tocsin.example.test")
    _, cookie = await log_in(receiver)
    assert cookie.startswith("__Host-")
    assert "Secure" in cookie


@pytest.mark.parametrize(
    ("name", "password", "status"),
    [
        ("ron", "staple", 401),
        ("ron", "", 401),
        ("nobody", "correct horse", 401),
        ("", "correct horse", 401),
        pytest.param("ron", RONS, 401, id="the hash itself"),
        ("", "annes-token", 303),
        ("ann", "annes-token", 303),
        ("ron", "annes-token", 401),
    ],
)
async def test_who_gets_in(start: Callable[..., Any], name: str, password: str, status: int) -> None:
    """Only a name with its own password, or a token (under its own name or none), begins a session."""
    receiver = await start(**PEOPLE)
    found, cookie = await log_in(receiver, name, password)
    assert found == status
    assert bool(cookie) is (status == 303)


async def test_changes_need_the_pages_token(start: Callable[..., Any]) -> None:
    """By cookie alone nothing changes: the page's own mark must come along, and another session's will not do."""
    receiver = await start(**PEOPLE)
    _, cookie = await log_in(receiver)
    _, other = await log_in(receiver)
    signing = Signing("k" * 32, StillClock())
    mark, others = (signing.seal("csrf", each.partition(";")[0].partition("=")[2]) for each in (cookie, other))
    for given, status in (("", 403), ("x", 403), (others, 403), (mark, 201)):
        headers = {**sent(cookie), "X-CSRF-Token": given}
        body = {"type": "engine_failure"}
        assert (await receiver.post("/api/v1/incidents", body, headers=headers))[0] == status, given


async def test_roles_hold_in_sessions(start: Callable[..., Any]) -> None:
    """A viewer's session views."""
    receiver = await start(**PEOPLE)
    _, cookie = await log_in(receiver, "vic", "staple")
    mark = Signing("k" * 32, StillClock()).seal("csrf", cookie.partition(";")[0].partition("=")[2])
    headers = {**sent(cookie), "X-CSRF-Token": mark}
    assert (await receiver.get("/api/v1/incidents", headers=headers))[0] == 200
    assert (await receiver.post("/api/v1/incidents", {"type": "engine_failure"}, headers=headers))[0] == 403


async def test_sessions_end(start: Callable[..., Any]) -> None:
    """A session is over after its time, at the logout, and not before."""
    receiver = await start(**PEOPLE)
    _, cookie = await log_in(receiver)
    receiver.clock.now += LASTS - 1
    assert (await receiver.get("/api/v1/incidents", headers=sent(cookie)))[0] == 200
    receiver.clock.now += 1
    assert (await receiver.get("/api/v1/incidents", headers=sent(cookie)))[0] == 401
    _, cookie = await log_in(receiver)
    async with receiver.http.post(receiver.url + "/logout", headers=sent(cookie), allow_redirects=False) as answer:
        assert "Max-Age=0" in answer.headers["Set-Cookie"]
    logged = [(entry.who, entry.action) for _, entry in receiver.store.newest_audits(3)]
    assert logged == [("ron", "logout"), ("ron", "login"), ("ron", "login")]


async def log_out(receiver: Running, cookie: str) -> int:
    """Post the button; the status."""
    async with receiver.http.post(receiver.url + "/logout", headers=sent(cookie), allow_redirects=False) as answer:
        return answer.status


@pytest.mark.parametrize(("name", "password"), [("ron", "correct horse"), ("", "annes-token")])
async def test_logout_ends_the_session(start: Callable[..., Any], tmp_path: Path, name: str, password: str) -> None:
    """After the logout the old cookie is good for nothing: here, at another replica, and after a restart.

    Other sessions of the same person go on; logging out twice, or twice at once, is no error.
    """
    environ = {**PEOPLE, "TOCSIN_DATABASE": f"sqlite:///{tmp_path / 't.db'}"}
    receiver, replica = await start(**environ), await start(**environ)
    (_, cookie), (_, other) = await log_in(receiver, name, password), await log_in(receiver, name, password)
    assert (await replica.get("/api/v1/incidents", headers=sent(cookie)))[0] == 200
    assert set(await asyncio.gather(log_out(receiver, cookie), log_out(receiver, cookie))) == {303}
    assert await log_out(replica, cookie) == 303
    for each in (receiver, replica, await start(**environ)):
        for path in ("/api/v1/incidents", "/api/v1/openapi.json", "/events"):
            assert (await each.get(path, headers=sent(cookie)))[0] == 401
        browser = {**sent(cookie), "Accept": "text/html"}
        assert (await each.get("/history", headers=browser))[0] == 303
        assert (await each.get("/api/v1/incidents", headers=sent(other)))[0] == 200


async def test_logout_without_a_database(start: Callable[..., Any], tmp_path: Path) -> None:
    """A logout that cannot be stored is not confirmed; a session whose end cannot be read gets no access."""
    file = tmp_path / "t.db"
    receiver = await start(**PEOPLE, TOCSIN_DATABASE=f"sqlite:///{file}")
    _, cookie = await log_in(receiver)
    receiver.store.close()
    file.rename(tmp_path / "elsewhere.db")
    file.mkdir()
    assert await log_out(receiver, cookie) == 503
    assert (await receiver.get("/api/v1/incidents", headers=sent(cookie)))[0] == 503
    assert (await receiver.get("/-/healthy", headers=sent(cookie)))[0] == 200
    file.rmdir()


@pytest.mark.parametrize(
    "change",
    [
        {"TOCSIN_USERS": f"vic:viewer:{RONS}"},
        {"TOCSIN_USERS": f"ron:responder:{hash_password('correct horse')}"},
        {"TOCSIN_SECRET_KEY": "other" * 8},
    ],
    ids=["the user is gone", "the password is new", "the key is new"],
)
async def test_taken_away(start: Callable[..., Any], change: dict[str, str]) -> None:
    """Sessions do not outlive the user, the password or the key; they do outlive a restart."""
    receiver = await start(**PEOPLE)
    _, cookie = await log_in(receiver)
    same, other = await start(**PEOPLE), await start(**{**PEOPLE, **change})
    assert (await same.get("/api/v1/incidents", headers=sent(cookie)))[0] == 200
    assert (await other.get("/api/v1/incidents", headers=sent(cookie)))[0] == 401


async def test_forged_cookies(start: Callable[..., Any]) -> None:
    """No cookie but ours counts."""
    receiver = await start(**PEOPLE)
    _, cookie = await log_in(receiver)
    name, _, value = cookie.partition(";")[0].partition("=")
    link = Signing("k" * 32, StillClock()).sign("other", {"kind": "user", "name": "ron", "role": 4}, LASTS)
    for forged in ("", "x", value[:-2], value[2:], f"{value}A", link, "%00"):
        assert (await receiver.get("/api/v1/incidents", headers={"Cookie": f"{name}={forged}"}))[0] == 401


async def test_other_sites_log_nobody_in(start: Callable[..., Any]) -> None:
    """A page of another site can log no user in or out."""
    receiver = await start(**PEOPLE)
    headers = {"Origin": "https://evil.example.test"}
    assert (await log_in(receiver, headers=headers))[0] == 403
    async with receiver.http.post(receiver.url + "/logout", headers=headers, allow_redirects=False) as answer:
        assert answer.status == 403


async def test_guessing_ends(start: Callable[..., Any]) -> None:
    """After so many wrong passwords even the right one has to wait; others are not concerned."""
    receiver = await start(**PEOPLE)
    for _ in range(BY_PAIR):
        await log_in(receiver, "ann", "wrong")
    assert (await log_in(receiver, "ann", "annes-token"))[0] == 429
    assert (await log_in(receiver))[0] == 303
    receiver.clock.now += WINDOW
    assert (await log_in(receiver, "ann", "annes-token"))[0] == 303


def test_failures_are_counted_by_address_and_name() -> None:
    """One address runs out soon, with any names; however many fail with a name, others with it do not."""
    failures = Failures(StillClock())
    for number in range(BY_ADDRESS):
        failures.note("a", f"name-{number}")
    assert failures.too_many("a", "new")
    assert not failures.too_many("b", "new")
    for number in range(1000):
        failures.note(f"address-{number}", "ron")
    assert not failures.too_many("b", "ron")
    assert not failures.too_many("a", "ron", "a browser where ron logged in")
    for _ in range(BY_PAIR):
        failures.note("a", "ron", 1, "a browser where ron logged in")
    assert failures.too_many("c", "ron", "a browser where ron logged in")


async def test_strangers_keep_nobody_out(start: Callable[..., Any]) -> None:
    """A browser that has logged in before gets in, despite failures at its address (or behind one proxy)."""
    receiver = await start(**PEOPLE)
    form = {"name": "ron", "password": "correct horse"}
    async with receiver.http.post(receiver.url + "/login", data=form, allow_redirects=False) as answer:
        known = answer.headers.getall("Set-Cookie")[-1]
    receiver.http.cookie_jar.clear()
    assert known.startswith("tocsin-browser=")
    for _ in range(BY_PAIR):
        await log_in(receiver, password="wrong")
    assert (await log_in(receiver))[0] == 429
    assert (await log_in(receiver, headers=sent(known)))[0] == 303


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        ("", "1.2.3.4", "127.0.0.1"),
        ("127.0.0.0/8", "", "127.0.0.1"),
        ("10.0.0.0/8,127.0.0.0/8", "1.2.3.4", "1.2.3.4"),
        ("10.0.0.0/8,127.0.0.0/8", "6.6.6.6, 1.2.3.4, 10.0.0.9", "1.2.3.4"),
        ("127.0.0.0/8", "no address", "no address"),
        ("127.0.0.0/8", "6.6.6.6\n1.2.3.4", "1.2.3.4"),
        ("127.0.0.0/8,10.0.0.9", "6.6.6.6, 1.2.3.4\n10.0.0.9", "1.2.3.4"),
        ("127.0.0.0/8", "6.6.6.6:1, 1.2.3.4:51234", "1.2.3.4"),
        ("127.0.0.0/8", "6.6.6.6, [2001:db8::7]:51234", "2001:db8::7"),
        ("127.0.0.0/8", "2001:db8::7", "2001:db8::7"),
    ],
)
async def test_addresses_behind_proxies(start: Callable[..., Any], proxies: str, forwarded: str, address: str) -> None:
    """X-Forwarded-For, in one line or in several, is believed as far as our own proxies wrote it; unset, not at all."""
    receiver = await start(**PEOPLE, TOCSIN_TRUSTED_PROXIES=proxies)
    with capture_logs() as logs:
        await log_in(receiver, headers=CIMultiDict(("X-Forwarded-For", line) for line in forwarded.split("\n")))
    assert [line["address"] for line in logs if line["event"] == "logged in"] == [address]


@pytest.mark.parametrize(
    ("path", "there"),
    [("/incidents/1?a=b", "/incidents/1?a=b"), ("//evil.test", "/"), ("/\\evil.test", "/"), ("https://evil.test", "/")],
)
def test_the_way_back(path: str, there: str) -> None:
    """After the login the way leads to a path of ours, never to another site."""
    assert safe_path(path) == there


def test_wrong_users() -> None:
    """A users file that makes no sense is refused with the line, without what stands in it."""
    for text in ("ron", "ron:king:$argon2id$x", "ron:viewer:plain-password", f"ron:viewer:{RONS}\nron:viewer:{RONS}"):
        with pytest.raises(Exception, match="TOCSIN_USERS") as caught:
            Settings.read({"TOCSIN_USERS": text})
        assert "plain-password" not in str(caught.value)


async def test_what_was_typed_goes_through_the_login(start: Callable[..., Any]) -> None:
    """A form that is posted when the session has ended does nothing and is not lost, without JavaScript too: it comes
    along through the login, a wrong password included, and the user sends it after the login with one press.
    """
    receiver = await start(**PEOPLE)
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"}, headers=ANN)
    browser = {"Accept": "text/html"}
    typed = {"text": "the pump\r\nhums <b>", "csrf": "of another session"}
    async with receiver.http.post(f"{receiver.url}/incidents/1/notes", data=typed, headers=browser) as answer:
        text, status = await answer.text(), answer.status
    assert (status, "Your session has ended" in text, "hums &lt;b&gt;" in text) == (401, True, True)
    for password, outcome in (("wrong", 401), ("correct horse", 200)):
        form = fields(text) | {"name": "ron", "password": password}
        assert "of another session" not in form.values()
        async with receiver.http.post(f"{receiver.url}/login", data=form, headers=browser) as answer:
            text, status, cookie = await answer.text(), answer.status, answer.headers.get("Set-Cookie", "")
        assert (status, "hums &lt;b&gt;" in text) == (outcome, True)
    assert "seen" not in await notes(receiver)
    assert 'action="/incidents/1/notes"' in text
    receiver.http.cookie_jar.clear()
    send = receiver.http.post(f"{receiver.url}/incidents/1/notes", data=fields(text), headers=browser | sent(cookie))
    async with send as answer:
        assert answer.status == 200
    assert "the pump\nhums <b>" in await notes(receiver)


def fields(text: str) -> dict[str, str]:
    """The hidden fields of a page's form, as a browser has them."""
    pairs = re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', text)
    return {name: html.unescape(value) for name, value in pairs}


async def notes(receiver: Running) -> list[str]:
    """What people noted about the incident."""
    _, found = await receiver.get("/api/v1/incidents/1/timeline", headers=ANN)
    return [each["data"]["text"] for each in found["timeline"] if each["fact"] == "noted"]
