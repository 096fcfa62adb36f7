"""Heartbeats: one clock for each source and label set, set by the evaluation; silence is an emergency like any other."""

from dataclasses import replace

import pytest

from receiver.core.classify import Received, is_heartbeat, is_sign_of_life, is_watchdog, sort
from receiver.core.heartbeat import (
    ANSWER_WITHIN,
    KEY,
    RETIRED_FOR,
    TYPE,
    UNKNOWN,
    HeartbeatClock,
    Life,
    ages,
    alarms,
    hear,
    read,
    sight,
    watch,
)
from receiver.core.model import Instant, State
from receiver.core.plan import PolicyVersion
from receiver.core.sight import ANY
from rules.matchers import parse
from rules.policy import MINUTE, SECOND, Heartbeat, Micros
from rules.reserved import MARK
from tests.core.alerts import SLO, START
from tests.core.guide import POLICY
from tests.core.world import World

WITHIN = 150 * SECOND
LONG_AGO = Instant(START - 3600 * SECOND)
OURS = {"alertname": "TocsinHeartbeat", "heartbeat": "true", "severity": "none", "cluster": "eu"}
NAMED = replace(
    POLICY,
    heartbeats=(Heartbeat("platform", parse('alertname="Watchdog",cluster=~"eu|us"'), Micros(10 * MINUTE), "kube"),),
)


def beat(age=0, heard=START, source="", ended=False, policy=POLICY, says=True, **labels):
    """A heartbeat, evaluated `age` microseconds before it was heard."""
    at = Instant(heard - age)
    annotations = {"evaluated_at": f"{at / SECOND:.3f}"} if says and not ended else {}
    all_labels = OURS | labels
    fingerprint = "/".join(f"{name}={value}" for name, value in sorted(all_labels.items()))
    received = Received(all_labels, annotations, fingerprint, LONG_AGO, at if ended else None)
    return read(received, source, policy, heard)


def heard(*beats):
    """The clocks after these beats."""
    clocks = {}
    for each in beats:
        if after := hear(clocks.get(each.key), each):
            clocks[each.key] = after
    return list(clocks.values())


def lives(clocks, now, began=LONG_AGO, policy=POLICY):
    """Source → how its heartbeat stands."""
    return {each.clock.source: each.life for each in watch(clocks, policy, began, now)}


def test_a_beat_counts_as_of_its_evaluation():
    """Alertmanager repeats for minutes what a dead Prometheus said: it is the evaluation that must be young."""
    clocks = heard(beat(age=100 * SECOND), beat(age=140 * SECOND, heard=Instant(START + 40 * SECOND)))
    assert lives(clocks, Instant(START + 50 * SECOND)) == {"": Life.BEATS}
    assert lives(clocks, Instant(START + 50 * SECOND + 1)) == {"": Life.SILENT}


@pytest.mark.parametrize("text", ["", "soon", "nan", "inf", "-5", "1e99", "1.7e+12"])
def test_what_does_not_say_when_counts_by_its_arrival(text):
    """Rules of an older Tocsin have no evaluation time; nonsense, and a time in the future, are none."""
    received = Received(OURS, {"evaluated_at": text}, "a", LONG_AGO)
    assert read(received, "", POLICY, START).at == START
    clocks = heard(read(received, "", POLICY, START))
    assert lives(clocks, Instant(START + WITHIN)) == {"": Life.BEATS}


def test_one_source_neither_masks_nor_poisons_another():
    """Of two sources one falls silent: that one is blind, with an incident that says which; the other is well."""
    later = Instant(START + 4 * MINUTE)
    clocks = heard(beat(source="eu"), beat(source="us"), beat(source="us", heard=later))
    watched = watch(clocks, POLICY, LONG_AGO, later)
    seen = sight(watched)
    assert (seen.is_blind("eu"), seen.is_blind("us"), seen.is_blind("tocsin")) == (True, False, False)
    assert ages(watched, later) == {"eu": 240, "us": 0}
    world = World()
    world.now = later
    (alarm,) = alarms(watched, (), later)
    world.decide(alarm)
    assert "source eu" in world.incident.title
    assert (world.incident.type, world.incident.level, world.incident.state) == (TYPE, 4, State.OPEN)


def test_two_label_sets_are_two_clocks_and_two_replicas_are_one():
    """Two clusters behind one Alertmanager are told apart; two replicas of one Prometheus are one clock."""
    assert len(heard(beat(cluster="eu"), beat(cluster="us"))) == 2
    assert len(heard(beat(prometheus_replica="a"), beat(prometheus_replica="b"), beat(replica="c"))) == 1
    policy = replace(POLICY, replica_labels=("pod",))
    assert len(heard(beat(policy=policy, pod="a"), beat(policy=policy, pod="b"))) == 1
    assert len(heard(beat(policy=policy, replica="a"), beat(policy=policy, replica="b"))) == 2


def test_a_resolved_heartbeat_is_silence_unless_a_beat_follows():
    """Resolved, it is waited for as long as another replica's repeat takes; then it is silence, however young."""
    clocks = heard(beat(), beat(ended=True, heard=Instant(START + SECOND)))
    resolved = START + SECOND
    assert lives(clocks, Instant(resolved + ANSWER_WITHIN)) == {"": Life.WAITS}
    assert lives(clocks, Instant(resolved + ANSWER_WITHIN + 1)) == {"": Life.SILENT}
    replica = beat(age=20 * SECOND, heard=Instant(START + 30 * SECOND), prometheus_replica="b")
    (clock,) = clocks
    assert lives([hear(clock, replica)], Instant(resolved + ANSWER_WITHIN + 1)) == {"": Life.BEATS}


def test_a_slower_peer_does_not_answer_a_resolve():
    """The same alert with no newer evaluation, heard after its resolve, is an old snapshot."""
    first, end = beat(), beat(ended=True, heard=Instant(START + SECOND))
    (clock,) = heard(first, end)
    assert hear(clock, beat(age=15 * SECOND, heard=Instant(START + 15 * SECOND))) is None
    assert hear(clock, beat(heard=Instant(START + 30 * SECOND))).ended_at is None


def test_a_resolve_from_before_the_newest_beat_changes_nothing():
    """A peer's late word of an end that a younger evaluation has overtaken is not believed."""
    (clock,) = heard(beat(heard=Instant(START + MINUTE)))
    assert hear(clock, beat(ended=True, age=90 * SECOND, heard=Instant(START + 61 * SECOND))) is None
    assert hear(None, beat(ended=True)) is None


def test_a_restart_grants_the_time_in_which_nobody_could_hear():
    """After a downtime a heartbeat is waited for as long as it may be missing; meanwhile it proves nothing."""
    clocks = heard(beat())
    began = Instant(START + 3600 * SECOND)
    watched = watch(clocks, POLICY, began, Instant(began + WITHIN))
    assert [each.life for each in watched] == [Life.WAITS]
    assert not sight(watched).has_beaten_since("", Instant(began - 1))
    assert lives(clocks, Instant(began + WITHIN + 1), began) == {"": Life.SILENT}


def test_a_named_heartbeat_is_expected_from_the_start():
    """What the policy names is missed although it never was heard, by its own limit; its source is blind."""
    assert lives([], Instant(START + 10 * MINUTE), START, NAMED) == {"kube": Life.WAITS}
    watched = watch([], NAMED, START, Instant(START + 10 * MINUTE + 1))
    assert [each.life for each in watched] == [Life.SILENT]
    assert sight(watched).is_blind("kube")
    assert not sight(watched).is_blind("")
    (alarm,) = alarms(watched, (), START)
    assert "platform" in alarm.alerts[0].annotations["summary"]


def test_a_named_heartbeat_that_was_heard_is_its_own_clock():
    """Heard, each label set that the matchers take is a clock; one that falls silent is not hidden by the other."""
    kube = {"source": "kube", "policy": NAMED, "alertname": "Watchdog", "says": False}
    later = Instant(START + 11 * MINUTE)
    clocks = heard(beat(cluster="eu", **kube), beat(cluster="us", **kube), beat(cluster="us", **kube, heard=later))
    watched = watch(clocks, NAMED, LONG_AGO, later)
    assert {each.clock.labels["cluster"]: each.life for each in watched} == {"eu": Life.SILENT, "us": Life.BEATS}
    assert {each.name for each in watched} == {"platform"}


@pytest.mark.parametrize(
    ("labels", "policy", "source", "heartbeat", "watchdog"),
    [
        (OURS, POLICY, "", True, False),
        ({"alertname": "Watchdog"}, POLICY, "kube", False, True),
        ({"alertname": "Watchdog", "cluster": "eu"}, NAMED, "kube", True, True),
        ({"alertname": "Watchdog", "cluster": "eu"}, NAMED, "other", False, True),
        ({"alertname": "Watchdog", "section": "infra"}, POLICY, "", False, True),
        ({"alertname": "Watchdog", "section": "infra", "rule": "watchdog"}, POLICY, "", False, True),
        ({"alertname": "Watchdog", "cluster": "eu", "section": "infra", "rule": "dog"}, NAMED, "kube", True, True),
        ({"alertname": "ServiceDown", "heartbeat": "true"}, POLICY, "", False, False),
    ],
)
def test_what_is_a_heartbeat(labels, policy, source, heartbeat, watchdog):
    """Ours and those that the policy names; a stranger's labels make none, and unmake none."""
    assert is_heartbeat(policy, source, labels) is heartbeat
    assert is_watchdog(labels) is watchdog
    events = sort(PolicyVersion.of(policy, ""), source, {}, [Received(labels, {}, "a", START)])
    assert bool(events) is not (heartbeat or watchdog)


@pytest.mark.parametrize("annotations", [{MARK: "1"}, {}], ids=["marked", "of an older Tocsin"])
def test_a_rule_of_the_policy_is_no_sign_of_life(annotations):
    """A rule of the policy pages, also when its alert has a heartbeat's name or labels that a heartbeat matches."""
    section, rule = SLO.split("/")
    everything = replace(POLICY, heartbeats=(Heartbeat("all", parse('severity!="x"'), Micros(10 * MINUTE), None),))
    for policy, name in ((everything, "SloViolation"), (POLICY, "Watchdog")):
        labels = {"alertname": name, "section": section, "rule": rule, "severity_level": "3"}
        received = Received(labels, annotations, "a", START)
        assert sort(PolicyVersion.of(policy, ""), "", {}, [received])
        assert not is_sign_of_life(PolicyVersion.of(policy, ""), "", received)


def test_a_foreign_watchdog_arms_nothing():
    """A watchdog that the policy does not name is no clock, also where an earlier policy named it."""
    clocks = heard(beat(source="kube", alertname="Watchdog", says=False))
    assert watch(clocks, POLICY, LONG_AGO, Instant(START + 3600 * SECOND)) == ()


def test_a_retired_heartbeat_is_not_expected_until_it_beats_anew():
    """Retired by a person, what Alertmanager still repeats does not bring it back; a later evaluation does."""
    (clock,) = heard(beat())
    clock = HeartbeatClock(**{name: getattr(clock, name) for name in clock.__struct_fields__} | {"retired_at": START})
    assert watch([clock], POLICY, LONG_AGO, Instant(START + 3600 * SECOND)) == ()
    assert hear(clock, beat(age=MINUTE, heard=Instant(START + RETIRED_FOR))) is None
    again = hear(clock, beat(heard=Instant(START + RETIRED_FOR + SECOND)))
    assert again is not None
    assert again.retired_at is None


def test_repeats_of_an_alarm_change_nothing_and_a_beat_ends_it():
    """Each look tells of the silence again and opens one incident; when it beats the alert ends, a person confirms."""
    world = World()
    silent = Instant(START + WITHIN + 1)
    world.now = silent
    clocks = heard(beat())
    for event in alarms(watch(clocks, POLICY, LONG_AGO, silent), (), silent):
        world.decide(event)
    version = world.incident.version
    later = Instant(silent + MINUTE)
    for event in alarms(watch(clocks, POLICY, LONG_AGO, later), [world.incident], later):
        world.decide(event)
    assert world.incident.version == version
    world.now = later
    back = heard(beat(), beat(heard=later))
    for event in alarms(watch(back, POLICY, LONG_AGO, later), [world.incident], later):
        world.decide(event)
    assert not world.incident.is_firing
    assert world.incident.state is State.OPEN


def test_a_replica_that_just_started_does_not_end_an_alarm():
    """Only a beat ends it, or a person's word that it is gone: not a replica that has heard nothing yet."""
    world = World()
    silent = Instant(START + WITHIN + 1)
    world.now = silent
    clocks = heard(beat())
    for event in alarms(watch(clocks, POLICY, LONG_AGO, silent), (), silent):
        world.decide(event)
    assert list(alarms(watch(clocks, POLICY, silent, silent), [world.incident], silent)) == []
    assert len(list(alarms((), [world.incident], silent))) == 1


def test_what_an_older_release_knew_goes_on():
    """A clock without a known source is a heartbeat of any source: its open incident stays the same one."""
    old = HeartbeatClock(UNKNOWN, "", {}, START, START)
    silent = Instant(START + WITHIN + 1)
    watched = watch([old], POLICY, LONG_AGO, silent)
    assert sight(watched).blind == {ANY}
    assert sight(watched).is_blind("whoever")
    (alarm,) = alarms(watched, (), silent)
    assert (alarm.key, alarm.alerts[0].fingerprint) == (KEY, "tocsin-heartbeat")
