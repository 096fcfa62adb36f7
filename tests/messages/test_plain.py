"""Foreign text, made harmless; times and durations in words."""

from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.channels.slack_blocks import escape
from receiver.core.model import Instant
from receiver.messages.incident_text import numbers
from receiver.messages.plain import cut, line, plain, web_address
from receiver.messages.segments import fit, is_gsm, simplify
from receiver.messages.times import clock, duration, left, stamp
from rules.policy import HOUR, MINUTE, SECOND
from tests.messages.samples import NOON

ANY_TEXT = st.text(st.characters())
"""Lone surrogates, controls and marks included."""


@given(ANY_TEXT, st.integers(1, 80))
def test_anything_becomes_harmless(text, limit):
    """For any input, the output can be encoded, has no controls but line ends, and keeps the limit."""
    made = plain(text, limit)
    assert len(made) <= limit
    made.encode()
    assert not any(category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in made.replace("\n", ""))
    assert "\n" not in line(text, limit)


@given(ANY_TEXT)
def test_harmless_text_stays_as_it_is(text):
    """What was made harmless once is not changed again."""
    made = plain(text, 1000)
    assert plain(made, 1000) == made


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\nb\u2028c\x0bd\x85e", "a\nb\nc\nd\ne"),
        ("a\tb", "a b"),
        ("bell\x07 null\x00 escape\x1b[31m", "bell null escape[31m"),
        ("\u202ertl\u202c zero\u200bwidth \ufeffbom", "rtl zerowidth bom"),
        ("half \ud83d", "half \ufffd"),
        ("👩‍👩‍👧‍👦 می‌خواهم", "👩‍👩‍👧‍👦 می‌خواهم"),
        ("a\n\n\n\n\nb   \n", "a\n\nb"),
        ("Диск 💥 équipe", "Диск 💥 équipe"),
    ],
)
def test_what_is_dangerous_goes_and_what_is_language_stays(text, expected):
    """Controls, direction marks and half characters go; scripts and emoji stay whole."""
    assert plain(text) == expected


WHOLE = ["👩\u200d👩\u200d👧\u200d👦", "🇩🇪", "👍🏽", "e\u0301", "❤\ufe0f", "x", "को"]


@given(st.lists(st.sampled_from(WHOLE), min_size=1, max_size=30), st.integers(2, 60))
def test_a_cut_goes_between_characters_as_people_see_them(characters, limit):
    """No family, flag, skin tone or accent is torn apart, on any medium."""
    beginnings = {"".join(characters[:number]) for number in range(len(characters) + 1)}
    text = "".join(characters)
    assert cut(text, limit).removesuffix("…") in beginnings
    assert escape(text, limit).removesuffix("…") in beginnings
    assert fit(text, 1).removesuffix("…") in beginnings or is_gsm(simplify(text))


def test_whoever_stacks_accents_is_cut_all_the_same():
    """A character of a thousand accents keeps nothing from being cut."""
    assert len(cut("a" + "\u0301" * 1000, 100)) == 100


def test_half_a_megabyte_is_cut():
    """A huge annotation costs its limit, not its size, and shows that something is missing."""
    assert plain("x" * 400_000, 100) == "x" * 99 + "…"
    assert line("word " * 100_000, 20) == "word word word word…"


@pytest.mark.parametrize(
    ("micros", "expected"),
    [
        (0, "less than a second"),
        (SECOND, "1 second"),
        (-SECOND, "less than a second"),
        (59 * SECOND, "59 seconds"),
        (MINUTE, "1 minute"),
        (15 * MINUTE + 59 * SECOND, "15 minutes"),
        (90 * MINUTE, "1 hour 30 minutes"),
        (24 * HOUR, "24 hours"),
        (36 * HOUR, "36 hours"),
        (72 * HOUR, "3 days"),
        (73 * HOUR, "3 days 1 hour"),
    ],
)
def test_durations_in_words(micros, expected):
    """Durations are said in their two largest units."""
    assert duration(micros) == expected


def test_instants_say_that_they_are_utc():
    """Times carry their zone, and their date where it is another day."""
    assert stamp(NOON) == "2026-11-23 12:02 UTC"
    assert clock(NOON, NOON) == "12:02 UTC"
    assert clock(Instant(NOON + 12 * HOUR), NOON) == "24 Nov 00:02 UTC"
    assert left(Instant(NOON + 5 * MINUTE), NOON) == "5 minutes left"
    assert left(NOON, Instant(NOON + 5 * MINUTE)) == "5 minutes ago"


def test_neighbouring_numbers_are_drawn_together():
    """Numbers of a bundle are short where they can be, and complete."""
    assert numbers([12, 13, 14, 31, 40, 41]) == "#12-#14, #31, #40-#41"
    assert numbers([7]) == "#7"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "/runbooks/1",
        "https://",
        "https://x/<script>",
        "https://x/a b",
        "https://[::1",
        "https://x/\u202e",
        "https://x/|y",
        "https://x/" + "y" * 3000,
        "",
    ],
)
def test_only_web_addresses_become_links(url):
    """What a browser should not be sent to is no link."""
    assert web_address(url) == ""
    assert web_address("https://runbooks.example.org/x?y=1&z=2#a") != ""
