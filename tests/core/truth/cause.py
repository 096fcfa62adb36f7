"""Whether the cause is known, what the fix is, and whether it held: what people entered, or Prometheus answered."""

from collections.abc import Sequence

from receiver.core.model import Entry, Fact, State
from tests.core.truth.record import Found, Holds, Record, statements


def _fact(record: Record, name: str) -> str:
    """What a person entered last under that name since it came back, by the timeline."""
    return _entered(record.occurrence, name)


def _entered(entries: Sequence[Entry], name: str) -> str:
    told = (each for each in reversed(entries) if each.fact is Fact.CHANGED and each.data.get("field") == name)
    last = next(told, None)
    return " ".join(last.data.get("value", "").lower().split()) if last else ""


def _did_not_hold(*names: str) -> Holds:
    """It came back, and that was entered before."""

    def holds(record: Record, found: Found) -> bool:
        earlier = record.entries[: len(record.entries) - len(record.occurrence)]
        said = found["what"].strip(" .:()")
        return any(
            each.fact is Fact.CHANGED and each.data.get("field") in names and each.data.get("value", "").lower() == said
            for each in earlier
        )

    return holds


def known(name: str) -> Holds:
    """A person entered it."""
    return lambda record, _found: bool(_fact(record, name))


def unknown(name: str) -> Holds:
    """No person entered it."""
    return lambda record, _found: not _fact(record, name)


def _is(name: str) -> Holds:
    return lambda record, found: _fact(record, name).startswith(found["what"].strip(" .:"))


def _not_known(record: Record, found: Found) -> bool:
    names = ("root_cause", "lessons_learned", "process_changes")
    told = {name for name in names if name.replace("_", " ") in found["what"]}
    return told == {name for name in names if not _fact(record, name)}


def _came_to(record: Record, found: Found) -> bool:
    """Of an incident of that number, closed and like this one, people entered exactly that."""
    earlier = next((each for each in record.earlier if each.number == int(found["number"])), None)
    if earlier is None or earlier.id == record.incident.id or earlier.state is not State.CLOSED:
        return False
    named = {"cause": "root_cause", "fix": "fix_description", "lesson": "lessons_learned"}
    told = (f"{what}: {' '.join(earlier.facts.get(fact, '').lower().split())}" for what, fact in named.items())
    return found["what"] == ", ".join(each for each in told if not each.endswith(": "))


def _opened_by(record: Record, found: Found) -> bool:
    """An alert that said so opened it then."""
    opened = [each.data["summary"].lower() for each in record.find(Fact.OPENED)]
    return found["what"] == opened[0] and record.is_at(found["at"], record.incident.opened_at)


def _noted_on_resolving(record: Record, found: Found) -> bool:
    """The person who resolved the incident wrote that."""
    noted = (each.data.get("note", "") for each in record.find(Fact.RESOLVED, by=found["by"]))
    return found["what"] in (" ".join(each.lower().split()) for each in noted)


STATEMENTS = statements(
    "cause",
    {
        "^earlier incidents like it, of which the cause may be another$": lambda record, _found: bool(record.earlier),
        "^#(?P<number>\\d+) of [\\d-]+ \\(\\w+\\): (?P<what>(?:cause|fix|lesson): .+)$": _came_to,
        "what was entered before did not hold,? ?\\(?cause: (?P<what>[^)]+)\\)?": _did_not_hold("root_cause"),
        "what was entered before did not hold,? ?\\(?fix: (?P<what>[^)]+)\\)?": _did_not_hold("fix_description"),
        "^what_happened: (?P<what>.*): level \\d \\(\\w+\\), opened by an alert(?: at level (?P<first>\\d))? on <at>$": _opened_by,
        "^what_happened: later: (?P<what>.*)$": lambda record, found: found["what"] == record.incident.title.lower(),
        "^what_was_done: (?P<what>.*) \\(<by>, on resolving it\\)$": _noted_on_resolving,
        "^verification_results: <at> <by>: (?P<what>.+)$": _noted_on_resolving,
        "^(?:what_happened|how_long): the cause given in occurrence \\d+ did not hold: (?P<what>.+)$": _did_not_hold(
            "root_cause"
        ),
        "^what_was_done: in occurrence \\d+: (?P<what>.+) \\(did not hold\\)$": _did_not_hold("fix_description"),
        "^root cause did not hold: (?P<what>.+)$": _did_not_hold("root_cause"),
        "its cause did not hold: (?P<what>.+)$": _did_not_hold("root_cause"),
        "^fix description did not hold: (?P<what>.+)$": _did_not_hold("fix_description"),
        "^root[_ ]cause: (?P<what>.+) \\(?did not hold\\)?$": _did_not_hold("root_cause"),
        "^fix[_ ]description: (?P<what>.+) \\(?did not hold\\)?$": _did_not_hold("fix_description"),
        "investigation: root cause found": known("root_cause"),
        "investigation: not yet known": unknown("root_cause"),
        "^root[_ ]cause(?:_found)?: (?P<what>.+)$": _is("root_cause"),
        "^fix: applied": known("fix_description"),
        "^fix: not yet known": unknown("fix_description"),
        "^fix: (?P<what>.+)$": _did_not_hold("fix_description"),
        "^(?:fix[_ ]description|fix_implemented|what_was_done: fix): (?P<what>.+)$": _is("fix_description"),
        "^what_remains: not yet known: (?P<what>.+)$": _not_known,
        "^what_was_done: nothing that is written down": unknown("fix_description"),
        "(?:verification(?:_results|_status)?: |; )?not verified: alerts still fire": lambda record, _found: (
            record.is_firing or record.has(Fact.RESOLVED, forced="yes")
        ),
        "(?:verification(?:_results|_status)?: )?confirmed by (?P<by>a person|[\\w.@-]+)": lambda record, found: (
            bool(record.incident.resolved_by)
            if found["by"] == "a person"
            else record.incident.resolved_by.lower() == found["by"]
        ),
        "verification: not yet known": lambda record, _found: not record.incident.recovery,
        "verification(?:_results|_status)?: (?=the |signal|no |recovery)": lambda _record, _found: True,
    },
)
