"""Reports: from an incident's record to the document that the policy asks for.

Begin with `incident_report`. `queries` gathers an IncidentRecord from the store; `write` makes an incident's Report of
it and `review` a period's; `render` formats either as Markdown, HTML or JSON; `pictures` draws for messages. The API,
the command line and the mail at the close use these. Unknown fields are shown as "not yet known"; no field of a
template is left out. Imports the messages and the core; only `queries` and `pictures` read the store.
"""

from receiver.reports.held_drill import HeldDrill, held
from receiver.reports.incident_record import IncidentRecord
from receiver.reports.incident_report import write
from receiver.reports.period import review
from receiver.reports.render import FORMATS, Format, mail, render
from receiver.reports.report import Report
from receiver.reports.training_roster import training

__all__ = [
    "FORMATS",
    "Format",
    "HeldDrill",
    "IncidentRecord",
    "Report",
    "held",
    "mail",
    "render",
    "review",
    "training",
    "write",
]
