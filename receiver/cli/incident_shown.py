"""`tocsin show`: all that an incident's page shows, in a terminal."""

from typing import Any

import typer

from receiver.cli.authorities import say_obligations
from receiver.cli.evidence_records import say_evidence
from receiver.cli.incident_told import print_incident
from receiver.cli.incidents import LOCAL, Id, Json, Token, Url, call
from receiver.cli.output import console, local, print_json, print_table
from receiver.cli.responding import path_of, say_follow_ups, say_notices, say_steps

LISTS = ("checklists", "notices", "follow-ups", "obligations", "evidence")
"""What else the API has of an incident, by the ends of its paths."""


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(show)


def show(id: Id, url: Url = LOCAL, token: Token = "", json: Json = False) -> None:  # noqa: A002 - ID to people
    """One incident: what fires now, who has it, its deadlines, what is to do, its timeline and its messages."""
    incident = call("GET", url, token, path_of(id))
    timeline = _all(url, token, path_of(id, "timeline"), "timeline")
    messages = _all(url, token, path_of(id, "notifications"), "notifications")
    similar = call("GET", url, token, path_of(id, "similar"))["incidents"]
    if json:
        print_json({**incident, "timeline": timeline, "notifications": messages, "similar": similar})
        return
    print_incident(incident)
    _print_alerts(incident)
    _print_similar(similar)
    _print_lists({name: call("GET", url, token, path_of(id, name)) for name in LISTS})
    rows = ((local(each["at"]), each["text"], each["by"] or "Tocsin") for each in timeline)
    print_table(["when", "what", "who"], rows, "\nTimeline")
    _print_messages(messages)


def _print_alerts(incident: dict[str, Any]) -> None:
    rows = (
        (
            str(each["level"]),
            each["status"],
            each["annotations"].get("summary") or each["labels"].get("alertname", ""),
            local(each["starts_at"]),
            each["rule"],
        )
        for each in incident["alerts"]
    )
    if incident["alerts"]:
        print_table(["level", "state", "what", "since", "rule"], rows, "\nAlerts")


def _print_lists(found: dict[str, Any]) -> None:
    """Only what there is."""
    printed = (
        (say_steps, "checklists", "checklists"),
        (say_notices, "notices", "notices"),
        (say_follow_ups, "follow-ups", "follow_ups"),
        (say_obligations, "obligations", "obligations"),
        (say_evidence, "evidence", "files"),
    )
    for say, name, member in printed:
        if found[name][member] or found[name].get("holds"):
            console.print(f"\n{name.replace('-', ' ').capitalize()}", style="italic")
            say(found[name], json=False)


def _print_messages(messages: list[dict[str, Any]]) -> None:
    rows = (
        (
            each["channel"],
            " ".join(filter(None, (each["person"], each["recipient"]))),
            f"{each['kind']} ({each['reason']})",
            f"{each['status']}{'; reached somebody' if each['reached_at'] else ''}",
            each["attempts"],
            each.get("detail", ""),
        )
        for each in messages
    )
    print_table(["channel", "to", "what", "state", "tries", "detail"], rows, "\nMessages")


def _print_similar(similar: list[dict[str, Any]]) -> None:
    """What earlier incidents of the type or system came to."""
    told = (
        (
            f"#{each['number']}",
            local(each["opened_at"]),
            each["root_cause"],
            each["fix_description"],
            each["lessons_learned"],
        )
        for each in similar
    )
    if similar:
        print_table(["#", "opened", "cause", "fix", "lesson"], told, "\nEarlier incidents like it")


def _all(url: str, token: str, path: str, name: str) -> list[dict[str, Any]]:
    """Every page of a list."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = call("GET", url, token, path, query={"limit": "1000", **({"cursor": cursor} if cursor else {})})
        found += page[name]
        cursor = page["next"]
    return found
