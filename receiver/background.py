"""The background tasks of a service: its jobs, their intervals, and the names under which `/-/ready` reports them.

The service calls `Background.start` once it listens. This module passes each job its dependencies; `receiver.core`
decides what a job's results mean.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from receiver.clients.alertmanager import Alertmanager
from receiver.clock import Clock
from receiver.engine.engine import Engine
from receiver.engine.heartbeat_cache import Heartbeats
from receiver.engine.queue import CommandQueue
from receiver.engine.service_state import ServiceState
from receiver.jobs import (
    calendar_fetch,
    canary,
    clock_check,
    handoffs,
    heartbeat,
    loaded_rules,
    reconcile,
    retention,
    soundness,
    training_watch,
    unheard,
)
from receiver.jobs.periodic import PeriodicTasks
from receiver.reports.queries import Records
from receiver.runtime import EVERY as COLLECT_EVERY
from receiver.runtime import Garbage
from receiver.settings import Settings
from receiver.store import SqlStore
from receiver.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Background:
    """The dependencies shared by the jobs of a service."""

    tasks: PeriodicTasks
    settings: Settings
    queue: CommandQueue
    engine: Engine
    store: SqlStore
    state: ServiceState
    clock: Clock
    metrics: Metrics
    heartbeats: Heartbeats

    def start(
        self,
        watch: heartbeat.HeartbeatWatch,
        canaries: canary.Canaries,
        rules: loaded_rules.RulesWatch,
        calendars: calendar_fetch.CalendarFetching,
        records: Records,
        shift_changes: handoffs.Handoffs,
        peers: Sequence[Alertmanager],
    ) -> None:
        """Start all jobs, except those for the policy's and certificates' files, which the service starts itself."""
        queue, reads, start = self.queue, self.store.reads(), self.tasks.start
        start("clock check", clock_check.Timekeeping(queue, self.clock, self.state).look, clock_check.EVERY)
        start("heartbeat", watch.look, heartbeat.EVERY)
        start("loaded rules", rules.look, loaded_rules.EVERY)
        start("garbage collection", Garbage().look, COLLECT_EVERY)
        start("retention", partial(retention.delete_expired, queue, self.engine, self.store), retention.EVERY)
        start("unreadable alerts", partial(unheard.end_unreadable, queue, reads), unheard.EVERY)
        start("double alerts", partial(unheard.end_doubles, queue, reads), unheard.EVERY)
        rows = soundness.Soundness(queue, self.store, self.state)
        start("damaged rows", rows.look, soundness.EVERY)
        start("database file check", rows.check, soundness.CHECK_EVERY)
        start("calendars", calendars.look, calendar_fetch.EVERY)
        practices = partial(training_watch.report_practices, queue, self.engine, records)
        start("training", practices, training_watch.EVERY)
        start("handoffs", shift_changes.look, handoffs.EVERY)
        start("canaries", canaries.look, canary.EVERY)
        if peers:
            start("reconciliation", self._reconciliation(peers), reconcile.EVERY)
            start("echo inquiry", reconcile.Echoes(queue, reads, peers).look, reconcile.ECHOES_EVERY)
        else:
            stale = partial(unheard.mark_stale, queue, reads, self.settings.repeat_interval, self.clock())
            start("stale alerts", stale, unheard.EVERY)

    def _reconciliation(self, peers: Sequence[Alertmanager]) -> Callable[[], Awaitable[None]]:
        return reconcile.Reconciliation(
            self.queue,
            self.engine,
            self.store.reads(),
            self.metrics,
            peers,
            self.heartbeats,
            makes_silences=self.settings.silence_on_acknowledge,
        ).look
