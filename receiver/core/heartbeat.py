"""Heartbeats: if one stops, alerting is blind, and that is an emergency.

A heartbeat is an alert that always fires. Each source and label set has one clock, which holds the time at which
Prometheus evaluated the alert: the time of receipt would not do, as Alertmanager repeats an alert for minutes after
Prometheus has died. Clocks of the compiled heartbeat are created when it is first heard; those that the policy names
are expected from the start. A silent clock becomes an alert of Tocsin's own, which opens an incident like any other.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from hashlib import sha256
from math import isfinite

from msgspec import Struct, field
from msgspec.json import Encoder
from msgspec.structs import replace

from receiver.core.classify import Received, heartbeat_named, incident_key, is_compiled_heartbeat
from receiver.core.events import AlertsReceived
from receiver.core.model import OWN, Alert, Incident, Instant
from receiver.core.sight import ANY, Sight
from rules.policy import EMERGENCY, MINUTE, SECOND, Policy
from rules.reserved import BLIND

RULE = "tocsin/heartbeat"
TYPE = BLIND

ANSWER_WITHIN = 45 * SECOND
"""Microseconds in which a beat must follow a resolved heartbeat; longer than Alertmanager's repeat interval."""

RETIRED_FOR = 5 * MINUTE
"""Microseconds after a clock's retirement: evaluations up to then are Alertmanager's repeats, and ignored."""

MOST_CLOCKS = 200
"""Maximum clocks: webhooks with invented label sets could create any number."""

NEVER = Instant(0)

UNKNOWN = ""
"""The key of the only clock in a database of an older release, which did not keep source and labels."""

_canonical = Encoder(order="deterministic")


class Beat(Struct, frozen=True):
    """A heartbeat received once."""

    source: str
    labels: Mapping[str, str]
    """Without replica labels."""
    fingerprint: str
    at: Instant
    """When Prometheus evaluated it, or when it ended; if that is unknown, `heard_at`."""
    heard_at: Instant
    ended: bool = False

    @property
    def key(self) -> str:
        """The key of its clock: 12 hexadecimal digits."""
        return sha256(_canonical.encode([self.source, dict(self.labels)])).hexdigest()[:12]


class HeartbeatClock(Struct, frozen=True):
    """The stored state of one heartbeat, shared by all replicas."""

    key: str
    source: str
    labels: Mapping[str, str] = field(default_factory=dict)
    evaluated_at: Instant = NEVER
    """The newest known evaluation."""
    heard_at: Instant = NEVER
    fingerprint: str = ""
    """Of the alert last heard; Prometheus replicas have different ones."""
    ended_at: Instant | None = None
    """When its resolve was heard; None: none was, or a beat has followed."""
    retired_at: Instant | None = None
    """When a person retired it: it is no longer expected."""


class Life(StrEnum):
    """Whether a heartbeat beats."""

    BEATS = "beats"
    WAITS = "waits"
    """Too old to count, and not yet missing for long enough since Tocsin listens."""
    SILENT = "silent"


class Watched(Struct, frozen=True):
    """A heartbeat's clock, and whether it beats."""

    clock: HeartbeatClock
    name: str
    """Its name in the policy; empty: the policy does not name it."""
    within: int
    """Microseconds that it may be missing."""
    life: Life
    since: Instant
    """The newest evaluation; if there is none, when Tocsin began to listen."""

    @property
    def was_heard(self) -> bool:
        """Whether it was ever heard."""
        return self.clock.heard_at != NEVER

    @property
    def words(self) -> str:
        """Which heartbeat it is, for people."""
        labels = ", ".join(f"{name}={value}" for name, value in sorted(self.clock.labels.items()) if name not in _USUAL)
        told = (self.name, f"source {self.clock.source}" if self.clock.source else "", labels)
        return "; ".join(each for each in told if each) or "Prometheus"


_USUAL = frozenset(("alertname", "heartbeat", "severity"))


def read(received: Received, source: str, policy: Policy, now: Instant) -> Beat:
    """The beat in an alert that is a heartbeat (`receiver.core.classify.is_heartbeat`)."""
    labels = without_replica(received, policy)
    if received.ended_at is not None:
        return Beat(source, labels, received.fingerprint, min(received.ended_at, now), now, ended=True)
    return Beat(source, labels, received.fingerprint, evaluation(received, now) or now, now)


def without_replica(received: Received, policy: Policy) -> dict[str, str]:
    """The labels, without the policy's `replica_labels`."""
    return {name: value for name, value in received.labels.items() if name not in policy.replica_labels}


def evaluation(received: Received, now: Instant) -> Instant | None:
    """When Prometheus evaluated it, `now` at the latest. None: unknown, as with rules of older releases and foreign
    ones; then the arrival of the webhook counts.
    """
    try:
        seconds = float(received.annotations.get("evaluated_at", ""))
    except ValueError:
        return None
    return Instant(min(round(seconds * SECOND), now)) if isfinite(seconds) and 0 < seconds < now else None


def hear(clock: HeartbeatClock | None, beat: Beat) -> HeartbeatClock | None:
    """The clock after a beat; None: no change."""
    if clock is None or clock.retired_at is not None:
        late = clock is not None and beat.at <= (clock.retired_at or 0) + RETIRED_FOR
        return None if beat.ended or late else _begun(beat)
    if beat.ended:
        stale = clock.ended_at is not None or beat.at < clock.evaluated_at
        return None if stale else replace(clock, ended_at=beat.heard_at, fingerprint=beat.fingerprint)
    if beat.at <= clock.evaluated_at and beat.fingerprint == clock.fingerprint and clock.ended_at is not None:
        return None  # a slower peer's message from before the end
    return replace(
        clock,
        evaluated_at=max(clock.evaluated_at, beat.at),
        heard_at=beat.heard_at,
        fingerprint=beat.fingerprint,
        ended_at=None,
    )


def _begun(beat: Beat) -> HeartbeatClock:
    return HeartbeatClock(beat.key, beat.source, beat.labels, beat.at, beat.heard_at, beat.fingerprint)


def watch(clocks: Iterable[HeartbeatClock], policy: Policy, began: Instant, now: Instant) -> tuple[Watched, ...]:
    """Every expected heartbeat, judged. `began`: when Tocsin began to listen; silence before it does not count."""
    found: list[Watched] = []
    for clock in (each for each in clocks if each.retired_at is None):
        named = heartbeat_named(policy, clock.source, clock.labels)
        if named is not None:
            found.append(_judge(clock, named.name, named.within, began, now))
        elif clock.key == UNKNOWN or is_compiled_heartbeat(clock.labels):
            found.append(_judge(clock, "", policy.heartbeat_within, began, now))
    fulfilled = {each.name for each in found}
    for named in (each for each in policy.heartbeats if each.name not in fulfilled):
        clock = HeartbeatClock(f"named/{named.name}", named.source or "")
        found.append(_judge(clock, named.name, named.within, began, now))
    return tuple(found)


def _judge(clock: HeartbeatClock, name: str, within: int, began: Instant, now: Instant) -> Watched:
    if clock.ended_at is not None:
        life = Life.SILENT if now - max(clock.ended_at, began) > ANSWER_WITHIN else Life.WAITS
    elif now - clock.evaluated_at <= within:
        life = Life.BEATS
    else:
        life = Life.SILENT if now - max(clock.evaluated_at, began) > within else Life.WAITS
    return Watched(clock, name, within, life, clock.evaluated_at or began)


def sight(watched: Iterable[Watched], failing: Iterable[str] = ()) -> Sight:
    """The blind sources, and each source's oldest beat. `failing`: sources whose rules fail to evaluate."""
    blind, beaten = set(failing), dict[str, Instant]()
    for each in watched:
        is_known = each.was_heard and each.clock.key != UNKNOWN
        source = each.clock.source if is_known or each.clock.source else ANY
        if each.life is Life.SILENT:
            blind.add(source)
        elif source != ANY:
            beaten[source] = min(each.clock.evaluated_at, beaten.get(source, each.clock.evaluated_at))
    return Sight(frozenset(blind), beaten)


def ages(watched: Iterable[Watched], now: Instant) -> dict[str, float]:
    """Source → seconds since the evaluation of its heartbeat, of several the oldest."""
    found: dict[str, float] = {}
    for each in watched:
        age = max(0, now - each.since) / SECOND
        found[each.clock.source] = max(age, found.get(each.clock.source, 0.0))
    return found


def alarms(watched: Iterable[Watched], incidents: Iterable[Incident], now: Instant) -> Iterator[AlertsReceived]:
    """The events of missing heartbeats, and of the ends of alarms about heartbeats that beat again or are not expected.

    `incidents`: the live ones of TYPE. Repeats of either event change nothing.
    """
    judged = {_incident_of(each.clock): each for each in watched}
    for key, each in judged.items():
        if each.life is Life.SILENT:
            yield AlertsReceived(key, OWN, (_alarm(key, each),))
    for incident in incidents:
        missing = judged.get(incident.key)
        if incident.is_firing and (missing is None or missing.life is Life.BEATS):
            yield AlertsReceived(incident.key, OWN, (_ended(incident.key, now),))


def _incident_of(clock: HeartbeatClock) -> str:
    identity = ("tocsin", "heartbeat")
    return incident_key(identity if clock.key == UNKNOWN else (*identity, clock.key))


KEY = incident_key(("tocsin", "heartbeat"))
"""Key of the incident about the UNKNOWN clock."""


def _fingerprint(key: str) -> str:
    return "tocsin-heartbeat" if key == KEY else f"tocsin-heartbeat-{key[:16]}"


def _alarm(key: str, watched: Watched) -> Alert:
    heard = (
        "Its last beat is in the alert's start" if watched.was_heard else "It has not been heard since Tocsin started"
    )
    return Alert(
        fingerprint=_fingerprint(key),
        # One alert per silence, which began with the last beat.
        starts_at=Instant(watched.since // 1000 * 1000),
        firing=True,
        level=EMERGENCY,
        rule=RULE,
        type=TYPE,
        labels={
            "alertname": "AlertingIsBlind",
            "incident_type": TYPE,
            "severity_level": str(EMERGENCY),
            "heartbeat_source": watched.clock.source,
            "heartbeat_name": watched.name,
        },
        annotations={
            "summary": f"Alerting is blind: the heartbeat of {watched.words} has stopped",
            "description": f"{heard}. No alert of this Prometheus can reach anybody until it is back. Look at "
            "Prometheus, its rules and its clock, at Alertmanager, and at the way from there to here. One that is gone "
            "for good is retired on the page Channels.",
        },
    )


def _ended(key: str, now: Instant) -> Alert:
    return Alert(
        fingerprint=_fingerprint(key),
        starts_at=now,
        firing=False,
        level=EMERGENCY,
        rule=RULE,
        type=TYPE,
        labels={},
        annotations={},
        ended_at=now,
    )
