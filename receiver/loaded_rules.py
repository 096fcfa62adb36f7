"""Looks whether Prometheus evaluates the rules of the policy in use. The service runs `RulesWatch.look` now and then.

The webhook notes at the desk which digests alerts carry. What that means is decided in `receiver.core.loaded_rules`;
what is known is kept in the store, for every replica and over a restart.
"""

import asyncio

import structlog

from receiver.core.loaded_rules import IN_USE_FOR, LoadedRules, Verdict, tell, update
from receiver.core.model import Instant
from receiver.desk import Desk
from receiver.metrics import Metrics
from receiver.store import SqlStore
from rules.stored import rules_digest

EVERY = 10.0
"""Seconds between two looks."""

log = structlog.get_logger()


class RulesWatch:
    """Looks, again and again."""

    def __init__(self, desk: Desk, store: SqlStore, metrics: Metrics, replica: str) -> None:
        """`replica`: a name that no other process on the same database has."""
        self._desk = desk
        self._store = store
        self._metrics = metrics
        self._replica = replica
        self._policy = ""
        self._digest = ""
        self._words: dict[str, dict[str, Instant]] = {}
        """Heard, and not stored yet."""
        self._told: frozenset[str] = frozenset()
        """Digests of other rules that the log has been told of."""
        self._was_danger: bool | None = None

    async def look(self) -> None:
        """Once: keep what was heard, judge, tell. Raises StoreUnavailable; the next look then has the same words."""
        digest = await self._own_digest()
        self._take_words()
        now = self._desk.clock()
        known = await self._desk.read(self._store.loaded_rules)
        if not self._words and (known is None or not known.heard):
            return
        rules = known
        if rules is None or self._words or self._is_due(rules, digest, now):
            rules = update(known or LoadedRules(), self._words, self._replica, digest, now)
            if not await self._desk.run(self._store.keep_loaded_rules, known, rules):
                return  # another replica was quicker: what it kept is not known here yet
            self._words = {}
        self._say(rules)
        if rules.is_danger or self._was_danger is not False:
            event = tell(rules, now)
            if event is not None:
                await self._desk.handle([event])
                self._was_danger = rules.is_danger

    async def _own_digest(self) -> str:
        current = self._desk.engine.current
        if current.digest != self._policy:
            self._digest = await asyncio.to_thread(rules_digest, current.policy)
            self._policy = current.digest
        return self._digest

    def _take_words(self) -> None:
        """Take what the webhook noted since the last look."""
        heard, self._desk.rules_heard = self._desk.rules_heard, {}
        for source, digests in heard.items():
            self._words.setdefault(source, {}).update(digests)

    def _is_due(self, rules: LoadedRules, digest: str, now: Instant) -> bool:
        """Whether the others must hear again which policy is in use here."""
        said = rules.in_use.get(self._replica)
        return said is None or said.digest != digest or now - said.said_at > IN_USE_FOR // 2

    def _say(self, rules: LoadedRules) -> None:
        self._desk.rules = rules.verdict
        self._metrics.rules_match(None if rules.verdict is Verdict.UNKNOWN else rules.verdict is Verdict.MATCH)
        told = frozenset(digest for _, digest, _ in rules.others) if rules.verdict is Verdict.OTHER else frozenset()
        if told == self._told:
            return
        if told:
            used = ", ".join(sorted({each.digest for each in rules.in_use.values()}))
            log.warning("Prometheus evaluates rules of another policy", rules=", ".join(sorted(told)), in_use=used)
        else:
            log.info("no rules of another policy are heard of any more", rules=rules.verdict)
        self._told = told
