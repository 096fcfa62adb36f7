"""Durations and placeholders: the small words of a policy, and how they are read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.document import PolicyDocument
from rules.durations import LONGEST, as_spelled, format_duration, in_words, parse, spellings
from rules.load import load, load_text
from rules.placeholders import PLACEHOLDERS, TemplateError, kind
from rules.policy import HOUR, MINUTE, SECOND
from rules.rendering import placeholders

READ = {
    "15m": 15 * MINUTE,
    "24h": 24 * HOUR,
    "1d": 24 * HOUR,
    "1w2d": 9 * 24 * HOUR,
    "1h30m": 90 * MINUTE,
    "90s": 90 * SECOND,
    "500ms": SECOND // 2,
    "0": 0,
    " 5m ": 5 * MINUTE,
}


@pytest.mark.parametrize(("text", "micros"), READ.items())
def test_durations_are_read_as_prometheus_writes_them(text, micros):
    """Every unit, combined from the large to the small, gives exactly its microseconds."""
    assert parse(text) == micros


@pytest.mark.parametrize(
    "text", ["", "m", "5", "-5m", "1.5h", "30m1h", "5 m", "5M", "\u0661m", "5m5m", "9" * 50 + "s", "11y"]
)
def test_what_is_no_duration_is_refused(text):
    """Anything else is an error in words, never a guess."""
    with pytest.raises(ValueError, match=r"duration|longer"):
        parse(text)


@given(st.integers(min_value=0, max_value=LONGEST // 1000).map(lambda milliseconds: milliseconds * 1000))
def test_a_duration_is_read_back_from_its_spelling(micros):
    """Formatting loses nothing down to the millisecond."""
    assert parse(format_duration(micros)) == micros


@pytest.mark.parametrize(
    ("micros", "text"),
    [(15 * MINUTE, "15m"), (24 * HOUR, "1d"), (90 * MINUTE, "1h30m"), (0, "0s"), (-5 * MINUTE, "-5m")],
)
def test_durations_are_shown_short(micros, text):
    """People and Prometheus read the same, shortest spelling."""
    assert format_duration(micros) == text


def test_every_placeholder_of_the_guide_is_known_and_no_other():
    """The placeholders are those of the guide's three templates and `next_update`, each with its meaning."""
    templates = load().templates
    texts = [
        text
        for each in (templates.initial, templates.update, templates.resolution)
        for text in (each.subject, each.body)
    ]
    assert {name for text in texts for name in placeholders(text)} == set(PLACEHOLDERS) - {"next_update"}
    assert all(PLACEHOLDERS.values())


NAMED = {
    "braces": ("{severity}: {status}", ("severity", "status")),
    "twice": ("{status} {status}", ("status",)),
    "JSON stays": ('{"a": 1} { } {}', ()),
    "Jinja2": ("{{ severity }} {% if root_cause %}{{ root_cause }}{% endif %}", ("root_cause", "severity")),
    "Jinja2 variable of its own": ("{% set a = status %}{{ a }}", ("status",)),
    "Jinja2 comment": ("{# {unknown} #}{{ status }}", ("status",)),
    "format specification": ("{severity!r}", ("severity!r",)),
}


@pytest.mark.parametrize(("text", "names"), NAMED.values(), ids=NAMED)
def test_placeholders_are_found_in_both_ways_of_writing(text, names):
    """``{name}`` and Jinja2 are told apart, and each says which placeholders it needs."""
    assert placeholders(text) == names
    assert kind(text) == ("jinja" if "{{" in text or "{%" in text else "braces")


def test_a_template_that_mixes_both_ways_is_refused():
    """A ``{severity}`` that Jinja2 would leave as it stands is an error that says what to write."""
    with pytest.raises(TemplateError, match=r"write \{\{ severity \}\}"):
        placeholders("{{ status }} {severity}")


def test_the_schema_explains_every_addition():
    """The JSON schema closes every section to unknown keys, allows ``x-``, and describes what Tocsin adds."""
    schema = PolicyDocument.model_json_schema()
    assert schema["additionalProperties"] is False
    assert "_incident_response$" in schema["patternProperties"]
    for name in ("signals", "fallback", "default_severity", "severity_aliases", "contact_information", "impact_raises"):
        assert schema["properties"][name]["description"]
    for name in ("resolve_after", "resolution", "confirmations", "escalates_to", "update_interval", "impact"):
        assert schema["$defs"]["SeverityLevel"]["properties"][name]["description"]


SAID = {
    "72h": "72 hours",
    "3d": "3 days",
    "1h30m": "1 hour 30 minutes",
    "1w": "1 week",
    "90m": "90 minutes",
    "1d": "1 day",
}


@pytest.mark.parametrize(("written", "said"), SAID.items())
def test_a_policy_is_told_in_its_own_units(written, said):
    """The law's 72 hours are not 3 days, nor a policy's 90 minutes an hour and a half."""
    assert in_words(as_spelled(parse(written), spellings(["a text", written, ""]))) == said


def test_what_is_spelled_in_two_ways_has_the_shortest_spelling():
    """The policy does not say then which of them is meant; a duration without a spelling has it too."""
    assert as_spelled(72 * HOUR, spellings(["72h", "3d"])) == "3d"
    assert as_spelled(72 * HOUR, ()) == "3d"


def test_a_policy_knows_how_its_durations_are_spelled():
    """Those of its own files, and of the packs where it leaves something out."""
    own = "incident_response: {alert_channels: [{name: chat, type: slack, channel: '#ops'}]}\nretention: 72h\n"
    assert as_spelled(72 * HOUR, load_text(own).policy.spellings) == "72h"
    assert as_spelled(24 * HOUR, load().spellings) == "24h"
