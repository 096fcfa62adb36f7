"""The command `tocsin`. Exit codes: 0 success, 1 problems found, 2 wrong usage.

One module per group of commands: `policies` (check), `compilation` (compile), `adoption` (adopt), `running` (serve,
demo), `incidents` and `responding` (the API from a shell), `watch`, `reports`, `maintenance` (backup, restore). Imports
that only some commands need (the database, the service, HTTP) are made when they run, so that `tocsin check` in an
editor or a hook starts fast.
"""

import sys
from typing import Annotated

import typer

from receiver.cli import (
    adoption,
    audit,
    authorities,
    channels,
    compilation,
    databases,
    doctor,
    drills,
    evidence_records,
    heartbeats,
    incident_shown,
    incidents,
    maintenance,
    on_call,
    overrides,
    policies,
    proofs,
    reports,
    responding,
    running,
    watch,
)
from receiver.cli.output import fail
from receiver.errors import StoreUnavailable, TocsinError
from receiver.version import described
from rules.problems import PolicyError

app = typer.Typer(
    name="tocsin",
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


policies.add_to(app)
compilation.add_to(app)
adoption.add_to(app)
running.add_to(app)
channels.add_to(app)
incidents.add_to(app)
incident_shown.add_to(app)
watch.add_to(app)
audit.add_to(app)
heartbeats.add_to(app)
overrides.add_to(app)
drills.add_to(app)
on_call.add_to(app)
proofs.add_to(app)
responding.add_to(app)
authorities.add_to(app)
evidence_records.add_to(app)
reports.add_to(app)
maintenance.add_to(app)
databases.add_to(app)
doctor.add_to(app)


def main() -> None:
    """The entry point. Expected errors are printed as messages, not as tracebacks."""
    try:
        app()
    except PolicyError as error:
        fail("\n".join(str(problem) for problem in error.problems))
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
