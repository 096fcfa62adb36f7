"""On an incident's page: the others of its system, now and lately, with what helped then."""

import re

from rules.policy import HOUR
from tests.web.conftest import Running
from tests.web.test_console import page
from tests.web.test_responding_cli import tocsin

DAY = 24 * HOUR


async def declare(receiver: Running, title: str, system: str = "landing-7", **more: object) -> int:
    """Declare one; its number."""
    made = {"type": "engine_failure", "title": title, "labels": {"system": system}, **more}
    status, answer = await receiver.post("/api/v1/incidents", made)
    assert status == 201, answer
    return int(answer["number"])


async def close(receiver: Running, number: int, **facts: str) -> None:
    """Resolve it, write down what helped, and close it."""
    at = f"/api/v1/incidents/{number}"
    assert (await receiver.post(f"{at}/resolve", {"note": "mended", "by": "Dana"}))[0] == 200
    if facts:
        assert (await receiver.ask("PATCH", at, {"facts": facts}))[0] == 200
    assert (await receiver.post(f"{at}/close", {"note": "enough"}))[0] == 200


async def test_what_helped_then(receiver: Running) -> None:
    """An open incident of the same system is named with its level; one closed within 30 days with cause, fix and
    lesson, those with a written one first. Older ones, other systems' and exercises are not there.
    """
    await close(receiver, await declare(receiver, "too long ago"), root_cause="rust")
    receiver.clock.now += 31 * DAY
    await close(
        receiver, await declare(receiver, "the valve leaked"), root_cause="old seal", fix_description="new seal"
    )
    await close(receiver, await declare(receiver, "nobody wrote"))
    await close(receiver, await declare(receiver, "only practice", exercise=True), root_cause="made up")
    await declare(receiver, "another plane", "landing-71")
    here = await declare(receiver, "the flap is stuck")
    await declare(receiver, "the light is out", level=2)
    text = await page(receiver, f"/incidents/{here}")
    related = text[text.index('id="related"') : text.index('id="similar"')]
    assert re.findall(r'href="/incidents/(\d+)"', related) == ["7", "2", "3"]
    assert "Cause: old seal" in related
    assert "Fix: new seal" in related
    assert "nobody wrote down what helped" in related
    assert "warning" in related[: related.index("the light is out")]
    assert re.search(r'href="/history\?system=landing-7&amp;since=\d{4}-\d\d-\d\d"', related)
    similar = text[text.index('id="similar"') :]
    similar = similar[: similar.index("</section>")]
    assert "too long ago" in similar
    assert "the valve leaked" not in similar
    _, found = await receiver.get(f"/api/v1/incidents/{here}/related")
    assert [[each["number"] for each in found[of]] for of in ("now", "lately")] == [[7], [2, 3]]
    assert [each["helped"] for each in found["lately"]] == [
        {"root_cause": "old seal", "fix_description": "new seal"},
        {},
    ]
    _, said = await tocsin(receiver, "show", str(here))
    now, lately = said[said.index("landing-7 now") :].split(" landing-7 in the last 30 days ")
    assert re.search(r"#7 2 open nobody \S+ \S+ \S+ the light is out$", now)
    lately, earlier = lately.split(" Earlier incidents like it ")
    assert "the valve leaked cause: old seal; fix: new seal" in lately
    assert "nobody wrote nobody wrote it down" in lately
    assert "rust" in earlier
    assert "old seal" not in earlier, "it is told once"


async def test_nothing_related(receiver: Running) -> None:
    """Where the system has nothing else, the section is not shown; nor where no label names one."""
    await declare(receiver, "alone")
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    for number in (1, 2):
        assert '<section data-live id="related" aria-labelledby="related-title" hidden>' in await page(
            receiver, f"/incidents/{number}"
        )
