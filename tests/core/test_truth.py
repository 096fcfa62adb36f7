"""The oracle reads everything: each fact of the timeline, and each sentence in our sources that tells of its subjects."""

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from receiver.core.model import Fact, Instant, Window
from receiver.core.response import Duty, Response
from receiver.messages.timeline import SENTENCES
from rules.policy import HOUR
from tests.core.truth import FACTS, STATEMENTS, Record, UntrueError, check, page_text, unread
from tests.core.truth.bundles import uncounted
from tests.core.truth.oracle import SUBJECTS
from tests.store.samples import NOW, alert, incident

ROOT = Path(__file__).parents[2]
SOURCES = (
    *(f"receiver/messages/{name}.py" for name in ("reasons", "incident_text", "responders", "now_firing", "short")),
    *(f"receiver/messages/{name}.py" for name in ("renderer", "placeholder_values", "fates")),
    "receiver/reports/summary.py",
    "receiver/reports/incident_report.py",
    "receiver/reports/occurrence_sections.py",
    "receiver/messages/deadlines.py",
)
"""Where sentences about an incident are made; those of the timeline stand in SENTENCES."""

FILLINGS = ("09:00 utc", "ada", "3 minutes", "2", "unit a is out of bounds", "")
"""What may stand in a place: each place of a sentence has the same."""
BEFORE = ("", "is_it_over: ", "how_long: ", "status: ", "subtitle: critical (level 3), ", "verification: ", "resolved: ",
          "escalation: ", "acknowledged: ", "deadlines: ", "reached: ", "email to ada: page ", "response_time: ")  # fmt: skip
"""What a sentence may follow on its line."""

WHOLE = (
    "This page has reached nobody yet on the channels that come first, so it comes to you.",
    "This page had reached nobody in time on the channels that come first, so it comes to you.",
    "This page could not be delivered on sms, so it comes to you.",
    "The severity assessment is overdue: it should have come within 30m.",
    "The follow-up action was not done in time.",
    "The response time of 15 minutes is breached (due by 09:00 UTC).",
    "At 09:00 UTC ada acknowledged it; by now it is open",
    "It was resolved by ada, 3 minutes after the opening; by now it is open",
    "It fires again after it was resolved (first time): unit a is out of bounds.",
    "It was resolved while its alerts fired, and they still do.",
    "It fired again, before its recovery was believed.",
    "Alerts of slo fire and clear again and again: 4 times since 09:00 UTC. You are told again when they fire steadily.",
    "Alerts of slo fired and cleared again and again: 4 times since 09:00 UTC.",
    "It flapped since 09:00 UTC, and fires without a break now.",
    "It flapped since 09:00 UTC, and fired without a break then.",
    "It got worse: slo fired: unit a is out of bounds.",
    "the acknowledgement of ada expired at 09:00 UTC",
    "new danger voided the acknowledgement of ada at 09:00 UTC",
    "Alerts: 3 firing: a, b and 1 more",
    "Acknowledge each now: the first was due by 09:00 UTC.",
    "Firing since: 09:00 UTC",
    "Investigation: root cause found",
    "deadlines: breached: response, 15 minutes from the opening: nobody answered",
    "deadlines: breached: response, 15 minutes from the opening: ada, 3 minutes late",
    "how_long: 3 minutes, until it was resolved on 2025-10-09 09:00 UTC",
    "how_long: it came back 1 time after it had been resolved",
    "what_was_done: fix: mended",
    "Who was told| 2025-10-09 08:53:20 | page | email | ada | accepted",
    "measured: unit a is out of bounds: 0.3 (told at 2025-10-09 08:53 UTC)",
    "resolved at 09:00 UTC; not closed yet: the root cause",
    "Not closed yet: ada: it is resolved and cannot close yet: the root cause.",
    "What was entered before did not hold (cause: the moon; fix: mended).",
    "Acknowledged by ada at 09:00 UTC, 3 minutes after it came back.",
    "what_happened: the cause given in occurrence 1 did not hold: the moon",
    "what_was_done: in occurrence 1: mended (did not hold)",
    "Asked about what is missing: @1@",
    "Acknowledgement expires: @1@",
    "Reopens if it still fires: @1@",
    "Next escalation: @1@",
    "Help is asked for again: @1@",
    "deadlines: breached: initial response: acknowledgement, 15 minutes from the opening: nobody answered",
    "ada: the checklist a is due by 2025-10-09 09:00 UTC, 3 minutes left.",
    "Nobody has it: the checklist a was due by 2025-10-09 09:00 UTC, and is not done.",
    "The checklist a was due, and is done by now or not asked for any more.",
    "ada: the next status update is due at 09:00 UTC. Write it, else Tocsin tells everybody how it stands then.",
    "The notice n1 to out waits for approval, best by 09:00 UTC: nobody outside is told before that.",
    "The notice n1 to out waits for approval: nobody outside is told of an exercise, approved or not.",
    "For approvers: tocsin approve 12 n1 and tocsin approve 12 n2",
    "The notice n1 to out is rejected by now.",
    "The notice n1 to out is void: nobody has the incident any more.",
    "Status update by ada: no change since 09:00 UTC. Next update by 09:10 UTC.",
    "You are on call now. Nobody has acknowledged it, 3 minutes after the opening.",
    "ada: your acknowledgement expires at 09:00 UTC. Whoever acknowledged: your acknowledgement expires.",
)
"""Sentences whose words stand in our sources in parts, or with several places."""


def sentences(path: str) -> Iterator[str]:
    """The texts of a source, docstrings left out; ``\\0`` stands for each place."""
    tree = ast.parse((ROOT / path).read_text())
    docs = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
    inner = {id(part) for each in ast.walk(tree) if isinstance(each, ast.JoinedStr) for part in each.values}
    for each in ast.walk(tree):
        if isinstance(each, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in each.values)
        elif isinstance(each, ast.Constant) and isinstance(each.value, str) and id(each) not in docs | inner:
            yield each.value


def is_read(text: str) -> bool:
    """Whether a statement reads it, with any values in its places."""
    said = re.sub(r"\{\w*\}", "\0", uncounted(text)).lower()
    parts = [part for part in said.split("\0") if SUBJECTS.search(part)]
    if any(all(part.strip() in whole.lower() for part in parts) for whole in WHOLE):
        return True
    return any(not unread(f"{before}{said.replace(chr(0), filling)}") for before in BEFORE for filling in FILLINGS)


@pytest.mark.parametrize("path", SOURCES)
def test_each_sentence_is_read(path: str) -> None:
    """A new sentence about responders, deadlines, delivery, recovery, cause or who is told needs a predicate."""
    told = [each for each in sentences(path) if " " in each.strip() and SUBJECTS.search(each.lower())]
    assert [each for each in told if not is_read(each)] == []


@pytest.mark.parametrize("whole", WHOLE)
def test_what_stands_in_parts_is_read_as_a_whole(whole: str) -> None:
    """As people read it."""
    assert unread(whole) == ""


@pytest.mark.parametrize(
    "said", ["Somebody will answer soon.", "The fix is certain.", "All is well.", "It was delivered."]
)
def test_what_nobody_reads_is_an_error(said: str) -> None:
    """A text about the subjects in other words than the statements'."""
    assert unread(said) != ""


def test_each_fact_of_the_timeline_has_its_predicate() -> None:
    """A new fact says what proves its sentence."""
    assert set(FACTS) == set(Fact) == set(SENTENCES)


def test_there_are_statements_of_every_kind() -> None:
    """Responders, deadlines, delivery, recovery, cause, who is told, and what was promised."""
    assert {each.kind for each in STATEMENTS} == {
        "responders",
        "deadlines",
        "delivery",
        "recovery",
        "cause",
        "told",
        "promises",
        "on call",
    }


def test_what_a_table_says_of_each_alert_is_held_against_each() -> None:
    """The caption that stands for a column of states is read as the state and the level of every alert."""
    fired = [alert(name, level=3, starts_at=Instant(NOW), labels={"unit": name}) for name in ("f", "g")]
    record = Record(incident(), (), Instant(NOW), alerts=fired)
    rows = "".join(
        f'<tr class="firing"><th scope="row">{each.labels["unit"]}</th><td><time datetime="t">now</time></td></tr>'
        for each in fired
    )
    page = f"<table><caption>Each: firing, critical</caption>{rows}</table>"
    check(page_text(page, {"t": NOW}), record)
    for lie in ("cleared, critical", "firing, emergency"):
        with pytest.raises(UntrueError, match="and it is not so"):
            check(page_text(page.replace("firing, critical", lie), {"t": NOW}), record)
    with pytest.raises(UntrueError, match="and it is not so"):
        check(page_text(page, {"t": NOW}), replace(record, alerts=[fired[0], structs.replace(fired[1], level=2)]))


def test_how_many_deadlines_a_card_leaves_out_is_counted() -> None:
    """Windows and duties that end after a day are as many as the card says; what it does not count down is none."""
    duty = Duty(Instant(NOW), 30 * HOUR, Instant(NOW + 30 * HOUR))
    windows = {Window.UPDATE: NOW + 25 * HOUR, Window.ESCALATE: NOW + HOUR, Window.DUTY: NOW + 30 * HOUR}
    record = Record(incident(windows=windows, response=Response(duties={"law": duty})), (), Instant(NOW))
    check("2 deadlines after a day", record)
    for lie in ("1 deadline after a day", "3 deadlines after a day"):
        with pytest.raises(UntrueError, match="and it is not so"):
            check(lie, record)
