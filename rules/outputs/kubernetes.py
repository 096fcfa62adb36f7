"""Rule groups and routes → the Prometheus Operator's objects: PrometheusRule, AlertmanagerConfig.

The operator adds a matcher for the object's namespace to every route; if alerts come from other namespaces, set
``alertmanagerConfigMatcherStrategy: {type: None}`` on its Alertmanager (stated in the file).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from rules import matchers, reserved
from rules.outputs.alertmanager_config import FALLBACK, PLAIN, TOCSIN, inhibitions, route
from rules.outputs.options import Options
from rules.policy import Policy
from rules.yaml_text import text

NAME = "tocsin"
LABELS = {"app.kubernetes.io/managed-by": "tocsin", "app.kubernetes.io/name": "tocsin"}
SECRET = {"name": "tocsin-alertmanager", "key": "webhook-token"}
PAGERDUTY_SECRET = {"name": "tocsin-alertmanager", "key": "pagerduty-routing-key"}

HEAD = "Compiled by Tocsin from the policy: edit that, not this."
STRATEGY = """
The operator lets an AlertmanagerConfig see only alerts of its own namespace, unless its Alertmanager says
alertmanagerConfigMatcherStrategy: {type: None}."""


def render_rules(groups: Iterable[Mapping[str, Any]], options: Options) -> bytes:
    """The PrometheusRule of the rule file's groups."""
    labels = LABELS | {"role": "alert-rules"}
    spec = {"groups": [_in_namespace(each, options.namespace) for each in groups]}
    return text(_object("monitoring.coreos.com/v1", "PrometheusRule", labels, spec, options), HEAD)


def _in_namespace(group: Mapping[str, Any], namespace: str) -> Mapping[str, Any]:
    """The group, with the object's namespace on Tocsin's own alerts: the operator restricts an AlertmanagerConfig to
    alerts with that label, and the heartbeat, for example, has no labels of a measured target.
    """
    if not namespace:
        return group
    rules = [
        rule | {"labels": {"namespace": namespace} | rule["labels"]} if rule.get("alert") in reserved.WATCH else rule
        for rule in group["rules"]
    ]
    return {**group, "rules": rules}


def render_routes(policy: Policy, options: Options) -> bytes:
    """The AlertmanagerConfig; if the options name a token file, the webhook's token is in the Secret that it names."""
    spec: dict[str, Any] = {"route": _camel(route(policy, options)), "receivers": _receivers(options)}
    if mutes := [
        {f"{side}Match": [_matcher(each) for each in rule[f"{side}_matchers"]] for side in ("source", "target")}
        for rule in inhibitions(options)
    ]:
        spec["inhibitRules"] = mutes
    return text(_object("monitoring.coreos.com/v1alpha1", "AlertmanagerConfig", LABELS, spec, options), HEAD + STRATEGY)


def _object(
    version: str, kind: str, labels: Mapping[str, str], spec: Mapping[str, Any], options: Options
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": NAME, "labels": dict(labels)}
    if options.namespace:
        metadata["namespace"] = options.namespace
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": dict(spec)}


def _camel(node: Mapping[str, Any]) -> dict[str, Any]:
    """A route in the operator's spelling."""
    spelt: dict[str, Any] = {}
    for key, value in node.items():
        first, *rest = key.split("_")
        name = first + "".join(word.capitalize() for word in rest)
        if key == "routes":
            spelt[name] = [_camel(child) for child in value]
        else:
            spelt[name] = [_matcher(each) for each in value] if key == "matchers" else value
    return spelt


def _matcher(matcher: str) -> dict[str, str]:
    """One matcher in the operator's form."""
    ((name, kind, value),) = matchers.parse(matcher)
    return {"name": name, "matchType": kind, "value": value}


def _receivers(options: Options) -> list[dict[str, Any]]:
    webhook: dict[str, Any] = {"url": options.receiver_url, "sendResolved": True, "maxAlerts": 0}
    if options.token_file:
        webhook["httpConfig"] = {"authorization": {"type": "Bearer", "credentials": SECRET}}
    receivers: list[dict[str, Any]] = [{"name": TOCSIN, "webhookConfigs": [webhook]}]
    if not (options.watch and options.has_fallback):
        return receivers
    fallback: dict[str, Any] = {"name": FALLBACK}
    if options.fallback_email:
        fallback["emailConfigs"] = [
            {
                "to": options.fallback_email,
                "from": options.fallback_from,
                "smarthost": options.fallback_smarthost,
                "requireTLS": options.fallback_needs_tls,
                "sendResolved": False,
                "text": PLAIN,
            }
        ]
    if options.fallback_pagerduty_key_file:
        fallback["pagerdutyConfigs"] = [{"routingKey": PAGERDUTY_SECRET, "severity": "critical", "sendResolved": False}]
    return [*receivers, fallback]
