"""Reports: from an incident's record to the document that the policy asks for. Pure: data in, text out.

`receiver.reports.queries` gathers an IncidentRecord from the store; `write` makes an incident's Report of it and
`review` a period's; `render` sets either as Markdown, HTML or JSON. The API, the command line and the mail at the close
use these. What a report does not know it says ("not yet known"); it never leaves a field of a template out.
"""

from receiver.reports.drill_report import HeldDrill, held, training
from receiver.reports.incident_record import IncidentRecord
from receiver.reports.incident_report import write
from receiver.reports.period import review
from receiver.reports.render import FORMATS, Format, mail, render
from receiver.reports.report import Report

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
