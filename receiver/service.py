"""The shell: puts the parts together, keeps time, and stops in good order.

What is due is the pulse's; everything that is looked at now and then has a loop of its own.
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

from receiver.canary import EVERY as CANARIES_EVERY
from receiver.canary import Canaries
from receiver.channels.configured import configured_channels, make_senders
from receiver.clock import Clock, steady_clock, wall_clock
from receiver.core.cluster import Cluster
from receiver.core.model import Instant
from receiver.desk import Desk
from receiver.dispatcher import Dispatcher
from receiver.echoes import EVERY as ECHOES_EVERY
from receiver.echoes import Echoes
from receiver.engine import Engine
from receiver.errors import StoreUnavailable
from receiver.evidence import make_observer
from receiver.garbage import EVERY as GARBAGE_EVERY
from receiver.garbage import Garbage
from receiver.incident_log import log_entries
from receiver.listening import open_socket
from receiver.loaded_rules import EVERY as RULES_EVERY
from receiver.loaded_rules import RulesWatch
from receiver.loops import Loops
from receiver.messages import Words
from receiver.metrics import Metrics
from receiver.plotting import make_plotter
from receiver.policy_files import LOOK_EVERY, PolicyFiles, shown
from receiver.pulse import Pulse
from receiver.readiness import Failing
from receiver.reconcile import EVERY, Reconciliation
from receiver.records import Records
from receiver.retention import EVERY as FORGET_EVERY
from receiver.retention import Retention
from receiver.settings import Settings
from receiver.soundness import CHECK_EVERY, Soundness
from receiver.soundness import EVERY as SOUND_EVERY
from receiver.staleness import EVERY as UNHEARD_EVERY
from receiver.staleness import Staleness
from receiver.store import is_in_memory, is_server, open_store, without_secrets
from receiver.timekeeping import EVERY as ADJUST_EVERY
from receiver.timekeeping import Timekeeping
from receiver.traces import make_traces
from receiver.unreadable_sources import EVERY as UNREADABLE_EVERY
from receiver.unreadable_sources import UnreadableSources
from receiver.version import installed
from receiver.watch import Watch
from receiver.web.app import make_app, make_runner
from receiver.web.links import Links
from receiver.web.recording import Recorder
from receiver.web.signing import Signing
from receiver.web.tls import EVERY as RENEW_EVERY
from receiver.web.tls import Tls
from receiver.writer import Writer
from rules.load import Loaded, load_with_warnings
from rules.policy import SECOND, Policy
from rules.source import fingerprint
from rules.watch import LATEST

STUCK_AFTER = 30 * SECOND
"""Microseconds without a completed pulse after which `/-/ready` says so."""

DRAIN = 10.0
"""Seconds that messages under way may take when the service stops."""

SETTLE = 5.0
"""Seconds that the store may take for what was accepted before the stop, and the pulse for its last beat."""

BACKLOG = 4096
"""Connections that may wait until they are accepted; Linux takes its own limit, `net.core.somaxconn`, where less."""

ACCEPTED_AT_ONCE = 32
"""Connections accepted in one turn of the event loop: handles of the one listening socket.

uvloop accepts one a turn and handle. In a storm a turn takes milliseconds, so thousands would wait
unread, and an emergency among them unseen.
"""

START_PATIENCE = 60 * SECOND
"""Microseconds in which a database server that is away when we start may come: it may be starting too."""

START_APART = 2.0
"""Seconds between two tries to start."""

WATCH_EVERY = 2.0
"""Seconds between looks at the heartbeat."""

UNREACHED = LATEST * SECOND
"""Microseconds that an emergency may reach nobody before we say to the outside that pages do not leave."""

log = structlog.get_logger()


class Service:
    """A running receiver: ``async with Service(settings, paths) as service: …``."""

    def __init__(
        self, settings: Settings, paths: Sequence[Path], policy: Policy | None = None, record: Path | None = None
    ) -> None:
        """`policy` given (the demo): used as it is; `paths` are read again at reload. `record`: keep webhooks there."""
        self._record = record
        self._recorder: Recorder | None = None
        self._opened = AsyncExitStack()
        """The way to the database, for as long as it runs."""
        self._settings = settings
        self._paths = paths
        self._read_as = fingerprint(paths)
        loaded = load_with_warnings(paths) if policy is None else Loaded(policy)
        self._policy, self._doubts = loaded.policy, shown(loaded.warnings)
        self._tasks: list[asyncio.Task[None]] = []
        self._loops = Loops(steady_clock, self._say_store)

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._opened.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    @property
    def address(self) -> str:
        """The base URL it listens on."""
        host, port = self._socket.getsockname()[:2]
        scheme = "https" if self._tls.context else "http"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    async def _start(self) -> None:
        settings = self._settings
        settings.require_safe()  # before anything is opened or written
        self.metrics = Metrics()
        self._tls = Tls(settings, self.metrics)
        self._worker = worker = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._traces = make_traces(settings.traces_url, worker)
        for warning in settings.warnings:
            log.warning("odd setting", what=warning)
        self._recorder = Recorder(self._record) if self._record else None
        configured = configured_channels(self._policy, settings)
        self.desk = await self._open_desk(configured)
        engine = self.desk.engine
        reads = self._store.reads()
        senders = make_senders(settings, self.clock)
        key = settings.key(self._store.key)
        words = Words(
            settings.external_url,
            self._store.installation,
            sms_replies=settings.hears_twilio,
            ack_url=Links(Signing(key, self.clock), self._store.installation, settings.external_url).url
            if settings.external_url
            else None,
        )
        records = Records(reads, words, lambda: engine.current)
        self.dispatcher = Dispatcher(self.desk, senders, words, records, worker, self._store.installation, self.metrics)
        self._pulse = Pulse(self.desk, self._store, self.dispatcher)
        self.desk.on_commit = self.dispatcher.on_progress = self._pulse.wake
        self.desk.on_emergency = self.dispatcher.send_emergencies
        self.dispatcher.traces = self._traces
        self._observer = make_observer(settings, self.desk, reads, records)
        self._files = PolicyFiles(self._paths, self._read_as, settings, self.desk, self.metrics)
        self._files.say_channels(configured)
        self.metrics.policy_read(self.clock())
        self.dispatcher.plotter = self._plotter = make_plotter(self.desk, reads)
        app = make_app(
            recorder=self._recorder,
            senders=senders,
            desk=self.desk,
            reads=reads,
            settings=settings,
            clock=self.clock,
            metrics=self.metrics,
            ready=self.problems,
            reload=self.reload,
            key=key,
            installation=self._store.installation,
            traces=self._traces,
        )
        await self._listen(app)
        self._pulsing = asyncio.create_task(self._pulse.keep())
        if self._observer:
            self._tasks.append(asyncio.create_task(self._observer.observe()))
        self._start_looking(Canaries(self.desk, self._store, senders, words, self.metrics))

    async def _open_desk(self, configured: frozenset[str]) -> Desk:
        """With the way to the database, which is tried again for a while where that is a server's."""
        give_up_at = steady_clock() + START_PATIENCE
        while True:
            try:
                return await self._try_to_open_desk(configured)
            except StoreUnavailable as error:
                await self._opened.aclose()
                if not is_server(self._settings.database) or steady_clock() > give_up_at:
                    raise
                log.error("the database is unavailable; trying again", reason=str(error))
            await asyncio.sleep(START_APART)

    async def _try_to_open_desk(self, configured: frozenset[str]) -> Desk:
        settings = self._settings
        self._store = open_store(settings.database, to_serve=True)
        self._opened.callback(self._store.close)
        writer = None
        if not is_in_memory(settings.database):
            writer = await Writer(settings, self._store, self.metrics.poisoned).start()
            self._opened.push_async_callback(writer.close)
        self.clock = Clock(self._reference_clock)
        engine = Engine(self._store, self._policy, configured, self.clock(), self._say_poison, log_entries)
        engine.cluster = Cluster(settings.alertmanager_peers, settings.peer_timeout, settings.echo_window)
        if writer:
            writer.attach(engine)
        desk = Desk(engine, self.clock, writer.call if writer else None)
        desk.doubts = self._doubts
        return desk

    def _start_looking(self, canaries: Canaries) -> None:
        """Everything that is looked at now and then, each in a loop of its own."""
        settings, store, metrics, start = self._settings, self._store, self.metrics, self._loops.start
        watch = Watch(self.desk, store, settings.heartbeat_url or "", self._can_page)
        start("the look at the clock", Timekeeping(self.desk, self.clock, metrics).look, ADJUST_EVERY)
        start("the watch over the heartbeat", watch.look, WATCH_EVERY)
        start("the look at the rules", RulesWatch(self.desk, store, metrics, self._worker).look, RULES_EVERY)
        start("the look for garbage", Garbage().look, GARBAGE_EVERY)
        start("the retention", Retention(self.desk, store).look, FORGET_EVERY)
        unreadable = UnreadableSources(self.desk, store.reads())
        start("the end of incidents about unreadable alerts", unreadable.look, UNREADABLE_EVERY)
        soundness = Soundness(self.desk, store)
        start("the look for damaged rows", soundness.look, SOUND_EVERY)
        start("the check of the database file", soundness.check, CHECK_EVERY)
        if self._tls.context:
            start("the look at the certificate", self._tls.look, RENEW_EVERY)
        if self._paths:
            start("the look at the policy's files", self._files.look, LOOK_EVERY)
        start("the look at the canaries", canaries.look, CANARIES_EVERY)
        if settings.alertmanager_url:
            owner = f"tocsin-{store.installation}" if settings.silence_on_acknowledge else ""
            urls = settings.alertmanager_url
            reconciliation = Reconciliation(self.desk, store.reads(), metrics, urls, owner=owner)
            start("the comparison with Alertmanager", reconciliation.look, EVERY)
            start("the question for held alerts", Echoes(self.desk, store.reads(), urls).look, ECHOES_EVERY)
        else:
            staleness = Staleness(self.desk, store.reads(), settings.repeat_interval)
            start("the look for alerts that nobody repeats", staleness.look, UNHEARD_EVERY)

    async def _listen(self, app: web.Application) -> None:
        self._runner = make_runner(app)
        await self._runner.setup()
        self._socket = open_socket(*self._settings.address)
        for each in (self._socket, *(self._socket.dup() for _ in range(ACCEPTED_AT_ONCE - 1))):
            # SockSite listens anew: the backlog that counts is the one given here.
            await web.SockSite(self._runner, each, ssl_context=self._tls.context, backlog=BACKLOG).start()
        log.info(
            "listening",
            address=self.address,
            version=installed(),
            policy=self.desk.engine.current.digest,
            database=without_secrets(self._settings.database),
        )

    async def _stop(self) -> None:
        """No new webhooks, then no new messages, then what is under way; the rest is due at the next start.

        It listens until the end: who asks meanwhile is told 503, and why.
        """
        log.info("stopping: webhooks are refused, what is under way is finished")
        self.desk.closing = True
        await self.desk.settle(SETTLE)
        self._pulse.wake()  # a last beat: what was accepted just now goes out, if it can
        await asyncio.wait([self._pulsing], timeout=SETTLE)
        await self._loops.stop()
        for task in (self._pulsing, *self._tasks):
            task.cancel()
        await asyncio.gather(self._pulsing, *self._tasks, return_exceptions=True)
        await self.dispatcher.finish(DRAIN)
        await self._runner.cleanup()
        if self._recorder:
            await asyncio.to_thread(self._recorder.close)
        if self._observer:
            await self._observer.close()
        if self._plotter:
            self._plotter.close()
        await asyncio.gather(*(sender.close() for sender in self.dispatcher.senders.values()), return_exceptions=True)
        await asyncio.to_thread(self._traces.close)
        self.desk.close()
        await self._opened.aclose()
        log.info("stopped")

    def _reference_clock(self) -> Instant:
        """The database's clock, where it has one of its own."""
        local = wall_clock()
        return Instant(local + self._store.clock_offset(local))

    async def _can_page(self) -> bool:
        """Whether pages leave, as far as we can tell."""
        if self.desk.writing.problem or self._pulse.silence > STUCK_AFTER:
            return False
        oldest = await self.desk.read(self._store.reads().oldest_emergency)
        return oldest is None or self.clock() - oldest <= UNREACHED

    async def reload(self) -> list[str]:
        """Read certificates and policy again; of each, what has problems is refused, and what is in use stays.

        Returns the problems. Raises StoreUnavailable.
        """
        return [*self._tls.reload(), *await self._files.reload()]

    def problems(self) -> list[Failing]:
        """Why the service is not ready; empty: it is."""
        found = [Failing("it is stopping")] if self.desk.closing else []
        found += [Failing("the database", problem)] if (problem := self.desk.writing.problem) else []
        if self._pulse.silence > STUCK_AFTER:
            found.append(Failing("the pulse", f"no window was looked at for {self._pulse.silence // SECOND} s"))
        if any(task.done() for task in self._tasks):
            found.append(Failing("asking Prometheus", "it has ended; restart this process"))
        found += self._loops.problems()
        return found

    def _say_store(self, problem: str) -> None:
        self.desk.writing.fail(problem)

    def _say_poison(self, item: object, error: Exception) -> None:
        self.metrics.poisoned()
        log.error("cannot decide on an event; the others went through", kind=type(item).__name__, exc_info=error)


async def serve(
    settings: Settings,
    paths: Sequence[Path],
    stop: asyncio.Event,
    say: Callable[[Service], None],
    record: Path | None = None,
) -> None:
    """Run until `stop` is set; `say` hears when it listens. `record`: a file that keeps the webhooks."""
    async with Service(settings, paths, record=record) as service:
        say(service)
        await stop.wait()
