"""The routing tree of an Alertmanager's configuration: the receivers of an alert. `tocsin doctor` and `tocsin copy`
check with it whether a receiver other than Tocsin is notified when Tocsin is down.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rules import matchers
from rules.matchers import Matcher, MatcherError, matches
from rules.policy import Policy
from rules.self_monitoring import DOWN, down_labels

_CLASSIC = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL)
"""A matcher without quotes, the older syntax that Alertmanager still accepts."""

_WEBHOOKS = "webhook_configs"


@dataclass(frozen=True, slots=True)
class _Route:
    receiver: str
    matchers: tuple[Matcher, ...]
    goes_on: bool
    """Alertmanager's `continue`: whether later siblings are tried after a match."""
    children: tuple["_Route", ...]

    def told(self, labels: Mapping[str, str]) -> list[str]:
        """The receivers of these labels, by Alertmanager's algorithm: the first matching child, and later ones while
        the matching one has `continue`.
        """
        if not all(matches(each, labels.get(each[0], "")) for each in self.matchers):
            return []
        told: list[str] = []
        for child in self.children:
            found = child.told(labels)
            told += found
            if found and not child.goes_on:
                break
        return told or [self.receiver]


class Routes:
    """The routing tree and its receivers."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """`document`: the configuration. Raises KeyError, TypeError, AttributeError, ValueError if it is invalid."""
        self._root = _read(document["route"], "")
        self._receivers: dict[str, dict[str, Any]] = {
            each["name"]: {kind: found for kind, found in each.items() if kind.endswith("_configs") and found}
            for each in document["receivers"]
        }

    def webhooks(self) -> dict[str, bool]:
        """Webhook receivers by name, and whether all webhooks of each send resolves. Their URLs are hidden."""
        hooks = {name: kinds[_WEBHOOKS] for name, kinds in self._receivers.items() if _WEBHOOKS in kinds}
        return {name: all(each.get("send_resolved", True) for each in found) for name, found in hooks.items()}

    def told(self, labels: Mapping[str, str]) -> list[str]:
        """The names of the receivers that are notified of an alert with these labels."""
        return list(dict.fromkeys(self._root.told(labels)))

    def around_tocsin(self, heartbeat: Mapping[str, str], policy: Policy) -> list[str]:
        """Receivers of `TocsinDown` that do not depend on Tocsin: all but those that only call the webhooks to which
        the heartbeat with these labels is routed.
        """
        tocsin = self.told(heartbeat)
        down = {name: value for name, value in heartbeat.items() if name != "heartbeat"} | down_labels(policy)
        return [
            name
            for name in self.told(down | {"alertname": DOWN})
            if (kinds := self._receivers.get(name, {})) and not (name in tocsin and kinds.keys() == {_WEBHOOKS})
        ]


def _read(route: Mapping[str, Any], inherited: str) -> _Route:
    receiver = route.get("receiver") or inherited
    children = tuple(_read(child, receiver) for child in route.get("routes") or ())
    return _Route(receiver, tuple(_matchers(route)), bool(route.get("continue")), children)


def _matchers(route: Mapping[str, Any]) -> Iterator[Matcher]:
    yield from ((name, "=", str(value)) for name, value in (route.get("match") or {}).items())
    yield from ((name, "=~", str(value)) for name, value in (route.get("match_re") or {}).items())
    for text in route.get("matchers") or ():
        yield from _parsed(text)


def _parsed(text: str) -> tuple[Matcher, ...]:
    try:
        return matchers.parse(text)
    except MatcherError:
        if found := _CLASSIC.fullmatch(text):
            return ((found[1], found[2], found[3].strip('"')),)
        raise
