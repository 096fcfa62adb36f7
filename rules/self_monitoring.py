"""Who watches the watchman: the alerts that Prometheus raises about Tocsin and about the rules themselves.

They do not come from the policy. The heartbeat fires always, so that its absence shows; the others say that pages
may not reach anybody, and `rules.outputs.alertmanager_config` sends those around Tocsin, straight to people.
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
"""Alerts that must not depend on Tocsin to reach somebody, also where their labels do not say so yet."""

AROUND = ("paging", "around-tocsin")
"""The label of every alert about Tocsin's paging: `rules.outputs.alertmanager_config` sends them around Tocsin."""

FULL_SECONDS = '{{ printf "%.3f" $value }}'
"""The heartbeat's annotation `evaluated_at`: seconds since 1970 with all digits; Prometheus writes 1.7e+09 else."""

TOLD_WITHIN = 180
"""Seconds from an emergency's first sample to a message to people around Tocsin, where Tocsin cannot page. Of these the
scrapes and evaluations of the emergency and of Tocsin's own figures take four times 15 s at most, and the fallback's
`group_wait` a few: the limits below are what that leaves (docs/decisions/0018)."""

LATEST = 90
"""Seconds that an emergency's page may stay undelivered."""

UNHEARD = 140
"""Seconds that this Prometheus' heartbeat may be old before Tocsin counts as deaf. Where all is well it is 95 s old at
most, and 135 s where two of Alertmanager's repeats were lost."""

EVERY = Micros(15 * SECOND)
"""Between two evaluations. Prometheus tells Alertmanager of a firing alert again after more than a minute, on this
grid: so a heartbeat's evaluation is 75 s old at most when the next one is sent."""

JOB: Matcher = ("job", "=", "tocsin")

_PART = re.compile(r"[^\W\d_]+|\d+|[^\w\s:/.#-]")
"""Of what a label `severity` may say: the word, its number, any other mark."""

_SIGNS = r"[\s_:/.#-]*"
"""What may stand between and around them."""

_OF_ALERTS = frozenset({"__name__", "alertstate"})
"""Labels that Prometheus' series ALERTS has and the alerts themselves have not."""

SELF_RULES = (files("rules") / "outputs" / "self-rules.yml").read_text(encoding="utf-8")
"""Alerts on Tocsin that need nothing of the policy; deploy/ has copies for those who compile nothing."""


@dataclass(frozen=True)
class Tocsin:
    """Which Tocsin the alerts are about, as PromQL finds it."""

    instance: tuple[Matcher, ...] = ()
    """Labels that tell this Tocsin's targets from another's on the same Prometheus."""
    receiver_url: str = ""
    """Where Alertmanager sends this Prometheus' alerts; its ``?source=`` is how Tocsin calls this Prometheus."""

    @cached_property
    def targets(self) -> str:
        """Matchers of this Tocsin's targets, without braces."""
        return written(self.narrowed((JOB,)))

    @property
    def source(self) -> str:
        """What Tocsin calls this Prometheus."""
        return parse_qs(urlsplit(self.receiver_url).query).get("source", [""])[0]

    def narrowed(self, matchers: Sequence[Matcher]) -> tuple[Matcher, ...]:
        """The matchers with the instance's, which win where they are about the same label."""
        named = {label for label, _, _ in self.instance}
        return (*(each for each in matchers if each[0] not in named), *self.instance)

    def narrow(self, text: str, job: str = written((JOB,))) -> str:
        """The text with every `job` matcher narrowed to this instance."""
        kept = () if any(label == "job" for label, _, _ in self.instance) else (job,)
        return text.replace(job, ",".join((*kept, *([written(self.instance)] if self.instance else []))))


THE_ONLY = Tocsin()
"""Where one Prometheus knows one Tocsin."""


def groups(policy: Policy, tocsin: Tocsin = THE_ONLY) -> tuple[Group, Group]:
    """The heartbeat in a group of its own, which nothing can hold up, and the alerts on Tocsin and the rules."""
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
    """The labels of the alert that Tocsin is down, without its name."""
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
    """What fires at level 4, compiled or foreign; never Tocsin's own alerts, which would keep themselves alive."""
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
    """Matchers of others' alerts that open no incident: what always fires, and what the policy ignores.

    Prometheus gives alerts labels on their way (`external_labels`) that it does not keep in ALERTS. So one that is not
    there is no reason to pass an emergency over, though a matcher may be satisfied by its absence.
    """
    yield (("alertname", "=", WATCHDOG),)
    heartbeats = (each.matchers for each in policy.heartbeats if each.source in (None, source))
    for matchers in (*heartbeats, *policy.ignore):
        absent = tuple((each[0], "!=", "") for each in matchers if matches(each, ""))
        if _OF_ALERTS.isdisjoint(label for label, _, _ in matchers):
            yield (*matchers, *absent)


def foreign_emergencies(policy: Policy, source: str = "") -> tuple[tuple[Matcher, ...], ...]:
    """Matchers of alerts of level 4 that no policy compiled, each set for some of them: those whose severity says so,
    those of a type or rule of level 4 whose severity says nothing lower, and what the policy takes for level 4 where
    its severity says nothing.
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
    """What a label `severity` may say for one of these, as a regular expression: the receiver takes ``SEV-1`` for
    ``sev1`` (`receiver.core.plan`).
    """
    spoken = {_SIGNS.join(map(_literal, _PART.findall(word))) or _literal(word) for word in words}
    return f"(?i:{_SIGNS}(?:{'|'.join(sorted(spoken))}){_SIGNS})"


def _literal(word: str) -> str:
    """The word in Prometheus' regular expressions; Python escapes more than those allow."""
    return "".join(f"\\{letter}" if letter in r"\.+*?()|[]{}^$" else letter for letter in word)


def ways_to_fail(tocsin: Tocsin) -> tuple[str, ...]:
    """Each way in which a page may reach nobody. What recovers by itself within a scrape or two is none."""
    mine = tocsin.targets
    heartbeat = f"tocsin_heartbeat_age_seconds{{{mine},source={quoted(tocsin.source)}}}"
    refused = f'tocsin_webhooks_total{{{mine},result=~"unavailable|failed|malformed|too_large"}}'
    # Only an Alertmanager that names receivers in its metrics says whose webhook it is.
    unsent = 'alertmanager_notifications_failed_total{integration="webhook",receiver_name=~"|tocsin"}'
    return (
        f"absent(max_over_time(up{{{mine}}}[1m]) == 1)",
        f"max(max_over_time(tocsin_store_up{{{mine}}}[1m])) == 0",
        # A replica that cannot read knows no age: the others' counts.
        f"max(tocsin_oldest_undelivered_emergency_seconds{{{mine}}} unless tocsin_store_up{{{mine}}} == 0) > {LATEST}",
        f"min({heartbeat}) > {UNHEARD}",
        f"max(up{{{mine}}} offset {UNHEARD}s) == 1 unless on() max(last_over_time({heartbeat}[{UNHEARD}s]))",
        _keeps_rising(refused),
        _keeps_rising(unsent),
    )


def _keeps_rising(counter: str) -> str:
    """Now, and a minute and a half ago: Alertmanager tries again, so one failure alone means nothing."""
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
