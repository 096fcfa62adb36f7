"""A drill shows what would happen: the real engine, a virtual clock, channels that fail when told to."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from receiver.core.classify import Received
from receiver.core.events import Delivered
from receiver.core.model import Fact, Kind, State
from receiver.drill.lanes_drawing import page
from receiver.drill.script import Script, UnknownIncident, play, play_alert
from receiver.drill.simulator import START, ChannelFaults, World
from receiver.drill.text_report import as_json, deadline_words, lines
from rules.load import load
from rules.policy import HOUR, MINUTE

POLICY = load()


def held(name="safety_critical_failure", down=(), flaky=None, seed="", **script):
    """A drill of the shipped policy; times in minutes."""
    times = {key: value * MINUTE if key != "falls_silent" else value for key, value in script.items()}
    return play(World(POLICY, ChannelFaults(frozenset(down), flaky or {}, seed)), Script(**times), name)


def facts(played, *wanted):
    """(minute, fact) of the timeline, of these facts."""
    return [((each.at - played.began_at) / MINUTE, each.fact) for each in played.entries if each.fact in wanted]


def test_nobody_acknowledges():
    """Unanswered, an emergency escalates at 5 minutes, breaches at 15, and is repeated every 5."""
    played = held()
    assert facts(played, Fact.ESCALATED, Fact.BREACHED)[:3] == [
        (5, Fact.ESCALATED),
        (15, Fact.BREACHED),
        (20, Fact.ESCALATED),
    ]
    assert [each.outcome for each in played.deadlines] == ["breached"]
    assert deadline_words(played.deadlines[0], played.began_at) == "breached: somebody to take it by +15m; nobody had"


def test_somebody_takes_it_and_it_recovers():
    """Taken at 7 minutes, recovered at an hour: the deadline is kept, a person confirms. A day later it would close,
    and its cause is unknown: the drill tells what is missing.
    """
    played = held(acknowledge_after=7, resolve_after=60)
    assert facts(played, Fact.ACKNOWLEDGED, Fact.RECOVERED, Fact.RESOLVED, Fact.KEPT_OPEN) == [
        (7, Fact.ACKNOWLEDGED),
        (60, Fact.RECOVERED),
        (65, Fact.RESOLVED),
        (65 + 24 * 60, Fact.KEPT_OPEN),
    ]
    assert [each.outcome for each in played.deadlines] == ["kept"]
    assert played.incident.state is State.RESOLVED
    assert not facts(played, Fact.ACK_EXPIRED), "who is at work answers the reminders"


def test_who_falls_silent_loses_the_acknowledgement():
    """Silent after acknowledging, it is open again when the response time has passed once more."""
    played = held(acknowledge_after=7, falls_silent=True)
    assert facts(played, Fact.ACK_EXPIRED)[0] == (22, Fact.ACK_EXPIRED)
    assert [each.outcome for each in played.deadlines][:2] == ["kept", "breached"]


def test_without_a_channel_the_others_are_told():
    """With a channel down nothing is delivered on it, by its name or by its type, and the others are still reached."""
    for name in ("slack", "email", "pagerduty"):
        played = held("slo_violation", down=[name])
        reached = {each.notification.channel for each in played.sent if isinstance(each.outcome, Delivered)}
        assert name not in reached
        assert reached
        assert played.reached_after == (MINUTE if name == "pagerduty" else 0), "Slack and e-mail wake nobody"


def test_with_every_channel_down_nobody_is_reached():
    """The drill says that no one was reached, and the timeline that no fallback is left."""
    played = held(down=[channel.name for channel in POLICY.channels])
    assert played.reached_after is None
    assert facts(played, Fact.FALLBACK_EXHAUSTED)


def test_it_comes_back():
    """It recurs so long after it was resolved: the same incident, reopened, and taken again."""
    played = held(acknowledge_after=3, resolve_after=20, recur_after=120)
    assert facts(played, Fact.REOPENED) == [(145, Fact.REOPENED)]
    assert [minute for minute, _ in facts(played, Fact.ACKNOWLEDGED)] == [3, 148]
    assert played.incident.recurrences == 1


def test_a_type_without_a_rule_is_declared_and_resolved_by_whoever_has_it():
    """What no alert opens is declared as an exercise, and ends when a person says so."""
    name = next(kind.name for kind in POLICY.incident_types)
    played = held(name, acknowledge_after=1, resolve_after=10)
    assert played.incident.state is State.RESOLVED


def test_the_same_seed_gives_the_same_bytes():
    """The same drill twice is the same to the byte, page included; another seed fails other tries."""
    first, again, other = (held(flaky={"slack": 0.5}, seed=seed, acknowledge_after=30) for seed in ("a", "a", "b"))
    assert page(first, "x") == page(again, "x")
    assert as_json(first) == as_json(again)
    assert as_json(first)["messages"] != as_json(other)["messages"]
    tries = [isinstance(each.outcome, Delivered) for each in first.sent if each.notification.channel == "slack"]
    assert {True, False} == set(tries), "half of them fail"


@pytest.mark.parametrize("script", [{}, {"acknowledge_after": 7}, {"acknowledge_after": 7, "falls_silent": True}])
@pytest.mark.parametrize("name", ["slo_violation", "safety_critical_failure"])
def test_what_is_leapt_over_is_what_would_have_been_played(name, script):
    """A week with its repetitions leapt over ends in the same incident as a week played message by message."""
    week = 7 * 24 * 60
    leapt = held(name, **script, lasts=week)
    played = held(name, **script, lasts=week, flaky={"email": 0.0})
    assert leapt.repeated
    assert not played.repeated
    assert leapt.incident == played.incident
    assert leapt.ended_at == played.ended_at
    assert leapt.deadlines == played.deadlines
    for part in ("entries", "sent"):
        left_out = sum(each.times * getattr(each, part) for each in leapt.repeated)
        assert len(getattr(leapt, part)) + left_out == len(getattr(played, part))


def test_a_year_is_drilled_to_its_end():
    """An incident that stays unacknowledged is repeated for a year, with every update of it, in a few moments."""
    played = play_alert(
        World(POLICY),
        Script(lasts=365 * 24 * HOUR),
        Received({"alertname": "Odd", "severity": "info"}, {}, "f", START),
    )
    assert played.ended_at - played.began_at == 365 * 24 * HOUR
    assert played.incident.page.serial == 1 + 365 * 2
    assert len(played.entries) < 100
    assert [line.text for line in lines(played) if "and so on" in line.text] == [
        "and so on: the same every 1d until +365d, 361 times more (11 messages each time)"
    ]


def test_a_failing_channel_is_played_message_by_message():
    """Which tries fail depends on the message, so with a channel down nothing is leapt over."""
    assert not held(down=["slack"], lasts=24 * 60).repeated


def test_an_unknown_incident_is_said():
    """A name that the policy does not have is refused."""
    with pytest.raises(UnknownIncident):
        held("no_such_thing")


def test_the_words_tell_each_moment_once():
    """Messages of one moment are one line that names every recipient."""
    said = [line.text for line in lines(held()) if line.at == "+0s"]
    whom = [
        "email incident-response@company.com",
        "slack #incident-response",
        "pagerduty ml-systems",
        "sms +12…890",
    ]
    assert [text for text in said if "accepted" in text] == [f"page accepted: {', '.join(whom)}"]
    assert "page delivered: sms +12…890" in said


def test_the_page_draws_every_message_and_escapes_what_it_shows():
    """The page has a mark per moment and channel, no script, and a title cannot break out of it."""
    html = page(held(acknowledge_after=7, resolve_after=60, down=["slack"]), "<b>&")
    assert "<script" not in html
    assert "<b>" not in html
    assert html.count('class="failed"') > 0
    assert html.count('class="delivered"') > 4
    assert "+1h5m" in html
    HTMLParser().feed(html)
    assert not re.search(r'(src|href)="', html), "it needs nothing from elsewhere"


def test_a_manual_call_reaches_nobody_by_itself():
    """A phone recipient without a number is a task for a person, so it does not count as reached."""
    phone = replace(POLICY.channels[0], name="phone", type="phone", recipients=("Ada",))
    alone = replace(POLICY, channels=(phone,), rules=tuple(replace(each, channels=("phone",)) for each in POLICY.rules))
    played = play(World(alone), Script(lasts=HOUR), POLICY.rules[0].name)
    assert played.reached_after is None
    assert any(each.notification.kind is Kind.PAGE for each in played.sent)
