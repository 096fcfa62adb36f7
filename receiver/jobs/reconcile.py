"""Reconciliation: every minute the alerts that Alertmanager lists are compared with those stored as firing.

The service runs `Reconciliation.look` and `Echoes.look` where TOCSIN_ALERTMANAGER_URL is set; the second queries about
alerts held as possible echoes, so that real ones do not wait, and mostly nothing is held. `receiver.core.reconcile`
evaluates the comparison, `receiver.core.alerts` the answers; this module reads both sides, and passes the findings on
like webhooks.
"""

import asyncio
from collections.abc import Collection, Sequence
from functools import partial

import structlog
from msgspec.structs import replace

from receiver.clients.alertmanager import Alertmanager, AlertmanagerSilentError
from receiver.core.events import SilenceAnswered
from receiver.core.listed_heartbeats import Proof
from receiver.core.model import State
from receiver.core.reconcile import (
    Findings,
    HeldAlert,
    Listing,
    Memory,
    Terms,
    are_strangers,
    ask_about,
    peers,
    reconcile,
)
from receiver.core.silences import silence_acknowledged
from receiver.engine.engine import Engine
from receiver.engine.heartbeat_cache import Heartbeats
from receiver.engine.queue import CommandQueue
from receiver.errors import CannotError
from receiver.store.reads import Reads
from receiver.telemetry.metrics import Metrics

ACKNOWLEDGED = frozenset({State.ACKNOWLEDGED})

LIMIT = 500
"""Most acknowledged incidents for which silences are made."""

EVERY = 60.0
"""Seconds between two runs."""

log = structlog.get_logger()


class Reconciliation:
    """Compares both sides at each run, and keeps the previous run's findings."""

    def __init__(  # noqa: PLR0913 - its dependencies, each by name
        self,
        queue: CommandQueue,
        engine: Engine,
        reads: Reads,
        metrics: Metrics,
        peers: Sequence[Alertmanager],
        heartbeats: Heartbeats,
        terms: Terms | None = None,
        *,
        makes_silences: bool = False,
    ) -> None:
        """`makes_silences`: whether to silence acknowledged incidents in Alertmanager."""
        self._queue = queue
        self._engine = engine
        self._reads = reads
        self._metrics = metrics
        self._terms = terms or Terms()
        self._peers = peers
        self._heartbeats = heartbeats
        self._proved: frozenset[Proof] = frozenset()
        self._silences = makes_silences
        self._failing: dict[str, str] = {}
        self._silent: dict[str, str] = {}
        self._foreign = 0
        self._strangers = False
        self._most = 0
        self._memory = Memory()

    async def look(self) -> None:
        """Compare both sides, and store lost alerts. Raises StoreUnavailable; the next run then finds them again."""
        held = await self._queue.read(self._reads.firing_alerts)
        listings = await asyncio.gather(*(self._list(peer) for peer in self._peers))
        now = self._queue.clock()
        self._proved = self._heartbeats.compare(self._engine.current.policy, listings, self._proved)
        findings = reconcile(self._engine.current, held, listings, now, self._memory, self._terms)
        if findings.events or findings.silenced:
            await self._queue.handle([*findings.events, *findings.silenced])
        self._memory = findings.memory
        self._say(findings)
        self._learn(held, listings)
        if self._silences:
            await self._silence(listings, findings.theirs)

    def _learn(self, held: Sequence[HeldAlert], listings: Sequence[Listing | None]) -> None:
        """Record the largest number of peers (a single one sends no echoes); warn of two clusters in one source."""
        known = peers(listings)
        if known is not None and known > self._most:
            self._most = known  # a disconnected peer may still send webhooks
            self._engine.standing.cluster = replace(self._engine.standing.cluster, peers=known)
        strangers = are_strangers(listings, held)
        if strangers and not self._strangers:
            log.warning(
                "two Alertmanagers of TOCSIN_ALERTMANAGER_URL are not in one cluster, and nothing was heard yet that "
                "shows that their webhooks name different sources: give each a ?source= of its own, or join them with "
                "--cluster.peer; else each may contradict the other"
            )
        self._strangers = strangers

    async def _silence(self, listings: Sequence[Listing | None], theirs: Collection[str]) -> None:
        """Silence acknowledged incidents until their acknowledgements end; failures are reported once."""
        acknowledged, _ = await self._queue.read(partial(self._reads.incidents, state=ACKNOWLEDGED, limit=LIMIT))
        standing = [None if each is None else list(each.silences.values()) for each in listings]
        wishes = silence_acknowledged(acknowledged, standing, theirs)
        said = {incident.id: incident for incident in acknowledged}
        failing = dict(wishes.refused)
        answers = []
        mute: set[int] = set()
        for order in wishes.orders:
            if order.peer in mute:
                continue  # the next run tries again: every order to an unresponsive peer would wait for its timeout
            try:
                await self._peers[order.peer].carry_out(order)
                why_not = ""
            except CannotError as error:
                why_not = str(error)
                if isinstance(error, AlertmanagerSilentError):
                    mute.add(order.peer)
            if order.incident is None or order.until is None:
                log.info("a silence made by Tocsin has ended", why_not=why_not)
            elif why_not:
                failing[order.incident.id] = why_not
            elif not order.silence_id:
                answers.append(SilenceAnswered(order.incident.key, order.until))
        new = {each: why for each, why in failing.items() if self._failing.get(each) != why}
        answers += [SilenceAnswered(said[each].key, self._queue.clock(), why) for each, why in new.items()]
        self._failing = failing
        if answers:
            await self._queue.handle(answers)

    async def _list(self, peer: Alertmanager) -> Listing | None:
        """A peer's listing; None: no answer. Logs when a peer stops answering, and when it answers again."""
        listing, reason = None, ""
        try:
            listing = await peer.list()
        except CannotError as error:
            reason = str(error)
        before = self._silent.get(peer.name, "")
        self._silent[peer.name] = reason
        self._metrics.alertmanager_up.labels(peer.name).set(not reason)
        if reason and not before:
            log.warning("an Alertmanager does not answer: nothing is cleared", alertmanager=peer.name, reason=reason)
        elif before and not reason:
            log.info("the Alertmanager answers again", alertmanager=peer.name)
        return listing

    def _say(self, findings: Findings) -> None:
        self._metrics.reconciled(findings.taken_in, findings.vanished, findings.foreign)
        if findings.taken_in:
            log.warning(
                "webhooks were lost: their alerts were taken from Alertmanager's list", alerts=findings.taken_in
            )
        if findings.vanished:
            log.warning("alerts vanished without a resolve; their recovery is verified", alerts=findings.vanished)
        if findings.foreign > self._foreign:
            log.warning(
                "Alertmanager lists alerts for us whose webhook never came; others' than ours cannot be taken in",
                alerts=findings.foreign,
            )
        self._foreign = findings.foreign


ECHOES_EVERY = 2.0
"""Seconds between two runs of `Echoes.look`."""


class Echoes:
    """Queries about held alerts at each run."""

    def __init__(self, queue: CommandQueue, reads: Reads, peers: Sequence[Alertmanager]) -> None:
        self._queue = queue
        self._reads = reads
        self._peers = peers
        self._listed: frozenset[str] = frozenset()
        """The held alerts that were listed at the last run."""

    async def look(self) -> None:
        """Query once. Raises StoreUnavailable; the next run queries again."""
        held = await self._queue.read(self._reads.held_alerts)
        if not held:
            return
        listings = await asyncio.gather(*(_list(peer) for peer in self._peers))
        events, self._listed = ask_about(held, listings, self._listed)
        if events:
            await self._queue.handle(events)


async def _list(peer: Alertmanager) -> Listing | None:
    """A peer's listing; None: no answer (`receiver.jobs.reconcile` logs that)."""
    try:
        return await peer.list()
    except CannotError:
        return None
