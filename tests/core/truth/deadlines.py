"""Which deadline runs until when, and what became of those that ran."""

import re
from collections.abc import Callable, Sequence

from receiver.core.model import Entry, Fact, Instant, Recovery, State, Window
from rules.policy import HOUR
from tests.core.truth.record import BEGINS, Found, Holds, Record, moment, since_alarm, standing, statements
from tests.core.truth.responders import nobody_acknowledged, wants_answer

COUNTED = {Window.ESCALATE, Window.HELP, Window.BREACH, Window.ACK_EXPIRY, Window.UPDATE, Window.NOTICE, Window.SILENCE,
           Window.VERIFY, Window.FORCED, Window.CLOSE, Window.REVISION}  # fmt: skip
"""The windows whose ends the console counts down."""
RESTS = frozenset({Fact.SILENCED, Fact.INHIBITED})


def _due(record: Record, found: Found) -> bool:
    """The response time that runs, or ran last, ends then."""
    return record.is_at(found["at"], record.incident.response_due_at)


def _still(record: Record, found: Found) -> bool:
    """… and it is still to come."""
    return _due(record, found) and record.incident.response_due_at >= _minute(record.now)


def _minute(at: int) -> int:
    return at - at % 60_000_000


def _passed(record: Record, found: Found) -> bool:
    """… and is over, and the answer is still missing."""
    is_over = record.incident.response_due_at <= record.now
    return _due(record, found) and is_over and wants_answer(record, found)


def _left(record: Record, found: Found) -> bool:
    return record.is_long(found["span"], record.incident.response_due_at - record.now)


def _ago(record: Record, found: Found) -> bool:
    return record.is_long(found["span"], record.now - record.incident.response_due_at)


def _window(*windows: Window) -> Holds:
    """One of these ends then."""
    return lambda record, found: any(record.is_at(found["at"], record.incident.windows.get(each)) for each in windows)


def _breached(record: Record, found: Found) -> bool:
    """A response time of that length ended then without an answer in it."""
    for each in record.find(Fact.BREACHED):
        due = int(each.data["due_at"])
        period = since_alarm(record.entries[: each.position])
        in_time = (entry for entry in standing(period) if entry.fact is Fact.ACKNOWLEDGED and entry.at <= due)
        if record.is_at(found["at"], due) and due <= record.now and not any(in_time):
            return True
    return False


def _limit(record: Record, found: Found) -> bool:
    """So long is a level's response time."""
    levels = record.policy.policy.levels if record.policy else ()
    return not levels or any(record.is_long(found["span"], each.response_time) for each in levels)


def _ever_breached(record: Record, _found: Found) -> bool:
    return record.has(Fact.BREACHED)


def _expires(record: Record, found: Found) -> bool:
    """The acknowledgement that holds expires then."""
    return _window(Window.ACK_EXPIRY)(record, found) and record.incident.state is State.ACKNOWLEDGED


def _row(record: Record, found: Found) -> bool:
    """A deadline as the report's table has it: judged anew from the timeline."""
    name, since, due, result, margin, answer = (
        found[each].strip() for each in ("name", "since", "due", "result", "by_how", "who")
    )
    if A_DUTY.match(name):
        return _duty_row(record, due, result)
    if name.startswith("follow-up"):
        return _action_row(record, found)
    if name.endswith("severity assessment"):
        return _not_assessed(record, found) if result == "breached" else True
    periods = _periods(record)
    fits = [each for each in periods if SINCE[each[0].fact](since) and _judge(record, each, found)]
    return bool(fits) and bool(due) and (not margin or bool(answer) or result == "breached")


A_DUTY = re.compile(r'checklist "|.+ to .+ \(.+\)$')


def _duty_row(record: Record, due: str, result: str) -> bool:
    """A checklist or a report to an authority: it runs while the incident has a clock for it."""
    runs = any(_stamp(each.due_at) == due for each in record.incident.response.duties.values())
    match result:
        case "running":
            return runs and _stamp(record.now) <= due
        case "breached":
            return _stamp(record.now) >= due
        case _:
            return True


def _filed_row(record: Record, found: Found) -> bool:
    """A record that a report was filed: it stands, or was withdrawn by that person; or none of that stage stands."""
    said, incident = found["filed"], record.incident
    mine = [
        each
        for each in incident.response.filings
        if f"{each.stage.replace('_', ' ')} ({each.obligation})".lower() == found["report"].strip()
    ]
    stands = [each for each in mine if each.withdrawn_at is None]
    if said in {"not filed", "practised by nobody"}:
        return not stands and (said == "not filed") is not incident.exercise
    if "applies, says" in said or "does not apply, says" in said:
        return any(each.by and f"says {each.by.lower()}" in said for each in incident.response.obligations.values())
    if taken_back := re.search(r"; not filed after all, says (.+?) on (.+? utc): ", said):
        return any((each.withdrawn_by.lower(), _stamp(each.withdrawn_at or 0)) == taken_back.groups() for each in mine)
    return ("practised" in said) is incident.exercise and any(
        f"{_stamp(each.filed_at)}, recorded by {each.by.lower()}" in said for each in stands
    )


def _clock(*, over: bool) -> Holds:
    """A duty runs that is due then, and that is over or not."""
    return lambda record, found: any(
        record.is_at(found["at"], each.due_at) and (each.due_at <= record.now) is over
        for each in record.incident.response.duties.values()
    )


def _is_written(record: Record) -> bool:
    """The update of which the message reminds has left."""
    data = record.message.data if record.message else {}
    return "due_at" in data and data["due_at"] != str(record.incident.windows.get(Window.UPDATE))


def _no_clock(record: Record, _found: Found) -> bool:
    """What the message tells of is done, or not asked for any more."""
    duty = record.message.data.get("duty", "") if record.message else ""
    return duty not in record.incident.response.duties


def _periods(record: Record) -> list[list[Entry]]:
    found: list[list[Entry]] = []
    for each in standing(record.entries):
        if each.fact in BEGINS or each.fact is Fact.SILENCE_ENDED:
            found.append([])
        if found:
            found[-1].append(each)
    return found


SINCE: dict[Fact, Callable[[str], bool]] = {
    Fact.OPENED: lambda since: "the opening" in since,
    Fact.DECLARED: lambda since: "the declaration" in since,
    Fact.REOPENED: lambda since: "the reopening" in since,
    Fact.ACK_VOIDED: lambda since: "the new danger" in since,
    Fact.ACK_EXPIRED: lambda since: "the expiry" in since,
    Fact.GIVEN_BACK: lambda since: "the giving back" in since,
    Fact.SILENCE_ENDED: lambda since: "the end of the silence" in since,
}


def _judge(record: Record, period: Sequence[Entry], found: Found) -> bool:
    """Whether this is what became of the deadline that began with the period's first line."""
    rest = [each for each in standing(record.entries) if each.position >= period[0].position]
    paused = next((each.position for each in rest if each.data.get("pauses")), None)
    begins, ended = (
        next((each for each in rest[1:] if each.fact in facts), None)
        for facts in (BEGINS, BEGINS | {Fact.SILENCE_ENDED})
    )
    # A silence that pauses nothing is no rest: of a deadline only the end of one that does begins another.
    resumed = (each for each in rest if each.fact is Fact.SILENCE_ENDED and paused and each.position > paused)
    return any(_became(record, rest, ends, found) for ends in (begins, ended, next(resumed, ended)))


def _became(record: Record, rest: Sequence[Entry], ends: Entry | None, found: Found) -> bool:
    lines = [each for each in rest if ends is None or each.position < ends.position]
    answer = next((each for each in lines if _answers(each)), None)
    answered = "" if answer is None else _stamp(answer.at)
    who = found["who"].strip()
    told = answer is not None and who.startswith(answer.by.lower()) and who.endswith(answered)
    over = next((each.at for each in lines if each.fact is Fact.RESOLVED), ends.at if ends else None)
    due = found["due"].strip()
    match found["result"].strip():
        case "kept":
            return told and answered <= due
        case "breached":
            return (told and answered >= due) or (answer is None and _stamp(over or record.now) >= due)
        case "running":
            return answer is None and over is None and _stamp(record.now) <= due
        case "not needed":
            return answer is None and over is not None and _stamp(over) <= due
        case "suspended":
            return any(each.data.get("pauses") for each in lines)
    return False


def _answers(entry: Entry) -> bool:
    return entry.fact is Fact.ACKNOWLEDGED or (entry.fact is Fact.RESOLVED and bool(entry.by))


def _stamp(at: Instant | int) -> str:
    return f"{moment(at):%Y-%m-%d %H:%M} utc"


def _not_assessed(record: Record, _found: Found) -> bool:
    """No person assessed it, or the assessment was recorded as overdue."""
    return record.incident.response.assessed_at is None or any(
        "assessment" in each.data["what"] for each in record.find(Fact.OVERDUE)
    )


def _action_row(record: Record, found: Found) -> bool:
    known = [each for each in record.incident.response.follow_ups if each.text.lower() in found["name"]]
    done = {each.done_at is not None for each in known}
    return bool(known) and (found["result"] != "running" or False in done)


def _overdue(record: Record, found: Found) -> bool:
    """It was missed, and still is where it can be made up for."""
    if not any(found["what"] in each.data["what"] for each in record.find(Fact.OVERDUE)):
        return False
    match found["what"]:
        case "acknowledgement":
            return record.incident.state is State.OPEN
        case "severity assessment":
            return record.incident.response.assessed_at is None
        case _:
            text = record.message.data.get("text", "") if record.message else ""
            left = [each for each in record.incident.response.follow_ups if each.done_at is None]
            return not text or any(text.startswith(each.text) for each in left)


def _practises(record: Record, found: Found) -> bool:
    """Exactly what the incident has of that person, each by its time; what is spoken has commas for brackets."""
    told = re.findall(r"([\w ]+?)(?:, | \()(?:(was|is) due by ([\w: @-]+)|no drill yet)\)?(?:, |$)", found["what"])
    theirs = [each for each in record.incident.response.training if each.person.lower() == found["person"]]
    return len(told) == len(theirs) and all(
        (subject, be, at) == ("any", "", "")
        if not each.subject
        else subject.replace("_", " ") == each.subject.replace("_", " ").lower()
        and record.is_at(at, each.due_at)
        and (be == "was") is (each.due_at <= record.now)
        for (subject, be, at), each in zip(told, theirs, strict=True)
    )


def _missed(record: Record, found: Found) -> bool:
    return any(found["what"] in each.data["what"] for each in record.find(Fact.OVERDUE))


def _later(record: Record, found: Found) -> bool:
    """So many of the deadlines that the incident's page has are due after the day to come."""
    incident = record.incident
    hidden = {Window.VERIFY} if incident.recovery is Recovery.UNREPORTED else set()
    due = [at for each, at in incident.windows.items() if each in COUNTED - hidden]
    due += [each.due_at for each in incident.response.duties.values()]
    return sum(at > record.now + 24 * HOUR for at in due) == int(found["count"])


STATEMENTS = statements(
    "deadlines",
    {
        "(?P<person>[\\w.@-]+) is to practise in a drill: (?P<what>.+)$": _practises,
        "^nothing that was to be practised is due any more$": lambda record, _found: (
            not record.incident.response.training
        ),
        "^(?:occurrence \\d+: )?deadlines\\| (?P<name>[^|]+) \\| (?P<span>[^|]+) from (?P<since>[^|]+) \\| (?P<due>[^|]+) \\| "
        "(?P<result>[^|]+) \\|(?P<by_how>[^|]*)\\|(?P<who>[^|]*)$": _row,
        "^reports to authorities\\|[^|]*\\|(?P<report>[^|]*)\\|[^|]*\\| (?P<filed>[^|]*) \\|.*$": _filed_row,
        "^follow-up actions\\| (?P<state>done|overdue|open) \\| (?P<name>[^|]*).*$": lambda record, found: any(
            (each.done_at is not None) is (found["state"] == "done")
            and ((each.due_at or record.now) < record.now or found["state"] != "overdue")
            for each in record.incident.response.follow_ups
            if each.text.lower() in found["name"]
        ),
        "^[^|]+\\| (?:done|open) \\| .*$": lambda _record, _found: True,
        "^deadlines: (?P<kept>\\d+) of (?P<all>\\d+) kept$": lambda record, found: (
            int(found["kept"]) <= int(found["all"])
        ),
        "^deadlines: breached: initial response: severity assessment, .*": _not_assessed,
        "^deadlines: breached: (?P<name>.+), <span> from [^:]+: not done$": lambda record, found: (
            any(each.due_at <= record.now for each in record.incident.response.duties.values())
            # The clocks of an earlier occurrence are gone; the timeline keeps what was overdue in it.
            or any(found["name"] == each.data.get("what", "").lower() for each in record.find(Fact.OVERDUE))
            or any(
                found["name"].startswith("follow-up") and each.done_at is None
                for each in record.incident.response.follow_ups
            )
            or ("assessment" in found["name"] and _not_assessed(record, found))
        ),
        "^deadlines: breached: .*nobody answered.*$": lambda record, _found: (
            any(not any(map(_answers, period)) for period in _periods(record))
            or any(each.done_at is None for each in record.incident.response.follow_ups)
        ),
        "^deadlines: breached: .* late$": lambda record, _found: (
            record.has(Fact.ACKNOWLEDGED, Fact.RESOLVED, Fact.REPORT_FILED, Fact.STEP_DONE)
            or any(each.done_at for each in record.incident.response.follow_ups)
        ),
        "^response_time: kept: .*": lambda record, _found: any(map(_answers, record.entries)),
        "^response_time: breached: .*nobody answered": lambda record, _found: any(
            not any(map(_answers, period)) for period in _periods(record)
        ),
        "^response_time: breached: .*": lambda record, _found: record.has(Fact.ACKNOWLEDGED, Fact.RESOLVED),
        "^response_time: (?:running|not needed|suspended): .*": lambda record, _found: any(
            not any(map(_answers, period)) for period in _periods(record)
        ),
        "acknowledge each(?: now: the first was due|, the first) by <at>": lambda _record, _found: True,
        "acknowledge by <at>(?: ?[(,] ?<span> left\\)?)?": lambda record, found: (
            _still(record, found) and wants_answer(record, found) and (not found["span"] or _left(record, found))
        ),
        "ack by <at>": lambda record, found: _still(record, found) and wants_answer(record, found),
        "ack now \\(due <at>\\)": _passed,
        "nobody has acknowledged, due by <at>(?:, <span> ago)?": lambda record, found: (
            nobody_acknowledged(record, found) and _passed(record, found) and (not found["span"] or _ago(record, found))
        ),
        "nobody has acknowledged it within the response time of <span>,? ?\\(?due by <at>\\)?": lambda record, found: (
            nobody_acknowledged(record, found) and _limit(record, found) and _breached(record, found)
        ),
        "nobody has acknowledged it,? (?:in )?<span>(?: after (?:the opening|it came back))?": lambda record, found: (
            nobody_acknowledged(record, found) and record.lasts(found["span"], record.now)
        ),
        "the response time of <span> is breached,? ?\\(?due by <at>\\)?": lambda record, found: (
            _limit(record, found) and _breached(record, found)
        ),
        "the [^¤;]+? (?:is|was) due by <at>(?:, <span> left)?(?P<over>, and is not done)?": lambda record, found: (
            _clock(over=bool(found["over"]))(record, found)
        ),
        "the [^¤;]+? was due, and is done by now or not asked for any more": _no_clock,
        "(?:an answer was )?due by <at>(?:, <span> ago)?": lambda record, found: (
            _passed(record, found) and (not found["span"] or _ago(record, found))
        ),
        "next escalation at <at>": lambda record, found: (
            _window(Window.ESCALATE)(record, found) and wants_answer(record, found)
        ),
        "response time breached": _ever_breached,
        "your acknowledgement expires at <at>(?:, <span> left)?": _expires,
        "nobody need be reminded any more": lambda record, _found: (
            Window.ACK_EXPIRY not in record.incident.windows
            or record.incident.state is not State.ACKNOWLEDGED
            or _is_written(record)
        ),
        "your acknowledgement expires": lambda record, _found: Window.ACK_EXPIRY in record.incident.windows,
        "the (?P<what>acknowledgement|severity assessment|follow-up action) is overdue"
        "(?:: it should have come within \\w+)?": _overdue,
        "the (?P<what>acknowledgement|severity assessment|follow-up action) was not done in time"
        "(?:: it should have come within \\w+)?": _missed,
        "<in>due soon": lambda record, _found: bool(record.incident.response.duties),
        "^(?!acknowledge|response)[^:|¤]+ due: <at>(?P<late> overdue)?": lambda record, found: any(
            record.is_at(found["at"], each.due_at) and (not found["late"] or each.due_at <= record.now)
            for each in record.incident.response.duties.values()
        ),
        "<in>overdue": lambda record, _found: record.has(Fact.OVERDUE),
        "<in>escalated": lambda record, _found: record.has(Fact.ESCALATED, Fact.STEP_EMPTY, Fact.NOBODY_ON_CALL),
        # The console's countdowns.
        "^(?P<count>\\d+) deadlines? after a day$": _later,
        "^next escalation: <at>": _window(Window.ESCALATE),
        "^help is asked for again: <at>": _window(Window.HELP),
        "^response time ends: <at>": _window(Window.BREACH),
        "^response time ended: <at>(?: overdue)?": lambda record, found: (
            _due(record, found) and _ever_breached(record, found)
        ),
        "^acknowledgement expires: <at>": _expires,
        "^silenced until: <at>": _window(Window.SILENCE),
        "^resolves by itself: <at>": lambda record, found: (
            _window(Window.VERIFY)(record, found) and not record.is_firing
        ),
        "^reopens if it still fires: <at>": lambda record, found: (
            _window(Window.FORCED)(record, found) and record.incident.state is State.RESOLVED
        ),
        "^asked about what is missing: <at>": _window(Window.CLOSE),
        "^revised report goes out: <at>": _window(Window.REVISION),
        "^watched until: <at>": lambda record, found: (
            _window(Window.CLOSE)(record, found) and record.incident.state is State.RESOLVED
        ),
        "until <at> overdue$": lambda record, found: any(
            record.is_at(found["at"], each.due_at) and each.done_at is None and (each.due_at or 0) < record.now
            for each in record.incident.response.follow_ups
        ),
    },
)
