"""Tocsin's Prometheus metrics: counters kept here, and gauges read from the store at each scrape.

The service makes one Metrics with a registry of its own; webhook, dispatcher and engine report events to it, and
`/metrics` renders it. Rules: names are stable (the compiled fail-through rule reads
`tocsin_oldest_undelivered_emergency_seconds`); an unknown value is left out, NaN or the worst case, never zero; no
label contains data of an alert.
"""

import platform
from collections.abc import Collection, Mapping
from itertools import product
from math import inf, nan

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from receiver.core.canary import Canary
from receiver.core.events import Delivered, Outcome, Overtaken, Rejected, Retry
from receiver.core.fetched_calendars import CalendarFetches
from receiver.core.heartbeat import Watched, ages
from receiver.core.loaded_rules import RulesVerdict
from receiver.core.model import Alert, Instant, Notification, State
from receiver.engine.service_state import ServiceState
from receiver.on_call.shift import Roster
from receiver.store.figures import StoreFigures
from receiver.version import build
from rules.policy import SECOND
from rules.time_zones import VERSION as ZONE_DATA

OUTCOMES: Mapping[type[Outcome], str] = {
    Delivered: "accepted",
    Retry: "retry",
    Rejected: "rejected",
    Overtaken: "superseded",
}

RESULTS = ("accepted", "malformed", "unauthorized", "too_large", "unavailable", "failed")
"""Results of webhooks."""

INGEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
DELIVERY_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600)


disable_created_metrics()  # type: ignore[no-untyped-call]  # saves an unused second series per counter


class Metrics:
    """Tocsin's own metrics. The public ones are changed where what they count happens; the others by the methods."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.named = CollectorRegistry()
        """Metrics with names of people, exposed only to callers with an API token."""
        self._say_build()
        self._make_counters()
        self._make_gauges()
        self._emergency_since: Instant | None = None
        """Since when the oldest undelivered emergency pages, at the last answer of the database."""
        self._seen_at: Instant | None = None
        self._jumped = 0

    def _say_build(self) -> None:
        """The build's version, and the process's resources (`process_*`, where the system provides them)."""
        release, commit = build()
        about = {"version": release, "commit": commit, "python": platform.python_version()}
        Info("tocsin_build", "Which Tocsin this is", registry=self.registry).info(about)
        ProcessCollector(registry=self.registry)

    def _make_counters(self) -> None:
        registry = self.registry
        self._webhooks = Counter("tocsin_webhooks", "Webhooks by result", ["result"], registry=registry)
        self._alerts = Counter("tocsin_alerts", "Alerts received", ["status"], registry=registry)
        self._unknown_severity = Counter(
            "tocsin_unknown_severity", "Alerts whose severity was guessed", registry=registry
        )
        self._repaired = Counter(
            "tocsin_alerts_repaired",
            "Alerts that could not be read as they were sent, and were repaired",
            registry=registry,
        )
        self.unreadable = Counter(
            "tocsin_alerts_unreadable", "Alerts of which nothing could be made", registry=registry
        )
        self.ignored = Counter("tocsin_alerts_ignored", "Firing alerts that the policy ignores", registry=registry)
        self._ingest = Histogram(
            "tocsin_ingest_seconds", "From a webhook to its commit", buckets=INGEST_BUCKETS, registry=registry
        )
        self._notifications = Counter(
            "tocsin_notifications", "Tries to send, by outcome", ["channel", "outcome"], registry=registry
        )
        self._delivery = Histogram(
            "tocsin_delivery_seconds",
            "From planning a message to its delivery",
            ["channel"],
            buckets=DELIVERY_BUCKETS,
            registry=registry,
        )
        self.lost_leases = Counter(
            "tocsin_reports_lost", "Sent messages whose lease had passed to another: perhaps twice", registry=registry
        )
        self.poisoned = Counter("tocsin_poisoned", "Events that could not be decided", registry=registry)
        self.unfilled = Counter(
            "tocsin_templates_failed",
            "Messages in Tocsin's own words because the policy's template could not be filled",
            registry=registry,
        )
        self._reconciled = Counter(
            "tocsin_reconciled",
            "Alerts found by comparing with Alertmanager: taken_in without a webhook, vanished without a resolve",
            ["what"],
            registry=registry,
        )
        self._jumps = Counter("tocsin_clock_jumps", "Jumps of the reference clock", registry=registry)
        for result in RESULTS:  # start each series at 0, because `rate` ignores a series' first value
            self._webhooks.labels(result)
        self._accepted = self._webhooks.labels("accepted")
        self._firing, self._resolved = self._alerts.labels("firing"), self._alerts.labels("resolved")

    def _make_gauges(self) -> None:
        registry = self.registry
        self._incidents = Gauge("tocsin_incidents", "Incidents", ["level", "state"], registry=registry)
        self._depth = Gauge("tocsin_outbox_depth", "Messages waiting", ["channel"], registry=registry)
        self._overdue = Gauge("tocsin_overdue_windows", "Incidents with a window overdue", registry=registry)
        self._oldest = Gauge("tocsin_outbox_oldest_seconds", "Age of the oldest waiting message", registry=registry)
        self._emergency = Gauge(
            "tocsin_oldest_undelivered_emergency_seconds",
            "Since paging began for the oldest open emergency that has reached nobody; while the database is away, it "
            "goes on",
            registry=registry,
        )
        self._damaged = Gauge(
            "tocsin_damaged_rows",
            "Rows of the database that proved to be damaged: set aside, or put right",
            registry=registry,
        )
        self._on_hold = Gauge(
            "tocsin_legal_holds", "Incidents under legal hold: nothing of them is deleted", registry=registry
        )
        self._store_up = Gauge(
            "tocsin_store_up", "Whether the database answers, and took a write lately", registry=registry
        )
        self._policy = Gauge("tocsin_policy_info", "The policy in use", ["digest"], registry=registry)
        Gauge(
            "tocsin_tzdata_info",
            "The version of the zone data, by which it is worked out who is on call",
            ["version"],
            registry=registry,
        ).labels(ZONE_DATA).set(1)
        self._rules = Gauge(
            "tocsin_rules_match",
            "Whether the rules that Prometheus evaluates are those of the policy in use; NaN: unknown",
            registry=registry,
        )
        self._policy_ok = Gauge(
            "tocsin_policy_last_reload_successful",
            "Whether the policy that was last read is in use; 0: it has problems, and the one before it stays",
            registry=registry,
        )
        self._policy_at = Gauge(
            "tocsin_policy_last_reload_success_timestamp_seconds",
            "When a policy was last read and taken into use",
            registry=registry,
        )
        self._configured = Gauge(
            "tocsin_channel_configured", "Whether a channel can send", ["channel"], registry=registry
        )
        self._canary = Gauge(
            "tocsin_channel_canary", "Whether a channel's last canary got through", ["channel"], registry=registry
        )
        self._canary_at = Gauge(
            "tocsin_channel_canary_delivered_timestamp_seconds",
            "When a channel's canary last got through to everybody",
            ["channel"],
            registry=registry,
        )
        self._calendar = Gauge(
            "tocsin_calendar_age_seconds",
            "Since the calendar of a schedule was last fetched; never fetched: since the first try",
            ["schedule"],
            registry=registry,
        )
        self._calendars: dict[str, Instant] = {}
        """Schedule → since when its calendar has not been fetched."""
        self.alertmanager_up = Gauge(
            "tocsin_alertmanager_up", "Whether an Alertmanager's API answers", ["alertmanager"], registry=registry
        )
        self._foreign = Gauge(
            "tocsin_unheard_foreign_alerts",
            "Alerts that Alertmanager lists for us, whose webhook never came and that cannot be taken in",
            registry=registry,
        )
        self._skew = Gauge(
            "tocsin_clock_skew_seconds",
            "By how much the reference clock (the database's, else the machine's) is ahead of Tocsin's time",
            registry=registry,
        )
        self._heartbeats = Gauge("tocsin_heartbeats", "Heartbeats that are watched", registry=registry)
        self._heartbeat = Gauge(
            "tocsin_heartbeat_age_seconds",
            "Since a source's newest heartbeat was evaluated, the oldest of several; never heard: since the start",
            ["source"],
            registry=registry,
        )
        self._people = Gauge(
            "tocsin_on_call_people", "How many people are on call in a schedule now", ["schedule"], registry=registry
        )
        self._gap = Gauge(
            "tocsin_on_call_gap_seconds",
            "Until nobody is on call in a schedule, as overrides have it; 0: nobody is now; +Inf: not in 35 days",
            ["schedule"],
            registry=registry,
        )
        self._overrides = Gauge(
            "tocsin_on_call_overrides", "Overrides of schedules that put a person on call now", registry=registry
        )
        self._on_call = Gauge(
            "tocsin_on_call",
            "Who is on call in a schedule now; only for requests with an API token",
            ["schedule", "person"],
            registry=self.named,
        )
        self._certificates = Gauge(
            "tocsin_tls_certificate_expiry_timestamp_seconds",
            "When the first certificate in a TLS file expires; file: server (ours and its chain) or client_ca",
            ["file"],
            registry=registry,
        )

    def webhook(self, result: str, took: int | None = None) -> None:
        """Count a webhook. `took`: microseconds until its commit; None: not committed."""
        self._accepted.inc() if result == "accepted" else self._webhooks.labels(result).inc()
        if took is not None:
            self._ingest.observe(took / SECOND)

    def alerts(self, alerts: Collection[Alert]) -> None:
        """Count received alerts."""
        firing = sum(alert.firing for alert in alerts)
        unknown = sum(bool(alert.level_note) for alert in alerts)
        for counter, count in ((self._firing, firing), (self._resolved, len(alerts) - firing)):
            if count:
                counter.inc(count)
        if unknown:
            self._unknown_severity.inc(unknown)
        repaired = sum(bool(alert.repairs) for alert in alerts)
        if repaired:
            self._repaired.inc(repaired)

    def heartbeats(self, watched: Collection[Watched], now: Instant) -> None:
        """Set the ages of the heartbeats."""
        self._heartbeats.set(len(watched))
        self._heartbeat.clear()
        for source, age in ages(watched, now).items():
            self._heartbeat.labels(source).set(age)

    def sent(self, notification: Notification, outcome: Outcome, now: Instant) -> None:
        """Count an attempt to send a message."""
        self._notifications.labels(notification.channel, OUTCOMES[type(outcome)]).inc()
        if isinstance(outcome, Delivered):
            self._delivery.labels(notification.channel).observe(max(0, now - notification.created_at) / SECOND)

    def reconciled(self, taken_in: int, vanished: int, foreign: int) -> None:
        """Count the results of a comparison with Alertmanager."""
        self._reconciled.labels("taken_in").inc(taken_in)
        self._reconciled.labels("vanished").inc(vanished)
        self._foreign.set(foreign)

    def policy(self, digest: str) -> None:
        """Set the policy in use; `channel_configured` is called next for its channels."""
        self._policy.clear()
        self._configured.clear()
        self._policy.labels(digest).set(1)

    def certificates(self, expire: Mapping[str, float]) -> None:
        """Set when the first certificate of each file in use expires, in seconds since 1970."""
        self._certificates.clear()
        for file, at in expire.items():
            self._certificates.labels(file).set(at)

    def channel_configured(self, name: str, *, configured: bool) -> None:
        """Set whether a channel can send. Starts its counters at 0, because `rate` ignores a series' first value."""
        self._configured.labels(name).set(configured)
        for outcome in OUTCOMES.values():
            self._notifications.labels(name, outcome)

    def on_call(self, rosters: Collection[Roster], overrides: int, now: Instant) -> None:
        """Set who is on call. `overrides`: the number of overrides in effect now."""
        for gauge in (self._people, self._gap, self._on_call):
            gauge.clear()
        self._overrides.set(overrides)
        for roster in rosters:
            people = {each.person for each in roster.at(now)}
            self._people.labels(roster.name).set(len(people))
            gap = next((each for each in roster.gaps if each.ends > now), None)
            self._gap.labels(roster.name).set(inf if gap is None else max(0, gap.starts - now) / SECOND)
            for person in people:
                self._on_call.labels(roster.name, person).set(1)

    def canary(self, channel: str, canary: Canary) -> None:
        """Set the results of a channel's canaries."""
        self._canary.labels(channel).set(not canary.failures)
        if canary.delivered_at is not None:
            self._canary_at.labels(channel).set(canary.delivered_at / SECOND)

    def keep_calendars(self, schedules: Collection[str]) -> None:
        """Drop all schedules but these, whose calendars are fetched."""
        self._calendars = {name: at for name, at in self._calendars.items() if name in schedules}

    def calendar(self, schedule: str, fetches: CalendarFetches) -> None:
        """Set the results of a calendar's fetches."""
        self._calendars[schedule] = fetches.since if fetches.good_at is None else fetches.good_at

    def expose(self, figures: StoreFigures | None, now: Instant, state: ServiceState) -> bytes:
        """The text of a scrape. `figures` None: the database does not answer."""
        self._store_up.set(figures is not None and not state.writing.problem)
        self._show_state(state)
        self._calendar.clear()
        for schedule, at in self._calendars.items():
            self._calendar.labels(schedule).set(_age(at, now))
        self._incidents.clear()
        self._depth.clear()
        if figures is None:
            self._lose_sight(now)
        else:
            self._show(figures, now)
        return generate_latest(self.registry)

    def _show_state(self, state: ServiceState) -> None:
        self._rules.set(nan if state.loaded_rules is RulesVerdict.UNKNOWN else state.loaded_rules is RulesVerdict.MATCH)
        self._policy_ok.set(not state.policy_problems)
        if state.policy_read_at is not None:
            self._policy_at.set(state.policy_read_at / SECOND)
        self._skew.set(state.clock_skew / SECOND)
        self._jumps.inc(state.clock_jumps - self._jumped)
        self._jumped = state.clock_jumps

    def _show(self, figures: StoreFigures, now: Instant) -> None:
        for level, state in product(range(1, 5), (State.OPEN, State.ACKNOWLEDGED, State.RESOLVED)):
            self._incidents.labels(level, state).set(figures.incidents.get((level, state), 0))
        for channel, waiting in figures.waiting.items():
            self._depth.labels(channel).set(waiting.count)
        oldest = min((waiting.oldest for waiting in figures.waiting.values()), default=now)
        self._oldest.set(_age(oldest, now))
        self._emergency.set(_age(now if figures.oldest_emergency is None else figures.oldest_emergency, now))
        self._emergency_since = figures.oldest_emergency
        self._seen_at = now
        self._overdue.set(figures.overdue)
        self._damaged.set(figures.set_aside)
        self._on_hold.set(figures.on_hold)

    def _lose_sight(self, now: Instant) -> None:
        """Without the database: unknown values are NaN; the worst is assumed of emergencies, so that the fail-through
        rule takes over.
        """
        self._oldest.set(nan)
        self._overdue.set(nan)
        if self._seen_at is None:
            self._seen_at = now
        since = self._seen_at if self._emergency_since is None else self._emergency_since
        self._emergency.set(_age(since, now))


def _age(since: Instant, now: Instant) -> float:
    return max(0, now - since) / SECOND
