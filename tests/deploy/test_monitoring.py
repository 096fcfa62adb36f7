"""The examples for Prometheus, Alertmanager, compose and Grafana fit what Tocsin compiles and exposes."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import promql_parser
import pytest
import yaml

from receiver.channels.configured import configured_channels
from receiver.demo.landing_model import PORT
from receiver.demo.tools import free_port
from receiver.settings import Settings
from rules.load import load
from rules.outputs import render
from tests.deploy.conftest import ROOT
from tests.deploy.exposed import exposed, metrics_in
from tests.end_to_end.conftest import need
from tests.npm import CACHE, missing
from tests.patience import GIVES_UP

DEPLOY = ROOT / "deploy"
NEWEST = CACHE / "newest" / "usr" / "bin"


def compose() -> dict[str, Any]:
    """The compose file."""
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def run(*command: str) -> str:
    """Its output; it has to end well."""
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=GIVES_UP)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the compose file's first step writes, by the very arguments it has there."""
    command, *arguments = compose()["services"]["compile"]["command"]
    out = tmp_path_factory.mktemp("compose") / "compiled"
    places = {"/etc/tocsin/policy.yaml": str(DEPLOY / "kubernetes/base/policy.yaml"), "--out=/compiled": f"--out={out}"}
    run(sys.executable, "-m", "receiver.cli", command, *(places.get(each, each) for each in arguments))
    return out


def test_prometheus_takes_the_configuration(compiled: Path) -> None:
    """promtool finds prometheus.yml and the compiled rules it names good."""
    need("promtool")
    for name in ("prometheus.yml", "self-rules.yml"):
        shutil.copy(DEPLOY / "prometheus" / name, compiled.parent)
    assert "2 rule files found" in run("promtool", "check", "config", str(compiled.parent / "prometheus.yml"))


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
        (["alertname=TocsinDown"], "team-around-tocsin"),
        (["alertname=TocsinFailThrough", "section=incident_response", "severity_level=4"], "team-around-tocsin"),
        (["alertname=TocsinWebhooksFail", "paging=around-tocsin"], "team-around-tocsin"),
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
    assert set(re.findall(r'\bup\{job="([^"]+)"\}', rules)) == {"tocsin"}
    assert targets["tocsin"] == ["tocsin:8095"]
    assert targets["models"] == [f"model:{PORT}"]


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
        assert all((DEPLOY / each["path"]).is_file() or not each["required"] for each in service.get("env_file", ()))
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert services["tocsin"]["image"] == f"tocsin:{version}"


@pytest.mark.parametrize(
    ("service", "tool"), [("prometheus", "prometheus"), ("alertmanager", "prometheus-alertmanager")]
)
def test_compose_runs_what_the_tests_run(service: str, tool: str) -> None:
    """Prometheus and Alertmanager of the compose file are of the series that the real pair runs with, the newest there is
    here (tests/install-newest), at most two minor versions behind it."""
    program = NEWEST / tool
    if not program.exists():
        missing("the newest Prometheus and Alertmanager are not there: run tests/install-newest")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=GIVES_UP)
    ours, theirs = (
        tuple(map(int, re.search(r"(\d+)\.(\d+)\.\d+", text).groups()))
        for text in (compose()["services"][service]["image"], said.stdout + said.stderr)
    )
    assert ours[0] == theirs[0]
    assert theirs[1] - 2 <= ours[1] <= theirs[1]


def test_compose_mounts_files_that_exist() -> None:
    """Files of the repository that the compose file mounts are there."""
    mounted = [volume for service in compose()["services"].values() for volume in service.get("volumes", ())]
    files = {re.sub(r"^\$\{\w+:-(.*?)\}", r"\1", volume).partition(":")[0] for volume in mounted}
    files = {file for file in files if file.startswith(".")}
    assert len(files) == 3
    assert all((DEPLOY / file).is_file() for file in files)


def test_composes_settings_are_understood(tmp_path: Path) -> None:
    """The variables in the compose file are settings, and enough to listen to others."""
    shipped = (line.split("=", 1) for line in (DEPLOY / "compose.env").read_text().splitlines() if line[0] != "#")
    environment = dict(shipped) | compose()["services"]["tocsin"]["environment"]
    for name in ("webhook-token", "api-tokens"):
        (tmp_path / name).write_text(f"{name}-of-sixteen")
    moved = {name: text.replace("/run/secrets", str(tmp_path)) for name, text in environment.items()}
    moved["TOCSIN_EXTERNAL_URL"] = moved["TOCSIN_EXTERNAL_URL"].partition(":-")[2].rstrip("}")
    settings = Settings.read({**moved, "TOCSIN_LISTEN": "0.0.0.0:8095"})
    assert settings.warnings == ()
    settings.require_safe()
    services = set(compose()["services"])
    asked = [environment[f"TOCSIN_{name}_URL"] for name in ("SMTP", "ALERTMANAGER", "PROMETHEUS")]
    assert {urlsplit(url).hostname for url in asked} <= services
    policy = load([DEPLOY / "kubernetes" / "base" / "policy.yaml"])
    assert "email" in configured_channels(policy, settings)


async def test_the_model_is_moved_by_hand() -> None:
    """The compose file's exporter, by its very command, serves the signal that the example's policy watches, and moves
    it where that is asked for properly."""
    program, *arguments = compose()["services"]["model"]["entrypoint"]
    assert program == "python"
    port = free_port()
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, str(port), cwd=ROOT)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        await answers(session)
        for path, status in (("/set?safety_margin=0.9", 200), ("/set?safety_margin=nan", 400), ("/set?other=1", 400)):
            async with session.post(path) as answer:
                assert answer.status == status
        async with session.get("/metrics") as answer:
            assert 'safety_margin{system="landing-7"} 0.9\n' in await answer.text()
    process.terminate()
    assert await process.wait() == 0


async def answers(session: aiohttp.ClientSession) -> None:
    """Wait until it serves."""
    async with asyncio.timeout(GIVES_UP):
        while True:
            try:
                async with session.get("/metrics") as answer:
                    assert answer.status == 200
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)


def test_alertmanager_reads_the_token_where_compose_puts_it(compiled: Path) -> None:
    """The compiled configuration names the file at which the compose file mounts the webhook's token."""
    configuration = yaml.safe_load((compiled / "alertmanager.yml").read_text())
    (webhook,) = configuration["receivers"][0]["webhook_configs"]
    assert webhook["http_config"]["authorization"]["credentials_file"] == "/run/secrets/webhook-token"
    assert "webhook-token" in compose()["services"]["alertmanager"]["secrets"]


DASHBOARDS = {name: (DEPLOY / "grafana" / f"{name}.json").read_text() for name in ("tocsin", "dashboard")}


@pytest.fixture(params=DASHBOARDS)
def panels(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """The panels of each dashboard."""
    return [panel for panel in json.loads(DASHBOARDS[request.param])["panels"] if panel["type"] != "row"]


def test_dashboards_read_metrics_that_exist(panels: list[dict[str, Any]]) -> None:
    """Every query is PromQL, and every metric of Tocsin's in it is one that Tocsin exposes."""
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    read = {found for query in queries for found in metrics_in(promql_parser.parse(filled(query)))}
    assert len(queries) > 7
    assert read <= set(exposed())
    assert len(read) > 3


def filled(query: str, labels: str = "") -> str:
    """A query with the dashboard's variables filled in."""
    return query.replace("$job", "tocsin").replace("${labels:raw}", labels)


def test_the_dashboard_follows_the_instance() -> None:
    """Every query about Tocsin is narrowed by the matchers that `--instance` takes; without any it is PromQL all the same."""
    dashboard = json.loads(DASHBOARDS["tocsin"])
    assert "labels" in {each["name"] for each in dashboard["templating"]["list"]}
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            assert target["expr"].count("${labels:raw}") == target["expr"].count("$job") > 0
            for labels in ("", 'namespace="prod"', 'namespace="prod",cluster="eu"'):
                parsed = promql_parser.parse(filled(target["expr"], labels)).prettify()
                assert parsed.count('namespace="prod"') == (target["expr"].count("$job") if labels else 0)


def test_panels_lie_side_by_side(panels: list[dict[str, Any]]) -> None:
    """Panels have ids of their own and do not overlap on Grafana's grid of 24."""
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in panels):
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_the_example_is_what_is_compiled() -> None:
    """deploy/grafana/dashboard.json is what `tocsin compile` makes of the example's policy."""
    policy = load([DEPLOY / "kubernetes" / "base" / "policy.yaml"])
    assert DASHBOARDS["dashboard"] == render(policy).files["dashboard.json"].decode(), (
        "compile deploy/kubernetes/base/policy.yaml, and copy its dashboard.json to deploy/grafana"
    )
