"""Who is outside: Alertmanager, which retries what is not answered 2xx, and people, who do as they like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from receiver.core.events import Acknowledge, Action, AlertsReceived, Change, Escalate, Note, Resolve, Silenced
from receiver.core.model import Alert, Fact, Incident, Instant, State
from receiver.requests import ForIncident
from rules.policy import EMERGENCY, HOUR, MINUTE, SECOND
from tests.core.alerts import alert
from tests.faults.mirror import Broken
from tests.faults.policy import BUDGET, DRIFT, LEVEL_OF, SAFETY, SLO

if TYPE_CHECKING:
    from tests.faults.workers import Worker
    from tests.faults.world import World


class Alertmanager:
    """Groups of alerts that fire and clear; webhooks that come twice, late, out of order, and again after a 5xx."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.truth: dict[str, Alert] = {}
        self._keys = [f"key{number}" for number in range(world.dice.choice((1, 1, 2)))]
        self._ended = False

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
        for key in self._keys:
            self.world.workers[0].handle(Silenced(key, sum(each.firing for each in self._group(key)), None))
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
        for name in names if over else dice.sample(names, dice.choice((1, 1, 2))):
            old = self.truth.get(name)
            if over and (old is None or not old.firing):
                continue
            if old is not None and old.firing and (over or dice.random() < 0.7):
                self.truth[name] = self._cleared(old)
            else:
                rule = dice.choice((SLO, SLO, SLO, BUDGET, SAFETY, DRIFT))
                self.truth[name] = alert(name, LEVEL_OF[rule], rule, twin=dice.random() < 0.1, starts_at=now)
        self._notify(key, dice.choice((0, 0, 0, 1, 30, 300)) * SECOND)
        if dice.random() < 0.3:
            self._notify(key, dice.randrange(10 * MINUTE))  # a repeat, or a second Alertmanager's

    def _group(self, key: str) -> tuple[Alert, ...]:
        return tuple(each for name, each in sorted(self.truth.items()) if name.startswith(key))

    def _notify(self, key: str, wait: int) -> None:
        group = self._group(key)
        if group:
            self.world.at(self.world.now + wait, lambda: None if self._ended else self._post(key, group))

    def _post(self, key: str, group: tuple[Alert, ...]) -> None:
        """One webhook; where the answer is none, or 5xx, it is sent again."""
        world = self.world
        up = world.up()
        before = world.mirror.open_key(key)
        known = dict(world.mirror.alerts[before.id]) if before else {}
        words = ", ".join(f"{each.fingerprint} {'fires' if each.firing else 'clears'} {each.rule}" for each in group)
        worker = world.dice.choice(up) if up else None
        world.say(f"webhook to {worker.id if worker else 'nobody'}: {words}")
        if worker is None or worker.handle(AlertsReceived(key, "", group)) is None:
            world.say("  not accepted: Alertmanager tries again")
            world.at(world.now + world.dice.choice((1, 5, 20)) * SECOND, lambda: self._post(key, group))
        else:
            self._check(key, before, known, group)

    def _check(self, key: str, before: Incident | None, known: Mapping[str, Alert], group: Sequence[Alert]) -> None:
        """Accepted is known, and new danger is never swallowed: whoever had acknowledged or resolved is paged again."""
        mirror = self.world.mirror
        fired = [each for each in group if each.firing and _is_news(each, known.get(each.fingerprint))]
        after = mirror.open_key(key)
        for each in fired:
            kept = mirror.alerts[after.id].get(each.fingerprint) if after else None
            if kept is None or not kept.firing:
                raise Broken(f"{each.fingerprint} was accepted, and no incident knows that it fires")
        if fired and after is not None:
            is_new = before is None or before.id != after.id
            if after.is_paused:
                raise Broken(f"#{after.number} stays silenced although {[each.fingerprint for each in fired]} fired")
            facts = {each.fact for each in mirror.timeline[after.id][0 if is_new else before.entries :]}
            if not facts & ({Fact.OPENED} if is_new else _wanted(before, fired)):
                names = [each.fingerprint for each in fired]
                raise Broken(f"new danger was swallowed: {names} gave only {sorted(facts)}")


def _is_news(new: Alert, old: Alert | None) -> bool:
    return old is None or not old.firing or new.level > old.level or new.starts_at > old.starts_at


def _wanted(before: Incident, fired: Sequence[Alert]) -> set[Fact]:
    """What new alerts must do to an incident: one of these. Reopened, it pages as at 0, and that is always enough:
    another worker may have resolved it since it was looked at.
    """
    worse = max(each.level for each in fired) > before.level or any(each.rule not in before.rules for each in fired)
    if before.state is State.RESOLVED:
        return {Fact.REOPENED}
    if before.state is State.ACKNOWLEDGED and (worse or before.level == EMERGENCY):
        return {Fact.ACK_VOIDED, Fact.ACK_EXPIRED, Fact.REOPENED}
    return {Fact.REOPENED, Fact.ALERT_JOINED, Fact.RULE_JOINED, Fact.LEVEL_ROSE, Fact.FIRED_AGAIN}


class People:
    """They acknowledge, escalate, resolve, note and assess, at any time; what was accepted must stay."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.said: dict[str, str] = {}
        """What was accepted → the incident's id."""
        self._serial = 0

    def plan(self, begins: int, lasts: int) -> None:
        """What they will do."""
        for _ in range(self.world.dice.choice((0, 2, 5))):
            self.world.at(begins + self.world.dice.randrange(lasts), self._act)

    def resolve_all(self) -> None:
        """Somebody says of everything that it is over."""
        for incident in list(self.world.mirror.incidents.values()):
            if incident.is_live:
                self._do(self.world.workers[0], incident, Resolve("ada", "all is well", force=True))

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

    def _do(self, worker: Worker, incident: Incident, action: Action) -> bool:
        result = worker.handle(ForIncident(incident.id, action))
        word = "no answer" if result is None else result.refusal.reason if result.refusal else "done"
        self.world.say(f"{type(action).__name__} of #{incident.number}: {word}")
        return result is not None and result.refusal is None
