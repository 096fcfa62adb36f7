"""Assembles the web application: webhook, API, pages, health, metrics.

The service calls `make_app` once and `make_runner` to serve it. Rule: without authentication only `/metrics`,
`/-/healthy` and `/-/ready` answer, and they reveal nothing of an incident.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

import orjson
import structlog
from aiohttp import web

from receiver.channels import Senders
from receiver.core.audit_log import audit_of
from receiver.core.model import Instant
from receiver.core.urgency import PEOPLE
from receiver.engine.engine import Engine
from receiver.engine.heartbeat_cache import Heartbeats
from receiver.engine.queue import CommandQueue
from receiver.engine.service_state import ServiceState
from receiver.errors import SettingsError
from receiver.jobs.loaded_rules import RulesSeen
from receiver.messages import MessageRenderer
from receiver.reports.queries import Records
from receiver.settings import Role, Settings
from receiver.store import Reads, SqlStore
from receiver.telemetry.metrics import Metrics
from receiver.telemetry.tracing import Traces
from receiver.web.alert_webhook import Webhook
from receiver.web.api.call import serve
from receiver.web.api.evidence_operations import Custody
from receiver.web.api.heartbeat_clocks import HeartbeatsApi
from receiver.web.api.incident_operations import Api
from receiver.web.api.incident_reports import Reporter
from receiver.web.api.openapi import describe
from receiver.web.api.rosters import OnCallApi, RosterReader
from receiver.web.api.routes import ROOT, endpoints
from receiver.web.auth.passwords import Failures
from receiver.web.auth.sessions import Sessions
from receiver.web.auth.signing import Signing
from receiver.web.callbacks import CallbackActions, CallbackContext, add_callbacks
from receiver.web.console.links import LinkPages, Links
from receiver.web.console.login import Login
from receiver.web.console.page_routes import add_console
from receiver.web.console.person_page import PersonFeeds
from receiver.web.console.wall import WallLinks
from receiver.web.http.connections import CONNECTIONS, SENDERS, SENDERS_BY_TLS, Connections, keep_seats
from receiver.web.http.path_prefix import below, require_apart
from receiver.web.http.problem_details import JSON, Handler, HttpProblem, add_headers, answer_problems
from receiver.web.http.request_body import BODIES, Bodies, count_bodies
from receiver.web.http.server_log import server_log
from receiver.web.http.uploads import UPLOADS, Uploads
from receiver.web.recorder import Recorder
from receiver.web.scrapes import Scrapes

if TYPE_CHECKING:
    from receiver.web.auth.oidc import Oidc

KEEP_ALIVE = 330.0
"""Seconds an idle connection stays: longer than Go's client keeps one (5 min), so that Tocsin never closes one that
Alertmanager is about to use; also the limit for receiving headers.
"""

MOST_HEADERS = 64
"""Of a request; each has at most 8 kB."""

BUFFERED = 1 << 16
"""Bytes of a body buffered unread per connection (up to twice that)."""

LINGER = 5.0
"""Seconds to read the rest of a refused body before the connection is closed."""

SHUTDOWN = 10.0
"""Seconds for running requests when the service stops."""

log = structlog.get_logger()


def make_app(  # noqa: PLR0913 - the service's parts, each by name
    *,
    queue: CommandQueue,
    engine: Engine,
    reads: Reads,
    store: SqlStore,
    heartbeats: Heartbeats,
    rules_seen: RulesSeen,
    state: ServiceState,
    settings: Settings,
    clock: Callable[[], Instant],
    metrics: Metrics,
    reload: Callable[[], Awaitable[Sequence[str]]],
    key: str,
    installation: str,
    recorder: Recorder | None = None,
    senders: Senders | None = None,
    traces: Traces | None = None,
) -> web.Application:
    """Makes the application.

    `reload` returns the new policy's problems; `key` signs sessions and links, the latter for this `installation` only;
    `senders` send test messages. Raises SettingsError if the settings would give access without authentication.
    """
    settings.require_safe()
    signing = Signing(key, clock)
    sessions = Sessions(settings, signing)
    callbacks = CallbackActions(queue, engine, reads, clock)
    links = LinkPages(callbacks, Links(signing, installation, settings.external_url), sessions, clock)
    words = MessageRenderer(settings.external_url)
    api = Api(queue, engine, reads, words)
    records = Records(reads, words, engine)
    reporter = Reporter(api, queue, records, clock)
    heartbeats_api = HeartbeatsApi(queue, engine, heartbeats, clock)
    rosters = RosterReader(queue, engine, reads)
    on_call = OnCallApi(queue, engine, rosters, clock)
    custody = Custody(api, queue, engine, reads)
    table = endpoints(api, reporter, heartbeats_api, on_call, custody)
    webhook = Webhook(
        queue=queue,
        engine=engine,
        heartbeats=heartbeats,
        rules_seen=rules_seen,
        state=state,
        settings=settings,
        clock=clock,
        metrics=metrics,
        recorder=recorder,
        traces=traces,
    )
    login = Login(sessions, settings, Failures(clock), queue, engine, clock)
    oidc = _make_oidc(settings, signing, sessions, queue, engine, clock, login) if settings.oidc_issuer else None
    application = Application(queue, engine, sessions, clock, state, reload)

    @cache
    def document() -> bytes:  # costs more than all else at a start, and few ask for it
        return orjson.dumps(describe(table, version("tocsin"), settings.external_url))

    async def openapi(request: web.Request) -> web.Response:
        sessions.require(request, Role.VIEWER)
        return web.Response(body=await asyncio.to_thread(document), content_type=JSON)

    async def is_noted(reference: str) -> bool:
        return await queue.read(reads.is_audited, reference)

    middlewares = [keep_seats, answer_problems, count_bodies, sessions.know_ended(is_noted)]
    if settings.path:
        middlewares.append(below(settings.path))
    app = web.Application(middlewares=middlewares)
    app.on_response_prepare.append(add_headers)
    app[BODIES] = Bodies(settings.body_limit)
    app[UPLOADS] = _make_uploads(settings, queue, store)
    app[CONNECTIONS] = Connections(senders=SENDERS_BY_TLS if settings.tls_cert_file else SENDERS)
    for path in ("/webhook/alertmanager", "/webhook/alertmanager/"):  # a redirect would lose the body
        app.router.add_post(path, webhook.receive)
    app.router.add_route("GET", f"{ROOT}/openapi.json", openapi)
    for endpoint in table:
        app.router.add_route(endpoint.method, ROOT + endpoint.path, serve(endpoint, sessions))
    scrapes = Scrapes(
        queue=queue,
        engine=engine,
        reads=reads,
        heartbeats=heartbeats,
        state=state,
        metrics=metrics,
        rosters=rosters,
        sessions=sessions,
        clock=clock,
    )
    app.router.add_route("GET", "/metrics", scrapes.expose)
    for method, path, handler in (
        *application.routes(),
        *login.routes(),
        *(oidc.routes() if oidc else ()),
        *links.routes(),
    ):
        app.router.add_route(method, path, handler)
    if oidc:
        app.on_cleanup.append(oidc.close)
    add_callbacks(
        CallbackContext(
            app=app,
            settings=settings,
            actions=callbacks,
            rosters=rosters,
            signing=signing,
            installation=installation,
            clock=clock,
        )
    )
    tests = MessageRenderer(settings.external_url, "test", sms_replies=False)
    add_console(
        app,
        queue=queue,
        engine=engine,
        reads=reads,
        api=api,
        heartbeats=heartbeats_api,
        sessions=sessions,
        clock=clock,
        state=state,
        senders=senders or {},
        renderer=tests,
        operations={each.run.__name__: each for each in table},
        records=records,
        rosters=rosters,
        on_call=on_call,
        feeds=PersonFeeds(rosters, signing, installation, clock),
        custody=custody,
        store=store,
        key=key,
        wall_links=WallLinks(settings, signing, installation),
    )
    if settings.path:
        require_apart(settings.path, app)
    return app


def _make_uploads(settings: Settings, queue: CommandQueue, store: SqlStore) -> Uploads:
    async def keep(upload: str, position: int, content: bytes) -> None:
        await queue.run(store.add_evidence, upload, position, content, queue.clock())

    return Uploads(
        settings.evidence_limit,
        keep,
        drop=lambda upload: queue.run(store.drop_evidence, upload),
        has_room=lambda size: queue.read(store.reads().has_room, size),
    )


def _make_oidc(
    settings: Settings,
    signing: Signing,
    sessions: Sessions,
    queue: CommandQueue,
    engine: Engine,
    clock: Callable[[], Instant],
    login: Login,
) -> "Oidc":
    """Raises SettingsError if the extra is not installed."""
    try:
        from receiver.web.auth.oidc import Oidc  # noqa: PLC0415 - only with the extra
    except ImportError as error:
        raise SettingsError("TOCSIN_OIDC_ISSUER: needs the extra oidc: pip install 'tocsin[oidc]'") from error
    return Oidc(settings, signing, sessions, queue, engine, clock, login.page)


def make_runner(app: web.Application) -> web.AppRunner:
    """The application's server: long keep-alive for Alertmanager, short timeouts otherwise."""
    return web.AppRunner(
        app,
        access_log=None,
        logger=server_log(),
        handler_cancellation=False,
        auto_decompress=False,  # `receiver.web.http.request_body` decompresses, for known callers only
        read_bufsize=BUFFERED,
        max_headers=MOST_HEADERS,
        keepalive_timeout=KEEP_ALIVE,
        lingering_time=LINGER,
        shutdown_timeout=SHUTDOWN,
    )


@dataclass(frozen=True, slots=True)
class Application:
    """Handlers of health and reload."""

    queue: CommandQueue
    engine: Engine
    sessions: Sessions
    clock: Callable[[], Instant]
    state: ServiceState
    reload: Callable[[], Awaitable[Sequence[str]]]

    def routes(self) -> tuple[tuple[str, str, Handler], ...]:
        """Method, path, handler."""
        return (
            ("GET", "/-/healthy", self.say_healthy),
            ("GET", "/-/ready", self.say_ready),
            ("POST", "/-/reload", self.reload_policy),
            ("PUT", "/-/reload", self.reload_policy),
        )

    async def say_healthy(self, _request: web.Request) -> web.Response:
        """Answers 200 while the process runs."""
        return web.Response(text="Tocsin is healthy.\n")

    async def say_ready(self, request: web.Request) -> web.Response:
        """Answers 200 if Tocsin can take alerts and deliver notifications; else 503 with the failing parts.

        Authenticated callers also get the reasons.
        """
        failing = self.state.failing()
        if not failing:
            return web.Response(text="Tocsin is ready.\n")
        said = [str(each) if self._knows(request) else each.part for each in failing]
        return web.Response(status=503, text="".join(f"Tocsin is not ready: {each}\n" for each in said))

    def _knows(self, request: web.Request) -> bool:
        """Whether the request is authenticated; a wrong token counts as none."""
        try:
            return self.sessions.caller(request) is not None
        except HttpProblem:
            return False

    async def reload_policy(self, request: web.Request) -> web.Response:
        """Reads the policy again; a policy with problems is refused and the one in use stays."""
        caller = self.sessions.require(request, Role.ADMIN)
        problems = list(await self.reload())
        if problems:
            raise HttpProblem(
                500, "not everything was taken; of what has problems, the one in use stays", {"problems": problems}
            )
        log.info("policy reload asked for", by=caller.name)
        data = {"policy": self.engine.current.digest}
        await self.queue.run(
            self.engine.audit, [audit_of(caller.origin, self.clock(), "reload", data=data)], urgency=PEOPLE
        )
        return web.Response(text="")
