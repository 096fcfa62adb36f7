"""Sections under sections: which section a section, or a rule of the basic section, is under.

What concerns incidents of the upper one (procedures, `critical_threshold`, stakeholders) concerns those of the lower
one too. `rules.meaning` takes `under`, `rules.lint.document_lints` tells what `find` finds.
"""

from collections.abc import Iterable, Iterator

from rules import condition
from rules.document import GUIDE_SECTIONS, PolicyDocument
from rules.document.values import suggest
from rules.nodes import Node
from rules.policy import BASIC, Rule
from rules.problems import Problem
from rules.validate import place_of


def under(document: PolicyDocument, rules: Iterable[Rule]) -> Iterator[tuple[str, str]]:
    """Every section that is under another, then every rule of the basic section that reads what a section's rules
    read: the guide's `safety_critical_failure` is about the safety margin, and so is the safety section. Where several
    do, the upper one.
    """
    above = {name: parent for name in document.sections if (parent := _parent(document, name))}
    yield from above.items()
    readers: dict[str, list[str]] = {}
    for rule in rules:
        for signal in _signals(rule):
            readers.setdefault(signal, []).append(rule.section)
    for rule in rules:
        sections = [each for signal in _signals(rule) for each in readers[signal] if each != BASIC]
        found = next((each for each in sections if above.get(each) not in sections), "")
        if rule.section == BASIC and found:
            yield rule.key, found


def _parent(document: PolicyDocument, name: str) -> str:
    """The section that one is under; empty: none but the basic one, which concerns every incident."""
    written = document.sections[name].extends
    if written is not None:
        return "" if written == BASIC else written
    usual = (each for each in document.sections if name.endswith(f"_{each}") and {each, name} <= GUIDE_SECTIONS)
    return next(usual, "")


def _signals(rule: Rule) -> tuple[str, ...]:
    return condition.parse(rule.condition).signals


def find(document: PolicyDocument, root: Node) -> Iterator[Problem]:
    """Sections that are under one that does not exist, or under themselves."""
    for name in document.sections:
        parent = document.sections[name].extends
        place = place_of(root, name, "extends")
        if parent is not None and parent not in {BASIC, *document.sections}:
            hint = suggest(parent, (BASIC, *document.sections))
            yield Problem.at(place, f"extends: there is no section `{parent}`{hint}")
        way = [name]
        while (above := _parent(document, way[-1]) if way[-1] in document.sections else "") and above not in way:
            way.append(above)
        if above == name:
            yield Problem.at(place, f"extends: `{name}` would be under itself ({' under '.join([*way, name])})")
