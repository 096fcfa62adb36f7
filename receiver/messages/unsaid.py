"""Removes from an incident's state what the preceding sentence already says."""

import re

KEPT_OPEN = "not closed yet: "
UNACKNOWLEDGED = "nobody has acknowledged"

_DEED = re.compile(
    r"(?:(?P<taken>acknowledged) by (?P<owner>.+)|(?P<by>.+) (?P<asked>asked for help)) (?P<at>at .+)", re.IGNORECASE
)


def unsaid(stands: str, said: str) -> str:
    """Returns the state without the clauses that `said` contains; empty: `said` contains all of them."""
    known = said.lower()
    left = [each for each in stands.split("; ") if " " not in each or not _is_said(each.lower(), known)]
    is_known = UNACKNOWLEDGED in known
    return "; ".join(each.replace(f"{UNACKNOWLEDGED},", "an answer was") if is_known else each for each in left)


def _is_said(clause: str, known: str) -> bool:
    """Whether the sentence contains the clause, literally or in the form of the responders' account."""
    if all(part in known for part in clause.removeprefix(KEPT_OPEN).split(", ")):
        return True
    told = _DEED.fullmatch(clause)
    if told is None:
        return False
    who, deed = told["owner"] or told["by"], told["taken"] or told["asked"]
    return f"{who} " in known and f"{deed} {told['at']}" in known
