"""The simulation notices: each planted bug breaks the promise it must break, within a few worlds."""

from typing import Any

import pytest

from tests.faults import bugs, lies
from tests.faults.world import PromiseError, World

WITHIN = 300
"""Worlds in which a bug must show."""

PLANTED: list[tuple[str, dict[str, Any], str]] = [
    ("the outbox is not in the transaction", {"store": bugs.skips_outbox}, "not in the outbox"),
    ("notes are not kept", {"store": bugs.loses_timeline}, "is not what was committed"),
    ("leases are dropped", {"store": bugs.drops_leases}, "sent twice at once|is sent although"),
    ("the lease is not looked at again", {"engine": bugs.NeverLooksAgain}, "is sent although|overtaken|twice at once"),
    ("messages overtake each other", {"store": bugs.ignores_order}, "overtaken on"),
    (
        "failed commits count",
        {"store": bugs.believes_failed_commits},
        "no incident knows|in the store|committed|early|outbox|twice|gaps|changed again",
    ),
    ("windows are forgotten at a restart", {"on_restart": bugs.forget_windows}, "was forgotten|never closed"),
    ("the key changes at a restart", {"on_restart": bugs.rename_installation}, "with another key"),
    ("windows fire early", {"engine": bugs.Early}, "fired early|back in time"),
    ("an acknowledgement swallows new danger", {"engine": bugs.Swallows}, "no incident knows|swallowed"),
    (
        "a silence outlasts what it is for",
        {"engine": bugs.Oversleeps},
        "stays silenced|is silenced, and pages|no longer counts as silenced",
    ),
    ("new danger is only noted", {"engine": bugs.Mutters}, "swallowed|stays open|paged on .* \\(worse\\)"),
    ("echoes are believed at once", {"engine": bugs.BelievesEchoes}, "may be an echo, and was believed|stays open"),
    (
        "what is held is never believed",
        {"engine": bugs.Forgets, "since": 14},
        "was held as a possible echo and dropped|stays open",
    ),
    ("the end of a late echo ends nothing", {"engine": bugs.Trusts}, "stays open"),
    ("an alert is in two incidents", {"engine": bugs.Divides}, "no incident knows|stays open"),
    ("alerts that share a fingerprint are one", {"engine": bugs.TakesForOne}, "no incident knows|stays open"),
    ("one alert's end ends another", {"engine": bugs.EndsAnother}, "no incident knows|stays open|fired and cleared"),
    ("flapping is told to nobody", {"engine": bugs.Shrugs}, "swallowed|cleared; still firing"),
    ("a missing heartbeat proves the recovery", {"engine": bugs.IgnoresBlindness}, "unverified recovery"),
    ("a page is given up silently", {"engine": bugs.GivesUpSilently}, "no fallback was told|left at that"),
    ("Slack's ok ends the rescue", {"engine": bugs.Credulous}, "its page woke nobody"),
    ("who acknowledged is forgotten", {"engine": bugs.Amnesia}, "says 'nobody has acknowledged"),
    (
        "an answer is not taken for one",
        {"engine": bugs.Believes},
        "says 'no (other )?answer yet|says 'help wanted|asked for help at 1 jan|says 'it: acknowledge again|was forgotten",
    ),
    ("a lie about who has it", {"lie": lies.OfResponders()}, r"\(responders\), and it is not so"),
    ("a lie about the deadline", {"lie": lies.OfDeadlines()}, r"\(deadlines\), and it is not so"),
    ("a lie about a page's reach", {"lie": lies.OfDelivery()}, r"reached nobody yet.* \(delivery\), and it is not so"),
    ("a lie about the recovery", {"lie": lies.OfRecovery()}, r"\(recovery\), and it is not so"),
    ("a lie about which unit fires", {"lie": lies.OfUnits()}, r"key0.z.* \(recovery\), and it is not so"),
    ("a lie about the value", {"lie": lies.OfValues()}, r"-1.* \(recovery\), and it is not so|no predicate reads.*-1"),
    ("a lie about the cause", {"lie": lies.OfCause()}, r"\(cause\), and it is not so"),
    ("a lie about who is paged", {"lie": lies.OfWhoWasPaged()}, r"\(recovery\), and it is|\(told\), and it is not so"),
    ("a lie in the timeline", {"lie": lies.OfTheTimeline()}, "the timeline says '.* delivered by .* is not so"),
    ("a lie in the report", {"lie": lies.OfTheReport()}, "deadlines.*, and it is not so|tells a line that"),
    ("a lie about a message's fate", {"lie": lies.OfFates()}, r"delivered.* \(delivery\), and it is not so"),
    ("a lie about how many", {"lie": lies.OfSeveral()}, "says 't . incidents.* .bundles: how many they are"),
    ("a lie in a list", {"lie": lies.OfLists()}, "a list says .* .lists: how many there are"),
    ("a lie to whoever acts", {"lie": lies.OfReplies()}, r"answers .* by dana.* \(replies\), and it is not so"),
    ("a lie in a shell", {"lie": lies.OfTheShell()}, r"says 'owner: dana' .responders., and it is not so"),
    ("a lie in a shell's list", {"lie": lies.OfShellLists()}, "a list says .*dana.* .lists: who has it"),
    ("a lie about the system", {"lie": lies.OfSystems()}, "is about 'moon' .* .systems."),
    ("a lie about a report's versions", {"lie": lies.OfApprovals()}, "dana.* .lists: which versions are approved"),
    ("a lie about a period", {"lie": lies.OfPeriods()}, "response time kept: .* .periods: .*, and it is not so"),
    ("a lie about a drill", {"lie": lies.OfDrills()}, "dana.* .periods: who took part"),
    ("a lie in a medium's form", {"lie": lies.OfForms()}, r"says severity 'info' \(forms\)"),
    ("an all-clear to a stranger", {"engine": bugs.TellsStrangers}, "who never heard that it began"),
    ("missed steps are not recorded", {"engine": bugs.SkipsSilently}, "steps taken or missed"),
    *(
        (name, {"on_call": True, "since": since, **planted}, expected)
        for since, name, planted, expected in (
            (
                0,
                "who is on call is looked up once",
                {"engine": bugs.Outdated},
                "are not on call|is on call|it is not so|: not by .*, but by",
            ),
            (12, "a cancelled override holds", {"engine": bugs.KeepsCancelled}, "not by override"),
            (12, "whom a deleted person relieved is paged", {"engine": bugs.PagesTheRelieved}, "are not on call, "),
            (5, "a page leaves after the shift", {"engine": bugs.SendsLate}, "are not on call any more"),
            (
                0,
                "who comes on call is not paged",
                {"engine": bugs.LeavesTheShift},
                "on call now, and paged .* is not so",
            ),
            (0, "a wish takes away what wakes", {"engine": bugs.Hushes}, "does not wake them|and is not told"),
            (0, "somebody is spared the breach", {"engine": bugs.Spares}, "is on call by .*, and is not told"),
            (0, "nobody on call is not said", {"engine": bugs.StaysSilent}, "and that is not said"),
            (0, "who is named twice is told twice", {"engine": bugs.Repeats}, "is told twice of page"),
            (
                0,
                "a lie about a handoff",
                {"lie": lies.OfHandoffs()},
                r"you are on call now' \(on call\), and it is not so",
            ),
            (0, "a lie about a gap", {"lie": lies.OfVacancies()}, "nobody is on call for .* is not so"),
            (0, "a lie about who came on call", {"lie": lies.OfShifts()}, "on call now, .* edna' .* is not so"),
            (5, "a lie about where a page goes", {"lie": lies.OfReliefs()}, "it goes to .* is not so"),
            (0, "a lie about a wish", {"lie": lies.OfWishes()}, r"paged on .*no answer yet.* is not so"),
            (
                0,
                "a lie to whoever comes on call",
                {"lie": lies.OfHandoffMessages()},
                "by override by zoe .*shifts: .* it is not so",
            ),
            (
                0,
                "a lie about what is open",
                {"lie": lies.OfWhatIsOpen()},
                "nobody has it.*shifts: how bad it is, and who",
            ),
            (0, "a lie about a schedule", {"lie": lies.OfRosters()}, "shifts: that .* is on call now"),
            (0, "a lie about a contact", {"lie": lies.OfContacts()}, "shifts: how the last message fared"),
            (
                0,
                "a lie about who was told",
                {"lie": lies.OfWhoWasTold()},
                r"who was told.* \(delivery\), and it is not so",
            ),
        )
    ),
]


def live(planted: dict[str, Any]) -> None:
    """World after world; `since`: in those before it nothing shows, and that takes time to see."""
    first = planted.get("since", 0)
    for seed in range(first, first + WITHIN):
        World(seed, **{name: what for name, what in planted.items() if name != "since"}).run()


@pytest.mark.parametrize(("planted", "expected"), [each[1:] for each in PLANTED], ids=[each[0] for each in PLANTED])
def test_planted_bugs_are_noticed(planted: dict[str, Any], expected: str) -> None:
    """Each planted bug fails the build, with the story of how."""
    with pytest.raises(PromiseError, match=expected) as noticed:
        live(planted)
    assert "the same again: TOCSIN_SEED=" in str(noticed.value)
