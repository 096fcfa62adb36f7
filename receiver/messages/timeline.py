"""A timeline entry as a sentence, for the API, the command line, pages, reports and the demo."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from receiver.core.closing import is_or_are
from receiver.core.model import Entry, Fact, Instant, Reason
from receiver.messages.plain import line
from receiver.messages.reasons import LABELS, rule_names
from receiver.messages.times import stamp
from rules.channel_types import as_shown

SENTENCES: Mapping[Fact, str] = MappingProxyType(
    {
        Fact.OPENED: "opened at level {level} by {rule}: {summary}",
        Fact.DECLARED: "declared at level {level} as {type}",
        Fact.ALERT_JOINED: "another alert of {rule}: {summary}",
        Fact.RULE_JOINED: "a further rule fired: {rule}: {summary}",
        Fact.LEVEL_ROSE: "rose from level {before} to {level} by {rule}",
        Fact.LEVEL_UNKNOWN: "{note}",
        Fact.RECORDED: "recorded, and nobody is told (level 0): an alert of {rule}: {summary}",
        Fact.ALERT_RECORDED: "an alert of {rule} was recorded, and nobody is told (level 0): {said}",
        Fact.ALERT_REPAIRED: "an alert of {rule} could not be read as it was sent: {repairs}",
        Fact.ALERT_CLEARED: "an alert of {rule} cleared; still firing: {firing}",
        Fact.RECONCILED: "reconciled: {found} ({rule})",
        Fact.UNREPORTED: "no longer reported; checking whether an alert would be",
        Fact.RECOVERED: "the signal recovered; verifying",
        Fact.FIRED_AGAIN: "fired again before the recovery was believed: {summary}",
        Fact.START_MOVED: "Alertmanager tells another start of an alert of {rule}: {began}",
        Fact.ECHO_HELD: "an alert of {rule} is told again after its end: held until {until} as a possible echo",
        Fact.ECHO_DROPPED: "an alert of {rule} was an echo of a slower Alertmanager: its end was told again",
        Fact.ECHO_BELIEVED: "an alert that was held as a possible echo fires: {why}",
        Fact.END_HELD: "the known end of an alert of {rule} is told again: it counts at {until} unless it fires on",
        Fact.END_DROPPED: "an alert of {rule} fires on: the end that was told again is an old one",
        Fact.FLASHED: "an alert of {rule} fired at {began} and cleared at {ended}, between two notifications",
        Fact.FLAPPING: "alerts of {rule} flap: {times} times since {since}",
        Fact.FLAPPED: "fired again: {times} times since {since}",
        Fact.FLAPPING_ENDED: "flaps no more, after {times} times since {since}; firing: {firing}",
        Fact.CHECKED: "Prometheus was asked: {detail}",
        Fact.EVIDENCE: "evidence kept: {query}",
        Fact.EVIDENCE_MISSING: "no evidence could be had from Prometheus ({inquiry}) {detail}",
        Fact.RECOVERY_CONFIRM: "the recovery holds; a person must confirm it",
        Fact.RECOVERY_UNVERIFIED: "the recovery cannot be verified{absent}; a person must resolve it",
        Fact.PAGED: "paged on {channels}",
        Fact.STEP_EMPTY: "step {step} could tell nobody; the next is taken at once",
        Fact.NOBODY_ON_CALL: "nobody is on call for {whom}{unreachable_there}",
        Fact.RELIEVED: "the page to {whom} on {channel} had not been accepted, and is not theirs any more{by_whom}",
        Fact.HANDED_OFF: "on call now, and paged as nobody has answered: {whom}",
        Fact.ESCALATED: "escalated to step {step}",
        Fact.BREACHED: "the response time is breached: no answer in time",
        Fact.WINDOW_MISSED: "steps missed while Tocsin was away: {steps}",
        Fact.FALLBACK: "fallback: {channel} is told",
        Fact.FALLBACK_EXHAUSTED: "no fallback channel is left to tell",
        Fact.UNDELIVERABLE: "{channel} can carry nothing: {why}",
        Fact.ACCEPTED: "{kind} to {recipient} accepted by {channel}",
        Fact.DELIVERED: "{kind} to {recipient} delivered by {channel}: {receipt}",
        Fact.DELIVERED_LATE: "{kind} to {recipient}, which was given up, was delivered by {channel}: {receipt}",
        Fact.SEND_FAILED: "{kind} on {channel} to {recipient} failed, trying again: {reason}",
        Fact.GAVE_UP: "{kind} on {channel} to {recipient} given up: {reason}",
        Fact.SUPERSEDED: "{kind} on {channel} to {recipient} dropped: overtaken",
        Fact.ACKNOWLEDGED: "acknowledged{taken_over}{answers}",
        Fact.ACK_VOIDED: "new danger voids the acknowledgement of {whom}: {summary}",
        Fact.ACK_EXPIRED: "the acknowledgement of {whom} expired",
        Fact.ACK_UNDONE: "took that back{for_helped}: everything is as it was",
        Fact.GIVEN_BACK: "gave it back{for_whom}: nobody has it",
        Fact.HELP_ASKED: "asked for help{doubts}: step {step}",
        Fact.HELP_UNANSWERED: "no other answer to the call for help of {whom}: step {step}",
        Fact.HELP_WITHDRAWN: "asks for help no more",
        Fact.TRAINING: "whose training is due soon, or overdue: {people}",
        Fact.REMINDED: "{whom} {is_or_are} reminded{of_what}",
        Fact.CONFIRMED: "recovery confirmed by {have} of {need}",
        Fact.RESOLVED: "resolved",
        Fact.REOPENED: "reopened: {summary}",
        Fact.CLOSED: "closed: the monitoring is over, and nothing is missing",
        Fact.KEPT_OPEN: "not closed yet: {missing}",
        Fact.SIGNED_OFF: "signed off",
        Fact.SIGN_OFF_VOID: "what {whom} signed off has changed since: it must be signed off again",
        Fact.REPORT_REVISED: "revision {number} of the report goes to whoever got the first; changed: {changed}",
        Fact.NOTED: "{text}",
        Fact.UPDATED: "status update{unchanged}{words}",
        Fact.CHANGED: "{field} is now {value}",
        Fact.REPLANNED: "moved to the current policy",
        Fact.SILENCED: "silenced in Alertmanager until {until} by {whom}",
        Fact.STALE: "its alerts have not been repeated since {since}: they may be over, or the way to here is cut",
        Fact.HEARD_AGAIN: "its alerts are repeated again",
        Fact.SILENCE_ENDED: "no longer counts as silenced or inhibited",
        Fact.INHIBITED: "inhibited in Alertmanager: {whom}",
        Fact.SILENCE_MADE: "Alertmanager silences it until {until}, as long as the acknowledgement holds",
        Fact.SILENCE_FAILED: "no silence for the acknowledgement: {why}",
        Fact.PROCEDURE_ATTACHED: "checklists attached: {procedures}",
        Fact.STEP_DONE: "done: {text}",
        Fact.OVERDUE: "the {what} {is_or_are} overdue {limit}",
        Fact.IMPACT: "{scale} is {grade} by {said}: {means}",
        Fact.UNGRADED: "{why}; it raises no level",
        Fact.NOTICE_HELD: "notice {notice} to {group} is held: a person must approve it",
        Fact.NOTICE_VOID: "notice {notice} to {group} is void: {why}",
        Fact.NOTICE_EDITED: "notice {notice} to {group} edited; it waits for approval",
        Fact.NOTICE_SENT: "notice {notice} to {group} approved and sent{only_to}{practised}: {subject}",
        Fact.NOTICE_REJECTED: "notice {notice} to {group} rejected",
        Fact.CALLS_NEEDED: "to be called by hand: {calls}",
        Fact.FOLLOW_UP_ADDED: "follow-up action {follow_up}: {text}",
        Fact.FOLLOW_UP_DONE: "follow-up action {follow_up} done: {text}{brought}",
        Fact.OBLIGATION_APPLIES: "{authority} must be told ({obligation}): {stage} until {until}{practised}",
        Fact.OBLIGATION_JUDGED: "the reporting obligation {obligation} {verdict}{counted}",
        Fact.FILE_ATTACHED: "evidence {file} attached: {name}, {size} bytes, SHA-256 {sha256}",
        Fact.FILE_REDACTED: "the content of evidence {file} ({name}) removed; its record stays, SHA-256 {sha256}",
        Fact.HOLD_PLACED: "legal hold {hold} placed: nothing of the incident is deleted",
        Fact.HOLD_RELEASED: "legal hold {hold} released",
        Fact.ROOM_ASKED: "asked for the channel #{name}{invites}{unaddressed}",
        Fact.ROOM_OPENED: "the channel #{name} is open{unmet_there}",
        Fact.ROOM_ARCHIVED: "the channel #{name} is archived",
        Fact.REPORT_FILED: (
            "{stage} of {obligation} filed with {authority} at {filed}: {reference}{with_file}{practised}"
        ),
        Fact.FILING_WITHDRAWN: "not filed after all: {stage} of {obligation}, {reference}{practised}",
        Fact.REPORT_APPROVED: "version {version} of the report approved: SHA-256 {sha256}",
        Fact.HANDED_OVER: "handed over to {to}",
        Fact.ROLE_TAKEN: "{to} is {role} now",
        Fact.ROLE_LEFT: "{whom} is {role} no longer",
        Fact.STEP_UNDONE: "not done after all: {text}",
    }
)


ASIDES = (
    ("taken_over", "taken_over_from", ", and took over from "),
    ("answers", "helps", ", and helps "),
    ("doubts", "whom", ", in doubt of "),
    ("for_whom", "whom", " for "),
    ("for_helped", "helps", ", and helps no more "),
    ("although", "missing", ", although "),
    ("by_whom", "by_whom", "; it goes to "),
    ("unreachable_there", "unreachable", " who can be told; without a contact there: "),
    ("only_to", "to", ", only to "),
    ("practised", "practised", " "),
    ("unchanged", "unchanged_since", ", no change since "),
    ("words", "text", ": "),
    ("of_what", "what", " of the "),
    ("with_file", "sha256", ", SHA-256 of the file "),
    ("brought", "policy", "; it brought policy version "),
    ("invites", "people", "; to be invited: "),
    ("unaddressed", "without", "; without an address there: "),
    ("unmet_there", "unmet", "; not done: "),
    ("counted", "counted_from", ", counted from "),
)
"""Optional parts of a sentence: placeholder, name in the entry's data, and the words before the value."""

LONGEST = 1000
"""Maximum characters of a sentence: the list of what is missing before closing, and a file's SHA-256, fit."""

INSTANTS = ("since", "until", "began", "ended", "unchanged_since", "filed", "counted_from")
"""Names in an entry's data whose values are instants."""


def readable(entry: Entry) -> Mapping[str, str]:
    """Returns the data with the recipient masked: entries of older versions have a webhook's whole URL, and whole
    numbers.
    """
    recipient = entry.data.get("recipient", "")
    is_whole = "://" in recipient or recipient.startswith("+")
    return {**entry.data, "recipient": as_shown(recipient, None)} if is_whole else entry.data


def sentence(entry: Entry, told: Callable[[Instant], str] = stamp) -> str:
    """Returns the event in one line, without actor and time. `told`: formats further instants."""
    said = _told_by(entry).format_map(_Known(readable(entry), told)).strip(" :")
    note = entry.data.get("note", "") if entry.fact is not Fact.LEVEL_UNKNOWN else ""
    note = note or (entry.data.get("reason", "") if entry.fact is Fact.CHANGED else "")
    why = LABELS[Reason(entry.data["reason"])] if entry.fact in {Fact.PAGED, Fact.REOPENED} else ""
    forced = "although alerts still fire" if entry.data.get("forced") else ""
    tail = "; ".join(part for part in (why.lower(), forced, note, entry.data.get("link", ""), _least(entry)) if part)
    return line(f"{said} ({tail})" if tail else said, LONGEST)


def _told_by(entry: Entry) -> str:
    """Returns the sentence's template. Older versions recorded accepted as delivered: they had no receipts."""
    is_unproved = entry.fact is Fact.DELIVERED and not entry.data.get("receipt")
    if entry.fact is Fact.CLOSED and entry.by:
        return "closed by hand{although}"
    if entry.fact is Fact.IMPACT and entry.data.get("said", "").lower() == entry.data.get("means", "").lower():
        return "{scale} is {grade}: {means}"
    return SENTENCES[Fact.ACCEPTED if is_unproved else entry.fact]


def _least(entry: Entry) -> str:
    level = entry.data.get("level", "") if entry.fact is Fact.IMPACT else ""
    return f"calls for level {level} at least" if level else ""


class _Known(dict[str, str]):
    """Values of an entry; missing ones become empty. The formats are Tocsin's own, only the values
    come from outside.
    """

    def __init__(self, data: Mapping[str, str], told: Callable[[Instant], str]) -> None:
        super().__init__(data)
        self["value"] = "; ".join(data.get("value", "").splitlines())
        several = ", " in data.get("whom", "")
        self["is_or_are"] = ("are" if several else "is") if "whom" in data else is_or_are(data.get("what", ""))
        self["rule"] = rule_names(data.get("rule", ""), LONGEST)
        self.update((name, told(Instant(int(data[name])))) for name in INSTANTS if data.get(name))
        self.update((place, f"{words}{self[name]}") for place, name, words in ASIDES if data.get(name))

    def __missing__(self, key: str) -> str:
        return ""
