"""What was promised: updates on the clock, and that nothing goes outside without an approval."""

from receiver.core.model import Entry, Fact, Kind, State, Window
from receiver.core.response import Notice, Standing
from tests.core.truth.record import Found, Holds, Record, hands, statements

TELLS_NOTHING_NEW = frozenset(
    {
        Fact.ACCEPTED,
        Fact.DELIVERED,
        Fact.DELIVERED_LATE,
        Fact.SEND_FAILED,
        Fact.GAVE_UP,
        Fact.SUPERSEDED,
        Fact.UNDELIVERABLE,
        Fact.FALLBACK,
        Fact.FALLBACK_EXHAUSTED,
        Fact.PAGED,
        Fact.STEP_EMPTY,
        Fact.NOBODY_ON_CALL,
        Fact.RELIEVED,
        Fact.WINDOW_MISSED,
        Fact.REMINDED,
        Fact.PROCEDURE_ATTACHED,
        Fact.EVIDENCE,
        Fact.EVIDENCE_MISSING,
        Fact.ALERT_RECORDED,
        Fact.ALERT_REPAIRED,
        Fact.LEVEL_UNKNOWN,
        Fact.START_MOVED,
        Fact.ECHO_HELD,
        Fact.ECHO_DROPPED,
        Fact.END_HELD,
        Fact.END_DROPPED,
        Fact.CALLS_NEEDED,
        Fact.NOTICE_HELD,
        Fact.NOTICE_EDITED,
        Fact.NOTICE_SENT,
        Fact.NOTICE_REJECTED,
        Fact.NOTICE_VOID,
        Fact.REPORT_APPROVED,
    }
)
"""Bookkeeping: every other line, those of facts yet to come included, changes how an incident stands."""


def is_news(entry: Entry) -> bool:
    """Whether the line says something new; that Tocsin itself told how it stands does not."""
    return entry.fact not in TELLS_NOTHING_NEW and (entry.fact is not Fact.UPDATED or bool(entry.by))


def _unchanged(record: Record, found: Found) -> bool:
    """Nothing new is in the timeline since then."""
    newest = max((each.at for each in record.entries if is_news(each)), default=record.incident.opened_at)
    return record.is_at(found["at"], newest)


def _next_update(record: Record, found: Found) -> bool:
    """The clock runs, and its next update is due then; or a text that waits for approval says so."""
    due = record.incident.windows.get(Window.UPDATE)
    held = (each.next_at for each in record.incident.response.notices if each.standing is Standing.HELD)
    return (
        record.incident.is_live and due is not None and due >= record.now and record.is_at(found["at"], due)
    ) or any(record.is_at(found["at"], each) for each in held)


def notice(record: Record, found: Found) -> Notice | None:
    """The notice to that group."""
    known = (each for each in record.incident.response.notices if each.id == found["notice"])
    return next((each for each in known if each.group.replace("_", " ").lower() == found["group"]), None)


def _waits(record: Record, found: Found) -> bool:
    """No person has decided on it, and nothing of it went out."""
    it = notice(record, found)
    is_out = any(
        each.kind is Kind.EXTERNAL and each.data.get("notice") == found["notice"] for each in record.notifications
    )
    in_time = it is not None and (not found["at"] or record.is_at(found["at"], it.due_at))
    practised = found["when"] != "before that"
    is_so = in_time and not is_out and practised is record.incident.exercise
    return it is not None and it.standing is Standing.HELD and is_so


def _became(standing: str) -> Holds:
    def holds(record: Record, found: Found) -> bool:
        it = notice(record, found)
        return it is not None and it.standing == (standing or found["became"])

    return holds


def _is_void(record: Record, found: Found) -> bool:
    """It is, for the reason that the timeline gives; that is checked when its line is written. A short text cuts it."""
    given = [each.data.get("why", "") for each in record.find(Fact.NOTICE_VOID, notice=found["notice"])]
    return _became("void")(record, found) and any(why.startswith(found["why"].strip(" .")) for why in given)


def _any(standing: Standing) -> Holds:
    return lambda record, _found: any(each.standing is standing for each in record.incident.response.notices)


def _can_approve(record: Record, found: Found) -> bool:
    """Each command names a notice of this incident that waits."""
    held = {each.id for each in record.incident.response.notices if each.standing is Standing.HELD}
    named = {each.rpartition(" ") for each in found["how"].split(" and ")}
    return all(it in held and said == f"tocsin approve {record.incident.number}" for said, _, it in named)


def is_why_void(record: Record, entry: Entry, found: Found) -> bool:
    """Whether a notice is void for that reason, when the timeline says so."""
    incident, why = record.incident, found["why"]
    match why:
        case "nobody has the incident any more":
            return not hands(record.entries).owner and incident.state is State.OPEN
        case "the incident was resolved before anybody approved it":
            return not incident.is_live
        case "the incident is open again":
            return incident.is_live and any(each.fact is Fact.REOPENED for each in record.entries)
        case "the next update takes its place":
            return any(each.held_at == entry.at for each in incident.response.notices)
        case "another notice tells how it stands":
            others = (each for each in incident.response.notices if each.id != found["notice"])
            return any(each.standing is Standing.HELD for each in others)
        case _ if why.startswith("the level is "):
            return str(incident.level) == why.removeprefix("the level is ")[0]
        case _:
            return why == f"the incident is {incident.state} by now"


STATEMENTS = statements(
    "promises",
    {
        "the notice <notice> to (?P<group>[\\w ]+?) waits for approval(?:, best by <at>)?: nobody outside is told (?P<when>before that|of an exercise, approved or not)": _waits,
        "the notice <notice> to (?P<group>[\\w ]+?) is (?P<became>held|sent|rejected|void) by now": _became(""),
        "the notice <notice> to (?P<group>[\\w ]+?) is void: (?P<why>[^¤]+)$": _is_void,
        "^external notices\\| <notice> \\| (?P<group>[^|]+?) \\| [^|]+ \\| (?P<became>held|sent|rejected|void)(?:: [^|]+)? \\|.*$": (
            lambda record, found: any(
                each.standing == found["became"] and (each.id, each.group.lower()) == (found["notice"], found["group"])
                for each in record.incident.response.notices
            )
        ),
        "^external notices\\| <notice> \\| (?P<group>[^|]+?) \\| [^|]+ \\| practised: sent to its approvers \\|.*$": lambda record, found: (
            record.incident.exercise
            and any(
                each.standing is Standing.SENT and (each.id, each.group.lower()) == (found["notice"], found["group"])
                for each in record.incident.response.notices
            )
        ),
        "^for approvers: (?P<how>\\S.*)$": _can_approve,
        "^for approvers$": _any(Standing.HELD),
        "<in>(?:still )?waits for approval": _any(Standing.HELD),
        "<in>notice void": _any(Standing.VOID),
        "^next status update: <at>": lambda record, found: record.is_at(
            found["at"], record.incident.windows.get(Window.UPDATE)
        ),
        "the next status update is due at <at>": _next_update,
        "status update by <by>": lambda record, found: record.has(Fact.UPDATED, by=found["by"]),
        "status update": lambda record, _found: record.has(Fact.UPDATED),
        "no change since <at>": _unchanged,
        "next update:? by <at>": _next_update,
        "write it, else tocsin tells everybody how it stands then": lambda record, _found: (
            Window.UPDATE in record.incident.windows
        ),
        "<in>update due": lambda record, _found: Window.UPDATE in record.incident.windows,
    },
)
