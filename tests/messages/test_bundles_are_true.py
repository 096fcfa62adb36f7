"""Messages of several incidents: how many, which, how bad, of what, why and until when is so, and no lie goes unread."""

import dataclasses
import re

import pytest
from msgspec.structs import replace

from receiver.core.model import Incident, Instant, Kind, Reason, Recovery
from receiver.messages import Message
from rules.policy import MINUTE
from tests.core.truth import WORDS, OneMessage, Record, UntrueError, check_bundle
from tests.messages.samples import INCIDENT, NOON, acknowledged, context, notification

NOW = Instant(NOON + 3 * MINUTE)


def several(count: int, systems: int = 2, level: int = 3) -> list[Incident]:
    """So many open incidents of so many systems, from #12 on; of every fifth the number after it is left out."""
    return [
        replace(
            INCIDENT,
            id=f"{place:032}",
            number=12 + place + place // 5,
            level=level,
            labels={"system": f"landing-{place % systems}"},
            response_due_at=Instant(INCIDENT.response_due_at + place * MINUTE),
        )
        for place in range(count)
    ]


def told(incidents: list[Incident], kind: Kind = Kind.PAGE, *reasons: Reason) -> tuple[Message, list[Record]]:
    """The message, and what it is about; reasons one after the other, and again."""
    reasons = reasons or (Reason.OPENED,)
    sent = [
        notification(kind, reasons[place % len(reasons)], "sms", each, by="ada") for place, each in enumerate(incidents)
    ]
    message = WORDS.render(OneMessage(list(zip(sent, incidents, strict=True)), context()), NOW)
    version = context().policy_version
    records = [Record(each, (), NOW, version, message=one) for one, each in zip(sent, incidents, strict=True)]
    return message, records


MIXED = [
    *several(3),
    replace(acknowledged(), id="a" * 32, number=40),
    replace(INCIDENT, id="b" * 32, number=41, recovery=Recovery.CONFIRM, firing=(0, 0, 0, 0)),
]
CASES = {
    "a few": told(several(3)),
    "more than rows": told(several(25)),
    "many systems": told(several(9, 5)),
    "the worst is not the first": told([*several(2, level=2), replace(INCIDENT, number=40)]),
    "all overdue": told([replace(each, response_due_at=NOON) for each in several(4)]),
    "as they stand by now": told(MIXED),
    "news": told([replace(acknowledged(), id=f"{each:032}", number=each) for each in (12, 14)], Kind.ACKNOWLEDGED),
    "news that holds no more": told(several(2), Kind.ACKNOWLEDGED, Reason.ACTION),
    "exercises": told([replace(each, exercise=True) for each in several(3)]),
}


REPEATS = told([replace(each, response_due_at=NOON) for each in several(4)], Kind.PAGE, Reason.REPEATED)[0]


def test_a_bundle_that_comes_again_says_why() -> None:
    """Each medium: an SMS of a breach or a repeat is not the SMS of the opening, and names the deadline."""
    assert REPEATS.short.startswith("T 4 incidents STILL NO ANSWER CRITICAL landing-0, landing-1 #12-#15: ")
    assert "Ack now (due 12:02 UTC): reply ACK ALL, ACK 12 for one" in REPEATS.short
    assert REPEATS.text.startswith("OPEN: STILL NO ANSWER\n")
    assert REPEATS.lead.startswith("So many pages at once that they come together: 4 still without an answer. Ack")
    mixed = told(several(4), Kind.PAGE, Reason.ESCALATED, Reason.BREACHED)[0]
    assert mixed.short.startswith("T 4 incidents CRITICAL ")
    assert "2 escalated, 2 with the response time breached." in mixed.lead


def test_a_call_about_several_says_how_bad_and_whether_it_is_an_exercise() -> None:
    """Before the numbers."""
    assert CASES["a few"][0].speech.startswith("Tocsin here. Critical: 3 incidents on landing-0, landing-1: 12 to 14. ")
    assert CASES["exercises"][0].speech.startswith("This is an exercise. Tocsin here. Critical: 3 incidents")


@pytest.mark.parametrize("reason", list(Reason))
def test_each_reason_can_be_counted(reason: Reason) -> None:
    """No number stands before a noun in the singular."""
    lead = told(several(3), Kind.PAGE, reason)[0].lead
    assert not re.search(
        r"\b3 (response|still no|no answer|help|answer|further|signal|confirm|fires|reminder|update,)", lead
    )


@pytest.mark.parametrize("case", CASES)
def test_what_stands_above_the_rows_is_so(case: str) -> None:
    """In mail, chat, SMS and call."""
    check_bundle(*CASES[case])


def test_the_worst_is_told_first() -> None:
    """An SMS names the highest level and describes that incident; rows and call begin with it."""
    message, _ = CASES["the worst is not the first"]
    assert "3 incidents EMERGENCY" in message.short
    assert "ACK 40 for one" in message.short
    assert re.findall(r"^#\d+", message.text, re.MULTILINE) == ["#40", "#12", "#13"]


def test_no_exercise_is_described_beside_a_real_incident() -> None:
    """Where both come together, the short media describe a real one, also where it is milder."""
    exercise = replace(INCIDENT, number=40, exercise=True, title="Practised", labels={"system": "mock-up"})
    message, _ = told([exercise, *several(2, level=2)])
    assert not message.short.startswith("EXERCISE")
    assert "Practised" not in message.short
    assert "Practised" not in message.speech.partition("The first is")[2]


def test_news_calls_nothing_opened_that_did_not_open() -> None:
    """An acknowledgement that does not hold any more: the incident is open, which is no news of its opening."""
    message, _ = CASES["news that holds no more"]
    assert message.lead == "News: 2 open."


LIES = {
    "count": ("text", "25 incidents", "24 incidents"),
    "level": ("text", "CRITICAL: 25", "WARNING: 25"),
    "systems": ("text", "on landing-0, landing-1", "on landing-0"),
    "numbers": ("text", "#12-#16", "#12-#17"),
    "more": ("text", "and 15 more", "and 16 more"),
    "due": ("text", "first by 12:17 UTC", "first by 12:18 UTC"),
    "why": ("text", "So many opened at once that", "So many pages at once that"),
    "a further sentence": ("text", "together. Ack", "together. All is well. Ack"),
    "states": ("text", "OPEN", "24 OPEN; 1 RESOLVED"),
    "fact": ("text", "Level: 3", "Level: 2"),
    "count by SMS": ("short", "25 incidents", "24 incidents"),
    "level by SMS": ("short", "CRITICAL", "EMERGENCY"),
    "the first by SMS": ("short", "ACK 12", "ACK 13"),
    "level by telephone": ("speech", "Critical: 25", "Warning: 25"),
    "due by SMS": ("short", "Ack by 12:17", "Ack by 12:18"),
    "count by telephone": ("speech", "25 incidents", "24 incidents"),
    "due by telephone": ("speech", "twelve seventeen", "twelve eighteen"),
    "count in chat": ("headline", "25 incidents", "26 incidents"),
    "level in chat": ("headline", "CRITICAL", "WARNING"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_noticed(lie: str) -> None:
    """Each part is read: a message that says it otherwise is refused."""
    message, records = CASES["more than rows"]
    part, so, otherwise = LIES[lie]
    assert so in getattr(message, part)
    with pytest.raises(UntrueError):
        check_bundle(dataclasses.replace(message, **{part: getattr(message, part).replace(so, otherwise)}), records)
