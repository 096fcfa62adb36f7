"""What a sentence about how an incident stands need not say again, because the one before it has."""

import re

KEPT_OPEN = "not closed yet: "

_DEED = re.compile(
    r"(?:(?P<taken>acknowledged) by (?P<owner>.+)|(?P<by>.+) (?P<asked>asked for help)) (?P<at>at .+)", re.IGNORECASE
)


def unsaid(stands: str, said: str) -> str:
    """How it stands, without the clauses that the sentence before it has said; empty: it has said all of them."""
    known = said.lower()
    return "; ".join(each for each in stands.split("; ") if " " not in each or not _is_said(each.lower(), known))


def _is_said(clause: str, known: str) -> bool:
    """In these words, or as the account of the responders tells it."""
    if all(part in known for part in clause.removeprefix(KEPT_OPEN).split(", ")):
        return True
    told = _DEED.fullmatch(clause)
    if told is None:
        return False
    who, deed = told["owner"] or told["by"], told["taken"] or told["asked"]
    return f"{who} " in known and f"{deed} {told['at']}" in known
