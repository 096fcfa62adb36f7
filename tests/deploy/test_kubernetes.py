"""The Kubernetes objects hold together: what refers to something finds it, and nothing has rights it does not need."""

import copy
import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from receiver.cli import app
from receiver.jobs.dispatcher import LAST_REPORT
from receiver.service import DRAIN, SETTLE
from receiver.settings import Settings
from receiver.web.app import SHUTDOWN
from rules.load import load_text
from tests.deploy.conftest import KUBERNETES, ROOT, compile_policy, copied, faults, kustomize, the

MANUAL = (ROOT / "docs" / "deploy.md").read_text()
SECRETS = "/etc/tocsin/secrets/"


@pytest.fixture(scope="session")
def operators(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The objects of the overlay for the operator."""
    folder = copied(tmp_path_factory.mktemp("operator"))
    compile_policy(folder / "base" / "policy.yaml", folder / "components" / "operator" / "compiled")
    return kustomize(folder / "overlays" / "operator")


def settings_of(objects: list[dict[str, Any]]) -> dict[str, str]:
    """The variables that an overlay's pods get."""
    (found,) = [each for each in objects if each["metadata"]["name"].startswith("tocsin-settings-")]
    return found["data"]


def mount_secrets(variables: dict[str, str], folder: Path) -> dict[str, str]:
    """The same variables with a secret behind each file, as if they were mounted in `folder`."""
    values = {"smtp-url": "smtp://user:password@mail.example.com:587", "database-url": "postgresql://u:p@db/tocsin"}
    moved = {}
    for name, value in variables.items():
        moved[name] = value.replace(SECRETS, f"{folder}/")
        if name.endswith("_FILE"):
            path = Path(moved[name])
            path.write_text(values.get(path.name, f"dana:admin:{path.name}-of-sixteen"))
    return moved


def test_probes_ask_ports_and_paths_that_exist(container: dict[str, Any]) -> None:
    """Every probe names a port of the container, and a path that the receiver answers."""
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    asked = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {get["port"] for get in asked.values()} <= set(ports)
    assert {name: get["path"] for name, get in asked.items()} == {
        "startupProbe": "/-/healthy",
        "livenessProbe": "/-/healthy",
        "readinessProbe": "/-/ready",
    }


def test_pods_are_restricted(pod: dict[str, Any], container: dict[str, Any]) -> None:
    """Pods meet the restricted profile, cannot write to their root, and carry no token of the cluster."""
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert {kind for volume in pod["volumes"] for kind in volume} <= {
        "name", "configMap", "projected", "emptyDir", "persistentVolumeClaim",
    }  # fmt: skip


def test_the_namespace_enforces_it(objects: list[dict[str, Any]]) -> None:
    """The namespace refuses pods that are not restricted."""
    assert the("Namespace", objects)["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_pods_run_as_the_images_user(pod: dict[str, Any]) -> None:
    """The user of the pod is that of the image: /data is theirs."""
    user = re.search(r"^USER (\d+):(\d+)$", (ROOT / "deploy" / "Dockerfile").read_text(), re.MULTILINE)
    assert user
    context = pod["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == (int(user[1]), int(user[2]))
    assert context["fsGroup"] == int(user[2])


def test_the_schemas_are_kept(objects: list[dict[str, Any]]) -> None:
    """Every object is what Kubernetes' schemas, or the operator's, say it must be, without a key they do not know."""
    assert faults(objects) == []


@pytest.mark.parametrize(
    ("kind", "spoil"),
    [
        ("Deployment", lambda spec: spec.update(replicaz=1)),
        ("NetworkPolicy", lambda spec: spec["ingress"][0]["ports"][0].update(protocol=["TCP"])),
        ("ServiceMonitor", lambda spec: spec["endpoints"][0].update(port=8095)),
        ("PrometheusRule", lambda spec: spec["groups"][0].update(interval="soon")),
        ("PrometheusRule", lambda spec: spec["groups"][0]["rules"][0].update(keepFiring="1m")),
        ("AlertmanagerConfig", lambda spec: spec["route"]["routes"][0]["matchers"][0].update(matchType="==")),
    ],
)
def test_a_fault_is_found(kind: str, spoil: Callable[[dict[str, Any]], None], operators: list[dict[str, Any]]) -> None:
    """The validation that passes fails for an object with a wrong key, type or value."""
    spoilt = copy.deepcopy([each for each in operators if each["kind"] == kind][:1])
    spoil(spoilt[0]["spec"])
    assert len(faults(spoilt)) == 1


def test_mounts_have_volumes(objects: list[dict[str, Any]], pod: dict[str, Any], container: dict[str, Any]) -> None:
    """Every mount is of a volume, every volume is mounted, and the claims are made."""
    assert sorted(each["name"] for each in pod["volumes"]) == sorted(each["name"] for each in container["volumeMounts"])
    claims = [each["persistentVolumeClaim"]["claimName"] for each in pod["volumes"] if "persistentVolumeClaim" in each]
    assert claims == [each["metadata"]["name"] for each in objects if each["kind"] == "PersistentVolumeClaim"]


def test_what_is_mounted_is_made(objects: list[dict[str, Any]], pod: dict[str, Any], container: dict[str, Any]) -> None:
    """ConfigMaps that pods refer to are generated; Secrets are those that the manual says how to make."""
    made = {each["metadata"]["name"] for each in objects if each["kind"] == "ConfigMap"}
    sources = [source for volume in pod["volumes"] for source in volume.get("projected", {}).get("sources", ())]
    maps = [source["configMap"]["name"] for source in sources if "configMap" in source]
    assert {*maps, *(source["configMapRef"]["name"] for source in container["envFrom"])} == made
    for source in (each for each in sources if "secret" in each):
        assert f"kubectl -n tocsin create secret generic {source['secret']['name']} " in MANUAL


def test_a_changed_policy_reaches_the_pods_that_run(objects: list[dict[str, Any]], pod: dict[str, Any]) -> None:
    """The policy is mounted as a folder (a single file of it would never change) from a ConfigMap whose name stays, and
    that folder is what the receiver is started with, and so watches."""
    (container,) = pod["containers"]
    (volume,) = [each for each in pod["volumes"] if each["name"] == "policy"]
    (mount,) = [each for each in container["volumeMounts"] if each["name"] == volume["name"]]
    assert volume["projected"]["sources"][0] == {"configMap": {"name": "tocsin-policy"}}
    assert "subPath" not in mount
    assert container["args"] == ["serve", mount["mountPath"]]
    (held,) = [each["data"] for each in objects if each["metadata"]["name"] == "tocsin-policy"]
    load_text(held["policy.yaml"])


def test_selectors_find_the_pods(objects: list[dict[str, Any]], workload: dict[str, Any]) -> None:
    """The Service, the network policy, the budget and the workload itself mean these pods."""
    labels = workload["spec"]["template"]["metadata"]["labels"].items()
    selectors = [the("Service", objects)["spec"]["selector"], workload["spec"]["selector"]["matchLabels"]]
    selectors.append(the("NetworkPolicy", objects)["spec"]["podSelector"]["matchLabels"])
    selectors += [each["spec"]["selector"]["matchLabels"] for each in objects if each["kind"] == "PodDisruptionBudget"]
    assert all(selector and selector.items() <= labels for selector in selectors)


def test_the_service_leads_to_the_port(objects: list[dict[str, Any]], container: dict[str, Any]) -> None:
    """The Service is called tocsin (the compiled rules ask for that job) and ends at the container's port."""
    service = the("Service", objects)
    assert service["metadata"]["name"] == "tocsin"
    assert [port["targetPort"] for port in service["spec"]["ports"]] == [port["name"] for port in container["ports"]]


def test_the_image_is_pinned(container: dict[str, Any]) -> None:
    """The image's tag is the project's version, here and in the compose file."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert container["image"] == f"tocsin:{version}"


def test_service_links_are_off(pod: dict[str, Any]) -> None:
    """Kubernetes must not set TOCSIN_PORT for the Service: it would look like a setting."""
    assert pod["enableServiceLinks"] is False
    assert Settings.read({"TOCSIN_PORT": "tcp://10.0.0.1:8095"}).warnings


def test_settings_are_understood(objects: list[dict[str, Any]], pod: dict[str, Any], tmp_path: Path) -> None:
    """Every variable is a setting that Tocsin knows; together they let it listen to others, on the database meant."""
    settings = Settings.read({**mount_secrets(settings_of(objects), tmp_path), "TOCSIN_LISTEN": "0.0.0.0:8095"})
    assert settings.warnings == ()
    settings.require_safe()
    keeps = any("persistentVolumeClaim" in volume for volume in pod["volumes"])
    assert settings.database.startswith("sqlite:////data/" if keeps else "postgresql://")


def test_settings_to_choose_from_are_understood(tmp_path: Path) -> None:
    """Every line of settings.env that waits for its # to be taken away is a setting, its secret named in the manual."""
    lines = (KUBERNETES / "base" / "settings.env").read_text().splitlines()
    variables = dict(line.lstrip("#").split("=", 1) for line in lines if line.lstrip("#").startswith("TOCSIN_"))
    assert len(variables) > 8
    assert Settings.read(mount_secrets(variables, tmp_path)).warnings == ()
    for name, path in variables.items():
        if name.endswith("_FILE"):
            assert path.removeprefix(SECRETS) in MANUAL


def test_sqlite_has_one_pod_and_keeps_its_file() -> None:
    """One replica, never two at a time, with the database's folder on a claimed volume."""
    objects = kustomize(KUBERNETES / "base")
    spec = the("Deployment", objects)["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    (volume,) = [each for each in spec["template"]["spec"]["volumes"] if "persistentVolumeClaim" in each]
    mounts = {mount["name"]: mount["mountPath"] for mount in spec["template"]["spec"]["containers"][0]["volumeMounts"]}
    database = settings_of(objects)["TOCSIN_DATABASE"].removeprefix("sqlite:///")
    assert Path(database).parent == Path(mounts[volume["name"]])
    assert the("PersistentVolumeClaim", objects)["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_ha_stays_up_while_it_changes() -> None:
    """Several replicas, apart where possible; neither a rollout nor a drain takes more than one away."""
    objects = kustomize(KUBERNETES / "overlays" / "ha")
    spec = the("Deployment", objects)["spec"]
    assert spec["replicas"] == 3
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    labels = spec["template"]["metadata"]["labels"].items()
    (apart,) = spec["template"]["spec"]["affinity"]["podAntiAffinity"][
        "preferredDuringSchedulingIgnoredDuringExecution"
    ]
    (spread,) = spec["template"]["spec"]["topologySpreadConstraints"]
    for term in (apart["podAffinityTerm"], spread):
        assert term["labelSelector"]["matchLabels"].items() <= labels
    budget = the("PodDisruptionBudget", objects)["spec"]
    assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")


def test_tocsins_own_alerts_have_its_namespace(operators: list[dict[str, Any]]) -> None:
    """The operator lets an AlertmanagerConfig see only alerts of its own namespace: those that Tocsin's metrics make, and
    with `tocsin compile --namespace` the heartbeat and its like, have it."""
    alerts = [
        rule
        for each in operators
        if each["kind"] == "PrometheusRule"
        for group in each["spec"]["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    assert {rule["alert"] for rule in alerts if rule["labels"].get("namespace") == "tocsin"} == {
        rule["alert"] for rule in alerts if rule["alert"].startswith("Tocsin")
    }


def test_the_network_policy_knows_pgbouncer_and_collectors() -> None:
    """A pooler before PostgreSQL, a collector of traces and a proxy can be reached on their usual ports."""
    _, usual = the("NetworkPolicy", kustomize(KUBERNETES / "base"))["spec"]["egress"]
    assert {6432, 4318, 3128} <= {each["port"] for each in usual["ports"]}


def test_the_copy_is_a_job_that_may_run() -> None:
    """The Job that copies SQLite to PostgreSQL is valid, restricted, reads the base's claim and the Secret that the manual
    names, and calls the command as it is."""
    (job,) = yaml.safe_load_all((KUBERNETES / "copy.yaml").read_text())
    assert faults([job]) == []
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    base = the("Deployment", kustomize(KUBERNETES / "base"))["spec"]["template"]["spec"]
    assert container["image"] == base["containers"][0]["image"]
    assert container["securityContext"] == base["containers"][0]["securityContext"]
    assert pod["volumes"][0]["persistentVolumeClaim"] in [each.get("persistentVolumeClaim") for each in base["volumes"]]
    command, *arguments = container["args"]
    options = {name for each in typer.main.get_command(app).commands[command].params for name in each.opts}
    assert {each for each in arguments if each.startswith("--")} <= options


def test_a_new_image_can_be_asked_for_its_plan() -> None:
    """The pod that asks for the plan of an upgrade is valid, restricted, and reads the base's claim beside the pod that
    serves: on SQLite a refused migration leaves no pod serving, so that it has to be known before.
    """
    (asking,) = yaml.safe_load_all((KUBERNETES / "plan.yaml").read_text())
    assert faults([asking]) == []
    deployment = the("Deployment", kustomize(KUBERNETES / "base"))
    base = deployment["spec"]["template"]
    (container,) = asking["spec"]["containers"]
    assert container["securityContext"] == base["spec"]["containers"][0]["securityContext"]
    claims = [each.get("persistentVolumeClaim") for each in base["spec"]["volumes"]]
    assert asking["spec"]["volumes"][0]["persistentVolumeClaim"] in claims
    (term,) = asking["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["labelSelector"]["matchLabels"].items() <= base["metadata"]["labels"].items()
    assert container["args"][:2] == ["database", "plan"]


def test_pods_have_time_to_stop(pod: dict[str, Any], container: dict[str, Any]) -> None:
    """The grace period is longer than what is waited for before the signal and all that a stop may take after it."""
    waits = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    stop = 2 * SETTLE + DRAIN + LAST_REPORT + SHUTDOWN
    assert waits + stop < pod["terminationGracePeriodSeconds"]


def test_an_overlay_of_ones_own(tmp_path: Path) -> None:
    """The manual's own overlay renders, with the policy, the image and the operator's objects it names."""
    block = re.search(r"^```yaml deploy/mine/kustomization.yaml\n(.*?)^```$", MANUAL, re.MULTILINE | re.DOTALL)
    assert block
    deploy = copied(tmp_path).parent
    mine = deploy / "mine"
    mine.mkdir()
    (mine / "kustomization.yaml").write_text(block[1])
    shutil.copy(KUBERNETES / "base" / "policy.yaml", mine)
    (mine / "settings.env").write_text("TOCSIN_EXTERNAL_URL=https://tocsin.example.com\n")
    compile_policy(mine / "policy.yaml", deploy / "kubernetes" / "components" / "operator" / "compiled")

    objects = kustomize(mine)
    assert {"ServiceMonitor", "PrometheusRule", "AlertmanagerConfig"} <= {each["kind"] for each in objects}
    assert {each["metadata"].get("namespace", "tocsin") for each in objects} == {"tocsin"}
    assert faults(objects) == []
    settings = settings_of(objects)
    assert settings["TOCSIN_EXTERNAL_URL"] == "https://tocsin.example.com"
    assert settings["TOCSIN_WEBHOOK_TOKEN_FILE"]
    monitor, service = the("ServiceMonitor", objects)["spec"], the("Service", objects)
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert [each["port"] for each in monitor["endpoints"]] == [port["name"] for port in service["spec"]["ports"]]
    token = the("AlertmanagerConfig", objects)["spec"]["receivers"][0]["webhookConfigs"][0]["httpConfig"]
    secret = token["authorization"]["credentials"]
    assert f"create secret generic {secret['name']} --from-literal={secret['key']}=" in MANUAL
