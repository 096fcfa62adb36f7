"""What is deployed, as data: overlays as kubectl renders them, and what they are held to."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.end_to_end.conftest import need
from tests.npm import installed
from tests.patience import GIVES_UP

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
KUBERNETES = ROOT / "deploy" / "kubernetes"
KUBERNETES_VERSION = "1.30"
"""The oldest that the manual names: what it knows, newer ones know too."""


class Loader(yaml.SafeLoader):
    """kustomize writes a bare =, which Kubernetes reads as text and PyYAML not at all."""


Loader.add_constructor("tag:yaml.org,2002:value", yaml.SafeLoader.construct_yaml_str)


def kustomize(folder: Path) -> list[dict[str, Any]]:
    """The objects of a kustomization."""
    need("kubectl")
    result = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, timeout=GIVES_UP)
    assert result.returncode == 0, result.stderr
    return list(yaml.load_all(result.stdout, Loader))


def compile_policy(policy: Path, out: Path) -> None:
    """What the manual does before the operator's objects are applied."""
    command = [sys.executable, "-m", "receiver.cli", "compile", str(policy), "--out", str(out)]
    options = ["--receiver-url=http://tocsin.tocsin.svc:8095/webhook/alertmanager", "--token-file=webhook-token"]
    subprocess.run(
        [*command, *options, "--namespace=tocsin"], check=True, cwd=ROOT, capture_output=True, timeout=GIVES_UP
    )


def faults(objects: Iterable[dict[str, Any]]) -> list[str]:
    """What is wrong with objects: Kubernetes' own by its schemas, strictly; the operator's by those it publishes."""
    found = []
    custom = []
    for each in objects:
        if each["apiVersion"].startswith("monitoring.coreos.com/"):
            custom.append(each)
            continue
        try:
            kubernetes_validate.validate(each, KUBERNETES_VERSION, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{each['kind']}: {'.'.join(map(str, error.path))}: {error.message}")
    return [*found, *(_operators_faults(custom) if custom else ())]


def _operators_faults(objects: list[dict[str, Any]]) -> list[str]:
    node, modules = installed(HERE / "operator")
    command = [node, str(HERE / "operator" / "validate.mjs")]
    result = subprocess.run(
        command, input=json.dumps(objects), cwd=modules, capture_output=True, text=True, timeout=GIVES_UP
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def the(kind: str, objects: list[dict[str, Any]]) -> dict[str, Any]:
    """The only object of its kind."""
    (found,) = [each for each in objects if each["kind"] == kind]
    return found


@pytest.fixture(scope="session", params=["base", "ha", "operator"])
def objects(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Every object of the base, and of each overlay, as rendered."""
    if request.param == "base":
        return kustomize(KUBERNETES / "base")
    if request.param == "ha":
        return kustomize(KUBERNETES / "overlays" / "ha")
    copy = copied(tmp_path_factory.mktemp("deploy"))
    compile_policy(copy / "base" / "policy.yaml", copy / "components" / "operator" / "compiled")
    return kustomize(copy / "overlays" / "operator")


def copied(folder: Path) -> Path:
    """deploy/kubernetes, in a place where something may be compiled into it."""
    return Path(shutil.copytree(KUBERNETES, folder / "kubernetes", ignore=shutil.ignore_patterns("compiled")))


@pytest.fixture
def workload(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """The Deployment."""
    return the("Deployment", objects)


@pytest.fixture
def pod(workload: dict[str, Any]) -> dict[str, Any]:
    """What it makes pods of."""
    return workload["spec"]["template"]["spec"]


@pytest.fixture
def container(pod: dict[str, Any]) -> dict[str, Any]:
    """Its only container."""
    (found,) = pod["containers"]
    return found
