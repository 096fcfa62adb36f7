"""Calendars fetched from a URL: when they are fetched, the result of a fetch, and the alerts about a doubtful copy.

`receiver.jobs.calendar_fetch` fetches; `receiver.on_call.calendar_copy` decides whether a copy is taken. The store
keeps the fetches' state of each schedule, for every replica.
"""

from collections.abc import Iterator
from hashlib import sha256

from msgspec import Struct
from msgspec.structs import replace

from receiver.core.classify import incident_key
from receiver.core.events import AlertsReceived
from receiver.core.model import OWN, Alert, Instant
from receiver.on_call.copy_verdict import CopyVerdict
from rules.policy import CRITICAL, HOUR, MINUTE
from rules.reserved import CALENDAR

RULE = "tocsin/calendar"
TYPE = CALENDAR

FETCHED_EVERY = 5 * MINUTE
"""Microseconds between two fetches of one calendar, successful or not."""

OLD_AFTER = 24 * HOUR
"""Microseconds without a good fetch after which an alert fires."""

MISSING_AFTER = 15 * MINUTE
"""The same if there is no copy: then nobody is on call."""


class CalendarFetches(Struct, frozen=True):
    """The state of the fetches of one schedule's calendar."""

    source: str
    """Digest of the URL."""
    since: Instant
    """When it was first tried."""
    tried_at: Instant
    good_at: Instant | None = None
    """When the copy in use was last fetched, or found to be unchanged."""
    etag: str = ""
    modified: str = ""
    """The server's `ETag` and `Last-Modified` of the copy in use."""
    detail: str = ""
    """Why the last fetch failed; empty: it did not."""
    old_since: Instant | None = None
    """Since when the alert about missing good fetches fires."""
    thinner: str = ""
    """Text of the alert that a copy covers less than the one before it."""
    thinner_since: Instant | None = None
    enough: int = 0
    """Microseconds of the coming weeks that a copy must cover to end that alert."""


def source_of(url: str) -> str:
    """The URL's digest: the URL itself may be a secret."""
    return sha256(url.encode()).hexdigest()[:16]


def is_due(last: CalendarFetches | None, source: str, now: Instant) -> bool:
    """Whether to fetch now. A `tried_at` in the future does not delay a fetch; another URL is fetched at once."""
    if last is None or last.source != source or last.tried_at > now:
        return True
    return now - last.tried_at >= FETCHED_EVERY


def begin(last: CalendarFetches | None, source: str, now: Instant) -> CalendarFetches:
    """The state at the start of a fetch. If the URL has changed, `etag` and `modified` are dropped."""
    if last is None:
        return CalendarFetches(source, now, now)
    if last.source != source:
        return replace(last, source=source, tried_at=now, etag="", modified="")
    return replace(last, tried_at=now)


def fail(begun: CalendarFetches, reason: str) -> CalendarFetches:
    """The state after a fetch without a usable copy."""
    silent = begun.tried_at - (begun.since if begun.good_at is None else begun.good_at)
    is_old = silent >= (MISSING_AFTER if begun.good_at is None else OLD_AFTER)
    return replace(begun, detail=reason, old_since=(begun.old_since or begun.tried_at) if is_old else None)


def confirm(begun: CalendarFetches) -> CalendarFetches:
    """The state after the server said that the copy in use is its newest."""
    return replace(begun, good_at=begun.tried_at, detail="", old_since=None)


def take(begun: CalendarFetches, verdict: CopyVerdict, etag: str, modified: str) -> CalendarFetches:
    """The state after a fetched copy. The alert about a thinner one lasts until a copy covers as much as before it."""
    if not verdict.is_taken:
        return fail(begun, verdict.alarm)
    after = replace(confirm(begun), etag=etag, modified=modified)
    if verdict.alarm:
        enough = max(begun.enough, verdict.before)
        return replace(after, thinner=verdict.alarm, thinner_since=begun.tried_at, enough=enough)
    if verdict.covered >= begun.enough:
        return replace(after, thinner="", thinner_since=None, enough=0)
    return after


def tell(schedule: str, before: CalendarFetches | None, after: CalendarFetches) -> AlertsReceived | None:
    """The event of alerts that begin or end; None: none does."""
    alerts = tuple(_alerts(schedule, before or begin(None, after.source, after.since), after))
    return AlertsReceived(incident_key((OWN, "calendar", schedule)), OWN, alerts) if alerts else None


def _alerts(schedule: str, before: CalendarFetches, after: CalendarFetches) -> Iterator[Alert]:
    if before.old_since != after.old_since:
        known = "The last good copy stays in use." if after.good_at else "There is no copy: it puts nobody on call."
        summary = f"The calendar of schedule {schedule} cannot be fetched"
        yield _alert(schedule, "old", (before.old_since, after), after.old_since, (summary, f"{known} {after.detail}"))
    if before.thinner_since != after.thinner_since:
        summary = f"The calendar of schedule {schedule} puts people on call for less time than before"
        told = f"A new copy was taken: {after.thinner or 'it covers as much as before'}."
        yield _alert(schedule, "thinner", (before.thinner_since, after), after.thinner_since, (summary, told))


def _alert(
    schedule: str,
    what: str,
    ending: tuple[Instant | None, CalendarFetches],
    since: Instant | None,
    words: tuple[str, str],
) -> Alert:
    """`ending`: since when the alert fired before, and the present state. `words`: summary and description."""
    began, after = ending
    return Alert(
        fingerprint=f"tocsin-calendar-{what}-{sha256(schedule.encode()).hexdigest()[:16]}",
        starts_at=Instant((since or began or after.tried_at) // 1000 * 1000),
        firing=since is not None,
        level=CRITICAL,
        rule=RULE,
        type=TYPE,
        labels={
            "alertname": "CalendarIsOld" if what == "old" else "CalendarCoversLess",
            "incident_type": TYPE,
            "severity_level": str(CRITICAL),
            "schedule": schedule,
        },
        annotations={"summary": words[0], "description": words[1]},
        ended_at=None if since is not None else after.tried_at,
    )
