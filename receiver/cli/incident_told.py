"""An incident as the commands print it: its page's content without the lists."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from receiver.cli.output import LEVEL_STYLES, console, level_words, local, state_words

COLUMNS = ("#", "level", "state", "who has it", "opened", "what")
"""Columns of a list of incidents."""


def row(incident: Mapping[str, Any]) -> tuple[str | Text, ...]:
    """Returns an incident as a row of a list."""
    return (
        f"#{incident['number']}",
        level_words(incident),
        state_words(incident),
        _who(incident),
        local(incident["opened_at"]),
        incident["account"]["what"],
    )


def _who(incident: Mapping[str, Any]) -> str:
    """Returns the owner; of a past incident, the last owner."""
    who = incident["owner"] or incident["acknowledged_by"]
    if not who:
        return "nobody"
    return str(who) if incident["state"] in {"open", "acknowledged"} else f"{who} had it"


def print_incident(incident: Mapping[str, Any]) -> None:
    """Prints the head in the level's colour, and a line for each fact."""
    console.print(head(incident), soft_wrap=True)
    for line in told(incident):
        console.print(f"  {line}", markup=False, soft_wrap=True)


def head(incident: Mapping[str, Any]) -> Text:
    """Returns level, number and state in the level's colour, and the title."""
    exercise = "EXERCISE " if incident["exercise"] else ""
    words = f"{exercise}#{incident['number']} {incident['level_name'].upper()} {state_words(incident)}"
    return Text.assemble((words, LEVEL_STYLES.get(incident["level"], "")), f" {incident['account']['what']}")


def told(incident: Mapping[str, Any]) -> Iterator[str]:
    """Yields the lines, the most urgent first."""
    account = incident["account"]
    yield account["stands"]
    if incident["on_legal_hold"]:
        yield "under legal hold: nothing of it is deleted"
    yield from (f"first: {each}" for each in account["first_actions"])
    yield from map(_countdown, account["countdowns"])
    yield from (f"type next: {each}" for each in _next(incident))
    yield from (f"not closed yet: {missing}" for missing in incident["outstanding"])
    yield from _what_it_is(incident)
    yield from _people(incident)
    yield from map(_occurrence, incident["occurrences"])
    yield from (f"{name.replace('_', ' ')}: {value}" for name, value in incident["facts"].items() if value)
    yield from (f"{each['label']}: {each['url']}" for each in account["links"])


def _next(incident: Mapping[str, Any]) -> Iterator[str]:
    """Yields commands for the incident's state; the most likely first."""
    number, state = incident["number"], incident["state"]
    if state == "open":
        yield f"tocsin acknowledge {number}"
    elif incident["help_asked_by"] and state == "acknowledged":
        yield f"tocsin acknowledge {number}, which answers the call for help"
    if state == "acknowledged" and not incident["firing"]:
        confirms = ", which confirms the recovery" if incident["recovery"] == "confirm" else ""
        yield f'tocsin resolve {number} --note "what was done"{confirms}'
    elif state == "acknowledged":
        yield f'tocsin update {number} "how it stands"'
        yield f"tocsin escalate {number}, which asks for help; tocsin handover {number} NAME"
    elif state == "resolved" and incident["outstanding"]:
        yield f"tocsin sign-off {number}; tocsin report {number} shows what is written down"


def _what_it_is(incident: Mapping[str, Any]) -> Iterator[str]:
    account, labels = incident["account"], incident["account"]["labels"]
    value_at, since = account["value_told_at"], account["firing_since"]
    known = (
        ("says", account["description"]),
        ("value", f"{account['value']}, told {local(value_at)}" if value_at else ""),
        ("condition", account["condition"]),
        ("alerts", account["firing"]),
        ("firing since", local(since) if since else ""),
        ("impact", account["impact"]),
        ("system", account["system"]),
        ("type", incident["type"]),
        ("labels", " ".join(f"{name}={value}" for name, value in labels.items())),
        ("opened", local(incident["opened_at"])),
        ("resolved", local(incident["resolved_at"]) if incident["resolved_at"] else ""),
    )
    yield from (f"{name}: {' '.join(value.split())}" for name, value in known if value)
    if incident["recurrences"]:
        yield f"came back {incident['recurrences']} time{'' if incident['recurrences'] == 1 else 's'}"


def _people(incident: Mapping[str, Any]) -> Iterator[str]:
    if incident["owner"]:
        yield f"owner: {incident['owner']}"
    if incident["help_asked_by"]:
        yield f"asked for help, and nobody else has answered yet: {', '.join(incident['help_asked_by'])}"
    for role in incident["roles"]:
        if role["held_by"] or role["wanted"]:
            yield f"{role['name'].replace('_', ' ')}: {role['held_by'] or 'nobody yet'}"
    if incident["signed_off_by"]:
        yield f"signed off by: {incident['signed_off_by']}"


def _countdown(each: Mapping[str, Any]) -> str:
    late = " OVERDUE" if each["passed"] else ""
    tells = f" (tells {', '.join(each['tells'])})" if each["tells"] else ""
    return f"{each['label']}: {local(each['at'])}{late}{tells}"


def _occurrence(each: Mapping[str, Any]) -> str:
    cause = each["facts"].get("root_cause", "")
    told_cause = f"; its cause did not hold: {cause}" if cause else ""
    return f"occurrence {each['number']} ended, and it came back {local(each['came_back_at'])}{told_cause}"
