"""Which rules Prometheus evaluates: those of the policy in use, or of another, so that its rules watch over nothing.

Compiled alerts carry the digest of what their rules were made of (`rules.stored.rules_digest`); the heartbeat brings it
every minute. What was heard is kept in the store and judged as a whole, so that replicas come to one answer, also while
they use different policies. Rules of another policy are told at once; if they are still heard of ten minutes later,
that is an incident. From silence nothing is concluded. `receiver.jobs.loaded_rules` asks.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct, field

from receiver.core.classify import Received, incident_key, is_ours
from receiver.core.events import AlertsReceived
from receiver.core.model import Alert, Instant
from receiver.core.plan import PolicyVersion
from rules.policy import CRITICAL, HOUR, MINUTE
from rules.reserved import DIGEST, OTHER_RULES, WATCH

RULE = "tocsin/rules"
KEY = incident_key(("tocsin", "rules"))

PATIENCE = 10 * MINUTE
"""Microseconds for which rules of another policy must be heard of before that is an incident: they are on their way."""

SUPERSEDED_AFTER = 5 * MINUTE
"""Where a source has said nothing but something newer for so long, it does not evaluate the older rules any more."""

FORGOTTEN_AFTER = 3 * HOUR
"""A source that was silent for so long says nothing. Alertmanager repeats what fires every hour at least."""

IN_USE_FOR = MINUTE
"""A replica that has not said for so long which policy it uses has ended."""

MOST_SOURCES, MOST_DIGESTS, LONGEST = 50, 8, 64
"""Bounds of what is kept: sources and digests are what senders say."""

SeenDigests = Mapping[str, Mapping[str, Instant]]
"""Source → digest (empty: rules without one) → when it was last heard."""


class RulesVerdict(StrEnum):
    """How the rules stand to the policy in use."""

    UNKNOWN = "unknown"
    """No rules were heard of, or only such without a digest, or none since the policy changed."""
    MATCH = "match"
    OTHER = "other"
    """Rules of another policy are among them."""


class InUse(Struct, frozen=True):
    """The policy that one replica uses."""

    digest: str
    """Of what its rules are made of."""
    said_at: Instant


class LoadedRules(Struct, frozen=True):
    """What is known of the rules, by all replicas together."""

    heard: SeenDigests = field(default_factory=dict)
    in_use: Mapping[str, InUse] = field(default_factory=dict)
    """By replica."""
    since: Instant | None = None
    """Since when rules of another policy are among those heard of; None: there are none."""

    @property
    def others(self) -> tuple[tuple[str, str, Instant], ...]:
        """Rules of another policy: source, digest, when they were last heard of."""
        used = {each.digest for each in self.in_use.values()}
        return tuple(
            (source, digest, at)
            for source, digests in self.heard.items()
            for digest, at in digests.items()
            if digest and used - {digest}
        )

    @property
    def verdict(self) -> RulesVerdict:
        """Rules last heard of before the policy changed prove nothing: they may have been changed with it."""
        if self.since is not None:
            return RulesVerdict.OTHER if self._heard_until() >= self.since else RulesVerdict.UNKNOWN
        known = any(digest for digests in self.heard.values() for digest in digests)
        return RulesVerdict.MATCH if known else RulesVerdict.UNKNOWN

    @property
    def is_danger(self) -> bool:
        """Whether rules of another policy were heard of for so long that it is an incident."""
        return self.since is not None and self._heard_until() - self.since >= PATIENCE

    def _heard_until(self) -> int:
        return max((at for _, _, at in self.others), default=0)


def digests(policy_version: PolicyVersion, received: Iterable[Received]) -> set[str]:
    """The digests that alerts carry which fire now; empty: of rules of ours without one. Strangers' say nothing."""
    return {
        each.annotations.get(DIGEST, "")[:LONGEST]
        for each in received
        if each.ended_at is None and (each.labels.get("alertname") == WATCH[0] or is_ours(policy_version, each))
    }


def update(known: LoadedRules, words: SeenDigests, replica: str, digest: str, now: Instant) -> LoadedRules:
    """What is known after a replica, whose policy's rules have that digest, has heard words since it last looked."""
    heard = {}
    for source in known.heard.keys() | words.keys():
        latest = _latest(known.heard.get(source, {}), words.get(source, {}))
        if now - max(latest.values()) < FORGOTTEN_AFTER:
            heard[source] = latest
    loudest = sorted(heard, key=lambda source: (-max(heard[source].values()), source))[:MOST_SOURCES]
    in_use = {name: each for name, each in known.in_use.items() if now - each.said_at < IN_USE_FOR}
    after = LoadedRules({source: heard[source] for source in sorted(loudest)}, in_use | {replica: InUse(digest, now)})
    others = after.others
    if not others:
        return after
    fresh = [words[source][digest] for source, digest, _ in others if digest in words.get(source, {})]
    since = known.since if known.since is not None else max(fresh, default=now)
    return LoadedRules(after.heard, after.in_use, since)


def _latest(known: Mapping[str, Instant], words: Mapping[str, Instant]) -> dict[str, Instant]:
    """What a source evaluates: what it said last, and what it said not long before (a pair of Prometheuses differs)."""
    both = {digest: max(known.get(digest, 0), words.get(digest, 0)) for digest in known.keys() | words.keys()}
    last = max(both.values())
    newest = sorted(both, key=lambda digest: (-both[digest], digest))[:MOST_DIGESTS]
    return {digest: Instant(both[digest]) for digest in newest if last - both[digest] < SUPERSEDED_AFTER}


def tell(rules: LoadedRules, now: Instant) -> AlertsReceived | None:
    """The event of rules of another policy, or of their end: repeats of either change nothing. None: neither yet."""
    if rules.since is not None and not rules.is_danger:
        return None
    sources = sorted({source or "the one without a ?source=" for source, _, _ in rules.others})
    alert = Alert(
        fingerprint="tocsin-rules",
        starts_at=Instant((now if rules.since is None else rules.since) // 1000 * 1000),
        firing=rules.is_danger,
        level=CRITICAL,
        rule=RULE,
        type=OTHER_RULES,
        labels={"alertname": "RulesOfAnotherPolicy", "incident_type": OTHER_RULES, "severity_level": str(CRITICAL)},
        annotations={
            "summary": "Prometheus evaluates rules of another policy than the one in use",
            "description": "Rules of the policy in use may be evaluated by nobody. Compile the policy in use (tocsin "
            f"compile) and load its rules into Prometheus. Told by: {', '.join(sources) or 'nobody any more'}.",
        },
        ended_at=None if rules.is_danger else now,
    )
    return AlertsReceived(KEY, "tocsin", (alert,))
