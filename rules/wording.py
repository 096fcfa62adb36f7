"""The names, labels and words of compiled alerts. What people wrote is escaped: Prometheus would run ``{{`` in it."""

from dataclasses import dataclass

from rules.condition import Condition
from rules.groups import Pairs
from rules.policy import Policy, Rule, Signal

VALUE = '{{ printf "%.4g" $value }}'
"""The expression's value in a sentence."""

MEASURED = '{{ printf "%.10g" $value }}'
"""The expression's value for programs, in the annotation `value`."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A detection rule with its condition read."""

    rule: Rule
    condition: Condition

    @property
    def signal(self) -> str:
        """What the alert's incident is about: alerts of one signal are one incident."""
        return self.rule.signal or self.condition.sources[0].name

    @property
    def text(self) -> str:
        """The condition on one line, for a sentence."""
        return escaped(" ".join(self.rule.condition.split()))


def camel_case(name: str) -> str:
    """``safety_margin_violation`` → ``SafetyMarginViolation``: how alerts are called."""
    words = "".join(letter if letter.isalnum() else " " for letter in name).split()
    return "".join(word[0].upper() + word[1:] for word in words) or name


def escaped(text: str) -> str:
    """People's text for a label or an annotation, where Prometheus would run ``{{`` as a template."""
    return text.replace("{{", "{{ `{{` }}")


def labels(policy: Policy, reading: Reading, further: dict[str, str]) -> Pairs:
    """The labels every compiled alert of a rule carries, and further ones, which win."""
    rule = reading.rule
    common = {name: escaped(value) for name, value in rule.labels} | {
        "incident_type": escaped(rule.name),
        "section": escaped(rule.section),
        "severity": escaped(policy.level(rule.level).name),
        "severity_level": str(rule.level),
        "signal": escaped(reading.signal),
    }
    if rule.immediate:
        common["immediate"] = "true"
    return tuple(sorted((common | further).items()))


def annotations(rule: Rule, **texts: str) -> Pairs:
    """Each text is escaped by whoever makes it, since some hold templates; the condition, as written, is here."""
    if "condition" in texts:
        texts["condition"] = escaped(texts["condition"])
    if rule.runbook_url:
        texts["runbook_url"] = escaped(rule.runbook_url)
    texts["source"] = escaped(rule.place.pointer if rule.place and rule.place.pointer else rule.section)
    return tuple(sorted(texts.items()))


def sentence(text: str) -> str:
    """The text with a full stop and a space, if there is any."""
    text = escaped(text.strip())
    return text and (f"{text} " if text[-1] in ".!?" else f"{text}. ")


def value(reads: Condition, signal: Signal | None) -> str:
    """What the alert's value means."""
    unit = f" {escaped(signal.unit)}" if signal and signal.unit not in {"", "ratio"} and len(reads.sources) == 1 else ""
    if reads.comparison:
        return f"{escaped(reads.comparison.subject)} is {VALUE}{unit}."
    return f"The condition's value is {VALUE}{unit}."
