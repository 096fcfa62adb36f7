"""The plan: what one policy version prescribes for an incident, as a pure function of both.

A PolicyVersion is one version of the policy, indexed, with its digest; the engine makes one per version. A
DecisionContext has the incident's own (frozen) version and the current one; recipients and channel settings come from
the current one, so that a wrong number can be corrected during an incident.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from msgspec import Struct

from receiver.core.cluster import Cluster
from receiver.core.instant import Instant, Jump
from receiver.core.model import Incident, Target
from receiver.core.procedures import Checklist, assemble, first_response_level
from receiver.core.sight import SIGHTED, Sight
from receiver.on_call.references import people_of, shift_of
from receiver.on_call.shift import Gap, Roster, Shift
from rules.channel_types import CHANNEL_FACTS, ChannelFacts
from rules.policy import (
    EMERGENCY,
    REFERENCE,
    WARNING,
    Channel,
    IncidentType,
    Level,
    Person,
    Policy,
    Rule,
    Stakeholders,
    TimedActions,
)

_SIGNS = dict.fromkeys(map(ord, " \t_-:/.#"))
"""Characters allowed between a word and its number: ``SEV-1``, ``severity: 1``."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Recipients and time limits of an incident. Durations in microseconds."""

    channels: tuple[str, ...]
    """Step 0: the channels of its rules; if its level is above theirs, also that level's."""
    escalation: tuple[str, ...]
    """At `escalation_time`: those and the next level's."""
    breach: tuple[str, ...]
    """At `response_time`: every channel of the level and above."""
    response_time: int
    escalation_time: int
    resolve_after: int
    update_interval: int
    confirmed: bool
    """Whether a person must confirm the recovery."""
    confirmations: int
    acknowledge_within: int | None
    """The policy's limit for acknowledging, from the opening; it causes no page. None: the response time only."""
    assess_within: int | None
    """The limit for assessing the severity, from the acknowledgement."""


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One policy version, indexed."""

    policy: Policy
    digest: str
    rules: Mapping[str, Rule]
    types: Mapping[str, IncidentType]
    channels: Mapping[str, Channel]
    fixed_targets: Mapping[str, tuple[Target, ...]]
    """The targets of channels that name only addresses, independent of who is on call."""
    level_channels: tuple[tuple[str, ...], ...]
    severities: Mapping[str, int]
    """Value of an alert's `severity` label, lower case → level; 0: no notification."""
    sources: Mapping[str, Mapping[str, int]]
    """``?source=`` → its own severity words, which take precedence over `severities`."""
    _plans: dict[tuple[int, tuple[tuple[str, int], ...]], Plan] = field(default_factory=dict, compare=False)
    _checklists: dict[tuple[str, ...], tuple[Checklist, ...]] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, policy: Policy, digest: str) -> "PolicyVersion":
        """Index a policy. `digest` is `rules.stored.digest(policy)`."""
        return cls(
            policy=policy,
            digest=digest,
            rules={rule.key: rule for rule in policy.rules},
            types={kind.key: kind for kind in policy.incident_types},
            channels={channel.name: channel for channel in policy.channels},
            fixed_targets={
                channel.name: tuple(Target(channel.name, each) for each in dict.fromkeys(channel.recipients))
                for channel in policy.channels
                if not any(each.startswith(REFERENCE) for each in channel.recipients)
            },
            level_channels=tuple(policy.level_channels(level.level) for level in policy.levels),
            severities=dict(policy.severity_aliases) | {level.name.lower(): level.level for level in policy.levels},
            sources={source: _bare(words) | dict(words) for source, words in policy.severities},
        )

    def severity(self, source: str, said: str) -> int | None:
        """The level of a source's `severity` label, 0 for no notification; None: an unknown word."""
        word = said.strip().lower()
        for words in (self.sources.get(source, {}), self.severities):
            level = words.get(word, words.get(word.translate(_SIGNS)))
            if level is not None:
                return level
        return None

    def kind(self, name: str) -> IncidentType | Rule | None:
        """The incident type with that name, else the detection rule; None: neither."""
        named = (rule for rule in self.policy.rules if rule.name == name)
        return self.policy.incident_type(name) or next(named, None)

    def nearest_kind(self, name: str) -> str:
        """The incident type or rule with the most similar name; empty: none is similar."""
        known = [*(rule.name for rule in self.policy.rules), *(kind.name for kind in self.policy.incident_types)]
        names = {each.lower(): each for each in known}
        return next((names[near] for near in get_close_matches(name.lower(), names, 1)), "")

    def plan(self, incident: Incident) -> Plan:
        """The incident's plan. Its times are the shortest among its rules' levels up to its own."""
        known = (incident.level, tuple(incident.rules.items()))
        if known not in self._plans:
            self._plans[known] = self._make_plan(*known)
        return self._plans[known]

    def checklists(self, incident: Incident) -> tuple[Checklist, ...]:
        """All checklists that the incident may get during its life."""
        known = tuple(key for key in incident.rules if key in self.rules or key in self.types)
        if known not in self._checklists:
            kinds = [self.types[key] for key in known if key in self.types]
            sections = (section for key in known for section in self.policy.sections_above(key))
            self._checklists[known] = assemble(self.policy, kinds, sections)
        return self._checklists[known]

    def _make_plan(self, level: int, rules: tuple[tuple[str, int], ...]) -> Plan:
        own, blocks = self.policy.level(level), self.policy.initial_response
        levels = [own, *(self.policy.level(number) for _, number in rules if number < level)]
        channels = self._ordered(name for key, number in rules for name in self.rule_channels(key, number))
        if not channels or level > max(self._usual_level(key, number) for key, number in rules):
            channels = self._ordered((*channels, *self.level_channels[level - 1]))
        above = self.level_channels[min(level + 1, EMERGENCY) - 1] if own.escalates_to is None else own.escalates_to
        every = (name for names in self.level_channels[level - 1 :] for name in names)
        return Plan(
            channels=channels,
            escalation=self._ordered((*channels, *above)),
            breach=self._ordered((*channels, *above, *every)),
            response_time=min(each.response_time for each in levels),
            escalation_time=min(each.escalation_time for each in levels),
            resolve_after=own.resolve_after,
            update_interval=own.update_interval or own.response_time,
            confirmed=own.resolution == "confirmed",
            confirmations=own.confirmations,
            acknowledge_within=_shortest(
                each.time_limit for each in blocks if each.is_acknowledgement and level >= first_response_level(each)
            ),
            assess_within=_shortest(_limit(each, own) for each in blocks if each.is_assessment),
        )

    def rule_channels(self, key: str, level: int) -> tuple[str, ...]:
        """The channels that a rule or an incident type names, else those of the level."""
        known = self.rules.get(key) or self.types.get(key)
        return (known.channels if known else ()) or self.level_channels[level - 1]

    def _usual_level(self, key: str, level: int) -> int:
        """The level for which a rule or type names its channels; for others the given level."""
        known = self.rules.get(key) or self.types.get(key)
        return known.level if known else level

    def _ordered(self, names: Iterable[str]) -> tuple[str, ...]:
        wanted = set(names)
        return tuple(name for name in self.channels if name in wanted)


def _bare(words: Iterable[tuple[str, int]]) -> dict[str, int]:
    """The words without separators: ``SEV-1`` means ``sev1`` too."""
    return {word.translate(_SIGNS): level for word, level in words}


def _limit(block: TimedActions, level: Level) -> int | None:
    """A block's time limit; below its `from_level` the level's own response time, if longer."""
    if block.time_limit is None or level.level >= first_response_level(block):
        return block.time_limit
    return max(block.time_limit, level.response_time)


def _shortest(limits: Iterable[int | None]) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


class DecisionContext(Struct, frozen=True):
    """What one decision looks things up in."""

    policy_version: PolicyVersion
    """The version the incident runs under."""
    current: PolicyVersion
    configured: frozenset[str]
    """Channels of the current policy whose provider is configured."""
    sight: Sight = SIGHTED
    """For which sources a cleared alert is proof."""
    verifies: bool = False
    """Whether a Prometheus can be queried (PROMETHEUS_URL)."""
    cluster: Cluster = Cluster()
    """The Alertmanagers that send webhooks here."""
    jumps: Sequence[Jump] = ()
    """Jumps of the clock that Tocsin's time has followed, in order."""
    receipts: bool = False
    """Whether providers can call back with delivery receipts."""
    rosters: Sequence[Roster] = ()
    """Who is on call around now, by the current policy and the overrides."""
    at: Instant = Instant(0)
    """The instant of the decision, at which references are looked up."""
    accounts: frozenset[str] = frozenset()
    """Names of the accounts that may log in."""

    @property
    def known_names(self) -> tuple[str, ...]:
        """The policy's people and the accounts. Empty: no names are known, so any name is accepted."""
        people = (each.name for each in self.current.policy.people)
        return tuple(dict.fromkeys((*people, *sorted(self.accounts))))

    @property
    def can_wake(self) -> bool:
        """Whether any usable channel wakes a person."""
        return any(channel.facts.wakes and self.usable(name) for name, channel in self.current.channels.items())

    def is_blind(self, source: str) -> bool:
        """Whether an alert of that source may have been lost: then a cleared one proves nothing."""
        return self.sight.is_blind(source)

    def channel(self, name: str) -> Channel | None:
        """The channel in the current policy, else in the incident's; None: in neither."""
        return self.current.channels.get(name) or self.policy_version.channels.get(name)

    def usable(self, name: str) -> bool:
        """Whether a message can be sent on the channel: enabled, configured, with a recipient on call."""
        return not self.why_unusable(name)

    def is_set_up(self, name: str) -> bool:
        """Whether the channel is enabled and configured and has recipients, regardless of who is on call."""
        channel = self.channel(name)
        return channel is not None and bool(channel.recipients) and self._can_carry(name)

    def why_unusable(self, name: str) -> str:
        """Why no message can be sent on the channel; empty: one can."""
        channel = self.channel(name)
        if channel is not None and not channel.enabled:
            return "disabled"
        if channel is None or not channel.recipients or name not in self.configured:
            return "not configured"
        return (
            "" if self.targets(name) else f"nobody who can be told there is on call ({', '.join(self.vacant([name]))})"
        )

    def targets(self, name: str) -> tuple[Target, ...]:
        """All targets of the channel, with the people on call now."""
        if name in self.current.fixed_targets:
            return self.current.fixed_targets[name]
        found = (address for each in self.recipients(name) for address in self._addresses(name, each))
        return tuple(Target(name, address) for address in dict.fromkeys(found))

    def recipients(self, name: str) -> tuple[str, ...]:
        """The channel's recipients as the policy names them: addresses and references."""
        channel = self.channel(name)
        return channel.recipients if channel else ()

    def people(self, recipient: str) -> tuple[Person, ...] | None:
        """The people that a reference stands for now; None: the recipient is an address."""
        if not recipient.startswith(REFERENCE):
            return None
        return people_of(recipient, self.current.policy, self.rosters, self.at)

    def way_to(self, person: Person, type_: str) -> Target | None:
        """A person's address on the first usable channel of a type; None: no channel or no contact."""
        address = person.contact(type_)
        found = (name for name, each in self.current.channels.items() if each.type == type_ and self._can_carry(name))
        name = next(found, None)
        return Target(name, address) if name is not None and address is not None else None

    def _can_carry(self, name: str) -> bool:
        channel = self.channel(name)
        return channel is not None and channel.enabled and name in self.configured

    def stand_ins(self, name: str, reference: str) -> tuple[Target, ...]:
        """The targets that a reference among a channel's recipients stands for now."""
        return tuple(Target(name, address) for address in dict.fromkeys(self._addresses(name, reference)))

    def _addresses(self, name: str, recipient: str) -> tuple[str, ...]:
        channel = self.channel(name)
        if channel is None or not recipient.startswith(REFERENCE):
            return (recipient,)
        people = self.people(recipient) or ()
        return tuple(contact for each in people if (contact := each.contact(channel.type)))

    def vacant(self, names: Iterable[str]) -> tuple[str, ...]:
        """The references among these channels' recipients that stand for no reachable person now.

        Unusable channels are left out. Of a channel that the current policy has removed, only references whose schedule
        or person it has removed too count.
        """
        known = self.current.channels
        names = [name for name in names if name not in self.current.fixed_targets]
        channels = ((name, self.channel(name)) for name in names if name in self.configured or name not in known)
        return tuple(
            dict.fromkeys(
                each
                for name, channel in channels
                if channel is not None and channel.enabled
                for each in channel.recipients
                if each.startswith(REFERENCE) and not self._addresses(name, each)
            )
        )

    def reference(self, target: Target, besides: Iterable[str] = ()) -> str:
        """The reference that stands for the target now; empty: none, or the channel names the address.

        It is on the target's channel, else on the channels `besides`, whose page reaches people by their own ways.
        """
        if target.recipient in self.recipients(target.channel):
            return ""
        named = (each for name in (target.channel, *besides) for each in self.recipients(name))
        references = (each for each in named if each.startswith(REFERENCE))
        return next((each for each in references if target in self.stand_ins(target.channel, each)), "")

    def person(self, target: Target) -> str:
        """The name of the person whose contact the target is; empty: none or several.

        Of people who share an address, the one on call by the channel counts.
        """
        channel = self.channel(target.channel)
        people = self.current.policy.people if channel else ()
        owners = [each for each in people if channel and each.contact(channel.type) == target.recipient]
        if len(owners) > 1:
            on_call = (each for name in self.recipients(target.channel) for each in self.people(name) or ())
            owners = [each for each in on_call if each in owners][:1]
        return owners[0].name if owners else ""

    def has_left(self, target: Target) -> bool:
        """Whether the target was a person's contact, and is unknown to the current policy: the person has left."""
        channel, address = self.channel(target.channel), target.recipient
        if channel is None or self.person(target):
            return False
        policies = (self.current.policy, self.policy_version.policy)
        named = (each for policy in policies for some in (policy.channels, policy.stakeholders) for each in some)
        shared = any(each.contact(channel.type) == address for each in self.current.policy.people)
        return not shared and not any(address in each.recipients for each in named)

    def shift(self, reference: str, person: str) -> Shift | None:
        """The shift by which a person is on call now; None: the reference is no schedule."""
        return shift_of(reference, person, self.rosters, self.at)

    def handoff_at(self, names: Iterable[str]) -> int | None:
        """When the first current shift or gap in these channels' schedules ends; None: none ends."""
        if not self.rosters:
            return None
        references = {each for name in names if (channel := self.channel(name)) for each in channel.recipients}
        rosters = (roster for roster in self.rosters if f"{REFERENCE}{roster.name}" in references)
        pieces: list[Shift | Gap] = []
        for roster in rosters:
            pieces += [*roster.shifts, *roster.gaps]
        return min((each.ends for each in pieces if each.starts <= self.at < each.ends), default=None)

    def carries_updates(self, name: str) -> bool:
        """Whether recipients get status updates on the channel: by the policy, else by its type."""
        channel = self.channel(name)
        if channel is None:
            return False
        return channel.facts.carries_updates if channel.updates is None else channel.updates

    def facts(self, name: str) -> ChannelFacts | None:
        """The properties of the channel's type; None: neither version has the channel."""
        channel = self.channel(name)
        return channel.facts if channel else None

    def fallbacks(self, level: int) -> tuple[str, ...]:
        """The usable channels in fallback order, each once; at levels 1 and 2 only quiet ones."""
        channels = self.current.channels
        names = dict.fromkeys(name for wanted in self.current.policy.fallback for name in self._usable_named(wanted))
        return tuple(name for name in names if level > WARNING or channels[name].facts.is_quiet_fallback)

    def _usable_named(self, wanted: str) -> list[str]:
        """The usable channels that a name or a type stands for, in the policy's order."""
        channels = self.current.channels
        named = [wanted] if wanted in channels else [name for name, each in channels.items() if each.type == wanted]
        return [name for name in named if self.usable(name)]

    def groups_of(self, incident: Incident) -> list[Stakeholders]:
        """The stakeholder groups for incidents of its sections, regardless of its level."""
        policy = self.current.policy
        return [group for group in policy.stakeholders if policy.hears(group, incident.rules)]

    def internal_stakeholders(self, level: int = EMERGENCY, incident: Incident | None = None) -> tuple[Target, ...]:
        """The targets of the internal groups of that level (and incident): by e-mail, or a chat channel's own."""
        known = self.current.policy.stakeholders if incident is None else self.groups_of(incident)
        groups = [group for group in known if not group.external and group.from_level <= level]
        return tuple(
            dict.fromkeys(
                target
                for group in groups
                for wanted in group.channels
                for name in self._usable_named(wanted)[:1]
                for target in self._group_targets(name, group.recipients)
            )
        )

    def approvers(self, group: Stakeholders, level: int) -> tuple[Target, ...]:
        """The targets told of a waiting notice: the group's approvers, else the internal groups of that level."""
        if not group.approvers:
            return self.internal_stakeholders(level)
        return tuple(dict.fromkeys(target for each in group.approvers for target in self._approver(each)))

    def training_owners(self) -> tuple[Target, ...]:
        """The targets told of overdue training: those the policy names, else every internal group."""
        named = self.current.policy.drills_owner
        return self._approver(named) if named else self.internal_stakeholders()

    def _approver(self, named: str) -> tuple[Target, ...]:
        """A channel's own recipients, or one recipient on the first usable channel that accepts it."""
        if named in self.current.channels or named in CHANNEL_FACTS:
            return tuple(target for name in self._usable_named(named)[:1] for target in self.targets(name))
        ways = (name for kind in CHANNEL_FACTS for name in self._usable_named(kind))
        return next((found for name in ways if (found := self._named_on(name, named))), ())

    def _named_on(self, name: str, recipient: str) -> tuple[Target, ...]:
        """That recipient on a channel, if it has it or accepts such personal addresses."""
        if Target(name, recipient) in self.targets(name):
            return (Target(name, recipient),)
        return () if self._is_shared(name) else self._group_targets(name, (recipient,))

    @property
    def external_addresses(self) -> frozenset[str]:
        """All addresses of external groups, of the incident's own policy version and the current one."""
        groups = [
            (version, group)
            for version in (self.current, self.policy_version)
            for group in version.policy.stakeholders
            if group.external
        ]
        channels = (version.channels.get(wanted) for version, group in groups for wanted in group.channels)
        shared = (each for each in channels if each is not None and each.facts.address.is_personal is None)
        return frozenset(
            (
                *(recipient for _, group in groups for recipient in group.recipients),
                *(recipient for channel in shared for recipient in channel.recipients),
                *(target.recipient for _, group in groups for target in self.reach(group)[0]),
            )
        )

    def reach(
        self, group: Stakeholders, chosen: Collection[str] = ()
    ) -> tuple[tuple[Target, ...], tuple[str, ...], tuple[tuple[str, str], ...]]:
        """How a group is reached: (targets, recipients to telephone by hand, unusable channels with the reason).

        `chosen`: only these recipients and shared channels; empty: all.
        """
        if chosen:
            named = tuple(each for each in group.channels if each in chosen or not self._is_shared(each))
            group = replace(group, recipients=tuple(r for r in group.recipients if r in chosen), channels=named)
        targets: list[Target] = []
        by_hand: list[str] = []
        unusable: list[tuple[str, str]] = []
        for wanted in group.channels:
            usable = self._usable_named(wanted)[:1]
            reached = [target for name in usable for target in self._group_targets(name, group.recipients)]
            targets.extend(reached)
            if self._is_called_by_hand(wanted):
                numbers = {target.recipient for target in reached}
                callable_ = [each for each in group.recipients if not _is_address_elsewhere(each)]
                by_hand.extend(each for each in callable_ if each not in numbers)
                if not callable_ and len(group.channels) == 1:
                    unusable.append((wanted, "none of the group's recipients can be called"))
            elif not usable:
                unusable.append((wanted, "disabled or not configured"))
        return tuple(dict.fromkeys(targets)), tuple(dict.fromkeys(by_hand)), tuple(unusable)

    def choices(self, group: Stakeholders) -> tuple[str, ...]:
        """The possible recipients of a notice to the group: its recipients, and its shared channels."""
        return (*group.recipients, *(each for each in group.channels if self._is_shared(each)))

    def _is_shared(self, wanted: str) -> bool:
        """Whether a channel's name or a type stands for a shared channel, without personal addresses."""
        facts = self.facts(wanted) or CHANNEL_FACTS.get(wanted)
        return facts is not None and facts.address.is_personal is None

    def mailbox(self, address: str) -> Target | None:
        """The target for that address; None: no usable channel reaches it."""
        found = (
            name
            for name, channel in self.current.channels.items()
            if self.usable(name) and channel.facts.address.is_personal and channel.facts.address.is_personal(address)
        )
        name = next(found, None)
        return Target(name, address) if name else None

    def _is_called_by_hand(self, wanted: str) -> bool:
        """Whether a person must telephone the recipients that this channel or type cannot reach."""
        facts = self.facts(wanted) or CHANNEL_FACTS.get(wanted)
        return facts is not None and facts.called_by_hand

    def _group_targets(self, name: str, recipients: tuple[str, ...]) -> tuple[Target, ...]:
        facts = self.facts(name)
        if facts is None or facts.address.is_personal is None:
            return self.targets(name)
        found = (address for each in recipients for address in self._addresses(name, each))
        return tuple(Target(name, address) for address in dict.fromkeys(found) if facts.address.is_personal(address))


def _is_address_elsewhere(recipient: str) -> bool:
    """Whether it is an address of a type other than telephone, such as e-mail."""
    types = (facts for facts in CHANNEL_FACTS.values() if not facts.called_by_hand)
    return not recipient.startswith("+") and any(
        facts.address.is_personal is not None and facts.address.is_personal(recipient) for facts in types
    )
