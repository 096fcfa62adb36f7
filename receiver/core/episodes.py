"""The news in received alerts: an episode began, ended, moved its start, or may be an echo.

An alert is identified by source and fingerprint. Its **episode** has a start, an end, and the instant at which the end
was first heard. One incident holds the alert until that incident closes, even if later webhooks group it otherwise.

An **echo** is a firing body that a slower peer of an Alertmanager cluster sends from an old snapshot after another
peer has sent the end (docs/decisions/0014). A firing whose start is not later than the end of the last episode may be
one: it is held, and believed when `Cluster.echo_window` has passed since the end was first heard, unless its end is
heard again before. An alert believed only for that reason is **doubtful**: the known end, heard again, may end a late
echo or be an old message about an alert that does fire. That end is held too, and counts unless a firing is heard
meanwhile.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from receiver.core.cluster import Cluster
from receiver.core.events import AlertsReceived
from receiver.core.measured import measured
from receiver.core.model import OWN, Alert, FiringRecord, Instant
from rules.policy import MINUTE

FIRINGS_KEPT = 16
"""Number of an alert's last episode starts that are kept, to detect flapping."""

EARLIER_KEPT = 8
"""Earlier episodes of an alert that are kept: this many of the first, and this many of the last."""

FLASH_LIMIT = 10 * MINUTE
"""The end of an alert never heard to fire is news only if its episode, in microseconds, was not longer. A longer one
was received while it fired, by a database that was lost."""


class Hearing(Struct, frozen=True):
    """The sender of alerts, the time of receipt, and what is known about both."""

    now: Instant
    source: str = ""
    told_by: str = ""
    """The Alertmanager and the group."""
    peers_differ: bool = False
    """`told_by` tells peers of this source apart."""
    blind: bool = False
    """The source's heartbeat is late: an end may only mean that Prometheus is down."""
    cluster: Cluster = Cluster()


class News(Struct, frozen=True):
    """What is new in received alerts. Repeats, retries and late messages about an older episode are not."""

    fired: tuple[Alert, ...] = ()
    """An episode began, or its level rose."""
    cleared: tuple[Alert, ...] = ()
    """A known episode ended."""
    flashed: tuple[Alert, ...] = ()
    """An episode not heard of before began and ended."""
    moved: tuple[Alert, ...] = ()
    """The start changed while the episode runs: no new danger."""
    held: tuple[Alert, ...] = ()
    """Possible echoes, held."""
    dropped: tuple[Alert, ...] = ()
    """Held firings whose end was heard: they were echoes."""
    doubted: tuple[Alert, ...] = ()
    """Fire, but the end known before was heard again, and is held."""
    confirmed: tuple[Alert, ...] = ()
    """Their end was held, and a firing was heard: the end was an old message."""
    kept: tuple[Alert, ...] = ()
    """All of these, each once, in their present form."""
    level_before: Mapping[str, int] = {}
    """Fingerprint → level at which a fired or cleared alert was counted as firing before."""
    held_more: int = 0
    """Change in the number of held alerts."""

    def __bool__(self) -> bool:
        return bool(self.kept)


def sift(received: Sequence[Alert], known: Mapping[str, Alert], hearing: Hearing) -> News:
    """Find the news. `known`: the stored alerts with these fingerprints. A body may contain one alert twice."""
    after: dict[str, Alert] = {}
    for alert in received:
        name = alert.fingerprint
        heard = _hear(after.get(name) or known.get(name), alert, hearing)
        if heard is not None:
            after[name] = heard
    return compare(known, after)


def compare(known: Mapping[str, Alert], after: Mapping[str, Alert]) -> News:
    """The difference between the alerts before and after, as news."""
    sorts: dict[str, list[Alert]] = {}
    for name, alert in after.items():
        for sort in _sorts(known.get(name), alert):
            sorts.setdefault(sort, []).append(alert)
    changed = (*sorts.get("fired", ()), *sorts.get("cleared", ()))
    before = {
        each.fingerprint: known[each.fingerprint].level
        for each in changed
        if each.fingerprint in known and known[each.fingerprint].firing
    }
    held = sum(each.held_until is not None for each in after.values())
    were_held = sum(known[name].held_until is not None for name in after if name in known)
    return News(
        **{sort: tuple(alerts) for sort, alerts in sorts.items()},
        kept=tuple(after.values()),
        level_before=before,
        held_more=held - were_held,
    )


def _sorts(old: Alert | None, alert: Alert) -> list[str]:
    """The fields of News that an alert belongs to; one body may end an episode and echo its firing."""
    if alert.firing:
        return _firing_sorts(old, alert)
    found = []
    if old is not None and old.firing:
        found.append("cleared")
    elif old is None or alert.starts_at > (old.ended_at or 0):
        found.append("flashed")
    if alert.held_until is not None and (old is None or old.held_until is None):
        found.append("held")
    elif old is not None and old.held_until is not None and alert.held_until is None:
        found.append("dropped")
    return found


def _firing_sorts(old: Alert | None, alert: Alert) -> list[str]:
    if old is None or not old.firing:
        return ["fired"]
    found = []
    if alert.level > old.level:
        found.append("fired")
    elif alert.starts_at != old.starts_at:
        found.append("moved")
    if (alert.held_until is None) is not (old.held_until is None):
        found.append("confirmed" if alert.held_until is None else "doubted")
    return found


def _hear(old: Alert | None, alert: Alert, hearing: Hearing) -> Alert | None:
    """The alert after this message; None: nothing new."""
    if alert.firing:
        return _hear_firing(old, alert, hearing)
    return _hear_end(old, alert, hearing)


def _hear_firing(old: Alert | None, alert: Alert, hearing: Hearing) -> Alert | None:
    if old is None:
        return _begin(alert, hearing.now)
    if old.firing:
        return _go_on(old, alert, hearing.now)
    believed_at = _believed_at(old, alert, hearing)
    if believed_at <= hearing.now:
        return replace(_begin(alert, hearing.now, old), doubtful=not _is_proved(old, alert, hearing))
    if old.held_until is not None:
        return None
    return replace(
        alert,
        firing=False,
        held_until=believed_at,
        ended_at=old.ended_at,
        end_heard_at=old.end_heard_at,
        end_told_by=old.end_told_by,
        firings=old.firings,
        earlier=old.earlier,
        forgotten=old.forgotten,
    )


def _go_on(old: Alert, alert: Alert, now: Instant) -> Alert | None:
    """The running episode at a higher level or with a changed start; None: nothing new.

    A start before the end of the previous episode is an old message about that one.
    """
    if old.ended_before is not None and alert.starts_at <= old.ended_before < old.starts_at:
        return None
    if alert.level <= old.level and alert.starts_at == old.starts_at and old.held_until is None:
        return None
    level = max(alert.level, old.level)
    return replace(
        alert,
        level=level,
        annotations=alert.annotations if alert.level > old.level else old.annotations,
        firings=old.firings,
        worse_at=now if alert.level > old.level else old.worse_at,
        earlier=old.earlier,
        forgotten=old.forgotten,
        ended_before=old.ended_before,
        doubtful=old.doubtful,
        held_until=None,
    )


def _begin(alert: Alert, now: Instant, before: Alert | None = None) -> Alert:
    firings, ended = (before.firings, before.ended_at) if before else ((), None)
    earlier, forgotten = _remembered(before) if before else ((), 0)
    return replace(
        alert,
        earlier=earlier,
        forgotten=forgotten,
        firing=True,
        ended_at=None,
        end_heard_at=None,
        end_told_by="",
        held_until=None,
        ended_before=ended,
        firings=(*firings, now)[-FIRINGS_KEPT:],
    )


def _remembered(before: Alert) -> tuple[tuple[FiringRecord, ...], int]:
    """The earlier episodes that are kept, `before` last, and the number of those that are not."""
    ended = FiringRecord(before.starts_at, before.ended_at, before.level, measured(before))
    every = (*before.earlier, ended)
    kept = every if len(every) <= 2 * EARLIER_KEPT else (*every[:EARLIER_KEPT], *every[-EARLIER_KEPT:])
    return kept, before.forgotten + len(every) - len(kept)


def fires(held: Alert, now: Instant, *, proved: bool) -> Alert:
    """A held alert, now known to fire. Not `proved`: only because its end was not heard again in the window."""
    begun = replace(held, held_until=None) if held.firing else _begin(held, now, held)
    return replace(begun, doubtful=not proved)


def is_over(held: Alert) -> Alert:
    """A held alert, now known to have ended."""
    if not held.firing:
        return replace(held, held_until=None)
    return replace(  # without `end_heard_at`: that end is old, so the next firing is no echo of it
        held, firing=False, held_until=None, ended_at=held.ended_before, doubtful=False
    )


def _believed_at(old: Alert, alert: Alert, hearing: Hearing) -> Instant:
    """When a firing after an end is believed: now, or when it can no longer be an echo."""
    is_ours = hearing.source == OWN and not hearing.told_by  # a webhook's `?source=` may have the same name
    if old.end_heard_at is None or is_ours or _is_proved(old, alert, hearing):
        return hearing.now
    return Instant(old.end_heard_at + hearing.cluster.echo_window(alert))


def _is_proved(old: Alert, alert: Alert, hearing: Hearing) -> bool:
    """Whether it cannot be an echo: it began later, the sender of the end sends it, or there is no echo window."""
    began_later = old.ended_at is None or alert.starts_at > old.ended_at
    same_teller = hearing.peers_differ and hearing.told_by == old.end_told_by != ""
    return began_later or same_teller or not hearing.cluster.echo_window(alert)


def _hear_end(old: Alert | None, alert: Alert, hearing: Hearing) -> Alert | None:
    ended_at = alert.ended_at or alert.starts_at
    if old is None:
        return _end(alert, alert, hearing) if _is_flash(alert) else None
    if old.firing:
        return _hear_end_of_firing(old, alert, hearing, ended_at)
    if old.held_until is not None:
        return replace(is_over(old), ended_at=max(ended_at, old.ended_at or 0), end_told_by=hearing.told_by)
    is_later = old.ended_at is not None and alert.starts_at > old.ended_at
    if not (is_later and _is_flash(alert)):
        return None
    earlier, forgotten = _remembered(old)
    return replace(_end(alert, alert, hearing), earlier=earlier, forgotten=forgotten)


def _hear_end_of_firing(old: Alert, alert: Alert, hearing: Hearing, ended_at: int) -> Alert | None:
    if ended_at < old.starts_at and not old.start_unknown:  # unknown: by our clock, perhaps ahead of the sender's
        return None
    if old.ended_before is None or ended_at > old.ended_before:
        return _end(old, alert, hearing)
    if old.doubtful and old.held_until is None:
        return replace(old, held_until=Instant(hearing.now + hearing.cluster.echo_window(old)))
    return None


def _is_flash(alert: Alert) -> bool:
    return (alert.ended_at or alert.starts_at) - alert.starts_at <= FLASH_LIMIT


def _end(old: Alert, alert: Alert, hearing: Hearing) -> Alert:
    """The ended episode, with the level, rule and annotations of its firing: those of the end were measured later, and
    no recipient was told them.

    An end heard while the heartbeat is late gets no `end_heard_at`: the next firing is no echo of it.
    """
    return replace(
        alert,
        level=old.level,
        rule=old.rule,
        type=old.type,
        twin=old.twin,
        annotations={**alert.annotations, **old.annotations},  # an end may add a reason
        firings=old.firings,
        earlier=old.earlier,
        forgotten=old.forgotten,
        held_until=None,
        worse_at=old.worse_at,
        end_heard_at=None if hearing.blind else hearing.now,
        end_told_by=hearing.told_by,
    )


def route(event: AlertsReceived, holders: Mapping[str, str]) -> list[AlertsReceived]:
    """The event, split by the incidents that hold its alerts. `holders`: fingerprint → key of that incident.

    An alert that no incident holds keeps the event's key.
    """
    if not holders:
        return [event]
    by_key: dict[str, list[Alert]] = {}
    for alert in event.alerts:
        by_key.setdefault(holders.get(alert.fingerprint, event.key), []).append(alert)
    return [replace(event, key=key, alerts=tuple(alerts)) for key, alerts in by_key.items()]
