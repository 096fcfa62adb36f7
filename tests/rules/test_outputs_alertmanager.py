"""The compiled Alertmanager configuration and Kubernetes objects, before the real amtool and promtool."""

import json
from dataclasses import replace

import pytest
import yaml

from rules.load import load
from rules.matchers import match, parse, quoted
from rules.outputs import Options, render
from rules.policy import MINUTE, Heartbeat, IncidentType, Micros, Signal
from rules.reserved import WATCH
from tests.rules.policies import policy, rule, write

POLICY = replace(
    policy(
        rule("margin", "safety_margin < 0.95", 4),
        rule("late", "response_time_p99 > 100", 3, immediate=True),
        signals=(Signal("response_time_p99", unit="ms", help="99th percentile"),),
        types=(IncidentType("aviation", "engine_failure", 4),),
    ),
    heartbeats=(Heartbeat("eu", parse('alertname="Watchdog",cluster!~"us|asia"'), Micros(5 * MINUTE)),),
)
EMAIL = {
    "fallback_email": "duty@example.org",
    "fallback_smarthost": "mail.example.org:587",
    "fallback_from": "alertmanager@example.org",
}
PAGERDUTY = {"fallback_pagerduty_key_file": "/etc/alertmanager/secrets/pagerduty"}
OPTIONS = {
    "plain": {},
    "with a token": {"token_file": "/etc/alertmanager/secrets/tocsin"},
    "with e-mail around": EMAIL,
    "with PagerDuty around": PAGERDUTY,
    "with both": EMAIL | PAGERDUTY,
    "with a cluster of three": {"alertmanager_peers": 3},
    "without watch": {"watch": False} | EMAIL,
}

ROUTES = {
    "level 4": ("tocsin", {"section": "safety", "severity_level": "4", "signal": "safety_margin"}),
    "level 1": ("tocsin", {"section": "safety", "severity_level": "1"}),
    "heartbeat": ("tocsin", {"alertname": "TocsinHeartbeat", "heartbeat": "true"}),
    "somebody else's": ("tocsin", {"alertname": "DiskFull", "severity": "page"}),
    "a heartbeat of the policy": ("tocsin", {"alertname": "Watchdog", "cluster": "eu"}),
    "nothing known": ("tocsin", {}),
    "failing rules": ("tocsin", {"alertname": "TocsinRuleEvaluationFails", "severity_level": "3"}),
    "Tocsin is down": ("around-tocsin", {"alertname": "TocsinDown", "severity_level": "4"}),
    "webhooks fail": ("around-tocsin", {"alertname": "TocsinWebhooksFail", "paging": "around-tocsin"}),
    "fail-through": ("around-tocsin", {"alertname": "TocsinFailThrough", "section": "safety", "severity_level": "4"}),
}


def configuration(**options):
    return yaml.safe_load(render(POLICY, Options(**options)).files["alertmanager.yml"])


def route_of(tree, labels):
    """The deepest route that takes the alert, its settings inherited: Alertmanager's rule, for our matchers."""
    for child in tree.get("routes", ()):
        if match([parsed for text in child["matchers"] for parsed in parse(text)], labels):
            inherited = {key: value for key, value in tree.items() if key not in {"routes", "matchers"}}
            return route_of(inherited | child, labels)
    return tree


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_amtool_accepts_every_variant(amtool, tmp_path, options):
    """amtool check-config takes the configuration, for all options."""
    write(POLICY, tmp_path, **options)
    answer = amtool("check-config", tmp_path / "alertmanager.yml")
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize(("receiver", "labels"), ROUTES.values(), ids=ROUTES)
def test_every_alert_reaches_somebody(amtool, tmp_path, receiver, labels):
    """Every alert goes to Tocsin, known or not; only the two about Tocsin go around it."""
    write(POLICY, tmp_path, **EMAIL)
    given = [f"{name}={value}" for name, value in labels.items()]
    answer = amtool(
        "config",
        "routes",
        "test",
        f"--config.file={tmp_path}/alertmanager.yml",
        f"--verify.receivers={receiver}",
        *given,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_without_a_fallback_tocsin_is_told_about_itself_and_the_file_says_so():
    """Without a way around Tocsin, the alerts still go somewhere, and the file says what is missing."""
    text = render(POLICY).files["alertmanager.yml"].decode()
    assert "Nobody is told when Tocsin itself is down" in text
    assert [receiver["name"] for receiver in yaml.safe_load(text)["receivers"]] == ["tocsin"]


def test_everything_is_sent_whole_and_resolved_too():
    """The webhook gets every alert of a group and its resolution, with the token from a file."""
    (receiver,) = configuration(token_file="/secrets/tocsin", receiver_url="https://tocsin.example.org/hook")[
        "receivers"
    ]
    assert receiver["webhook_configs"] == [
        {
            "url": "https://tocsin.example.org/hook",
            "send_resolved": True,
            "max_alerts": 0,
            "http_config": {"authorization": {"type": "Bearer", "credentials_file": "/secrets/tocsin"}},
        }
    ]


@pytest.mark.parametrize(
    ("labels", "wait", "interval"),
    [
        ({"section": "a", "severity_level": "4"}, "0s", "20s"),
        ({"section": "a", "severity_level": "2", "immediate": "true"}, "0s", "20s"),
        ({"section": "a", "severity_level": "3"}, "30s", "1m"),
        ({"alertname": "TocsinHeartbeat"}, "0s", "10s"),
        ({"alertname": "Watchdog"}, "0s", "10s"),
        ({"alertname": "DiskFull"}, "30s", "1m"),
    ],
)
def test_emergencies_and_immediate_rules_do_not_wait(labels, wait, interval):
    """Level 4 and immediate rules leave at once and follow up every 20 s; others are gathered first."""
    route = route_of(configuration()["route"], labels)
    assert (route["group_wait"], route["group_interval"]) == (wait, interval)


@pytest.mark.parametrize(("peers", "interval"), [(1, "5s"), (2, "20s"), (3, "35s"), (5, "1m5s")])
def test_the_slowest_peer_has_spoken_before_the_next_message(peers, interval):
    """What must not wait is grouped for 15 s per further peer and 5 s more, and is repeated no sooner."""
    tree = configuration(alertmanager_peers=peers)["route"]
    for labels in ({"severity_level": "4"}, {"severity_level": "1", "immediate": "true"}):
        assert route_of(tree, {"section": "a", **labels})["group_interval"] == interval
    assert route_of(tree, {"section": "a", "severity_level": "3"})["group_interval"] == "1m"


@pytest.mark.parametrize("peers", [0, -1, 21])
def test_a_cluster_has_peers(peers):
    """A number of peers that no cluster has is refused."""
    with pytest.raises(ValueError, match="alertmanager_peers"):
        Options(alertmanager_peers=peers)


def test_no_all_clear_comes_around_tocsin():
    """The fallback says what fires and never that it is over; an outage is told once, not again every few minutes."""
    document = configuration(**EMAIL, **PAGERDUTY)
    (fallback,) = (each for each in document["receivers"] if each["name"] == "around-tocsin")
    assert [each["send_resolved"] for kind in ("email_configs", "pagerduty_configs") for each in fallback[kind]] == [
        False,
        False,
    ]
    route = route_of(document["route"], {"alertname": "TocsinFailThrough"})
    assert (route["group_by"], route["repeat_interval"]) == (["alertname"], "4h")
    (mute,) = document["inhibit_rules"]
    assert mute["source_matchers"] == ['alertname="TocsinFailThrough"']


def test_a_signals_alerts_arrive_together():
    """Compiled alerts are grouped by system and signal, so that rules and twin are one incident; others are not."""
    tree = configuration()["route"]
    assert route_of(tree, {"section": "a", "severity_level": "3"})["group_by"] == ["system", "signal"]
    assert route_of(tree, {"alertname": "DiskFull"})["group_by"] == ["alertname", "system", "namespace"]


def test_repeats_come_before_the_next_escalation():
    """Each level is repeated within its escalation time."""
    tree = configuration()["route"]
    repeats = [route_of(tree, {"section": "a", "severity_level": str(n)})["repeat_interval"] for n in (1, 2, 3, 4)]
    assert repeats == ["1h", "1h", "30m", "5m"]


def test_half_a_mail_configuration_is_refused():
    """A fallback that could not send is found out now, not in an outage."""
    with pytest.raises(ValueError, match="fallback_smarthost"):
        Options(fallback_email="duty@example.org")


def test_a_relay_on_this_machine_needs_no_tls():
    """Alertmanager demands TLS of mail servers; of a local relay it does not, of any other it does."""
    assert not Options(**EMAIL | {"fallback_smarthost": "localhost:25"}).fallback_needs_tls
    assert Options(**EMAIL).fallback_needs_tls


def test_the_prometheus_rule_holds_the_same_rules(promtool, tmp_path):
    """The PrometheusRule's groups are those of rules.yml, and promtool takes them."""
    files = render(POLICY).files
    custom = yaml.safe_load(files["prometheusrule.yaml"])
    assert custom["apiVersion"] == "monitoring.coreos.com/v1"
    assert custom["spec"] == yaml.safe_load(files["rules.yml"])
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(custom["spec"]))
    assert promtool("check", "rules", tmp_path / "rules.yml").returncode == 0


def strings(node, inside=""):
    """Every scalar with the key it stands under."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from strings(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value, inside)
    else:
        yield inside, node


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_kubernetes_gets_strings_where_it_wants_strings(options):
    """The operator's schemas refuse numbers and booleans for labels, durations and matchers."""
    files = render(load(), Options(**options, namespace="monitoring")).files
    others = {"sendResolved": bool, "maxAlerts": int, "requireTLS": bool}
    for name in ("prometheusrule.yaml", "alertmanagerconfig.yaml"):
        for key, value in strings(yaml.safe_load(files[name])):
            assert type(value) is others.get(key, str), (name, key, value)


def test_tocsins_own_alerts_have_the_objects_namespace():
    """The operator lets an AlertmanagerConfig see only alerts of its own namespace: the heartbeat and its like have it,
    alerts of the policy keep that of what they measure; without the option no alert has one.
    """
    for namespace, wanted in (("monitoring", set(WATCH)), ("", set())):
        files = render(POLICY, Options(namespace=namespace)).files
        groups = yaml.safe_load(files["prometheusrule.yaml"])["spec"]["groups"]
        rules = [rule for group in groups for rule in group["rules"] if "alert" in rule]
        assert {rule["alert"] for rule in rules if "namespace" in rule["labels"]} == wanted
        assert "namespace: monitoring" not in files["rules.yml"].decode()


def test_the_alertmanager_config_routes_as_alertmanager_does():
    """Both outputs hold the same tree, the operator's in its own spelling; secrets are references."""
    files = render(POLICY, Options(token_file="/t", **EMAIL, **PAGERDUTY)).files
    custom = yaml.safe_load(files["alertmanagerconfig.yaml"])["spec"]
    plain = yaml.safe_load(files["alertmanager.yml"])

    def spelt(route):
        matchers = [f"{each['name']}{each['matchType']}{quoted(each['value'])}" for each in route.get("matchers", ())]
        return (
            route["receiver"], route.get("groupBy"), route.get("groupWait"), route.get("repeatInterval"), matchers,
            [spelt(child) for child in route.get("routes", ())],
        )  # fmt: skip

    def native(route):
        return (
            route["receiver"], route.get("group_by"), route.get("group_wait"), route.get("repeat_interval"),
            route.get("matchers", []), [native(child) for child in route.get("routes", ())],
        )  # fmt: skip

    assert spelt(custom["route"]) == native(plain["route"])
    assert [len(each["targetMatch"]) for each in custom["inhibitRules"]] == [
        len(each["target_matchers"]) for each in plain["inhibit_rules"]
    ]
    assert custom["receivers"][0]["webhookConfigs"][0]["httpConfig"]["authorization"]["credentials"]["key"]


def test_the_dashboard_shows_each_signal_with_its_thresholds():
    """Every signal a rule reads has a panel with its unit, and lines where its rules' thresholds are."""
    dashboard = json.loads(render(POLICY).files["dashboard.json"])
    panels = {panel["title"]: panel for panel in dashboard["panels"]}
    defaults = panels["response_time_p99"]["fieldConfig"]["defaults"]
    assert defaults["unit"] == "ms"
    assert [step["value"] for step in defaults["thresholds"]["steps"]] == [None, 100.0]
    assert "safety_margin" in panels
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
