"""`/policy`: the escalation of each level and rule, drawn, and what prevents notifications."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web

from receiver.core.model import Incident, Instant
from receiver.core.plan import DecisionContext, Plan, PolicyVersion
from receiver.core.response import FollowUp
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.engine.service_state import ServiceState
from receiver.messages.times import duration
from receiver.store import PolicyEntry, Reads
from receiver.web.console import tables
from receiver.web.console.pages import Frame, Visit
from rules.policy import IncidentType, Level, Rule
from rules.stored import meaning

Named = TypeVar("Named", Rule, IncidentType)

VERSIONS = 20
"""Policy versions in the history."""

LENGTH = 600
"""Drawing units of the response time."""


@dataclass(frozen=True, slots=True)
class Stop:
    """One escalation step: its time and channels."""

    when: str
    x: int
    channels: tuple[str, ...]
    silent: tuple[str, ...]
    """Those of `channels` that nothing can be sent on."""
    is_breach: bool = False


@dataclass(frozen=True, slots=True)
class Way:
    """The escalation steps of one level, rule or incident type."""

    name: str
    level: Level
    condition: str
    waits: str
    """How long the condition must hold first; empty: no time."""
    stops: tuple[Stop, ...]


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A policy version that was in use."""

    digest: str
    since: Instant
    changed: tuple[str, ...] | None
    """Parts that differ from the previous version; None: no previous version is known."""
    brought_by: tuple[tuple[int, FollowUp], ...]
    """(incident number, follow-up action) of the actions that changed the policy."""


@dataclass(frozen=True, slots=True)
class PolicyPage:
    """Handlers of the policy page and its export."""

    frame: Frame
    engine: Engine
    state: ServiceState
    queue: CommandQueue
    reads: Reads

    async def show(self, visit: Visit) -> web.Response:
        """Shows the page."""
        engine = self.engine
        policy_version = engine.current
        context = engine.context(policy_version)
        policy = policy_version.policy
        levels = [_way(context, each.name, each, ()) for each in reversed(policy.levels)]
        return self.frame.page(
            visit,
            "policy.html",
            levels=levels,
            rules=[_of_rule(context, each) for each in _worst_first(policy.rules)],
            types=[_of_type(context, each) for each in _worst_first(policy.incident_types)],
            warnings=[*_silent(context), *_unreached(levels)],
            doubts=self.state.policy_warnings,
            loaded=self.state.loaded_rules,
            digest=policy_version.digest,
            versions=await self.queue.browse(self._versions),
            refused=self.state.policy_problems,
            length=LENGTH,
        )

    def _versions(self) -> list[VersionRow]:
        """The newest versions; runs on the browsers' thread."""
        found = self.reads.policy_history(VERSIONS + 1)
        before = [*(each.document for each in found[1:]), None]
        rows = [
            VersionRow(each.digest, each.since, _changed(old, each.document), tuple(_brought(each)))
            for each, old in zip(found, before, strict=True)
        ]
        return rows[:VERSIONS]

    async def export(self, _visit: Visit) -> web.Response:
        """The escalation steps as CSV."""
        context = self.engine.context(self.engine.current)
        policy = context.policy_version.policy
        ways = [("level", _way(context, each.name, each, ())) for each in reversed(policy.levels)]
        ways += [("rule", _of_rule(context, each)) for each in _worst_first(policy.rules)]
        ways += [("type", _of_type(context, each)) for each in _worst_first(policy.incident_types)]
        rows = (
            (
                kind,
                way.name,
                way.level.level,
                way.condition,
                stop.when,
                ", ".join(stop.channels),
                ", ".join(stop.silent),
            )
            for kind, way in ways
            for stop in way.stops
        )
        return tables.answer("policy", ("kind", "name", "level", "condition", "when", "tells", "cannot_send"), rows)


def _changed(old: bytes | None, new: bytes) -> tuple[str, ...] | None:
    """Changed parts, among those that both versions' documents have."""
    if old is None:
        return None
    before, after = meaning(old), meaning(new)
    return tuple(name.replace("_", " ") for name, part in after.items() if name in before and part != before[name])


def _brought(entry: PolicyEntry) -> Iterable[tuple[int, FollowUp]]:
    for incident in entry.incidents:
        found = (each for each in incident.response.follow_ups if each.brought == entry.digest)
        yield from ((incident.number, each) for each in found)


def _of_rule(context: DecisionContext, rule: Rule) -> Way:
    waits = duration(rule.waits) if rule.waits else ""
    return _way(context, rule.name, context.policy_version.policy.level(rule.level), (rule.key,), rule.condition, waits)


def _of_type(context: DecisionContext, kind: IncidentType) -> Way:
    return _way(context, kind.name, context.policy_version.policy.level(kind.level), (kind.key,))


def _way(
    context: DecisionContext, name: str, level: Level, keys: Sequence[str], condition: str = "", waits: str = ""
) -> Way:
    plan = _plan(context.policy_version, level, keys)
    return Way(name, level, condition, waits, tuple(_stops(context, plan)))


def _plan(policy_version: PolicyVersion, level: Level, keys: Sequence[str]) -> Plan:
    """The plan of an incident with that level and those rules."""
    start = Instant(0)
    return policy_version.plan(
        Incident("", "", "", level.level, "", "", start, start, rules=dict.fromkeys(keys, level.level))
    )


def _stops(context: DecisionContext, plan: Plan) -> Iterable[Stop]:
    steps = [(0, plan.channels, False), (plan.response_time, plan.breach, True)]
    if plan.escalation_time < plan.response_time:
        steps.insert(1, (plan.escalation_time, plan.escalation, False))
    for after, channels, is_breach in steps:
        yield Stop(
            when=f"after {duration(after)}" if after else "at once",
            x=round(LENGTH * after / plan.response_time),
            channels=channels,
            silent=tuple(name for name in channels if not context.is_set_up(name)),
            is_breach=is_breach,
        )


def _worst_first(things: Iterable[Named]) -> list[Named]:
    return sorted(things, key=lambda each: (-each.level, each.name))


def _silent(context: DecisionContext) -> list[str]:
    found = [f"{each} is switched off in the policy" for each in context.current.policy.disabled_sections]
    for channel in context.current.policy.channels:
        if not channel.enabled:
            found.append(f"{channel.name} is switched off in the policy")
        elif not channel.recipients:
            found.append(f"{channel.name} has no recipient")
        elif channel.name not in context.configured:
            found.append(f"{channel.name} is not configured: nothing can be sent on it")
    return found


def _unreached(levels: Iterable[Way]) -> list[str]:
    """Warnings about steps on which no channel can send."""
    found = []
    for way in levels:
        dumb = [stop.when for stop in way.stops if set(stop.silent) == set(stop.channels)]
        if dumb:
            when = "at any time" if len(dumb) == len(way.stops) else " or ".join(dumb)
            found.append(f"level {way.level.level} {way.name}: nobody can be told {when}")
    return found
