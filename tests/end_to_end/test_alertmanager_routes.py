"""Which receivers a configuration of Alertmanager's tells of an alert: as the real one says, and who hears that Tocsin is
down.
"""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from receiver.clients.alertmanager_routes import Routes
from rules.load import load
from rules.outputs import Options, render
from tests.end_to_end.conftest import need
from tests.patience import GIVES_UP

TREE = """
route:
  receiver: root
  routes:
    - {receiver: first, matchers: ['team="a"'], continue: true}
    - receiver: second
      match: {team: a}
      routes:
        - {matchers: [severity =~ "page|crit.*"]}
        - {receiver: third, match_re: {severity: "info|none"}, continue: true}
        - {receiver: fourth, matchers: ['severity=info', team!=b]}
        - {receiver: root, matchers: ['{severity="debug"}']}
    - {receiver: fifth, matchers: ['team=~"a|b"', 'absent=""']}
receivers: [{name: root}, {name: first}, {name: second}, {name: third}, {name: fourth}, {name: fifth}]
"""
ASKED = [
    *({"team": "a", "severity": severity} for severity in ("page", "critical", "info", "none", "debug", "other")),
    *({"team": team, "severity": "page"} for team in ("b", "c")),
    {"team": "b", "absent": "not"},
    {},
]


def test_the_tree_is_walked_as_alertmanager_walks_it(tmp_path: Path) -> None:
    """For alerts of many kinds the receivers are those that `amtool` names, in its order."""
    need("amtool")
    (tmp_path / "alertmanager.yml").write_text(TREE)
    routes = Routes(yaml.safe_load(TREE))
    for labels in ASKED:
        command = ["amtool", "config", "routes", "test", f"--config.file={tmp_path}/alertmanager.yml"]
        said = subprocess.run(
            [*command, *(f"{name}={value}" for name, value in labels.items())],
            capture_output=True, text=True, check=True, timeout=GIVES_UP,
        ).stdout  # fmt: skip
        assert ",".join(routes.told(labels)) == said.strip(), labels


HEARTBEAT = {"alertname": "TocsinHeartbeat", "heartbeat": "true", "severity": "none", "namespace": "prod"}
FALLBACK = {
    "fallback_email": "oncall@example.com",
    "fallback_smarthost": "mail:587",
    "fallback_from": "am@example.com",
}
TOCSIN = {"name": "tocsin", "webhook_configs": [{"url": "<secret>"}]}
ONE = {"route": {"receiver": "tocsin"}, "receivers": [TOCSIN]}
CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "compiled, with a fallback": (
        yaml.safe_load(render(load(), Options(**FALLBACK)).files["alertmanager.yml"]), ["around-tocsin"]
    ),
    "compiled, without one": (yaml.safe_load(render(load(), Options()).files["alertmanager.yml"]), []),
    "one webhook for everything": (ONE, []),
    "a receiver that tells nobody": (
        {"route": {"receiver": "null", "routes": [{"receiver": "tocsin", "matchers": ['heartbeat="true"']}]},
         "receivers": [TOCSIN, {"name": "null"}]}, []
    ),
    "the webhook's receiver mails too": (
        {"route": {"receiver": "both"}, "receivers": [{**TOCSIN, "name": "both", "email_configs": [{"to": "a@b"}]}]}, ["both"]
    ),
    "another webhook": (
        {"route": {"receiver": "pager", "routes": [{"receiver": "tocsin", "matchers": ['heartbeat="true"']}]},
         "receivers": [TOCSIN, {"name": "pager", "webhook_configs": [{"url": "<secret>"}]}]}, ["pager"]
    ),
    "by the label": (
        {"route": {"receiver": "tocsin", "routes": [{"receiver": "team", "matchers": ["paging=around-tocsin"]}]},
         "receivers": [TOCSIN, {"name": "team", "slack_configs": [{}]}]}, ["team"]
    ),
    "in another namespace": (
        {"route": {"receiver": "tocsin", "routes": [{"receiver": "team", "matchers": ['namespace="x"', "paging=~around.*"]}]},
         "receivers": [TOCSIN, {"name": "team", "slack_configs": [{}]}]}, []
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_who_hears_that_tocsin_is_down(case: str) -> None:
    """People are told around Tocsin where the alert reaches more than the webhook that the heartbeat reaches Tocsin by."""
    document, told = CASES[case]
    assert Routes(document).around_tocsin(HEARTBEAT, load()) == told
