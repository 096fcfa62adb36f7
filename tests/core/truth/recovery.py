"""What fires now, with which value, what recovered, whether that is proved, and whether it is over."""

import re
from collections.abc import Mapping

from receiver.core.model import SYSTEMS, Alert, Fact, Recovery, State, Window
from receiver.messages import Message
from tests.core.truth.record import Found, Holds, Record, UntrueError, statements

LOOKS_WELL = frozenset({Recovery.VERIFYING, Recovery.CHECKING, Recovery.CONFIRM, Recovery.UNVERIFIED})
AGAIN = (Fact.FIRED_AGAIN, Fact.FLAPPED, Fact.FLAPPING, Fact.ALERT_JOINED, Fact.RULE_JOINED, Fact.LEVEL_ROSE)

KEPT = (Fact.RESOLVED, Fact.REOPENED, Fact.CLOSED, Fact.KEPT_OPEN)
WORSE = (Fact.LEVEL_ROSE, Fact.CHANGED, Fact.RULE_JOINED, Fact.ACK_VOIDED, Fact.ALERT_JOINED, Fact.IMPACT)


def fires(record: Record, _found: Found) -> bool:
    """Something fires."""
    return record.is_firing


def nothing_fires(record: Record, _found: Found) -> bool:
    """Nothing does."""
    return not record.is_firing


def looks_well(record: Record, _found: Found) -> bool:
    """It cleared, and its heartbeat shows that it would be told if it had not; or it is over."""
    return (not record.is_firing and record.incident.recovery in LOOKS_WELL) or record.is_over


def is_in(*recoveries: Recovery) -> Holds:
    """So much is known of its recovery, and nothing fires."""
    return lambda record, found: record.incident.recovery in recoveries and nothing_fires(record, found)


def _verifying(record: Record, found: Found) -> bool:
    until = record.incident.windows.get(Window.VERIFY)
    is_told = not found["at"] or record.is_at(found["at"], until)
    return record.incident.recovery is Recovery.VERIFYING and nothing_fires(record, found) and is_told


def is_resolved(record: Record, found: Found) -> bool:
    """It is over, by that person, since then."""
    by, at = found.get("by", ""), found.get("at", "")
    who = not by or record.incident.resolved_by.lower() == by
    return record.is_over and who and (not at or record.is_at(at, record.incident.resolved_at))


def _resolved_after(record: Record, found: Found) -> bool:
    return is_resolved(record, found) and record.lasts(found["span"], record.incident.resolved_at)


def was_resolved(record: Record, found: Found) -> bool:
    """A person resolved it, once."""
    return record.has(Fact.RESOLVED, by=found.get("by") or None)


def _by_itself(record: Record, found: Found) -> bool:
    return _resolved_after(record, found) and not record.incident.resolved_by and nothing_fires(record, found)


def measured(alert: Alert) -> str:
    """Its value with its unit, as it was told."""
    value, unit = alert.annotations.get("value", ""), alert.annotations.get("unit", "")
    return f"{value} {unit}".strip() if unit != "ratio" else value


def _value(record: Record, found: Found) -> bool:
    """One that fires told it then."""
    return any(
        measured(each).lower() == found["value"]
        and record.is_at(found["at"], each.worse_at or [each.starts_at, *each.firings][-1])
        for each in record.firing
    )


def _count(record: Record, found: Found) -> bool:
    return sum(record.incident.firing) == int(found["count"])


def _counted(record: Record, found: Found) -> bool:
    """So many fire, and these are among them, with their values."""
    firing = {str(value).lower() for each in record.firing for value in each.labels.values()}
    values = {measured(each).lower() for each in record.firing}
    rules = {each.rule.rpartition("/")[2].lower() for each in record.firing}
    named = found["named"].partition(" and ")[0].removeprefix(": ")
    units = [each.partition(" (") for each in named.split(", ") if each]
    known = not record.alerts or all(
        (unit in firing or all(part.partition("=")[2] in firing or part in rules for part in unit.split()))
        and (not value or value.rstrip(")") in values)
        for unit, _, value in units
    )
    return _count(record, found) and known


LEVELS = ("nobody is told", "informational", "warning", "critical", "emergency")


def _row(record: Record, found: Found) -> bool:
    """An alert of the incident stands so in the page's table: which, its value, level, whether it fires, since when."""
    return any(
        each.firing is (found["state"] == "firing")
        and LEVELS[each.level] == found["level"]
        and record.is_at(found["at"], each.starts_at if each.firing else each.ended_at or each.starts_at)
        and each.labels.get("unit", "").lower() in found["words"]
        and (found.get("value") or "") in {"", measured(each).lower()}
        for each in record.alerts
    )


def _and_more(record: Record, found: Found) -> bool:
    return sum(record.incident.firing) - 1 == int(found["more"])


def _since(record: Record, found: Found) -> bool:
    """The oldest of those that fire began then."""
    return record.is_at(found["at"], min((each.starts_at for each in record.firing), default=None))


def _named(record: Record, found: Found) -> bool:
    """While anything fires, the unit that is named is one of those that fire."""
    units = {each.labels.get("unit", "").lower(): measured(each) for each in record.firing}
    if not record.firing or record.incident.declared:
        return True
    return found["unit"] in units and found["value"].rstrip(".") in {"", units[found["unit"]]}


def system_of(labels: Mapping[str, str]) -> str:
    """What labels say that it is about; empty: nothing."""
    return next((labels[each] for each in SYSTEMS if labels.get(each)), "")


_SUBJECT = re.compile(r"(?:EXERCISE: )?#\d+ (?:(?P<system>[^:]+): )?[^:]+")
_SHORT = re.compile(
    r"[^:]*? (?:INFORMATIONAL|WARNING|CRITICAL|EMERGENCY)(?: (?!by )(?P<system>[^: ]+))?(?: by [^:]+)?: .*", re.DOTALL
)


def check_system(message: Message, record: Record) -> None:
    """Raises UntrueError where a message about one incident is of a system of which nothing fires, while others do."""
    labels = [each.labels for each in record.firing] if not record.incident.declared else []
    so = set(map(system_of, labels or [record.incident.labels]))
    subject, short = _SUBJECT.fullmatch(message.subject), _SHORT.fullmatch(message.short)
    for said in (message.system, subject and subject["system"], short and short["system"]):
        if (said or "") not in so:
            raise UntrueError(
                f"is about {said!r} ({message.subject!r}, {message.short!r}), and it is of {so} (systems)"
            )


def _told_of(*facts: Fact) -> Holds:
    """That happened, and it was about an alert of that unit."""
    return lambda record, found: (
        record.has(*facts)
        and (
            not found.get("unit") or any(each.labels.get("unit", "").lower() == found["unit"] for each in record.alerts)
        )
    )


def silenced(record: Record, found: Found) -> bool:
    """All that fires is silenced, until then."""
    until = record.incident.silenced_until
    return until is not None and (not found.get("at") or record.is_at(found["at"], until))


def _recurred(record: Record, _found: Found) -> bool:
    return record.has(Fact.REOPENED)


def _times(record: Record, found: Found) -> bool:
    return record.incident.recurrences == int(found["times"])


def _fact(*facts: Fact) -> Holds:
    return lambda record, _found: record.has(*facts)


STATEMENTS = statements(
    "recovery",
    {
        # What fires now.
        "(?:^|: )(?P<count>\\d+) firing(?P<named>: [^¤@]+)?(?=$|, since)": _counted,
        "^alerts (?P<count>\\d+) firing(?=$|[,;])": _count,
        "(?<=, )since <at>$": _since,
        "^alerts (?P<count>\\d+) firing$": _count,
        "alerts: none firing|none firing": nothing_fires,
        "alerts still fire": fires,
        ",? ?and (?P<more>\\d+) more$": _and_more,
        "^value: (?P<value>\\S+(?: [a-z]+)?)(?: at|, told) <at>": _value,
        "^firing since: <at>": _since,
        "^opened(?::| at) <at>(?: \\(declared by a person\\))?": lambda record, found: record.is_at(
            found["at"], record.incident.opened_at
        ),
        "opened (?P<at>@\\d+@)": lambda record, found: record.is_at(found["at"], record.incident.opened_at),
        "^alerts\\| (?P<words>.*?) \\| (?:(?P<value>[^|]*) \\| )?(?P<state>firing|cleared), (?P<level>[^|]+) \\| <at>(?: graph)?$": _row,
        "^(?:occurrence \\d+: )?alerts\\| .* \\| (?P<state>firing|cleared)$": lambda record, found: any(
            each.firing is (found["state"] == "firing") for each in record.alerts
        ),
        "^(?:occurrence \\d+: )?alerts\\| .*$": lambda record, _found: any(
            not each.firing or each.ended_before is not None or len(each.firings) > 1 for each in record.alerts
        ),
        "^(?:informational|warning|critical|emergency|nobody is told) (?P<state>firing|cleared)"
        " (?:unit (?P<unit>\\S+) is out of bounds|.*)": lambda record, found: any(
            each.firing is (found["state"] == "firing") and found["unit"] in {"", each.labels.get("unit", "").lower()}
            for each in record.alerts
        ),
        "it fires again after it was resolved,? ?\\(?\\w+ time\\)?<what>": lambda record, found: (
            fires(record, found) and _told_of(Fact.REOPENED)(record, found)
        ),
        "it fired again after it was resolved,? ?\\(?\\w+ time\\)?<what>": _told_of(Fact.REOPENED),
        "it was resolved while its alerts fired, and they still do": lambda record, found: (
            fires(record, found) and was_resolved(record, found)
        ),
        "it was resolved while its alerts fired, and they still did at <at>": lambda record, found: (
            was_resolved(record, found) and record.has(Fact.REOPENED, at=found["at"])
        ),
        "it fires again, before its recovery was believed<what>": lambda record, found: (
            fires(record, found) and _told_of(Fact.FIRED_AGAIN)(record, found)
        ),
        "it fired again, before its recovery was believed<what>": _told_of(Fact.FIRED_AGAIN),
        "a further rule fired: [^:]+<what>$": _told_of(*AGAIN, Fact.ACK_VOIDED, Fact.REOPENED, Fact.OPENED),
        "(?:a further alert|\\d+ further alerts) of [^:]+<what>$": _told_of(*AGAIN),
        "it got worse: [^:]+ fired<what>": _told_of(*WORSE),
        "it got worse(?:, says \\S+)?": _told_of(*WORSE),
        "<in>further alert|<in>further rule": lambda record, _found: record.has(*AGAIN),
        "<in>worse": _fact(*WORSE),
        "<in>back again": _recurred,
        "<in>still firing": fires,
        "<in>fired again": _fact(Fact.FIRED_AGAIN),
        "<in>fires steadily": fires,
        "<in>fired and cleared": _fact(Fact.FLASHED),
        "<in>flapping": _fact(Fact.FLAPPING),
        "<in>paging again": _fact(Fact.SILENCE_ENDED),
        "alerts of .* fire and clear again and again: (?P<times>\\d+) times since <at>": lambda record, found: (
            (record.incident.flapping_since is not None)
            and any(
                each.data["times"] == found["times"] and record.is_at(found["at"], int(each.data["since"]))
                for each in record.find(Fact.FLAPPING)
            )
        ),
        "alerts of .* fired and cleared again and again: (?P<times>\\d+) times since <at>": lambda record, found: any(
            each.data["times"] == found["times"] and record.is_at(found["at"], int(each.data["since"]))
            for each in record.find(Fact.FLAPPING)
        ),
        "you are told again when they fire steadily": lambda record, _found: record.incident.flapping_since is not None,
        "it flapped since <at>, and fires without a break now": fires,
        "it flapped since <at>, and fired without a break then": _fact(Fact.FLAPPING_ENDED),
        "an alert of .* fired and cleared between two notifications<what>": _told_of(Fact.FLASHED),
        # What recovered.
        "no alert fires any more, but what should prove the recovery was itself missing": is_in(Recovery.UNVERIFIED),
        "no alert fires any more": nothing_fires,
        "at <at> no alert fired any more": lambda record, found: record.has(
            Fact.RECOVERED, Fact.RECOVERY_CONFIRM, Fact.RECOVERY_UNVERIFIED, at=found["at"]
        ),
        "no longer reported, checking whether prometheus lives|no longer reported": is_in(Recovery.UNREPORTED),
        "signal recovered, verifying(?: until <at>)?": _verifying,
        "signal recovered, prometheus is asked whether it is well": is_in(Recovery.CHECKING),
        "signal recovered, a person must confirm(?: that it is over)?": is_in(Recovery.CONFIRM),
        "recovery unverified: nothing proves that it is well, a person must confirm|recovery unverified": is_in(
            Recovery.UNVERIFIED
        ),
        "the signal recovered at <at> and stayed recovered": lambda record, found: (
            record.is_over and record.is_at(found["at"], record.incident.recovered_at)
        ),
        "the signal recovered and stayed recovered|the signal stayed recovered": lambda record, found: (
            record.is_over and record.has(Fact.RECOVERED) and not record.incident.resolved_by
        ),
        "the signal recovered|signals? recovered": looks_well,
        "at this level a person must confirm that it is over": is_in(Recovery.CONFIRM),
        "^type next: tocsin resolve \\d+ .*$": lambda record, found: (
            not record.is_over and nothing_fires(record, found)
        ),
        "(?:check, then (?:resolve|confirm)|to confirm)(?:: tocsin resolve \\d+|: reply resolve \\d+)?": is_in(
            Recovery.CONFIRM, Recovery.UNVERIFIED
        ),
        "confirm the recovery": is_in(Recovery.CONFIRM, Recovery.UNVERIFIED),
        "reply resolve \\d+|tocsin resolve \\d+": is_in(Recovery.CONFIRM, Recovery.UNVERIFIED),
        "being verified": is_in(Recovery.VERIFYING, Recovery.CHECKING),
        # What is over.
        "^resolved <at>(?: by <by>)?$": lambda record, found: any(
            record.is_at(found["at"], each.resolved_at) and found["by"] in {"", each.resolved_by.lower()}  # type: ignore[attr-defined] # both have them
            for each in (record.incident, *record.incident.response.occurrences)
        ),
        "it was resolved(?: by <by>)?, <span> after (?P<after>the opening|it came back)": lambda record, found: any(
            record.lasts(found["span"], each.at, found["after"]) for each in record.find(Fact.RESOLVED, by=found["by"])
        ),
        "resolved by <by> after <span>": _resolved_after,
        "resolved by <by>,? (?:at|on) <at>": is_resolved,
        "resolved: <at> by (?:<by>|itself: ¤), <span> after (?P<after>the opening|it came back)": _resolved_after,
        "resolved: <at>, after <span>": _resolved_after,
        "^verification_results: <at> <by>: .*$": lambda record, found: record.has(
            Fact.RESOLVED, Fact.CONFIRMED, by=found["by"], at=found["at"]
        ),
        "^type next: tocsin escalate \\d+, which asks for help$": lambda record, _found: (
            record.incident.state is State.ACKNOWLEDGED
        ),
        "^type next: tocsin acknowledge \\d+$": lambda record, _found: record.incident.state is State.OPEN,
        "^resolved: <at> by (?:itself|<by>)(?:: .*)?$": lambda record, found: record.has(
            Fact.RESOLVED, by=found["by"], at=found["at"]
        ),
        "it came back <at>": lambda record, found: record.has(Fact.REOPENED, at=found["at"]),
        "^began: <at>(?:: .*)?$": lambda record, found: any(record.is_at(found["at"], at) for at in record.began),
        "resolved: not yet": lambda record, _found: not record.is_over,
        "<in>resolved (?:at|on) <at>": is_resolved,
        "resolution_time: <at>, <span> after (?P<after>the opening|it came back)": _resolved_after,
        "resolved after <span>(?:: ¤)?": _by_itself,
        "by now it is(?= |$)": lambda _record, _found: True,
        "how_long: (?:occurrence \\d+: )?it began on <at> and is not over": lambda record, found: (
            not record.is_over and any(record.is_at(found["at"], at) for at in record.began)
        ),
        "how_long: (?:occurrence \\d+: )?<span>, until it was resolved on <at>": lambda record, found: any(
            record.lasts(found["span"], each.at) for each in record.find(Fact.RESOLVED, at=found["at"])
        ),
        "how_long: it came back (?P<times>[\\d,]+) times? after it had been resolved|came back (?P<again>\\d+) times?": (
            lambda record, found: record.incident.recurrences == int(found["times"] or found["again"])
        ),
        "recurrences: (?P<times>\\d+)": _times,
        "is_it_over: yes: closed, it did not come back": lambda record, _found: record.incident.state is State.CLOSED,
        "is_it_over: resolved, and watched in case it comes back": lambda record, _found: (
            record.incident.state is State.RESOLVED
        ),
        "is_it_over: no: |is_it_over: nobody had to act: it was only recorded": lambda record, _found: (
            not record.is_over or record.incident.recorded_only
        ),
        "is_it_over: closed by <by> on <at>.*": lambda record, found: any(
            record.is_at(found["at"], each.at) for each in record.find(Fact.CLOSED, by=found["by"])
        ),
        "^(?P<waits>not closed yet: )?(?:what_remains: )?the (?P<stage>[\\w ]+?) to .* (?:is|are) not filed$": (
            lambda record, found: (
                (record.incident.state is State.RESOLVED or not found["waits"])
                and all(
                    each.stage.replace("_", " ").lower() != found["stage"] or each.withdrawn_at is not None
                    for each in record.incident.response.filings
                )
            )
        ),
        "not closed yet(?: [\\w-]+)*(?:: .*)?$|not closed yet(?=¤)|it is resolved and cannot close yet: .*": lambda record, _found: (
            record.incident.state is State.RESOLVED and record.last(*KEPT) is Fact.KEPT_OPEN
        ),
        "(?:.*: )?(?P<left>\\d+) of (?P<all>\\d+) steps of \\S+ not ticked: .*": lambda _record, found: (
            0 < int(found["left"]) <= int(found["all"])
        ),
        "^\\w+\\.\\d+ \\(.*\\)(?: and \\d+ more)?$": lambda record, _found: record.has(Fact.KEPT_OPEN),
        "something was missing before it could close": _fact(Fact.KEPT_OPEN),
        "nobody(?: other than <by>, who resolved it,)? has signed it off": lambda record, found: (
            record.last(Fact.RESOLVED, Fact.SIGNED_OFF, Fact.SIGN_OFF_VOID) is not Fact.SIGNED_OFF
            and found["by"] == record.incident.resolved_by.lower()
        ),
        "^before it closes$": lambda record, _found: record.incident.state is State.RESOLVED,
        "and it is not over": lambda record, _found: not record.is_over,
        "<in>resolved(?=[:,; ¤]|$)|incident resolved|^status: resolved|^subtitle: .*, resolved": (
            lambda record, _found: record.incident.state is State.RESOLVED or record.incident.state is State.CLOSED
        ),
        "<in>closed(?=[:,; ¤]|$)|it is closed|^status: closed|^subtitle: .*, closed": (
            lambda record, _found: record.incident.state is State.CLOSED
        ),
        "^status: open|^subtitle: .*, open": lambda record, _found: record.incident.state is State.OPEN,
        "^(?:status: |subtitle: .*, )acknowledged": lambda record, _found: record.incident.state is State.ACKNOWLEDGED,
        # What makes it quieter than it is.
        "at <at> it was silenced in alertmanager": lambda record, found: record.has(Fact.SILENCED, at=found["at"]),
        "at <at> it was inhibited in alertmanager": lambda record, found: record.has(Fact.INHIBITED, at=found["at"]),
        "silenced in alertmanager until <at>(?: by \\S+)?": silenced,
        "inhibited in alertmanager(?: by another alert)?|<in>inhibited": lambda record, found: (
            record.incident.inhibited
        ),
        "<in>silenced": silenced,
        "alertmanager no longer says that it is silenced or inhibited": lambda record, found: record.has(
            Fact.SILENCE_ENDED
        ),
        "its alerts have not been repeated since <at>: they may be over, or the way to here is cut": lambda record, _found: (
            record.incident.stale_since is not None
        ),
        "unit (?P<unit>\\S+) is out of bounds(?:: (?P<value>[\\d.]+))?": _named,
    },
)
