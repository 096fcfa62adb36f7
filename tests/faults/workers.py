"""One process of the simulated world: the real engine, and a dispatcher that does what the real one does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from receiver.channels import Outgoing
from receiver.channels.pagerduty import trigger
from receiver.channels.slack_blocks import parent, reply
from receiver.channels.webhook import payload
from receiver.core.audit_log import Audit
from receiver.core.events import Outcome, Overtaken
from receiver.core.model import Kind, Status
from receiver.engine.commands import OutcomeReport, Request, Result
from receiver.engine.engine import Engine
from receiver.errors import StoreConflict, StoreUnavailable
from receiver.jobs.dispatcher import FRESH
from receiver.messages import Message
from receiver.on_call.override_log import OverrideChange
from receiver.store import SqlStore
from rules.policy import SECOND
from tests.core.truth import (
    WORDS,
    OneMessage,
    Record,
    UntrueError,
    check,
    check_all_clear,
    check_blocks,
    check_bundle,
    check_document,
    check_event,
    check_html,
    check_system,
    row,
    texts,
)
from tests.faults.mirror import Broken
from tests.faults.providers import Attempt
from tests.faults.stores import Crash, FaultyStore, database

if TYPE_CHECKING:
    from tests.faults.world import World

BUSY = 3
"""Messages under way per channel and worker."""
FAILS = (StoreUnavailable, StoreConflict, RuntimeError)


class Worker:
    """A process: it starts, works, sleeps, dies, and starts again at a later time."""

    def __init__(self, name: str, world: World) -> None:
        self.name, self.world = name, world
        self.life = 0
        self.engine: Engine | None = None
        self.store: Any = None
        self.paused_until = 0
        self._pulse_at: int | None = None
        self._under_way: list[Attempt] = []
        self._begun: list[Attempt] = []
        """Everything it claimed in this life: of what it reported in vain the lease holds on until it dies."""
        self._reports: list[tuple[Attempt, Outcome]] = []
        self._installation = ""

    @property
    def id(self) -> str:
        return f"{self.name}-{self.life}"

    @property
    def is_up(self) -> bool:
        return self.engine is not None and self.paused_until <= self.world.now

    def start(self) -> None:
        """Start; while the database fails, try again."""
        world = self.world
        real = SqlStore(database())
        self._installation = real.installation
        if len(self.world.workers) == 1:
            real.release_leases()  # as the only service of a file does
        self.store = FaultyStore(
            world.wrap(real), lambda: world.fate(self), lambda saved: world.committed(self, saved), world.swapped
        )
        try:
            self.engine = world.engine(self.store, world.policy, world.channels, world.now, world.poison)
        except FAILS:
            world.at(world.now + 5 * SECOND, self.start, self)
            return
        self.engine.standing.sight = world.sight
        world.say(f"{self.id} starts")
        self._pulse_at = None
        self.wake(world.now)

    def die(self) -> None:
        """Everything that was in its hands is lost."""
        self.world.say(f"{self.id} dies with {[each.ids for each in self._under_way]} under way")
        for attempt in self._begun:
            attempt.over = attempt.over or "died"
        self._begun, self._under_way, self._reports, self.engine, self.paused_until = [], [], [], None, 0
        self.life += 1

    def revive(self) -> None:
        """It runs from now on, dead or paused before."""
        self.paused_until, self._pulse_at = 0, None
        if self.engine is None:
            self.life += 1
            self.world.on_restart()
            self.start()
        self.wake(self.world.now)

    def handle(self, request: Request) -> Result | None:
        """One request; None: it was not stored, as far as the caller knows."""
        assert self.engine is not None
        life = self.life
        try:
            result = self.engine.handle([request], self.world.now)[0]
        except (StoreUnavailable, RuntimeError):
            return None
        except Crash:
            self.world.kill(self)
            return None
        return None if result.error or self.life != life else result

    def override(self, change: OverrideChange, entry: Audit) -> None:
        """A person takes a schedule for a while, or takes that back; the store knows whether it was stored."""
        self._try(lambda engine: engine.override(change, entry))

    def page_on_call(self) -> None:
        """A calendar is another by now."""
        self._try(lambda engine: engine.page_on_call(self.world.now))

    def _try(self, what: Callable[[Engine], object]) -> None:
        assert self.engine is not None
        try:
            what(self.engine)
        except FAILS:
            self.world.say("  not stored, or not all of it")
        except Crash:
            self.world.kill(self)

    # The scheduler and the dispatcher.

    def wake(self, when: int) -> None:
        """There may be work at that time."""
        if self.engine is None or (self._pulse_at is not None and self._pulse_at <= when):
            return
        self._pulse_at = when
        self.world.at(when, lambda: self._wake_up(when), self)

    def _wake_up(self, when: int) -> None:
        if self._pulse_at == when:
            self._pulse_at = None
            self.scheduler()

    def scheduler(self) -> None:
        """As the service's: fire what is due, send what is due, sleep until the next.

        Most looks would find nothing; those that would are made now and then.
        """
        assert self.engine is not None
        now, mirror, dice = self.world.now, self.world.mirror, self.world.dice
        try:
            if mirror.is_due(now) or dice.random() < 0.1:
                self.engine.fire_due(now)
            if mirror.has_mail(now) or dice.random() < 0.1:
                self._send_due()
            due_at = self.store.next_due() if dice.random() < 0.3 else mirror.next_due()
        except FAILS:
            due_at = now
        if due_at is not None:
            self.wake(due_at if due_at > now else now + SECOND)

    def _send_due(self) -> None:
        assert self.engine is not None
        world = self.world
        busy = [each.items[0][0].channel for each in self._under_way]
        full = frozenset(channel for channel in world.channels if busy.count(channel) >= BUSY)
        for delivery in self.engine.claim(world.now, self.id, full):
            known = {incident.id: world.mirror.record(incident, world.now) for _, incident in delivery.items}
            for each, incident in delivery.items:
                world.mirror.check_claim(each, incident, world.now)
            attempt = Attempt(self.id, world.now, delivery, known)
            self._under_way.append(attempt)
            self._begun.append(attempt)
            wait = world.dice.choice((0, 0, 0, SECOND // 2, 3 * SECOND)) if world.trouble else 0
            world.at(world.now + wait, lambda attempt=attempt: self._send(attempt), self)
        if world.trouble and self._under_way and world.dice.random() < 0.02:
            world.pause(self)

    def _send(self, attempt: Attempt) -> None:
        """A second look at the lease where it is not fresh, then the first byte."""
        world = self.world
        if world.now - attempt.claimed_at > FRESH and not self._holds(attempt):
            world.say(f"{self.id} does not send {attempt.ids}: its lease is over, or it is overtaken")
            self._report(attempt, Overtaken())
            return
        first = attempt.items[0][0]
        outcome, after, mood = world.providers.receive(attempt, self._installation, world.now)
        world.say(f"{self.id} sends {attempt.ids} ({first.kind}/{first.reason}) on {first.channel}: {mood}")
        for each in attempt.ids:
            if world.mirror.fates.get(each) is not Status.WAITING:
                raise Broken(f"{each} is sent although it is {world.mirror.fates.get(each)}")
        self._check_words(attempt)
        world.at(world.now + after, lambda: self._report(attempt, outcome), self)

    def _check_words(self, attempt: Attempt) -> None:
        """What the message says was so when it was claimed, and who is told that it is over heard that it began."""
        page, about = attempt.items[0]
        earlier = self.world.mirror.similar(about) if page.kind is Kind.PAGE and len(attempt.items) == 1 else []
        message = self.world.lie.message(WORDS.render(self._told(attempt), self.world.now, earlier=earlier))
        sent = self.world.providers.attempts
        records = [
            replace(attempt.records[incident.id], now=self.world.now, message=each, earlier=earlier)
            for each, incident in attempt.items
        ]
        try:
            for (each, incident), record in zip(attempt.items, records, strict=True):
                check_all_clear(each, record.notifications, sent)
                check(texts(message) if len(records) == 1 else row(message, incident), record)
            if len(records) > 1:
                check_bundle(message, records)
                return
            if page.kind is not Kind.EXTERNAL:
                check_system(message, records[0])
            if self.world.reads_forms:
                self._check_forms(self._told(attempt), message, records[0])
        except UntrueError as lie:
            raise Broken(f"{attempt.ids} {lie}") from lie

    def _check_forms(self, told: OneMessage, message: Message, record: Record) -> None:
        """What media make of the words: of what is planned for one, the others show the same."""
        [(notification, incident)] = told.items
        channel = told.context.channel(notification.channel) or self.world.policy.channels[0]
        outgoing = Outgoing(
            notification=notification,
            channel=channel,
            message=message,
            thread="",
            key="k",
            incident_ref="i",
            incident=incident,
            pages=range(1),
            name=told.name,
        )
        if notification.kind is Kind.EXTERNAL:
            return
        check_document(payload(outgoing), record)
        check_html(message.html, record)
        if notification.kind is Kind.PAGE:
            check_event(self.world.lie.event(trigger(outgoing)), record)
        check_blocks(parent(message, incident, told.name, "", buttons=True), record)
        check_blocks(reply(message, incident, notification.kind, "<!here>", buttons=True), record)

    def _told(self, attempt: Attempt) -> OneMessage:
        """What the words are made of: what was claimed, unless a lie is planted."""
        delivery, lie = attempt.delivery, self.world.lie
        items = [(lie.notification(each), lie.incident(incident)) for each, incident in delivery.items]
        alerts = {name: lie.alerts(firing) for name, firing in delivery.alerts.items()}
        return OneMessage(items, delivery.context, delivery.name, alerts)

    def _holds(self, attempt: Attempt) -> bool:
        assert self.engine is not None
        try:
            return self.engine.holds([each for each, _ in attempt.items], self.world.now)
        except FAILS:
            return False

    def _report(self, attempt: Attempt, outcome: Outcome) -> None:
        """Reports gather, and go in together."""
        self._reports.append((attempt, outcome))
        if len(self._reports) == 1:
            self.world.at(self.world.now + SECOND // 5, lambda: self._record(6), self)

    def _record(self, tries: int) -> None:
        assert self.engine is not None
        now = self.world.now
        try:
            self.engine.report(
                [OutcomeReport(each, outcome) for one, outcome in self._reports for each, _ in one.items], now
            )
        except FAILS:
            if tries:
                self.world.at(now + 5 * SECOND, lambda: self._record(tries - 1), self)
                return
        for attempt, _ in self._reports:
            self._under_way.remove(attempt)
        self._reports.clear()
        self.wake(now + SECOND // 100)
