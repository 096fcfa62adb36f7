"""What received alerts say that is new: an episode began, ended, moved its start, or may be an echo.

An alert is known by its source and fingerprint. Its **episode** has a start, an end, and the instant at which the end
was first heard. One incident holds it while that incident is not closed, however later webhooks group it.

An **echo** is the firing body that a slower peer of a clustered Alertmanager sends from an old snapshot after another
peer has told the end (docs/decisions/0016). A firing whose start is not later than the end of an episode just ended may
be one: it is held, and believed when `Cluster.echo_window` has passed since the end was first heard, unless its end is
heard again before. What is believed only so is **doubtful**: the known end, told again, may be that of a late echo, or
an old word about what truly fires. That end is held likewise, and counts unless the alert is told to fire meanwhile.
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
"""Begins of an alert's last episodes that are kept, to know whether it flaps."""

EARLIER_KEPT = 8
"""Of the times that an alert fired before, the first so many and the last so many are kept whole."""

FLASH_LIMIT = 10 * MINUTE
"""A resolve of an alert never heard to fire is news only if its episode was shorter. A longer one was told while it
fired, to a database that is gone."""


class Hearing(Struct, frozen=True):
    """Who tells of alerts, when, and what is known about that."""

    now: Instant
    source: str = ""
    told_by: str = ""
    """The Alertmanager and its group."""
    peers_differ: bool = False
    """`told_by` tells peers of this source apart."""
    blind: bool = False
    """The source's heartbeat is late: an end may be nothing but Prometheus' silence."""
    cluster: Cluster = Cluster()


class News(Struct, frozen=True):
    """What of the received alerts is new to us. Repeats, retries and late words about an older episode are not."""

    fired: tuple[Alert, ...] = ()
    """An episode began, or its level rose."""
    cleared: tuple[Alert, ...] = ()
    """An episode that we knew ended."""
    flashed: tuple[Alert, ...] = ()
    """An episode that we never heard of began and ended."""
    moved: tuple[Alert, ...] = ()
    """A start was told anew while the episode runs: no danger."""
    held: tuple[Alert, ...] = ()
    """May be an echo, and is held."""
    dropped: tuple[Alert, ...] = ()
    """Was held, and its end was heard: it was an echo."""
    doubted: tuple[Alert, ...] = ()
    """Fires, but the end that was known before was told again, and is held."""
    confirmed: tuple[Alert, ...] = ()
    """Its end was held, and it is told to fire: that end was an old word."""
    kept: tuple[Alert, ...] = ()
    """All of these, each once, as they are now."""
    level_before: Mapping[str, int] = {}
    """Fingerprint -> level under which a fired or cleared alert was counted as firing."""
    held_more: int = 0
    """How many more alerts are held than before."""

    def __bool__(self) -> bool:
        return bool(self.kept)


def sift(received: Sequence[Alert], known: Mapping[str, Alert], hearing: Hearing) -> News:
    """Find what is new. `known`: the stored alerts with these fingerprints. A body may tell of one alert twice."""
    after: dict[str, Alert] = {}
    for alert in received:
        name = alert.fingerprint
        heard = _hear(after.get(name) or known.get(name), alert, hearing)
        if heard is not None:
            after[name] = heard
    return compare(known, after)


def compare(known: Mapping[str, Alert], after: Mapping[str, Alert]) -> News:
    """The news that lead from the alerts as they were to the alerts as they are."""
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
    """Which news an alert is; one body may end an episode and echo its firing."""
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
    """The alert after these words; None: they say nothing new."""
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
    """The episode goes on: at a worse level, or with a start told anew. A start before the end of the episode before
    is an old word of that one.
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
    """The times that it fired, that of `before` the last; and how many are not among them."""
    ended = FiringRecord(before.starts_at, before.ended_at, before.level, measured(before))
    every = (*before.earlier, ended)
    kept = every if len(every) <= 2 * EARLIER_KEPT else (*every[:EARLIER_KEPT], *every[-EARLIER_KEPT:])
    return kept, before.forgotten + len(every) - len(kept)


def fires(held: Alert, now: Instant, *, proved: bool) -> Alert:
    """An alert of which a word is held, known to fire. Not `proved`: only because its end was not heard for so long."""
    begun = replace(held, held_until=None) if held.firing else _begin(held, now, held)
    return replace(begun, doubtful=not proved)


def is_over(held: Alert) -> Alert:
    """An alert of which a word is held, known to have ended."""
    if not held.firing:
        return replace(held, held_until=None)
    return replace(  # without `end_heard_at`: that end is known for long, so what fires next is no echo of it
        held, firing=False, held_until=None, ended_at=held.ended_before, doubtful=False
    )


def _believed_at(old: Alert, alert: Alert, hearing: Hearing) -> Instant:
    """When a firing after an end is believed: at once, or when it cannot be an echo any more."""
    is_ours = hearing.source == OWN and not hearing.told_by  # a webhook's `?source=` may be called so too
    if old.end_heard_at is None or is_ours or _is_proved(old, alert, hearing):
        return hearing.now
    return Instant(old.end_heard_at + hearing.cluster.echo_window(alert))


def _is_proved(old: Alert, alert: Alert, hearing: Hearing) -> bool:
    """Whether it cannot be an echo: it began later, no other peer is there, or the end's teller tells it."""
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
    if ended_at < old.starts_at and not old.start_unknown:  # unknown: by our clock, which may be ahead of the sender's
        return None
    if old.ended_before is None or ended_at > old.ended_before:
        return _end(old, alert, hearing)
    if old.doubtful and old.held_until is None:
        return replace(old, held_until=Instant(hearing.now + hearing.cluster.echo_window(old)))
    return None


def _is_flash(alert: Alert) -> bool:
    return (alert.ended_at or alert.starts_at) - alert.starts_at <= FLASH_LIMIT


def _end(old: Alert, alert: Alert, hearing: Hearing) -> Alert:
    """The ended episode, at the level and under the rule that it was counted by, and with what it said when it fired:
    what an end is told with was measured later, and is not what anybody was told.

    An end that is heard while the heartbeat is late gets no `end_heard_at`: the next firing is no echo of it.
    """
    return replace(
        alert,
        level=old.level,
        rule=old.rule,
        type=old.type,
        twin=old.twin,
        annotations={**alert.annotations, **old.annotations},  # an end may add a reason of its own
        firings=old.firings,
        earlier=old.earlier,
        forgotten=old.forgotten,
        held_until=None,
        worse_at=old.worse_at,
        end_heard_at=None if hearing.blind else hearing.now,
        end_told_by=hearing.told_by,
    )


def route(event: AlertsReceived, holders: Mapping[str, str]) -> list[AlertsReceived]:
    """The event, cut by the incidents that hold its alerts already. `holders`: fingerprint -> key of that incident.

    An alert that no incident holds goes where the event says: by its identity.
    """
    if not holders:
        return [event]
    by_key: dict[str, list[Alert]] = {}
    for alert in event.alerts:
        by_key.setdefault(holders.get(alert.fingerprint, event.key), []).append(alert)
    return [replace(event, key=key, alerts=tuple(alerts)) for key, alerts in by_key.items()]
