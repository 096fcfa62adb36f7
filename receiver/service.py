"""The composition root: makes all parts of a service, connects them, and stops them in order.

Each part that is started or opened pushes its end onto one exit stack at once. A stop, a failed start and a signal
during the start all run that stack, so the order of a stop is the reverse of `_start`.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

import structlog
from aiohttp import web

from receiver.background import Background
from receiver.channels.configured import configured_channels, make_senders
from receiver.channels.sms import providers_heard
from receiver.clients.alertmanager import Alertmanager
from receiver.clients.calendar_download import CalendarFeeds
from receiver.clients.egress import Egress
from receiver.clock import Clock, steady_clock, wall_clock
from receiver.core.cluster import Cluster
from receiver.core.model import Incident, Instant
from receiver.engine.engine import Engine
from receiver.engine.heartbeat_cache import Heartbeats
from receiver.engine.queue import CommandQueue
from receiver.engine.service_state import Failing, ServiceState
from receiver.errors import StoreDamaged, StoreUnavailable
from receiver.jobs.calendar_fetch import CalendarFetching
from receiver.jobs.canary import Canaries
from receiver.jobs.dispatcher import Dispatcher
from receiver.jobs.evidence import make_observer
from receiver.jobs.handoffs import Handoffs
from receiver.jobs.heartbeat import HeartbeatWatch
from receiver.jobs.loaded_rules import RulesSeen, RulesWatch
from receiver.jobs.periodic import PeriodicTasks
from receiver.jobs.policy_reload import LOOK_EVERY, PolicyFiles, shown
from receiver.jobs.scheduler import Scheduler
from receiver.messages import MessageRenderer
from receiver.reports.pictures import make_plotter
from receiver.reports.queries import Records
from receiver.settings import Settings
from receiver.store import is_in_memory, is_server, open_store, without_secrets
from receiver.telemetry.logs import log_entries
from receiver.telemetry.metrics import Metrics
from receiver.telemetry.tracing import make_traces
from receiver.version import installed
from receiver.web.app import make_app, make_runner
from receiver.web.auth.message_tokens import BOUNCES, MessageTokens
from receiver.web.auth.signing import Signing
from receiver.web.console.links import Links
from receiver.web.http.connections import CONNECTIONS, Listener
from receiver.web.http.listening import open_socket
from receiver.web.http.tls import EVERY as RENEW_EVERY
from receiver.web.http.tls import Tls
from receiver.web.recorder import Recorder
from receiver.writer import Writer
from rules.load import Loaded, load_with_warnings
from rules.policy import SECOND, Policy
from rules.self_monitoring import LATEST
from rules.source import fingerprint

STUCK_AFTER = 30 * SECOND
"""Microseconds without a completed iteration of the scheduler after which `/-/ready` reports it."""

DRAIN = 10.0
"""Seconds that messages being sent may take when the service stops."""

SETTLE = 5.0
"""Seconds at a stop for storing accepted requests, and for the scheduler's last iteration."""

START_PATIENCE = 60 * SECOND
"""Microseconds to wait at the start for a database server, which may be starting too."""

START_APART = 2.0
"""Seconds between two attempts to connect at the start."""

UNREACHED = LATEST * SECOND
"""Microseconds without reaching a responder of an emergency after which the external watchdog gets no ping."""

log = structlog.get_logger()


class Service:
    """A running receiver: ``async with Service(settings, paths) as service: …``."""

    def __init__(
        self, settings: Settings, paths: Sequence[Path], policy: Policy | None = None, record: Path | None = None
    ) -> None:
        """`policy` (used by the demo) replaces that of `paths`, which a reload reads. `record`: file for webhooks."""
        self._record = record
        self._settings = settings
        self._paths = paths
        self._read_as = fingerprint(paths)
        loaded = load_with_warnings(paths) if policy is None else Loaded(policy)
        self._policy = loaded.policy
        self.state = ServiceState()
        self.state.policy_warnings = shown(loaded.warnings)
        self._tasks = PeriodicTasks(steady_clock, self.state.writing.fail)
        self._reloads: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        log.info("stopping: webhooks are refused, what is under way is finished")
        await self._stack.aclose()
        log.info("stopped")

    @property
    def address(self) -> str:
        """The base URL on which it listens."""
        host, port = self._socket.getsockname()[:2]
        scheme = "https" if self._tls.context else "http"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    async def _start(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        settings.require_safe()  # before anything is opened or written
        self.metrics = Metrics()
        self._egress = Egress.of(settings)
        _ = self._egress.tls  # reports an invalid file at the start
        self._tls = Tls(settings, self.metrics)
        self._worker = worker = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        for warning in settings.warnings:
            log.warning("questionable setting", what=warning)
        configured = configured_channels(self._policy, settings)
        await stack.enter_async_context(await self._open_queue(configured))
        self._reads = self._store.reads()
        traces = make_traces(settings.traces_url, worker, self._egress)
        if traces:
            stack.push_async_callback(asyncio.to_thread, traces.close)
        senders = make_senders(settings, self.clock)
        for sender in senders.values():
            stack.push_async_callback(sender.close)
        key = settings.key(self._store.key)
        renderer = self._make_renderer(key)
        self._records = records = Records(self._reads, renderer, self.engine)
        self.dispatcher = Dispatcher(self.queue, self.engine, senders, renderer, records, worker, self.metrics)
        self.dispatcher.traces = traces
        self.dispatcher.return_token = self._return_token(key)
        self._scheduler = Scheduler(self.queue, self.engine, self._store, self.dispatcher, self.state)
        self.state.add_check(self._failing_scheduler)
        self.queue.on_commit = self.dispatcher.on_progress = self._scheduler.wake
        self.queue.on_emergency = self.dispatcher.send_emergencies
        self.heartbeats = Heartbeats(self.clock)
        self._files = PolicyFiles(
            self._paths, self._read_as, settings, self.queue, self.engine, self.state, self.metrics
        )
        self._files.say_channels(configured)
        self.state.policy_read_at = self.clock()
        observer = make_observer(settings, self.queue, self.engine, self._reads, records)
        if observer:
            stack.push_async_callback(observer.close)
        self.dispatcher.plotter = plotter = make_plotter(self.queue, self.engine, self._reads)
        if plotter:
            stack.callback(plotter.close)
        recorder = Recorder(self._record) if self._record else None
        if recorder:
            stack.push_async_callback(asyncio.to_thread, recorder.close)
        rules_seen = RulesSeen()
        await self._listen(
            make_app(
                recorder=recorder,
                senders=senders,
                queue=self.queue,
                engine=self.engine,
                reads=self._reads,
                store=self._store,
                heartbeats=self.heartbeats,
                rules_seen=rules_seen,
                state=self.state,
                settings=settings,
                clock=self.clock,
                metrics=self.metrics,
                reload=self.reload,
                key=key,
                installation=self._store.installation,
                traces=traces,
            ),
            stack,
        )
        stack.push_async_callback(self.dispatcher.finish, DRAIN)
        if observer:
            self._watch_task("Prometheus inquiries", asyncio.create_task(observer.observe()), stack)
        self._scheduling = asyncio.create_task(self._scheduler.keep())
        stack.push_async_callback(end, self._scheduling)
        canaries = Canaries(self.queue, self.engine, self._store, senders, renderer, self.metrics)
        self._start_background(stack, canaries, rules_seen)
        stack.push_async_callback(self._end_reloads)
        stack.push_async_callback(self._stop_taking)

    def _make_renderer(self, key: str) -> MessageRenderer:
        """The renderer of messages; with links to acknowledge if the service has an external URL."""
        settings, installation = self._settings, self._store.installation
        links = Links(Signing(key, self.clock), installation, settings.external_url)
        ack_url = links.url if settings.external_url else None
        heard = providers_heard(settings)
        replies = bool(heard) and all(heard)  # any provider may send the SMS, so each must receive replies
        return MessageRenderer(
            settings.external_url,
            installation,
            sms_replies=replies,
            ack_url=ack_url,
            answer_token=links.tokens.make,
            answered_types=settings.answered_types,
        )

    def _return_token(self, key: str) -> Callable[[Incident, str], str]:
        """Makes the token by which bounces name their message; no token if bounces do not reach Tocsin."""
        if not self._settings.email_reply_to:
            return lambda _incident, _name: ""
        return MessageTokens(Signing(key, self.clock), self._store.installation, BOUNCES).make

    async def _open_queue(self, configured: frozenset[str]) -> AsyncExitStack:
        """Open database and queue, retrying a server for START_PATIENCE; returns the stack that closes them."""
        give_up_at = steady_clock() + START_PATIENCE
        while True:
            try:
                async with AsyncExitStack() as opening:
                    await self._try_to_open_queue(opening, configured)
                    return opening.pop_all()
            except StoreUnavailable as error:
                if not is_server(self._settings.database) or steady_clock() > give_up_at:
                    raise
                log.error("the database is unavailable; trying again", reason=str(error))
            await asyncio.sleep(START_APART)

    async def _try_to_open_queue(self, opening: AsyncExitStack, configured: frozenset[str]) -> None:
        settings = self._settings
        self._store = open_store(settings.database, to_serve=True, breaking=settings.upgrade == "all")
        opening.callback(self._store.close)
        writer = None
        if not is_in_memory(settings.database):
            writer = await Writer(settings, self._store, self.metrics.poisoned.inc).start()
            opening.push_async_callback(writer.close)
        self.clock = Clock(self._reference_clock)
        self.engine = Engine(self._store, self._policy, configured, self.clock(), self._say_poison, log_entries)
        standing = self.engine.standing
        standing.cluster = Cluster(settings.alertmanager_peers, settings.peer_timeout, settings.echo_window)
        standing.jumps = self.clock.followed
        standing.receipts = any(providers_heard(settings))
        standing.accounts = settings.account_names
        if writer:
            writer.attach(self.engine)
        self.queue = CommandQueue(self.engine, self.clock, writer.call if writer else None, state=self.state)
        opening.callback(self.queue.close)

    def _start_background(self, stack: AsyncExitStack, canaries: Canaries, rules_seen: RulesSeen) -> None:
        queue, engine, store, settings = self.queue, self.engine, self._store, self._settings
        watch = HeartbeatWatch(
            queue, engine, store, self.heartbeats, settings.heartbeat_url or "", self._can_page, self._egress
        )
        stack.push_async_callback(watch.close)
        rules = RulesWatch(queue, engine, store, self.state, rules_seen, self._worker)
        feeds = CalendarFeeds(egress=self._egress)
        stack.push_async_callback(feeds.close)
        calendars = CalendarFetching(queue, engine, store, self.metrics, feeds)
        peers = self._make_peers(stack)
        self.state.add_check(self._tasks.problems)
        stack.push_async_callback(self._tasks.stop)
        background = Background(
            self._tasks, settings, queue, engine, store, self.state, self.clock, self.metrics, self.heartbeats
        )
        shift_changes = Handoffs(queue, engine, store, self.dispatcher.senders, settings.external_url or "")
        background.start(watch, canaries, rules, calendars, self._records, shift_changes, peers)
        if self._tls.context:
            self._tasks.start("certificate", self._tls.look, RENEW_EVERY)
        if self._paths:
            self._tasks.start("policy files", self._files.look, LOOK_EVERY)

    def _make_peers(self, stack: AsyncExitStack) -> list[Alertmanager]:
        """The clients of TOCSIN_ALERTMANAGER_URL; their silences' owner is named after this database's installation."""
        owner = f"tocsin-{self._store.installation}" if self._settings.silence_on_acknowledge else ""
        peers = [Alertmanager(url, owner, self._egress) for url in self._settings.alertmanager_url]
        for peer in peers:
            stack.push_async_callback(peer.close)
        return peers

    async def _listen(self, app: web.Application, stack: AsyncExitStack) -> None:
        self._runner = runner = make_runner(app)
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        self._socket = open_socket(*self._settings.address)
        assert runner.server is not None, "it is set up"
        listener = Listener(self._socket, app[CONNECTIONS], runner.server, self._tls)
        stack.callback(listener.close)
        listener.start()
        log.info(
            "listening",
            address=self.address,
            version=installed(),
            policy=self.engine.current.digest,
            database=without_secrets(self._settings.database),
        )

    def _watch_task(self, name: str, task: asyncio.Task[None], stack: AsyncExitStack) -> None:
        """Report the task by `/-/ready` if it ends before the service stops; cancel it at the stop."""
        ended = [Failing(f"background task '{name}'", "has ended; restart this process")]
        self.state.add_check(lambda: ended if task.done() else [])
        stack.push_async_callback(end, task)

    async def _stop_taking(self) -> None:
        """Refuse webhooks, store what was accepted, and run the scheduler once more, so that due messages are sent.

        The service still listens, and answers 503 with the reason.
        """
        self.state.is_stopping = True
        await self.queue.settle(SETTLE)
        self._scheduler.wake()
        await asyncio.wait([self._scheduling], timeout=SETTLE)

    def _reference_clock(self) -> Instant:
        """The database server's clock; the wall clock for SQLite."""
        local = wall_clock()
        return Instant(local + self._store.clock_offset(local))

    async def _can_page(self) -> bool:
        """Whether pages can be sent: the database takes writes, the scheduler runs, emergencies reach responders."""
        if self.state.writing.problem or self._scheduler.silence > STUCK_AFTER:
            return False
        oldest = await self.queue.read(self._reads.oldest_emergency)
        return oldest is None or self.clock() - oldest <= UNREACHED

    async def reload(self) -> list[str]:
        """Reload certificates and policy; one with problems is refused, and the one in use stays.

        Returns the problems. Raises StoreUnavailable.
        """
        return [*self._tls.reload(), *await self._files.reload()]

    def reload_soon(self) -> None:
        """Start a `reload` without waiting for it (SIGHUP); its result is logged."""
        task = asyncio.create_task(self._reload_and_log())
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    async def _reload_and_log(self) -> None:
        try:
            await self.reload()
        except (StoreUnavailable, StoreDamaged) as error:
            log.error("policy not reloaded: the database is unavailable; the one in use stays", reason=str(error))

    async def _end_reloads(self) -> None:
        for task in tuple(self._reloads):
            await end(task)

    def _failing_scheduler(self) -> list[Failing]:
        silence = self._scheduler.silence
        why = f"has not run for {silence // SECOND} s"
        return [Failing("the escalation scheduler", why)] if silence > STUCK_AFTER else []

    def _say_poison(self, item: object, error: Exception) -> None:
        self.metrics.poisoned.inc()
        log.error("cannot decide on an event; the others went through", kind=type(item).__name__, exc_info=error)


async def end(task: asyncio.Task[None]) -> None:
    """Cancel a task, and wait until it has ended."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def serve(
    settings: Settings,
    paths: Sequence[Path],
    stop: asyncio.Event,
    say: Callable[[Service], None],
    record: Path | None = None,
) -> None:
    """Run until `stop` is set; `say` is called once it listens. `record`: a file for received webhooks."""
    async with Service(settings, paths, record=record) as service:
        say(service)
        await stop.wait()
