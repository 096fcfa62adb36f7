"""Times in the zone of those who read or hear them."""

import dataclasses

import pytest

from receiver.core.model import Instant, Kind, Reason
from receiver.messages import MessageRenderer
from receiver.messages.spoken_times import spoken_clock, spoken_zone
from receiver.messages.times import clock, stamp
from rules.load import load_text
from rules.policy import HOUR, MINUTE
from rules.problems import PolicyError
from rules.time_zones import time_zone, zone_names
from tests.messages.samples import INCIDENT, NOON, POLICY, Delivery, acknowledged, context, notification

WORDS = MessageRenderer("https://tocsin.example.org", "inst")
BERLIN = time_zone("Europe/Berlin")
JUNE = Instant(NOON - 160 * 24 * HOUR)


def message(policy, channel="email", kind=Kind.PAGE, reason=Reason.OPENED, incident=INCIDENT, **data):
    what = notification(kind, reason, channel, incident, **data)
    return WORDS.render(Delivery(((what, incident),), context(policy)), Instant(NOON + 2 * MINUTE))


def with_zones(policy_zone="UTC", **of_channels):
    channels = tuple(dataclasses.replace(each, time_zone=of_channels.get(each.name)) for each in POLICY.channels)
    return dataclasses.replace(POLICY, channels=channels, time_zone=policy_zone)


def test_without_a_zone_times_are_utc():
    """As ever, and they say so."""
    assert "acknowledge by 12:17 UTC" in message(POLICY).text
    assert "12:17 UTC" in message(POLICY, "sms").short


def test_the_policys_zone_holds_for_every_medium():
    """Mail, SMS and the facts tell the time of the policy's zone, by the abbreviation that it has on that day."""
    told = message(with_zones("Europe/Berlin"), "sms")
    assert "acknowledge by 13:17 CET; next escalation at 13:07 CET" in told.text
    assert "Ack by 13:17 CET" in told.short
    assert dict(told.facts)["Opened"] == "13:02 CET"
    assert "UTC" not in told.text + told.short


def test_a_channels_zone_goes_before_the_policys():
    """Each channel's readers have their own."""
    policy = with_zones("Europe/Berlin", sms="America/New_York")
    assert "07:17 EST" in message(policy, "sms").short
    assert "13:17 CET" in message(policy, "email").text


def test_the_policys_template_tells_the_same_zone():
    """{timestamp} too: one message tells one zone."""
    told = message(with_zones("Europe/Berlin"), kind=Kind.ACKNOWLEDGED, reason=Reason.ACTION, incident=acknowledged())
    assert "- Time: 2026-11-23 13:02 CET" in told.text
    assert "UTC" not in told.text


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("Europe/Berlin", "CEST"),
        ("America/New_York", "EDT"),
        ("Asia/Kolkata", "IST"),
        ("Asia/Dubai", "UTC+4"),
        ("Asia/Kathmandu", "UTC+5:45"),
        ("America/Sao_Paulo", "UTC-3"),
        ("UTC", "UTC"),
    ],
)
def test_a_time_says_its_zone_as_people_call_it(zone, said):
    """By the abbreviation of that season; by the offset where there is none."""
    assert stamp(JUNE, time_zone(zone)).endswith(f" {said}")


def test_today_is_the_readers_today():
    """Half past eleven at night in UTC is tomorrow in Berlin: whether the date is told is a matter of the zone."""
    late = Instant(NOON + 11 * HOUR + 28 * MINUTE)
    assert clock(late, NOON) == "23:30 UTC"
    assert clock(late, NOON, BERLIN) == "24 Nov 00:30 CET"


def test_every_zone_can_be_told():
    """All of IANA's names, from the package and not from the machine."""
    assert len(zone_names()) > 400
    for name in zone_names():
        assert clock(NOON, NOON, time_zone(name))
        assert spoken_clock(NOON, JUNE, time_zone(name))


@pytest.mark.parametrize(
    ("hour", "minute", "said"),
    [
        (2, 14, "two fourteen in the morning"),
        (0, 0, "midnight"),
        (0, 14, "twelve fourteen at night"),
        (7, 0, "seven in the morning"),
        (11, 59, "eleven fifty-nine in the morning"),
        (12, 0, "noon"),
        (12, 17, "twelve seventeen in the afternoon"),
        (14, 5, "two oh five in the afternoon"),
        (18, 30, "six thirty in the evening"),
        (23, 40, "eleven forty at night"),
    ],
)
def test_a_voice_says_the_time_as_people_do(hour, minute, said):
    """No "02:14": words."""
    midnight = Instant(NOON - 12 * HOUR - 2 * MINUTE)
    assert spoken_clock(Instant(midnight + hour * HOUR + minute * MINUTE), NOON, time_zone("UTC")) == said


def test_a_voice_says_another_days_date():
    """With the month, and the day as an ordinal."""
    day_after = Instant(NOON + 24 * HOUR + 58 * MINUTE)
    assert spoken_clock(day_after, NOON, time_zone("UTC")) == "one in the afternoon on November twenty-fourth"


def test_a_call_tells_its_times_in_words_and_their_zone_once():
    """ "Twelve seventeen in the afternoon", in Berlin time: no digits with a colon, no letters in a heap."""
    said = message(with_zones("Europe/Berlin"), "phone").speech
    assert "acknowledge by one seventeen in the afternoon, 13 minutes left" in said
    assert said.endswith("Times are Berlin time.")
    assert "CET" not in said
    assert ":" not in said
    assert message(POLICY, "phone").speech.endswith("Times are U T C.")


@pytest.mark.parametrize(
    ("name", "said"),
    [("America/New_York", "New York time"), ("Etc/UTC", "U T C"), ("CET", "C E T"), ("Japan", "Japan time")],
)
def test_a_zone_is_spoken_by_its_city(name, said):
    """As people ask for it."""
    assert spoken_zone(name) == said


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("europe/berlin", "did you mean `Europe/Berlin`?"),
        ("Berlin", "did you mean `Europe/Berlin`?"),
        ("New York", "did you mean `America/New_York`?"),
        ("CEST", "did you mean `CET`?"),
        ("Nowhere/At_All", "write an IANA name, such as `Europe/Berlin`"),
    ],
)
def test_a_zone_that_is_none_is_refused_where_it_stands(written, hint):
    """In the policy and on a channel, with the place and the nearest name."""
    channels = "incident_response:\n  alert_channels:\n    - name: m\n      type: email\n      recipients: [a@b.org]\n"
    for text, place in (
        (f'time_zone: "{written}"\n', "policy.yaml:1:12"),
        (f'{channels}      time_zone: "{written}"\n', "policy.yaml:6:18"),
    ):
        with pytest.raises(PolicyError) as caught:
            load_text(text, "policy.yaml")
        [problem] = [each for each in caught.value.problems if "time zone" in each.message]
        assert f"{problem.path}:{problem.line}:{problem.column}" == place
        assert hint in problem.message


def test_zones_are_read_from_a_policy():
    """What is written is what is told."""
    channels = "  alert_channels:\n    - {name: m, type: email, recipients: [a@b.org], time_zone: Asia/Tokyo}\n"
    policy = load_text(f"time_zone: Europe/Berlin\nincident_response:\n{channels}", "policy.yaml").policy
    assert (policy.time_zone, policy.channels[0].time_zone) == ("Europe/Berlin", "Asia/Tokyo")
