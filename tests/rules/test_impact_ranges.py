"""Which numbers an impact scale's words speak of, and what is said of those that speak of none."""

import pytest

from rules.impact_ranges import overlaps, ranges, read, unread
from rules.load import load_text

READ = {
    "0-5% revenue impact": (0.0, 0.05, True), ">50% revenue impact": (0.5, None, True), "5%-20%": (0.05, 0.2, True),
    "5 \u2013 20 % of it": (0.05, 0.2, True), "<5%": (0.0, 0.05, True), "50%+": (0.5, None, True),
    "0-5% - minor": (0.0, 0.05, True), "1.1-2.5%, at most": (0.011, 0.025, True),
    "0-100 users": (0.0, 100.0, False), "100-1,000 users": (100.0, 1000.0, False), ">1000": (1000.0, None, False),
    "≥ 10 MW": (10.0, None, False), "more than 500 flights": (500.0, None, False), "under 5 users": (0.0, 5.0, False),
    "1000+ users": (1000.0, None, False), "10 or more": (10.0, None, False), "$1,000-$5,000": (1000.0, 5000.0, False),
    "0.05-0.2": (0.05, 0.2, False), "0 to 5 hours": (0.0, 5.0, False),
}  # fmt: skip
NOT_READ = (
    "Minor complaints", "P1", "Tier 1 customers", "5%", "20-5%", "10k users", "0-5m", ">=10 000 users", "1-10 000",
    "-5-10", "2-3-4", "2026-11-02", "24-hour outage", "1.2.3-4", "",
)  # fmt: skip


@pytest.mark.parametrize(("words", "expected"), READ.items(), ids=READ)
def test_a_range_at_the_beginning_is_read(words, expected):
    """Percentages as ratios, plain numbers as they stand, with or without an upper end."""
    low, high, percent = expected
    assert read(words) == (pytest.approx(low), None if high is None else pytest.approx(high), percent)


@pytest.mark.parametrize("words", NOT_READ)
def test_no_number_is_guessed(words):
    """What is no range in whole numbers and % is words: half a number would be worse than none."""
    assert read(words) is None


def scale(*words):
    """(grade, words) of a scale."""
    return tuple(zip(("low", "medium", "high", "critical"), words, strict=True))


RANGES = {
    "percentages": (("0-5% x", "5-20%", "20-50%", ">50%"), ((0, 0.05), (0.05, 0.2), (0.2, 0.5), (0.5, None))),
    "counts, which leave holes": (("0-10", "11-100", "101-1,000", ">1,000"), ((0, 10), (10, 100), (100, 1000), (1000, None))),
    "less is worse": ((">90%", "70-89%", "50-69%", "<50%"), ((0.9, None), (0.7, 0.9), (0.5, 0.7), (0, 0.5))),
    "words": (("minor", "moderate", "bad", "worst"), ()),
}  # fmt: skip


@pytest.mark.parametrize(("words", "expected"), RANGES.values(), ids=RANGES)
def test_a_scale_leaves_no_hole(words, expected):
    """What lies between the end of a range and the beginning of the next is of the worse grade."""
    assert tuple(each[1:] for each in ranges(scale(*words))) == expected


def test_what_is_no_range_is_said():
    """A grade that numbers cannot reach is named, with what to write; so is a number that has two grades."""
    assert [grade for grade, _ in unread(scale("0-5%", "5-20", "20-50%", "lots"))] == ["medium", "critical"]
    assert [grade for grade, _ in unread(scale("minor", "moderate", "10k users", "worst"))] == ["high"]
    assert unread(scale("minor", "moderate", "bad", "P1")) == unread(scale("0-1", "1-2", "2-3", ">3")) == []
    assert [(a[0], b[0]) for a, b in overlaps(ranges(scale("0-10", "5-20", "20-50", ">50")))] == [("low", "medium")]


def test_the_lint_stands_at_the_grade():
    """`check` tells the line of the grade, and what could stand there."""
    found = load_text(
        "incident_response:\n  alert_channels:\n    - {name: email, type: email, recipients: [a@example.com]}\n"
        "business_incident_response:\n  impact_assessment:\n    - name: users\n      thresholds:\n"
        '        low: "0-100 users"\n        medium: "100-1k users"\n        high: "1,000-5,000"\n        critical: ">5,000"\n'
    )
    [problem] = [each for each in found.warnings if each.name == "impact-range"]
    assert problem.line == 9
    assert '"users", medium: no number is graded so, its number cannot be read' in problem.message
    assert '"100-1,000 users"' in problem.message
