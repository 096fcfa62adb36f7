"""`tocsin audit`: reads the audit log from the database and verifies that it is unchanged."""

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from receiver.cli.databases import OPTION, existing
from receiver.cli.output import console, fail, print_json, print_table
from receiver.settings import Settings

if TYPE_CHECKING:
    from receiver.store import SqlStore

audit = typer.Typer(help="What people did: who, when, from where.", no_args_is_help=True)

Database = Annotated[str | None, typer.Option(help="The receiver's database [TOCSIN_DATABASE].", show_default=False)]


@audit.command()
def verify(
    database: Database = None,
    head: Annotated[
        str, typer.Option(help="A head noted earlier, POSITION:HASH: that entry must be the same still.")
    ] = "",
) -> None:
    """Verify that no audit entry was changed, removed or inserted, and that all evidence files are unchanged.

    Prints the head; store it elsewhere.
    """
    from receiver.store.audit_chain import AuditBroken

    store = _open(database)
    try:
        position, link = store.verify_audit(_known(head))
        files, wrong = store.verify_evidence()
    except AuditBroken as error:
        fail(f"tocsin: {error}")
    finally:
        store.close()
    console.print(f"{position} entries, unchanged. Head: {position}:{link}", soft_wrap=True)
    if wrong:
        fail("\n".join(f"tocsin: {each}" for each in wrong))
    if files:
        console.print(f"{files} evidence {'file' if files == 1 else 'files'}: as attached, or redacted by order.")


@audit.command(name="list")
def list_(
    database: Database = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 50,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List the newest entries, the newest first."""
    from receiver.messages.times import rfc3339

    store = _open(database)
    try:
        found = store.newest_audits(limit)
    finally:
        store.close()
    if json:
        print_json([{"position": position, **asdict(entry), "at": rfc3339(entry.at)} for position, entry in found])
        return
    rows = (
        (
            position,
            rfc3339(entry.at),
            entry.who,
            f"{entry.via} {entry.address}",
            entry.action,
            entry.incident.partition(" ")[0],
            entry.outcome,
            ", ".join(f"{name}={value}" for name, value in entry.data.items()),
        )
        for position, entry in found
    )
    print_table(["", "when", "who", "from", "what", "incident", "outcome", "said"], rows)


def _open(database: str | None) -> "SqlStore":
    from receiver.store import open_store

    return open_store(existing(Settings.read(os.environ, database=database).database, OPTION))


def _known(head: str) -> tuple[int, str] | None:
    position, _, link = head.partition(":")
    if not head:
        return None
    if not position.isdigit() or not link:
        raise typer.BadParameter("write POSITION:HASH, as `tocsin audit verify` printed it", param_hint="--head")
    return int(position), link
