"""Invariants under any sequence of events at any times, checked at every single decision."""

from collections import Counter
from dataclasses import replace as replace_policy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from receiver.core.checklists import steps
from receiver.core.closing import outstanding
from receiver.core.decide import decide
from receiver.core.draft import Effects
from receiver.core.events import (
    AddFollowUp,
    AlertsReceived,
    ApproveNotice,
    Arrived,
    Close,
    Event,
    FinishFollowUp,
    Overtaken,
    RejectNotice,
    Reported,
    Retry,
    SignOff,
    Tick,
    TimePassed,
    Unheard,
)
from receiver.core.model import Fact, Incident, Kind, Notification, Reason, Recovery, State, Status, Window
from receiver.core.plan import DecisionContext, PolicyVersion
from receiver.core.response import Standing
from rules.policy import EMERGENCY, HOUR, MINUTE, SECOND, Closing, Micros, Reports, Rule
from rules.stored import digest
from tests.core.alerts import BUDGET, COMPLIANCE, SAFETY, SLO, alert
from tests.core.guide import ALL, OUTSIDE, POLICY, SHARED, WHOLE, with_channel, with_level, with_rule
from tests.core.truth import WORDS, OneMessage, check, texts
from tests.core.world import World

POLICIES = {
    "the guide's": POLICY,
    "late escalation, two confirmations": with_level(
        4, with_level(3, escalation_time=Micros(2 * HOUR)), confirmations=2
    ),
    "no verification, confirmed": with_level(3, resolve_after=Micros(0), resolution="confirmed", escalates_to=()),
    "no e-mail, a rule that phones": with_rule(
        Rule("x", "calls", "calls > 1", 3, ("phone",)), with_channel("email", enabled=False)
    ),
    "with procedures, limits and impacts": WHOLE,
    "with terms for closing": replace_policy(
        WHOLE,
        closing=Closing(3, ("root_cause",), ("immediate_actions", "resolution"), 4),
        reports=Reports(recipients=("board@company.com",)),
    ),
    "outsiders among its own": SHARED,
}
POLICY_VERSIONS = {name: PolicyVersion.of(policy, digest(policy)) for name, policy in POLICIES.items()}
RULES = (SLO, BUDGET, SAFETY, COMPLIANCE, "x/calls", "Stranger")
NAMES = ("a", "b", "c")
PAGING = {Window.ESCALATE, Window.BREACH, Window.RESCUE, Window.ACKNOWLEDGE_LIMIT}
HOLDING = {Window.ACK_EXPIRY, Window.ACK_REMINDER, Window.CONFIRM_REMINDER, Window.ASSESS_LIMIT}
WATCHING = {Window.CLOSE, Window.FORCED}
CALLS_FOR_A_PAGE = PAGING | {Window.HELP, Window.ACK_EXPIRY, Window.FORCED, Window.SILENCE, Window.ECHO, Window.STEADY}
JOINS_A_PAGE = {Reason.FALLBACK, Reason.RULE_JOINED}
WAKES = {"pagerduty", "sms", "phone"}
"""Types of channels that wake a person; the channels are named after their types."""


class Watched(World):
    """A world that checks every decision it makes."""

    def use(self, policy):
        """Take a policy into use, by its name (indexed once)."""
        self.current = POLICY_VERSIONS[policy]
        self.policy_versions[self.current.digest] = self.current

    def decide(self, event: Event, incident_id: str | None = None, *, settle: bool = True) -> Effects:
        """Decide, then look at what was decided."""
        before = self._before(event, incident_id)
        as_it_was = replace(before) if before else None
        known = dict(self.stored_alerts.get(before.id, {})) if before else {}
        context = self.context(before.policy if before else None)
        expected = decide(before, event, self.now, context, known)
        effects = super().decide(event, incident_id, settle=False)
        assert effects == expected, "the same input gives the same effects"
        assert before == as_it_was, "a decision leaves its input alone"
        if effects.incident is not None:
            self._check(before, event, effects, effects.incident)
            self._check_page(self.incidents[effects.incident.id])
        if settle:
            self.send(channel for channel in ALL if channel not in self.down)
        return effects

    def _before(self, event: Event, incident_id: str | None) -> Incident | None:
        key = getattr(event, "key", None)
        if key is not None:
            return next(iter(self.store.lock([key], [])), None)
        return self.incidents[incident_id or self.incident.id]

    def _check(self, before: Incident | None, event: Event, effects: Effects, after: Incident) -> None:
        entries, sequence = (before.entries, before.sequence) if before else (0, 0)
        new = [each for each in effects.notifications if each.sequence > sequence]
        assert [each.position for each in effects.entries] == list(range(entries + 1, after.entries + 1))
        assert [each.sequence for each in new] == list(range(sequence + 1, after.sequence + 1))
        assert len({each.id for each in new}) == len(new)
        firing = Counter(each.level for each in self.stored_alerts.get(after.id, {}).values() if each.firing)
        assert after.firing == tuple(firing[level] for level in (1, 2, 3, 4))
        held = [
            each.held_until for each in self.stored_alerts.get(after.id, {}).values() if each.held_until is not None
        ]
        assert after.held == len(held)
        assert (Window.ECHO in after.windows) is bool(held)
        assert not held or after.windows[Window.ECHO] <= min(held)
        _check_windows(after)
        self._check_promises(before, event, new, after)
        if after.recorded_only:
            assert not after.is_firing
            assert not [each for each in new if not each.reason.startswith("overdue")], "nobody is told"
        if isinstance(event, TimePassed):
            assert all(at > self.now for at in after.windows.values()), "what was due is done"
        if before is not None:
            self._check_pages(before, event, new, after)
            self._check_all_clear(before, event, new, after)

    def _check_promises(self, before: Incident | None, event: Event, new: list[Notification], after: Incident) -> None:
        """People who were told get updates, approvers hear of what waits, and only approved notices go outside."""
        context = self.context(after.policy)
        if after.state is State.ACKNOWLEDGED:
            interval = context.policy_version.plan(after).update_interval
            assert after.windows[Window.UPDATE] <= self.now + interval, "updates were promised"
        held = [each for each in after.response.notices if each.standing is Standing.HELD]
        assert (Window.NOTICE in after.windows) is any(not each.reminded for each in held)
        assert all(each.due_at is not None for each in held), "its approvers were told"
        assert all(each.why for each in after.response.notices if each.standing is Standing.VOID)
        outside = [each for each in new if each.kind is Kind.EXTERNAL]
        assert not outside or isinstance(event, ApproveNotice), "nothing is sent outside unapproved"
        updates = {(each.channel, each.recipient) for each in new if each.kind is Kind.UPDATE}
        same = before if before is not None and before.recurrences == after.recurrences else None
        at_first, by_now = (_updated(each, context) if each is not None else set() for each in (same, after))
        assert not updates or at_first <= updates <= by_now, "everybody who was told, and nobody else"

    def _check_pages(self, before: Incident, event: Event, new: list[Notification], after: Incident) -> None:
        pages = [each for each in new if each.kind is Kind.PAGE]
        if isinstance(event, TimePassed) and pages:
            due = {window for window, at in before.windows.items() if at <= self.now}
            assert due & CALLS_FOR_A_PAGE, "no page before its window"
        if pages and after.is_live:
            assert after.wants_answer, "who acknowledged is not paged, but where help is asked for"
        if isinstance(event, AlertsReceived) and before.state is State.ACKNOWLEDGED and after.level == EMERGENCY:
            fired = [each for each in self.stored_alerts[after.id].values() if each.firing and each in event.alerts]
            if fired and after.firing != before.firing and sum(after.firing) > sum(before.firing):
                assert after.state is State.OPEN
                assert pages, "new danger at level 4 always pages"

    def _check_all_clear(self, before: Incident, event: Event, new: list[Notification], after: Incident) -> None:
        cleared = [(each.channel, each.recipient) for each in new if each.kind is Kind.RESOLVED]
        trouble = [
            each
            for each in self.outbox.values()
            if each.incident_id == after.id and each.kind not in {Kind.RESOLVED, Kind.EXTERNAL, Kind.REPORT}
        ]
        assert set(cleared) <= {(each.channel, each.recipient) for each in trouble if each.attempts}, "who was told"
        if before.is_live and after.state is State.RESOLVED:
            told = {(each.channel, each.recipient) for each in (*before.paged, *before.told)}
            assert set(cleared) == told - set(before.response.unheard), "everybody of whom something has left"
            rang = {
                (each.channel, each.recipient)
                for each in trouble
                if each.page > before.pages_closed and each.attempts and each.status is not Status.GAVE_UP
            }
            assert rang <= set(cleared), "everybody whose page left gets the all-clear"
            assert len(cleared) == len(set(cleared)), "once"
            assert not [
                each
                for each in self.waiting()
                if each.incident_id == after.id and each.kind is Kind.PAGE and not each.superseded
            ]
        elif cleared:
            assert isinstance(event, Reported | Arrived), "late, for what was under way while it was resolved"
            assert len(cleared) == 1

    def _check_page(self, incident: Incident) -> None:
        """An open incident has reached a person, will try the next fallback, or has recorded that none is left."""
        pages = [each for each in self.outbox.values() if each.incident_id == incident.id and each.kind is Kind.PAGE]
        current = [each for each in pages if each.page == incident.page.serial]
        assert not incident.page.delivered or any(each.reached_at is not None for each in current)
        if (
            not incident.wants_answer
            or incident.is_paused
            or incident.page.delivered
            or Window.RESCUE in incident.windows
        ):
            return
        entries = [each for each in self.timeline if each.incident_id == incident.id]
        steps = (each for each in entries if each.fact is Fact.PAGED and each.data["reason"] not in JOINS_A_PAGE)
        step = max((each.position for each in steps), default=0)
        exhausted = max((each.position for each in entries if each.fact is Fact.FALLBACK_EXHAUSTED), default=0)
        assert exhausted > step, "a page that reached nobody is never left at that"

    def report(self, notification, outcome):
        """A message to one recipient never overtakes an earlier one."""
        earlier = [each for each in self.waiting(notification.channel) if each.sequence < notification.sequence]
        assert not [
            each
            for each in earlier
            if (each.incident_id, each.recipient) == (notification.incident_id, notification.recipient)
        ]
        super().report(notification, outcome)
        if self.incidents[notification.incident_id].exercise:
            assert notification.recipient.lower() not in OUTSIDE, "an exercise sends nothing out of the house"
        self._check_words(notification)
        self._check_reach(self.outbox[notification.id])
        assert not (notification.superseded and self.outbox[notification.id].status is not Status.SUPERSEDED)

    def receive_receipt(self, channel, receipt="delivered"):
        """A receipt, where there is a page that it can be about."""
        self._told_later(channel, lambda: super(Watched, self).receive_receipt(channel, receipt))

    def bounce(self, channel, reason="no"):
        """Bad news, likewise."""
        self._told_later(channel, lambda: super(Watched, self).bounce(channel, reason))

    def _told_later(self, channel, tell):
        if any(each.channel == channel and each.incident_id == self.incident.id for each in self.planned(Kind.PAGE)):
            tell()
            self._check_reach(self._newest(channel))

    def _check_reach(self, page: Notification) -> None:
        """The reach rule, written anew: a page at level 3 or 4 is reached only by a waking channel with proof."""
        incident = self.incidents[page.incident_id]
        can_wake = any(self.context().usable(each) for each in WAKES)
        if page.kind is not Kind.PAGE or page.status in {Status.WAITING, Status.GAVE_UP, Status.SUPERSEDED}:
            assert page.reached_at is None
        elif page.reached_at == self.now and incident.level >= 3 and can_wake:
            assert page.channel in WAKES, "what wakes nobody reaches nobody"
            is_proved = page.status is Status.DELIVERED or page.channel == "pagerduty"
            assert is_proved or (page.channel == "sms" and not self.receipts), "accepted is not delivered"
        elif page.status is Status.DELIVERED and page.done_at == self.now:
            assert page.reached_at is not None or page.channel not in WAKES

    def _check_words(self, notification: Notification) -> None:
        """What a message says is so when it leaves."""
        incident = self.incidents[notification.incident_id]
        record = self.record(incident, notification)
        telling = OneMessage(
            [(notification, incident)], self.context(incident.policy), alerts={incident.id: record.firing}
        )
        check(texts(WORDS.render(telling, self.now)), record)


def _updated(incident: Incident, context: DecisionContext) -> set[tuple[str, str]]:
    """Who was told where updates go, and whom the policy still names."""
    told = (each for each in (*incident.paged, *incident.told) if not context.has_left(each))
    return {(each.channel, each.recipient) for each in told if context.carries_updates(each.channel)}


def _check_windows(incident: Incident) -> None:
    """Each state has the windows that lead out of it, and none of another state."""
    windows = set(incident.windows)
    match incident.state:
        case State.OPEN:
            leads_on = {Window.SILENCE} if incident.is_paused else {Window.ESCALATE, Window.BREACH}
            assert windows & leads_on, "never silently stuck"
            assert not (incident.is_paused and windows & PAGING), "silenced, it pages nobody"
            assert not windows & (HOLDING | WATCHING)
        case State.ACKNOWLEDGED:
            leads_on = {Window.SILENCE} if incident.is_paused else set()
            assert windows & ({Window.ACK_EXPIRY, Window.CONFIRM_REMINDER} | leads_on), "never held for ever"
            assert not windows & ((PAGING | WATCHING) - ({Window.RESCUE} if incident.response.asked_by else set()))
        case State.RESOLVED:
            assert Window.CLOSE in windows
            assert windows <= WATCHING | {Window.FOLLOW_UP, Window.NOTICE, Window.DUTY, Window.ECHO}
        case State.CLOSED:
            assert windows <= {Window.FOLLOW_UP, Window.REVISION, Window.NOTICE, Window.DUTY}
    assert (Window.HELP in windows) == bool(incident.response.asked_by), "who asks for help is heard again and again"
    assert incident.state is State.ACKNOWLEDGED or not incident.response.asked_by
    assert (Window.SILENCE in windows) == (incident.silenced_until is not None)
    assert (Window.VERIFY in windows) == (incident.recovery in {Recovery.UNREPORTED, Recovery.VERIFYING})
    assert incident.recovery is Recovery.NONE or (incident.is_live and not incident.is_firing)
    assert not (Window.RESCUE in windows and incident.page.delivered)
    assert (incident.acknowledged_by != "") == (incident.state is State.ACKNOWLEDGED) or not incident.is_live
    assert incident.state is not State.CLOSED or not incident.is_firing
    assert incident.state is State.RESOLVED or not (incident.response.kept_open and incident.is_live)


names = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True)
people = st.sampled_from(("ada", "ben"))
channels = st.sampled_from(sorted(ALL))
levels = st.integers(1, 4)
fired_at = st.integers(0, 4)
policies = st.sampled_from(sorted(POLICIES))
EVENTS = st.one_of(
    st.tuples(st.just("fire"), names, fired_at, st.sampled_from(RULES), st.booleans()),
    st.tuples(st.just("clear"), names),
    st.tuples(st.just("old"), names, fired_at, st.booleans(), st.integers(-10, 10)),
    st.tuples(st.just("acknowledge"), people, st.sampled_from((None, 5 * MINUTE, 30 * HOUR))),
    st.tuples(st.just("resolve"), people, st.booleans()),
    st.tuples(st.just("escalate"), people),
    st.tuples(st.just("withdraw"), people),
    st.tuples(st.just("give_back"), people),
    st.tuples(st.just("undo"), people),
    st.tuples(st.just("note"), people),
    st.tuples(st.just("update"), people),
    st.tuples(st.just("change"), people, levels),
    st.tuples(st.just("declare"), st.sampled_from(("engine_failure", "slo_violation", "coffee"))),
    st.tuples(st.just("exercise"), st.sampled_from(("engine_failure", "communication_failure"))),
    st.tuples(st.just("replan"), people),
    st.tuples(st.just("explain"), people, st.sampled_from(("", "unknown", "a worn bearing", "a cracked housing"))),
    st.tuples(st.just("sign_off"), people),
    st.tuples(st.just("close"), people, st.sampled_from(("", "enough"))),
    st.tuples(st.just("hand_over"), people),
    st.tuples(st.just("follow_up"), people, st.integers(-10, 3000)),
    st.tuples(st.just("finish"), st.integers(1, 3)),
    st.tuples(st.just("decide_on_notice"), people, st.integers(1, 4), st.booleans()),
    st.tuples(st.just("tick"), people, st.integers(0, 40), st.booleans()),
    st.tuples(st.just("advance"), st.sampled_from((0, 0.5, 1, 5, 10, 15, 31, 65))),
    st.tuples(st.just("sleep"), st.sampled_from((0, 1, 7, 31, 125, 600, 1500))),
    st.tuples(st.just("down"), st.sets(channels)),
    st.tuples(st.just("configured"), st.sets(channels)),
    st.tuples(st.just("fail"), channels),
    st.tuples(st.just("reject"), channels),
    st.tuples(st.just("deliver"), channels),
    st.tuples(st.just("late"), st.booleans()),
    st.tuples(st.just("receive_receipt"), channels),
    st.tuples(st.just("bounce"), channels),
    st.tuples(st.just("receipts"), st.booleans()),
    st.tuples(st.just("use"), policies),
    st.tuples(st.just("blind"), st.booleans()),
    st.tuples(st.just("silence"), st.sampled_from((None, -1, 3, 20, 600)), st.sampled_from((None, None, None, 1))),
    st.tuples(st.just("unheard"), st.integers(0, 400)),
)


def _clear(world: Watched, cleared: list[str]) -> None:
    world.clear(*(each for each in cleared if each in world.stored_alerts.get(world.incident.id, {})))


def _hear(world: Watched, heard: list[str], level: int, firing: bool, seconds: int) -> None:
    world.receive(*(alert(each, level, firing=firing, starts_at=world.now + seconds * SECOND) for each in heard))


def _tick(world: Watched, by: str, which: int, is_done: bool) -> None:
    known = list(steps(world.incident, world.context(world.incident.policy).policy_version))
    world.act(Tick(by, known[which % len(known)] if known else "none", done=is_done))


def _decide_on_notice(world: Watched, by: str, which: int, approved: bool) -> None:
    notice = f"n{which}"
    world.act(ApproveNotice(by, notice, "subject", "body") if approved else RejectNotice(by, notice))


def _follow_up(world: Watched, by: str, minutes: int) -> None:
    world.act(AddFollowUp(by, "mend it", due_at=world.now + minutes * MINUTE))


def _go_unheard(world: Watched, minutes: int) -> None:
    world.decide(Unheard(world.incident.key, world.now - minutes * MINUTE))


def _report_late(world: Watched, lost: bool) -> None:
    for each in world.waiting()[:1]:
        world.report(each, Overtaken() if lost else Retry("slow"))


HAPPENS = {
    "exercise": lambda world, kind: world.declare(kind, exercise=True),
    "fire": lambda world, fired, level, rule, twin: world.fire(*fired, level=level, rule=rule, twin=twin),
    "clear": _clear,
    "old": _hear,
    "resolve": lambda world, by, force: world.resolve(by, note="because", force=force),
    "change": lambda world, by, level: world.change(by, level=level, reason="assessed"),
    "tick": _tick,
    "explain": lambda world, by, cause: world.change(by, root_cause=cause),
    "sign_off": lambda world, by: world.act(SignOff(by)),
    "close": lambda world, by, note: world.act(Close(by, note)),
    "follow_up": _follow_up,
    "finish": lambda world, which: world.act(FinishFollowUp("ada", f"f{which}")),
    "decide_on_notice": _decide_on_notice,
    "down": lambda world, down: setattr(world, "down", set(down)),
    "configured": lambda world, configured: setattr(world, "configured", frozenset(configured)),
    "blind": lambda world, blind: setattr(world, "blind", blind),
    "receipts": lambda world, receipts: setattr(world, "receipts", receipts),
    "late": _report_late,
    "unheard": _go_unheard,
}
"""What is not called as the World's method is."""
NEEDS_NO_INCIDENT = {"fire", "declare", "exercise", "old", "advance", "down", "configured", "use", "blind", "receipts"}


def happen(world: Watched, name: str, *what: object) -> None:
    """One event; before there is an incident only what needs none."""
    if world.incidents or name in NEEDS_NO_INCIDENT:
        HAPPENS[name](world, *what) if name in HAPPENS else getattr(world, name)(*what)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(EVENTS, max_size=40), policies)
def test_whatever_happens(events, policy):
    """No sequence of events raises, loses its count, leaves an incident stuck, or a page without a recipient."""
    world = Watched(policy)
    for event in events:
        happen(world, *event)
    if world.incidents:
        world.sleep(100 * 24 * 60)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(EVENTS, max_size=25), policies)
def test_what_clears_and_is_resolved_closes(events, policy):
    """However it went: when all has cleared and persons resolve it, it is resolved, and closes after the monitoring, or
    says what is missing and can be closed by a person.
    """
    world = Watched(policy)
    for event in events:
        happen(world, *event)
    world.fire("a")
    told = world.stored_alerts.get(world.incident.id, {}).values()
    world.clear(*(each.fingerprint for each in told if each.firing or each.held_until is not None))
    for by in ("ada", "ben"):
        world.resolve(by)
    assert world.incident.state is State.RESOLVED
    world.sleep(24 * 60)
    if world.incident.state is State.RESOLVED:
        missing = outstanding(world.incident, world.context(world.incident.policy).policy_version)
        assert world.entries(Fact.KEPT_OPEN)[-1].data["missing"] == "; ".join(missing)
        assert world.act(Close("cleo", "enough")) is None
    assert world.incident.state is State.CLOSED


@pytest.mark.parametrize(
    ("channel", "status", "said"),
    [
        ("slack", Status.ACCEPTED, "wakes nobody"),
        ("sms", Status.ACCEPTED, "is not delivered"),
        ("phone", Status.ACCEPTED, "is not delivered"),
    ],
)
def test_a_reach_that_is_none_is_noticed(channel, status, said):
    """The oracle notices an emergency that counts as told by Slack's ok, or by an SMS or a call only accepted."""
    world = Watched("the guide's", down=ALL)
    world.receipts = True
    world.fire("a", level=4)
    world.advance(minutes=1)
    page = next(each for each in world.planned(Kind.PAGE) if each.channel == channel)
    with pytest.raises(AssertionError, match=said):
        world._check_reach(replace(page, status=status, reached_at=world.now))
