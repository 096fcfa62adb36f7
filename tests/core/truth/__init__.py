"""The oracle: what messages, the timeline, the console and reports may say of an incident, checked against its record.

Each statement has a predicate over the record (`Record`: the incident with its windows, its timeline, its alerts and
its messages); none asks the code that made the sentence. A sentence about responders, deadlines, delivery, recovery,
cause or who is told that no statement reads is an error, too: a new sentence needs a predicate.
"""

from tests.core.truth.bundles import check_bundle
from tests.core.truth.forms import check_blocks, check_document, check_event, check_html
from tests.core.truth.lines import FACTS, check_line
from tests.core.truth.lists import check_history, check_now, check_report_page, check_shell_row
from tests.core.truth.oracle import STATEMENTS, check, unread
from tests.core.truth.periods import check_drills, check_period
from tests.core.truth.record import Record, UntrueError
from tests.core.truth.recovery import check_system
from tests.core.truth.replies import check_reply, check_several
from tests.core.truth.told import check_all_clear
from tests.core.truth.words import WORDS, OneMessage, page_text, report_text, row, texts

__all__ = [
    "FACTS",
    "STATEMENTS",
    "WORDS",
    "OneMessage",
    "Record",
    "UntrueError",
    "check",
    "check_all_clear",
    "check_blocks",
    "check_bundle",
    "check_document",
    "check_drills",
    "check_event",
    "check_history",
    "check_html",
    "check_line",
    "check_now",
    "check_period",
    "check_reply",
    "check_report_page",
    "check_several",
    "check_shell_row",
    "check_system",
    "page_text",
    "report_text",
    "row",
    "texts",
    "unread",
]
