"""The overview for a wall: what stands on it, and that its link shows that page and nothing else."""

import re
from collections.abc import Callable
from typing import Any

from receiver.messages.times import rfc3339
from receiver.settings import Role, Settings
from receiver.web.auth.access import Caller
from receiver.web.auth.signing import Signing
from receiver.web.console.wall import WallLinks
from rules.policy import MINUTE
from tests.web.conftest import START, Running
from tests.web.test_console import BROWSER, page

TOKENS = "ann:admin:annes,tv:viewer:tvs,ron:responder:rons,other/screen:viewer:others"


def by(token: str) -> dict[str, str]:
    """The header of a token."""
    return {"Authorization": f"Bearer {token}"}


async def links(receiver: Running, token: str) -> list[str]:
    """The links that the overview offers to the holder of a token."""
    return re.findall(r'href="(/wall/[^"]+)"', await page(receiver, "/wall", headers=by(token)))


async def test_what_stands_on_it(start: Callable[..., Any]) -> None:
    """Open by level, the most urgent with who has it and its deadline, who is on call; exercises as a number; nothing to
    press, and no link into the console.
    """
    receiver = await start(TOCSIN_API_TOKENS=TOKENS)
    for level, more in ((2, {}), (4, {}), (4, {"exercise": True})):
        made = {"type": "engine_failure", "title": f"engine {level}", "level": level, **more}
        await receiver.post("/api/v1/incidents", made, headers=by("annes"))
    await receiver.post("/api/v1/incidents/1/acknowledge", {"by": "Dana"}, headers=by("annes"))
    [path] = await links(receiver, "tvs")
    text = await page(receiver, path)
    assert re.findall(r"<strong>(\d+)</strong> <span>open", text) == ["1", "0", "0", "0"]
    assert "1 acknowledged" in text
    assert text.index("engine 4") < text.index("engine 2")
    assert "Dana has it" in text
    assert "Response time ends" in text or "Next escalation" in text
    assert "1 exercise apart" in text
    assert "On call" in text
    assert 'href="/icon-4.svg"' in text
    body = text[text.index("<body") :].replace('href="#main"', "")
    assert not re.findall(r"<form|<input|<select|href=", body)


async def test_what_recovered_does_not_look_as_if_it_fired(start: Callable[..., Any]) -> None:
    """Beside who has it stands that the signal recovered, as on Now; and from when an alert is cleared is its end."""
    receiver = await start()
    labels = {"alertname": "Leak", "severity": "critical"}
    firing = {"status": "firing", "labels": labels, "startsAt": rfc3339(receiver.clock.now), "annotations": {}}
    await receiver.post("/webhook/alertmanager", {"version": "4", "groupKey": "g", "alerts": [firing]})
    await receiver.post("/api/v1/incidents/1/acknowledge", {"by": "Dana"})
    await receiver.pass_time(20 * MINUTE)
    over = firing | {"status": "resolved", "endsAt": rfc3339(receiver.clock.now)}
    await receiver.post("/webhook/alertmanager", {"version": "4", "groupKey": "g", "alerts": [over]})
    text = re.sub(r"<[^>]+>", "", await page(receiver, "/wall"))
    assert "Dana has it; signal recovered, verifying until" in text
    await receiver.pass_time(MINUTE)
    incident = await page(receiver, "/incidents/1")
    assert "<caption>Each: cleared, critical</caption>" in incident
    [row] = re.findall(r'<tr class="quietly">.*?</tr>', incident)
    assert "1 minute ago" in row


async def test_the_link_shows_this_page_alone(start: Callable[..., Any]) -> None:
    """A viewer's token has a link, which needs no login and lets in nowhere else; an admin may hand out all of them, a
    responder none. Another mark, or another token's, shows nothing.
    """
    receiver = await start(TOCSIN_API_TOKENS=TOKENS)
    [path] = await links(receiver, "tvs")
    assert sorted(each.split("/")[2] for each in await links(receiver, "annes")) == ["other%2Fscreen", "tv"]
    assert await links(receiver, "rons") == []
    for each in await links(receiver, "annes"):
        await page(receiver, each)
    name, mark = path.split("/")[2:]
    for wrong in (f"/wall/{name}/{mark[:-1]}", f"/wall/other%2Fscreen/{mark}", f"/wall/ann/{mark}", f"/wall/x/{mark}"):
        await page(receiver, wrong, 404)
        assert (await receiver.get(f"{wrong}/events"))[0] == 404
    for elsewhere in ("/", "/history", "/incidents/1", "/wall", "/on-call"):
        status, _ = await receiver.get(elsewhere, headers=BROWSER | {"Authorization": ""})
        assert status == 303, elsewhere
    for elsewhere in ("/events", "/api/v1/incidents"):
        assert (await receiver.get(elsewhere, headers=by(mark)))[0] == 401
        assert (await receiver.get(f"{elsewhere}?token={mark}"))[0] == 401
    assert (await receiver.post(path, b""))[0] == 405
    async with receiver.http.get(f"{receiver.url}{path}/events?watch=now") as stream:
        assert (stream.status, stream.content_type) == (200, "text/event-stream")


def test_the_link_ends_with_its_token() -> None:
    """Another secret under the same name, another role, no such token, or another installation with the same key: the
    link is another, or none.
    """

    def paths(tokens: str, installation: str = "one") -> set[str]:
        settings = Settings.read({"TOCSIN_DATABASE": "sqlite://", "TOCSIN_API_TOKENS": tokens})
        made = WallLinks(settings, Signing("k" * 32, lambda: START), installation)
        return set(made.paths(Caller("ann", Role.ADMIN)).values())

    [path] = paths("tv:viewer:tvs")
    assert paths("ann:admin:annes,tv:viewer:tvs") == {path}
    for others in (paths("tv:viewer:another"), paths("tv:admin:tvs"), paths("tv:viewer:tvs", "two")):
        assert path not in others
