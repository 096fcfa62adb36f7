"""The timeline's sentences: what each may say, checked when its line is written."""

import re
from collections.abc import Callable, Mapping

from receiver.core.model import Entry, Fact, Kind, Notification, Reason, Recovery, State, Status, Window
from receiver.core.response import Standing
from tests.core.truth.on_call import is_on_call, is_vacant, on_call_by, told_on, wishes
from tests.core.truth.promises import is_news, is_why_void
from tests.core.truth.record import Record, UntrueError, hands, since_alarm, standing

Line = Callable[[Record, Entry, Mapping[str, str]], bool]


def check_line(sentence: str, record: Record) -> None:
    """Raises UntrueError where the last line of the record, in these words, says what is not so. The record is as the
    line's commit left it; its `notifications` are those that the commit wrote.
    """
    entry = record.entry
    pattern, holds = FACTS[entry.fact]
    said = " ".join(sentence.lower().split())
    found = re.fullmatch(pattern, said)
    if found is None or not holds(record, entry, {name: value or "" for name, value in found.groupdict().items()}):
        raise UntrueError(f"the timeline says {said!r} ({entry.fact}), and it is not so: {entry}\n{record.incident}")


def _wrote(status: Status) -> Line:
    """The commit left a message of that kind and channel at that status."""

    def holds(record: Record, entry: Entry, found: Mapping[str, str]) -> bool:
        return any(
            each.status is status
            and each.kind.value == found["kind"]
            and each.channel == found["channel"]
            and (each.detail == entry.data.get("reason") or status not in {Status.GAVE_UP, Status.WAITING})
            for each in record.notifications
        )

    return holds


def _planned(record: Record, entry: Entry, channels: str, kind: Kind = Kind.PAGE) -> bool:
    planned = {each.channel for each in record.notifications if _is_new(each, entry) and each.kind is kind}
    return set(channels.split(", ")) <= planned


def _is_new(each: Notification, entry: Entry) -> bool:
    return each.created_at == entry.at


def _owner(record: Record, _entry: Entry, found: Mapping[str, str]) -> bool:
    """That person had it until then."""
    return hands(record.entries[:-1]).owner.lower() == found["whom"]


def _silent_since(record: Record, entry: Entry, _found: Mapping[str, str]) -> bool:
    since = since_alarm(record.entries[:-1])
    due = int(entry.data["due_at"])
    return due <= entry.at and all(each.fact is not Fact.ACKNOWLEDGED for each in standing(since))


def _in_time(record: Record, entry: Entry, found: Mapping[str, str]) -> bool:
    """What an acknowledgement ticks by itself is said to be late, where the response time was breached before it."""
    alarm = since_alarm(record.entries[:-1])
    is_breached = any(each.fact is Fact.BREACHED for each in alarm)
    ticks = any(each.fact is Fact.ACKNOWLEDGED and each.at == entry.at for each in alarm)
    asks = ticks and found["what"].startswith("acknowledge ")
    return not asks or found["what"].endswith("(late, after the response time)") is is_breached


def _rule(record: Record, entry: Entry, found: Mapping[str, str]) -> bool:
    """An alert of that rule is known, and the rule is named as people name it."""
    return set(found["rule"].split(", ")) <= {_named(each.rule).lower() for each in record.alerts}


def _named(key: str) -> str:
    """Ours without its section, a twin by what it reports; another's rule whole."""
    named = re.sub(r"^[a-z][^/A-Z]*/(?=.)", "", key)
    return "missing data" if named == "signal_lost" else named


def _cleared(record: Record, entry: Entry, found: Mapping[str, str]) -> bool:
    firing = sum(record.incident.firing)
    return _rule(record, entry, found) and int(found["firing"]) == firing


def _nothing_fires(record: Record, _entry: Entry, _found: Mapping[str, str]) -> bool:
    return not record.is_firing


def _in(*recoveries: Recovery) -> Line:
    return lambda record, entry, found: _nothing_fires(record, entry, found) and record.incident.recovery in recoveries


def _again(record: Record, _entry: Entry, _found: Mapping[str, str]) -> bool:
    earlier = {each.fact for each in record.entries[:-1]}
    return record.is_firing and bool(earlier & {Fact.RECOVERED, Fact.UNREPORTED})


def _resolved(record: Record, entry: Entry, found: Mapping[str, str]) -> bool:
    forced = bool(found["forced"])
    was = record.before is not None and (record.before.is_firing or record.before.held > 0)
    return record.incident.state is State.RESOLVED and forced is was and (bool(entry.by) or not forced)


def _changed(record: Record, entry: Entry, _found: Mapping[str, str]) -> bool:
    name, value = entry.data["field"], entry.data.get("value", "")
    incident = record.incident
    return str(incident.level) == value if name == "level" else incident.facts.get(name, "") == value


def _held_until(record: Record, entry: Entry, _found: Mapping[str, str]) -> bool:
    return record.incident.held > 0 and any(each.held_until == int(entry.data["until"]) for each in record.alerts)


def _asked(record: Record, entry: Entry, found: Mapping[str, str]) -> bool:
    asked = hands(record.entries[:-1]).asked
    return {each.lower() for each in asked} == set(found["whom"].split(", "))


def _acknowledged(record: Record, entry: Entry, found: Mapping[str, str]) -> bool:
    before = hands(record.entries[:-1])
    helps = not found["helps"] or found["helps"] == before.owner.lower()
    return helps and record.incident.state is State.ACKNOWLEDGED


def _none_left(record: Record, _entry: Entry, _found: Mapping[str, str]) -> bool:
    """Every fallback of the policy with a new recipient was tried with this page; at levels 1 and 2, those that do not
    wake a person.
    """
    policy = record.policy.policy if record.policy else None
    wakes = {"pagerduty", "sms", "phone"} if record.incident.level < 3 else set[str]()
    channels = [each for each in policy.channels if each.type not in wakes] if policy else []
    pages = [each.page for each in (record.incident, record.before) if each is not None]  # a commit may begin another
    told = {(each.channel, each.recipient) for page in pages for each in page.targets}
    known = {each.name for each in channels if not told.issuperset(told_on(record, each.name))}
    return known & set(policy.fallback if policy else ()) <= {name for page in pages for name in page.told}


def _vacant(record: Record, _entry: Entry, found: Mapping[str, str]) -> bool:
    """The policy's channels name these references, and none resolves to a person who is reachable on one of them."""
    references = found["whom"].split(", ")
    on_call = {who.lower() for each in references for who in on_call_by(record, each)}
    who = set(filter(None, found["who"].split(", ")))
    vacant = all(any(is_vacant(record, name, each) for name in _naming(record, each)) for each in references)
    return vacant and (record.on_call is None or who == on_call)


def _naming(record: Record, reference: str) -> list[str]:
    channels = record.policy.policy.channels if record.policy else ()
    return [each.name for each in channels if reference in map(str.lower, each.recipients)]


def _relieved(record: Record, _entry: Entry, found: Mapping[str, str]) -> bool:
    """That person's page is dropped as they are not on call any more; those who are named are, and have one instead."""
    mine = [
        each
        for each in record.notifications
        if each.status is Status.SUPERSEDED
        and each.person.lower() == found["whom"]
        and each.channel == found["channel"]
        and not is_on_call(record, found["whom"], each.via)
    ]
    waits = {each.person.lower() for each in record.notifications if each.status is Status.WAITING}
    to = set(filter(None, found["to"].split(", ")))
    return bool(mine) and to <= waits and all(is_on_call(record, each) for each in to)


def _handed_off(record: Record, _entry: Entry, found: Mapping[str, str]) -> bool:
    """They are on call and have a page for that reason; the incident has no owner, or help is asked for."""
    paged = {each.person.lower() for each in record.notifications if each.reason is Reason.HANDOFF}
    whom = set(found["whom"].split(", "))
    by_then = hands(record.entries)
    return (not by_then.owner or by_then.waits) and whom <= paged and all(is_on_call(record, each) for each in whom)


def _carries_nothing(record: Record, entry: Entry, found: Mapping[str, str]) -> bool:
    """The commit says so of a page; where it gives "nobody on call" as the reason, that is true."""
    vacant = filter(None, found["whom"].split(", "))
    return any(each.status is Status.UNDELIVERABLE for each in record.notifications) and all(
        is_vacant(record, found["channel"], each) for each in vacant
    )


def _paged(record: Record, entry: Entry, found: Mapping[str, str]) -> bool:
    """It is planned; where a person's `reach` asks for it, they are on call, and it names such a channel."""
    is_wish = entry.data["reason"] == Reason.REACH
    if not _planned(record, entry, found["channels"]) or ("no answer yet" in found["tail"]) is not is_wish:
        return False
    wanted = [each for each in record.notifications if each.reason is Reason.REACH and _is_new(each, entry)]
    return all(wishes(record, each) and is_on_call(record, each.person) for each in wanted)


def _closed(record: Record, entry: Entry, found: Mapping[str, str]) -> bool:
    """A person did it, or the time of watching was over and nothing was missing."""
    due = record.before.windows.get(Window.CLOSE) if record.before else None
    by_itself = due is not None and due <= entry.at and not found["missing"]
    return record.incident.state is State.CLOSED and not record.is_firing and (bool(entry.by) or by_itself)


def _updated(record: Record, entry: Entry, found: Mapping[str, str]) -> bool:
    """Where it denies a change: nothing new was in the timeline since then."""
    newest = max((each.at for each in record.entries[:-1] if is_news(each)), default=record.incident.opened_at)
    return not found["at"] or (not entry.by and record.is_at(found["at"], newest))


def _notice(record: Record, entry: Entry, found: Mapping[str, str], *standings: Standing) -> bool:
    """The commit left that notice so."""
    return any(
        each.id == found["notice"] and each.group.lower() == found["group"] and each.standing in standings
        for each in record.incident.response.notices
    )


def _sent(record: Record, entry: Entry, found: Mapping[str, str]) -> bool:
    """A person approved it, and in an exercise it goes to no recipient outside."""
    sent = [each for each in record.notifications if each.kind is Kind.EXTERNAL]
    only = set(filter(None, found["to"].split(", ")))
    is_exercise = record.incident.exercise
    return (
        bool(entry.by)
        and _notice(record, entry, found, Standing.SENT)
        and bool(found["practised"]) is is_exercise
        and (is_exercise or not only or {each.recipient.lower() for each in sent} <= only)
    )


def _room(record: Record, found: Mapping[str, str]) -> bool | None:
    """Whether the incident's channel of that name is open; None: the commit left it none."""
    room = record.incident.response.room
    return room.is_open if room is not None and room.name == found["name"] else None


def _always(_record: Record, _entry: Entry, _found: Mapping[str, str]) -> bool:
    return True


def _free(pattern: str = ".*") -> tuple[str, Line]:
    """It says nothing of these subjects, or only what a person or an alert said."""
    return pattern, _always


TAIL = r"(?: \((?P<tail>.*)\))?"
DAY = r"\d{4}-\d\d-\d\d \d\d:\d\d utc"

FACTS: Mapping[Fact, tuple[str, Line]] = {
    Fact.OPENED: (r"opened at level \d by (?P<rule>[^:]+)(?:: .*)?", _rule),
    Fact.DECLARED: (rf"declared at level \d as .*{TAIL}", lambda record, entry, _: record.incident.declared),
    Fact.ALERT_JOINED: (r"another alert of (?P<rule>[^:]+)(?:: .*)?", _rule),
    Fact.RULE_JOINED: (r"a further rule fired: (?P<rule>[^:]+)(?:: .*)?", _rule),
    Fact.LEVEL_ROSE: (
        r"rose from level (?P<old>\d) to (?P<new>\d) by (?P<rule>.+)",
        lambda record, entry, found: found["old"] < found["new"] and _rule(record, entry, found),
    ),
    Fact.LEVEL_UNKNOWN: _free(),
    Fact.RECORDED: (
        r"recorded, and nobody is told \(level 0\): an alert of (?P<rule>[^:]+)(?:: .*)?",
        lambda record, entry, _: not record.notifications,
    ),
    Fact.ALERT_RECORDED: (
        r"an alert of (?P<rule>.+) was recorded, and nobody is told \(level 0\): .*",
        _rule,
    ),
    Fact.ALERT_REPAIRED: _free(r"an alert of .* could not be read as it was sent: .*"),
    Fact.ALERT_CLEARED: (r"an alert of (?P<rule>.+) cleared; still firing: (?P<firing>\d+)", _cleared),
    Fact.RECONCILED: _free(r"reconciled: .*"),
    Fact.UNREPORTED: (r"no longer reported; checking whether an alert would be", _nothing_fires),
    Fact.RECOVERED: (r"the signal recovered; verifying", lambda record, entry, _: not record.is_firing),
    Fact.FIRED_AGAIN: (r"fired again before the recovery was believed(?:: .*)?", _again),
    Fact.START_MOVED: (r"alertmanager tells another start of an alert of (?P<rule>[^:]+): .*", _rule),
    Fact.ECHO_HELD: (
        rf"an alert of (?P<rule>.+) is told again after its end: held until {DAY} as a possible echo",
        _held_until,
    ),
    Fact.ECHO_DROPPED: (
        r"an alert of (?P<rule>.+) was an echo of a slower alertmanager: its end was told again",
        _rule,
    ),
    Fact.ECHO_BELIEVED: (
        r"an alert that was held as a possible echo fires: .*",
        lambda record, entry, _: record.is_firing,
    ),
    Fact.END_HELD: (
        rf"the known end of an alert of (?P<rule>.+) is told again: it counts at {DAY} unless it fires on",
        _held_until,
    ),
    Fact.END_DROPPED: (r"an alert of (?P<rule>.+) fires on: the end that was told again is an old one", _rule),
    Fact.FLASHED: (rf"an alert of (?P<rule>.+) fired at {DAY} and cleared at {DAY}, between two notifications", _rule),
    Fact.FLAPPING: (rf"alerts of (?P<rule>.+) flap: \d+ times since {DAY}", _rule),
    Fact.FLAPPED: (rf"fired again: \d+ times since {DAY}", lambda record, entry, _: record.is_firing),
    Fact.FLAPPING_ENDED: (
        rf"flaps no more, after \d+ times since {DAY}; firing: (?P<firing>\d+)",
        lambda record, entry, found: int(found["firing"]) == sum(record.incident.firing),
    ),
    Fact.CHECKED: _free(r"prometheus was asked: .*"),
    Fact.EVIDENCE: _free(r"evidence kept: .*"),
    Fact.EVIDENCE_MISSING: _free(r"no evidence could be had from prometheus .*"),
    Fact.RECOVERY_CONFIRM: (r"the recovery holds; a person must confirm it", _in(Recovery.CONFIRM)),
    Fact.RECOVERY_UNVERIFIED: (
        r"the recovery cannot be verified.*; a person must resolve it",
        _in(Recovery.UNVERIFIED),
    ),
    Fact.PAGED: (
        rf"paged on (?P<channels>[\w, ]+?){TAIL}",
        _paged,
    ),
    Fact.STEP_EMPTY: (
        r"step (?P<step>\d+) could tell nobody; the next is taken at once",
        lambda record, entry, _: record.incident.step >= 0,
    ),
    Fact.ESCALATED: (
        rf"escalated to step (?P<step>\d+){TAIL}",
        lambda record, entry, found: (
            bool(entry.by)
            or (record.before is not None and record.before.windows.get(Window.ESCALATE, entry.at) <= entry.at)
        ),
    ),
    Fact.BREACHED: (r"the response time is breached: no answer in time", _silent_since),
    Fact.WINDOW_MISSED: (r"steps missed while tocsin was away: [1-9]\d*", _always),
    Fact.FALLBACK: (
        r"fallback: (?P<channel>.+) is told",
        lambda record, entry, found: _planned(record, entry, found["channel"]),
    ),
    Fact.FALLBACK_EXHAUSTED: (
        r"no fallback channel is left to tell",
        _none_left,
    ),
    Fact.UNDELIVERABLE: (
        r"(?P<channel>.+) can carry nothing: (?:nobody who can be told there is on call \((?P<whom>.*)\)|.*)",
        _carries_nothing,
    ),
    Fact.ACCEPTED: (r"(?P<kind>\w+) to \S+ accepted by (?P<channel>\S+)", _wrote(Status.ACCEPTED)),
    Fact.DELIVERED: (
        r"(?P<kind>\w+) to \S+ delivered by (?P<channel>[^\s:]+): .+",
        _wrote(Status.DELIVERED),
    ),
    Fact.DELIVERED_LATE: (
        r"(?P<kind>\w+) to \S+, which was given up, was delivered by (?P<channel>[^\s:]+): .+",
        _wrote(Status.DELIVERED),
    ),
    Fact.SEND_FAILED: (
        r"(?P<kind>\w+) on (?P<channel>\S+) to \S+ failed, trying again: .*",
        _wrote(Status.WAITING),
    ),
    Fact.GAVE_UP: (r"(?P<kind>\w+) on (?P<channel>\S+) to \S+ given up: .*", _wrote(Status.GAVE_UP)),
    Fact.SUPERSEDED: (r"(?P<kind>\w+) on (?P<channel>\S+) to \S+ dropped: overtaken", _wrote(Status.SUPERSEDED)),
    Fact.ACKNOWLEDGED: (
        rf"acknowledged(?:, and took over from (?P<over>[^,(]+?))?(?:, and helps (?P<helps>[^,(]+?))?{TAIL}",
        _acknowledged,
    ),
    Fact.ACK_VOIDED: (r"new danger voids the acknowledgement of (?P<whom>[^:(]+?)(?::.*| \(.*)?", _owner),
    Fact.ACK_EXPIRED: (r"the acknowledgement of (?P<whom>.+) expired", _owner),
    Fact.ACK_UNDONE: (
        r"took that back(?:, and helps no more (?P<helps>[^:]+))?: everything is as it was",
        lambda record, entry, found: any(
            each.by == entry.by and each.data.get("helps", "") == (found["helps"] or "")
            for each in record.entries
            if each.fact is Fact.ACKNOWLEDGED
        ),
    ),
    Fact.GIVEN_BACK: (
        rf"gave it back(?: for (?P<whom>[^:]+))?: nobody has it{TAIL}",
        lambda record, entry, found: hands(record.entries[:-1]).owner.lower() == (found["whom"] or entry.by.lower()),
    ),
    Fact.HELP_ASKED: (
        rf"asked for help(?:, in doubt of (?P<whom>[^:]+))?: step \d+{TAIL}",
        lambda record, entry, found: hands(record.entries[:-1]).owner.lower() == (found["whom"] or entry.by.lower()),
    ),
    Fact.HELP_UNANSWERED: (r"no other answer to the call for help of (?P<whom>.+): step \d+", _asked),
    Fact.HELP_WITHDRAWN: _free(rf"asks for help no more{TAIL}"),
    Fact.REMINDED: (
        r"(?P<whom>.+?) (?:is|are) reminded(?: of .*)?",
        lambda record, entry, found: bool(entry.data.get("what")) or _owner(record, entry, found),
    ),
    Fact.TRAINING: (
        r"whose training is due soon, or overdue: (?P<people>.+)",
        lambda record, entry, found: (
            set(found["people"].lower().split(", "))
            == {each.person.lower() for each in record.incident.response.training}
        ),
    ),
    Fact.CONFIRMED: (
        rf"recovery confirmed by (?P<have>\d+) of (?P<need>\d+){TAIL}",
        lambda record, entry, found: int(found["have"]) == len(record.incident.confirmed_by),
    ),
    Fact.RESOLVED: (r"resolved(?: \((?P<forced>although alerts still fire)?(?:; )?(?P<note>.*)\))?", _resolved),
    Fact.REOPENED: (rf"reopened(?:: .*?)?{TAIL}", lambda record, entry, _: record.incident.state is State.OPEN),
    Fact.CLOSED: (
        r"closed: the monitoring is over, and nothing is missing|closed by hand(?:, although (?P<missing>.*?))?(?: \(.*\))?",
        _closed,
    ),
    Fact.NOBODY_ON_CALL: (
        r"nobody is on call for (?P<whom>[^;]+?)(?P<can> who can be told; without a contact there: (?P<who>.+))?",
        _vacant,
    ),
    Fact.RELIEVED: (
        (
            r"the page to (?P<whom>.+) on (?P<channel>\S+) had not been accepted, and is not theirs any more"
            r"(?:; it goes to (?P<to>.+))?"
        ),
        _relieved,
    ),
    Fact.HANDED_OFF: (
        r"on call now, and paged as nobody has answered: (?P<whom>.+)",
        _handed_off,
    ),
    Fact.KEPT_OPEN: (r"not closed yet: .+", lambda record, entry, _: record.incident.state is State.RESOLVED),
    Fact.SIGNED_OFF: _free(r"signed off.*"),
    Fact.SIGN_OFF_VOID: _free(r"what .* signed off has changed since: it must be signed off again"),
    Fact.REPORT_REVISED: _free(r"revision \d+ of the report goes to whoever got the first; changed: .*"),
    Fact.UNGRADED: _free(r".*; it raises no level"),
    Fact.NOTED: _free(),
    Fact.UPDATED: (rf"status update(?:, no change since (?P<at>{DAY}))?(?:: .*)?", _updated),
    Fact.CHANGED: (r".+ is now.*", _changed),
    Fact.REPLANNED: _free(r"moved to the current policy"),
    Fact.STALE: (
        rf"its alerts have not been repeated since {DAY}: they may be over, or the way to here is cut",
        lambda record, entry, _: record.incident.stale_since == entry.at,
    ),
    Fact.HEARD_AGAIN: (
        r"its alerts are repeated again",
        lambda record, entry, _: record.incident.stale_since is None,
    ),
    Fact.SILENCED: (
        rf"silenced in alertmanager until {DAY} by .*",
        lambda record, entry, _: record.incident.silenced_until == int(entry.data["until"]),
    ),
    Fact.SILENCE_ENDED: (
        r"no longer counts as silenced or inhibited",
        lambda record, entry, _: record.incident.silenced_until is None,
    ),
    Fact.INHIBITED: (r"inhibited in alertmanager: .*", lambda record, entry, _: record.incident.inhibited),
    Fact.SILENCE_MADE: _free(rf"alertmanager silences it until {DAY}, as long as the acknowledgement holds"),
    Fact.SILENCE_FAILED: _free(r"no silence for the acknowledgement: .*"),
    Fact.PROCEDURE_ATTACHED: _free(r"checklists attached: .*"),
    Fact.STEP_DONE: (r"done: (?P<what>.*)", _in_time),
    Fact.STEP_UNDONE: _free(r"not done after all: .*"),
    Fact.OBLIGATION_APPLIES: (
        rf".+ must be told \(.+\): .+ until {DAY}(?P<practised> \(an exercise: nothing is filed\))?",
        lambda record, entry, found: (
            record.incident.response.obligations[entry.data["obligation"]].applies
            and bool(found["practised"]) is record.incident.exercise
        ),
    ),
    Fact.OBLIGATION_JUDGED: (r"the reporting obligation .*", lambda record, entry, _: bool(entry.by)),
    Fact.REPORT_FILED: (r".+ of .+ filed with .+ at .+: .*", lambda record, entry, _: bool(entry.by)),
    Fact.FILING_WITHDRAWN: (
        r"not filed after all: .+ of .+, .+ \(.+\)",
        lambda record, entry, _: any(
            (f"r{number}", entry.by, entry.at) == (entry.data["filing"], each.withdrawn_by, each.withdrawn_at)
            for number, each in enumerate(record.incident.response.filings, 1)
        ),
    ),
    Fact.FILE_ATTACHED: (
        r"evidence e\d+ attached: .+, \d+ bytes, sha-256 [0-9a-f]{64}.*",
        lambda record, entry, _: any(
            (each.id, each.sha256) == (entry.data["file"], entry.data["sha256"])
            for each in record.incident.response.files
        ),
    ),
    Fact.FILE_REDACTED: (
        r"the content of evidence e\d+ \(.+\) removed; its record stays, sha-256 [0-9a-f]{64} \(.+\)",
        lambda record, entry, _: any(
            each.id == entry.data["file"] and each.redacted_by == entry.by for each in record.incident.response.files
        ),
    ),
    Fact.HOLD_PLACED: (
        r"legal hold h\d+ placed: nothing of the incident is deleted \(.+\)",
        lambda record, entry, _: any(each.id == entry.data["hold"] for each in record.incident.response.holds),
    ),
    Fact.HOLD_RELEASED: (r"legal hold h\d+ released \(.+\)", lambda record, entry, _: bool(entry.by)),
    Fact.OVERDUE: (
        r"the (?P<what>.+?) is overdue.*",
        lambda record, entry, found: (
            found["what"] != "acknowledgement"
            or (record.incident.state is State.OPEN and not hands(record.entries).owner)
        ),
    ),
    Fact.IMPACT: _free(r".* is \w+(?: by|:) .*"),
    Fact.NOTICE_HELD: (
        r"notice (?P<notice>\w+) to (?P<group>\w+) is held: a person must approve it",
        lambda record, entry, found: _notice(record, entry, found, Standing.HELD, Standing.VOID),
    ),
    Fact.NOTICE_VOID: (
        r"notice (?P<notice>\w+) to (?P<group>\w+) is void: (?P<why>.+)",
        lambda record, entry, found: _notice(record, entry, found, Standing.VOID) and is_why_void(record, entry, found),
    ),
    Fact.NOTICE_EDITED: (
        r"notice (?P<notice>\w+) to (?P<group>\w+) edited; it waits for approval.*",
        lambda record, entry, found: _notice(record, entry, found, Standing.HELD),
    ),
    Fact.NOTICE_SENT: (
        (
            r"notice (?P<notice>\w+) to (?P<group>\w+) approved and sent(?:, only to (?P<to>[^:]+?))?"
            r"(?P<practised> to whoever approves it, as this is an exercise)?: .*"
        ),
        _sent,
    ),
    Fact.NOTICE_REJECTED: (
        r"notice (?P<notice>\w+) to (?P<group>\w+) rejected.*",
        lambda record, entry, found: bool(entry.by) and _notice(record, entry, found, Standing.REJECTED),
    ),
    Fact.CALLS_NEEDED: _free(r"to be called by hand: .*"),
    Fact.FOLLOW_UP_ADDED: _free(r"follow-up action \w+: .*"),
    Fact.FOLLOW_UP_DONE: (
        r"follow-up action (?P<which>\w+) done: .*",
        lambda record, entry, found: any(
            each.id == found["which"] and each.done_at is not None for each in record.incident.response.follow_ups
        ),
    ),
    Fact.ROOM_ASKED: (
        r"asked for the channel #(?P<name>\S+?)(?:; to be invited: .*?)?(?:; without an address there: .*)?",
        lambda record, entry, found: bool(entry.by) and _room(record, found) is False,
    ),
    Fact.ROOM_OPENED: (
        r"the channel #(?P<name>\S+?) is open(?:; not done: .*)?(?: \(https://\S+\))?",
        lambda record, entry, found: _room(record, found) is True,
    ),
    Fact.ROOM_ARCHIVED: (
        r"the channel #(?P<name>\S+) is archived",
        lambda record, entry, found: _room(record, found) is True and record.incident.state is State.CLOSED,
    ),
    Fact.REPORT_APPROVED: _free(r"version \d+ of the report approved: .*"),
    Fact.HANDED_OVER: (
        rf"handed over to (?P<to>[^(]+?){TAIL}",
        lambda record, entry, found: hands(record.entries).owner.lower() == found["to"],
    ),
    Fact.ROLE_TAKEN: _free(r".* is .* now.*"),
    Fact.ROLE_LEFT: _free(r".* is .* no longer.*"),
}
"""What a fact's sentence is, and whether it is so. Each fact has its row: a new one says what proves it."""
