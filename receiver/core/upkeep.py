"""The consequences of an incident's state, computed at the end of every decision."""

from receiver.core.checklists import attach_due
from receiver.core.closing import close_when_complete
from receiver.core.draft import Draft
from receiver.core.duties import keep_duties
from receiver.core.evidence import keep_inquiries
from receiver.core.follow_ups import watch
from receiver.core.notices import keep_notices
from receiver.core.obligations import keep_obligations
from receiver.core.updates import keep_updates


def keep_up(draft: Draft) -> None:
    """Update everything that depends on the incident's state."""
    attach_due(draft)
    close_when_complete(draft)
    keep_inquiries(draft)
    keep_updates(draft)
    keep_notices(draft)
    watch(draft)
    keep_obligations(draft)
    keep_duties(draft)
