"""Framework system configurations → Systems.

Called by `rules.load` for every document that is one (`is_system`). The framework has several notations for the same
thing (`alerts` alone has four); all of them are handled here. Unused parts are listed and never refused; only the used
parts must be valid.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from rules import condition
from rules.document.framework_system import AlertSpec, SloSpec, SystemSpec, ThresholdSpec, WatchSpec
from rules.document.values import Vocabulary
from rules.merge import merge
from rules.nodes import Mark, Node, mapping
from rules.policy import Place, Policy
from rules.problems import Problem
from rules.source import Sources
from rules.system import AlertName, MonitoringRule, SafetyThreshold, Slo, System
from rules.validate import Model, validate

SIGNS = frozenset(
    ("system", "slos", "slo", "safety_thresholds", "monitoring", "collectors", "evaluators", "data_sources")
)
"""A document with any of these keys is a framework system configuration."""

VALIDATION = "slo.validation.rules"
"""Conditions under this heading must hold; those elsewhere describe faults."""

LISTS = ("monitoring", "error_budget_alerts", "compliance_alerts", "alerts")
"""Headings with rules and names, as a list or under `alerts:`."""

_CONFIGURATION = re.compile(r"\b[a-z_]+\.[a-z_]+\s*(==|!=|contains)", re.ASCII)
"""``system.type == 'aviation'`` is about the configuration, not about a metric."""


def is_system(document: Node) -> bool:
    """Whether a document is a framework system configuration."""
    return not SIGNS.isdisjoint(document.entries())


def read_systems(
    documents: Iterable[Node], vocabulary: Vocabulary, default_level: int, sources: Sources
) -> tuple[tuple[System, ...], tuple[str, ...]]:
    """The systems, and the unused parts of their configurations; documents of one system are merged.

    Faults in used parts go to `sources.problems`.
    """
    named: dict[str, list[Node]] = {}
    for document in documents:
        name = document.entries().get("system", document).entries().get("name")
        named.setdefault(name.raw if name else "", []).append(document)
    systems, unused = [], list[str]()
    for same in named.values():
        root = merge(same, sources.problems)
        assert root is not None
        reader = _Reader(root, vocabulary, default_level, sources, [])
        systems.append(reader.read())
        unused += (f"{systems[-1].name or 'a system without a name'}: {part}" for part in reader.unused)
    return tuple(systems), tuple(unused)


def unit_conflicts(documents: Iterable[Node], policy: Policy) -> Iterator[Problem]:
    """Business metrics in money or counts that a rule compares with a ratio, so that it would always fire."""
    told = {signal.name for signal in policy.signals if signal.expr or signal.unit}
    ratios = {}
    for rule in policy.rules:
        comparison = condition.parse(rule.condition).comparison
        if comparison and abs(comparison.threshold) <= 1 and comparison.subject not in told:
            ratios[comparison.subject] = rule
    for document in documents:
        for name, node in _entries(document.child("business_metrics")):
            target = node.child("target")
            if name in ratios and target and isinstance(target.value, int | float) and target.value > 1:
                rule = ratios[name]
                message = (
                    f"`{name}` is {target.raw} here, but a ratio in `{rule.condition}` ({rule.place}): "
                    f"say in `signals` which metric and unit the rule means"
                )
                yield Problem(*target.mark, message, "warning")


@dataclass(slots=True)
class _Reader:
    root: Node
    vocabulary: Vocabulary
    default_level: int
    sources: Sources
    unused: list[str]

    def read(self) -> System:
        node = self.root.child("system")
        spec = self.model(SystemSpec, node, "system") if node else None
        if node is None:
            self.warn(self.root.mark, "no `system: {name: …}` here: these alerts carry no `system` label")
        rules, alerts = self.watched()
        system = System(
            name=spec.name if spec else "",
            criticality=_criticality(spec.criticality if spec else ""),
            slos=tuple(self.slos()),
            safety_thresholds=tuple(self.thresholds()),
            monitoring_rules=tuple(rules),
            alerts=tuple(alerts),
            place=_place((node or self.root).mark, "system"),
        )
        for heading, parts in (("monitoring", ("rules", "alerts")), ("slo", ("alert_rules", "validation"))):
            self.unused += (f"{heading}.{key}" for key, _ in _entries(self.root.child(heading)) if key not in parts)
        used = {"system", "slos", "safety_thresholds", "monitoring", "slo", *LISTS}
        self.unused += (key for key in self.root.entries() if key not in used and not key.startswith("x-"))
        return system

    def slos(self) -> Iterator[Slo]:
        for name, node in _entries(self.root.child("slos")):
            spec = self.model(SloSpec, node, f"slos.{name}")
            if spec:
                yield Slo(
                    name,
                    spec.target,
                    spec.window,
                    _place(self.key("slos", name), f"slos.{name}"),
                    spec.description,
                    spec.direction,
                    spec.metric or "",
                    spec.safety_critical,
                    spec.compliance_standard,
                )

    def thresholds(self) -> Iterator[SafetyThreshold]:
        for name, node in _entries(self.root.child("safety_thresholds")):
            spec = self.model(ThresholdSpec, node, f"safety_thresholds.{name}")
            if spec:
                place = _place(self.key("safety_thresholds", name), f"safety_thresholds.{name}")
                yield SafetyThreshold(name, place, spec.min, spec.max, spec.description, spec.metric or "", spec.unit)

    def watched(self) -> tuple[list[MonitoringRule], list[AlertName]]:
        """Everything with a condition, and everything that is only a name."""
        rules: list[MonitoringRule] = []
        alerts: list[AlertName] = []
        for heading, item, level in self.listed():
            if not isinstance(item.value, dict | list | None):
                alerts.append(AlertName(item.raw, _place(item.mark, f"{heading}.{item.raw}"), level))
            elif item.child("condition"):
                rules += self.rule(item, heading, level)
            elif spec := self.model(AlertSpec, item, heading):
                given = spec.severity or spec.level or level
                alerts.append(
                    AlertName(spec.name, _place(item.mark, f"{heading}.{spec.name}"), given, spec.description)
                )
        return rules, alerts

    def listed(self) -> Iterator[tuple[str, Node, int]]:
        """(heading, item, default level) of every list of rules and names."""
        for heading, part in (("monitoring", "rules"), ("slo", "alert_rules"), *((each, "alerts") for each in LISTS)):
            for item in _items(self.root.child(heading), part):
                yield f"{heading}.{part}", item, self.default_level
        for item in _items(_child(self.root.child("slo"), "validation"), "rules"):
            yield VALIDATION, item, self.default_level
        for word, node in _entries(self.root.child("alerts")):
            level = self.vocabulary.rule_severities.get(word.lower())
            if level is None and word != "alerts":
                self.unused.append(f"alerts.{word}")
            for item in node.items() if level else ():
                yield f"alerts.{word}", item, level or self.default_level

    def rule(self, node: Node, heading: str, level: int) -> Iterator[MonitoringRule]:
        condition = node.entries()["condition"]
        if _CONFIGURATION.search(condition.raw):
            self.warn(condition.mark, "speaks of the configuration, not of a metric: this rule is left out")
            return
        spec = self.model(WatchSpec, node, heading)
        if spec is None:
            return
        unknown = [channel for channel in spec.channels if channel not in self.vocabulary.channels]
        self.unused += (f"{heading}.{spec.name}: the channel {channel}" for channel in unknown)
        yield MonitoringRule(
            name=spec.name,
            condition=spec.condition,
            place=_place(condition.mark, f"{heading}.{spec.name}.condition"),
            level=spec.severity or level,
            window=spec.window,
            hold=spec.duration,
            must_hold=heading == VALIDATION,
            channels=tuple(channel for channel in spec.channels if channel not in unknown),
            description=spec.description,
        )

    def model(self, model: type[Model], node: Node, where: str) -> Model | None:
        if not isinstance(node.value, dict):
            self.sources.problems.append(Problem(*node.mark, f"{where} must be a mapping, not {node.kind}"))
            return None
        self.unused += (f"{where}.{key}" for key in node.value if key not in model.model_fields)
        return validate(model, node, self.vocabulary, self.sources, where)

    def key(self, section: str, name: str) -> Mark:
        return self.root.entries()[section].keys[name]

    def warn(self, mark: Mark, message: str) -> None:
        self.sources.problems.append(Problem(*mark, message, "warning"))


def _child(node: Node | None, key: str) -> Node | None:
    return node.child(key) if node else None


def _entries(node: Node | None) -> list[tuple[str, Node]]:
    return list(node.entries().items()) if node else []


def _items(node: Node | None, part: str) -> list[Node]:
    """The items of a list, or of the list under `part`; ``{name: {…}}`` counts as a list of named items."""
    if node is None:
        return []
    inner = node.child(part) if isinstance(node.value, dict) else node
    if inner is None:
        return []
    if isinstance(inner.value, dict):
        return [
            _named(key, inner.keys[key], entry) for key, entry in inner.value.items() if isinstance(entry.value, dict)
        ]
    return inner.items()


def _named(name: str, mark: Mark, node: Node) -> Node:
    return mapping(mark, {"name": Node(mark, name, name), **node.entries()}, {"name": mark, **node.keys})


def _criticality(text: str) -> Literal["safety_critical", "business_critical", ""]:
    """The framework's enumeration has underscores, its documentation hyphens."""
    match text.lower().replace("-", "_"):
        case "safety_critical":
            return "safety_critical"
        case "business_critical":
            return "business_critical"
        case _:
            return ""


def _place(mark: Mark, pointer: str) -> Place:
    return Place(mark.path, mark.line, mark.column, pointer)
