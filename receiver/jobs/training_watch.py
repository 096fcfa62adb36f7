"""Reads the record of drills, and reports to the core what people have to practise again.

The service runs `report_practices` every 15 minutes; `receiver.core.training` decides about reminders.
"""

from receiver.core.events import TrainingRead
from receiver.core.model import Instant
from receiver.core.response import Practice
from receiver.core.training import KEY
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.on_call.references import whose_name
from receiver.reports.queries import Records
from receiver.reports.training_roster import never_practised
from rules.policy import Policy

EVERY = 900.0
"""Seconds between two runs."""

NEVER = Instant(0)


async def report_practices(queue: CommandQueue, engine: Engine, records: Records) -> None:
    """Report due practices; if the policy names people, only theirs: people who have left get no reminders.

    Raises StoreUnavailable.
    """
    practices = await queue.browse(_read, engine.current.policy, records, queue.clock())
    await queue.handle([TrainingRead(KEY, practices)])


def _read(policy: Policy, records: Records, now: Instant) -> tuple[Practice, ...]:
    if policy.drills_every is None:
        return ()
    known = records.trained_by_now(now)
    wanted = [each for each in known if not policy.people or whose_name(policy, each.person)]
    due = [Practice(each.person, each.subject, each.due_at) for each in wanted if each.due_at is not None]
    return (*due, *(Practice(each, "", NEVER) for each in never_practised(known, policy)))
