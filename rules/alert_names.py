"""Unique alert names: compiled alerts with the same name are extended by a distinguishing part.

Alertmanager's lists, silences and searches use an alert's name first. A rule outside the basic section gets its section
as prefix, a missing-data twin its selector's labels or its system; a number is the last resort. `rules.compile`
requests the names of all alerts at once.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from rules.groups import AlertingRule
from rules.policy import BASIC
from rules.wording import camel_case

LOST = "SignalLost"
"""The end of missing-data twins' names."""


def distinct_names(alerts: Sequence[AlertingRule]) -> list[str]:
    """The alerts' names, in order; duplicates remain only where the policy itself sets them."""
    names = [alert.alert for alert in alerts]
    for qualified in (_by_section, _by_selector, _by_labels, _by_system):
        taken = Counter(names)
        names = [
            qualified(alert, name) if taken[name] > 1 and not is_given(alert) else name
            for alert, name in zip(alerts, names, strict=True)
        ]
    given = {alert.alert for alert in alerts if is_given(alert)}
    made = iter(_numbered((name for alert, name in zip(alerts, names, strict=True) if not is_given(alert)), given))
    return [alert.alert if is_given(alert) else next(made) for alert in alerts]


def is_given(alert: AlertingRule) -> bool:
    """Whether the policy itself sets the alert's name."""
    return bool(alert.rule and alert.rule.alert)


def _by_section(alert: AlertingRule, name: str) -> str:
    section = dict(alert.labels).get("section", BASIC)
    if alert.lost or section == BASIC:
        return name
    return f"{camel_case(section.removesuffix(f'_{BASIC}'))}{name}"


def _by_selector(alert: AlertingRule, name: str) -> str:
    if alert.lost is None:
        return name
    values = (
        f"{'Not' if op[0] == '!' else ''}{camel_case(value)}"
        for _, op, value in alert.lost.matchers
        if camel_case(value).isalnum()
    )
    return f"{name.removesuffix(LOST)}{''.join(values)}{LOST}"


def _by_labels(alert: AlertingRule, name: str) -> str:
    """With the labels' names, too, where two selectors ask for the same values."""
    if alert.lost is None:
        return name
    asked = (f"{camel_case(label)}{_ASKED[op]}{camel_case(value)}" for label, op, value in alert.lost.matchers)
    return f"{alert.alert.removesuffix(LOST)}{''.join(each for each in asked if each.isalnum())}{LOST}"


_ASKED = {"=": "", "!=": "Not", "=~": "Like", "!~": "Unlike"}


def _by_system(alert: AlertingRule, name: str) -> str:
    system = camel_case(dict(alert.labels).get("system", ""))
    if not system.isalnum():
        return name
    return f"{name.removesuffix(LOST)}{system}{LOST}" if alert.lost else f"{name}{system}"


def _numbered(names: Iterable[str], given: Iterable[str]) -> Iterable[str]:
    """The second use of a name gets the suffix 2, and so on."""
    every = list(names)
    seen = set(given)
    known = {*every, *seen}
    for name in every:
        number, told = 1, name
        while told in seen or (number > 1 and told in known):
            number += 1
            told = f"{name}{number}"
        seen.add(told)
        yield told
