"""A rule's words name no label that the condition takes away: it would read empty at night."""

import pytest

from rules.alert_text import labels_named
from rules.expression import syntax
from rules.kept_labels import ALL, kept_labels
from rules.load import load_text
from rules.problems import PolicyError

KEPT = {
    "a metric": ("a", "x y", ""),
    "a metric without a label": ('a{x=""}', "y", "x"),
    "by": ("sum by (x) (a)", "x", "y"),
    "by, then by": ("sum by (x, y) (sum by (x) (a))", "x", "y"),
    "without": ("sum without (x) (a)", "y", "x"),
    "no grouping": ("sum(a)", "", "x"),
    "within a function": ("abs(sum by (x) (a))", "x", "y"),
    "a subquery": ("max_over_time(sum by (x) (a)[5m:1m])", "x", "y"),
    "the first ones": ("topk by (x) (3, a)", "x y", ""),
    "values counted": ('count_values("y", a)', "y", "x"),
    "a quantile of buckets": ("histogram_quantile(0.9, rate(a[5m]))", "x", "le"),
    "a label set": ('label_replace(sum(a), "x", "$1", "y", "(.*)")', "x", "y"),
    "absent": ('absent(a{x="1", y=~"2"})', "x", "y"),
    "a comparison with a number": ("sum by (x) (a) > 1", "x", "y"),
    "a number on the left": ("1 < sum by (x) (a)", "x", "y"),
    "on": ("a / on (x) b", "x", "y"),
    "ignoring": ("a / ignoring (x) b", "y", "x"),
    "many to one": ("a * on (x) group_left (z) sum by (x, z) (b)", "x y z", ""),
    "one to many": ("sum by (x) (a) * on (x) group_right () b", "x y", ""),
    "both sides": ("sum by (x) (a) / sum by (x) (b)", "x", "y"),
    "and": ("sum by (x) (a) > 1 and on () b", "x", "y"),
    "or": ("sum by (x) (a) > 1 or sum by (y) (b) > 1", "x y", "z"),
    "or, of anything": ("a > 1 or sum by (y) (b) > 1", "x y", ""),
    "or, without one": ("sum without (x) (a) > 1 or sum by (y) (b) > 1", "y z", "x"),
}


@pytest.mark.parametrize(("expression", "kept", "gone"), KEPT.values(), ids=KEPT)
def test_labels_that_an_expression_keeps(expression, kept, gone):
    """As Prometheus evaluates it; where the metric is not known it may have any."""
    left = kept_labels(syntax(expression), lambda _: ALL)
    assert all(map(left.has, kept.split()))
    assert not any(map(left.has, gone.split()))


POLICY = """
signals:
  low_margin: {{expr: "min by (system) (margin)"}}
incident_response:
  alert_channels: [{{name: mail, type: email, recipients: [a@b.example]}}]
  detection:
    rules:
      - name: low
        condition: {condition}
        severity: 3
        labels: {{team: flight}}
        {field}: "Unit {{{{ $labels.{label} }}}} is low"
"""

LOST = {
    "aggregated away": ("sum by (system) (margin) < 1", "unit", "what remains: `system`, `team`"),
    "no label left": ("sum(margin) < 1", "unit", "what remains: `team`"),
    "through a signal": ("low_margin < 1", "unit", "what remains: `system`, `team`"),
    "taken away": ("sum without (unit) (margin) < 1", "unit", "takes the label `unit` away"),
}


@pytest.mark.parametrize("field", ["summary", "description"])
@pytest.mark.parametrize(("condition", "label", "says"), LOST.values(), ids=LOST)
def test_a_label_that_is_gone_is_refused_with_a_caret(condition, label, says, field):
    """In `summary` and `description`, with the labels that remain, and the caret under the braces."""
    text = POLICY.format(condition=condition, label=label, field=field)
    with pytest.raises(PolicyError) as caught:
        load_text(text, "policy.yaml")
    [problem] = [each for each in caught.value.problems if each.severity == "error"]
    assert says in problem.message
    line = text.splitlines()[problem.line - 1]
    assert line[problem.column - 1 :].startswith("{{ $labels.unit }}")


@pytest.mark.parametrize(
    ("condition", "label"),
    [
        ("sum by (unit) (margin) < 1", "unit"),
        ("low_margin < 1", "system"),
        ("margin < 1", "unit"),
        ("sum(margin) < 1", "team"),
    ],
)
def test_a_label_that_is_there_is_taken(condition, label):
    """Kept by the condition, by the signal that it reads, or set by the rule itself."""
    assert load_text(POLICY.format(condition=condition, label=label, field="summary"), "policy.yaml").policy.rules


def test_each_label_is_found():
    """With the words that the file shows."""
    assert [*labels_named("{{$labels.a}} {{ $value }} {{ $labels.b_c }}")] == [
        ("{{$labels.a}}", "a"),
        ("{{ $labels.b_c }}", "b_c"),
    ]
