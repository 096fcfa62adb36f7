"""An Alertmanager's configuration, as its API shows it: which receivers it tells of an alert. `tocsin doctor` and
`tocsin copy` ask whether somebody is told where Tocsin itself is not there to do it.
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
"""A matcher without quotes, which Alertmanager takes as well."""

_WEBHOOKS = "webhook_configs"


@dataclass(frozen=True, slots=True)
class _Route:
    receiver: str
    matchers: tuple[Matcher, ...]
    goes_on: bool
    """Whether its siblings behind it are asked too where it matches."""
    children: tuple["_Route", ...]

    def told(self, labels: Mapping[str, str]) -> list[str]:
        """As Alertmanager walks it: the first child that matches, and those behind one that says `continue`."""
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
    """The routing tree, and what its receivers are."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """`document`: the configuration. Raises KeyError, TypeError, AttributeError, ValueError where it is none."""
        self._root = _read(document["route"], "")
        self._receivers: dict[str, dict[str, Any]] = {
            each["name"]: {kind: found for kind, found in each.items() if kind.endswith("_configs") and found}
            for each in document["receivers"]
        }

    def webhooks(self) -> dict[str, bool]:
        """The receivers that are webhooks, by name, and whether all of each one's tell of ends. URLs are hidden."""
        hooks = {name: kinds[_WEBHOOKS] for name, kinds in self._receivers.items() if _WEBHOOKS in kinds}
        return {name: all(each.get("send_resolved", True) for each in found) for name, found in hooks.items()}

    def told(self, labels: Mapping[str, str]) -> list[str]:
        """The names of the receivers that are told of an alert with these labels."""
        return list(dict.fromkeys(self._root.told(labels)))

    def around_tocsin(self, heartbeat: Mapping[str, str], policy: Policy) -> list[str]:
        """Who is told without Tocsin that Tocsin is down: receivers of `TocsinDown` that are more than the webhook
        which the heartbeat, with these labels, reaches Tocsin by.
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
