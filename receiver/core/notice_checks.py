"""What keeps a text from being approved for the outside world: a contact that nobody outside can use, a wrong date.

`receiver.core.notices` asks before it approves, and the API shows the answer beside the text.
"""

import re

from receiver.core.instant import Instant
from receiver.core.model import Incident
from rules.policy import HOUR

DAY = 24 * HOUR

_CONTACT = re.compile(r"^[^\w\n]*contact[^:\n]*:[ \t]*(.*)$", re.IGNORECASE | re.MULTILINE)
_REACHABLE = re.compile(
    r"[^\s@]+@[^\s@]+\.\w+|https?://\S+|\bwww\.\S+|(?:[a-z0-9-]+\.){2,}[a-z]{2,}|\+?\d(?:[ ()/.-]?\d){5,}",
    re.IGNORECASE,
)
_DATE = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)")
BEFORE, AFTER = 1, 31
"""Days before the opening (what fired may have begun then) and after now (an estimate) that a date may lie."""


def faults(subject: str, body: str, incident: Incident, now: Instant) -> tuple[str, ...]:
    """Why this text cannot be approved, in words; empty: it can be."""
    return (*_contact_faults(body), *_time_faults(f"{subject}\n{body}", incident, now))


def _contact_faults(body: str) -> list[str]:
    return [
        f"its contact is {said.strip() or 'empty'}, which is no e-mail address, telephone number or web address: set "
        "`contact_information` in the policy, or edit the text"
        for said in _CONTACT.findall(body)
        if not _REACHABLE.search(said)
    ]


def _time_faults(text: str, incident: Incident, now: Instant) -> list[str]:
    began, today = incident.opened_at // DAY, now // DAY
    found = []
    for written in _DATE.finditer(text):
        day = _day(*(int(part) for part in written.groups()))
        if day is None:
            found.append(f"it tells {written[0]}, which is no date")
        elif not began - BEFORE <= day <= today + AFTER:
            found.append(f"it tells {written[0]}, which is far from the incident: edit the text")
    return found


def _day(year: int, month: int, day: int) -> int | None:
    """Days since 1970-01-01 (UTC) of a date of the Gregorian calendar; None: there is no such date."""
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    months = (31, 29 if is_leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if not (1 <= month <= 12 and 1 <= day <= months[month - 1]):
        return None
    before = year - 1
    return before * 365 + before // 4 - before // 100 + before // 400 + sum(months[: month - 1]) + day - 719_163
