"""The alerts that Prometheus raises about Tocsin and about the rules themselves.

They do not depend on the policy. The heartbeat always fires, so that its absence is noticed; the others report that
pages may reach no person, and `rules.outputs.alertmanager_config` sends those around Tocsin, directly to people.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from urllib.parse import parse_qs, urlsplit

from rules.groups import NONE, AlertingRule, Group
from rules.matchers import Matcher, matches, quoted, written
from rules.policy import CRITICAL, EMERGENCY, MINUTE, SECOND, Micros, Policy
from rules.reserved import WATCH, WATCHDOG
from rules.stored import stamp

HEARTBEAT, DOWN, FAIL_THROUGH, RULES_FAIL = WATCH
AROUND_TOCSIN = (DOWN, FAIL_THROUGH)
"""Alerts that must not depend on Tocsin for delivery, even if they lack the label AROUND (older rules)."""

AROUND = ("paging", "around-tocsin")
"""The label of every alert about Tocsin's paging: `rules.outputs.alertmanager_config` sends them around Tocsin."""

FULL_SECONDS = '{{ printf "%.3f" $value }}'
"""The heartbeat's annotation `evaluated_at`: seconds since 1970 with all digits; the default is 1.7e+09."""

LATEST = 90
"""The maximum of seconds that an emergency's page may stay undelivered."""

UNHEARD = 140
"""The maximum age in seconds of this Prometheus' heartbeat before Tocsin counts as deaf. It is up to 95 s in normal
operation, and 135 s after two lost repeats of Alertmanager."""

EVERY = Micros(15 * SECOND)
"""The evaluation interval. Prometheus resends a firing alert to Alertmanager after more than a minute, on this grid,
so a heartbeat's evaluation is at most 75 s old when the next is sent."""

JOB: Matcher = ("job", "=", "tocsin")

_PART = re.compile(r"[^\W\d_]+|\d+|[^\w\s:/.#-]")
"""A part of a `severity` label: a word, a number, or another mark."""

_SIGNS = r"[\s_:/.#-]*"
"""Separators before, between and after the parts."""

_OF_ALERTS = frozenset({"__name__", "alertstate"})
"""Labels of the series ALERTS that alerts themselves do not have."""

SELF_RULES = (files("rules") / "outputs" / "self-rules.yml").read_text(encoding="utf-8")
"""Alerts about Tocsin that are independent of the policy; deploy/ has copies for use without `tocsin compile`."""


@dataclass(frozen=True)
class Tocsin:
    """The Tocsin that the alerts monitor, as PromQL identifies it."""

    instance: tuple[Matcher, ...] = ()
    """Labels that distinguish this Tocsin's targets from another's in the same Prometheus."""
    receiver_url: str = ""
    """The webhook URL of this Prometheus' alerts; its ``?source=`` is Tocsin's name for this Prometheus."""

    @cached_property
    def targets(self) -> str:
        """Matchers of this Tocsin's targets, without braces."""
        return written(self.narrowed((JOB,)))

    @property
    def source(self) -> str:
        """Tocsin's name for this Prometheus."""
        return parse_qs(urlsplit(self.receiver_url).query).get("source", [""])[0]

    def narrowed(self, matchers: Sequence[Matcher]) -> tuple[Matcher, ...]:
        """The matchers with the instance's; the instance's replace those of the same label."""
        named = {label for label, _, _ in self.instance}
        return (*(each for each in matchers if each[0] not in named), *self.instance)

    def narrow(self, text: str, job: str = written((JOB,))) -> str:
        """The text with every `job` matcher narrowed to this instance."""
        kept = () if any(label == "job" for label, _, _ in self.instance) else (job,)
        return text.replace(job, ",".join((*kept, *([written(self.instance)] if self.instance else []))))


THE_ONLY = Tocsin()
"""For a Prometheus with a single Tocsin."""


def groups(policy: Policy, tocsin: Tocsin = THE_ONLY) -> tuple[Group, Group]:
    """The heartbeat in its own group, which no other rule can delay, and the alerts about Tocsin and the rules."""
    heartbeat = _alert(
        HEARTBEAT,
        "vector(time())",
        {"severity": "none", "heartbeat": "true"},
        "Prometheus evaluates rules and Alertmanager reaches Tocsin",
        "This fires always. When it stops arriving, alerts do not arrive either.",
        evaluated_at=FULL_SECONDS,
    )
    alerts = (_down(policy, tocsin), _fail_through(policy, tocsin), _rules_fail(policy))
    mark = stamp(policy)
    return (
        Group("tocsin-heartbeat", EVERY, (heartbeat,)).annotated(mark),
        Group("tocsin", EVERY, alerts).annotated(mark),
    )


def down_labels(policy: Policy) -> dict[str, str]:
    """The labels of the alert for Tocsin being down, without its name."""
    return _level(policy, EMERGENCY) | dict([AROUND])


def _down(policy: Policy, tocsin: Tocsin) -> AlertingRule:
    return _alert(
        DOWN,
        f"absent(up{{{tocsin.targets}}} == 1)",
        down_labels(policy),
        "Tocsin is down: alerts page nobody",
        f"No target with {tocsin.targets} is up. Answer alerts from Alertmanager until one is.",
        hold=Micros(MINUTE),
    )


def _fail_through(policy: Policy, tocsin: Tocsin) -> AlertingRule:
    fails = "\n  or ".join(f"({way})" for way in ways_to_fail(tocsin))
    return _alert(
        FAIL_THROUGH,
        f"{_emergencies(policy, tocsin.source)}\nand on() (\n  {fails}\n)",
        _level(policy, EMERGENCY) | dict([AROUND]),
        "TOCSIN FAILS while {{ $labels.emergency }} fires at level 4",
        "{{ $labels.emergency }} fires ({{ $labels.section }} {{ $labels.rule }} {{ $labels.system }} "
        "{{ $labels.namespace }}), and Tocsin may have told nobody. It is down, cannot write to its database, refuses "
        f"or fails webhooks, has a page that reached nobody for {LATEST} s, or has not heard this Prometheus for "
        f"{UNHEARD} s. Act on the emergency first. Tocsin's /-/ready and log say what fails.",
    )


def _rules_fail(policy: Policy) -> AlertingRule:
    return _alert(
        RULES_FAIL,
        "increase(prometheus_rule_evaluation_failures_total[5m]) > 0",
        _level(policy, CRITICAL),
        "Rules fail to evaluate: {{ $labels.rule_group }}",
        "Prometheus could not evaluate rules of {{ $labels.rule_group }}: their alerts neither fire nor "
        "resolve. Its log says why.",
    )


def _emergencies(policy: Policy, source: str) -> str:
    """Firing level-4 alerts, compiled or foreign; without Tocsin's own, which would keep themselves firing."""
    own = quoted("|".join((HEARTBEAT, *AROUND_TOCSIN, RULES_FAIL)))
    fires = f'alertstate="firing",alertname!~{own},{AROUND[0]}!={quoted(AROUND[1])}'
    passed_over = "".join(f" unless ALERTS{{{written(each)}}}" for each in _passed_over(policy, source))
    foreign = "".join(
        f"  or ALERTS{{{fires},{written(each)}}}{passed_over}\n" for each in foreign_emergencies(policy, source)
    )
    return (
        "max by (emergency, namespace, rule, section, signal, system) (label_replace(\n"
        f'  ALERTS{{{fires},section!="",severity_level="4"}}\n'
        f'{foreign}  , "emergency", "$1", "alertname", "(.*)"\n'
        "))"
    )


def _passed_over(policy: Policy, source: str) -> Iterator[tuple[Matcher, ...]]:
    """Matchers of foreign alerts that open no incident: always-firing ones, and those that the policy ignores.

    `external_labels` are added on the way and are not in ALERTS. So a missing label must not exclude an emergency,
    although absence may satisfy a matcher.
    """
    yield (("alertname", "=", WATCHDOG),)
    heartbeats = (each.matchers for each in policy.heartbeats if each.source in (None, source))
    for matchers in (*heartbeats, *policy.ignore):
        absent = tuple((each[0], "!=", "") for each in matchers if matches(each, ""))
        if _OF_ALERTS.isdisjoint(label for label, _, _ in matchers):
            yield (*matchers, *absent)


def foreign_emergencies(policy: Policy, source: str = "") -> tuple[tuple[Matcher, ...], ...]:
    """Sets of matchers for alerts of level 4 that no policy compiled: those with such a severity, those of a type or
    rule of level 4 without a lower severity, and those that the policy classifies as level 4 because their severity is
    unknown.
    """
    words = dict(policy.severity_aliases) | {level.name.lower(): level.level for level in policy.levels}
    words |= dict(policy.severities).get(source, {})
    lower = ("severity", "!~", _one_of(word for word, level in words.items() if 0 < level < EMERGENCY))
    highest = _one_of(word for word, level in words.items() if level == EMERGENCY)
    found: list[tuple[Matcher, ...]] = [(("severity", "=~", highest),)]
    names = {each.name for each in policy.incident_types if each.level == EMERGENCY}
    names |= {each.name for each in policy.rules if each.level == EMERGENCY}
    if names:
        found.append((("incident_type", "=~", "|".join(sorted(map(_literal, names)))), lower))
    if policy.default_severity == EMERGENCY:
        found.append((("severity", "!~", _one_of(words)),))
    return tuple(found)


def _one_of(words: Iterable[str]) -> str:
    """A regular expression for the spellings of these words in a label `severity`: the receiver takes ``SEV-1`` for
    ``sev1`` (`receiver.core.plan`).
    """
    spoken = {_SIGNS.join(map(_literal, _PART.findall(word))) or _literal(word) for word in words}
    return f"(?i:{_SIGNS}(?:{'|'.join(sorted(spoken))}){_SIGNS})"


def _literal(word: str) -> str:
    """The word escaped for Prometheus' regular expressions, which do not allow all escapes of Python's."""
    return "".join(f"\\{letter}" if letter in r"\.+*?()|[]{}^$" else letter for letter in word)


def ways_to_fail(tocsin: Tocsin) -> tuple[str, ...]:
    """The conditions under which a page may reach no person, except those that recover within a scrape or two."""
    mine = tocsin.targets
    heartbeat = f"tocsin_heartbeat_age_seconds{{{mine},source={quoted(tocsin.source)}}}"
    refused = f'tocsin_webhooks_total{{{mine},result=~"unavailable|failed|malformed|too_large"}}'
    # Only an Alertmanager with receiver names in its metrics identifies the webhook.
    unsent = 'alertmanager_notifications_failed_total{integration="webhook",receiver_name=~"|tocsin"}'
    return (
        f"absent(max_over_time(up{{{mine}}}[1m]) == 1)",
        f"max(max_over_time(tocsin_store_up{{{mine}}}[1m])) == 0",
        # A replica that cannot read exports no age; the others' counts.
        f"max(tocsin_oldest_undelivered_emergency_seconds{{{mine}}} unless tocsin_store_up{{{mine}}} == 0) > {LATEST}",
        f"min({heartbeat}) > {UNHEARD}",
        f"max(up{{{mine}}} offset {UNHEARD}s) == 1 unless on() max(last_over_time({heartbeat}[{UNHEARD}s]))",
        _keeps_rising(refused),
        _keeps_rising(unsent),
    )


def _keeps_rising(counter: str) -> str:
    """Rising now and 90 seconds ago: Alertmanager retries, so a single failure is not significant."""
    return f"sum(increase({counter}[90s])) > 0 and on() sum(increase({counter}[90s] offset 90s)) > 0"


def _level(policy: Policy, number: int) -> dict[str, str]:
    return {"severity": policy.level(number).name, "severity_level": str(number)}


def _alert(
    name: str,
    expr: str,
    labels: dict[str, str],
    summary: str,
    description: str,
    *,
    hold: Micros = NONE,
    **annotations: str,
) -> AlertingRule:
    texts = annotations | {"description": description, "summary": summary}
    return AlertingRule(
        alert=name,
        expr=expr,
        labels=tuple(sorted(labels.items())),
        annotations=tuple(sorted(texts.items())),
        hold=hold,
    )
