"""The examples for Prometheus, Alertmanager, compose and Grafana fit what Tocsin compiles and exposes."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from receiver.metrics import Metrics
from receiver.settings import Settings
from tests.deploy.conftest import ROOT
from tests.end_to_end.conftest import need

DEPLOY = ROOT / "deploy"


def compose() -> dict[str, Any]:
    """The compose file."""
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def run(*command: str) -> str:
    """Its output; it has to end well."""
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture
def compiled(tmp_path: Path) -> Path:
    """What the compose file's first step writes, by the very arguments it has there."""
    command, *arguments = compose()["services"]["compile"]["command"]
    out = tmp_path / "compiled"
    places = {"/etc/tocsin/policy.yaml": str(DEPLOY / "kubernetes/base/policy.yaml"), "--out=/compiled": f"--out={out}"}
    run(sys.executable, "-m", "receiver.cli", command, *(places.get(each, each) for each in arguments))
    return out


def test_prometheus_takes_the_configuration(compiled: Path) -> None:
    """promtool finds prometheus.yml and the compiled rules it names good."""
    need("promtool")
    shutil.copy(DEPLOY / "prometheus" / "prometheus.yml", compiled.parent)
    assert "1 rule files found" in run("promtool", "check", "config", str(compiled.parent / "prometheus.yml"))


def test_alertmanager_takes_the_configurations(compiled: Path) -> None:
    """amtool finds the compiled configuration and the example beside it good."""
    need("amtool")
    run("amtool", "check-config", str(compiled / "alertmanager.yml"))
    run("amtool", "check-config", str(DEPLOY / "alertmanager" / "alertmanager.yml"))


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["section=incident_response", "severity_level=4"], "tocsin"),
        (["section=incident_response", "severity_level=1"], "tocsin"),
        (["alertname=TocsinHeartbeat", "heartbeat=true"], "tocsin"),
        (["alertname=TocsinDown"], "team"),
        (["alertname=TocsinFailThrough", "section=incident_response", "severity_level=4"], "team"),
        (["alertname=DiskFull"], "team"),
    ],
)
def test_an_alertmanager_with_routes_of_its_own(labels: list[str], receiver: str) -> None:
    """The example sends what was compiled to Tocsin, what watches Tocsin around it, and leaves the rest alone."""
    need("amtool")
    file = DEPLOY / "alertmanager" / "alertmanager.yml"
    assert run("amtool", "config", "routes", "test", f"--config.file={file}", *labels).strip() == receiver


def test_tocsin_is_scraped_under_the_name_that_the_rules_ask_for(compiled: Path) -> None:
    """The job is called as in the compiled TocsinDown, and its target listens where the compose file says."""
    rules = (compiled / "rules.yml").read_text()
    prometheus = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in prometheus["scrape_configs"]}
    assert set(re.findall(r'up\{job="([^"]+)"\}', rules)) == {"tocsin"}
    assert targets["tocsin"] == ["tocsin:8095"]


def test_compose_refers_to_what_it_has() -> None:
    """Every service, volume and secret that the compose file refers to is in it, and every image has a version."""
    document = compose()
    services = document["services"]
    for service in services.values():
        assert set(service.get("depends_on", ())) <= set(services)
        assert set(service.get("secrets", ())) <= set(document["secrets"])
        named = {volume.partition(":")[0] for volume in service.get("volumes", ()) if volume[0] not in "./$"}
        assert named <= set(document["volumes"])
        assert re.fullmatch(r"[\w/.-]+:v?\d+\.\d+\.\d+", service["image"])
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert services["tocsin"]["image"] == f"tocsin:{version}"


def test_compose_mounts_files_that_exist() -> None:
    """Files of the repository that the compose file mounts are there."""
    mounted = [volume for service in compose()["services"].values() for volume in service.get("volumes", ())]
    files = {re.sub(r"^\$\{\w+:-(.*?)\}", r"\1", volume).partition(":")[0] for volume in mounted}
    files = {file for file in files if file.startswith(".")}
    assert len(files) == 2
    assert all((DEPLOY / file).is_file() for file in files)


def test_composes_settings_are_understood(tmp_path: Path) -> None:
    """The variables in the compose file are settings, and enough to listen to others."""
    environment = compose()["services"]["tocsin"]["environment"]
    for name in ("webhook-token", "api-tokens"):
        (tmp_path / name).write_text(f"{name}-secret")
    moved = {name: text.replace("/run/secrets", str(tmp_path)) for name, text in environment.items()}
    moved["TOCSIN_EXTERNAL_URL"] = moved["TOCSIN_EXTERNAL_URL"].partition(":-")[2].rstrip("}")
    settings = Settings.read({**moved, "TOCSIN_LISTEN": "0.0.0.0:8095"})
    assert settings.warnings == ()
    settings.require_safe()


def test_alertmanager_reads_the_token_where_compose_puts_it(compiled: Path) -> None:
    """The compiled configuration names the file at which the compose file mounts the webhook's token."""
    configuration = yaml.safe_load((compiled / "alertmanager.yml").read_text())
    (webhook,) = configuration["receivers"][0]["webhook_configs"]
    assert webhook["http_config"]["authorization"]["credentials_file"] == "/run/secrets/webhook-token"
    assert "webhook-token" in compose()["services"]["alertmanager"]["secrets"]


def dashboard() -> dict[str, Any]:
    """The dashboard about Tocsin itself."""
    return json.loads((DEPLOY / "grafana" / "tocsin.json").read_text())


def metrics_in(expression: promql_parser.Expr) -> Iterator[str]:
    """The metrics that a parsed query reads."""
    return re.finditer(r"\b(tocsin_\w+|up)\b(?=\{)", expression.prettify())


def test_the_dashboard_reads_metrics_that_exist() -> None:
    """Every query of the dashboard is PromQL, and every metric in it is one that Tocsin exposes."""
    exposed = {"up"}
    for family in Metrics().registry.collect():
        endings = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
        exposed |= {family.name + ending for ending in endings}
    queries = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    read = {found[0] for query in queries for found in metrics_in(promql_parser.parse(query))}
    assert len(queries) > 15
    assert read <= exposed
    assert len(read) > 12


def test_the_dashboards_panels_lie_side_by_side() -> None:
    """Panels have ids of their own and do not overlap on Grafana's grid of 24."""
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in panels):
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
