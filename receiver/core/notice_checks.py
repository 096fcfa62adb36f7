"""Checks before the approval of an external text: its contact, its dates, and the promised next update.

`receiver.core.notices` refuses what fails; the API shows the result beside the text.
"""

import re
from collections.abc import Iterator

from receiver.core.instant import Instant
from receiver.core.model import Incident
from receiver.core.response import Notice
from receiver.on_call.wall_time import told_time
from rules.policy import HOUR, MINUTE

DAY = 24 * HOUR

_CONTACT = re.compile(
    r"(?:^|(?<=[.!?] ))[^\w\n]*(?:contact|[ck]ontakt|questions?|(?:rück)?fragen)[^:\n.]*:[ \t]*(.*?)(?=[.!?] |$)",
    re.IGNORECASE | re.MULTILINE,
)
"""A line or a sentence with contact details, as policies in English and German write it."""
_REACHABLE = re.compile(
    r"[^\s@]+@[^\s@]+\.\w+|https?://\S+|\bwww\.\S+|(?:[a-z0-9-]+\.){2,}[a-z]{2,}|\+?\d(?:[ ()/.-]?\d){5,}",
    re.IGNORECASE,
)
_DATE = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)")
BEFORE, AFTER = 1, 31
"""Days that a date may lie before the opening (the cause may be older) or after now (an estimate)."""


_CLOCK = r"([01]?\d|2[0-3]):([0-5]\d)\b"
_OFFSET = r"(?:([+-])(\d\d?)(?::([0-5]\d))?\b)?"
_TIME = re.compile(rf"(?:\b(\d{{4}}-\d\d-\d\d)[ T])?\b{_CLOCK}(?: ?(UTC|GMT|Z)\b{_OFFSET})?")
AHEAD = 6 * HOUR
"""A time without a date is within 12 hours of the text's writing plus this."""
_PROMISE = re.compile(r"next update|hear from us|nächste", re.IGNORECASE)


def faults(
    subject: str, body: str, notice: Notice, incident: Incident, now: Instant, time_zone: str
) -> tuple[str, ...]:
    """Returns why this text cannot be approved, as messages; empty: it can. `time_zone`: of the times in the text."""
    text = f"{subject}\n{body}"
    late = [told for told, at in promises(text, notice, time_zone) if at <= now]
    return (
        *_contact_faults(body),
        *_time_faults(text, incident, now),
        *(f"it promises the next update by {told}, which has passed: edit the text" for told in late),
    )


def promises(text: str, notice: Notice, time_zone: str) -> Iterator[tuple[str, Instant]]:
    """Yields each promised time of the next update: as written, and as an instant.

    That is every time in a line about the next update, and the notice's `next_at` in any line.
    """
    near = (notice.edited_at or notice.held_at) + AHEAD
    for line in text.split("\n"):
        for written in _TIME.finditer(line):
            minutes, zone, ahead = int(written[2]) * 60 + int(written[3]), written[4] and "UTC", _ahead(written)
            there = told_time(written[1] or "", minutes, near + ahead, zone or time_zone)
            at = None if there is None else there - ahead
            if at is not None and (_PROMISE.search(line) or at == _minute(notice.next_at)):
                yield written[0], Instant(at)


def _ahead(written: re.Match[str]) -> int:
    """Microseconds by which the offset in a text (``UTC+5:45``) is ahead of UTC."""
    micros = int(written[6] or 0) * HOUR + int(written[7] or 0) * MINUTE
    return -micros if written[5] == "-" else micros


def _minute(at: Instant | None) -> int | None:
    return None if at is None else at // MINUTE * MINUTE


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
    """Days from 1970-01-01 (UTC) to a date of the Gregorian calendar; None: no such date."""
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    months = (31, 29 if is_leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if not (1 <= month <= 12 and 1 <= day <= months[month - 1]):
        return None
    before = year - 1
    return before * 365 + before // 4 - before // 100 + before // 400 + sum(months[: month - 1]) + day - 719_163
