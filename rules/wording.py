"""The names, labels and texts of compiled alerts. Text from the policy is escaped, because Prometheus would evaluate
``{{`` in it.
"""

from dataclasses import dataclass

import promql_parser as promql

from rules.alert_text import escaped, filled, value_shown
from rules.condition import Condition
from rules.expression import is_label_name, nodes, syntax
from rules.groups import Pairs
from rules.matchers import quoted
from rules.policy import Policy, Rule, Signal
from rules.reserved import SEVERITY

UNSAID = frozenset(("", "ratio"))
"""Units that sentences omit."""

SAID = {"<": "below ", "<=": "at most ", ">": "above ", ">=": "at least ", "==": "", "!=": "not "}
"""Comparison operators as words."""

UNIT_KEPT = frozenset(f"{over}_over_time" for over in ("avg", "min", "max", "last", "quantile", "sum")) | {
    "abs",
    "ceil",
    "floor",
    "round",
}
"""Functions whose result has the unit of their argument."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A detection rule with its parsed condition."""

    rule: Rule
    condition: Condition

    @property
    def signal(self) -> str:
        """The alert's signal: alerts of one signal form one incident."""
        return self.rule.signal or self.condition.sources[0].name

    @property
    def text(self) -> str:
        """The condition on one line, for use in a sentence."""
        return escaped(" ".join(self.rule.condition.split()))


def camel_case(name: str) -> str:
    """``safety_margin_violation`` → ``SafetyMarginViolation``: the form of alert names."""
    words = "".join(letter if letter.isalnum() else " " for letter in name).split()
    return "".join(word[0].upper() + word[1:] for word in words) or name


def labels(policy: Policy, reading: Reading, further: dict[str, str]) -> Pairs:
    """The labels of every compiled alert of a rule, and `further` ones, which win."""
    rule = reading.rule
    common = {name: escaped(value) for name, value in rule.labels} | {
        "incident_type": escaped(rule.name),
        "section": escaped(rule.section),
        SEVERITY: escaped(dict(rule.labels).get(SEVERITY, policy.level(rule.level).name)),
        "severity_level": str(rule.level),
        "signal": escaped(reading.signal),
    }
    if rule.immediate:
        common["immediate"] = "true"
    return tuple(sorted((common | further).items()))


def annotations(rule: Rule, **texts: str) -> Pairs:
    """A rule's annotations. Callers escape each text, because some contain templates; the condition is escaped here."""
    if "condition" in texts:
        texts["condition"] = escaped(texts["condition"])
    if rule.runbook_url:
        texts["runbook_url"] = escaped(rule.runbook_url)
    texts["source"] = escaped(rule.place.pointer if rule.place and rule.place.pointer else rule.section)
    return tuple(sorted(texts.items()))


def sentence(reading: Reading) -> str:
    """The rule's description, filled, with a full stop and a space; empty if it has none."""
    rule = reading.rule
    text = filled(rule.description.strip(), dict(rule.labels), reading.condition.limit)
    return text and (f"{text} " if text[-1] in ".!?" else f"{text}. ")


def value(reads: Condition, unit: str) -> str:
    """The meaning of the alert's value."""
    shown = value_shown(reads.limit)
    said = f"{shown} {escaped(unit)}" if unit not in UNSAID else shown
    if reads.comparison:
        return f"{escaped(reads.comparison.subject)} is {said}."
    return f"The condition's value is {said}."


def statement(reading: Reading, signal: Signal | None, unit: str) -> str:
    """What holds while the rule fires, with place and value: ``safety_margin is below 0.95 on landing-7: 0.91``.

    Empty if the condition is not a comparison with a number.
    """
    reads = reading.condition
    if reads.comparison is None:
        return ""
    units = f" {escaped(unit)}" if unit not in UNSAID else ""
    limit = repr(reads.comparison.threshold).removesuffix(".0")
    subject = escaped(" ".join(reads.comparison.subject.split()))
    holds = f"{subject} is {SAID[reads.comparison.op]}{limit}{units}{where(reading.rule, signal)}"
    return holds if reads.comparison.op == "==" else f"{holds}: {value_shown(reads.limit)}{units}"


def where(rule: Rule, signal: Signal | None) -> str:
    """The system and its unit, if the policy or the series have them."""
    identity = signal.identity if signal else None
    system = dict(rule.labels).get("system", "")
    named = "$labels.system" if identity is not None else "or $labels.system $labels.instance"
    on = f" on {escaped(system)}" if system else f"{{{{ with {named} }}}} on {{{{ . }}}}{{{{ end }}}}"
    units = (name for name in identity or () if name != "system")
    return on + "".join(f"{{{{ with {_reference(name)} }}}}, {name} {{{{ . }}}}{{{{ end }}}}" for name in units)


def _reference(label: str) -> str:
    return f"$labels.{label}" if is_label_name(label) else f"index $labels {quoted(label)}"


def unit_of(reads: Condition, signal: Signal | None) -> str:
    """The unit of the alert's value: the signal's, unless a computation changes it; empty: unknown."""
    if signal is None or len(reads.sources) != 1 or reads.comparison is None:
        return ""
    return signal.unit if all(map(_keeps_unit, nodes(syntax(reads.comparison.subject)))) else ""


def _keeps_unit(node: promql.Expr) -> bool:
    match node:
        case promql.Call():
            return node.func.name in UNIT_KEPT
        case promql.AggregateExpr():
            return str(node.op) in {"sum", "avg", "min", "max", "topk", "bottomk"}
        case _:
            return isinstance(node, promql.VectorSelector | promql.MatrixSelector | promql.ParenExpr)
