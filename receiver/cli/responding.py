"""Work on an incident from a shell: checklists, owner, notices, follow-up actions, close."""

from typing import Annotated, Any

import click
import typer

from receiver.cli import completion
from receiver.cli.incidents import LOCAL, By, Id, Json, NoteText, Token, Url, call, path_of, say
from receiver.cli.output import console, fail, local, or_json, print_table

NoticeId = Annotated[
    str,
    typer.Argument(metavar="NOTICE", help="As `tocsin notices` names it: n1", autocompletion=completion.notices),
]


def steps(id: Id, url: Url = LOCAL, token: Token = "", json: Json = False) -> None:  # noqa: A002 - ID to people
    """List the steps of an incident's checklists, and who did them."""
    say_steps(call("GET", url, token, path_of(id, "checklists")), json)


def tick(
    id: Id,  # noqa: A002
    step: Annotated[
        str,
        typer.Argument(
            metavar="STEP", help="As `tocsin steps` names it: escalation.2", autocompletion=completion.steps
        ),
    ],
    undo: Annotated[bool, typer.Option("--undo", help="It is not done after all.")] = False,
    link: Annotated[str, typer.Option("--link", help="Where the evidence is.", show_default=False)] = "",
    by: By = "",
    note: NoteText = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Mark a step as done."""
    body = {"done": not undo, "link": link, "by": by, "note": note}
    say_steps(call("PUT", url, token, path_of(id, "steps", step), body=body), json)


def handover(
    id: Id,  # noqa: A002
    to: Annotated[str, typer.Argument(metavar="TO", help="Who has it from now on.", autocompletion=completion.people)],
    by: By = "",
    note: NoteText = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Hand an incident over to another person."""
    say(call("POST", url, token, path_of(id, "handover"), body={"to": to, "by": by, "note": note}), json)


def assign(
    id: Id,  # noqa: A002
    role: Annotated[
        str,
        typer.Argument(
            metavar="ROLE", help="A role of the policy, such as incident_commander.", autocompletion=completion.roles
        ),
    ],
    to: Annotated[
        str,
        typer.Argument(
            metavar="[TO]", help="Who holds it; left out: nobody any more.", autocompletion=completion.people
        ),
    ] = "",
    by: By = "",
    note: NoteText = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Assign a role in an incident to a person."""
    body = {"to": to, "by": by, "note": note}
    say(call("PUT", url, token, path_of(id, "roles", role), body=body), json)


def notices(id: Id, url: Url = LOCAL, token: Token = "", json: Json = False) -> None:  # noqa: A002
    """List the notices to external stakeholders, which must be approved."""
    say_notices(call("GET", url, token, path_of(id, "notices")), json)


def edit_notice(
    id: Id,  # noqa: A002
    notice: NoticeId,
    subject: Annotated[str, typer.Option("--subject", help="The new subject; left out, as it is.")] = "",
    text: Annotated[str, typer.Option("--text", help="The new text; left out, as it is.")] = "",
    by: By = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Edit a held notice before it is approved; without --subject and --text, in your editor."""
    found = call("GET", url, token, path_of(id, "notices"))["notices"]
    known = _notice(found, notice)
    if not subject and not text:
        subject, text = _edited(known)
    body = {"hash": known["hash"], "subject": subject or known["subject"], "text": text or known["text"], "by": by}
    say_notices(call("PUT", url, token, path_of(id, "notices", notice), body=body), json)


def _notice(found: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Returns the notice of that name. Exits if there is none."""
    for each in found:
        if each["id"] == name:
            return each
    fail(f"tocsin: the incident has no notice {name}; it has {', '.join(each['id'] for each in found) or 'none'}")


def _edited(notice: dict[str, Any]) -> tuple[str, str]:
    """Returns subject and text from the person's editor: the first line, and the rest."""
    written = click.edit(f"{notice['subject']}\n\n{notice['text']}")
    if written is None:
        raise typer.Exit(1)
    first, _, rest = written.strip().partition("\n")
    return first.strip(), rest.strip()


def approve(
    id: Id,  # noqa: A002
    notice: NoticeId,
    hash: Annotated[str, typer.Option("--hash", help="Of the text that was read.", show_default=False)] = "",  # noqa: A002
    to: Annotated[
        list[str] | None,
        typer.Option("--to", help="Only to this recipient; several times for several.", show_default=False),
    ] = None,
    by: By = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Approve and send a held notice; without --hash its text is shown first, and must be confirmed."""
    if not hash:
        found = call("GET", url, token, path_of(id, "notices"))["notices"]
        shown = _notice(found, notice)
        say_notices({"notices": [shown]}, False)
        if not typer.confirm("Send exactly this?"):
            raise typer.Exit(1)
        hash = shown["hash"]  # noqa: A001 - as the option is called
    body = {"hash": hash, "by": by, "recipients": to or []}
    say_notices(call("POST", url, token, path_of(id, "notices", notice, "approve"), body=body), json)


def reject(
    id: Id,  # noqa: A002
    notice: NoticeId,
    by: By = "",
    note: NoteText = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Reject a notice: the external group is not told."""
    body = {"by": by, "note": note}
    say_notices(call("POST", url, token, path_of(id, "notices", notice, "reject"), body=body), json)


def follow_ups(id: Id, url: Url = LOCAL, token: Token = "", json: Json = False) -> None:  # noqa: A002
    """List the follow-up actions of an incident."""
    say_follow_ups(call("GET", url, token, path_of(id, "follow-ups")), json)


def follow_up(
    id: Id,  # noqa: A002
    text: Annotated[str, typer.Argument(help="What must be done.")],
    owner: Annotated[
        str, typer.Option("--owner", help="Who does it.", show_default=False, autocompletion=completion.people)
    ] = "",
    due: Annotated[str, typer.Option("--due", help="Until when: 2026-12-24T12:00:00Z", show_default=False)] = "",
    link: Annotated[
        str, typer.Option("--link", help="Where the work is: a ticket, the change of a policy.", show_default=False)
    ] = "",
    by: By = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Add a follow-up action."""
    body = {"text": text, "owner": owner, "due": due or None, "link": link, "by": by}
    say_follow_ups(call("POST", url, token, path_of(id, "follow-ups"), body=body), json)


def follow_up_done(
    id: Id,  # noqa: A002
    action: Annotated[
        str,
        typer.Argument(
            metavar="ACTION", help="As `tocsin follow-ups` names it: f1", autocompletion=completion.follow_ups
        ),
    ],
    by: By = "",
    note: NoteText = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Mark a follow-up action as done."""
    body = {"by": by, "note": note}
    say_follow_ups(call("POST", url, token, path_of(id, "follow-ups", action, "done"), body=body), json)


def sign_off(id: Id, by: By = "", note: NoteText = "", url: Url = LOCAL, token: Token = "", json: Json = False) -> None:  # noqa: A002
    """Sign off a resolved incident. The signer must not be the person who resolved it."""
    say(call("POST", url, token, path_of(id, "sign-off"), body={"by": by, "note": note}), json)


def close(
    id: Id,  # noqa: A002
    note: Annotated[str, typer.Option("--note", help="Why it closes now.")],
    by: By = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Close a resolved incident now, even if tasks are open; the reason is recorded."""
    say(call("POST", url, token, path_of(id, "close"), body={"by": by, "note": note}), json)


@or_json
def say_steps(found: dict[str, Any]) -> None:
    """Prints checklists."""
    for checklist in found["checklists"]:
        rows = (
            ("x" if step["done"] else "", step["id"], step["text"], step["done_by"] or "", step["link"] or step["note"])
            for step in checklist["steps"]
        )
        print_table(["", "step", "what", "who", "evidence"], rows, f"\n{checklist['title']}")
    if not found["checklists"]:
        console.print("No checklists.")


@or_json
def say_notices(found: dict[str, Any]) -> None:
    """Prints notices with their full texts."""
    for notice in found["notices"]:
        who = f"{notice['group']} ({', '.join(notice.get('only_to') or notice['recipients'])})"
        void = f"; {notice['why_void']}" if notice.get("why_void") else ""
        console.print(f"{notice['id']} {notice['standing']}{void}: {who}", markup=False)
        if notice["text"]:
            console.print(f"hash {notice['hash']}\n\n{notice['subject']}\n\n{notice['text']}", markup=False)
        if notice.get("edited_by"):
            console.print(f"edited by {notice['edited_by']} at {local(notice['edited_at'])}", markup=False)
        for problem in notice.get("problems", []):
            console.print(f"it cannot be approved: {problem}", markup=False)
    if not found["notices"]:
        console.print("No notices.")


@or_json
def say_follow_ups(found: dict[str, Any]) -> None:
    """Prints follow-up actions."""
    rows = (
        (
            "x" if each["done_at"] else "",
            each["id"],
            each["text"],
            each["owner"] or "",
            local(each["due_at"]) if each["due_at"] else "",
        )
        for each in found["follow_ups"]
    )
    print_table(["", "action", "what", "who", "due"], rows)
