"""Who is paged when: the opening, the steps, the breach, empty steps, downtime."""

from dataclasses import replace

import pytest

from receiver.core.model import Fact, Kind, Reason, State, Status, Window
from rules.policy import HOUR, MINUTE, Micros
from tests.core.alerts import START, alert
from tests.core.guide import ALL, POLICY, with_channel, with_level
from tests.core.world import World

O, E, B, R = Reason.OPENED, Reason.ESCALATED, Reason.BREACHED, Reason.REPEATED  # noqa: E741 - columns of a table

STEPS = {
    "level 1: e-mail, then level 2's, then everyone": (
        1,
        [
            (0, O, "email"),
            (720, E, "email slack"),
            (1440, B, "email slack pagerduty sms"),
            (2160, R, "email slack pagerduty sms"),
        ],
    ),
    "level 2: e-mail and slack, then level 3's, then everyone": (
        2,
        [
            (0, O, "email slack"),
            (120, E, "email slack pagerduty"),
            (240, B, "email slack pagerduty sms"),
            (360, R, "email slack pagerduty sms"),
        ],
    ),
    "level 3: the rule's, then level 4's, repeated": (
        3,
        [
            (0, O, "email slack pagerduty"),
            (30, E, "email slack pagerduty sms"),
            (60, B, "email slack pagerduty sms"),
            (90, R, "email slack pagerduty sms"),
            (120, R, "email slack pagerduty sms"),
        ],
    ),
    "level 4: 0, E, R, R+E, R+2E": (
        4,
        [
            (minute, reason, "email slack pagerduty sms")
            for minute, reason in ((0, O), (5, E), (15, B), (20, R), (25, R))
        ],
    ),
}


@pytest.mark.parametrize(("level", "steps"), STEPS.values(), ids=STEPS)
def test_unacknowledged_incidents_page_at_their_steps(level, steps):
    """Each level pages its channels at 0, E, R, R+E, R+2E … while unacknowledged."""
    world = World()
    world.fire("a", level=level)
    world.advance(minutes=steps[-1][0])
    assert world.pages() == steps


LEVEL_3 = {
    "E before R": (30, 60, [0, 30, 60, 90, 120]),
    "2 E before R waits for R": (10, 60, [0, 10, 60, 70, 80, 90, 100, 110, 120]),
    "E equals R: the breach only": (60, 60, [0, 60, 120]),
    "E after R: no escalation before the breach": (90, 60, [0, 60, 150]),
}


@pytest.mark.parametrize(("escalation", "response", "minutes"), LEVEL_3.values(), ids=LEVEL_3)
def test_steps_follow_the_levels_times(escalation, response, minutes):
    """The steps are at 0, E if it is before R, R, and then every E after it."""
    world = World(with_level(3, escalation_time=Micros(escalation * MINUTE), response_time=Micros(response * MINUTE)))
    world.fire("a")
    world.advance(minutes=minutes[-1])
    assert [at for at, _, _ in world.pages()] == minutes
    assert [at for at, reason, _ in world.pages() if reason is B] == [response]


def test_an_opening_says_what_it_is():
    """The opened incident has level, type, title, due times, firing counts, and a timeline that begins with it."""
    world = World()
    world.fire("a", "b", level=4)
    incident = world.incident
    assert (incident.number, incident.state, incident.level, incident.type) == (
        1,
        State.OPEN,
        4,
        "safety_critical_failure",
    )
    assert incident.firing == (0, 0, 0, 2)
    assert incident.labels == {"alertname": "Alert"}
    assert world.since(incident.response_due_at) == 15
    assert world.facts()[:2] == [Fact.OPENED, Fact.PAGED]
    assert [entry.position for entry in world.entries()] == list(range(1, len(world.entries()) + 1))
    assert world.window(Window.ESCALATE) == 5
    assert world.window(Window.BREACH) == 15


def test_the_type_is_that_of_the_highestalert():
    """The incident's type is that of its highest alert, the first on ties."""
    world = World()
    world.receive(alert("a", 3), alert("b", 4, "x/first"), alert("c", 4, "x/second"))
    assert (world.incident.level, world.incident.type) == (4, "first")


def test_channels_are_the_union_and_windows_the_shortest():
    """Two rules at once: the union of their channels, the shorter windows of the two levels."""
    policy = with_level(3, escalation_time=Micros(2 * MINUTE), response_time=Micros(6 * MINUTE))
    world = World(policy)
    world.receive(alert("a", 3), alert("b", 4))
    assert world.pages() == [(0, O, "email slack pagerduty sms")]
    assert (world.window(Window.ESCALATE), world.window(Window.BREACH)) == (2, 6)


def test_escalates_to_names_other_channels():
    """A level's `escalates_to` replaces the next level's channels at E."""
    world = World(with_level(3, escalates_to=("phone",)))
    world.fire("a")
    world.advance(minutes=30)
    assert world.pages()[1] == (30, E, "email slack pagerduty phone")


def test_a_breach_tells_the_internal_stakeholders():
    """At the breach the internal stakeholders hear it, each once, unless they are paged themselves; external ones nothing."""
    world = World()
    world.fire("a")
    world.advance(minutes=60)
    assert [target.recipient for target in world.heard(Kind.BREACH)] == [
        "management@company.com",
        "technical-team@company.com",
    ]
    assert world.since(world.incident.breached_at) == 60
    assert [entry.data["due_at"] for entry in world.entries(Fact.BREACHED)] == [str(START + HOUR)]


def test_a_breach_does_not_tell_twice_whom_it_pages():
    """A stakeholder whom the breach is the first to page gets the page only."""
    slack_late = replace(
        POLICY,
        rules=tuple(replace(rule, channels=("email",) if rule.level == 3 else rule.channels) for rule in POLICY.rules),
    )
    world = World(with_level(3, slack_late, escalates_to=()))
    world.fire("a")
    world.advance(minutes=60)
    assert world.pages()[-1][2] == "email slack pagerduty sms"
    assert [target.channel for target in world.heard(Kind.BREACH)] == ["email", "email"]


def test_a_person_takes_the_next_step_early():
    """Escalating by hand takes the next step now, and the next one E later; the breach stays where it was."""
    world = World()
    world.fire("a")
    world.advance(minutes=10)
    assert world.escalate() is None
    assert world.pages()[1] == (10, E, "email slack pagerduty sms")
    assert (world.window(Window.ESCALATE), world.window(Window.BREACH)) == (40, 60)
    world.advance(minutes=110)
    assert [at for at, _, _ in world.pages()] == [0, 10, 40, 60, 90, 120]


DOWNTIME = {
    "a little late: the step itself": (40, [(40, E)], []),
    "past the breach: only the breach": (70, [(70, B)], ["1"]),
    "past two repeats: one page, the rest missed": (125, [(125, B)], ["1", "2"]),
}


@pytest.mark.parametrize(("minutes", "pages", "missed"), DOWNTIME.values(), ids=DOWNTIME)
def test_after_downtime_only_the_highest_step_fires(minutes, pages, missed):
    """What was due while Tocsin was down becomes one page at once; the skipped steps are recorded as missed."""
    world = World()
    world.fire("a")
    world.sleep(minutes)
    assert [(at, reason) for at, reason, _ in world.pages()[1:]] == pages
    assert [entry.data["steps"] for entry in world.entries(Fact.WINDOW_MISSED)] == missed


def test_after_downtime_the_rhythm_goes_on():
    """After missed repeats the next one comes when it would have come."""
    world = World()
    world.fire("a")
    world.sleep(125)
    assert world.window(Window.ESCALATE) == 150
    world.sleep(100)
    assert [entry.data["steps"] for entry in world.entries(Fact.WINDOW_MISSED)] == ["1", "2", "2"]
    assert world.pages()[-1][:2] == (225, R)
    assert world.window(Window.ESCALATE) == 240


def test_a_rescue_missed_in_downtime_yields_to_the_step():
    """A page undelivered before the downtime is not rescued when a higher step goes out in that moment."""
    world = World(down=ALL)
    world.fire("a")
    world.sleep(70)
    assert world.entries(Fact.FALLBACK) == []
    assert world.window(Window.RESCUE) == 71


def test_an_empty_step_is_said_and_the_next_taken_at_once():
    """A step whose channels are all unconfigured is recorded, and the next one taken in the same moment."""
    world = World(configured={"sms", "phone"})
    world.fire("a")
    assert world.pages() == [(0, E, "sms")]
    assert [entry.data["channel"] for entry in world.entries(Fact.UNDELIVERABLE)][:3] == ["email", "slack", "pagerduty"]
    assert [entry.data["step"] for entry in world.entries(Fact.STEP_EMPTY)] == ["0"]
    assert world.incident.step == 1


def test_when_every_step_is_empty_the_fallback_is_told():
    """With no channel of any step alive, the first fallback that is alive is told at once."""
    world = World(configured={"phone"})
    world.fire("a")
    assert world.pages() == [(0, Reason.FALLBACK, "phone")]
    assert [entry.data["step"] for entry in world.entries(Fact.STEP_EMPTY)] == ["0", "1", "2"]


def test_with_nothing_configured_it_is_said_and_goes_on():
    """With no channel at all, each step says so, and the windows go on."""
    world = World(configured=())
    world.fire("a")
    assert Fact.FALLBACK_EXHAUSTED in world.facts()
    assert world.window(Window.BREACH) == 60
    world.advance(minutes=120)
    assert len(world.entries(Fact.FALLBACK_EXHAUSTED)) == 5
    assert {each.status for each in world.outbox.values()} == {Status.UNDELIVERABLE}


UNUSABLE = {
    "unconfigured": (POLICY, ALL - {"slack"}, "not configured"),
    "disabled": (with_channel("slack", enabled=False), ALL, "disabled"),
    "without a recipient": (with_channel("slack", recipients=()), ALL, "not configured"),
}


@pytest.mark.parametrize(("policy", "configured", "why"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_a_dead_channel_cannot_carry_is_recorded(policy, configured, why):
    """A page for a channel that cannot carry it is recorded as undeliverable, with the reason; the others go out."""
    world = World(policy, configured)
    world.fire("a")
    assert world.pages() == [(0, O, "email pagerduty")]
    assert [entry.data for entry in world.entries(Fact.UNDELIVERABLE)] == [{"channel": "slack", "why": why}]
    assert [(each.channel, each.data) for each in world.outbox.values() if each.status is Status.UNDELIVERABLE] == [
        ("slack", {"why": why})
    ]


def test_recipients_are_read_live():
    """A number mended in the current policy is used by an incident that runs under the old one."""
    world = World()
    world.fire("a")
    world.use(with_channel("sms", recipients=("+4930123",)))
    world.advance(minutes=30)
    assert [each.recipient for each in world.delivered if each.channel == "sms"] == ["+4930123"]


def test_the_plan_is_frozen_until_replanned():
    """An incident keeps the times of the policy version it opened under, until a person moves it."""
    world = World()
    world.fire("a")
    frozen = world.incident.policy
    world.use(with_level(3, escalates_to=("phone",)))
    world.advance(minutes=30)
    assert world.pages()[-1] == (30, E, "email slack pagerduty sms")
    world.replan()
    assert world.incident.policy == world.current.digest != frozen


def test_rules_of_unknown_sections_use_their_levels_channels():
    """A stranger's alert (no rule of the policy) pages the channels of its level."""
    world = World()
    world.fire("a", level=4, rule="SomebodyElsesAlert")
    assert world.pages() == [(0, O, "email slack pagerduty sms")]


def test_a_rule_pages_the_channels_that_it_names():
    """At once only its own, although another rule of its level names others; the next step is the level's."""
    first, *others = POLICY.rules
    named = (replace(first, level=3, channels=("slack",)), *(replace(each, channels=("email",)) for each in others))
    world = World(replace(POLICY, rules=named))
    world.fire("a", rule=first.key)
    assert [page[2] for page in world.pages()] == ["slack"]
