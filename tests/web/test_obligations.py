"""Reports to authorities, as people meet them: in the API, on the page, from a shell and in the report."""

import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from rules.load import PACKS, load
from rules.policy import HOUR, Policy
from tests.web.conftest import Running
from tests.web.test_console import BROWSER, csrf, log_in, page
from tests.web.test_console_working import PEOPLE
from tests.web.test_responding_cli import tocsin

ONE = "/api/v1/incidents/1"
AVIATION = f"{ONE}/obligations/aviation_occurrence"


@pytest.fixture(scope="module")
def policy() -> Policy:
    """The shipped policy, with the examples of reporting obligations."""
    return load([PACKS, PACKS / "obligations"])


@pytest.fixture
async def declared(receiver: Running) -> Running:
    """A receiver with one declared engine failure, which ada has."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    await receiver.post(f"{ONE}/acknowledge", {"by": "ada", "hold": "30d"})
    return receiver


def named(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The obligations by name."""
    return {each["name"]: each for each in found["obligations"]}


async def test_what_must_be_reported_is_shown_with_its_countdown(declared: Running) -> None:
    """Which authority, by which law, until when, with the text to send; what does not concern it is said too."""
    _, found = await declared.get(f"{ONE}/obligations")
    obligations = named(found)
    assert [name for name, each in obligations.items() if each["applies"]] == [
        "aviation_occurrence",
        "aviation_analysis",
        "nis2",
    ]
    [stage] = obligations["aviation_occurrence"]["stages"]
    assert (stage["due_at"], stage["counted_from"]) == ("2026-11-26T02:13:20.000Z", "the awareness")
    assert "What: engine_failure" in stage["text"]
    assert "No 376/2014" in obligations["aviation_occurrence"]["source"]
    assert obligations["ai_death"]["stages"] == []
    _, incident = await declared.get(ONE)
    assert incident["duties"][0]["key"] == "nis2/early_warning"
    text = await page(declared, "/incidents/1")
    assert "Occurrence report" in text
    assert re.search(r"early warning to the CSIRT.*?\(nis2\) due", text, re.DOTALL)


async def test_what_is_due_in_weeks_stands_on_no_card(declared: Running) -> None:
    """A card of Now shows the deadlines of a day, and the number of later ones; the incident's page shows all."""
    far = "final results"
    assert far in await page(declared, "/incidents/1")
    now = await page(declared, "/")
    assert far not in now
    assert "(nis2) due" in now
    assert re.search(r"<p class=\"quiet\">\d deadlines after a day</p>", now)


async def test_a_filing_is_recorded_with_its_evidence(declared: Running) -> None:
    """Reference, time, file and hash; then it is not outstanding any more, and the report says all of it."""
    filing = {"stage": "occurrence_report", "reference": "E2-2026-77", "filed_at": "2026-11-23T02:00:00Z", "by": "ada"}
    filing |= {"file": "report.pdf", "sha256": "AB" * 32}
    status, found = await declared.post(f"{AVIATION}/filings", filing)
    [stage] = named(found)["aviation_occurrence"]["stages"]
    assert (status, stage["filings"][0]["reference"], stage["filings"][0]["sha256"]) == (201, "E2-2026-77", "ab" * 32)
    _, incident = await declared.get(ONE)
    assert "aviation_occurrence/occurrence_report" not in [each["key"] for each in incident["duties"]]
    await declared.pass_time(25 * HOUR)
    _, report = await declared.get(f"{ONE}/report?format=md")
    assert re.search(r"E2-2026-77.*?report\.pdf SHA-256 (ab){32}", report)
    assert re.search(r"early warning \(nis2\).*?not filed", report)
    assert "outstanding: early warning to the CSIRT or the competent authority (nis2)" in report
    assert re.search(r"early warning to the CSIRT.*?from the awareness.*?breached", report)


WRONG = {
    "no such stage": ("aviation_occurrence", {"stage": "progress", "reference": "1"}, 409),
    "no such obligation": ("gdpr", {"stage": "occurrence_report", "reference": "1"}, 409),
    "one that does not concern it": ("ai_death", {"stage": "report", "reference": "1"}, 409),
    "no reference": ("aviation_occurrence", {"stage": "occurrence_report", "reference": " "}, 400),
    "a hash that is none": (
        "aviation_occurrence",
        {"stage": "occurrence_report", "reference": "1", "sha256": "x"},
        400,
    ),
    "in the future": (
        "aviation_occurrence",
        {"stage": "occurrence_report", "reference": "1", "filed_at": "2036-01-01T00:00:00Z"},
        409,
    ),
}


@pytest.mark.parametrize(("obligation", "said", "status"), WRONG.values(), ids=WRONG)
async def test_wrong_filings(declared: Running, obligation: str, said: dict[str, object], status: int) -> None:
    """What cannot be filed is refused with words, and nothing is recorded."""
    answered, _ = await declared.post(f"{ONE}/obligations/{obligation}/filings", said)
    assert answered == status
    _, found = await declared.get(f"{ONE}/obligations")
    assert not [stage for each in found["obligations"] for stage in each["stages"] if stage["filings"]]


async def press(receiver: Running, action: str, headers: dict[str, str], **form: str) -> int:
    """Post a form of the incident's page; the status."""
    form = {"csrf": csrf(await page(receiver, "/incidents/1", headers=headers)), **form}
    url = f"{receiver.url}/incidents/1/{action}"
    async with receiver.http.post(url, data=form, headers=BROWSER | headers, allow_redirects=False) as answer:
        return answer.status


async def test_the_page_records_filings_and_judgements(start: Callable[..., Any]) -> None:
    """A responder records a filing there; whether an obligation applies is for an approver."""
    receiver = await start(**PEOPLE)
    admin = {"Authorization": "Bearer annes-token"}
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"}, headers=admin)
    ron = await log_in(receiver, "ron", "ron")
    filing = {"part": "aviation_occurrence", "stage": "occurrence_report", "reference": "E2-1"}
    filing |= {"filed_at": "2026-11-23T02:00", "zone": "Europe/Berlin"}
    assert await press(receiver, "file-report", ron, **filing) == 303
    text = await page(receiver, "/incidents/1", headers=ron)
    assert "ai_death" not in text
    assert "E2-1; recorded by ron" in text
    assert "2026-11-23 01:00 UTC" in text
    assert await press(receiver, "withdraw-filing", ron, part="r1", reason="another incident's") == 303
    text = await page(receiver, "/incidents/1", headers=ron)
    assert "Not filed after all: r1, E2-1; recorded by ron, withdrawn by ron" in text
    assert "another incident&#39;s" in text
    judged = {"part": "nis2", "applies": "false", "reason": "counsel: not significant"}
    assert await press(receiver, "judge-obligation", ron, **judged) == 403
    ann = await log_in(receiver, "", "annes-token")
    assert re.search(
        r"whose terms do not name it.*?ai_death", await page(receiver, "/incidents/1", headers=ann), re.DOTALL
    )
    assert await press(receiver, "judge-obligation", ann, **judged) == 303
    assert "counsel: not significant" in await page(receiver, "/incidents/1", headers=ron)


async def test_from_a_shell(declared: Running, tmp_path: Path) -> None:
    """`file-report` hashes the file where it lies; `show` has the countdowns, `judge-obligation` takes one away."""
    file = tmp_path / "early.pdf"
    file.write_bytes(b"early warning")
    words = ("--obligation", "nis2", "--stage", "early_warning", "--reference", "CERT-9", "--file", str(file))
    code, said = await tocsin(declared, "file-report", "1", *words, "--by", "ada")
    assert code == 0, said
    assert f"CERT-9 (recorded by ada, early.pdf SHA-256 {sha256(b'early warning').hexdigest()})" in said
    told = await tocsin(declared, "withdraw-filing", "1", "r1", "--reason", "not sent", "--by", "eve")
    assert (told[0], "r1 not filed after all: CERT-9 (withdrawn by eve on" in told[1]) == (0, True), told
    await tocsin(declared, "file-report", "1", *words, "--by", "ada")
    _, shown = await tocsin(declared, "show", "1")
    assert "notification to the CSIRT or the competent authority (nis2)" in shown
    assert "ai_death" not in shown
    assert (
        "ai_death: the market surveillance authority (does not concern it)"
        in (await tocsin(declared, "obligations", "1"))[1]
    )
    code, said = await tocsin(
        declared, "judge-obligation", "1", "--obligation", "nis2", "--does-not-apply", "--reason", "counsel says so"
    )
    assert (code, "does not apply" in said) == (0, True)
    assert "CERT-9 (recorded by ada, early.pdf" in said
    _, report = await declared.get(f"{ONE}/report?format=md")
    assert re.search(r"early warning \(nis2\).*?CERT-9 \| early\.pdf SHA-256", report)
    assert re.search(r"nis2 \|.*?does not apply, says .+? on 2026-11-23 .+?: counsel says so", report)
    assert re.search(r"early warning to the CSIRT.*?kept", report)
    assert (await tocsin(declared, "file-report", "1", *words[:-1], "/no/such/file"))[0] == 2


async def test_a_filing_recorded_by_mistake_is_withdrawn(declared: Running) -> None:
    """The record stays with who, when and why, in API, timeline and report; the countdown runs again."""
    filing = {"stage": "occurrence_report", "reference": "E2-1", "by": "ada", "file": "x.pdf", "sha256": "ab" * 32}
    await declared.post(f"{AVIATION}/filings", filing)
    status, found = await declared.post(f"{ONE}/filings/r1/withdraw", {"reason": "of another incident", "by": "eve"})
    [stage] = named(found)["aviation_occurrence"]["stages"]
    assert (status, stage["filings"]) == (200, [])
    [gone] = stage["withdrawn"]
    assert (gone["id"], gone["withdrawn_by"], gone["withdrawn_why"]) == ("r1", "eve", "of another incident")
    _, incident = await declared.get(ONE)
    assert "aviation_occurrence/occurrence_report" in [each["key"] for each in incident["duties"]]
    _, report = await declared.get(f"{ONE}/report?format=md")
    assert re.search(r"recorded by ada on .+?; not filed after all, says eve on .+?: of another incident", report)
    assert re.search(r"occurrence report \(aviation_occurrence\) \|[^|]+\| not filed", report)
    assert (await declared.post(f"{ONE}/filings/r1/withdraw", {"reason": "again"}))[0] == 409
    assert (await declared.post(f"{ONE}/filings/r2/withdraw", {"reason": ""}))[0] == 400


async def test_the_page_keeps_the_file_that_was_filed(start: Callable[..., Any]) -> None:
    """The hash in the filing is Tocsin's own, of the file that it keeps as evidence; a refused filing keeps nothing."""
    receiver = await start(**PEOPLE)
    await receiver.post(
        "/api/v1/incidents", {"type": "engine_failure"}, headers={"Authorization": "Bearer annes-token"}
    )
    ron = await log_in(receiver, "ron", "ron")
    text = await page(receiver, "/incidents/1", headers=ron)
    digest = sha256(b"the form").hexdigest()

    async def file_it(**fields: str) -> int:
        form = aiohttp.FormData({"csrf": csrf(text), "part": "aviation_occurrence", "reference": "E2-1", **fields})
        form.add_field("upload", b"the form", filename="../form.pdf")
        url = f"{receiver.url}/incidents/1/file-report"
        async with receiver.http.post(url, data=form, headers=BROWSER | ron, allow_redirects=False) as answer:
            return answer.status

    assert await file_it(stage="progress") == 409
    assert (await receiver.get(f"{ONE}/evidence", headers=ron))[1]["files"] == []
    assert await file_it(stage="occurrence_report") == 303
    [kept] = (await receiver.get(f"{ONE}/evidence", headers=ron))[1]["files"]
    assert (kept["sha256"], kept["attached_by"]) == (digest, "ron")
    assert kept["note"] == "filed: occurrence_report of aviation_occurrence, E2-1"
    _, report = await receiver.get(f"{ONE}/report?format=md", headers=ron)
    assert f"form.pdf SHA-256 {digest} (kept as evidence e1)" in report
