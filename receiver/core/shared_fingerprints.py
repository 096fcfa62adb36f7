"""Different alerts with one fingerprint: some bridges give all their alerts the same one, or one per rule.

Alertmanager computes it from the labels, so its alerts never share one. Of other senders' alerts the first keeps its
fingerprint; a different one gets one computed from its labels. So stored alerts keep their names, and each ends by its
own end.
"""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

import orjson
from msgspec.structs import replace

from receiver.core.model import Alert

SHARED = "its fingerprint is that of an alert with other labels: computed from the labels"

HOW_BAD = frozenset(
    (
        "severity",
        "severity_level",
        "priority",
        "urgency",
        "level",
        "status",
        "state",
        "value",
        "values",
        "current_value",
    )
)
"""Labels about the severity, not the identity: such senders change them while the alert continues.

Any other label with another value makes another alert: a page too many is better than one too few.
"""


def fingerprint(labels: Mapping[str, str]) -> str:
    """A fingerprint computed from the labels alone, as Alertmanager's is."""
    return sha256(orjson.dumps(labels, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def tell_apart(alerts: Sequence[Alert], known: Callable[[str], Alert | None]) -> tuple[Alert, ...]:
    """A body's alerts, each under its distinct fingerprint. `known`: fingerprint → the stored alert that has it."""
    told: dict[str, Alert] = {}
    named = []
    for alert in alerts:
        holder = told.get(alert.fingerprint) or known(alert.fingerprint)
        if holder is None or holder.labels != alert.labels:
            computed = fingerprint(alert.labels)
            if computed in told or known(computed) or (holder and _is_another(holder, alert, told)):
                alert = replace(alert, fingerprint=computed, repairs=(*alert.repairs, SHARED))  # noqa: PLW2901 - named
        told.setdefault(alert.fingerprint, alert)
        named.append(alert)
    return tuple(named)


def _is_another(holder: Alert, alert: Alert, told: Mapping[str, Alert]) -> bool:
    """Whether a label has another value than in the alert with its fingerprint, or both fire in one body.

    Added or removed labels alone make no other alert.
    """
    if holder.firing and alert.firing and alert.fingerprint in told:
        return True
    one, other = ({name for name, value in each.labels.items() if value} - HOW_BAD for each in (holder, alert))
    renamed = any(holder.labels[name] != alert.labels[name] for name in one & other)
    return renamed or bool(one - other and other - one)
