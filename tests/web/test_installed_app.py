"""Tocsin as an app: what a browser needs to install it, one worker for all, and icons that tell the worst open level."""

import json
from collections.abc import Callable
from struct import unpack
from typing import Any
from urllib.parse import urljoin

from tests.web.conftest import Running
from tests.web.test_console import BROWSER, page

TOKENS = {"TOCSIN_API_TOKENS": "ann:admin:token"}


async def test_it_can_be_installed(start: Callable[..., Any]) -> None:
    """The manifest is for who has not logged in, and each of its icons is a picture of the size that it says; one may be
    cut to any shape. A page names it, and its policy lets the browser have it.
    """
    receiver = await start(**TOKENS)
    async with receiver.http.get(f"{receiver.url}/app.webmanifest") as answer:
        assert (answer.status, answer.content_type) == (200, "application/manifest+json")
        manifest = json.loads(await answer.text())
    assert (manifest["display"], manifest["name"]) == ("standalone", "Tocsin")
    assert {"any", "maskable"} == {each["purpose"] for each in manifest["icons"]}
    for each in manifest["icons"]:
        async with receiver.http.get(urljoin(f"{receiver.url}/app.webmanifest", each["src"])) as answer:
            assert (answer.status, answer.content_type) == (200, each["type"])
            content = await answer.read()
        if each["type"] == "image/png":
            width, height = unpack(">II", content[16:24])
            assert f"{width}x{height}" == each["sizes"]
    async with receiver.http.get(f"{receiver.url}/login", headers=BROWSER) as answer:
        assert "manifest-src 'self'" in answer.headers["Content-Security-Policy"]
        text = await answer.text()
    assert '<link rel="manifest" href="/app.webmanifest">' in text
    assert '<meta name="theme-color"' in text


async def test_one_worker_for_all_pages(start: Callable[..., Any]) -> None:
    """One script shows what is pushed and stands in for pages that cannot be had. It needs no login, covers the whole
    console below any path prefix, and may connect to our host only.
    """
    receiver = await start(**TOKENS)
    async with receiver.http.get(f"{receiver.url}/push/worker.js") as answer:
        assert (answer.status, answer.content_type) == (200, "text/javascript")
        assert urljoin(f"{receiver.url}/push/worker.js", answer.headers["Service-Worker-Allowed"]) == f"{receiver.url}/"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; connect-src 'self'"
        text = await answer.text()
    assert text.count('addEventListener("push"') == text.count('addEventListener("fetch"') == 1


async def test_the_offline_page_tells_strangers_nothing(start: Callable[..., Any]) -> None:
    """It is fetched before a login, so it has words and scripts of its own and nothing of any incident."""
    receiver = await start(**TOKENS)
    made = {"type": "engine_failure", "title": "secret pump"}
    assert (await receiver.post("/api/v1/incidents", made, headers={"Authorization": "Bearer token"}))[0] == 201
    text = await page(receiver, "/offline")
    assert "Tocsin does not answer" in text
    assert "pump" not in text


async def test_title_and_icon_tell_the_worst_open_level(receiver: Running) -> None:
    """Open, real incidents count: no exercises, none with an owner. The number stands on the icon, too."""
    assert 'href="/icon-0.svg"' in await page(receiver, "/")
    for level, more in ((2, {}), (3, {}), (4, {"exercise": True})):
        await receiver.post("/api/v1/incidents", {"type": "engine_failure", "level": level, **more})
    text = await page(receiver, "/")
    assert 'href="/icon-3.svg"' in text
    assert "<title>2 open, the worst: critical" in text
    await receiver.post("/api/v1/incidents/2/acknowledge", {"by": "Dana"})
    assert 'href="/icon-2.svg"' in await page(receiver, "/?level=4")
    icons = [(await receiver.get(f"/icon-{level}.svg"))[1] for level in range(5)]
    assert len(set(icons)) == 5
    assert [f">{level}</text>" in icon for level, icon in enumerate(icons)] == [False, True, True, True, True]
    assert (await receiver.get("/icon-5.svg"))[0] == 404


async def test_every_page_hears_what_is_open(receiver: Running) -> None:
    """The stream of any page tells the worst open level and what may ring: level 3 and 4 that want an answer, by their
    titles, and no exercise.
    """
    await receiver.post("/api/v1/incidents", {"type": "engine_failure", "level": 2, "title": "small"})
    async with receiver.http.get(f"{receiver.url}/events?watch=1") as stream:

        async def standing() -> dict[str, Any]:
            while (await stream.content.readline()) != b"event: standing\n":
                pass
            told: dict[str, Any] = json.loads((await stream.content.readline()).removeprefix(b"data: "))
            return told

        assert await standing() == {"open": 1, "worst": 2, "name": "warning", "loud": []}
        await receiver.post("/api/v1/incidents", {"type": "engine_failure", "level": 4, "exercise": True})
        await receiver.post("/api/v1/incidents", {"type": "engine_failure", "level": 4, "title": "the worst"})
        while (told := await standing())["worst"] < 4:
            pass
        assert told["open"] == 2
        assert told["loud"] == [{"number": 3, "level": 4, "name": "emergency", "title": "the worst"}]
        await receiver.post("/api/v1/incidents/3/acknowledge", {"by": "Dana"})
        while (told := await standing())["loud"]:
            pass
        assert told["worst"] == 2


async def test_a_new_emergency_rings_however_many_are_open(receiver: Running) -> None:
    """With more open emergencies than a page shows, the newest is told with its title, a less urgent one too; pages hear
    of it also where it is none of the most urgent, and where it takes the place of one that was answered.
    """
    for number in range(1, 61):
        await receiver.post("/api/v1/incidents", {"type": "engine_failure", "level": 4, "title": f"emergency {number}"})
    overview = receiver.store.reads().overview
    before = overview.mark(None, 5)
    await receiver.post("/api/v1/incidents", {"type": "engine_failure", "level": 3, "title": "the newest"})
    assert overview.mark(None, 5) != before
    async with receiver.http.get(f"{receiver.url}/events?watch=now") as stream:
        while (await stream.content.readline()) != b"event: standing\n":
            pass
        loud = json.loads((await stream.content.readline()).removeprefix(b"data: "))["loud"]
    assert [each["number"] for each in loud] == [*range(61, 0, -1)]
    assert loud[0]["title"] == "the newest"
    before = overview.mark(None, 5)
    await receiver.post("/api/v1/incidents/60/acknowledge", {"by": "Dana"})
    await receiver.post("/api/v1/incidents", {"type": "engine_failure", "level": 4})
    assert overview.mark(None, 5) != before
