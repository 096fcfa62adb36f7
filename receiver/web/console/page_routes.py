"""The console's table: every page once. `receiver.web.app` serves it."""

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from receiver.channels import Senders
from receiver.core.model import Instant
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.engine.service_state import ServiceState
from receiver.messages import MessageRenderer
from receiver.reports.queries import Records
from receiver.settings import Role
from receiver.store import Reads, SqlStore
from receiver.web.api.call import Endpoint
from receiver.web.api.evidence_operations import Custody
from receiver.web.api.heartbeat_clocks import HeartbeatsApi
from receiver.web.api.incident_operations import Api
from receiver.web.api.obligation_operations import Obligations
from receiver.web.api.response_operations import Responding
from receiver.web.api.rosters import OnCallApi, RosterReader
from receiver.web.auth.sessions import Sessions
from receiver.web.console.channels_page import ChannelsPage
from receiver.web.console.declare import Declaration
from receiver.web.console.devices_page import DevicesPage
from receiver.web.console.drill_page import DrillPage
from receiver.web.console.history import History
from receiver.web.console.incident_page import IncidentPage
from receiver.web.console.incident_page_data import Reader
from receiver.web.console.installed_app import app_routes
from receiver.web.console.live import Live
from receiver.web.console.now import Now
from receiver.web.console.on_call_page import OnCallPage
from receiver.web.console.open_standing import OpenStanding
from receiver.web.console.pages import Frame, serve_static
from receiver.web.console.period_pages import PeriodPages
from receiver.web.console.person_page import PersonFeeds, PersonPage
from receiver.web.console.policy_page import PolicyPage
from receiver.web.console.report_page import ReportPage
from receiver.web.console.training_page import TrainingPage
from receiver.web.console.wall import Wall, WallLinks
from receiver.web.console.weeks import Weeks
from receiver.web.http.problem_details import Handler


def add_console(  # noqa: PLR0913 - its parts, each by name
    app: web.Application,
    *,
    queue: CommandQueue,
    engine: Engine,
    reads: Reads,
    api: Api,
    heartbeats: HeartbeatsApi,
    sessions: Sessions,
    clock: Callable[[], Instant],
    state: ServiceState,
    senders: Senders,
    renderer: MessageRenderer,
    operations: Mapping[str, Endpoint[Any]],
    records: Records,
    rosters: RosterReader,
    on_call: OnCallApi,
    feeds: PersonFeeds,
    custody: Custody,
    store: SqlStore,
    key: str,
    wall_links: WallLinks,
) -> None:
    """Adds the pages to the application. `operations`: the API's, by name; a button needs its operation's role."""
    frame = Frame(sessions, clock)
    now = Now(frame, queue, engine, reads, api, state)
    incident = IncidentPage(frame, Reader(engine, reads, api, Responding(api), Obligations(api)), operations, custody)
    report = ReportPage(frame, api, records)
    declaration = Declaration(frame, engine, api)
    weeks = Weeks(reads)
    history = History(frame, queue, engine, reads, weeks)
    channels = ChannelsPage(frame, queue, engine, reads, senders, renderer, heartbeats, clock)
    policy = PolicyPage(frame, engine, state, queue, reads)
    duty, person = OnCallPage(frame, rosters, on_call), PersonPage(frame, rosters, feeds, channels)
    devices = DevicesPage(frame, queue, store, lambda: engine.current.policy, key)
    devices.attach(senders)
    training = TrainingPage(frame, queue, engine, records)
    periods = PeriodPages(frame, queue, records)
    live = Live(queue, reads, sessions, OpenStanding(engine, reads))
    wall = Wall(now, rosters, wall_links, live)
    responder = Role.RESPONDER
    view, declares, retires = Role.VIEWER, operations["declare"].role, operations["retire"].role
    one = r"/incidents/{incident:\d{1,9}}"
    pages: tuple[tuple[str, str, Handler], ...] = (
        ("GET", "/", frame.handler(view, now.show)),
        ("POST", "/several", frame.handler(responder, now.act)),
        ("GET", "/declare", frame.handler(declares, declaration.show)),
        ("POST", "/declare", frame.handler(declares, declaration.declare)),
        ("GET", one, frame.handler(view, incident.show)),
        ("GET", f"{one}/report", frame.handler(view, report.show)),
        ("POST", f"{one}/{{action:evidence|file-report}}", frame.handler(responder, incident.act, takes_file=True)),
        ("GET", f"{one}/evidence/{{file}}", frame.handler(view, incident.fetch)),
        ("POST", f"{one}/{{action}}", frame.handler(view, incident.act)),
        ("GET", f"{one}/{{list}}.csv", frame.handler(view, incident.export)),
        ("GET", "/history", frame.handler(view, history.show)),
        ("GET", "/history/weeks.csv", frame.handler(view, history.export_figures)),
        ("GET", "/history/report", frame.handler(view, periods.show_period)),
        ("GET", "/history/drills", frame.handler(view, periods.show_drills)),
        ("GET", "/history.csv", frame.handler(view, history.export)),
        ("GET", "/on-call", frame.handler(view, duty.show)),
        ("POST", "/on-call/take", frame.handler(Role.RESPONDER, duty.take)),
        ("POST", "/on-call/cancel", frame.handler(Role.RESPONDER, duty.cancel)),
        ("GET", "/people/{person}", frame.handler(view, person.show)),
        ("POST", "/people/{person}/test", frame.handler(Role.RESPONDER, person.test)),
        ("GET", "/people/{person}/devices", frame.handler(responder, devices.show)),
        ("POST", "/people/{person}/devices", frame.handler(responder, devices.add)),
        ("POST", "/people/{person}/devices/remove", frame.handler(responder, devices.remove)),
        ("GET", "/feeds/{person}/{mark}.ics", feeds.serve),
        ("GET", "/training", frame.handler(view, training.show)),
        ("GET", "/training.csv", frame.handler(view, training.export)),
        ("GET", "/policy", frame.handler(view, policy.show)),
        ("GET", "/policy/drill", frame.handler(view, DrillPage(frame, engine).show)),
        ("GET", "/policy.csv", frame.handler(view, policy.export)),
        ("GET", "/channels", frame.handler(view, channels.show)),
        ("GET", "/channels.csv", frame.handler(view, channels.export)),
        ("POST", "/channels/test", frame.handler(Role.RESPONDER, channels.test)),
        ("POST", "/channels/retire", frame.handler(retires, channels.retire)),
        ("GET", "/wall", frame.handler(view, wall.show)),
        ("GET", "/wall/{name}/{mark}", frame.handler(view, wall.show_linked, who=wall_links.caller)),
        ("GET", "/wall/{name}/{mark}/events", wall.stream),
        ("GET", "/events", live.stream),
        ("GET", "/static/{name}", serve_static),
        *app_routes(clock),
    )
    for method, path, handler in pages:
        app.router.add_route(method, path, handler)
    app.cleanup_ctx.append(weeks.context)
    app.cleanup_ctx.append(live.context)
    app.on_shutdown.append(live.end)
