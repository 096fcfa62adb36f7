"""The command `tocsin`. Exit codes: 0 success, 1 problems found, 2 wrong usage.

One module per group of commands. The module of the command that was typed is imported, and no other; within it,
imports that only some runs need (the database, the service, HTTP) are made when they are needed, so that `tocsin
check` in an editor or a hook starts fast.
"""

import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Annotated, Any

import typer
from typer._click.exceptions import ClickException
from typer.core import TyperGroup

from receiver.cli.output import asks_json, fail, refuse
from receiver.errors import StoreUnavailable, TocsinError
from receiver.version import described
from rules.problems import PolicyError

COMMANDS = {
    "check": "policies.check",
    "compile": "compilation.compile_",
    "adopt": "adoption.adopt_",
    "serve": "running.serve_",
    "demo": "running.demo",
    "hash-password": "running.hash_password",
    "test-channel": "channels.try_out",
    "incidents": "incidents.incidents",
    "acknowledge": "incidents.acknowledge",
    "resolve": "incidents.resolve",
    "escalate": "incidents.escalate",
    "withdraw": "incidents.withdraw",
    "give-back": "incidents.give_back",
    "undo": "incidents.undo",
    "note": "incidents.note",
    "update": "incidents.update",
    "declare": "incidents.declare",
    "show": "incident_shown.show",
    "watch": "watch.watch",
    "heartbeats": "heartbeats.heartbeats",
    "retire-heartbeat": "heartbeats.retire",
    "override": "overrides.override",
    "overrides": "overrides.overrides",
    "drill": "drills.drill",
    "on-call": "on_call.on_call",
    "explain": "proofs.explain_",
    "replay": "proofs.replay_",
    "diff": "proofs.diff",
    "schema": "proofs.schema",
    "steps": "responding.steps",
    "tick": "responding.tick",
    "handover": "responding.handover",
    "assign": "responding.assign",
    "notices": "responding.notices",
    "edit-notice": "responding.edit_notice",
    "approve": "responding.approve",
    "reject": "responding.reject",
    "follow-ups": "responding.follow_ups",
    "follow-up": "responding.follow_up",
    "follow-up-done": "responding.follow_up_done",
    "sign-off": "responding.sign_off",
    "close": "responding.close",
    "obligations": "authorities.obligations",
    "file-report": "authorities.file_report",
    "withdraw-filing": "authorities.withdraw_filing",
    "judge-obligation": "authorities.judge_obligation",
    "report": "reports.report",
    "approve-report": "reports.approve_report",
    "backup": "databases.backup",
    "restore": "databases.restore",
    "copy": "databases.copy",
    "doctor": "doctor.doctor",
    "audit": "audit.audit",
    "evidence": "evidence_records.evidence",
    "hold": "evidence_records.hold",
    "database": "databases.database",
}
"""A command → its module, and the function or the group in it; in the order of `tocsin --help`."""


class _Imported(Mapping[str, Any]):
    """The commands; the module of one is imported when the command is asked for."""

    def __getitem__(self, name: str) -> Any:
        module, _, member = COMMANDS[name].partition(".")
        found = getattr(import_module(f"receiver.cli.{module}"), member)
        alone = typer.Typer()
        if isinstance(found, typer.Typer):
            alone.add_typer(found, name=name)
        else:
            alone.command(name=name)(found)
        return typer.main.get_group(alone).commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class _Commands(TyperGroup):
    def __init__(self, **given: Any) -> None:
        super().__init__(**given | {"commands": _Imported()})


app = typer.Typer(
    name="tocsin",
    cls=_Commands,
    help="Incident response between Prometheus/Alertmanager and the people who must act.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _say_version(wanted: bool) -> None:
    if wanted:
        print(described())
        raise typer.Exit


@app.callback()
def _every_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Version and commit, and end.")
    ] = False,
) -> None:
    """Incident response between Prometheus/Alertmanager and the people who must act."""


def main() -> None:
    """The entry point. Expected errors are printed as messages, not as tracebacks."""
    try:
        sys.exit(app(standalone_mode=not asks_json()))
    except ClickException as error:  # wrong usage; without --json it has been printed
        fail(f"tocsin: {error.format_message()}", 2)
    except PolicyError as error:
        refuse(error.problems)
    except StoreUnavailable as error:
        cure = "name a file that this user may write, or a PostgreSQL that answers"
        fail(f"tocsin: TOCSIN_DATABASE (--database): {error}; {cure}")
    except TocsinError as error:
        fail(f"tocsin: {error}")
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        fail(f"tocsin: {where}{error.strerror or type(error).__name__}")
