"""What is deployed, as data: the files as they stand, and an overlay as kubectl renders it."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"


class Loader(yaml.SafeLoader):
    """kustomize writes a bare =, which Kubernetes reads as text and PyYAML not at all."""


Loader.add_constructor("tag:yaml.org,2002:value", yaml.SafeLoader.construct_yaml_str)


def kustomize(folder: Path) -> list[dict[str, Any]]:
    """The objects of a kustomization. kubectl is no package of Debian's, so without it this skips, in CI too."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed here: overlays are not rendered, only their files are looked at")
    result = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return list(yaml.load_all(result.stdout, Loader))


def the(kind: str, objects: list[dict[str, Any]]) -> dict[str, Any]:
    """The only object of its kind."""
    (found,) = [each for each in objects if each["kind"] == kind]
    return found


@pytest.fixture(params=["base", "sqlite", "postgresql"])
def objects(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """Every object: of the base's files as they stand (which needs no kubectl), and of each overlay as rendered."""
    if request.param == "base":
        return list(read_base())
    return kustomize(KUBERNETES / "overlays" / request.param)


def read_base() -> Iterator[dict[str, Any]]:
    """The base's files."""
    listed = yaml.safe_load((KUBERNETES / "base" / "kustomization.yaml").read_text())
    for name in listed["resources"]:
        yield from yaml.safe_load_all((KUBERNETES / "base" / name).read_text())


@pytest.fixture
def workload(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """The Deployment or StatefulSet."""
    (found,) = [each for each in objects if each["kind"] in {"Deployment", "StatefulSet"}]
    return found


@pytest.fixture
def pod(workload: dict[str, Any]) -> dict[str, Any]:
    """What it makes pods of."""
    return workload["spec"]["template"]["spec"]


@pytest.fixture
def container(pod: dict[str, Any]) -> dict[str, Any]:
    """Its only container."""
    (found,) = pod["containers"]
    return found
