"""Business impact: how numbers and words are graded, and what a grade does to the level."""

from dataclasses import replace

import pytest

from receiver.core.classify import Received, classify
from receiver.core.impact import grade, ungraded, worst
from receiver.core.model import Fact, Instant, Reason, State
from receiver.core.plan import PolicyVersion
from rules.impact_ranges import ranges
from rules.policy import ImpactScale, IncidentType
from rules.reserved import MARK
from tests.core.alerts import START, alert
from tests.core.guide import SCALES, WHOLE
from tests.core.world import World

REVENUE, CUSTOMERS = SCALES

GRADED = {
    "0": "low", "0.03": "low", "0.05": "low", "0.0501": "medium", "0.2": "medium", "0.3": "high", "30%": "high",
    "0.5": "high", "0.51": "critical", "51 %": "critical", "3": "critical", "1e-3": "low",
    "high": "high", "Critical ": "critical", ">50% revenue impact": "critical", "5-20% Revenue Impact": "medium",
    "-0.1": "", "nan": "", "inf": "", "": "", "quite bad": "", "%": "",
}  # fmt: skip


@pytest.mark.parametrize(("said", "expected"), GRADED.items(), ids=GRADED)
def test_a_value_is_placed_in_its_range(said, expected):
    """Ratios and percentages lie in the ranges, upper ends included; a grade or its words are taken too."""
    assert grade(REVENUE, said) == expected


def test_a_scale_of_words_takes_words_only():
    """Where the thresholds are words, a number means nothing."""
    assert grade(CUSTOMERS, "massive customer impact") == "critical"
    assert grade(CUSTOMERS, "0.7") == ""


def test_a_scale_of_plain_numbers_takes_plain_numbers():
    """``100-1,000 users`` grades 250; a percentage means nothing there. Where less is worse, 0 is the worst."""
    words = (("low", "0-100 users"), ("medium", "101-1,000 users"), ("high", "1,001-5,000"), ("critical", ">5,000"))
    users = ImpactScale("users", "", words, ranges(words))
    graded = {"0": "low", "100": "low", "101": "medium", "250": "medium", "1000": "medium", "9000": "critical"}
    assert {said: grade(users, said) for said in graded} == graded
    assert grade(users, "30%") == grade(users, "-1") == ""
    assert "or a number of 0 or more" in ungraded([users], {"users": "30%"})[0]
    words = (("low", ">90%"), ("medium", "70-90%"), ("high", "50-70%"), ("critical", "<50%"))
    available = ImpactScale("available", "", words, ranges(words))
    assert [grade(available, each) for each in ("1", "0.9", "65%", "0.2", "0")] == [
        "low", "medium", "high", "critical", "critical",
    ]  # fmt: skip


POLICY_VERSION = PolicyVersion.of(
    replace(WHOLE, incident_types=(IncidentType("x", "stoppage", 2, business_impact="high"),)), "digest"
)
CARRIED = {
    "an annotation": ({"severity": "warning"}, {"revenue_impact": "0.3"}, 3),
    "a label": ({"severity": "warning", "revenue_impact": "60%"}, {}, 4),
    "a compiled alert": ({"severity_level": "3"}, {MARK: "1", "revenue_impact": "0.7"}, 4),
    "a milder one": ({"severity_level": "4"}, {MARK: "1", "revenue_impact": "0.3"}, 4),
    "a low one": ({"severity": "warning"}, {"revenue_impact": "0.01"}, 2),
    "words": ({"severity": "warning"}, {"customer_impact": "Massive customer impact"}, 4),
    "nonsense": ({"severity": "warning"}, {"revenue_impact": "<no value>"}, 2),
    "its type's": ({"incident_type": "stoppage"}, {}, 3),
    "a business impact": ({"severity": "warning", "business_impact": "Critical"}, {}, 4),
    "a milder one than its type's": ({"incident_type": "stoppage", "business_impact": "low"}, {}, 3),
}


@pytest.mark.parametrize(("labels", "annotations", "level"), CARRIED.values(), ids=CARRIED)
def test_an_alerts_impact_raises_its_level_and_never_lowers_it(labels, annotations, level):
    """The level is that of the severity, or the one that the impact calls for, whichever is higher; it says why."""
    classified = classify(POLICY_VERSION, "", {}, Received(labels, annotations, "f", Instant(START)))
    assert classified.alert.level == level
    own = classify(
        replace_impacts(POLICY_VERSION), "", {}, Received(labels, annotations, "f", Instant(START))
    ).alert.level
    assert any("impact_raises" in why for why in classified.why) == (level > own)


def replace_impacts(policy_version: PolicyVersion) -> PolicyVersion:
    """The same policy, in which impacts raise nothing."""
    return PolicyVersion.of(replace(policy_version.policy, impact_raises=()), "other")


SEVERITIES = {2: "warning", 3: "critical", 4: "emergency"}


def fire(world: World, value: str, level: int = 2, name: str = "a") -> World:
    """An alert that carries the value, as the webhook would have classified it."""
    fired = alert(name, level, "Slow", starts_at=world.now)
    carried = {MARK: "1", "revenue_impact": value}
    received = Received({"alertname": "Slow", "severity": SEVERITIES[level]}, carried, name, fired.starts_at)
    world.receive(classify(world.current, "", {}, received).alert)
    return world


def test_the_grade_is_kept_with_a_line_that_says_why():
    """Incident and timeline have grade, value, the policy's words, and the level that they call for."""
    world = fire(World(WHOLE), "0.3")
    assert world.incident.level == 3
    assert worst(world.incident.response.impacts.values()) == "high"
    [entry] = world.entries(Fact.IMPACT)
    assert entry.data == {
        "scale": "revenue_impact", "said": "0.3", "grade": "high", "means": "20-50% revenue impact", "level": "3",
    }  # fmt: skip


def test_a_growing_impact_is_new_danger():
    """The same alert with a worse value raises the incident and voids the acknowledgement; a milder one is no news."""
    world = fire(World(WHOLE), "0.3")
    world.acknowledge()
    fire(world, "0.1")
    assert (world.incident.level, world.incident.state) == (3, State.ACKNOWLEDGED)
    fire(world, "0.6")
    assert (world.incident.level, world.incident.state) == (4, State.OPEN)
    assert world.pages()[-1][1] is Reason.NEW_DANGER
    assert [entry.data["grade"] for entry in world.entries(Fact.IMPACT)] == ["high", "critical"]


def test_a_responders_impact_raises_the_level():
    """Assessed as critical, the incident is an emergency; the timeline has the person and the reason."""
    world = World(WHOLE)
    world.fire("a", level=3)
    world.change("ada", revenue_impact="60%")
    assert world.incident.level == 4
    [graded], [*_, changed] = world.entries(Fact.IMPACT), world.entries(Fact.CHANGED)
    assert (graded.by, graded.data["grade"]) == ("ada", "critical")
    assert (changed.by, changed.data["field"], changed.data["value"]) == ("ada", "level", "4")


def test_an_assessed_impact_never_lowers_and_may_be_corrected():
    """A lower grade replaces what was said before, the level stays; who lowers it says so, with a reason."""
    world = World(WHOLE)
    world.fire("a", level=3)
    world.change("ada", revenue_impact="0.6")
    world.change("ada", revenue_impact="0.01")
    assert (world.incident.level, worst(world.incident.response.impacts.values())) == (4, "low")
    world.change("ada", level=2, reason="counted twice")
    assert world.incident.level == 2


def test_who_says_the_level_is_obeyed():
    """Level and impact in one assessment: the level is what the person says."""
    world = World(WHOLE)
    world.fire("a", level=3)
    world.change("ada", level=2, reason="a test shop", revenue_impact="0.6")
    assert world.incident.level == 2


def test_words_off_the_scale_stay_words():
    """A fact in free words is kept as it is, without a grade."""
    world = World(WHOLE)
    world.fire("a", level=2)
    world.change(revenue_impact="we are looking into it")
    assert world.incident.facts["revenue_impact"] == "we are looking into it"
    assert (world.incident.level, world.incident.response.impacts) == (2, {})


@pytest.mark.parametrize(("said", "level"), [(None, 3), (2, 2)])
def test_a_declared_type_begins_with_its_impact(said, level):
    """Its business impact sets the grade and raises the type's level, but not one that the person names."""
    stoppage = IncidentType("x", "stoppage", 2, business_impact="high")
    world = World(replace(WHOLE, incident_types=(stoppage,)))
    world.declare("stoppage", level=said)
    assert world.incident.level == level
    assert worst(world.incident.response.impacts.values()) == "high"


def test_a_policys_own_map_is_followed():
    """`impact_raises` says which grade calls for which level; without it for a grade, none."""
    world = fire(World(replace(WHOLE, impact_raises=(("high", 4),))), "0.3")
    assert world.incident.level == 4
    assert fire(World(replace(WHOLE, impact_raises=())), "0.9").incident.level == 2


UNKNOWN = {
    "a negative number": ({}, {"revenue_impact": "-0.1"}, "revenue_impact is '-0.1', which has no grade"),
    "a word of no scale": ({"customer_impact": "quite bad"}, {}, "customer_impact is 'quite bad', which has no grade"),
    "a business impact": ({"business_impact": "moderate"}, {}, "it is low, medium, high, critical"),
}


@pytest.mark.parametrize(("labels", "annotations", "sentence"), UNKNOWN.values(), ids=UNKNOWN)
def test_an_impact_that_no_scale_knows_is_noted(labels, annotations, sentence):
    """What an alert says of an impact, and cannot be graded, is counted as a repair and stands in the timeline."""
    world = World(WHOLE)
    received = Received({"alertname": "Slow", "severity": "warning", **labels}, annotations, "a", world.now)
    found = classify(world.current, "", {}, received).alert
    assert sentence in "; ".join(found.repairs)
    world.receive(found)
    [entry] = world.entries(Fact.ALERT_REPAIRED)
    assert sentence in entry.data["repairs"]


def test_a_responders_ungraded_impact_is_noted():
    """The words stay as a fact; the timeline says that they have no grade."""
    world = World(WHOLE)
    world.fire("a", level=2)
    world.change("ada", revenue_impact="-3")
    [entry] = world.entries(Fact.UNGRADED)
    assert (entry.by, world.incident.level) == ("ada", 2)
    assert "'-3'" in entry.data["why"]


def test_a_grades_own_alert_raises_the_level():
    """A grade has an alert of its own beside the rule's: the incident rises when it fires, acknowledged or not."""
    world = fire(World(WHOLE), "0.3", level=3)
    world.acknowledge()
    fire(world, "0.6", level=4, name="its grade's")
    assert (world.incident.level, world.incident.state) == (4, State.OPEN)
    assert world.pages()[-1][1] is Reason.NEW_DANGER


def test_a_milder_alert_takes_no_impact_back() -> None:
    """Of several alerts the worst impact counts, whichever came last; only a person says that it is less."""
    world = fire(fire(World(POLICY_VERSION.policy), "0.6"), "0.1", name="b")
    assert world.incident.response.impacts["revenue_impact"].grade == "critical"
    world.change(revenue_impact="0.1")
    assert world.incident.response.impacts["revenue_impact"].grade == "medium"
