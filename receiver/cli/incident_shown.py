"""`tocsin show`: prints the content of an incident's page in a terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from shlex import quote
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from receiver.cli.authorities import say_obligations
from receiver.cli.evidence_records import say_evidence
from receiver.cli.incident_told import COLUMNS, head, print_incident, told
from receiver.cli.incidents import LOCAL, Id, Json, Token, Url, call, path_of
from receiver.cli.output import console, fail, local, print_json, print_table, state_words
from receiver.cli.responding import say_follow_ups, say_notices, say_steps
from receiver.cli.watch import Ask, follow, sign

LISTS = ("checklists", "notices", "follow-ups", "obligations", "evidence")
"""Further lists of an incident in the API: the last parts of their paths."""


HELPED = {
    "root_cause": "cause",
    "fix_description": "fix",
    "immediate_actions_taken": "done at once",
    "lessons_learned": "lesson",
}
"""Words for what helped, by the fact's name."""


@dataclass
class OneIncident:
    """The content of `tocsin show --watch`."""

    what: str
    """The incident's number."""
    incident: Mapping[str, Any]
    timeline: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    problem: str = "connecting"
    said: int = 0
    """Number of timeline lines already printed to a pipe."""

    async def read(self, ask: Ask, url: str) -> None:
        """Reads the present state."""
        path = f"{url}/api/v1/incidents/{self.what}"
        async with ask(path) as answer:
            answer.raise_for_status()
            self.incident = await answer.json()
        found: list[Mapping[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            query = {"limit": "1000", **({"cursor": cursor} if cursor else {})}
            async with ask(f"{path}/timeline", params=query) as answer:
                answer.raise_for_status()
                page = await answer.json()
            found += page["timeline"]
            cursor = page["next"]
        self.timeline = found

    def render(self) -> RenderableType:
        """Head, known facts, and the timeline with the newest first, so that the oldest lines are cut off."""
        lines = (Text(f"  {line}") for line in told(self.incident))
        newest = (Text(_line(each)) for each in reversed(self.timeline))
        return Group(sign(self.problem), head(self.incident), *lines, Text("\nTimeline, newest first"), *newest)

    def tell(self) -> None:
        """Prints the state, and the new lines of its timeline."""
        console.print(head(self.incident))
        for each in self.timeline[self.said :]:
            console.print(_line(each), markup=False)
        self.said = len(self.timeline)


def _line(entry: Mapping[str, Any]) -> str:
    return f"{local(entry['at'])}  {entry['text']} ({entry['by'] or 'Tocsin'})"


def show(
    id: Id,  # noqa: A002 - ID to people
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and show what changes; Ctrl-C ends it.")] = False,
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Show one incident: firing alerts, owner, deadlines, open steps, timeline and messages."""
    if watch and json:
        fail("tocsin show: --watch is for people; for programs ask with --json again", 2)
    incident = call("GET", url, token, path_of(id))
    if watch:
        follow(OneIncident(str(incident["number"]), incident), url, token)
        return
    timeline = _all(url, token, path_of(id, "timeline"), "timeline")
    messages = _all(url, token, path_of(id, "notifications"), "notifications")
    similar = call("GET", url, token, path_of(id, "similar"))["incidents"]
    related = call("GET", url, token, path_of(id, "related"))
    if json:
        lists = {"timeline": timeline, "notifications": messages, "similar": similar, "related": related}
        print_json({**incident, **lists})
        return
    print_incident(incident)
    _print_alerts(incident)
    _print_related(related)
    shown = {each["number"] for each in related["lately"]}
    _print_similar([each for each in similar if each["number"] not in shown])
    lists = {name: call("GET", url, token, path_of(id, name)) for name in LISTS}
    owed = lists["obligations"]["obligations"]
    lists["obligations"] = {"obligations": [each for each in owed if each["since"]]}
    _print_lists(lists)
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
            say(found[name], False)


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


def _print_related(related: dict[str, Any]) -> None:
    """Prints other incidents of the same system: those of now, and those of the last 30 days with what helped."""
    now = (
        (
            f"#{each['number']}",
            each["level"],
            state_words(each),
            each["holder"] or "nobody",
            local(each["opened_at"]),
            each["title"] or each["type"],
        )
        for each in related["now"]
    )
    lately = (
        (
            f"#{each['number']}",
            local(each["opened_at"]),
            each["title"] or each["type"],
            "; ".join(f"{HELPED[name]}: {text}" for name, text in each["helped"].items()) or "nobody wrote it down",
        )
        for each in related["lately"]
    )
    if related["now"]:
        print_table(COLUMNS, now, f"\n{related['system']} now")
    if related["lately"]:
        print_table(["#", "opened", "what", "what helped"], lately, f"\n{related['system']} in the last 30 days")
    if more := related["more_now"] + related["more_lately"]:
        console.print(f"and {more} more: tocsin incidents --system {quote(related['system'])}", markup=False)


def _print_similar(similar: list[dict[str, Any]]) -> None:
    """Prints cause, fix and lessons of similar earlier incidents."""
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
    """Returns all pages of a list."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = call("GET", url, token, path, query={"limit": "1000", **({"cursor": cursor} if cursor else {})})
        found += page[name]
        cursor = page["next"]
    return found
