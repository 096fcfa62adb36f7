"""`/training`: trained types and roles per person, from their drills, and drills that are due."""

from dataclasses import dataclass

from aiohttp import web

from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.messages.times import rfc3339
from receiver.reports.queries import Records
from receiver.reports.training_roster import never_practised, untrained
from receiver.web.console import tables
from receiver.web.console.pages import Frame, Visit


@dataclass(frozen=True, slots=True)
class TrainingPage:
    """Handlers of the training page and its export."""

    frame: Frame
    queue: CommandQueue
    engine: Engine
    records: Records

    async def show(self, visit: Visit) -> web.Response:
        """Shows the page."""
        known = await self.queue.browse(self.records.trained_by_now, visit.now)
        policy = self.engine.current.policy
        never = never_practised(known, policy)
        return self.frame.page(
            visit,
            "training.html",
            known=known,
            overdue=sum(each.is_overdue(visit.now) for each in known) + len(never),
            people={each.name for each in policy.people},
            never=never,
            untrained=untrained(known, policy, visit.now),
            every=policy.drills_every,
        )

    async def export(self, visit: Visit) -> web.Response:
        """The table as CSV."""
        known = await self.queue.browse(self.records.trained_by_now, visit.now)
        rows = (
            (
                each.person,
                "role" if each.is_role else "type",
                each.subject,
                rfc3339(each.last),
                each.drill,
                None if each.due_at is None else rfc3339(each.due_at),
                "yes" if each.is_overdue(visit.now) else "",
            )
            for each in known
        )
        return tables.answer("training", ("person", "kind", "subject", "last", "drill", "due_at", "overdue"), rows)
