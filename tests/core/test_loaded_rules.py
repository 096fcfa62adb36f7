"""Rules of another policy than the one in use are noticed, told, and after a while an incident; silence is nothing."""

from receiver.core.classify import Received
from receiver.core.loaded_rules import (
    FORGOTTEN_AFTER,
    KEY,
    MOST_DIGESTS,
    MOST_SOURCES,
    PATIENCE,
    LoadedRules,
    RulesVerdict,
    digests,
    tell,
    update,
)
from receiver.core.model import Instant, State
from rules.policy import MINUTE, SECOND
from rules.reserved import DIGEST, MARK, OTHER_RULES
from tests.core.alerts import START
from tests.core.world import World

OURS, THEIRS, THIRD = "0123456789abcdef", "fedcba9876543210", "1111111111111111"


class Watched:
    """What is known, as replicas look every ten seconds; times are minutes from the start."""

    def __init__(self, policy: str = OURS) -> None:
        self.now = START
        self.rules = LoadedRules()
        self.policies = {"a": policy}

    def look(self, **words: str) -> "Watched":
        """Each replica looks, the first with these words: digest by source (``_``: the empty one)."""
        heard = {source.strip("_"): {digest: self.now} for source, digest in words.items()}
        for replica, policy in self.policies.items():
            self.rules = update(self.rules, heard, replica, policy, self.now)
            heard = {}
        return self

    def beat(self, minutes: float, *heard: str, source: str = "_") -> "Watched":
        """A heartbeat every minute for so long, its digests by turns."""
        for beat in range(int(minutes)):
            self.look(**({source: heard[beat % len(heard)]} if heard else {}))
            for _ in range(6):
                self.now = Instant(self.now + 10 * SECOND)
                self.look()
        return self

    @property
    def verdict(self) -> RulesVerdict:
        return self.rules.verdict


def test_rules_of_the_policy_in_use_match() -> None:
    """The heartbeat's digest is the policy's: nothing to tell, and a missing incident ends."""
    watched = Watched().beat(20, OURS)
    assert watched.verdict is RulesVerdict.MATCH
    event = tell(watched.rules, watched.now)
    assert event is not None
    assert not event.alerts[0].firing


def test_nothing_heard_and_rules_without_a_digest_are_unknown() -> None:
    """An older Tocsin's rules carry no digest: that is unknown, and no incident however long."""
    assert Watched().beat(20).verdict is RulesVerdict.UNKNOWN
    watched = Watched().beat(20, "")
    assert watched.verdict is RulesVerdict.UNKNOWN
    assert not watched.rules.is_danger


def test_rules_of_another_policy_are_told_at_once_and_dangerous_after_ten_minutes() -> None:
    """While they may be on their way it is said only; ten minutes later it is an incident, and stays one."""
    watched = Watched().look(_=THEIRS)
    assert watched.verdict is RulesVerdict.OTHER
    watched.beat(10, THEIRS)
    assert tell(watched.rules, watched.now) is None
    watched.beat(1, THEIRS)
    assert watched.rules.is_danger
    assert watched.beat(60, THEIRS).rules.is_danger


def test_an_incident_of_level_three_opens_and_recovers() -> None:
    """One incident, of source tocsin; repeats change nothing; when the rules match again it recovers by itself."""
    world, watched = World(), Watched().beat(12, THEIRS)

    def told() -> None:
        event = tell(watched.rules, world.now)
        assert event is not None
        world.decide(event)

    told()
    incident = world.incident
    assert (incident.key, incident.type, incident.level, incident.source) == (KEY, OTHER_RULES, 3, "tocsin")
    watched.beat(30, THEIRS)
    told()
    assert world.incident.version == incident.version
    watched.beat(6, OURS)
    told()
    assert not world.incident.is_firing
    world.advance(10)
    assert world.incident.state is State.RESOLVED


def test_a_new_policy_waits_for_its_rules() -> None:
    """Tocsin first, then the rules: between the two it is told, and no incident if they come within ten minutes."""
    watched = Watched().beat(60, OURS)
    watched.policies = {"a": THEIRS}
    watched.look()
    assert watched.verdict is RulesVerdict.UNKNOWN  # what was heard before the change proves nothing
    assert watched.beat(8, OURS).verdict is RulesVerdict.OTHER
    watched.beat(6, THEIRS)
    assert watched.verdict is RulesVerdict.MATCH
    assert watched.rules.since is None


def test_rules_that_never_come_are_an_incident() -> None:
    """A policy whose rules no Prometheus loads is found out, although the old rules match the old policy."""
    watched = Watched().beat(60, OURS)
    watched.policies = {"a": THEIRS}
    assert watched.beat(12, OURS).rules.is_danger


def test_going_back_to_the_old_policy_ends_it_at_once() -> None:
    """The policy that the rules are of is in use again."""
    watched = Watched().beat(12, THEIRS)
    watched.policies = {"a": THEIRS}
    assert watched.look().verdict is RulesVerdict.MATCH


def test_a_pair_of_prometheuses_that_differ_is_no_flapping() -> None:
    """Alertmanager tells by turns what either says: there are other rules all the time, not from time to time."""
    watched = Watched()
    for _ in range(15):
        watched.beat(2, OURS, THEIRS)
        assert watched.verdict is RulesVerdict.OTHER
    assert watched.rules.is_danger
    assert watched.beat(6, OURS).verdict is RulesVerdict.MATCH


def test_each_source_counts() -> None:
    """One source with the right rules does not hide another with the wrong ones."""
    watched = Watched()
    for _ in range(12):
        watched.look(eu=OURS, us=THEIRS).beat(1)
    assert watched.rules.is_danger
    event = tell(watched.rules, watched.now)
    assert event is not None
    assert "us" in event.alerts[0].annotations["description"]


def test_replicas_come_to_one_answer() -> None:
    """While two replicas use different policies, no rules are those of both: neither says that all is well."""
    watched = Watched()
    watched.policies = {"a": OURS, "b": THEIRS}
    watched.beat(12, OURS)
    assert watched.rules.is_danger
    watched.policies = {"b": THEIRS, "a": THEIRS}
    assert watched.beat(6, THEIRS).verdict is RulesVerdict.MATCH


def test_a_replica_that_ended_has_no_say() -> None:
    """A minute after its last word a replica's policy is not in use any more."""
    watched = Watched()
    watched.policies = {"a": OURS, "b": THEIRS}
    watched.beat(2, OURS)
    watched.policies = {"a": OURS}
    assert watched.beat(2, OURS).verdict is RulesVerdict.MATCH


def test_a_restart_begins_nothing_anew() -> None:
    """What is known outlives the process: since when the rules are others, too."""
    watched = Watched().beat(6, THEIRS)
    since = watched.rules.since
    watched.policies = {"another process": OURS}
    watched.beat(6, THEIRS)
    assert watched.rules.since == since
    assert watched.rules.is_danger


def test_silence_is_no_word() -> None:
    """Rules heard of once are no incident by waiting; after hours without a word nothing is known of a source."""
    watched = Watched().look(_=THEIRS).beat(PATIENCE // MINUTE + 5)
    assert watched.verdict is RulesVerdict.OTHER
    assert not watched.rules.is_danger
    assert watched.beat(FORGOTTEN_AFTER // MINUTE).verdict is RulesVerdict.UNKNOWN


def test_alerts_without_a_heartbeat_are_enough() -> None:
    """Where no heartbeat is compiled, an alert that is repeated within hours is a word, too."""
    watched = Watched().look(_=THEIRS).beat(59).look(_=THEIRS)
    assert watched.rules.is_danger
    assert watched.look(_=OURS).beat(6).look(_=OURS).verdict is RulesVerdict.MATCH


def test_what_senders_say_is_bounded() -> None:
    """However many sources and digests are made up, the record stays small."""
    watched = Watched()
    many = {f"s{number}": {f"{each:016x}": watched.now for each in range(100)} for number in range(100)}
    rules = update(watched.rules, many, "a", OURS, watched.now)
    assert len(rules.heard) == MOST_SOURCES
    assert {len(each) for each in rules.heard.values()} == {MOST_DIGESTS}


def alert(annotations: dict[str, str], ended: bool = False, **labels: str) -> Received:
    return Received(labels, annotations, "f", START, START if ended else None)


def test_only_our_alerts_that_fire_speak_of_rules() -> None:
    """Marked ones with their digest; an older Tocsin's as unknown; strangers, and what is over, say nothing."""
    policy_version = World().current
    known = {"section": "incident_response", "rule": "slo_violation"}
    assert digests(policy_version, [alert({MARK: "1", DIGEST: OURS}, alertname="X")]) == {OURS}
    assert digests(policy_version, [alert({MARK: "1"}, alertname="X")]) == {""}
    assert digests(policy_version, [alert({}, **known)]) == {""}
    assert digests(policy_version, [alert({}, alertname="TocsinHeartbeat")]) == {""}
    assert digests(policy_version, [alert({DIGEST: OURS}, alertname="X"), alert({}, alertname="Watchdog")]) == set()
    assert digests(policy_version, [alert({MARK: "1", DIGEST: OURS}, ended=True, alertname="X")]) == set()
