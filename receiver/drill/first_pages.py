"""Who is paged when under one policy, and what another policy changes: earlier, later, newly or never.

`tocsin replay` compares recorded webhooks, `tocsin diff` every rule. Both play without acknowledgements, so that only
the policy's own escalation counts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from receiver.core.classify import Received, sort
from receiver.core.events import Delivered
from receiver.core.model import Fact, Instant, Kind, Target
from receiver.drill.simulator import World
from receiver.drill.text_report import offset
from receiver.messages.plain import line
from rules.policy import Policy

NAME = 80
"""The maximum length of an incident's title, in characters."""

BEGINNINGS = frozenset({Fact.OPENED, Fact.DECLARED, Fact.REOPENED})


@dataclass(frozen=True, slots=True)
class RecordedWebhook:
    """One recorded webhook."""

    at: Instant
    source: str
    alerts: tuple[Received, ...]
    group_labels: Mapping[str, str]
    truncated: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Episode:
    """An incident from its opening or recurrence on, identical under every policy."""

    begun_at: Instant
    key: str


@dataclass(frozen=True, slots=True)
class FirstPages:
    """The result of an episode under one policy."""

    name: str
    level: int
    first: dict[Target, int]
    """Microseconds from the beginning until each recipient's first page was delivered."""


@dataclass(frozen=True, slots=True)
class FirstPageChange:
    """The change for one recipient under another policy."""

    target: Target
    before: int | None
    after: int | None

    @property
    def verdict(self) -> str:
        """The change in one to three words."""
        if self.after is None:
            return "not at all"
        if self.before is None:
            return "newly"
        return "earlier" if self.after < self.before else "later"

    def __str__(self) -> str:
        times = " → ".join("never" if micros is None else offset(micros) for micros in (self.before, self.after))
        return f"{self.target.channel} {self.target.recipient}: {self.verdict} ({times})"


def replay(policy: Policy, recording: Sequence[RecordedWebhook], lasts: int) -> dict[Episode, FirstPages]:
    """Play recorded webhooks under a policy, until `lasts` microseconds after the last."""
    if not recording:
        return {}
    in_order = sorted(recording, key=lambda heard: heard.at)
    world = World(policy, now=in_order[0].at)
    for heard in in_order:
        world.advance(heard.at)
        events = sort(world.policy_version, heard.source, heard.group_labels, heard.alerts, truncated=heard.truncated)
        if events:
            world.handle(*events)
    world.advance(Instant(in_order[-1].at + lasts))
    return episodes(world)


def episodes(world: World) -> dict[Episode, FirstPages]:
    """The first pages of a world, by episode."""
    begun: dict[str, list[Instant]] = {}
    for entry in world.timeline:
        if entry.fact in BEGINNINGS:
            begun.setdefault(entry.incident_id, []).append(entry.at)
    found: dict[Episode, FirstPages] = {}
    for incident_id, instants in begun.items():
        incident = world.incident(incident_id)
        for at in instants:
            found[Episode(at, incident.key)] = FirstPages(line(incident.title, NAME), incident.level, {})
    for sent in world.sent:
        message = sent.notification
        if message.kind is Kind.PAGE and isinstance(sent.outcome, Delivered):
            at = max(each for each in begun[message.incident_id] if each <= sent.at)
            first = found[Episode(at, world.incident(message.incident_id).key)].first
            first.setdefault(Target(message.channel, message.recipient), sent.at - at)
    return found


def first_page_changes(before: Mapping[Target, int], after: Mapping[Target, int]) -> Iterator[FirstPageChange]:
    """The changed recipients, in the order of their first page."""
    targets = sorted(
        {*before, *after}, key=lambda each: (before.get(each, after.get(each, 0)), each.channel, each.recipient)
    )
    for target in targets:
        if before.get(target) != after.get(target):
            yield FirstPageChange(target, before.get(target), after.get(target))
