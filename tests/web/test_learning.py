"""What was learned: an incident shows the earlier ones like it, and what was written down is found again."""

import asyncio
import re
import sys
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from receiver.core.model import Kind
from receiver.messages import MessageRenderer
from receiver.reports.queries import Records
from rules.policy import HOUR, Micros
from tests.messages.samples import Delivery
from tests.web.conftest import Running
from tests.web.test_console import HOSTILE, page, press

FACTS = {
    "root_cause": "a worn bearing",
    "fix_description": "replaced the bearing",
    "lessons_learned": "measure its vibration",
}


async def declare(receiver: Running, **said: Any) -> int:
    """Open an incident by hand; its number."""
    status, opened = await receiver.post("/api/v1/incidents", said)
    assert status == 201, opened
    number = opened["number"]
    assert isinstance(number, int)
    return number


async def close(receiver: Running, number: int, **facts: str) -> None:
    """Write down what is known, resolve it and let it close."""
    one = f"/api/v1/incidents/{number}"
    await receiver.post(f"{one}/acknowledge", {"by": "ann"})
    await receiver.ask("PATCH", one, {"by": "ann", "facts": facts})
    await receiver.post(f"{one}/resolve", {"by": "ann", "note": "done"})
    await receiver.post(f"{one}/close", {"by": "ann", "note": "known well enough"})
    _, found = await receiver.get(one)
    assert found["state"] == "closed", found


@pytest.fixture
async def learned(receiver: Running) -> Running:
    """Closed: #1 and #2 with cause, #3 without, #4 an exercise; open: #5 of the type of #1 and the system of #2."""
    await close(receiver, await declare(receiver, type="engine_failure", labels={"system": "engine-1"}), **FACTS)
    other = await declare(receiver, type="communication_failure", labels={"system": "engine-2"})
    await close(receiver, other, root_cause=HOSTILE)
    await close(receiver, await declare(receiver, type="engine_failure"))
    await close(receiver, await declare(receiver, type="engine_failure", exercise=True), root_cause="made up")
    await declare(receiver, type="engine_failure", labels={"system": "engine-2"})
    return receiver


async def test_an_incident_shows_the_earlier_ones_like_it(learned: Running) -> None:
    """Those over of its type or system with cause, fix and lesson, the newest first; no exercise, none without words."""
    _, found = await learned.get("/api/v1/incidents/5/similar")
    assert [each["number"] for each in found["incidents"]] == [2, 1]
    assert {name: found["incidents"][1][name] for name in FACTS} == FACTS
    _, found = await learned.get("/api/v1/incidents/1/similar")
    assert found["incidents"] == [], "what came later helped nobody then"
    text = await page(learned, "/incidents/5")
    assert "Earlier incidents like it" in text
    for words in ("Cause: a worn bearing", "Fix: replaced the bearing", "Lesson: measure its vibration"):
        assert words in text
    assert "<script>alert" not in text
    await learned.ask("PATCH", "/api/v1/incidents/5", {"by": "ann", "facts": {"root_cause": "a bent blade"}})
    later = await declare(learned, type="communication_failure", labels={"system": "engine-2"})
    assert "a bent blade" not in await page(learned, f"/incidents/{later}"), "what is not over has not helped"
    await learned.post("/api/v1/incidents/5/resolve", {"by": "ann", "note": "done"})
    assert "Cause: a bent blade" in await page(learned, f"/incidents/{later}"), "it may wait months for its last report"


async def test_the_shell_shows_them(learned: Running) -> None:
    """`tocsin show` tells cause, fix and lesson of the earlier ones."""
    arguments = ("show", "5", "--url", learned.url)
    shell = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "receiver.cli", *arguments, stdout=asyncio.subprocess.PIPE, env={"COLUMNS": "200"}
    )
    out, _ = await shell.communicate()
    for words in FACTS.values():
        assert words in out.decode()


@pytest.mark.parametrize("words", ["WORN bearing", "vibration"])
async def test_what_was_written_down_is_found(learned: Running, words: str) -> None:
    """A part of a cause or a lesson, in any case, finds the incident in API and console, an open one too."""
    _, found = await learned.get("/api/v1/incidents", params={"search": words})
    assert [each["number"] for each in found["incidents"]] == [1]
    await learned.ask("PATCH", "/api/v1/incidents/5", {"by": "ann", "facts": {"contributing_factors": words}})
    _, found = await learned.get("/api/v1/incidents", params={"search": words})
    assert [each["number"] for each in found["incidents"]] == [5, 1]
    assert 'href="/incidents/1"' in await page(learned, f"/history?search={quote(words)}")


async def test_a_lesson_becomes_a_follow_up_that_changes_the_policy(learned: Running) -> None:
    """The page offers it for each lesson; the follow-up names the lesson and links to the change, in page, API and report."""
    await learned.ask("PATCH", "/api/v1/incidents/5", {"by": "ann", "facts": {"lessons_learned": "alarm sooner"}})
    text = await page(learned, "/incidents/5")
    [said] = re.findall(r'name="text" value="(Change the policy: [^"]*)"', text)
    change = "https://git.example.org/policy/pull/7"
    status, where = await press(learned, 5, "follow-ups", text=said, owner="bo", link=change)
    assert (status, where) == (303, "/incidents/5?done=follow-ups#said")
    _, found = await learned.get("/api/v1/incidents/5/follow-ups")
    [action] = found["follow_ups"]
    assert (action["text"], action["link"], action["owner"]) == ("Change the policy: alarm sooner", change, "bo")
    assert f'href="{change}"' in await page(learned, "/incidents/5")
    _, report = await learned.get("/api/v1/incidents/5/report?format=md")
    assert change in report
    status, text = await press(learned, 5, "follow-ups", text=said, link="javascript:alert(1)")
    assert status == 400


async def test_a_page_tells_what_earlier_incidents_came_to(learned: Running) -> None:
    """Of the newest two, with a link, and never as this incident's cause; where there is room only: in no SMS."""
    reads = learned.store.reads()
    incident = reads.by_number(5)
    page_ = next(each for each in reads.notifications(incident.id) if each.kind is Kind.PAGE)
    words = MessageRenderer("https://tocsin.example.org")
    context = learned.engine.context(learned.engine.current)
    earlier = Records(reads, words, learned.engine).similar(incident)
    assert [each.number for each in earlier] == [2, 1]
    delivery = Delivery(((page_, incident),), context)
    told = words.render(delivery, learned.clock(), earlier=earlier)
    said = "#1 of 2026-11-23 (engine_failure): cause: a worn bearing, fix: replaced the bearing, lesson: measure its"
    for shown in (told.text, told.html, "\n".join(told.paragraphs)):
        assert "Earlier incidents like it, of which the cause may be another:" in shown
        assert said in shown
    assert ("Earlier: #1", "https://tocsin.example.org/incidents/1") in told.links
    for unshown in (told.short, told.speech, told.headline, str(told.facts)):
        assert "bearing" not in unshown
    without = words.render(delivery, learned.clock())
    assert (without.short, "Earlier" in without.text) == (told.short, False)


async def test_the_policys_history_names_the_lesson_that_brought_a_change(receiver: Running) -> None:
    """From the incident to the version that was in use when its action was done, and back, with the link to the change;
    of an action that is done while nothing has changed, no version is claimed.
    """
    number = await declare(receiver, type="engine_failure")
    change = "https://git.example.com/policy/pull/7"
    follow_ups = f"/api/v1/incidents/{number}/follow-ups"
    for text in ("Change the policy: alarm sooner", "Change the policy: nothing came of it"):
        await receiver.post(follow_ups, {"by": "ann", "text": text, "link": change})
    await receiver.post(f"{follow_ups}/f2/done", {"by": "bo"})
    engine = receiver.engine
    sooner = replace(engine.current.policy, drills_every=Micros(HOUR))
    receiver.clock.now += HOUR
    await receiver.queue.run(engine.keep_policy, sooner, receiver.clock.now)
    engine.adopt(sooner, frozenset())
    status, _ = await receiver.post(f"{follow_ups}/f1/done", {"by": "bo"})
    assert status == 200
    version = engine.current.digest
    _, found = await receiver.get(follow_ups)
    assert [each["policy"] for each in found["follow_ups"]] == [version, None]
    assert f'href="/policy#v-{version[:12]}"' in await page(receiver, f"/incidents/{number}")
    history = (await page(receiver, "/policy")).partition('id="versions-title"')[2]
    entry = history.partition(f'id="v-{version[:12]}"')[2].partition("</li>")[0]
    assert "in use" in entry
    assert "changed: drills every" in entry
    assert f'href="/incidents/{number}#follow-ups">#{number}</a>: Change the policy: alarm sooner' in entry
    assert f'href="{change}"' in entry
    assert "nothing came of it" not in history
    await receiver.post(follow_ups, {"by": "ann", "text": "Change the policy: alarm later", "link": change})
    receiver.clock.now += HOUR
    later = replace(sooner, drills_every=Micros(2 * HOUR))
    await receiver.queue.run(engine.keep_policy, later, receiver.clock.now)
    engine.adopt(later, frozenset())
    await receiver.post(f"{follow_ups}/f3/done", {"by": "bo"})
    history = (await page(receiver, "/policy")).partition('id="versions-title"')[2]
    for digest, has_it in ((version, False), (engine.current.digest, True)):
        entry = history.partition(f'id="v-{digest[:12]}"')[2].partition("</li>")[0]
        assert ("alarm later" in entry, "alarm sooner" in entry) == (has_it, not has_it)
    _, told = await receiver.get(f"/api/v1/incidents/{number}/timeline")
    assert f"; it brought policy version {version[:12]}" in str(told)
