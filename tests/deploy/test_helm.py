"""The Helm chart, rendered by Helm's own library, and held to the same as the kustomization."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from receiver.settings import Settings
from rules.load import load_text
from tests.deploy.conftest import HERE, KUBERNETES, ROOT, compile_policy, faults, the
from tests.npm import CACHE, missing

CHART = ROOT / "deploy" / "helm" / "tocsin"
BASE: dict[str, Any] = yaml.safe_load((KUBERNETES / "base" / "deployment.yaml").read_text())
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SECRETS = "/etc/tocsin/secrets/"

HA = {
    "replicas": 3,
    "database": {"secretKey": "database-url"},
    "secretKeys": ["api-tokens", "slack-token"],
    "settings": {"TOCSIN_EXTERNAL_URL": "https://tocsin.example.com", "TOCSIN_BODY_LIMIT": "33554432"},
    "image": {"repository": "registry.example.com/tocsin", "tag": "1.2.3"},
    "imagePullSecrets": [{"name": "registry"}],
    "priorityClassName": "high",
    "nodeSelector": {"zone": "a"},
    "tolerations": [{"key": "pager", "operator": "Exists"}],
    "podAnnotations": {"a": "b"},
}
BARE = {"persistence": {"existingClaim": "mine", "storageClassName": "fast"}, "networkPolicy": {"enabled": False}}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "several on SQLite": ({"replicas": 2}, "several replicas need PostgreSQL"),
    "a value that is none": ({"replicaCount": 2}, "replicaCount"),
    "a setting that is none": ({"settings": {"EXTERNAL_URL": "x"}}, "EXTERNAL_URL"),
    "a number as a setting": ({"settings": {"TOCSIN_BODY_LIMIT": 33554432}}, "TOCSIN_BODY_LIMIT"),
    "no policy": ({"policy": ""}, "policy"),
}


def helm(values: list[dict[str, Any]]) -> dict[str, Any]:
    """What Helm makes of the chart with each of these values."""
    wanted = HERE / "helm" / "requirements.txt"
    folder = CACHE / hashlib.sha256(wanted.read_bytes()).hexdigest()[:16]
    if not (folder / "helm_python").exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps"]
        done = subprocess.run(
            [*command, "--target", str(folder), "-r", str(wanted)], capture_output=True, text=True, timeout=300
        )
        if done.returncode:
            missing(f"pip could not install Helm's library ({done.stderr.strip()[-300:]})")
    asked = json.dumps({"chart": str(CHART), "values": values})
    result = subprocess.run(
        [sys.executable, str(HERE / "helm" / "render.py")], input=asked, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Every case, by name, in one go; and what Helm lints."""
    compiled = tmp_path_factory.mktemp("compiled")
    compile_policy(KUBERNETES / "base" / "policy.yaml", compiled)
    operator = {
        "enabled": True,
        "labels": {"release": "kube-prometheus-stack"},
        "prometheusRule": (compiled / "prometheusrule.yaml").read_text(),
        "alertmanagerConfig": (compiled / "alertmanagerconfig.yaml").read_text(),
    }
    cases = {"default": {}, "ha": HA, "bare": BARE, "operator": {"operator": operator}}
    cases |= {name: values for name, (values, _) in REFUSED.items()}
    answer = helm(list(cases.values()))
    return {"lint": answer["lint"], **dict(zip(cases, answer["answers"], strict=True))}


def objects_of(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The objects in what Helm rendered."""
    assert "error" not in answer, answer
    texts = (text for name, text in answer["manifests"].items() if name.endswith(".yaml"))
    return [each for text in texts for each in yaml.safe_load_all(text) if each]


@pytest.fixture(params=["default", "ha", "bare", "operator"])
def charted(request: pytest.FixtureRequest, rendered: dict[str, Any]) -> list[dict[str, Any]]:
    """The objects of each case."""
    return objects_of(rendered[request.param])


def test_helm_lints_it(rendered: dict[str, Any]) -> None:
    """Helm's linter finds nothing but that there is no icon."""
    assert not rendered["lint"]["errors"]
    assert [each["error"] for each in rendered["lint"]["messages"]] == ["icon is recommended"]


def test_the_schemas_are_kept(charted: list[dict[str, Any]]) -> None:
    """Whatever is rendered is what Kubernetes' schemas, and the operator's, say it must be."""
    assert faults(charted) == []


def test_its_pods_are_those_of_the_kustomization(charted: list[dict[str, Any]]) -> None:
    """Probes, rights, mounts and the time to stop are the same in both, so that what is tested of one holds of both."""
    ours, theirs = the("Deployment", charted)["spec"]["template"]["spec"], BASE["spec"]["template"]["spec"]
    for key in (
        "securityContext",
        "automountServiceAccountToken",
        "enableServiceLinks",
        "terminationGracePeriodSeconds",
    ):
        assert ours[key] == theirs[key]
    (mine,), (other,) = ours["containers"], theirs["containers"]
    assert {key: mine[key] for key in other if key not in {"image", "envFrom"}} == {
        key: value for key, value in other.items() if key not in {"image", "envFrom"}
    }


def test_settings_are_understood(charted: list[dict[str, Any]], tmp_path: Path) -> None:
    """Every variable is a setting that Tocsin knows; together they let it listen to others, on the database meant."""
    pod = the("Deployment", charted)["spec"]["template"]["spec"]
    variables = {each["name"]: each["value"].replace(SECRETS, f"{tmp_path}/") for each in pod["containers"][0]["env"]}
    for name, value in variables.items():
        if name.endswith("_FILE"):
            path = Path(value)
            path.write_text(
                "postgresql://u:p@db/tocsin" if path.name == "database-url" else f"dana:admin:{path.name}-of-sixteen"
            )
    settings = Settings.read({**variables, "TOCSIN_LISTEN": "0.0.0.0:8095"})
    assert settings.warnings == ()
    settings.require_safe()
    keeps = any("persistentVolumeClaim" in volume for volume in pod["volumes"])
    assert settings.database.startswith("sqlite:////data/" if keeps else "postgresql://")


def test_what_is_referred_to_is_there(charted: list[dict[str, Any]]) -> None:
    """Selectors find the pods, the claim and the ConfigMap are made or are yours, and the policy in it loads."""
    deployment = the("Deployment", charted)["spec"]
    labels = deployment["template"]["metadata"]["labels"].items()
    selectors = [the("Service", charted)["spec"]["selector"], deployment["selector"]["matchLabels"]]
    selectors += [each["spec"]["podSelector"]["matchLabels"] for each in charted if each["kind"] == "NetworkPolicy"]
    selectors += [each["spec"]["selector"]["matchLabels"] for each in charted if each["kind"] == "PodDisruptionBudget"]
    assert all(selector and selector.items() <= labels for selector in selectors)
    volumes = {volume["name"]: volume for volume in deployment["template"]["spec"]["volumes"]}
    policy = the("ConfigMap", charted)
    mapped, contacts = volumes["policy"]["projected"]["sources"]
    assert mapped["configMap"]["name"] == policy["metadata"]["name"]
    assert contacts["secret"] == {"name": "tocsin-contacts", "optional": True}
    load_text(policy["data"]["policy.yaml"])
    made = {each["metadata"]["name"] for each in charted if each["kind"] == "PersistentVolumeClaim"}
    claim = volumes["data"].get("persistentVolumeClaim", {}).get("claimName")
    assert made == ({claim} - {None, "mine"})


def test_several_replicas_stay_up(rendered: dict[str, Any]) -> None:
    """With PostgreSQL: a rolling update, spread, a disruption budget, no volume."""
    objects = objects_of(rendered["ha"])
    spec = the("Deployment", objects)["spec"]
    assert (spec["replicas"], spec["strategy"]["rollingUpdate"]) == (3, {"maxSurge": 1, "maxUnavailable": 0})
    assert len(spec["template"]["spec"]["topologySpreadConstraints"]) == 2
    assert the("PodDisruptionBudget", objects)["spec"]["maxUnavailable"] == 1
    assert spec["template"]["spec"]["containers"][0]["image"] == "registry.example.com/tocsin:1.2.3"


def test_the_operators_objects(rendered: dict[str, Any]) -> None:
    """The alerts on Tocsin itself and what was compiled are there; the job is called as the rules ask for, whatever the
    release is called."""
    objects = objects_of(rendered["operator"])
    rules = {each["metadata"]["name"]: each["spec"] for each in objects if each["kind"] == "PrometheusRule"}
    assert set(rules) == {"pager-self", "tocsin"}
    assert rules["pager-self"] == yaml.safe_load((ROOT / "deploy" / "prometheus" / "self-rules.yml").read_text())
    monitor, service = the("ServiceMonitor", objects), the("Service", objects)
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert service["metadata"]["labels"][monitor["spec"]["jobLabel"]] == "tocsin"
    assert monitor["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    assert the("AlertmanagerConfig", objects)["spec"]["receivers"]


@pytest.mark.parametrize("name", REFUSED)
def test_mistakes_are_refused(name: str, rendered: dict[str, Any]) -> None:
    """Values that cannot be meant are refused before anything is applied, with words that name them."""
    assert REFUSED[name][1] in rendered[name]["error"]


def leaves(node: dict[str, Any], path: str = "") -> Iterator[str]:
    """Dotted names of the values."""
    for key, value in node.items():
        inner = isinstance(value, dict) and value and key != "resources"
        yield from leaves(value, f"{path}{key}.") if inner else (f"{path}{key}",)


def test_every_value_is_used_and_described() -> None:
    """What templates read is in values.yaml and in the schema, and nothing is in them that no template reads."""
    read = {
        found
        for file in (CHART / "templates").iterdir()
        for found in re.findall(r"\.Values\.([\w.]+)", file.read_text())
    }
    assert read == set(leaves(VALUES))
    schema = json.loads((CHART / "values.schema.json").read_text())
    for name in read:
        node = schema
        for part in name.split("."):
            node = node["properties"][part]
        assert node.keys() & {"type", "enum"}


def test_the_chart_is_of_this_version() -> None:
    """Chart and image have the project's version."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (chart["version"], chart["appVersion"]) == (version, version)
