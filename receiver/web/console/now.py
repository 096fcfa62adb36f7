"""`/`: what somebody must act on now, the most urgent first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiohttp import web

from receiver.core.loaded_rules import RulesVerdict
from receiver.core.model import Alert, Incident, State
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.engine.service_state import ServiceState
from receiver.messages.incident_text import IncidentText
from receiver.messages.times import Manner
from receiver.store import Reads
from receiver.web.api.incident_operations import Api
from receiver.web.console.deadlines import DeadlineRow, deadlines
from receiver.web.console.pages import Frame, Visit

SHOWN = 50
"""Incidents on the page; nobody takes more of them in."""

NAMED = 10
"""Alerts of each that are read, of those that fire: the first is the title, with its value."""


@dataclass(frozen=True, slots=True)
class Card:
    """One incident of the list."""

    case: IncidentText
    deadlines: tuple[DeadlineRow, ...]


@dataclass(frozen=True, slots=True)
class Now:
    """The page."""

    frame: Frame
    queue: CommandQueue
    engine: Engine
    reads: Reads
    api: Api
    state: ServiceState

    async def show(self, visit: Visit) -> web.Response:
        """The page."""

        def read() -> tuple[list[Card], list[Card], dict[State, int]]:
            urgent = self.reads.overview.urgent(SHOWN)
            firing = self.reads.first_firing([each.id for each in urgent], NAMED)
            cards = [self._card(incident, firing.get(incident.id, ()), visit) for incident in urgent]
            resolved = [self._card(each, (), visit) for each in self.reads.overview.resolved(SHOWN)]
            unclosed = [each for each in resolved if each.case.outstanding]
            return sorted(cards, key=_urgency), unclosed, _by_state(self.reads.overview.live().items())

        cards, unclosed, counts = await self.queue.read(read)
        return self.frame.page(
            visit,
            "now.html",
            cards=cards,
            unclosed=unclosed,
            counts=counts,
            more=sum(counts.values()) - len(cards),
            worries=[
                *map(str, self.state.failing()),
                *self._refused_policy(),
                *self._other_rules(),
                *self._silent_channels(),
            ],
        )

    def _card(self, incident: Incident, firing: Sequence[Alert], visit: Visit) -> Card:
        context = self.engine.context(self.api.policy_version(incident))
        case = IncidentText(incident, context, visit.now, "", manner=Manner.LIVE, alerts=firing)
        return Card(case, deadlines(incident, context.policy_version, visit.now))

    def _refused_policy(self) -> list[str]:
        refused = self.state.policy_problems
        return (
            [f"the policy's files have problems ({len(refused)}); the policy before them is in use"] if refused else []
        )

    def _other_rules(self) -> list[str]:
        if self.state.loaded_rules is not RulesVerdict.OTHER:
            return []
        return ["Prometheus evaluates rules of another policy: those of the one in use may be evaluated by nobody"]

    def _silent_channels(self) -> list[str]:
        engine = self.engine
        context = engine.context(engine.current)
        silent = [
            each.name for each in engine.current.policy.channels if each.enabled and not context.is_set_up(each.name)
        ]
        return [f"nothing can be sent on {', '.join(silent)}: not configured"] if silent else []


def _urgency(card: Card) -> tuple[int, bool, int]:
    """The worst level first, in it what nobody has taken, then what is due first."""
    incident = card.case.incident
    due_at = min((each.at for each in card.deadlines if not each.passed), default=incident.opened_at)
    return -incident.level, not incident.wants_answer, due_at


def _by_state(counts: Iterable[tuple[tuple[int, State], int]]) -> dict[State, int]:
    found = {State.OPEN: 0, State.ACKNOWLEDGED: 0}
    for (_, state), count in counts:
        found[state] += count
    return found
