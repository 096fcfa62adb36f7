"""Shared parts of the callbacks: finding an incident, acting on it in time, and describing its state."""

import asyncio
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from receiver.core.audit_log import Origin
from receiver.core.events import Action, Declare
from receiver.core.model import Incident, Instant, Notification, State
from receiver.core.urgency import STEPS
from receiver.engine.commands import Asked, ForIncident, Result
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.errors import StoreDamaged, StoreUnavailable
from receiver.messages.incident_text import name
from receiver.on_call.references import owner_of
from receiver.store import Reads
from receiver.web.api.several import Taken, act_on_several
from receiver.web.auth.message_tokens import MessageTokens
from rules.channel_types import CHANNEL_TYPES
from rules.policy import Policy

ANSWER_WITHIN = 2.0
"""Seconds for an action: Slack requires an answer within three."""

ANSWER_SEVERAL_WITHIN = 10.0
"""The same for many incidents; Twilio waits 15 s, a browser somewhat longer."""

LATER = "Tocsin's database does not answer. Look again in a moment, and act in Tocsin if nothing happened."

_NAME = re.compile(r"[0-9a-f]{32}-\d{1,9}(-\d{1,18})?", re.ASCII)

Answer = Taken | None
"""Result of an action on several incidents; None: the database did not answer in time."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of an action, with a text for the person."""

    words: str
    done: bool
    incident: Incident | None = None
    again: bool = False
    """A retry may succeed."""


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that a person answers, or a server reports on."""

    name: str
    """As of `receiver.engine.commands.Delivery.name`."""
    incident: Incident
    """Of a bundle the first."""
    notifications: list[Notification]
    """One, or a bundle's."""


class CallbackActions:
    """Finds incidents and messages, and runs actions on them."""

    def __init__(self, queue: CommandQueue, engine: Engine, reads: Reads, clock: Callable[[], Instant]) -> None:
        self._queue = queue
        self._engine = engine
        self._clock = clock
        self._reads = reads

    async def by_number(self, number: int) -> Incident | None:
        """The incident with that number; None: there is none."""
        return await self._queue.read(self._reads.by_number, number)

    async def live(self, limit: int) -> list[Incident]:
        """Open and acknowledged incidents, the newest first."""
        states = {State.OPEN, State.ACKNOWLEDGED}
        found, _ = await self._queue.read(lambda: self._reads.incidents(state=states, limit=limit))
        return found

    async def message(self, name: str) -> list[Notification]:
        """The notifications of a message, by its name (`receiver.engine.commands.Delivery.name`); empty: unknown."""
        return await self._queue.read(self._reads.message, name) if _NAME.fullmatch(name) else []

    async def by_token(self, tokens: MessageTokens, token: str) -> SentMessage | None:
        """The message with that token; None: invalid or unknown."""
        named = tokens.read(token)
        incident = await self.by_number(named[0]) if named else None
        if named is None or incident is None:
            return None
        name = f"{incident.id}-{named[1]}"
        pages = await self.message(name) if tokens.is_about(token, name) else []
        return SentMessage(name, incident, pages) if pages else None

    async def sent_to(self, recipient: str) -> list[Notification]:
        """The last page of each open incident to a recipient."""
        return await self._queue.read(self._reads.answerable, recipient, self._clock())

    async def incident_of(self, reference: str) -> str:
        """Id of the incident that is not closed and whose message the provider calls so, or in whose own channel it
        is; empty: none.
        """
        return await self._queue.read(self._reads.incident_of, reference)

    async def act(self, incident_id: str, action: Action, origin: Origin) -> Outcome:
        """Runs an action; the outcome describes the incident's state afterwards."""
        return await self._ask(Asked(ForIncident(incident_id, action), origin))

    async def answer(
        self, pages: Sequence[Notification], origin: Origin, make: Callable[[Notification], Action]
    ) -> Answer:
        """Acts on the incident of each page; `make` returns the action."""
        wanted = [(page.incident_id, make(page)) for page in pages]
        try:
            async with asyncio.timeout(ANSWER_SEVERAL_WITHIN):
                return await act_on_several(self._queue, wanted, origin)
        except (TimeoutError, StoreUnavailable, StoreDamaged):
            return None

    async def arrive(self, message: str, reference: str, receipt: str = "") -> bool:
        """Records that a provider has a message, or (`receipt`: the evidence) that it arrived.

        Returns True if the sender has not reported the message yet: call again. Raises StoreUnavailable.
        """
        is_waiting = await self._queue.run(
            self._engine.arrive, message, reference, self._clock(), receipt, urgency=STEPS
        )
        self._queue.on_commit()
        return is_waiting

    async def bounce(self, message: str, reason: str) -> bool:
        """Records that a message did not arrive.

        Returns True if the sender has not reported the message yet: call again. Raises StoreUnavailable.
        """
        is_waiting = await self._queue.run(self._engine.bounce, message, reason, self._clock(), urgency=STEPS)
        if not is_waiting:
            self._queue.on_commit()
        return is_waiting

    @property
    def policy(self) -> Policy:
        """The policy in use."""
        return self._engine.current.policy

    def name(self, address: str, types: Collection[str]) -> str:
        """The policy's person with that address on channels of these types, else the address itself."""
        return owner_of(self.policy, address, types) or address

    def whom(self, page: Notification) -> str:
        """The name under which the reader of a message answers it."""
        who, channel = self.name(page.recipient, CHANNEL_TYPES), self.policy.channel(page.channel)
        is_group = channel is not None and channel.facts.has_names and self.policy.person(who) is None
        return f"{who} ({channel.facts.label})" if channel and is_group else who

    async def declare(self, declare: Declare, origin: Origin) -> Outcome:
        """Opens an incident without an alert."""
        return await self._ask(Asked(declare, origin))

    async def _ask(self, asked: Asked) -> Outcome:
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                [result] = await self._queue.handle([asked])
        except (TimeoutError, StoreUnavailable, StoreDamaged):
            return Outcome(LATER, done=False, again=True)
        return outcome_of(result)


def outcome_of(result: Result) -> Outcome:
    """The outcome of a request, with a text for the person who made it."""
    if result.error:
        return Outcome("This could not be stored; Tocsin's log says why.", done=False, again=True)
    if result.incident is None:
        why = result.refusal.reason if result.refusal else "there is no such incident"
        return Outcome(f"{why[0].upper()}{why[1:]}.", done=False)
    now = stands(result.incident)
    if result.refusal is None:
        return Outcome(now, done=True, incident=result.incident)
    why = result.refusal.reason
    return Outcome(f"{now} Nothing was done: {why}.", done=False, incident=result.incident)


def stands(incident: Incident, number: Callable[[int], str] = "#{}".format) -> str:
    """The incident's state and the person behind it: ``#12 is acknowledged by ron.``"""
    who = {State.ACKNOWLEDGED: incident.acknowledged_by, State.RESOLVED: incident.resolved_by}.get(incident.state, "")
    is_handed = incident.state is State.ACKNOWLEDGED and incident.holder not in {"", who}
    handed = f" and handed over to {name(incident.holder)}" if is_handed else ""
    asked_by = ", ".join(map(name, incident.response.asked_by))
    wanted = f"; {asked_by} asked for help, which nobody has answered yet" if asked_by else ""
    signed = name(incident.response.signed_off_by) if not incident.is_live else ""
    seen = f", signed off by {signed}" if signed else ""
    return f"{number(incident.number)} is {incident.state}{f' by {name(who)}' if who else ''}{handed}{seen}{wanted}."
