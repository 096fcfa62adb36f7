"""YAML that is written by hand: the same text for the same value, and read back as what was given."""

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.yaml_text import WrittenOften, text

WORDS = st.text(st.sampled_from("ab1 :#'\"{}[]|>-?&*!%@`,\n\té“x=~.y"), max_size=12)
KEYS = WORDS.map(lambda word: word.replace("\n", "")).filter(bool)
VALUES = st.recursive(
    WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_what_is_written_is_read_back(value):
    """Texts of every kind, nested in lists and mappings, are the same texts when any YAML reader has read them."""
    assert yaml.load(text({"value": value}, "a comment"), yaml.CSafeLoader) == {"value": value}


def test_a_repeated_mapping_is_written_where_it_stands():
    """A mapping that stands twice, at two depths, reads as if it were two."""
    alert = WrittenOften(labels={"a": "one\ntwo"}, empty=[])
    value = {"first": [alert, alert], "second": {"deeper": [{"alerts": [alert]}, alert]}}
    assert yaml.load(text(value), yaml.CSafeLoader) == value
