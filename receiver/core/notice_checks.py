"""What keeps a text from being approved for the outside world: a contact that nobody outside can use, a wrong date.

`receiver.core.notices` asks before it approves, and the API shows the answer beside the text.
"""

import re
from datetime import UTC, datetime, timedelta

from receiver.core.instant import Instant
from receiver.core.model import Incident

_CONTACT = re.compile(r"^[^\w\n]*contact[^:\n]*:[ \t]*(.*)$", re.IGNORECASE | re.MULTILINE)
_REACHABLE = re.compile(
    r"[^\s@]+@[^\s@]+\.\w+|https?://\S+|\bwww\.\S+|(?:[a-z0-9-]+\.){2,}[a-z]{2,}|\+?\d(?:[ ()/.-]?\d){5,}",
    re.IGNORECASE,
)
_TIME = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d))?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BEFORE, AFTER = timedelta(days=1), timedelta(days=31)
"""How far before the opening (what fired may have begun then) and after now (an estimate) a time may lie."""


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
    earliest = _EPOCH + timedelta(microseconds=incident.opened_at) - BEFORE
    latest = _EPOCH + timedelta(microseconds=now) + AFTER
    found = []
    for written in _TIME.finditer(text):
        try:
            at = datetime(*(int(part or 0) for part in written.groups()), tzinfo=UTC)  # type: ignore[arg-type,misc]
        except ValueError:
            found.append(f"it tells {written[0]}, which is no date")
            continue
        if not earliest.replace(hour=0, minute=0, second=0, microsecond=0) <= at <= latest:
            began = f"{earliest + BEFORE:%Y-%m-%d %H:%M} UTC"
            found.append(f"it tells {written[0]}, and the incident began at {began}: edit the text")
    return found
