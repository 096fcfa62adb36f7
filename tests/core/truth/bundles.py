"""What a message about several incidents says above and below their rows: how many, which, how bad, of what, why they
come together, and by when they want an answer. Each part is read as a whole: what is not read is an error.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from receiver.core.model import Kind, Reason, Recovery, State
from receiver.messages import Message
from tests.core.truth.oracle import is_so
from tests.core.truth.record import TIME, Record, UntrueError
from tests.core.truth.recovery import system_of
from tests.core.truth.replies import named
from tests.core.truth.words import as_written

ROWS = 10
SHOWN_SYSTEMS = 3
SEVERITIES = ("info", "warning", "error", "critical")
LOOKS_WELL = {
    Recovery.UNREPORTED: "no longer reported",
    Recovery.VERIFYING: "signal recovered",
    Recovery.CHECKING: "signal recovered",
    Recovery.CONFIRM: "signal recovered",
    Recovery.UNVERIFIED: "recovery unverified",
}

_TITLE = r"(?P<count>\d+) incidents(?: on (?P<where>[^:]+?))?: (?P<which>[^.:]+)"
_BY = rf"acknowledge each(?:, the first by (?P<by>{TIME})| now: the first was due by (?P<was>{TIME}))"
_TOGETHER = (
    r"so many opened at once that they come together\.|"
    r"so many pages at once that they come together: (?P<reasons>[^.]+)\."
)
_PAGES = re.compile(rf"(?:{_TOGETHER})(?: {_BY}\.)?")
_NEWS = re.compile(r"news: (?P<reasons>[^.]+)\.")
_SHORT = re.compile(
    r"(?P<exercise>exercise )?t (?P<count>\d+) incidents (?:(?P<label>[^#:]+?) )?"
    r"(?P<level>informational|warning|critical|emergency)"
    r"(?: (?P<where>[^#]+?))? (?P<which>(?:#\d+(?:-#\d+)?(?:, )?)+|between #\d+ and #\d+): (?P<rest>.*)"
)
_SHORT_WAY = re.compile(
    rf"(?P<how>(?:ack by (?P<by>{TIME})|ack now \(due (?P<was>{TIME})\)|signals recovered\. to take them): )?(?:reply ack all, ack (?P<one>\d+) for one|https?://\S+)"
    r"(?: or https?://\S+)?$"
)
_SPEECH = re.compile(
    r"(?P<exercise>this is an exercise\. )?tocsin here\. (?P<level>informational|warning|critical|emergency): "
    rf"{_TITLE}\. (?P<lead>.*) the first is: (?P<first>.*?)\.? times are .*"
)
COUNTED = {
    "still without an answer": "still no answer",
    "without an answer yet": "no answer yet",
    "that reached nobody yet": "reached nobody yet",
    "with a recovery to confirm": "confirm the recovery",
    "that fire steadily": "fires steadily",
    "with a notice that waits for approval": "waits for approval",
    "with a notice that still waits for approval": "still waits for approval",
    "with a notice void": "notice void",
}
"""How many of an incident's messages have a reason → the reason; others only have ``with`` before it."""


def uncounted(words: str) -> str:
    """The reason that stands behind a number of incidents in these words."""
    return COUNTED.get(words, re.sub(r"^with (?:an? |the )?", "", words))


def check_bundle(message: Message, records: Sequence[Record]) -> None:
    """Raises UntrueError where the message says of them what is not so. `records`: each with its notification, which
    stand with the real ones before exercises, then the worst first; the rows are checked one by one elsewhere.
    """
    records = sorted(records, key=lambda each: (each.incident.exercise, -each.incident.level))
    _demand(message.count == len(records), message.count, "how many incidents it is about")
    _demand(message.level == _worst(records), message.level, "how bad the worst is")
    _demand(message.severity == SEVERITIES[_worst(records) - 1], message.severity, "PagerDuty's word for the worst")
    _check_text(message.text.lower(), records)
    _check_title(_after(message.headline.lower(), records), records)
    _check_title(message.subject.lower().removeprefix("exercise: "), records)
    _check_short(" ".join(message.short.lower().split()), records)
    _check_speech(as_written(message.speech).lower(), records)


def _check_text(text: str, records: Sequence[Record]) -> None:
    lines = [each for each in text.split("\n") if each]
    is_exercise = all(each.incident.exercise for each in records)
    _demand(lines[0].startswith("exercise, ") is is_exercise, lines[0], "whether all are exercises")
    states, _, label = lines[0].removeprefix("exercise, ").partition(": ")
    _check_states(states, records)
    _check_label(label, records)
    head = [each for each in lines[1:] if not each.startswith("nobody is in danger")]
    _check_title(_after(head[0], records), records)
    _check_lead(head[1], records)
    rows = [each for each in lines if re.match(r"#\d+ ", each)][: min(ROWS, len(records))]
    _demand(
        [int(each[1:].split()[0]) for each in rows] == [each.incident.number for each in records[:ROWS]],
        rows,
        "the first of them, in their order",
    )
    more = next((each for each in lines if re.fullmatch(r"and \d+ more", each)), "")
    left = len(records) - ROWS
    _demand(more == (f"and {left} more" if left > 0 else ""), more, "how many more there are")
    known = dict(each.split(": ", 1) for each in lines if re.match(r"(?:level|incidents): ", each))
    _demand(known["level"].split()[0] == str(_worst(records)), known, "how bad the worst is")
    _demand(named(known["incidents"]) == _numbers(records), known["incidents"], "which they are")
    for count in re.findall(r"acknowledge these (\d+)", text):
        _demand(int(count) == len(records), count, "how many its button acknowledges")


def _check_states(said: str, records: Sequence[Record]) -> None:
    """How they stand: ``3 open; 1 acknowledged``, or of all the same."""
    told = re.findall(r"(\d+) ([^;]+)", said) or [(str(len(records)), said)]
    _demand(
        Counter({words: int(count) for count, words in told}) == Counter(map(_stands, records)), said, "how they stand"
    )


def _stands(record: Record) -> str:
    incident = record.incident
    if incident.recorded_only:
        return "recorded"
    well = LOOKS_WELL.get(incident.recovery, "") if incident.state in {State.OPEN, State.ACKNOWLEDGED} else ""
    return f"{incident.state}, {well}" if well else str(incident.state)


def _check_label(said: str, records: Sequence[Record]) -> None:
    """Why a page of each of them comes."""
    _demand(all(not said or is_so(said, each) for each in records), said, "why they all come")


def _check_title(said: str, records: Sequence[Record]) -> None:
    found = re.fullmatch(_TITLE, said)
    _demand(found is not None, said, "a title of several incidents")
    assert found is not None
    _demand(int(found["count"]) == len(records), said, "how many they are")
    _demand(_where(found["where"] or "", records), said, "which systems they are of")
    _demand(_which(found["which"], records), said, "which they are")


def _after(said: str, records: Sequence[Record]) -> str:
    """The title behind the worst level's name."""
    exercise, level = r"(?:exercise: )?", _level_name(records)
    _demand(re.match(rf"{exercise}{level}: ", said) is not None, said, f"that the worst is {level}")
    return re.sub(rf"^{exercise}{level}: ", "", said)


def _check_lead(said: str, records: Sequence[Record]) -> None:
    page = records[0].message is not None and records[0].message.kind is Kind.PAGE
    found = (_PAGES if page else _NEWS).fullmatch(said)
    _demand(found is not None, said, "why they come together")
    assert found is not None
    if found["reasons"]:
        _check_reasons(found["reasons"], records)
    else:
        is_opening = all(each.message is not None and each.message.reason is Reason.OPENED for each in records)
        _demand(is_opening, said, "that they opened")
    if page:
        _check_due(found["by"] or "", found["was"] or "", records)


def _check_reasons(said: str, records: Sequence[Record]) -> None:
    """``12 escalated, 3 opened``: of each reason as many as it could be said of, and all of them together."""
    told = re.findall(r"(\d+) ((?:(?!, \d+ ).)+)", said)
    _demand(sum(int(count) for count, _ in told) == len(records), said, "how many they are")
    for count, words in told:
        could = sum(_is_why(words, each) for each in records)
        _demand(int(count) <= could, f"{count} {words}", f"said of {could}")


def _is_why(words: str, record: Record) -> bool:
    reason = record.message.reason if record.message else None
    words = uncounted(words)
    match words:
        case "opened":
            return reason is Reason.OPENED and record.incident.state is State.OPEN
        case _:
            return words == _stands(record) or _stands(record).endswith(words) or is_so(words, record)


def _check_due(by: str, was: str, records: Sequence[Record]) -> None:
    awaiting = [each for each in records if _awaits(each)]
    first = min((each.incident.response_due_at for each in awaiting), default=None)
    if first is None:
        _demand(not by and not was, by or was, "an answer that is wanted")
        return
    record = records[0]
    _demand(record.is_at(by or was, first), by or was, "when the first is due")
    _demand(bool(was) is (first < record.now), by or was, "whether that is over")


def _awaits(record: Record) -> bool:
    looks_well = record.incident.recovery not in {Recovery.NONE, Recovery.UNREPORTED}
    return record.incident.state is State.OPEN and not looks_well


def _check_short(said: str, records: Sequence[Record]) -> None:
    found = _SHORT.fullmatch(said)
    _demand(found is not None, said, "an SMS of several incidents")
    assert found is not None
    _demand(int(found["count"]) == len(records), said, "how many they are")
    _demand(found["level"] == _level_name(records), said, "how bad the worst is")
    _demand(
        bool(found["exercise"]) is all(each.incident.exercise for each in records), said, "whether all are exercises"
    )
    _check_label(found["label"] or "", records)
    _demand(_where(found["where"] or "", records), said, "which systems they are of")
    _demand(_which(found["which"], records), said, "which they are")
    way = _SHORT_WAY.search(found["rest"])
    if way is None:
        return
    _demand(not way["one"] or int(way["one"]) == records[0].incident.number, way[0], "the first of them")
    if way["how"]:
        _check_due(way["by"] or "", way["was"] or "", records)


def _check_speech(said: str, records: Sequence[Record]) -> None:
    found = _SPEECH.fullmatch(said)
    _demand(found is not None, said, "a call about several incidents")
    assert found is not None
    _demand(found["level"] == _level_name(records), said, "how bad the worst is")
    _demand(
        bool(found["exercise"]) is all(each.incident.exercise for each in records), said, "whether all are exercises"
    )
    _demand(int(found["count"]) == len(records), said, "how many they are")
    spoken = re.sub(r"(\d+) to (\d+)", r"#\1-#\2", found["which"])
    _demand(_which(re.sub(r"(?<![#\d])(\d+)", r"#\1", spoken), records), said, "which they are")
    _check_lead(re.sub(r"u t c", "utc", found["lead"].strip()), records)


def _where(said: str, records: Sequence[Record]) -> bool:
    """Each is of a system of something of it that fires."""
    could = [{system_of(each.labels) for each in record.firing} or {record.incident.system} for record in records]
    known = {system.lower() for systems in could for system in systems}
    if found := re.fullmatch(r"(\d+) systems", said):
        return SHOWN_SYSTEMS < int(found[1]) <= len(known)
    named = set(filter(None, said.split(", ")))
    return (
        named <= known
        and len(named) <= SHOWN_SYSTEMS
        and all(named & {each.lower() for each in systems} or "" in systems for systems in could)
    )


def _which(said: str, records: Sequence[Record]) -> bool:
    numbers = _numbers(records)
    if found := re.fullmatch(r"between #(\d+) and #(\d+)", said):
        return (int(found[1]), int(found[2])) == (min(numbers), max(numbers))
    return named(said) == numbers


def _numbers(records: Iterable[Record]) -> set[int]:
    return {each.incident.number for each in records}


def _worst(records: Iterable[Record]) -> int:
    return max(each.incident.level for each in records)


def _level_name(records: Sequence[Record]) -> str:
    policy = records[0].policy
    assert policy is not None
    return policy.policy.level(_worst(records)).name.lower()


def _demand(so: object, said: object, what: str) -> None:
    if not so:
        raise UntrueError(f"a message of several incidents says {said!r} (bundles: {what}), and it is not so")
