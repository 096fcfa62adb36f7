"""An SMS never loses the incident, its system and the way to answer, at the cost of all else."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from receiver.core.model import Instant, Kind, Reason
from receiver.messages import MessageRenderer
from receiver.messages.segments import count_segments, is_gsm, simplify
from rules.policy import MINUTE
from tests.core.alerts import alert
from tests.messages.samples import INCIDENT, NOON, Delivery, context, notification

LINK = "https://tocsin.example.org/act/12-3-a3f7k2m9qxw4cabcd"
WORDS = MessageRenderer("https://tocsin.example.org", "inst", ack_url=lambda _incident, _name: LINK)
ANY = st.characters(exclude_categories=["Cs", "Cc", "Cf", "Co", "Cn", "Zl", "Zp"])
NAMES = st.one_of(
    st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz0123456789-_."), min_size=1, max_size=60),
    st.text(st.sampled_from("飞行控制着陆系统"), min_size=1, max_size=20),
    st.text(st.sampled_from("äöüßéabc-"), min_size=1, max_size=60),
)


def sms(title, system="landing-7", words=WORDS, reason=Reason.OPENED, count=1, external="https://tocsin.example.org"):
    incident = replace(INCIDENT, title=title, labels={"system": system})
    items = [
        (notification(Kind.PAGE, reason, "sms", each), each)
        for each in (replace(incident, number=12 + more, id=f"{more:032}") for more in range(count))
    ]
    made = dataclasses.replace(words, external_url=external)
    return made.render(Delivery(tuple(items), context()), Instant(NOON + 2 * MINUTE)).short


@settings(max_examples=150, deadline=None)
@given(st.text(ANY, max_size=400), NAMES, st.booleans(), st.sampled_from([1, 7]))
def test_system_and_answer_are_never_cut(title, system, replies, count):
    """For any title, in any script, the system's name and one way to answer are whole."""
    said = sms(title, system, dataclasses.replace(WORDS, sms_replies=replies), count=count)
    assert system in said or simplify(system) in said
    assert (LINK in said) or ("reply ACK 12" in said if count == 1 else "reply ACK ALL" in said)
    assert said.startswith("T#12 EMERGENCY " if count == 1 else "T 7 incidents EMERGENCY ")
    assert count_segments(said) <= 2 + (not is_gsm(said))


@pytest.mark.parametrize("umlaut", ["u", "ü", "–", "“", "…"])  # noqa: RUF001
def test_one_umlaut_costs_nothing(umlaut):
    """With it or without, the SMS holds as many words: only the character itself differs."""
    title = f"Dr{umlaut}ck im Ventil von landing-7 ist zu hoch, " * 3
    said = sms(title)
    assert count_segments(said) == 2
    assert is_gsm(said)
    assert len(said) > 230
    assert LINK in said


def test_a_long_title_ends_with_a_whole_word():
    """And dots that show that something is missing, before how to answer."""
    said = sms("overpressure in the hydraulic circuit " * 10)
    cut = said.partition("...")[0].rsplit(" ", 1)[1]
    assert cut in {"overpressure", "in", "the", "hydraulic", "circuit"}
    assert said.endswith(f"Ack by 12:17 UTC: reply ACK 12 or {LINK}")


def measured_sms(title, value, unit="", *, count=1, **more):
    """The page of an incident whose alert tells this value; `count` of them fire."""
    said = {"summary": title, "value": value, "unit": unit}
    fired = replace(alert("a", 4), labels={"service": "landing-7"}, annotations=said)
    incident = replace(INCIDENT, title=title, labels={"system": "landing-7"}, firing=(0, 0, 0, count))
    item = (notification(Kind.PAGE, Reason.OPENED, "sms", incident), incident)
    made = Delivery((item,), context(), {incident.id: (fired,)})
    return dataclasses.replace(WORDS, **more).render(made, Instant(NOON + 2 * MINUTE))


LONG = "the pressure in the hydraulic circuit of the left main landing gear of landing-7 is too low " * 3
VALUES = {
    "behind the title": (LONG, "3.2", "bar", "...: 3.2 bar, and 2 more. Ack by 12:17 UTC: reply ACK 12 or"),
    "at the title's end": (f"{LONG[:250]} now at 3.2 bar", "3.2", "bar", "...: 3.2 bar, and 2 more. Ack by"),
    "in another alphabet": (f"{'着陆系统的安全裕度低于' * 9}", "3.2", "bar", "…: 3.2 bar, and 2 more. Ack by"),
    "a digit that stands elsewhere": ("db3 and db4 are full", "3", "", "db3 and db4 are full: 3, and 2 more. Ack by"),
    "in the words already": ("3 of 4 disks are full", "3", "", "3 of 4 disks are full, and 2 more. Ack by"),
}


@pytest.mark.parametrize(("title", "value", "unit", "end"), VALUES.values(), ids=VALUES)
def test_the_value_goes_after_every_word_of_the_title(title, value, unit, end):
    """Level, system, what, value, how to answer: what is shortened is the words of what, never the value."""
    said = measured_sms(title, value, unit, count=3)
    assert end in said.short
    assert said.short.startswith("T#12 EMERGENCY landing-7: ")
    assert value in said.headline.partition(":")[2]
    assert len(said.headline) <= 150
    assert value in said.speech


def test_another_script_gives_up_the_longer_way_to_answer_for_its_words():
    """In half as many characters, the reply alone leaves room for what is wrong."""
    said = sms("着陆系统的安全裕度低于百分之九十五,请立即停止受影响的操作并联系值班工程师" * 3, "着陆系统")
    assert count_segments(said) <= 2
    assert said.startswith("T#12 EMERGENCY 着陆系统: 着陆系统的安全裕度低于百分之九十五")
    assert said.endswith("Ack by 12:17 UTC: reply ACK 12")


CYRILLIC = "давление в гидравлической системе левого основного шасси ниже допустимого"
NAMED = {
    "a long system": (CYRILLIC, "очень-длинное-название-посадочной-системы-аэропорта-шереметьево", "a"),
    "a long system and unit": (CYRILLIC, "посадочная-система-семь-северного-аэропорта", "насос-" * 9),
    "kanji": ("着陸システムの安全余裕が下限を下回りました" * 4, "第三滑走路着陸誘導装置", "主脚左側第二油圧ポンプ" * 3),
}


@pytest.mark.parametrize(("title", "system", "unit"), NAMED.values(), ids=NAMED)
@pytest.mark.parametrize("replies", [True, False])
@pytest.mark.parametrize("reason", [Reason.OPENED, Reason.BREACHED])
def test_long_names_in_another_script_leave_what_and_how_to_answer(title, system, unit, replies, reason):
    """System, what, value and a way to answer are there; the title's own "on SYSTEM" goes before its words do."""
    labels = {"system": system, "unit": unit}
    fired = replace(alert("a", 4), labels=labels, annotations={"summary": title, "value": "3.2", "unit": "bar"})
    incident = replace(INCIDENT, labels=labels, firing=(0, 0, 0, 40))
    item = (notification(Kind.PAGE, reason, "sms", incident), incident)
    words = dataclasses.replace(WORDS, sms_replies=replies)
    said = words.render(Delivery((item,), context(), {incident.id: (fired,)}), Instant(NOON + MINUTE)).short
    assert f"EMERGENCY {system}: {title[:20]}" in said
    assert ": 3.2 bar, and 39 more. " in said
    assert said.endswith("reply ACK 12" if replies else LINK)
    assert said.count(system) == 1
    assert count_segments(said) <= 4


def test_units_stay_readable_in_the_plain_alphabet():
    """A degree and a micro sign cost no half of the SMS, and leave the unit."""
    assert ": 71 C, and 2 more." in measured_sms("bearing is hot", "71", "°C", count=3).short
    assert ": 3.2 um." in measured_sms("bearing is worn", "3.2", "µm").short


def test_what_cannot_be_left_out_is_paid_for():
    """A long name in another script and a long address take a third SMS, before they are cut."""
    words = dataclasses.replace(
        WORDS, sms_replies=False, ack_url=lambda _incident, _name: f"https://{'a' * 90}.example/x"
    )
    said = sms("x", "飞行控制" * 15, words)
    assert "飞行控制" * 15 in said
    assert f"https://{'a' * 90}.example/x" in said
    assert count_segments(said) == 3
