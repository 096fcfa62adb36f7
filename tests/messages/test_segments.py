"""How many SMS a text takes, and how it is made to fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.messages.segments import count_segments, fit, is_gsm


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 151, 2),
        ("a" * 152 + "€" + "a" * 152, 3),
        ("ж" * 70, 1),
        ("ж" * 71, 2),
        ("ж" * 134, 2),
        ("ж" * 135, 3),
        ("🔥" * 35, 1),
        ("🔥" * 36, 2),
        ("🔥" * 66, 2),
        ("🔥" * 67, 3),
    ],
)
def test_segments_are_counted_as_networks_do(text, segments):
    """GSM-7 is 160 or 153 a part, extension characters two; UCS-2 is 70 or 67, emojis two; pairs are never split."""
    assert count_segments(text) == segments


def test_what_fits_is_left_alone():
    """A text that fits keeps its characters, whatever they are."""
    text = "Überdruck – Ventil 3 🔥"  # noqa: RUF001 - the dash is the point
    assert fit(text, 2) == text


def test_typography_gives_way_before_words_do():
    """A dash or an accent does not cost half of the message."""
    text = "Pression élevée – œil “ouvert” 🔥 ęł☃ж… " + "a" * 200  # noqa: RUF001 - the dash is the point
    shortened = fit(text, 2)
    assert shortened.endswith("a" * 200)
    assert shortened.startswith('Pression élevée - oeil "ouvert"  el?... a')


def test_what_is_too_long_ends_in_dots():
    """What was cut off is shown."""
    assert fit("a" * 400, 2) == "a" * 303 + "..."
    assert fit("ж" * 400, 2) == "ж" * 133 + "…"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=700), st.integers(1, 3))
def test_everything_fits(text, segments):
    """Whatever is written, no more SMS than asked for are sent."""
    assert count_segments(fit(text, segments)) <= segments


def test_alphabet_has_128_characters():
    """The GSM-7 alphabet and its extension are complete (ESC itself is no character)."""
    assert sum(is_gsm(chr(code)) for code in range(0x10000)) == 127 + 10
