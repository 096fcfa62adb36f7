"""Existing alerting rules → a policy that compiles to the same alerts: `tocsin adopt`.

Each rule is rewritten in the policy's form, and the result is loaded. A rule that `rules.load` refuses is left out and
listed with the error and its position in the rule file. So every adopted rule compiles, and no rule is dropped
silently.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rules import durations, prometheus_versions
from rules.condition import ConditionError, parse
from rules.load import load_text
from rules.nodes import Node
from rules.policy import MINUTE, Micros
from rules.problems import PolicyError, Problem
from rules.reserved import SEVERITY
from rules.source import Sources
from rules.yaml_text import text

ADOPTED = "<adopted>"

SOMEBODY = "somebody@example.org"
"""A placeholder recipient for the trial load."""

HEAD = """\
Adopted by `tocsin adopt`: edit it, it is yours. Each alert has its name, expression and annotations of before, and no
alarm yet for when its metrics vanish: take `missing_data: false` out where silence would be dangerous.
"""

USUAL_INTERVAL = Micros(MINUTE)
"""Prometheus's default `evaluation_interval`."""

ALLOWED = "adopted as it was: the rules had no alarm for vanished metrics before"

TAKEN_OVER = frozenset(("alert", "expr", "for", "keep_firing_for", "labels", "annotations"))
GROUP_KEYS = frozenset(("name", "interval", "labels", "rules"))

LevelOf = Callable[[str], int | None]
"""The level of a word in the label `severity`; 0: no notification; None: unknown."""


@dataclass(frozen=True, slots=True)
class Left:
    """A part of a rule file that the policy does not contain."""

    path: str
    line: int
    name: str
    """The name of the alert, the group or the recorded metric; empty: none."""
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.name}{': ' if self.name else ''}{self.reason}"


@dataclass(frozen=True, slots=True)
class Adoption:
    """A policy made of rule files, and the list of what it omits."""

    policy: bytes
    """As YAML."""
    rules: int
    left: tuple[Left, ...]
    """Omitted rules and parts of groups."""
    guessed: tuple[Left, ...]
    """Rules whose level is a guess."""
    recordings: int
    """The number of recording rules, which are not adopted."""


@dataclass(slots=True)
class _Found:
    """The parts read so far."""

    level_of: LevelOf
    default_level: int
    every: Micros
    rules: list[tuple[Node, dict[str, Any]]] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    guessed: list[tuple[Node, Left]] = field(default_factory=list)
    recordings: int = 0
    names: set[str] = field(default_factory=set)
    seen: dict[str, Node] = field(default_factory=dict)

    def leave(self, node: Node, name: str, reason: str) -> None:
        self.left.append(_left(node, name, reason))


def adopt(
    sources: Sources,
    level_of: LevelOf,
    *,
    default_level: int,
    email: str = "",
    prometheus: str | None = None,
    every: Micros = USUAL_INTERVAL,
) -> Adoption:
    """Make a policy of rule files. `every`: the interval of groups that set none.

    Raises PolicyError for a file that cannot be read.
    """
    if sources.problems:
        raise PolicyError(sources.problems)
    found = _Found(level_of, default_level, every)
    for document in sources.documents:
        groups = list(_groups(document))
        if not groups:
            found.leave(
                document, "", "no alerting rules are here: a rule file has `groups`, a PrometheusRule `spec.groups`"
            )
        for group in groups:
            _read_group(group, found)
    version = prometheus or _version(rule["condition"] for _, rule in found.rules)
    while refused := _Written.of(found.rules, email or SOMEBODY, version).refused():
        for index in sorted(refused, reverse=True):
            node, rule = found.rules.pop(index)
            found.leave(node, rule["alert"], refused[index])
    adopted = {id(node) for node, _ in found.rules}
    return Adoption(
        policy=_Written.of(found.rules, email, version).policy,
        rules=len(found.rules),
        left=tuple(sorted(found.left, key=lambda each: (each.path, each.line))),
        guessed=tuple(guess for node, guess in found.guessed if id(node) in adopted),
        recordings=found.recordings,
    )


def _groups(document: Node) -> Iterator[Node]:
    """The groups of a rule file, of a PrometheusRule, or of a list of these."""
    for each in (document, document.child("spec"), *(item.child("spec") for item in _items(document, "items"))):
        if each is not None:
            yield from _items(each, "groups")


def _items(node: Node, key: str) -> list[Node]:
    child = node.child(key)
    return child.items() if child else []


def _read_group(group: Node, found: _Found) -> None:
    name = _raw(group, "name")
    for key in group.entries():
        if key not in GROUP_KEYS:
            found.leave(group, f"group {name}", f"`{key}` of the group is not taken over")
    labels = _texts(group.child("labels"))
    written = _raw(group, "interval")
    for node in _items(group, "rules"):
        if node.child("record"):
            found.recordings += 1
        elif node.child("alert") is None:
            found.leave(node, "", "this is no alerting rule: it has no `alert`")
        else:
            _read_rule(node, labels, written, found)


def _read_rule(node: Node, group_labels: Mapping[str, str], interval: str, found: _Found) -> None:
    name = _raw(node, "alert").strip()
    labels = {**group_labels, **_texts(node.child("labels"))}
    said = labels.get(SEVERITY, "")
    level = found.level_of(said) if said else None
    reason = _not_expressible(node, level, said)
    rule: dict[str, Any] = {
        "alert": name,
        "condition": _raw(node, "expr").strip(),
        "severity": level or found.default_level,
        "check_interval": interval or durations.format_duration(found.every),
        "for": _raw(node, "for"),
        "keep_firing_for": _raw(node, "keep_firing_for"),
        "labels": labels,
        "annotations": _texts(node.child("annotations")),
    }
    first = found.seen.setdefault(repr(rule), node)
    if first is not node:
        reason = reason or f"the same rule stands in {first.mark.path}, line {first.mark.line}"
    if reason:
        found.leave(node, name, reason)
        return
    if level is None:
        guess = f"severity {said!r} is no word that is known" if said else "it has no severity"
        found.guessed.append((node, _left(node, name, f"{guess}: taken as level {found.default_level}")))
    found.rules.append((node, {"name": _unique(name, level, found.names), **_complete(rule)}))


def _not_expressible(node: Node, level: int | None, said: str) -> str:
    """Why a policy cannot express the rule, beyond what `rules.load` refuses; empty: it can."""
    unknown = [key for key in node.entries() if key not in TAKEN_OVER]
    if unknown:
        return f"`{unknown[0]}` is nothing that an alerting rule has"
    if "{{" in said:
        return "its severity is a template, and a rule has one level: make a rule of each severity"
    if level == 0:
        return f"severity {said!r} means that nobody is told"
    expr = _raw(node, "expr")
    try:
        if parse(expr.strip()).expr != expr.strip():
            return "a bare metric alerts at 0 too: say what is bad, such as `> 0`"
    except ConditionError:
        pass  # `rules.load` reports it with its position
    return ""


def _complete(rule: dict[str, Any]) -> dict[str, Any]:
    """The rule without empty fields, and without a missing-data twin."""
    said = {key: value for key, value in rule.items() if value}
    return said | {"missing_data": False}


def _unique(alert: str, level: int | None, names: set[str]) -> str:
    """The alert's name as a rule name, which must be unique."""
    base = alert.replace("/", "-")
    tried = [base, *([f"{base}_level_{level}"] if level else []), *(f"{base}_{n}" for n in range(2, len(names) + 3))]
    name = next(each for each in tried if each not in names)
    names.add(name)
    return name


def _version(conditions: Iterator[str]) -> str | None:
    """The oldest Prometheus that supports all conditions; None: every one does."""
    needs: list[prometheus_versions.Need] = []
    for each in conditions:
        try:
            needs += prometheus_versions.needs(each)
        except ConditionError:
            continue  # `rules.load` will refuse it
    if any(need.until for need in needs):
        return prometheus_versions.OLDEST
    return max((need.since for need in needs), key=prometheus_versions.VERSIONS.index, default=None)


@dataclass(frozen=True, slots=True)
class _Written:
    """The policy's text, with the lines of each rule."""

    head: bytes
    rules: tuple[bytes, ...]

    @classmethod
    def of(cls, found: Sequence[tuple[Node, dict[str, Any]]], email: str, version: str | None) -> "_Written":
        intervals = Counter(rule["check_interval"] for _, rule in found)
        usual = intervals.most_common(1)[0][0] if intervals else durations.format_duration(MINUTE)
        channels = [{"name": "email", "type": "email", "recipients": [email]}] if email else []
        head = {
            **({"prometheus": version} if version else {}),
            "lints": {"allow": {"no-missing-data-twin": ALLOWED}},
            "incident_response": {
                **({"alert_channels": channels} if channels else {}),
                "detection": {"check_interval": usual, "rules": []},
            },
        }
        begun = text(head, HEAD).removesuffix(b" []\n") + b"\n"
        rules = (
            {key: value for key, value in rule.items() if (key, value) != ("check_interval", usual)}
            for _, rule in found
        )
        return cls(begun, tuple(map(_indented, rules)))

    @property
    def policy(self) -> bytes:
        """The whole text."""
        return b"".join((self.head, *self.rules)) if self.rules else self.head.rstrip() + b" []\n"

    def refused(self) -> dict[int, str]:
        """Index of each rule that cannot be loaded → reason. Raises PolicyError if the fault is not in a rule."""
        try:
            load_text(self.policy.decode(), ADOPTED)
        except PolicyError as error:
            faults = [each for each in error.problems if each.severity == "error"]
        else:
            return {}
        found: dict[int, str] = {}
        for fault in faults:
            index = self._at(fault)
            if index is None:
                raise PolicyError([fault])
            found.setdefault(index, fault.message)
        return found

    def _at(self, fault: Problem) -> int | None:
        """The rule whose lines contain the fault."""
        first = self.head.count(b"\n") + 1
        for index, rule in enumerate(self.rules):
            last = first + rule.count(b"\n")
            if first <= fault.line < last:
                return index
            first = last
        return None


def _indented(rule: dict[str, Any]) -> bytes:
    """The rule as an item of `detection.rules`."""
    lines = text([rule]).decode().splitlines()
    return "".join(f"      {line}\n" if line else "\n" for line in lines).encode()


def _left(node: Node, name: str, reason: str) -> Left:
    return Left(node.mark.path, node.mark.line, name, reason)


def _raw(node: Node, key: str) -> str:
    child = node.child(key)
    return child.raw if child else ""


def _texts(node: Node | None) -> dict[str, str]:
    return {key: each.raw for key, each in node.entries().items()} if node else {}
