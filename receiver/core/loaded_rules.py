"""Whether Prometheus evaluates the rules of the policy in use, or those of another.

Compiled alerts carry the digest of their rules' source (`rules.stored.rules_digest`); the heartbeat brings it every
minute. The store keeps what was heard, and it is judged as a whole, so that replicas agree even while they use
different policies. Rules of another policy are shown at once; if they are still heard ten minutes later, an incident
opens. Silence proves nothing. `receiver.jobs.loaded_rules` runs this.
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
"""Microseconds for which rules of another policy must be heard before an incident opens: new ones may be on the way."""

SUPERSEDED_AFTER = 5 * MINUTE
"""Microseconds of only newer digests from a source after which the older rules count as no longer evaluated."""

FORGOTTEN_AFTER = 3 * HOUR
"""Microseconds after which a silent source is dropped. Alertmanager repeats firing alerts at least every hour."""

IN_USE_FOR = MINUTE
"""Microseconds after which a replica that has not reported its policy counts as ended."""

MOST_SOURCES, MOST_DIGESTS, LONGEST = 50, 8, 64
"""Limits of what is kept (sources, digests of each, characters of a digest), since senders supply it."""

SeenDigests = Mapping[str, Mapping[str, Instant]]
"""Source → digest (empty: rules without one) → when it was last heard."""


class RulesVerdict(StrEnum):
    """Whether the rules are those of the policy in use."""

    UNKNOWN = "unknown"
    """No rules were heard, or only ones without a digest, or none since the policy changed."""
    MATCH = "match"
    OTHER = "other"
    """Rules of another policy are among them."""


class InUse(Struct, frozen=True):
    """The policy that one replica uses."""

    digest: str
    """Of its rules' source."""
    said_at: Instant


class LoadedRules(Struct, frozen=True):
    """What all replicas together know of the rules."""

    heard: SeenDigests = field(default_factory=dict)
    in_use: Mapping[str, InUse] = field(default_factory=dict)
    """By replica."""
    since: Instant | None = None
    """Since when rules of another policy are heard; None: there are none."""

    @property
    def others(self) -> tuple[tuple[str, str, Instant], ...]:
        """Rules of another policy: source, digest, when last heard."""
        used = {each.digest for each in self.in_use.values()}
        return tuple(
            (source, digest, at)
            for source, digests in self.heard.items()
            for digest, at in digests.items()
            if digest and used - {digest}
        )

    @property
    def verdict(self) -> RulesVerdict:
        """The verdict. Rules last heard before the policy changed prove nothing: they may have changed with it."""
        if self.since is not None:
            return RulesVerdict.OTHER if self._heard_until() >= self.since else RulesVerdict.UNKNOWN
        known = any(digest for digests in self.heard.values() for digest in digests)
        return RulesVerdict.MATCH if known else RulesVerdict.UNKNOWN

    @property
    def is_danger(self) -> bool:
        """Whether rules of another policy were heard for long enough for an incident."""
        return self.since is not None and self._heard_until() - self.since >= PATIENCE

    def _heard_until(self) -> int:
        return max((at for _, _, at in self.others), default=0)


def digests(policy_version: PolicyVersion, received: Iterable[Received]) -> set[str]:
    """The digests of Tocsin's alerts that fire now; empty: of rules without one. Foreign alerts are skipped."""
    return {
        each.annotations.get(DIGEST, "")[:LONGEST]
        for each in received
        if each.ended_at is None and (each.labels.get("alertname") == WATCH[0] or is_ours(policy_version, each))
    }


def update(known: LoadedRules, words: SeenDigests, replica: str, digest: str, now: Instant) -> LoadedRules:
    """What is known after a replica's report. `words`: heard since its last report; `digest`: of its policy's rules."""
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
    """The digests that a source evaluates: the last, and recent ones (the two of a Prometheus pair may differ)."""
    both = {digest: max(known.get(digest, 0), words.get(digest, 0)) for digest in known.keys() | words.keys()}
    last = max(both.values())
    newest = sorted(both, key=lambda digest: (-both[digest], digest))[:MOST_DIGESTS]
    return {digest: Instant(both[digest]) for digest in newest if last - both[digest] < SUPERSEDED_AFTER}


def tell(rules: LoadedRules, now: Instant) -> AlertsReceived | None:
    """The event of rules of another policy, or of their end; None: neither yet. Repeats of either change nothing."""
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
