"""Reconciliation: every minute what Alertmanager lists is compared with what we hold as firing.

The service runs `Reconciliation.look` where TOCSIN_ALERTMANAGER_URL is set. What a look means is decided in
`receiver.core.reconcile`; here both sides are asked, and what was found goes the way of every webhook.
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
from receiver.core.reconcile import Findings, HeldAlert, Listing, Memory, Terms, are_strangers, peers, reconcile
from receiver.core.silences import silence_acknowledged
from receiver.engine.engine import Engine
from receiver.engine.heartbeat_cache import Heartbeats
from receiver.engine.queue import CommandQueue
from receiver.errors import CannotError
from receiver.store.reads import Reads
from receiver.telemetry.metrics import Metrics

ACKNOWLEDGED = frozenset({State.ACKNOWLEDGED})

LIMIT = 500
"""Acknowledged incidents that silences are made for."""

EVERY = 60.0
"""Seconds between two looks."""

log = structlog.get_logger()


class Reconciliation:
    """Compares both sides at each run, and remembers what the run before saw."""

    def __init__(  # noqa: PLR0913 - its parts, each by name
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
        """`makes_silences`: for what is acknowledged."""
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
        """Once: ask both sides, take in what was lost. Raises StoreUnavailable; the next look then finds it again."""
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
        """Note how many peers there were at most: one alone echoes nothing. Two clusters as one source are said."""
        known = peers(listings)
        if known is not None and known > self._most:
            self._most = known  # a peer that is cut off for a while may still tell
            self._engine.cluster = replace(self._engine.cluster, peers=known)
        strangers = are_strangers(listings, held)
        if strangers and not self._strangers:
            log.warning(
                "two Alertmanagers of TOCSIN_ALERTMANAGER_URL are not in one cluster, and nothing was heard yet that "
                "shows that their webhooks name different sources: give each a ?source= of its own, or join them with "
                "--cluster.peer; else each may contradict the other"
            )
        self._strangers = strangers

    async def _silence(self, listings: Sequence[Listing | None], theirs: Collection[str]) -> None:
        """Have what somebody acknowledged silenced for as long; what became of it is said once, and blocks nothing."""
        acknowledged, _ = await self._queue.read(partial(self._reads.incidents, state=ACKNOWLEDGED, limit=LIMIT))
        standing = [None if each is None else list(each.silences.values()) for each in listings]
        wishes = silence_acknowledged(acknowledged, standing, theirs)
        said = {incident.id: incident for incident in acknowledged}
        failing = dict(wishes.refused)
        answers = []
        mute: set[int] = set()
        for order in wishes.orders:
            if order.peer in mute:
                continue  # the next look asks again: here each would wait for its time-out
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
        """What it lists; None: it did not answer. That it stopped answering, or does again, is said once."""
        listing, reason = None, ""
        try:
            listing = await peer.list()
        except CannotError as error:
            reason = str(error)
        before = self._silent.get(peer.name, "")
        self._silent[peer.name] = reason
        self._metrics.alertmanager_up(peer.name, up=not reason)
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
