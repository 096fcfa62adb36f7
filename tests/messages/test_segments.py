"""How many SMS a text takes, and how it is made to fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.messages.segments import count_segments, fit, fit_between, is_gsm, simplify

ANY = st.characters(exclude_categories=["Cs"])
WORDS = st.text(st.sampled_from("abcxyz äöüß€[] –’“…·"), max_size=500)  # noqa: RUF001 - the typography is the point


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
    """A text that fits keeps its characters, of any script."""
    text = "Überdruck – Ventil 3 🔥"  # noqa: RUF001 - the dash is the point
    assert fit(text, 2) == text


def test_typography_gives_way_before_words_do():
    """A dash or an accent does not cost half of the message."""
    text = "Pression élevée – œil “ouvert” 🔥 ęł☃ж… " + "a" * 200  # noqa: RUF001 - the dash is the point
    shortened = fit(text, 2)
    assert shortened.endswith("a" * 200)
    assert shortened.startswith('Pression élevée - oeil "ouvert" el?... a')


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Pump 🔥: x", "Pump: x"),
        ("🔥🔥 Pump: x", "Pump: x"),
        ("Pump ⚠️ hot: x", "Pump hot: x"),
        ("Pump🔥 hot: x", "Pump hot: x"),
        (" ends here 🔥.", " ends here."),
    ],
)
def test_a_removed_emoji_leaves_no_space(said, kept):
    """The space before it goes with it: nothing stands before a colon, and no word has two spaces before it."""
    assert simplify(said) == kept


def test_what_is_too_long_ends_in_dots():
    """What was cut off is shown."""
    assert fit("a" * 400, 2) == "a" * 303 + "..."
    assert fit("ж" * 400, 2) == "ж" * 133 + "…"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=700), st.integers(1, 3))
def test_everything_fits(text, segments):
    """No text takes more SMS than asked for."""
    assert count_segments(fit(text, segments)) <= segments


def test_alphabet_has_128_characters():
    """The GSM-7 alphabet and its extension are complete (ESC itself is no character)."""
    assert sum(is_gsm(chr(code)) for code in range(0x10000)) == 127 + 10


@pytest.mark.parametrize("letter", "äöüÄÖÜßéèàùìòñåøæÆØÅ¿¡§")
def test_a_letter_that_gsm_has_costs_one_place(letter):
    """An umlaut guts no SMS: two parts hold 306 characters with it as without."""
    text = letter + "a" * 305
    assert fit(text, 2) == text
    assert len(fit(text * 2, 2)) == 306


@pytest.mark.parametrize(
    ("typographic", "typed"),
    [("–", "-"), ("—", "-"), ("‘x’", "'x'"), ("“x”", '"x"'), ("„x“", '"x"'), ("…", "..."), ("\u00a0", " ")],  # noqa: RUF001
)
def test_typography_is_replaced_before_the_alphabet_is_chosen(typographic, typed):
    """A dash or a quote never makes a text cost twice as much, not even where it would fit."""
    assert fit(f"Druck {typographic} hoch", 2) == f"Druck {typed} hoch"
    assert fit(f"{'ä' * 150} {typographic}" + "b" * 100, 2).endswith("b" * 100)


@given(WORDS, st.integers(1, 3))
def test_texts_are_cut_at_the_ends_of_words(text, segments):
    """What is left of a text that is too long ends with a whole word of it, unless a word alone is too long."""
    made = fit(text, segments)
    whole = fit(text, 100)
    if made != whole:
        kept = made.removesuffix("...").removesuffix("…")
        assert whole.startswith(kept)
        rest = whole[len(kept) :]
        assert rest.startswith(" ") or kept.endswith(" ") or not kept or len(kept.split(" ")[-1]) >= 40


@given(st.text(ANY, max_size=60), st.text(ANY, max_size=500), st.text(ANY, max_size=60), st.integers(2, 4))
def test_only_the_middle_gives_way(begin, middle, end, segments):
    """What stands before and behind is whole, or nothing is made; the whole costs no more than it may."""
    made = fit_between(begin, middle, end, segments)
    if made is None:
        assert count_segments(begin + end + "…") > segments
        return
    assert count_segments(made) <= segments
    assert made.startswith(_shown(begin, made))
    assert made.endswith(_shown(end, made))


@given(st.text(st.sampled_from("ab äé"), min_size=1, max_size=400), st.integers(1, 3))
def test_no_place_is_wasted(text, segments):
    """A text is cut by what it costs: the next word would not have fitted."""
    made = fit(text, segments)
    if made != text:
        kept = made.removesuffix("...")
        following = text[len(kept) :].lstrip().split(" ")[0]
        more = text[: len(text) - len(text[len(kept) :].lstrip()) + len(following)]
        assert count_segments(f"{more}...") > segments or len(following) >= 40


def _shown(text, made):
    """The text in the characters of what was made of it."""
    return text if text in made else simplify(text)
