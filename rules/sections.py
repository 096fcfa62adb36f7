"""The hierarchy of sections: the parent of a section, or of a rule of the basic section.

What applies to incidents of the parent (procedures, `critical_threshold`, stakeholders) also applies to those of the
child. `rules.meaning` uses `under`, `rules.lint.document_lints` reports the results of `find`.
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
    """(section, parent) for every section with a parent; then for every rule of the basic section that reads a signal
    of a section's rules: the guide's `safety_critical_failure` reads the safety margin, as the safety section does. Of
    several sections the uppermost counts.
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
    """The parent of a section; empty: only the basic section, which applies to every incident."""
    written = document.sections[name].extends
    if written is not None:
        return "" if written == BASIC else written
    usual = (each for each in document.sections if name.endswith(f"_{each}") and {each, name} <= GUIDE_SECTIONS)
    return next(usual, "")


def _signals(rule: Rule) -> tuple[str, ...]:
    return condition.parse(rule.condition).signals


def find(document: PolicyDocument, root: Node) -> Iterator[Problem]:
    """Sections whose parent does not exist, or that are their own ancestor."""
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
