"""`tocsin serve` and `tocsin demo`."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from receiver.cli.policy_options import Paths
from receiver.runtime import calm_down
from receiver.settings import Settings
from receiver.telemetry.logs import configure_logs

if TYPE_CHECKING:
    from receiver.service import Service

MANY_FILES = 65_536
"""Limit of open files that is requested, connections included."""


def serve_(
    paths: Paths = None,
    listen: Annotated[str | None, typer.Option(help="Address and port [TOCSIN_LISTEN].", show_default=False)] = None,
    database: Annotated[
        str | None,
        typer.Option(help="sqlite://, sqlite:///path or postgresql://… [TOCSIN_DATABASE].", show_default=False),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(help="Keep the webhooks in this file, without secrets, for `tocsin replay`.", show_default=False),
    ] = None,
) -> None:
    """Run the receiver."""
    given = {"listen": listen, "database": database}
    settings = Settings.read(os.environ, **{name: value for name, value in given.items() if value is not None})
    configure_logs(settings.log_format)
    _run(_serve(settings, paths or [], record))


def hash_password() -> None:
    """Ask for a password and print its hash, for a line of TOCSIN_USERS_FILE: NAME:ROLE:HASH."""
    from receiver.web.auth.passwords import hash_password as hashed

    print(hashed(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)))


async def _serve(settings: Settings, paths: list[Path], record: Path | None = None) -> None:
    from receiver.service import serve

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    starting = cast("asyncio.Task[None]", asyncio.current_task())
    _on_end(starting.cancel)

    def listening(service: "Service") -> None:
        _on_end(stop.set)
        calm_down()
        loop.add_signal_handler(signal.SIGHUP, service.reload_soon)

    _allow_many_connections()
    await serve(settings, paths, stop, listening, record)


def _on_end(do: Callable[[], object]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, do)


def _allow_many_connections() -> None:
    """Raises the soft limit of open files (often about a thousand) to the hard limit: slow clients could use it up."""
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY_FILES if hard == resource.RLIM_INFINITY else min(hard, MANY_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def demo(
    factor: Annotated[
        float, typer.Option(min=1, max=3600, help="How many times faster than the policy says time passes.")
    ] = 60.0,
    once: Annotated[bool, typer.Option(help="End when the story is told, instead of waiting for Ctrl-C.")] = False,
) -> None:
    """Run a demonstration on this machine: policy, rules, alert, incident, messages, resolve."""
    from receiver.demo import tell

    _run(tell(factor, once=once))


def _run(main: Coroutine[Any, Any, None]) -> None:
    with suppress(KeyboardInterrupt, asyncio.CancelledError), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(main)


def _loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop
