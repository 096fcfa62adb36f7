"""Who has an incident, had it, asks for help with it, answered, handed it over or gave it back."""

from receiver.core.model import Fact, State
from tests.core.truth.record import Found, Holds, Record, hands, standing, statements

ANSWERED = (Fact.ACKNOWLEDGED,)
ASKED = (Fact.HELP_ASKED, Fact.ESCALATED)


def nobody_acknowledged(record: Record, _found: Found) -> bool:
    """It was never acknowledged; what was taken back does not count."""
    return all(each.fact not in ANSWERED for each in standing(record.entries))


def somebody_asks(record: Record, _found: Found) -> bool:
    """Help is asked for, and no other person has answered: an owner who asks cannot answer themselves."""
    return hands(record.entries).waits


def wants_answer(record: Record, _found: Found) -> bool:
    """It is open, or help is asked for."""
    return record.incident.state is State.OPEN or somebody_asks(record, _found)


def has_it(record: Record, found: Found) -> bool:
    """That person has it."""
    return hands(record.entries).owner.lower() == found["by"]


def nobody_has_it(record: Record, _found: Found) -> bool:
    """It has no owner, and must be answered."""
    return record.incident.state is State.OPEN and not hands(record.entries).owner


def is_taken(record: Record, found: Found) -> bool:
    """That person has acknowledged it, and the acknowledgement holds."""
    held = record.incident.state is State.ACKNOWLEDGED or record.is_over
    return held and record.has(*ANSWERED, by=found.get("by") or None)


def did(*facts: Fact) -> Holds:
    """That person did it, then."""
    return lambda record, found: record.has(*facts, by=found.get("by"), at=found.get("at", ""))


def _befell(fact: Fact) -> Holds:
    """It happened then to what that person had."""
    return lambda record, found: record.has(fact, whom=found["by"], at=found["at"])


def _handed(record: Record, found: Found) -> bool:
    by = {"by": found["by"]} if found.get("by") else {}
    return record.has(Fact.HANDED_OVER, at=found.get("at", ""), to=found["to"], **by)


def _doubted(record: Record, found: Found) -> bool:
    hand = hands(record.entries)
    return hand.waits and hand.owner not in hand.asked


def _label(fact: Fact) -> Holds:
    return lambda record, _found: record.has(fact)


def _tells_line(record: Record, found: Found) -> bool:
    """The timeline has that line."""
    return any(
        at.startswith(found["at"]) and (by, line.strip(" .:")) == (found["by"], found["line"])
        for at, line, by in record.lines
    )


def _taken_at(record: Record, found: Found) -> bool:
    """That person acknowledged it then, so long after it began, and has it."""
    return is_taken(record, found) and any(
        not found["span"] or record.lasts(found["span"], each.at, found["after"])
        for each in record.find(*ANSWERED, by=found["by"], at=found["at"])
    )


STATEMENTS = statements(
    "responders",
    {
        "^who_had_it: (?P<at>[-\\d]+ [\\d:]+) utc (?P<by>[^:]+): (?P<line>.*)$": _tells_line,
        "acknowledged: <at> by <by>, <span> after (?P<after>the opening|it came back)": lambda record, found: any(
            record.lasts(found["span"], each.at, found["after"])
            for each in record.find(*ANSWERED, by=found["by"], at=found["at"])
        ),
        "acknowledged: nobody acknowledged it": nobody_acknowledged,
        "nobody has acknowledged(?: it)?|nobody acknowledged it|still unacknowledged": nobody_acknowledged,
        "still no answer": wants_answer,
        "<in>yours now": wants_answer,
        "<in>no answer yet": wants_answer,
        "no other answer yet|no answer yet|nobody has answered": somebody_asks,
        "no answer since": lambda record, found: (
            not nobody_acknowledged(record, found) and record.incident.state is State.OPEN
        ),
        "<by>: (?:acknowledge again if you are at it, or give it back)": _doubted,
        "<by> has it: acknowledge again if you are at it, or give it back": lambda record, found: (
            has_it(record, found) and _doubted(record, found)
        ),
        "nobody has it(?: yet)?": nobody_has_it,
        "<by> goes on having it": has_it,
        "^owner: <by>$": lambda record, found: record.is_over or has_it(record, found),
        "^asked for help, and nobody else has answered yet: (?P<who>.+)$": lambda record, found: (
            {each.lower() for each in hands(record.entries).asked} == set(found["who"].split(", "))
        ),
        "<by> has it\\b": has_it,
        "<in>acknowledged by <by>,? (?:at|on) <at>(?:, <span> after (?P<after>the opening|it came back))?": _taken_at,
        "^at <at> <by> acknowledged it": did(*ANSWERED),
        "^at <at> <by> withdrew the call for help": did(Fact.HELP_WITHDRAWN),
        "acknowledged by <by>": is_taken,
        "(?:, |\\band )(?:acknowledged|answered the call for help) at <at>": lambda record, found: record.has(
            *ANSWERED, at=found["at"]
        ),
        "<by> (?:acknowledged|answered the call for help) at <at>": did(*ANSWERED),
        "<by> answers the call for help": did(*ANSWERED),
        "(?:, |\\band )asked for help at <at>": lambda record, found: record.has(*ASKED, at=found["at"]),
        "<by> asked for help at <at>": did(*ASKED),
        "<by> asks for help now": did(*ASKED),
        "<by> asks for help no more": lambda record, found: (
            record.has(Fact.HELP_WITHDRAWN, by=found["by"]) and not somebody_asks(record, found)
        ),
        "withdrew the call for help at <at>": lambda record, found: record.has(Fact.HELP_WITHDRAWN, at=found["at"]),
        "(?:, |\\band )handed it over to <to> at <at>": lambda record, found: _handed(record, {**found, "by": ""}),
        "(?:, |\\band )gave it back at <at>": lambda record, found: record.has(Fact.GIVEN_BACK, at=found["at"]),
        "<by> handed it over to <to>(?: at <at>)?": _handed,
        "handed (?:it )?over to <to>(?: at <at>)?": lambda record, found: _handed(record, {**found, "by": ""}),
        "the acknowledgement of <by> expired at <at>": _befell(Fact.ACK_EXPIRED),
        "new danger voided the acknowledgement of <by> at <at>": _befell(Fact.ACK_VOIDED),
        "it was resolved and opened again at <at>": lambda record, found: record.has(Fact.REOPENED, at=found["at"]),
        "<by> gave it back(?: for <to>)?(?: at <at>)?": lambda record, found: any(
            found["to"] in {"", each.data.get("whom", "").lower()}
            for each in record.find(Fact.GIVEN_BACK, by=found["by"], at=found["at"])
        ),
        "<by> took the answer back": did(Fact.ACK_UNDONE),
        "<by> still asks for help": somebody_asks,
        "<in>answer taken back": _label(Fact.ACK_UNDONE),
        "gave it back at <at>": lambda record, found: record.has(Fact.GIVEN_BACK, at=found["at"]),
        "help wanted": somebody_asks,
        "help not wanted any more": lambda record, found: (
            record.has(Fact.HELP_WITHDRAWN) and not somebody_asks(record, found)
        ),
        "<in>given back": _label(Fact.GIVEN_BACK),
        "acknowledgement expired": _label(Fact.ACK_EXPIRED),
        "<in>handed over": _label(Fact.HANDED_OVER),
        # Ways to answer: they are offered only where an answer is wanted.
        "help now:? (?:reply )?ack \\d*|help now": somebody_asks,
        "acknowledge #?\\d+\\b|to acknowledge: tocsin acknowledge \\d+": wants_answer,
        "to acknowledge (?:all of these )?by mail: reply with ack as the first line, alone": wants_answer,
        "acknowledge these \\d+|to acknowledge some: tocsin acknowledge number number …": wants_answer,
        "whoever acknowledged(?=: )": lambda record, found: not nobody_acknowledged(record, found),
        "reply ack \\d+|tocsin acknowledge \\d+": wants_answer,
        # How it stands, in a word.
        "<in>open(?=[:,; ¤]|$)|(?<=by now it is )open": lambda record, _found: record.incident.state is State.OPEN,
        "<in>acknowledged(?=[:,; ¤]|$)": lambda record, _found: record.incident.state is State.ACKNOWLEDGED,
    },
)
