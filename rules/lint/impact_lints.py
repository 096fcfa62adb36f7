"""Doubts about impact scales: grades with numbers but without a range, and overlapping ranges.

`rules.lint.document_lints` calls `find`.
"""

from collections.abc import Iterator

from rules import impact_ranges
from rules.document import PolicyDocument
from rules.document.incident_response import ImpactScaleSpec
from rules.lint_catalog import doubt
from rules.nodes import Node
from rules.problems import Problem
from rules.validate import place_of


def find(document: PolicyDocument, root: Node) -> Iterator[Problem]:
    """All such doubts, at the grade."""
    for section, content in document.sections.items():
        for index, scale in enumerate(content.impact_assessment):
            way = (section, "impact_assessment", index, "thresholds")
            for grade, message in _doubts(scale):
                yield doubt("impact-range", place_of(root, *way, grade), f'"{scale.name}", {message}')


def _doubts(scale: ImpactScaleSpec) -> Iterator[tuple[str, str]]:
    """(grade, message)."""
    words = scale.thresholds.words
    for grade, why in impact_ranges.unread(words):
        yield grade, f"{grade}: no number is graded so, {why}"
    for one, other in impact_ranges.overlaps(impact_ranges.ranges(words)):
        yield other[0], f"{one[0]} and {other[0]} both hold {_shared(one, other)}: which is meant?"


def _shared(one: impact_ranges.Range, other: impact_ranges.Range) -> str:
    ends = [each for each in (one[2], other[2]) if each is not None]
    return f"{other[1]:g} to {min(ends):g}" if ends else f"all above {other[1]:g}"
