"""Reports to authorities from a shell: outstanding reports, filings, and which obligations apply."""

from pathlib import Path
from typing import Annotated, Any

import typer

from receiver.cli import completion
from receiver.cli.evidence_records import Reason, attach, digest
from receiver.cli.incidents import LOCAL, By, Id, Json, NoteText, Token, Url, call, path_of
from receiver.cli.output import console, local, or_json

ObligationName = Annotated[
    str,
    typer.Option("--obligation", help="As `tocsin obligations` names it: nis2", autocompletion=completion.obligations),
]


def obligations(id: Id, url: Url = LOCAL, token: Token = "", json: Json = False) -> None:  # noqa: A002 - ID to people
    """Show which authorities must be told of an incident, until when, and what was filed."""
    say_obligations(call("GET", url, token, path_of(id, "obligations")), json)


def file_report(
    id: Id,  # noqa: A002
    obligation: ObligationName,
    stage: Annotated[str, typer.Option("--stage", help="As `tocsin obligations` names it: early_warning")],
    reference: Annotated[str, typer.Option("--reference", help="What the authority calls it: a number, a receipt.")],
    date: Annotated[
        str, typer.Option("--date", help="When it was filed: 2026-12-24T12:00:00Z; left out: now.", show_default=False)
    ] = "",
    file: Annotated[
        Path | None,
        typer.Option("--file", help="What was filed: it is attached to the incident as evidence.", show_default=False),
    ] = None,
    by: By = "",
    note: NoteText = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Record that a report was filed with an authority, with its evidence."""
    said = {"stage": stage, "reference": reference, "filed_at": date, "by": by, "note": note}
    body = {name: value for name, value in said.items() if value}
    if file:
        body |= {"file": file.name, "sha256": digest(file)}
    found = call("POST", url, token, path_of(id, "obligations", obligation, "filings"), body=body)
    if file:
        attach(id, file, {"note": f"filed: {stage} of {obligation}, {reference}"}, url, token)
    say_obligations(found, json)


def withdraw_filing(
    id: Id,  # noqa: A002
    filing: Annotated[str, typer.Argument(metavar="FILING", help="As `tocsin obligations` names it: r1")],
    reason: Reason,
    by: By = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Say that a filing was recorded by mistake: its record stays, and its report is outstanding again."""
    body = {"reason": reason, "by": by}
    say_obligations(call("POST", url, token, path_of(id, "filings", filing, "withdraw"), body=body), json)


def judge_obligation(
    id: Id,  # noqa: A002
    obligation: ObligationName,
    applies: Annotated[bool, typer.Option("--applies/--does-not-apply", help="What was decided.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, and who said so.")],
    counted_from: Annotated[
        str,
        typer.Option(
            "--counted-from", help="What its time counts from: 2026-12-24T12:00:00Z; left out: as the policy says."
        ),
    ] = "",
    by: By = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Record whether a reporting obligation applies to an incident. It overrides the policy."""
    body = {"applies": applies, "reason": reason, "by": by} | ({"counted_from": counted_from} if counted_from else {})
    say_obligations(call("PUT", url, token, path_of(id, "obligations", obligation), body=body), json)


@or_json
def say_obligations(found: dict[str, Any]) -> None:
    """Prints the authorities that must be told."""
    for each in found["obligations"]:
        standing = "applies" if each["applies"] else "does not apply" if each["since"] else "does not concern it"
        on = f" on {local(each['decided_at'])}" if each.get("decided_at") else ""
        decided = f", said {each['decided_by']}{on}: {each['reason']}" if each["decided_by"] else ""
        console.print(f"{each['name']}: {each['authority']} ({standing}{decided})", markup=False, soft_wrap=True)
        for note in filter(None, (each["source"], each["note"])):
            console.print(f"  {note}", markup=False, soft_wrap=True)
        for stage in each["stages"]:
            _say_stage(stage)
    if not found["obligations"]:
        console.print("The policy has no reporting obligations.")


def _say_stage(stage: dict[str, Any]) -> None:
    late = ", OVERDUE" if stage["overdue"] else ""
    by = ", ".join(filter(None, (stage["channel"], stage["approver"] and f"approved by {stage['approver']}")))
    since = f"{stage['counted_from']} ({local(stage['began_at'])})"
    due = f"  {stage['stage']}: due {local(stage['due_at'])}, counted from {since}"
    console.print(f"{due}{late}{f' ({by})' if by else ''}", markup=False, soft_wrap=True)
    for filing in stage["filings"]:
        evidence = f", {filing['file']} SHA-256 {filing['sha256']}" if filing["sha256"] else ""
        recorded = f"{filing['reference']} (recorded by {filing['recorded_by']}{evidence})"
        said = f"{filing['id']} filed {local(filing['filed_at'])}: {recorded}"
        console.print(f"    {said}", markup=False, soft_wrap=True)
    for filing in stage["withdrawn"]:
        who = f"{filing['withdrawn_by']} on {local(filing['withdrawn_at'])}: {filing['withdrawn_why']}"
        said = f"{filing['id']} not filed after all: {filing['reference']} (withdrawn by {who})"
        console.print(f"    {said}", markup=False, soft_wrap=True)
    if stage["text"] and not stage["filings"]:
        console.print(f"\n{stage['text']}\n", markup=False)
