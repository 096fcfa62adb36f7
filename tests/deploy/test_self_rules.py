"""The alerts on Tocsin itself: promtool proves when each fires, and they read metrics that there are."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import promql_parser
import yaml

from rules import self_monitoring
from tests.deploy.conftest import KUBERNETES, ROOT
from tests.deploy.exposed import exposed, metrics_in
from tests.end_to_end.conftest import need
from tests.patience import GIVES_UP

FOLDER = ROOT / "deploy" / "prometheus"
Rule = dict[str, Any]
RULES: Rule = yaml.safe_load((FOLDER / "self-rules.yml").read_text())
ALERTS = {rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"]}
TESTS: list[dict[str, Any]] = yaml.safe_load((FOLDER / "self-rules_test.yml").read_text())["tests"]


def promtool(folder: Path) -> subprocess.CompletedProcess[str]:
    """The unit tests, run."""
    need("promtool")
    command = ["promtool", "test", "rules", str(folder / "self-rules_test.yml")]
    return subprocess.run(command, capture_output=True, text=True, timeout=GIVES_UP)


def noticed(folder: Path, change: Callable[[Rule], Rule]) -> set[str]:
    """The alerts that promtool complains of when every rule is changed."""
    shutil.copy(FOLDER / "self-rules_test.yml", folder)
    rules = [change(rule) for rule in ALERTS.values()]
    (folder / "self-rules.yml").write_text(yaml.safe_dump({"groups": [{**RULES["groups"][0], "rules": rules}]}))
    return set(re.findall(r"alertname: ?(\w+)", promtool(folder).stderr))


def test_promtool_finds_them_true() -> None:
    """Each alert fires when its test says so, with those words, and not a step earlier or later."""
    result = promtool(FOLDER)
    assert result.returncode == 0, result.stdout + result.stderr


def test_each_alert_is_proved() -> None:
    """No alert is without a test in which it fires, and one in which it does not."""
    told = [(each["alertname"], bool(each["exp_alerts"])) for test in TESTS for each in test["alert_rule_test"]]
    assert set(told) == {(name, fires) for name in ALERTS for fires in (True, False)}


def test_alerts_that_are_hasty_are_noticed(tmp_path: Path) -> None:
    """promtool's tests fail for every rule that does not wait as long as it should."""
    hasty = noticed(tmp_path, lambda rule: {key: value for key, value in rule.items() if key != "for"})
    assert hasty == {name for name, rule in ALERTS.items() if "for" in rule}


def test_alerts_with_another_threshold_are_noticed(tmp_path: Path) -> None:
    """promtool's tests fail for every rule that is a hair less sensitive."""
    dull = noticed(tmp_path, lambda rule: rule | {"expr": _duller(rule["expr"])})
    assert dull == set(ALERTS)


def _duller(expr: str) -> str:
    """``> 120`` becomes ``> 121``, ``< 120`` ``< 119``, ``== 0`` becomes ``< 0``, and a sum has to be larger than it ever is."""
    if "== 0" in expr:
        return expr.replace("== 0", "< 0")
    expr = re.sub(r"< ([\d.]+)", lambda found: f"< {float(found[1]) - 1}", expr)
    return re.sub(r"> ([\d.]+)", lambda found: f"> {float(found[1]) + 1}", expr)


def test_they_read_metrics_that_exist() -> None:
    """Every metric in the alerts is one that Tocsin exposes, and every value of its labels one that it can have."""
    families = exposed()
    for name, rule in ALERTS.items():
        read = set(metrics_in(promql_parser.parse(rule["expr"])))
        assert read, name
        assert read <= set(families), name
    text = " ".join(rule["expr"] for rule in ALERTS.values())
    results = {word for words in re.findall(r'result=~"([^"]+)"', text) for word in words.split("|")}
    assert results | {"accepted"} == {labels["result"] for labels in families["tocsin_webhooks_total"]}
    outcomes = {word for words in re.findall(r'outcome=~"([^"]+)"', text) for word in words.split("|")}
    assert outcomes <= {labels["outcome"] for labels in families["tocsin_notifications_total"]}


def test_they_are_what_is_compiled() -> None:
    """deploy/prometheus has what `tocsin compile` writes where Prometheus knows one Tocsin."""
    assert (FOLDER / "self-rules.yml").read_text() == self_monitoring.SELF_RULES


def test_what_concerns_paging_goes_around_tocsin() -> None:
    """An alert whose metric counts webhooks, messages, windows or heartbeats must not depend on Tocsin to be told."""
    paging = (
        r"store_up|undelivered|outbox|windows|notifications|channel_configured|webhooks|heartbeat|poisoned|certificate"
    )
    around = {name for name, rule in ALERTS.items() if rule["labels"].get("paging") == "around-tocsin"}
    assert around == {name for name, rule in ALERTS.items() if re.search(paging, rule["expr"])}


def test_the_operator_gets_the_same() -> None:
    """The PrometheusRule in the component holds these rules, no others."""
    path = KUBERNETES / "components" / "operator" / "self-rules.yaml"
    assert yaml.safe_load(path.read_text())["spec"] == RULES
