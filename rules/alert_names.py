"""One name for one alert: where two compiled alerts would be called the same, each is told by what sets it apart.

Alertmanager's lists, silences and people's searches know an alert by its name first. A rule of another section than the
basic one has the section before its name, a missing-data twin the labels that it asks for, or its system; a number is
the last resort. `rules.compile` asks for the names once all alerts are there.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from rules.groups import AlertingRule
from rules.policy import BASIC
from rules.wording import camel_case

LOST = "SignalLost"
"""How the names of missing-data twins end."""


def distinct_names(alerts: Sequence[AlertingRule]) -> list[str]:
    """The alerts' names, in their order, no two the same but where the policy itself says so."""
    names = [alert.alert for alert in alerts]
    for qualified in (_by_section, _by_selector, _by_system):
        taken = Counter(names)
        names = [
            qualified(alert, name) if taken[name] > 1 and not is_given(alert) else name
            for alert, name in zip(alerts, names, strict=True)
        ]
    given = {alert.alert for alert in alerts if is_given(alert)}
    made = iter(_numbered((name for alert, name in zip(alerts, names, strict=True) if not is_given(alert)), given))
    return [alert.alert if is_given(alert) else next(made) for alert in alerts]


def is_given(alert: AlertingRule) -> bool:
    """Whether the policy itself says what the alert is called."""
    return bool(alert.rule and alert.rule.alert)


_Qualified = Callable[[AlertingRule, str], str]
"""An alert and its name so far → the name with what sets the alert apart."""


def _by_section(alert: AlertingRule, name: str) -> str:
    section = dict(alert.labels).get("section", BASIC)
    if alert.lost or section == BASIC:
        return name
    return f"{camel_case(section.removesuffix(f'_{BASIC}'))}{name}"


def _by_selector(alert: AlertingRule, name: str) -> str:
    if alert.lost is None:
        return name
    values = "".join(camel_case(value) for _, _, value in alert.lost.matchers if camel_case(value).isalnum())
    return f"{name.removesuffix(LOST)}{values}{LOST}"


def _by_system(alert: AlertingRule, name: str) -> str:
    system = camel_case(dict(alert.labels).get("system", ""))
    if not system.isalnum():
        return name
    return f"{name.removesuffix(LOST)}{system}{LOST}" if alert.lost else f"{name}{system}"


def _numbered(names: Iterable[str], given: Iterable[str]) -> Iterable[str]:
    """The second of a name is called so with a 2."""
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
