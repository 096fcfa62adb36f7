"""Who is outside: clustered Alertmanagers, which retry what is not answered 2xx, and people, who do as they like.

Starts move, groups move, alerts flap, and a slower peer tells of what another has told the end of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING

from msgspec.structs import replace

from receiver.core.events import (
    Acknowledge,
    Action,
    AlertsReceived,
    ApproveNotice,
    ApproveReport,
    Change,
    Declare,
    Escalate,
    FileReport,
    GiveBack,
    Handover,
    JudgeObligation,
    Note,
    Resolve,
    Silenced,
    Tick,
    Undo,
    Update,
    Withdraw,
    WithdrawFiling,
)
from receiver.core.model import Alert, Fact, Incident, Instant, State
from receiver.core.obligations import reports
from receiver.core.response import Standing
from receiver.engine.commands import ForIncident
from receiver.reports.render import content_hash, freeze
from rules.policy import EMERGENCY, HOUR, MINUTE, SECOND
from tests.core.alerts import START, alert
from tests.faults.mirror import Broken
from tests.faults.policy import BUDGET, DRIFT, LEVEL_OF, POLICY, SAFETY, SLO

if TYPE_CHECKING:
    from tests.faults.workers import Worker
    from tests.faults.world import World


class Alertmanager:
    """Groups of alerts that fire and clear; webhooks that come twice, late, out of order, and again after a 5xx."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.truth: dict[str, Alert] = {}
        groups = max(world.dice.choice((1, 1, 2)), Random(f"{world.seed}, how many").choice((1,) * 11 + (7,)))
        self._keys = [f"key{number}" for number in range(groups)]
        self._has_systems = Random(f"{world.seed}, which systems").random() < 0.3
        self._bridge = Random(f"bridge {world.seed}").choice((None, None, None, "{key}", "bridge"))
        self._ended = False
        self._settled = False
        """From here on what fires must be known to fire."""

    def plan(self, begins: int, lasts: int) -> None:
        """What will happen."""
        dice = self.world.dice
        for key in self._keys:
            at = begins + dice.randrange(lasts // 4)
            while at < begins + lasts:
                self.world.at(at, lambda key=key: self._change(key))
                at += dice.choice((20, 120, 400, 1200)) * SECOND
            for _ in range(dice.choice((0, 0, 1, 3))):
                self.world.at(begins + dice.randrange(lasts), lambda key=key: self._silence(key))
            if dice.random() < 0.2:
                self.world.at(begins + dice.randrange(lasts), lambda key=key: self._flap(key))

    def _silence(self, key: str) -> None:
        """A look finds that all is silenced for a while, or that it is not; what it saw may be old."""
        dice, up = self.world.dice, self.world.up()
        firing = sum(each.firing for each in self._group(key))
        until = dice.choice((None, 1, 5, 20))
        if up and firing:
            self.world.say(f"{key} is {f'silenced for {until} min' if until else 'not silenced'}")
            end = None if until is None else Instant(self.world.now + until * MINUTE)
            dice.choice(up).handle(Silenced(key, firing, end, "ada"))

    def tell_all(self) -> None:
        """Every group as it is now, at once, and nothing is silenced."""
        self._settled = True
        for incident in list(self.world.mirror.incidents.values()):
            if incident.silenced_until is not None:
                self.world.workers[0].handle(Silenced(incident.key, sum(incident.firing), None))
        for key in self._keys:
            self._notify(key, 0)

    def end(self) -> None:
        """Everything clears, and nothing late comes any more."""
        self._ended = True
        self.truth = {name: self._cleared(each) if each.firing else each for name, each in self.truth.items()}
        for key in self._keys:
            self._post(key, self._group(key))

    def _cleared(self, old: Alert) -> Alert:
        return replace(old, firing=False, ended_at=self.world.now)

    def _change(self, key: str) -> None:
        dice, now = self.world.dice, self.world.now
        names = [f"{key}.{letter}" for letter in "abc"]
        over = dice.random() < 0.25
        before = dict(self.truth)
        for name in names if over else dice.sample(names, dice.choice((1, 1, 2))):
            old = self.truth.get(name)
            if over and (old is None or not old.firing):
                continue
            if old is not None and old.firing and (over or dice.random() < 0.7):
                self.truth[name] = self._cleared(old)
            elif old is not None and old.firing and dice.random() < 0.5:
                moved = Instant(max(START, old.starts_at + dice.choice((-90, -5, 3)) * SECOND))
                self.truth[name] = replace(old, starts_at=min(moved, now))
            elif old is not None and not old.firing and dice.random() < 0.15:
                self.truth[name] = replace(
                    old, firing=True, ended_at=None
                )  # Prometheus was away: the start is the same
            else:
                rule = dice.choice((SLO, SLO, SLO, BUDGET, SAFETY, DRIFT))
                starts_at = now if old is None or old.ended_at is None else max(now, old.ended_at + 1)
                fires = alert(name, LEVEL_OF[rule], rule, twin=dice.random() < 0.1, starts_at=starts_at)
                self.truth[name] = self._told(key, fires)
        self._notify(key, dice.choice((0, 0, 0, 1, 30, 300)) * SECOND)
        if dice.random() < 0.3:
            self._notify(key, dice.randrange(10 * MINUTE))  # a repeat, or a second Alertmanager's
        self._echo(key, before)

    def _told(self, key: str, each: Alert) -> Alert:
        """With a summary that names its unit, and a value; a bridge gives all its alerts one fingerprint. In some worlds
        each unit is a system.
        """
        if self._has_systems:
            each = replace(each, labels={**each.labels, "system": _unit(each)})
        value = f"{each.starts_at // SECOND % 997 / 10:g}"
        said = {"summary": f"unit {_unit(each)} is out of bounds", "value": value}
        return replace(each, fingerprint=(self._bridge or _unit(each)).format(key=key), annotations=said)

    def _flap(self, key: str) -> None:
        """An alert fires and clears again and again."""
        dice, name = self.world.dice, f"{key}.f"
        for number in range(dice.choice((6, 12))):
            at = self.world.now + number * dice.choice((20, 45)) * SECOND
            self.world.at(at, lambda: None if self._ended else self._turn(key, name))

    def _turn(self, key: str, name: str) -> None:
        old, now = self.truth.get(name), self.world.now
        begins = now if old is None or old.ended_at is None else max(now, old.ended_at + 1)
        fires = self._told(key, alert(name, LEVEL_OF[SLO], SLO, starts_at=begins))
        self.truth[name] = self._cleared(old) if old is not None and old.firing else fires
        self._notify(key, 0)

    def _echo(self, key: str, before: Mapping[str, Alert]) -> None:
        """A slower peer sends what fired from an old snapshot after its end was told, and the end again later."""
        ended = [
            name for name, each in self.truth.items() if not each.firing and name in before and before[name].firing
        ]
        if not ended or self.world.dice.random() < 0.5:
            return
        ends = tuple(self.truth[name] for name in ended)
        self._post(key, ends)  # the faster peer told of it
        wait = self.world.dice.randrange(15) * SECOND
        self.world.at(self.world.now + wait, lambda: self._tell_late(key, tuple(before[name] for name in ended), ends))

    def _tell_late(self, key: str, firings: tuple[Alert, ...], ends: tuple[Alert, ...]) -> None:
        """The end after the firing, and only when that was accepted: a peer sends a group's webhooks in order."""
        if self._ended or any(self.truth[_unit(each)] != each for each in ends):
            return  # it fires again by now: no slower peer tells older things than a faster one then
        later = self.world.dice.randrange(1, 20) * SECOND
        self._post(
            key, firings, "slow", lambda: self.world.at(self.world.now + later, lambda: self._post(key, ends, "slow"))
        )

    def _group(self, key: str) -> tuple[Alert, ...]:
        return tuple(each for name, each in sorted(self.truth.items()) if name.startswith(key))

    def _notify(self, key: str, wait: int) -> None:
        group = self._group(key)
        if group:
            self.world.at(self.world.now + wait, lambda: None if self._ended else self._post(key, group))

    def _post(
        self, key: str, group: tuple[Alert, ...], peer: str = "fast", then: Callable[[], object] = lambda: None
    ) -> None:
        """One webhook; where the answer is none, or 5xx, it is sent again. Groups move: its key may be another.

        `then` follows when it is accepted. A peer whose group has moved on meanwhile sends that instead.
        """
        world = self.world
        if self._settled and any(self._is_stale(each) for each in group):
            return
        if peer == "fast" and any(self._is_over(each) for each in group):
            return
        if peer == "slow" and any(self.truth[_unit(each)].firing for each in group):
            return
        up = world.up()
        before = {_unit(each): world.mirror.held(_unit(each)) for each in group}
        words = ", ".join(f"{_unit(each)} {'fires' if each.firing else 'clears'} {each.rule}" for each in group)
        worker = world.dice.choice(up) if up else None
        world.say(f"webhook of the {peer} peer to {worker.id if worker else 'nobody'}: {words}")
        by = f"{key}-moved" if world.dice.random() < 0.1 else key
        event = AlertsReceived(by, "", group, told_by=peer, peers_differ=True)
        if worker is None or worker.handle(event) is None:
            world.say("  not accepted: Alertmanager tries again")
            world.at(world.now + world.dice.choice((1, 5, 20)) * SECOND, lambda: self._post(key, group, peer, then))
            return
        then()
        self._check_echoes(before, group, peer)
        for incident_id, fired in self._fired(before, group).items():
            self._check(incident_id, before[_unit(fired[0])][0], fired)

    def _is_stale(self, told: Alert) -> bool:
        """An old end of what fires again with the same start: believed, and mended only by the next repeat."""
        now = self.truth[_unit(told)]
        return not told.firing and now.firing and now.starts_at <= (told.ended_at or 0)

    def _is_over(self, told: Alert) -> bool:
        """A firing whose end is known by now: only a slower peer tells it still."""
        now = self.truth[_unit(told)]
        return told.firing and not now.firing and told.starts_at <= (now.ended_at or 0)

    def _check_echoes(self, before: Before, group: Sequence[Alert], peer: str) -> None:
        """What a slower peer tells from an old snapshot, soon after an end that another told, is not believed yet."""
        for each in group:
            incident, old = before[_unit(each)]
            _, kept = self.world.mirror.held(_unit(each))
            may_echo = (
                old is not None
                and each.firing
                and old.ended_at is not None
                and each.starts_at <= old.ended_at
                and old.end_heard_at is not None
                and self.world.now < old.end_heard_at + LEAST_ECHO_WINDOW
                and old.end_told_by != peer
            )
            if may_echo and incident is not None and kept is not None and kept.firing:
                raise Broken(f"{_unit(each)} may be an echo, and was believed at once")

    def _fired(self, before: Before, group: Sequence[Alert]) -> Mapping[str, list[Alert]]:
        """What is news, by the incident that holds it by now. Accepted is known."""
        found: dict[str, list[Alert]] = {}
        for each in group:
            if not each.firing or not _is_news(each, before[_unit(each)][1]):
                continue
            incident, kept = self.world.mirror.held(_unit(each))
            if incident is None or kept is None or not kept.firing:
                raise Broken(f"{_unit(each)} was accepted, and no incident knows that it fires")
            found.setdefault(incident.id, []).append(each)
        return found

    def _check(self, incident_id: str, before: Incident | None, fired: Sequence[Alert]) -> None:
        """New danger is never swallowed: a former owner or resolver is paged again."""
        mirror = self.world.mirror
        after = mirror.incidents[incident_id]
        is_new = before is None or before.id != after.id
        if after.is_paused:
            raise Broken(f"#{after.number} stays silenced although {[_unit(each) for each in fired]} fired")
        facts = {each.fact for each in mirror.timeline[after.id][0 if is_new else before.entries :]}
        wanted = {Fact.OPENED, Fact.REOPENED, Fact.ALERT_JOINED, Fact.RULE_JOINED, Fact.LEVEL_ROSE, Fact.ACK_VOIDED}
        flaps = all(kept is not None and _flaps(kept) for _, kept in (mirror.held(_unit(each)) for each in fired))
        if not facts & (wanted if is_new else _wanted(before, fired, flaps=flaps)):
            names = [_unit(each) for each in fired]
            raise Broken(f"new danger was swallowed: {names} gave only {sorted(facts)}")


def _unit(each: Alert) -> str:
    """What the alert is about: the unit tells it from others, for any fingerprint."""
    return each.labels["unit"]


LEAST_ECHO_WINDOW = 50 * SECOND
"""At level 4; at the others it is longer."""

Before = Mapping[str, tuple[Incident | None, Alert | None]]
"""Unit → the incident that held its alert, and the alert as it was."""


def _is_news(new: Alert, old: Alert | None) -> bool:
    """Not what may be an echo, and not a start told anew."""
    if old is None:
        return True
    if old.firing:
        return new.level > old.level and new.starts_at > (old.ended_before or 0)
    return old.ended_at is None or new.starts_at > old.ended_at


def _flaps(alert: Alert) -> bool:
    terms = POLICY.flapping
    return sum(alert.firings[-1] - at <= terms.within for at in alert.firings) > terms.cycles


def _wanted(before: Incident, fired: Sequence[Alert], *, flaps: bool) -> set[Fact]:
    """What new alerts must do to an incident: one of these. Reopened, it pages as at 0, and that is always enough:
    another worker may have resolved it since it was looked at. Of what flaps the owner was told.
    """
    worse = max(each.level for each in fired) > before.level or any(each.rule not in before.rules for each in fired)
    if before.state is State.RESOLVED:
        return {Fact.REOPENED}
    flapping = {Fact.FLAPPING, Fact.FLAPPED} if flaps and not worse else set()
    if before.state is State.ACKNOWLEDGED and (worse or before.level == EMERGENCY):
        return {Fact.ACK_VOIDED, Fact.ACK_EXPIRED, Fact.REOPENED} | flapping
    return {Fact.REOPENED, Fact.ALERT_JOINED, Fact.RULE_JOINED, Fact.LEVEL_ROSE, Fact.FIRED_AGAIN} | flapping


class People:
    """They acknowledge, escalate, resolve, note and assess, at any time; what was accepted must stay."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.said: dict[str, str] = {}
        """What was accepted → the incident's id."""
        self._serial = 0
        self._habits = Random(f"{world.seed}, who has it")
        """Dice of their own, so that no other part of a world depends on who asks whom for help."""
        self._desk = Random(f"{world.seed}, who approves reports")
        self._press = Random(f"{world.seed}, who tells the outside")

    def plan(self, begins: int, lasts: int) -> None:
        """What they will do."""
        for _ in range(self._habits.choice((0, 0, 4, 8))):
            self.world.at(begins + self._habits.randrange(lasts), self._pass_it_on)
        for _ in range(self._press.choice((0, 0, 6))):
            self.world.at(begins + self._press.randrange(lasts), self._tell_the_outside)
        for _ in range(self._desk.choice((0, 0, 0, 0, 2))):
            self.world.at(begins + self._desk.randrange(lasts), self._approve_report)
        for _ in range(self._habits.choice((0, 2, 5))):
            self.world.at(begins + self._habits.randrange(lasts), self._do_duties)
        for _ in range(self.world.dice.choice((0, 2, 5))):
            self.world.at(begins + self.world.dice.randrange(lasts), self._act)

    def _approve_report(self) -> None:
        """cleo approves a report as it reads now, where it is not approved already."""
        dice, up, known = self._desk, self.world.up(), list(self.world.mirror.incidents.values())
        if not known or not up:
            return
        incident = dice.choice(known)
        report = self.world.onlooker.report(incident)
        if report is not None and not report.cover.approved_by:
            document, sha256 = freeze(report), content_hash(report)
            self._do(up[0], incident, ApproveReport("cleo", report.version, sha256, "ada", "0:", document))

    def _tell_the_outside(self) -> None:
        """A person declares an exercise, writes an update, acknowledges, or approves a notice that waits."""
        dice, up = self._press, self.world.up()
        if not up:
            return
        worker, live = dice.choice(up), [each for each in self.world.mirror.incidents.values() if each.is_live]
        if not live or dice.random() < 0.2:
            self._serial += 1
            key = f"drill {self._serial}"
            worker.handle(Declare(key, "practice", "ada", level=3, exercise=True, new_type=True))
            return
        incident = dice.choice(live)
        held = [each.id for each in incident.response.notices if each.standing is Standing.HELD]
        actions: list[Action] = [Update("ada", "better"), Acknowledge("ada", hold=HOUR)]
        actions += [ApproveNotice("cleo", each, "subject", "body") for each in (*held, *held)]
        self._do(worker, incident, dice.choice(actions))

    def resolve_all(self) -> None:
        """ada files what is outstanding, and resolves every live incident."""
        for incident in list(self.world.mirror.incidents.values()):
            for owed in reports(incident, POLICY):
                if not owed.filings:
                    filing = FileReport("ada", owed.obligation.name, owed.stage.name, "receipt")
                    self._do(self.world.workers[0], incident, filing)
            if incident.is_live:
                self._do(self.world.workers[0], incident, Resolve("ada", "note 0", force=True))

    def _act(self) -> None:
        dice = self.world.dice
        live = [each for each in self.world.mirror.incidents.values() if each.state is not State.CLOSED]
        up = self.world.up()
        if not live or not up:
            return
        incident = dice.choice(live)
        self._serial += 1
        by, note = dice.choice(("ada", "ben")), f"note {self._serial}"
        hold = dice.choice((None, None, 2 * MINUTE, HOUR))
        actions: tuple[Action, ...] = (
            Acknowledge(by, note, hold),
            Acknowledge(by, note, hold, incident.state),
            Escalate(by, note),
            Resolve(by, note, force=dice.random() < 0.5),
            Note(by, note),
            Change(by, level=dice.randint(1, 4), reason=note),
        )
        action = dice.choice(actions)
        if self._do(dice.choice(up), incident, action) and not isinstance(action, Change):
            self.said[note] = incident.id

    def _do_duties(self) -> None:
        """A person files a report with the authority, or judges the obligation, or ticks the investigation."""
        dice, up, known = self._habits, self.world.up(), list(self.world.mirror.incidents.values())
        if not known or not up:
            return
        incident = dice.choice(known)
        self._serial += 1
        note = f"note {self._serial}"
        actions: tuple[Action, ...] = (
            FileReport("ada", "law", dice.choice(("first", "last")), "receipt", note=note),
            JudgeObligation("ben", "law", dice.random() < 0.5, note),
            WithdrawFiling("ada", dice.choice(("r1", "r2")), note),
            Tick("ada", "root_cause_analysis.analysis.1", done=dice.random() < 0.7, note=note),
        )
        action = dice.choice(actions)
        if self._do(dice.choice(up), incident, action) and not isinstance(action, Tick):
            self.said[note] = incident.id

    def _pass_it_on(self) -> None:
        """The owner or another person asks for help; others answer; it is handed over and given back."""
        dice, up = self._habits, self.world.up()
        live = [each for each in self.world.mirror.incidents.values() if each.is_live]
        if not live or not up:
            return
        incident = dice.choice(live)
        self._serial += 1
        by, note = dice.choice(("ada", "ben", "cleo")), f"note {self._serial}"
        owner = incident.holder or by
        actions: tuple[Action, ...] = (
            Acknowledge(by, note),
            Acknowledge(by, note),
            Escalate(owner, note),
            Escalate(owner, note),
            Escalate(by, note),
            Withdraw(owner, note),
            GiveBack(owner, note),
            Handover(owner, by, note),
            Undo(owner),
            Change(by, facts={"root_cause": f"cause {self._serial}"}),
            Change(by, facts={"fix_description": f"mended {self._serial}"}),
        )
        action = dice.choice(actions)
        if self._do(dice.choice(up), incident, action) and not isinstance(action, Change | Undo):
            self.said[note] = incident.id

    def _do(self, worker: Worker, incident: Incident, action: Action) -> bool:
        result = worker.handle(ForIncident(incident.id, action))
        if result is not None:
            self.world.onlooker.hear(result)
        word = "no answer" if result is None else result.refusal.reason if result.refusal else "done"
        self.world.say(f"{type(action).__name__} of #{incident.number}: {word}")
        return result is not None and result.refusal is None
