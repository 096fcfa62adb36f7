"""Conditions: what is accepted means what it says, what cannot work is refused with its place."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rules.condition import Comparison, ConditionError, parse
from rules.prometheus_versions import require_known

ACCEPTED = {
    "a comparison": ("safety_margin < 0.95", "safety_margin < 0.95", ("safety_margin",)),
    "a bare signal": ("slo_violation_detected", "slo_violation_detected > 0", ("slo_violation_detected",)),
    "a bare signal in parentheses": ("(a)", "(a) > 0", ("a",)),
    "a bare signal with labels": ('a{job="x"}', 'a{job="x"} > 0', ("a",)),
    "a bare signal with a comment": ("a # why", "a # why\n> 0", ("a",)),
    "a number on the left": ("0.9 > a", "0.9 > a", ("a",)),
    "upper-case operators": ("a > 1 AND b > 2", "a > 1 AND b > 2", ("a", "b")),
    "a rate": ("rate(errors_total[5m]) > 0.1", "rate(errors_total[5m]) > 0.1", ("errors_total",)),
    "a difference with spaces": ("a - b > 1", "a - b > 1", ("a", "b")),
    "what must hold, turned round": ("a unless a >= 0.99", "a unless a >= 0.99", ("a",)),
    "absence": ("absent(a)", "absent(a)", ("a",)),
    "a count of what fails": ("count(a > 1)", "count(a > 1)", ("a",)),
    "several lines": ("a\n  > 1", "a\n  > 1", ("a",)),
    "hexadecimal": ("a > 0x1F", "a > 0x1F", ("a",)),
    "an exponent": ("a < 1e-3", "a < 1e-3", ("a",)),
    "an offset": ("a offset 5m > 1", "a offset 5m > 1", ("a",)),
    "a subquery": ("avg_over_time(a[5m:1m]) > 1", "avg_over_time(a[5m:1m]) > 1", ("a",)),
    "age of a timestamp": ("time() - a > 3600", "time() - a > 3600", ("a",)),
}

REFUSED = {
    "nothing": ("  ", 0, "empty"),
    "words": ("safety_margin is low", 14, "cannot be read"),
    "an operand missing": ("a <", 3, "cannot be read"),
    "a typo of an operator": ("a << 1", 2, "cannot be read"),
    "an open parenthesis": ("sum(a", 3, "unclosed"),
    "C's and": ("a > 1 && b > 2", 6, "'&&' is 'and'"),
    "a number": ("5", 0, "one number"),
    "a string": ('"x"', 0, "string"),
    "a range": ("a[5m]", 0, "range of samples"),
    "a constant vector": ("vector(1)", 0, "names no signal"),
    "a scalar": ("scalar(a)", 0, "one number"),
    "a name with a hyphen": ("ml-accuracy < 1", 0, "ml_accuracy"),
    "a name with a hyphen, later": ("a > 1 and ml-accuracy < 1", 10, "ml_accuracy"),
    "true": ("a == true", 5, "name of a metric"),
    "False": ("a == False", 5, "name of a metric"),
    "NaN": ("a == NaN", 5, "NaN"),
    "no metric": ('{job="x"} > 1', 0, "names no metric"),
    "an expression that always has a value": ("rate(a[5m])", 0, "always alert"),
    "bool": ("a > bool 1", 0, "always alert"),
    "a bare signal beside a comparison": ("a > 1 or b", 0, "always alert"),
    "a duration for a number": ("a > 5m", 4, "duration"),
    "milliseconds for a number": ("100ms < a", 0, "duration"),
    "a range without unit": ("rate(a[5]) > 1", 7, "5s"),
    "an offset without unit": ("a offset 5 > 1", 9, "5s"),
    "a quoted name": ('{"a"} > 1', 1, "quoted"),
    "a newer aggregation": ("limitk(1, a) > 1", 0, "limitk"),
    "a newer function": ("mad_over_time(a[5m]) > 1", 0, "mad_over_time"),
    "a newer modifier": ("a > fill(0) b", 4, "fill"),
    "or between labels": ('a{x="1" or x="2"} > 1', 8, "braces"),
}


@pytest.mark.parametrize(("text", "expr", "signals"), ACCEPTED.values(), ids=ACCEPTED)
def test_what_is_accepted_stays_as_written(text, expr, signals):
    """A condition is kept verbatim; only a bare signal gains `> 0`; the signals it reads are known."""
    condition = parse(text)
    assert (condition.expr, condition.signals) == (expr, signals)


@pytest.mark.parametrize(("text", "offset", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_work_is_refused(text, offset, words):
    """A condition that cannot work is an error that says why, and where the caret goes."""
    with pytest.raises(ConditionError) as refusal:
        require_known(parse(text).text, None)
    assert words in str(refusal.value)
    assert refusal.value.offset == offset


def test_a_number_on_the_left_is_turned_round():
    """`0.9 > a` is the comparison `a < 0.9`."""
    assert parse("0.9 > a").comparison == Comparison("<", 0.9, "a")


def test_absence_needs_no_twin():
    """A condition about absence does not watch the signal whose absence it is about."""
    assert parse("absent(a)").watched == ()
    assert [str(each) for each in parse('a{job="x"} > 1').watched] == ['a{job="x"}']


@pytest.mark.parametrize(
    "text",
    ["a > safety_limit", "sum by (pod) (a) > 1 and sum by (node) (b) < 2"],
)
def test_what_is_probably_not_meant_is_warned_of(text):
    """Comparing two metrics, or joining two whose labels cannot be the same, parses but rarely means what it looks like."""
    assert parse(text).doubts


@pytest.mark.parametrize("text", ["a > on() b", "a > 1 and b < 2", "sum by (pod) (a) > 1 and max by (pod) (b) < 2"])
def test_ordinary_conditions_are_not_warned_of(text):
    """Series that may well have the same labels are joined every day."""
    assert parse(text).doubts == ()


def test_promtool_accepts_whatever_we_accept(promtool, tmp_path):
    """Every accepted condition is an alert that the oldest supported Prometheus takes."""
    rules = [
        {"alert": "A", "expr": parse(text).expr, "labels": {"n": str(n)}}
        for n, (text, *_) in enumerate(ACCEPTED.values())
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": rules}]}))
    answer = promtool("check", "rules", "--lint=all", "--lint-fatal", file)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize(
    "text",
    [
        text
        for text, _, words in REFUSED.values()
        if words in {"duration", "5s", "quoted", "limitk", "mad_over_time", "fill", "braces"}
    ],
)
def test_promtool_refuses_what_we_call_newer(promtool, tmp_path, text):
    """What promql-parser takes and we refuse as too new, promtool refuses as well."""
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": [{"alert": "A", "expr": text}]}]}))
    assert promtool("check", "rules", file).returncode != 0


@given(st.text(alphabet="ab01 ()[]{}<>=!~+-*/\"'`#.,:@_msxe\nÄ", max_size=30))
def test_any_text_is_accepted_or_refused_in_words(text):
    """No text makes the parser fail otherwise than with a ConditionError whose offset lies in the text."""
    try:
        condition = parse(text)
    except ConditionError as error:
        assert str(error)  # noqa: PT017 - both outcomes are fine
        assert 0 <= error.offset <= len(text)  # noqa: PT017 - both outcomes are fine
    else:
        assert condition.sources
