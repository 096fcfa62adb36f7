"""Heartbeats as Alertmanagers list them: newer evaluations count, once it is proved whose they are."""

import pytest

from receiver.core.classify import Received
from receiver.core.heartbeat import Beat, HeartbeatClock, Life, hear, read, watch
from receiver.core.listed_heartbeats import newer_beats
from receiver.core.model import Instant
from receiver.core.reconcile import Listed, Listing
from rules.policy import MINUTE, SECOND
from tests.core.alerts import START
from tests.core.guide import POLICY

LABELS = {"alertname": "TocsinHeartbeat", "severity": "none"}


def heartbeat(age: int = 0, says: bool = True, **labels: str) -> Received:
    """One that was evaluated so long before the start; negative: after it."""
    annotations = {"evaluated_at": f"{(START - age) / SECOND:.3f}"} if says else {}
    return Received({**LABELS, **labels}, annotations, f"f{labels}", Instant(START - 1000 * MINUTE))


def listing(*alerts: Received) -> Listing:
    """What an Alertmanager lists; none of it need be routed to us."""
    return Listing(Instant(0), tuple(Listed(each, ("other",), active=True) for each in alerts))


def heard(age: int = 0, source: str = "", **labels: str) -> HeartbeatClock:
    """The clock of a heartbeat that a webhook told."""
    clock = hear(None, read(heartbeat(age, **labels), source, POLICY, Instant(START)))
    assert clock is not None
    return clock


def after(minutes: int) -> Instant:
    """So long after the start."""
    return Instant(START + minutes * MINUTE)


PROVED = newer_beats(POLICY, [heard()], {}, [listing(heartbeat())] * 2, frozenset(), Instant(START))[1]
"""Two peers have listed what was heard."""


def test_a_peer_that_keeps_still_is_heard_all_the_same() -> None:
    """One peer lost Prometheus and repeats its last evaluation; the other lists a newer one: the source is not blind."""
    listings = [listing(heartbeat()), listing(heartbeat(age=-3 * MINUTE))]
    (beat,), _ = newer_beats(POLICY, [heard()], {}, listings, PROVED, after(4))
    assert beat == Beat("", LABELS, "f{}", after(3), after(4))
    clock = hear(heard(), beat)
    assert [each.life for each in watch(filter(None, [clock]), POLICY, Instant(0), after(4))] == [Life.BEATS]
    assert [each.life for each in watch([heard()], POLICY, Instant(0), after(4))] == [Life.SILENT], "by webhooks alone"


@pytest.mark.parametrize(
    "listed",
    [
        pytest.param(heartbeat(), id="what was heard already"),
        pytest.param(heartbeat(age=MINUTE), id="an older one"),
        pytest.param(heartbeat(says=False), id="one that does not say when: it is listed for minutes after its end"),
        pytest.param(heartbeat(age=-3 * MINUTE, cluster="other"), id="one that no webhook made known"),
    ],
)
def test_what_proves_no_life(listed: Received) -> None:
    """A dead Prometheus' heartbeat is listed for minutes: only a newer evaluation of a known clock is a beat."""
    assert newer_beats(POLICY, [heard()], {}, [listing(listed), None], PROVED, after(4))[0] == []


BEGAN = Instant(START - 1000 * MINUTE)


@pytest.mark.parametrize(("began", "beats"), [(BEGAN, 1), (BEGAN + 999, 1), (BEGAN + 1000, 0), (None, 0)])
def test_the_start_that_a_webhook_told_proves_whose_it_is(began: Instant | None, beats: int) -> None:
    """A look seldom meets the very evaluation that was told; the start stays, to the millisecond that lists tell."""
    begins = {} if began is None else {heard().key: began}
    listings = [None, listing(heartbeat(age=-3 * MINUTE))]
    assert len(newer_beats(POLICY, [heard()], begins, listings, frozenset(), after(4))[0]) == beats


def test_another_clusters_heartbeat_is_not_taken_for_it() -> None:
    """Two clusters with the same labels: the one that was never listed with what was heard does not mask the other."""
    eu, us = heard(source="eu"), heard(age=7 * SECOND, source="us")
    _, proved = newer_beats(POLICY, [eu, us], {}, [listing(heartbeat(age=7 * SECOND))], frozenset(), Instant(START))
    beats, _ = newer_beats(POLICY, [eu, us], {}, [listing(heartbeat(age=-2 * MINUTE))], proved, after(3))
    assert [each.source for each in beats] == ["us"]


def test_replicas_count_as_one_and_what_is_retired_stays_so() -> None:
    """A replica's newer evaluation is the source's; a clock that a person retired is not brought back by a listing."""
    clock = heard(replica="a")
    _, proved = newer_beats(POLICY, [clock], {}, [listing(heartbeat(replica="a"))], frozenset(), Instant(START))
    newer = [listing(heartbeat(age=-2 * MINUTE, replica="b"))]
    assert len(newer_beats(POLICY, [clock], {}, newer, proved, after(3))[0]) == 1
    retired = HeartbeatClock(clock.key, "", LABELS, clock.evaluated_at, clock.heard_at, retired_at=Instant(START))
    assert newer_beats(POLICY, [retired], {}, newer, proved, after(3)) == ([], frozenset())
