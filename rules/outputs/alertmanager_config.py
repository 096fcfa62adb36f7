"""Policy → ``alertmanager.yml``. Works with Alertmanager 0.25.

All alerts go to Tocsin's webhook, which selects channels and people. Alerts that Tocsin may be unable to page go around
it, to Alertmanager's own e-mail or PagerDuty, without resolved notifications: Tocsin's recovery does not end an
emergency.
"""

from collections.abc import Iterator
from typing import Any

from rules.durations import format_duration
from rules.matchers import quoted, written
from rules.outputs.options import Options
from rules.policy import EMERGENCY, HOUR, MINUTE, SECOND, Heartbeat, Level, Policy
from rules.self_monitoring import AROUND, AROUND_TOCSIN, FAIL_THROUGH, HEARTBEAT, foreign_emergencies
from rules.yaml_text import text

HEAD = """\
Compiled by Tocsin from the policy: edit that, not this. No secret is written here, only files that hold them.
Alerts that Tocsin compiled have a label "section"; a signal's rules and its twin arrive together."""

ALONE = """
Nobody is told when Tocsin itself is down: compile with a fallback e-mail address or PagerDuty key to change that."""

TOCSIN, FALLBACK = "tocsin", "around-tocsin"
PLAIN = "{{ range .Alerts.Firing }}{{ .Annotations.summary }}\n{{ .Annotations.description }}\n\n{{ end }}"
"""The fallback's mail for readers without HTML: watches, SMS gateways."""

COMPILED_BY = ["system", "signal"]
OTHERS_BY = ["alertname", "system", "namespace"]
HEARTBEAT_INTERVAL, HEARTBEAT_REPEAT = 10 * SECOND, 15 * SECOND
"""On a grid of 10 s, a repeat after more than 15 s comes every 20 s."""
AROUND_WAIT, AROUND_INTERVAL = 5 * SECOND, 30 * SECOND
"""Alerts of one evaluation arrive one after another: without a wait, the first alone would be sent at once, and the
others an interval later."""
AROUND_REPEAT = 4 * HOUR
"""One message per outage with all its alerts; a repeat only if the outage lasts."""
LONGEST_REPEAT = HOUR
"""Repeats contain no news for Tocsin; they restore what a lost database or a mistaken silence dropped."""


def render(policy: Policy, options: Options) -> bytes:
    """The configuration. Credentials stay in the files that it names."""
    document: dict[str, Any] = {"route": route(policy, options), "receivers": list(_receivers(options))}
    if mutes := inhibitions(options):
        document["inhibit_rules"] = mutes
    return text(document, HEAD if options.has_fallback or not options.watch else HEAD + ALONE)


def route(policy: Policy, options: Options) -> dict[str, Any]:
    """The routing tree; Kubernetes' AlertmanagerConfig is made from the same."""
    return {
        "receiver": TOCSIN,
        "group_by": OTHERS_BY,
        **_pace("30s", "1m", LONGEST_REPEAT),
        "routes": [
            *(_watch_routes(options) if options.watch else ()),
            *map(_heartbeat_route, policy.heartbeats),
            _compiled(policy, options),
            *_foreign(policy, options),
        ],
    }


def _pace(wait: str, interval: str, repeat: int) -> dict[str, str]:
    return {"group_wait": wait, "group_interval": interval, "repeat_interval": format_duration(repeat)}


def inhibitions(options: Options) -> list[dict[str, list[str]]]:
    """The fail-through alert inhibits the other alerts around Tocsin, which only detail the failure."""
    if not (options.watch and options.has_fallback):
        return []
    around = f"{AROUND[0]}={quoted(AROUND[1])}"
    return [
        {
            "source_matchers": [f'alertname="{FAIL_THROUGH}"'],
            "target_matchers": [around, f'alertname!="{FAIL_THROUGH}"'],
        }
    ]


def _watch_routes(options: Options) -> Iterator[dict[str, Any]]:
    """Also by name, because rules compiled by an older Tocsin lack the label."""
    named = f'alertname=~"{"|".join(AROUND_TOCSIN)}"'
    interval = format_duration(max(AROUND_INTERVAL, options.urgent_interval))
    for matcher in (named, f"{AROUND[0]}={quoted(AROUND[1])}"):
        yield {
            "receiver": FALLBACK if options.has_fallback else TOCSIN,
            "matchers": [matcher],
            "group_by": ["alertname"],
            **_pace(format_duration(AROUND_WAIT), interval, AROUND_REPEAT),
        }
    yield {
        "receiver": TOCSIN,
        "matchers": [f'alertname="{HEARTBEAT}"'],
        "group_by": ["alertname"],
        **_pace("0s", format_duration(HEARTBEAT_INTERVAL), HEARTBEAT_REPEAT),
    }


def _heartbeat_route(heartbeat: Heartbeat) -> dict[str, Any]:
    """Repeated so often that up to three may be lost."""
    repeat = max(HEARTBEAT_REPEAT, heartbeat.within // 4 // SECOND * SECOND)
    return {
        "receiver": TOCSIN,
        "matchers": [written([matcher]) for matcher in heartbeat.matchers],
        "group_by": ["..."],
        **_pace("0s", format_duration(HEARTBEAT_INTERVAL), repeat),
    }


def _compiled(policy: Policy, options: Options) -> dict[str, Any]:
    return {
        "receiver": TOCSIN,
        "matchers": ['section=~".+"'],
        "group_by": COMPILED_BY,
        **_pace("30s", "1m", LONGEST_REPEAT),
        "routes": [
            route for level in reversed(policy.levels) for route in _level_routes(level, options.urgent_interval)
        ],
    }


def _foreign(policy: Policy, options: Options) -> Iterator[dict[str, Any]]:
    """Routes of foreign emergencies, with the short waits of compiled ones."""
    emergency = policy.level(EMERGENCY)
    repeat = max(min(emergency.escalation_time, LONGEST_REPEAT), options.urgent_interval)
    for matchers in foreign_emergencies(policy, options.tocsin.source):
        yield {
            "receiver": TOCSIN,
            "matchers": [written([each]) for each in matchers],
            "group_by": OTHERS_BY,
            **_pace("0s", format_duration(options.urgent_interval), repeat),
        }


def _level_routes(level: Level, urgent: int) -> Iterator[dict[str, Any]]:
    """Repeated at least as often as the level escalates, which limits disagreement between Tocsin and Alertmanager."""
    repeat = min(level.escalation_time, LONGEST_REPEAT)
    matcher = f'severity_level="{level.level}"'
    at_once = _pace("0s", format_duration(urgent), max(repeat, urgent))
    if level.level == EMERGENCY:
        yield {"receiver": TOCSIN, "matchers": [matcher], "group_by": COMPILED_BY, **at_once}
        return
    yield {"receiver": TOCSIN, "matchers": [matcher, 'immediate="true"'], "group_by": COMPILED_BY, **at_once}
    yield {
        "receiver": TOCSIN,
        "matchers": [matcher],
        "group_by": COMPILED_BY,
        **_pace("30s", "1m", max(repeat, MINUTE)),
    }


def _receivers(options: Options) -> Iterator[dict[str, Any]]:
    webhook: dict[str, Any] = {"url": options.receiver_url, "send_resolved": True, "max_alerts": 0}
    if options.token_file:
        webhook["http_config"] = {"authorization": {"type": "Bearer", "credentials_file": options.token_file}}
    yield {"name": TOCSIN, "webhook_configs": [webhook]}
    if not (options.watch and options.has_fallback):
        return
    fallback: dict[str, Any] = {"name": FALLBACK}
    if options.fallback_email:
        fallback["email_configs"] = [
            {
                "to": options.fallback_email,
                "from": options.fallback_from,
                "smarthost": options.fallback_smarthost,
                "require_tls": options.fallback_needs_tls,
                "send_resolved": False,
                "text": PLAIN,
            }
        ]
    if options.fallback_pagerduty_key_file:
        fallback["pagerduty_configs"] = [
            {"routing_key_file": options.fallback_pagerduty_key_file, "severity": "critical", "send_resolved": False}
        ]
    yield fallback
