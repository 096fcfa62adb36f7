"""Acknowledging by a link: for one thing, for a time, and never by a mere visit."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from receiver.channels.teams_card import as_body
from receiver.core.model import Instant, Kind, Notification
from receiver.messages import MessageRenderer
from receiver.settings import Settings
from receiver.web.auth.message_tokens import LASTS
from receiver.web.auth.signing import Signing
from receiver.web.console.links import Links
from rules.load import load_text
from tests.web.conftest import Running, StillClock, _begin

IN_TEAMS = """\
incident_response:
  alert_channels: [{name: chat, type: teams, channel: flight}]
  detection:
    rules: [{name: margin, condition: "margin < 0.95", severity: 4, channels: [chat]}]
people: PEOPLE
"""
DANA = "[{name: dana, contacts: {teams: flight}}]"
KEY, PUBLIC = "k" * 32, "https://tocsin.example.test"


async def begin(start: Callable[..., Any], **more: str) -> tuple[Running, Notification, str]:
    """A receiver with tokens and one open incident of level 4; its first mail, and the link's path in it."""
    environ = {"TOCSIN_SECRET_KEY": KEY, "TOCSIN_EXTERNAL_URL": PUBLIC, "TOCSIN_API_TOKENS": "ann:admin:token"}
    receiver = await start(**environ, **more)
    body = {"type": "engine_failure", "level": 4, "title": "smoke <b>"}
    assert (await receiver.post("/api/v1/incidents", body, headers={"Authorization": "Bearer token"}))[0] == 201
    deliveries = await receiver.queue.run(receiver.engine.claim, receiver.clock(), "me", frozenset())
    mail = next(each for each in deliveries if each.items[0][0].channel == "email")
    words = MessageRenderer(
        PUBLIC, "inst", ack_url=Links(Signing(KEY, receiver.clock), receiver.store.installation, PUBLIC).url
    )
    said = words.render(mail, receiver.clock())
    link = re.search(rf"{PUBLIC}(/act/\S+)", said.text)
    assert link is not None
    assert f"{PUBLIC}{link[1]}" in said.html
    assert f"{PUBLIC}{link[1]}" in said.short
    return receiver, mail.items[0][0], link[1]


async def state(receiver: Running) -> tuple[str, str | None]:
    """How the incident stands, and who has it."""
    _, found = await receiver.get("/api/v1/incidents/1", headers={"Authorization": "Bearer token"})
    return found["state"], found["acknowledged_by"]


async def test_a_visit_changes_nothing(start: Callable[..., Any]) -> None:
    """A mail scanner that follows the link, however often and by any method that reads, acknowledges nothing."""
    receiver, _, path = await begin(start)
    for method in ("GET", "HEAD", "GET"):
        status, page = await receiver.ask(method, path)
        assert status == (405 if method == "HEAD" else 200)
    assert '<form method="post"><button class="primary">Acknowledge #1</button>' in page
    assert "smoke &lt;b&gt;" in page
    assert await state(receiver) == ("open", None)


async def test_the_button_acknowledges(start: Callable[..., Any]) -> None:
    """The button acknowledges in the name of whom the mail was for, once; it stands in the audit log with the address."""
    receiver, mail, path = await begin(start)
    status, page = await receiver.post(path, b"", headers={"Origin": PUBLIC})
    assert (status, "acknowledged by" in page) == (200, True)
    assert await state(receiver) == ("acknowledged", mail.recipient)
    status, page = await receiver.post(path, b"")
    assert (status, "Nothing was done" in page) == (409, True)
    assert "<form" not in (await receiver.get(path))[1]
    [again, done, _] = [entry for _, entry in receiver.store.newest_audits(3)]
    assert (done.via, done.who, done.address, done.outcome) == ("link", mail.recipient, "127.0.0.1", "done")
    assert again.outcome != "done"


@pytest.mark.parametrize(("people", "who"), [("[]", "flight (Microsoft Teams)"), (DANA, "dana")])
async def test_a_card_in_teams_acknowledges(people: str, who: str) -> None:
    """The button of a page's card acknowledges: in the group's name, or the person's whose own chat it is."""
    policy = load_text(IN_TEAMS.replace("PEOPLE", people)).policy
    receiver, runner = await _begin(Settings.read({"TOCSIN_DATABASE": "sqlite://"}), policy)
    try:
        assert (await receiver.post("/api/v1/incidents", {"type": "margin", "level": 4}))[0] == 201
        (page,) = await receiver.queue.run(receiver.engine.claim, receiver.clock(), "me", frozenset())
        links = Links(Signing(receiver.store.key, receiver.clock), receiver.store.installation, PUBLIC)
        message = MessageRenderer(PUBLIC, "inst", ack_url=links.url).render(page, receiver.clock())
        button = json.loads(as_body(message))["attachments"][0]["content"]["actions"][0]
        assert button["title"] == "Acknowledge"
        assert (await receiver.post(button["url"].removeprefix(PUBLIC), b""))[0] == 200
        assert await state(receiver) == ("acknowledged", who)
    finally:
        await receiver.http.close()
        await runner.cleanup()
        receiver.queue.close()
        receiver.store.close()


async def test_other_sites_cannot_press_it(start: Callable[..., Any]) -> None:
    """A page of another site that knows the link cannot press the button through a user's browser."""
    receiver, _, path = await begin(start)
    assert (await receiver.post(path, b"", headers={"Origin": "https://evil.example.test"}))[0] == 403
    assert await state(receiver) == ("open", None)


async def test_links_expire(start: Callable[..., Any]) -> None:
    """After a day the link is over."""
    receiver, _, path = await begin(start)
    receiver.clock.now = Instant(receiver.clock.now + LASTS - 1)
    assert (await receiver.get(path))[0] == 200
    receiver.clock.now = Instant(receiver.clock.now + 1)
    assert (await receiver.get(path))[0] == 404
    assert (await receiver.post(path, b""))[0] == 404
    assert await state(receiver) == ("open", None)


async def test_links_cover_nothing_new(start: Callable[..., Any]) -> None:
    """When the acknowledgement expired and paging began anew, the old link acknowledges nothing."""
    receiver, _, path = await begin(start)
    await receiver.post(path, b"")
    await receiver.pass_time(16 * 60 * 1_000_000)
    assert (await state(receiver))[0] == "open"
    status, page = await receiver.post(path, b"")
    assert (status, "since that message" in page) == (409, True)
    assert (await state(receiver))[0] == "open"


async def test_forged_links(start: Callable[..., Any]) -> None:
    """No other link can be made of one, and none without the key."""
    receiver, mail, path = await begin(start)
    number, sequence, seal = path.removeprefix("/act/").split("-")
    other = Signing("x" * 32, StillClock()).seal("acknowledge", mail.id)
    purpose = Signing(KEY, StillClock()).seal("resolve", mail.id)
    forged = [f"{number}-{int(sequence) + 1}-{seal}", f"2-{sequence}-{seal}", f"{number}-{sequence}-{seal[:-1]}0x"]
    forged += [f"{number}-{sequence}-{seal[:-4]}{'a' * 4}", f"0{number}-{sequence}-{seal}"]
    forged += [f"{number}-{sequence}-{other}", f"{number}-{sequence}-{purpose}", f"{number}-{sequence}-", "x", "%00"]
    for token in forged:
        assert (await receiver.get(f"/act/{token}"))[0] == 404, token
        assert (await receiver.post(f"/act/{token}", b""))[0] == 404, token
    assert await state(receiver) == ("open", None)


async def test_forged_links_cost_the_database_nothing(start: Callable[..., Any], tmp_path: Path) -> None:
    """The seal is checked before anything is read: a forged link is refused although there is no database to ask."""
    file = tmp_path / "incidents.db"
    receiver, _, path = await begin(start, TOCSIN_DATABASE=f"sqlite:///{file}")
    forged = path[:-17] + "a" * 17
    receiver.store.close()
    file.rename(tmp_path / "elsewhere.db")
    file.mkdir()
    assert [(await receiver.get(each))[0] for each in (forged, path)] == [404, 503]
    assert [(await receiver.post(each))[0] for each in (forged, path)] == [404, 503]
    file.rmdir()
    (tmp_path / "elsewhere.db").rename(file)


@pytest.mark.parametrize("kind", [Kind.ACKNOWLEDGED, Kind.RESOLVED, Kind.UPDATE])
async def test_only_pages_carry_links(start: Callable[..., Any], kind: Kind) -> None:
    """News carries no link that acts, nor do channels that many read."""
    receiver, _, _ = await begin(start)
    words = MessageRenderer(
        PUBLIC, "inst", ack_url=Links(Signing(KEY, receiver.clock), receiver.store.installation, PUBLIC).url
    )
    receiver.clock.now = Instant(receiver.clock.now + 3_600_000_000)
    deliveries = await receiver.queue.run(receiver.engine.claim, receiver.clock(), "me", frozenset())
    assert deliveries
    for delivery in deliveries:
        notification, incident = delivery.items[0]
        if not delivery.context.facts(notification.channel).shows_link:
            assert "/act/" not in str(words.render(delivery, receiver.clock()))
        news = replace(delivery, items=((replace(notification, kind=kind), incident),))
        assert "/act/" not in str(words.render(news, receiver.clock()))
        assert incident.number == 1
