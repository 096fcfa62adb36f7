"""Reads a text, clause by clause, and asks of each statement in it whether it is so."""

import re
from functools import lru_cache

from tests.core.truth import cause, deadlines, delivery, on_call, promises, recovery, responders, told
from tests.core.truth.record import Found, Record, Statement, UntrueError

STATEMENTS: tuple[Statement, ...] = (
    *promises.STATEMENTS,
    *on_call.STATEMENTS,
    *told.STATEMENTS,
    *cause.STATEMENTS,
    *delivery.STATEMENTS,
    *deadlines.STATEMENTS,
    *responders.STATEMENTS,
    *recovery.STATEMENTS,
)
"""The more telling first: what one has read, no other reads."""

SUBJECTS = re.compile(
    r"acknowledg|answer|\bask(?:s|ed)\b|\bha(?:s|d) it\b|hand(?:ed|s) |g[ia]ves? it back|took over|"
    r"\bdue\b|breach|overdue|expire|escalat|\bin time\b|\bkept\b|\blate\b|"
    r"accepted|deliver|reached|undeliverable|given up|fallback|not sent|"
    r"recover|\bfires?\b|firing|\bfired\b|clear|resolved|closed|reported|verif|\bwell\b|reopen|came back|recurr|flap|"
    r"silenced|inhibited|is over|steadily|"
    r"root cause|\bfix\b|did not hold|"
    r"paged|notified|\btold\b|heard|on call|\byours\b|"
    r"\bfiled\b|"
    r"status update|next update|update due|no change|waits for approval|for approvers|\bvoid\b"
)
"""What no sentence may say without a predicate."""

FOREIGN = re.compile(
    r"\d+\. |(?:note|impact|type|condition|rules|labels|measured|what|links?|policy|incident_id|roles)\b: |"
    r"(?:first|says): |[\w #]+: https?://|\w+ = |(?:informational|warning|critical|emergency) means: |"
    r"what the external groups were told\| |what was approved as an exercise, and told to nobody outside\| |"
    r"(?:immediate_actions\w*|next_steps|post_incident_actions|follow_up_actions|no_step_ticked_of|monitoring_plan): "
)
"""Lines of which all but the name is what a policy, an alert or a person said."""

_ADDRESS = re.compile(r"https?://\S+")
_ENDS = re.compile(r"; |(?<=[.!?]) (?=\S)")
_DIGITS = re.compile(r"\d")


def check(text: str, record: Record) -> None:
    """Raises UntrueError for the first statement in the text that the record contradicts or no Statement reads."""
    for statement, found in _said(text, record):
        if not statement.holds(record, found):
            facts = [f"{entry.fact} {entry.by}".strip() for entry in record.entries]
            raise UntrueError(
                f"says {found['']!r} ({statement.kind}), and it is not so: {text}\n{record.incident}\n{facts}"
            )


def is_so(words: str, record: Record) -> bool:
    """Whether these words could be said of the incident."""
    try:
        check(words, record)
    except UntrueError:
        return False
    return True


def _said(text: str, record: Record) -> list[tuple[Statement, Found]]:
    found: list[tuple[Statement, Found]] = []
    for clause in dict.fromkeys(_clauses(text)):
        if record.lines and (parts := tuple(clause.split(" | ")))[0].startswith("timeline|"):
            if (parts[0][10:], *parts[1:]) not in record.lines:
                raise UntrueError(f"tells a line that the timeline does not have: {clause}")
            continue
        known, left = _read(_DIGITS.sub("0", clause))
        if left:
            raise UntrueError(f"no predicate reads {left!r} in {clause!r} of {text}")
        rest = clause
        for statement in known:

            def take(match: re.Match[str], statement: Statement = statement) -> str:
                found.append((statement, {"": match[0], **{k: v or "" for k, v in match.groupdict().items()}}))
                return "¤"

            rest = statement.pattern.sub(take, rest)
    return found


def unread(clause: str) -> str:
    """What of a clause speaks of a subject and is read by no statement; empty: nothing."""
    return next(filter(None, (_read(_DIGITS.sub("0", each))[1] for each in _clauses(clause))), "")


@lru_cache(maxsize=100_000)
def _read(template: str) -> tuple[tuple[Statement, ...], str]:
    """The statements of a clause whose numbers are all 0, and the rest that no statement reads."""
    known: list[Statement] = []
    for statement in STATEMENTS:
        rest = statement.pattern.sub("¤", template)
        if rest != template:
            known.append(statement)
            template = rest
    return tuple(known), template if SUBJECTS.search(template) else ""


def _clauses(text: str) -> list[str]:
    """Sentences and half-sentences, lower case; what others said is left out."""
    found: list[str] = []
    for each in text.split("\n"):
        line = " ".join(_ADDRESS.sub("", each).lower().split())
        if not line or FOREIGN.match(line):
            continue
        parts = [line] if "| " in line else [part.strip(" .:") for part in _ENDS.split(line)]
        found += (part for part in parts if not FOREIGN.match(part))
    return found
