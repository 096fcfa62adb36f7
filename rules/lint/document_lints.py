"""Errors and doubts about a policy as a whole whose parts are all well-formed.

Called by `rules.load`. An error is a fault that no other check catches and that would leave people unnotified; a
warning is for what is valid but probably unintended.
"""

import difflib
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from rules import condition, samples, sections, self_monitoring
from rules.compile import compile as compile_rules
from rules.document import GUIDE_SECTIONS, PolicyDocument
from rules.document.values import suggest
from rules.durations import format_duration
from rules.lint import (
    impact_lints,
    obligation_lints,
    people_lints,
    policy_lints,
    prometheus_lints,
)
from rules.lint_catalog import doubt
from rules.matchers import Matcher, match
from rules.nodes import Node
from rules.policy import BASIC, SECOND, Heartbeat, IncidentType, Place, Policy, Rule
from rules.problems import Problem
from rules.scraping import Scraping
from rules.validate import place_of

OLDEST_BEAT = 95 * SECOND
"""The maximum age of a heartbeat in normal operation, in microseconds: Prometheus resends after 75 s, Alertmanager
repeats after 20 s (docs/decisions/0016)."""

SHORTEST = 30 * SECOND
"""The minimum interval of heartbeats in microseconds: an evaluation and a flush take at least 15 s each."""


def find(policy: Policy, document: PolicyDocument, root: Node, scraping: Scraping | None = None) -> Iterator[Problem]:
    """All faults of the whole; `root` gives positions of elements that the policy has without a Place; `scraping`: of a
    Prometheus configuration, instead of the policy's `scrape_interval`.
    """
    if scraping is None and document.scrape_interval is not None:
        scraping = Scraping(document.scrape_interval)
    yield from _nobody_to_tell(policy, place_of(root))
    yield from _levels(policy, document, root)
    yield from _clashes(policy.rules, policy.incident_types)
    yield from _severities(policy, document, root)
    yield from _ignored(policy, root)
    yield from _heartbeats(policy, root)
    yield from _same_conditions(policy.rules)
    yield from _readings(policy.rules)
    yield from _silent_channels(policy)
    yield from _signals(policy)
    yield from _thresholds(policy, document)
    yield from _section_names(document, root)
    yield from _report_approver(policy, root)
    yield from sections.find(document, root)
    yield from _durations(document, root)
    yield from impact_lints.find(document, root)
    yield from obligation_lints.find(policy, document, root)
    yield from samples.find(policy, root)
    yield from people_lints.find(policy, document, root)
    yield from obligation_lints.find_promises(policy, document, root)
    yield from prometheus_lints.find_version(policy, document)
    yield from policy_lints.find(policy, place_of(root))
    yield from prometheus_lints.find_sampling(policy, scraping)


def _nobody_to_tell(policy: Policy, start: Place) -> Iterator[Problem]:
    if not policy.channels:
        yield Problem.at(start, "no channel is defined: nobody could be told (incident_response.alert_channels)")
    elif not any(channel.enabled for channel in policy.channels):
        yield doubt("all-channels-disabled", start, "every channel has `enabled: false`: nobody could be told")
    if not policy.rules and not policy.incident_types:
        yield doubt("nothing-detected", start, "no detection rule and no incident type: nothing would be detected")


def _report_approver(policy: Policy, root: Node) -> Iterator[Problem]:
    """A role that no person can hold would leave every report unapproved."""
    role, known = policy.reports.approver, [each.name for each in policy.roles]
    if role and role not in known:
        message = f"approver: no role is named `{role}`{suggest(role, known)}"
        yield Problem.at(place_of(root, "incident_report", "approver"), message)
    elif policy.reports.recipients and not role:
        message = "reports are sent to people, and no role is named whose holder approves them"
        yield doubt("report-without-approver", place_of(root, "incident_report"), message)


def _levels(policy: Policy, document: PolicyDocument, root: Node) -> Iterator[Problem]:
    classification = document.incident_response.classification
    written = [spec.level for spec in classification.severity_levels] if classification else []
    way = (BASIC, "classification", "severity_levels")
    places = {number: place_of(root, *way, index) for index, number in enumerate(written)}
    missing = [f"{level.level} ({level.name})" for level in policy.levels if level.level not in places]
    if written and missing:
        message = f"not defined, so as in the guide: level {', '.join(missing)}"
        yield doubt("level-not-defined", place_of(root, *way), message)
    for milder, worse in pairwise(policy.levels):
        if worse.response_time > milder.response_time and worse.level in places:
            message = f"level {worse.level} has more time to respond than level {milder.level}"
            yield doubt("level-order", places[worse.level], message)
    seen: dict[str, int] = {}
    for level in policy.levels:
        place = places.get(level.level, place_of(root, *way))
        if level.escalation_time >= level.response_time:
            times = f"{format_duration(level.escalation_time)}, {format_duration(level.response_time)}"
            message = f"level {level.level} escalates only when its response time is over ({times})"
            yield doubt("late-escalation", place, message)
        if seen.setdefault(level.name.lower(), level.level) != level.level:
            yield Problem.at(place, f'two levels are named "{level.name}"')


def _severities(policy: Policy, document: PolicyDocument, root: Node) -> Iterator[Problem]:
    """A level's name is on alerts of the policy's own rules: for every source it must mean that level, and never 0."""
    names = {level.name.lower(): level.level for level in policy.levels}
    for word, number in document.severity_aliases.items():
        own = names.get(word.lower())
        if own is not None and number != own:
            message = f'"{word}" is the name of level {own}: it cannot mean {number}'
            yield Problem.at(place_of(root, "severity_aliases", word), message)
    for index, each in enumerate(document.severities):
        first: dict[str, tuple[str, int]] = {}
        for word, number in each.map.items():
            before, meant = first.setdefault(word.lower(), (word, number))
            if number != meant:
                message = f'"{word}" and "{before}" are one word: it cannot mean {number} and {meant}'
                yield Problem.at(place_of(root, "severities", index, "map", word), message)
            own = names.get(word.lower())
            if own is not None and number != own and (number == 0 or each.source is None):
                place = place_of(root, "severities", index, "map", word)
                message = f'"{word}" is the name of level {own}, which alerts of the policy\'s own rules carry'
                yield Problem.at(place, f"{message}: it cannot mean {number} {'here' if each.source else 'for all'}")


def _ignored(policy: Policy, root: Node) -> Iterator[Problem]:
    """Alerts of the policy's own rules are never ignored, so an entry that matches them is an error."""
    own = _own_alerts(policy) if policy.ignore else ()
    for index, matchers in enumerate(policy.ignore):
        met = _met(matchers, own)
        if met:
            message = f"would ignore this policy's own alert {met}, and those are never ignored"
            yield Problem.at(place_of(root, "ignore", index), f"{message}: add a matcher that only others' alerts meet")


def _heartbeats(policy: Policy, root: Node) -> Iterator[Problem]:
    """A heartbeat that never arrives would page forever; one that matches a rule's alert would suppress it."""
    if "alertname" in policy.replica_labels:
        message = "alertname tells alerts apart, not replicas: without it no heartbeat would be known"
        yield Problem.at(place_of(root, "replica_labels"), message)
    yield from _short_heartbeats(policy, root)
    own = _own_alerts(policy) if policy.heartbeats else ()
    for index, each in enumerate(policy.heartbeats):
        message = _never_heard(policy, each, policy.heartbeats[:index], _met(each.matchers, own))
        if message:
            yield Problem.at(place_of(root, "heartbeats", index), f'"{each.name}" would never be heard: {message}')


def _short_heartbeats(policy: Policy, root: Node) -> Iterator[Problem]:
    own = (("heartbeat_within",), "the compiled heartbeat", policy.heartbeat_within)
    named = ((("heartbeats", n), f'"{each.name}"', each.within) for n, each in enumerate(policy.heartbeats))
    for way, name, within in (own, *named):
        said = f"{name} may be missing for {format_duration(within)}, but is up to 95s old where all is well"
        if within < SHORTEST:
            yield Problem.at(place_of(root, *way), f"{said}: alerting would be called blind for ever (150s is usual)")
        elif within < OLDEST_BEAT:
            yield doubt("short-heartbeat", place_of(root, *way), said)


def _never_heard(policy: Policy, heartbeat: Heartbeat, before: Iterable[Heartbeat], own: str) -> str:
    if own:
        return f"this policy's own alert {own} meets its matchers, and is no heartbeat. Add one that only it meets"
    unkept = [label for label, _, _ in heartbeat.matchers if label in policy.replica_labels]
    if unkept:
        return f"the label {unkept[0]} only tells replicas apart (`replica_labels`). Leave that matcher out"
    for first in before:
        if set(first.matchers) <= set(heartbeat.matchers) and first.source in (None, heartbeat.source):
            return (
                f'each alert that meets its matchers is taken for "{first.name}", which stands before it. Put it first'
            )
    return ""


def _own_alerts(policy: Policy) -> tuple[dict[str, str], ...]:
    """The labels of the policy's own alerts.

    Without the heartbeat, which is recognised before all else; foreign alerts have its severity `none` too.
    """
    groups = (*compile_rules(policy), *self_monitoring.groups(policy))
    alerts = (each for group in groups for each in group.alerts if each.alert != self_monitoring.HEARTBEAT)
    return tuple({"alertname": each.alert, **dict(each.labels)} for each in alerts)


def _met(matchers: tuple[Matcher, ...], alerts: Iterable[dict[str, str]]) -> str:
    """The name of the first alert that meets the matchers; empty: none."""
    return next((labels["alertname"] for labels in alerts if match(matchers, labels)), "")


def _clashes(rules: Iterable[Rule], types: Iterable[IncidentType]) -> Iterator[Problem]:
    known = {rule.key: rule for rule in rules}
    for kind in types:
        if kind.key in known:
            first = known[kind.key].place
            yield Problem.at(kind.place, f'"{kind.name}" is also a detection rule of this section (at {first})')


def _same_conditions(rules: Iterable[Rule]) -> Iterator[Problem]:
    seen: dict[tuple[condition.Comparison | str, tuple[tuple[str, str], ...]], Rule] = {}
    for rule in rules:
        reads = condition.parse(rule.condition)
        first = seen.setdefault((reads.comparison or reads.expr, rule.labels), rule)
        if first is not rule and rule.place:
            same = f'"{rule.name}" has the same condition as "{first.name}" ({first.place})'
            if rule.level == first.level:
                yield doubt("same-condition", rule.place, f"{same}: both alert, in one incident")
            else:
                levels = f"level {rule.level}, not {first.level}"
                yield doubt("same-condition-levels", rule.place, f"{same}, but {levels}: the worse always wins")


def _readings(rules: Iterable[Rule]) -> Iterator[Problem]:
    for rule in rules:
        for lint, message in condition.parse(rule.condition).doubts:
            yield doubt(lint, rule.place, f'condition of "{rule.name}": {message}')


def _silent_channels(policy: Policy) -> Iterator[Problem]:
    disabled = {channel.name for channel in policy.channels if not channel.enabled}
    told: list[Rule | IncidentType] = [*policy.rules, *policy.incident_types]
    for each in told:
        if each.channels and disabled.issuperset(each.channels):
            names = ", ".join(each.channels)
            message = f'"{each.name}" tells only channels with `enabled: false` ({names}): its pages go to `fallback`'
            yield doubt("disabled-channels", each.place, message)


_TIME = re.compile(r"(response_time|latency|duration)(_p\d+)?$|_p\d+$")


def _signals(policy: Policy) -> Iterator[Problem]:
    read = {name for rule in policy.rules for name in condition.parse(rule.condition).signals}
    read |= {kind.name for kind in policy.incident_types}
    read |= {each.name for signal in policy.signals if signal.expr for each in condition.sources(signal.expr)}
    for signal in policy.signals:
        if signal.name not in read:
            hint = suggest(signal.name, read)
            yield doubt("unread-signal", signal.place, f"nothing reads the signal `{signal.name}`{hint}")
        if not signal.missing_data:
            message = f"`missing_data: false`: if `{signal.name}` vanishes, its rules fall silent and nobody is told"
            yield doubt("no-missing-data-twin", signal.place, message)
        if signal.expr and "_seconds" in signal.expr and not signal.unit and _TIME.search(signal.name):
            message = (
                f"`{signal.name}` is read from seconds; its conditions may mean milliseconds, as the guide's do: "
                f"say `unit: s` (or multiply by 1000 and say `unit: ms`)"
            )
            yield Problem.at(signal.place, message)


def _thresholds(policy: Policy, document: PolicyDocument) -> Iterator[Problem]:
    for rule in policy.rules:
        comparison = condition.parse(rule.condition).comparison
        above = (document.sections[each] for each in policy.sections_above(rule.key) if each in document.sections)
        limit = next((each.critical_threshold for each in above if each.critical_threshold is not None), None)
        if limit is None or comparison is None or comparison.subject != "safety_margin":
            continue
        if comparison.threshold != limit:
            message = f'"{rule.name}" compares with {comparison.threshold:g}, critical_threshold is {limit:g}'
            yield doubt("critical-threshold", rule.place, message)


def _durations(document: PolicyDocument, root: Node) -> Iterator[Problem]:
    """Only the monitoring after the resolution has a duration; elsewhere a time limit was intended."""
    blocks = {
        ("initial_response", "acknowledgment"): document.initial_response.acknowledgment,
        ("root_cause_analysis",): document.root_cause_analysis,
        ("fix_implementation",): document.fix_implementation,
        ("post_incident_actions",): document.post_incident_actions,
    }
    for way, steps in blocks.items():
        for index, each in enumerate(steps):
            if each.duration is not None and (way[0] != "post_incident_actions" or each.name != "monitoring"):
                message = f'"{each.name}": `duration` has no effect here; for a deadline write `time_limit`'
                yield doubt("idle-duration", place_of(root, *way, index, "duration"), message)


def _section_names(document: PolicyDocument, root: Node) -> Iterator[Problem]:
    for name in document.sections:
        near = difflib.get_close_matches(name, GUIDE_SECTIONS, 1, 0.92)
        if name not in GUIDE_SECTIONS and near:
            message = f"`{name}` is a section of its own; did you mean `{near[0]}`?"
            yield doubt("section-name", place_of(root, name), message)
