"""Checks whether Prometheus evaluates the rules of the policy in use. The service runs `RulesWatch.look` every 10 s.

The webhook reports the digests that alerts carry to RulesSeen. `receiver.core.loaded_rules` decides what they mean; the
state is stored, for all replicas and across restarts.
"""

import asyncio

import structlog

from receiver.core.loaded_rules import IN_USE_FOR, LoadedRules, RulesVerdict, tell, update
from receiver.core.model import Instant
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.engine.service_state import ServiceState
from receiver.store import SqlStore
from rules.stored import rules_digest

EVERY = 10.0
"""Seconds between two runs."""

log = structlog.get_logger()


class RulesSeen:
    """The rules digests of received alerts, as the webhook reports them."""

    def __init__(self) -> None:
        self._last: dict[str, dict[str, Instant]] = {}
        """Source → digest → when an alert last carried it."""

    def hear(self, source: str, digest: str, now: Instant) -> None:
        """Record that an alert of a source carried a digest."""
        self._last.setdefault(source, {})[digest] = now

    def take(self) -> dict[str, dict[str, Instant]]:
        """The records since the last call: source → digest → time."""
        heard, self._last = self._last, {}
        return heard


class RulesWatch:
    """Evaluates the recorded digests at each run."""

    def __init__(
        self,
        queue: CommandQueue,
        engine: Engine,
        store: SqlStore,
        state: ServiceState,
        heard: RulesSeen,
        replica: str,
    ) -> None:
        """`replica`: a name that is unique among the processes on the database."""
        self._queue = queue
        self._engine = engine
        self._store = store
        self._state = state
        self._replica = replica
        self._policy = ""
        self._digest = ""
        self._heard = heard
        self._unstored: dict[str, dict[str, Instant]] = {}
        """Records taken from RulesSeen that are not stored yet."""
        self._told: frozenset[str] = frozenset()
        """Digests of other policies' rules that have been logged."""
        self._was_danger: bool | None = None

    async def look(self) -> None:
        """Store new records, evaluate and report. Raises StoreUnavailable; the next run then has the same records."""
        digest = await self._own_digest()
        self._take_heard()
        now = self._queue.clock()
        known = await self._queue.read(self._store.loaded_rules)
        if not self._unstored and (known is None or not known.heard):
            return
        rules = known
        if rules is None or self._unstored or self._is_due(rules, digest, now):
            rules = update(known or LoadedRules(), self._unstored, self._replica, digest, now)
            if not await self._queue.run(self._store.keep_loaded_rules, known, rules):
                return  # another replica stored first: read its state at the next run
            self._unstored = {}
        self._say(rules)
        if rules.is_danger or self._was_danger is not False:
            event = tell(rules, now)
            if event is not None:
                await self._queue.handle([event])
                self._was_danger = rules.is_danger

    async def _own_digest(self) -> str:
        current = self._engine.current
        if current.digest != self._policy:
            self._digest = await asyncio.to_thread(rules_digest, current.policy)
            self._policy = current.digest
        return self._digest

    def _take_heard(self) -> None:
        """Take the records of the webhook since the last run."""
        for source, digests in self._heard.take().items():
            self._unstored.setdefault(source, {}).update(digests)

    def _is_due(self, rules: LoadedRules, digest: str, now: Instant) -> bool:
        """Whether to store again which policy is in use here, for the other replicas."""
        said = rules.in_use.get(self._replica)
        return said is None or said.digest != digest or now - said.said_at > IN_USE_FOR // 2

    def _say(self, rules: LoadedRules) -> None:
        self._state.loaded_rules = rules.verdict
        told = (
            frozenset(digest for _, digest, _ in rules.others) if rules.verdict is RulesVerdict.OTHER else frozenset()
        )
        if told == self._told:
            return
        if told:
            used = ", ".join(sorted({each.digest for each in rules.in_use.values()}))
            log.warning("Prometheus evaluates rules of another policy", rules=", ".join(sorted(told)), in_use=used)
        else:
            log.info("no alert carries the rules of another policy any more", rules=rules.verdict)
        self._told = told
