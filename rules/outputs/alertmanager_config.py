"""Policy → ``alertmanager.yml``. Works with Alertmanager 0.25.

Everything goes to Tocsin's webhook, which knows channels and people. What says that Tocsin may page nobody goes around
it, to Alertmanager's own e-mail or PagerDuty, and never as an all-clear: that Tocsin is back ends no emergency.
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
"""The fallback's mail for readers that show no HTML: watches, gateways to SMS."""

COMPILED_BY = ["system", "signal"]
OTHERS_BY = ["alertname", "system", "namespace"]
HEARTBEAT_INTERVAL, HEARTBEAT_REPEAT = 10 * SECOND, 15 * SECOND
"""On a grid of 10 s a repeat after more than 15 s is one every 20 s."""
AROUND_WAIT, AROUND_INTERVAL = 5 * SECOND, 30 * SECOND
"""What begins to fire at one evaluation arrives one after the other: without a wait the first alone would be told at
once, and the others an interval later."""
AROUND_REPEAT = 4 * HOUR
"""One message for each outage and what fires in it; a repeat only where the outage lasts."""
LONGEST_REPEAT = HOUR
"""Repeats tell Tocsin nothing new; they mend what a lost database or a wrong silence forgot."""


def render(policy: Policy, options: Options) -> bytes:
    """The configuration. Credentials stay in files that it names."""
    document: dict[str, Any] = {"route": route(policy, options), "receivers": list(_receivers(options))}
    if mutes := inhibitions(options):
        document["inhibit_rules"] = mutes
    return text(document, HEAD if options.has_fallback or not options.watch else HEAD + ALONE)


def route(policy: Policy, options: Options) -> dict[str, Any]:
    """The routing tree; the AlertmanagerConfig for Kubernetes is made from the same."""
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
    """Who hears that an emergency fires while Tocsin fails need not hear of each way in which it does."""
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
    """By name too: rules that an older Tocsin compiled have no label for it."""
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
    """Repeated often enough that three may get lost."""
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
    """Emergencies of rules that nobody compiled wait as little as compiled ones."""
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
    """Repeated at least as often as the level escalates, so that Tocsin and Alertmanager never disagree for longer."""
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
