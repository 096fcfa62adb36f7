"""The background tasks of a service: its jobs, their intervals, and the names under which `/-/ready` reports them.

The service calls `Background.start` once it listens. This module passes each job its dependencies; `receiver.core`
decides what a job's results mean.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

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
    doubles,
    echo_inquiry,
    handoffs,
    heartbeat,
    loaded_rules,
    reconcile,
    retention,
    soundness,
    staleness,
    unreadable,
)
from receiver.jobs.periodic import PeriodicTasks
from receiver.jobs.training_watch import EVERY as TRAINING_EVERY
from receiver.jobs.training_watch import TrainingWatch
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
        training: TrainingWatch,
        shift_changes: handoffs.Handoffs,
        peers: Sequence[Alertmanager],
    ) -> None:
        """Start all jobs, except those for the policy's and certificates' files, which the service starts itself."""
        queue, reads, start = self.queue, self.store.reads(), self.tasks.start
        start("clock check", clock_check.Timekeeping(queue, self.clock, self.state).look, clock_check.EVERY)
        start("heartbeat", watch.look, heartbeat.EVERY)
        start("loaded rules", rules.look, loaded_rules.EVERY)
        start("garbage collection", Garbage().look, COLLECT_EVERY)
        start("retention", retention.Retention(queue, self.engine, self.store).look, retention.EVERY)
        start("unreadable alerts", unreadable.UnreadableSources(queue, reads).look, unreadable.EVERY)
        start("double alerts", doubles.Doubles(queue, reads).look, doubles.EVERY)
        rows = soundness.Soundness(queue, self.store, self.state)
        start("damaged rows", rows.look, soundness.EVERY)
        start("database file check", rows.check, soundness.CHECK_EVERY)
        start("calendars", calendars.look, calendar_fetch.EVERY)
        start("training", training.look, TRAINING_EVERY)
        start("handoffs", shift_changes.look, handoffs.EVERY)
        start("canaries", canaries.look, canary.EVERY)
        if peers:
            start("reconciliation", self._reconciliation(peers), reconcile.EVERY)
            start("echo inquiry", echo_inquiry.Echoes(queue, reads, peers).look, echo_inquiry.EVERY)
        else:
            stale = staleness.Staleness(queue, reads, self.settings.repeat_interval)
            start("stale alerts", stale.look, staleness.EVERY)

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
