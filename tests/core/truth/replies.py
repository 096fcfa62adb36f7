"""Replies to actions in Slack, by SMS and on the telephone: how it stands, and why nothing was done."""

import re
from collections.abc import Sequence

from receiver.core.model import Fact, State
from tests.core.truth.oracle import SUBJECTS
from tests.core.truth.record import NAME, Found, Holds, Record, UntrueError, hands

_REPLY = re.compile(
    rf"#(?P<number>\d+) is (?P<state>\w+)(?: by (?P<by>{NAME}))?(?: and handed over to (?P<to>{NAME}))?"
    r"(?:; (?P<asked>.+) asked for help, which nobody has answered yet)?\."
    r"(?: nothing was done: (?P<why>.+)\.)?"
)


def _is_state(record: Record, found: Found) -> bool:
    return record.incident.state == found["state"]


def _owner(record: Record, found: Found) -> bool:
    return hands(record.entries).owner.lower() == found.get("who", "")


def _asked(record: Record, found: Found) -> bool:
    asked = {each.lower() for each in hands(record.entries).asked}
    return asked == set(filter(None, found.get("who", "").split(", ")))


REASONS: dict[str, Holds] = {
    r"the incident is (?P<state>\w+) already": _is_state,
    r"the incident is (?P<state>\w+) by now, not \w+": _is_state,
    r"the incident is (?P<state>closed)": _is_state,
    r"the level of an incident that is (?P<state>\w+) cannot change": _is_state,
    r"nobody asks for help with the incident": _asked,
    r"(?P<who>.+) asked for help: acknowledge the incident to answer": _asked,
    r"nobody has (?:acknowledged )?the incident(?:: acknowledge it instead)?": _owner,
    r"(?P<who>.+) has the incident already": _owner,
    r"something new has happened since that message; look at the incident as it is now": lambda record, _: record.has(
        Fact.ACK_VOIDED, Fact.REOPENED, Fact.ACK_EXPIRED, Fact.LEVEL_ROSE, Fact.GIVEN_BACK
    ),
    r"(?P<count>\d+) of its alerts still fire; .*": lambda record, found: (
        sum(record.incident.firing) == int(found["count"])
    ),
    r"(?P<count>\d+) of its alerts may fire again: .*": lambda record, found: (
        record.incident.held == int(found["count"])
    ),
    r"resolving while alerts fire needs a reason": lambda record, _: record.is_firing,
    # The rule itself; who asked is not in the record.
    r"only whoever answered last can take that back, within two minutes .*": lambda _record, _found: True,
}


def check_reply(said: str, record: Record) -> None:
    """Raises UntrueError where the answer says what is not so. `record`: as it is when it is given."""
    words = " ".join(said.lower().split())
    found = _REPLY.fullmatch(words)
    if found is None:
        raise UntrueError(f"answers {said!r} (replies), and nobody reads that")
    incident, owner = record.incident, hands(record.entries).owner.lower()
    by = {State.ACKNOWLEDGED: owner, State.RESOLVED: incident.resolved_by.lower()}.get(incident.state, "")
    is_so = (
        int(found["number"]) == incident.number
        and found["state"] == incident.state
        and (found["to"] or found["by"] or "") == by
        and (not found["asked"] or _asked(record, {"who": found["asked"]}))
        and bool(found["asked"]) is bool(hands(record.entries).asked)
        and (not found["why"] or _is_why(found["why"], record))
    )
    if not is_so:
        raise UntrueError(f"answers {said!r} (replies), and it is not so: {incident}")


_SEVERAL = re.compile(
    r"acknowledged: (?:(?P<none>none)\. nothing that was sent here waits for an answer|(?P<done>none|#[^.]*))"
    r"(?P<refused>(?:\. not changed: #[^()]* \([^()]+\))*)(?:\. \d+ could not be stored: look again in a moment)?\."
)


def check_several(said: str, records: Sequence[Record]) -> None:
    """Raises UntrueError where the answer to ACK ALL says what is not so. `records`: of all that was asked for, as they
    are when it is given.
    """
    found = _SEVERAL.fullmatch(" ".join(said.lower().split()))
    if found is None:
        raise UntrueError(f"answers {said!r} (replies), and nobody reads that")
    known = {each.incident.number: each for each in records}
    taken = named(found["done"] or "")
    refused = {
        number: why
        for numbers, why in re.findall(r"not changed: ([^()]+) \(([^()]+)\)", found["refused"])
        for number in named(numbers)
    }
    is_so = (
        taken | set(refused) == set(known)
        and not taken & set(refused)
        and not (found["none"] and known)
        and all(known[each].incident.state is State.ACKNOWLEDGED for each in taken)
        and all(_is_why(why, known[each]) for each, why in refused.items())
    )
    if not is_so:
        raise UntrueError(f"answers {said!r} (replies), and it is not so: {sorted(known)}")


def named(said: str) -> set[int]:
    """``#12-#14, #40`` as numbers."""
    runs = (re.findall(r"\d+", each) for each in said.split(","))
    return {number for run in runs if run for number in range(int(run[0]), int(run[-1]) + 1)}


def _is_why(said: str, record: Record) -> bool:
    for pattern, holds in REASONS.items():
        if found := re.fullmatch(pattern, said):
            return holds(record, {name: value or "" for name, value in found.groupdict().items()})
    if SUBJECTS.search(said):
        raise UntrueError(f"answers {said!r} (replies), and no predicate reads that")
    return True
