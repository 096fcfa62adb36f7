"""The console's table: every page once. `receiver.web.app` serves it."""

from collections.abc import Callable, Sequence

from aiohttp import web

from receiver.core.model import Instant
from receiver.desk import Desk
from receiver.settings import Role
from receiver.store import Reads
from receiver.web.api import Api
from receiver.web.console.channels import ChannelsPage
from receiver.web.console.frame import Frame, serve_static
from receiver.web.console.history import History
from receiver.web.console.incident import IncidentPage
from receiver.web.console.live import Live
from receiver.web.console.now import Now
from receiver.web.console.policy import PolicyPage
from receiver.web.console.weeks import Weeks
from receiver.web.problems import Handler
from receiver.web.sessions import Sessions


def add_console(
    app: web.Application,
    *,
    desk: Desk,
    reads: Reads,
    api: Api,
    sessions: Sessions,
    clock: Callable[[], Instant],
    ready: Callable[[], Sequence[str]],
) -> None:
    """Add the pages to the application."""
    frame = Frame(sessions, clock)
    now = Now(frame, desk, reads, api, ready)
    incident = IncidentPage(frame, desk, reads, api)
    weeks = Weeks(reads)
    history = History(frame, desk, reads, weeks)
    live = Live(desk, reads, sessions)
    view, responder = Role.VIEWER, Role.RESPONDER
    one = r"/incidents/{incident:\d{1,9}}"
    pages: tuple[tuple[str, str, Handler], ...] = (
        ("GET", "/", frame.handler(view, now.show)),
        ("GET", one, frame.handler(view, incident.show)),
        ("POST", f"{one}/{{action}}", frame.handler(responder, incident.act)),
        ("GET", f"{one}/{{list}}.csv", frame.handler(view, incident.export)),
        ("GET", "/history", frame.handler(view, history.show)),
        ("GET", "/history.csv", frame.handler(view, history.export)),
        ("GET", "/policy", frame.handler(view, PolicyPage(frame, desk).show)),
        ("GET", "/channels", frame.handler(view, ChannelsPage(frame, desk, reads).show)),
        ("GET", "/events", live.stream),
        ("GET", "/static/{name}", serve_static),
    )
    for method, path, handler in pages:
        app.router.add_route(method, path, handler)
    app.cleanup_ctx.append(weeks.context)
    app.cleanup_ctx.append(live.context)
    app.on_shutdown.append(live.end)
