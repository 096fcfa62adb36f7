"""Lint for ``{{ $labels.pod }}`` in an alert's text where the condition's series have no label `pod`: it would be
empty.

`rules.load` calls `find`, because it has the files for the caret.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from rules import condition, prometheus_template
from rules.alert_text import labels_named
from rules.condition import Selector
from rules.expression import syntax
from rules.kept_labels import ALL, NONE, KeptLabels, kept_labels
from rules.lint_catalog import doubt
from rules.nodes import Node
from rules.policy import BASIC, Place, Policy, Rule
from rules.problems import Problem
from rules.source import Sources
from rules.validate import locate, word_in

TEXTS = ("summary", "description")


def find(policy: Policy, root: Node, sources: Sources) -> Iterator[Problem]:
    """All labels in texts of rules that the rules' series cannot have."""
    written = {(rule.section, rule.name): rule for rule in policy.rules}
    known = _Series(policy)
    for section, node in _rules(root):
        rule = written.get((section, str(_value(node, "name"))))
        if rule is not None:
            yield from _of_rule(rule, node, known, sources)


def _rules(root: Node) -> Iterator[tuple[str, Node]]:
    """(section, node) of every detection rule."""
    for section in root.keys:
        way = (section, "detection", "rules") if section == BASIC else (section, "detection")
        node, _, reached = locate(root, way)
        if len(reached) == len(way) and isinstance(node.value, list):
            yield from ((section, each) for each in node.value)


def _value(node: Node, key: str) -> object:
    child = node.child(key)
    return child.value if child else None


def _of_rule(rule: Rule, node: Node, known: "_Series", sources: Sources) -> Iterator[Problem]:
    left = None
    own = dict(rule.labels)
    for field in TEXTS:
        text = node.child(field)
        if text is None or not isinstance(text.value, str):
            continue
        for words, label in labels_named(text.value):
            left = left or kept_labels(syntax(condition.parse(rule.condition).expr), known.labels)
            if label not in own and not left.has(label):
                mark = word_in(text, words, sources)
                yield Problem(*mark, f"{field}: `{words}` would be empty: {_why(label, left.beside(_only(own)))}")
    yield from _in_annotations(rule, node, known, sources)


def _in_annotations(rule: Rule, node: Node, known: "_Series", sources: Sources) -> Iterator[Problem]:
    """The same for Prometheus templates; only a warning, because they may have been adopted."""
    annotations = node.child("annotations")
    for name, text in annotations.entries().items() if annotations else ():
        for words, label in prometheus_template.labels_named(text.raw):
            left = kept_labels(syntax(condition.parse(rule.condition).expr), known.labels)
            if not left.has(label):
                path, line, column = word_in(text, words, sources)
                message = f'"{rule.name}", `{name}`: `{words}` is always empty: {_why(label, left)}'
                yield doubt("empty-label", Place(path, line, column), message)


def _only(names: Iterable[str]) -> KeptLabels:
    return KeptLabels(frozenset(names))


def _why(label: str, left: KeptLabels) -> str:
    if left.all_but:
        return f"the condition takes the label `{label}` away; all but {_listed(left.names)} remain"
    if not left.names:
        return f"the condition leaves no label: keep it with `by ({label})`"
    return f"the condition leaves no label `{label}`; what remains: {_listed(left.names)}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


class _Series:
    """The labels of recorded metrics; all others may have any labels."""

    def __init__(self, policy: Policy) -> None:
        self._recorded: dict[str, list[tuple[str, Iterable[str]]]] = defaultdict(list)
        for signal in policy.signals:
            if signal.expr is not None:
                self._recorded[signal.name].append((signal.expr, ()))
        for each in policy.recordings:
            self._recorded[each.record].append((each.expr, dict(each.labels)))
        self._under_way: set[str] = set()

    def labels(self, asked: Selector) -> KeptLabels:
        """The labels that a metric's series can have; any for a metric that is recorded from itself."""
        name = asked.name
        if name in self._under_way or name not in self._recorded:
            return ALL
        self._under_way.add(name)
        found = NONE
        for expr, added in self._recorded[name]:
            found = found.beside(kept_labels(syntax(expr), self.labels).with_(added))
        self._under_way.discard(name)
        return found
