"""The Helm chart, rendered by Helm's own library, and held to the same as the kustomization."""

import asyncio
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

from receiver.demo.tools import free_port
from receiver.service import Service
from receiver.settings import Settings
from rules.load import load_text
from tests.deploy.conftest import HERE, KUBERNETES, ROOT, Loader, compile_policy, faults, the
from tests.docs.sessions import blocks
from tests.npm import CACHE, missing
from tests.patience import GIVES_UP

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
DIGEST = f"sha256:{'0' * 64}"
EVERYTHING = {
    "fullnameOverride": "tocsin-eu",
    "commonLabels": {"team": "ml"},
    "annotations": {"a": "b"},
    "image": {"digest": DIGEST},
    "settings": {"TOCSIN_BODY_LIMIT": 33554432, "TZ": "UTC", "NO_PROXY": ".svc", "TOCSIN_SILENCE_ON_ACKNOWLEDGE": True},
    "extraEnv": [{"name": "HTTPS_PROXY", "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "url"}}}],
    "envFrom": [{"configMapRef": {"name": "more"}}],
    "extraVolumes": [{"name": "more", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
    "extraContainers": [{"name": "beside", "image": "beside:1"}],
    "extraInitContainers": [{"name": "before", "image": "before:1"}],
    "extraObjects": [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "{{ .Release.Name }}-more"}},
        "apiVersion: v1\nkind: Secret\nmetadata: {name: text}",
    ],
    "tls": {"secret": "tocsin-tls", "clientCaKey": "ca.crt"},
    "authorities": {"configMap": "authorities"},
    "service": {"type": "LoadBalancer", "port": 443, "annotations": {"a": "b"}, "ipFamilyPolicy": "PreferDualStack",
                "loadBalancerClass": "mine", "loadBalancerSourceRanges": ["10.0.0.0/8"], "nodePort": 30095},
    "ingress": {"enabled": True, "className": "nginx", "hosts": ["tocsin.example.com"], "annotations": {"a": "b"},
                "tls": [{"hosts": ["tocsin.example.com"], "secretName": "tls"}]},
    "serviceAccount": {"name": "pagers", "annotations": {"a": "b"}},
    "affinity": {"nodeAffinity": {}},
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
    ],
    "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["prometheus"]}],
    "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
    "podLabels": {"sidecar.istio.io/inject": "false"},
    "persistence": {"annotations": {"a": "b"}},
    "backup": {"claim": "mine-too", "timeZone": "Europe/Oslo"},
    "dashboards": {"enabled": True, "policy": '{"title": "mine"}', "namespace": "grafana", "annotations": {"a": "b"}},
    "networkPolicy": {"extraEgress": [{"ports": [{"port": 8443, "protocol": "TCP"}]}], "extraIngress": [{}]},
}  # fmt: skip
COMPILE = {
    "operator": {
        "enabled": True,
        "labels": {"release": "kube-prometheus-stack"},
        "compile": {"enabled": True, "options": ["--fallback-email", "a@example.com"]},
    },
    "alertmanagerSecret": "theirs",
    "contactsSecret": "people",
}
BACKUPS = {
    "SQLite": {"backup": {"claim": "mine"}},
    "PostgreSQL": {**HA, "backup": {"claim": "mine"}},
}
FIRST_HOUR = {
    block.mark: block.content for block in blocks(ROOT / "docs" / "first-hour.md") if block.language == "yaml"
}
"""The manual's own files, by name."""

ROUTE = {"route": {"enabled": True, "parentRefs": [{"name": "gateway"}], "hostnames": ["tocsin.example.com"]}}
OPENSHIFT = {"podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}}
RULES = "kind: PrometheusRule\nspec: {groups: []}"
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "several on SQLite": ({"replicas": 2}, "several replicas need PostgreSQL"),
    "a value that is none": ({"replicaCount": 2}, "replicaCount"),
    "a setting that is none": ({"settings": {"EXTERNAL_URL": "x"}}, "EXTERNAL_URL"),
    "no policy": ({"policy": ""}, "policy"),
    "a name that is none": ({"fullnameOverride": "a.b"}, "fullnameOverride"),
    "a digest that is none": ({"image": {"digest": "latest"}}, "digest"),
    "no rules": ({"operator": {"enabled": True}}, "operator.enabled without the compiled rules would watch nothing"),
    "rules compiled for nobody": ({"operator": {"compile": {"enabled": True}}}, "operator.enabled is false"),
    "rules compiled twice": (
        {"operator": {"enabled": True, "compile": {"enabled": True}, "prometheusRule": RULES}}, "keep one of them"
    ),
    "routes compiled twice": (
        {"operator": {"enabled": True, "compile": {"enabled": True}, "alertmanagerConfig": "kind: AlertmanagerConfig\nspec: {route: {}}"}},
        "operator.compile.routes to false",
    ),
    "rules for nobody": ({"operator": {"prometheusRule": RULES}}, "operator.enabled is false"),
    "an object without anything": (
        {"operator": {"enabled": True, "prometheusRule": "kind: PrometheusRule"}}, "operator.prometheusRule is not a PrometheusRule"
    ),
    "rules.yml as the object": (
        {"operator": {"enabled": True, "prometheusRule": "groups: []"}}, "operator.prometheusRule is not a PrometheusRule"
    ),
    "a key twice": ({"secretKeys": ["api-tokens", "api-tokens"]}, "secretKeys"),
    "a setting and its secret": (
        {"secretKeys": ["api-tokens", "slack-token"], "settings": {"TOCSIN_SLACK_TOKEN": "x"}},
        "TOCSIN_SLACK_TOKEN is set twice, by secretKeys (slack-token) and by settings",
    ),
    "the database twice": (
        {"settings": {"TOCSIN_DATABASE": "sqlite://"}},
        "TOCSIN_DATABASE is set twice, by the volume (database.secretKey is empty) and by settings",
    ),
    "the webhook's token twice": ({"secretKeys": ["webhook-token"]}, "TOCSIN_WEBHOOK_TOKEN is set twice"),
    "a variable twice": (
        {"settings": {"TZ": "UTC"}, "extraEnv": [{"name": "TZ", "value": "UTC"}]},
        "TZ is set twice, by settings and by extraEnv",
    ),
    "probes without a certificate": (
        {"tls": {"secret": "t"}, "settings": {"TOCSIN_TLS_CLIENTS": "all"}}, "the kubelet's probes"
    ),
    "clients' certificates without TLS": ({"tls": {"clientCaKey": "ca.crt"}}, "tls.clientCaKey needs tls.secret"),
    "authorities twice": ({"authorities": {"secret": "a", "configMap": "b"}}, "keep one of them"),
    "an ingress without a name": ({"ingress": {"enabled": True}}, "ingress.enabled needs ingress.hosts"),
    "a route without a gateway": ({"route": {"enabled": True}}, "route.enabled needs route.parentRefs"),
}  # fmt: skip


def helm(cases: list[tuple[dict[str, Any], str, bool]]) -> dict[str, Any]:
    """What Helm makes of the chart with each of these values, in a release of that name; whether at an upgrade."""
    wanted = HERE / "helm" / "requirements.txt"
    folder = CACHE / hashlib.sha256(wanted.read_bytes()).hexdigest()[:16]
    if not (folder / "helm_python").exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps"]
        done = subprocess.run(
            [*command, "--target", str(folder), "-r", str(wanted)], capture_output=True, text=True, timeout=GIVES_UP
        )
        if done.returncode:
            missing(f"pip could not install Helm's library ({done.stderr.strip()[-300:]})")
    asked = json.dumps({"chart": str(CHART), "cases": cases})
    result = subprocess.run(
        [sys.executable, str(HERE / "helm" / "render.py")], input=asked, capture_output=True, text=True, timeout=GIVES_UP,
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
    cases = {"default": {}, "ha": HA, "bare": BARE, "operator": {"operator": operator}, "everything": EVERYTHING}
    cases |= {
        "OpenShift": OPENSHIFT,
        "a.dot": {},
        "7th": {},
        "plain.operator": {"operator": {**operator, "labels": {}}},
    }
    cases |= {"route": ROUTE, "TLS": {"tls": {"secret": "t"}, "operator": operator, "alertmanagerSecret": "theirs"}}
    others = operator["alertmanagerConfig"].replace("http://tocsin.tocsin.svc", "http://pager.prod.svc")
    cases |= {
        "compile": COMPILE,
        "its own routes": {"operator": {**operator, "alertmanagerConfig": others}},
        "routes to another port": {"operator": {**operator, "alertmanagerConfig": others}, "service": {"port": 80}},
    }
    cases["first hour"] = yaml.safe_load(FIRST_HOUR["values.yaml"]) | {"policy": FIRST_HOUR["policy.yaml"]}
    cases |= {f"backup of {name}": values for name, values in BACKUPS.items()}
    cases |= {"upgrade on SQLite": {}, "upgrade on PostgreSQL": HA}
    cases |= {name: values for name, (values, _) in REFUSED.items()}
    releases = {"a.dot": "a.dot", "7th": "7th"}
    answer = helm([(values, releases.get(name, "pager"), name.startswith("upgrade")) for name, values in cases.items()])
    return {"lint": answer["lint"], **dict(zip(cases, answer["answers"], strict=True))}


def objects_of(answer: dict[str, Any], *, hooks: bool = False) -> list[dict[str, Any]]:
    """The objects in what Helm rendered; of `helm test` with `hooks`, else all others."""
    assert "error" not in answer, answer
    texts = (
        text for name, text in answer["manifests"].items() if name.endswith(".yaml") and ("/tests/" in name) is hooks
    )
    return [each for text in texts for each in yaml.load_all(text, Loader) if each]


USUAL = ["default", "ha", "bare", "operator", "a.dot"]


@pytest.fixture(
    params=[*USUAL, "everything", "TLS", "OpenShift", "7th", "compile", *(f"backup of {name}" for name in BACKUPS)]
)
def charted(request: pytest.FixtureRequest, rendered: dict[str, Any]) -> list[dict[str, Any]]:
    """The objects of each case."""
    return objects_of(rendered[request.param])


def pod_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """What the Deployment makes pods of."""
    return the("Deployment", objects)["spec"]["template"]["spec"]


def test_helm_lints_it(rendered: dict[str, Any]) -> None:
    """Helm's linter finds nothing but that there is no icon."""
    assert not rendered["lint"]["errors"]
    assert [each["error"] for each in rendered["lint"]["messages"]] == ["icon is recommended"]


def test_the_schemas_are_kept(charted: list[dict[str, Any]]) -> None:
    """Everything rendered fits Kubernetes' schemas, and the operator's."""
    assert faults(charted) == []


def test_no_key_stands_twice(charted: list[dict[str, Any]]) -> None:
    """Lists that Kubernetes merges by a key have each key once; Helm 4 fails half-way otherwise."""
    for each in charted:
        assert each["metadata"]["name"].islower() or each["metadata"]["name"].isdecimal()
    pod = pod_of(charted)
    for container in pod["containers"]:
        for field, key in (("env", "name"), ("volumeMounts", "mountPath"), ("ports", "name")):
            names = [each[key] for each in container.get(field, ())]
            assert len(names) == len(set(names))
    names = [each["name"] for each in pod["volumes"]]
    assert len(names) == len(set(names))
    kinds = [(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in charted]
    assert len(kinds) == len(set(kinds))


def test_names_follow_the_release(rendered: dict[str, Any]) -> None:
    """Every object is called after its release, so that two fit into a namespace; a name that no Service may have is made
    one that it may; fullnameOverride counts more."""
    for case, prefix in {"operator": "pager", "a.dot": "a-dot", "7th": "tocsin-7th", "everything": "tocsin-eu"}.items():
        given = {"pager-more", "text", "pagers"}
        names = {each["metadata"]["name"] for each in objects_of(rendered[case])} - given
        assert {name.removeprefix(prefix) for name in names} <= {
            "", "-policy", "-data", "-self", "-dashboards", "-backup",
        }  # fmt: skip
        (service,) = [each for each in objects_of(rendered[case]) if each["kind"] == "Service"]
        assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", service["metadata"]["name"])


@pytest.mark.parametrize("case", USUAL)
def test_its_pods_are_those_of_the_kustomization(case: str, rendered: dict[str, Any]) -> None:
    """Probes, rights, mounts and the time to stop are the same in both, so that what is tested of one holds of both."""
    ours, theirs = pod_of(objects_of(rendered[case])), BASE["spec"]["template"]["spec"]
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
    pod = pod_of(charted)
    variables = {
        each["name"]: re.sub(r"^/etc/tocsin/(secrets|tls|authorities)/", f"{tmp_path}/", each["value"])
        for each in pod["containers"][0]["env"]
        if "value" in each
    }
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
    """Selectors find the pods, mounts have volumes, the claim, the ConfigMap and the account are made or are yours, and the
    policy loads."""
    deployment = the("Deployment", charted)["spec"]
    labels = deployment["template"]["metadata"]["labels"].items()
    selectors = [the("Service", charted)["spec"]["selector"], deployment["selector"]["matchLabels"]]
    selectors += [each["spec"]["podSelector"]["matchLabels"] for each in charted if each["kind"] == "NetworkPolicy"]
    selectors += [each["spec"]["selector"]["matchLabels"] for each in charted if each["kind"] == "PodDisruptionBudget"]
    assert all(selector and selector.items() <= labels for selector in selectors)
    pod = deployment["template"]["spec"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert {each["name"] for each in pod["containers"][0]["volumeMounts"]} == set(volumes)
    assert pod["serviceAccountName"] in {
        each["metadata"]["name"] for each in charted if each["kind"] == "ServiceAccount"
    }
    (policy,) = [each for each in charted if each["kind"] == "ConfigMap" and "policy.yaml" in each["data"]]
    mapped, contacts = volumes["policy"]["projected"]["sources"]
    assert mapped["configMap"]["name"] == policy["metadata"]["name"]
    assert contacts["secret"]["optional"] is True
    load_text(policy["data"]["policy.yaml"])
    made = {each["metadata"]["name"] for each in charted if each["kind"] == "PersistentVolumeClaim"}
    claim = volumes["data"].get("persistentVolumeClaim", {}).get("claimName")
    assert made == ({claim} - {None, "mine"})


def test_several_replicas_stay_up(rendered: dict[str, Any]) -> None:
    """With PostgreSQL: a rolling update, spread, a disruption budget that lets idle pods go, no volume."""
    objects = objects_of(rendered["ha"])
    spec = the("Deployment", objects)["spec"]
    assert (spec["replicas"], spec["strategy"]["rollingUpdate"]) == (3, {"maxSurge": 1, "maxUnavailable": 0})
    assert len(spec["template"]["spec"]["topologySpreadConstraints"]) == 2
    budget = the("PodDisruptionBudget", objects)["spec"]
    assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    assert spec["template"]["spec"]["containers"][0]["image"] == "registry.example.com/tocsin:1.2.3"


def test_the_operators_objects(rendered: dict[str, Any]) -> None:
    """The alerts on Tocsin itself and what was compiled are there; the job is called as the rules ask for, under any
    release name; the labels that Prometheus selects by are on all of them.
    """
    objects = objects_of(rendered["operator"])
    rules = {each["metadata"]["name"]: each["spec"] for each in objects if each["kind"] == "PrometheusRule"}
    assert set(rules) == {"pager-self", "pager"}
    own = yaml.safe_load((ROOT / "deploy" / "prometheus" / "self-rules.yml").read_text())
    assert without_namespace(rules["pager-self"]) == own
    monitor, service = the("ServiceMonitor", objects), the("Service", objects)
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert service["metadata"]["labels"][monitor["spec"]["jobLabel"]] == "tocsin"
    custom = [each for each in objects if each["apiVersion"].startswith("monitoring.coreos.com/")]
    assert [each["metadata"]["labels"]["release"] for each in custom] == ["kube-prometheus-stack"] * 4
    assert the("AlertmanagerConfig", objects)["spec"]["receivers"]


def without_namespace(spec: dict[str, Any]) -> dict[str, Any]:
    """Rules as they are without the chart: Tocsin's own have its namespace there."""
    for rule in spec["groups"][0]["rules"]:
        assert rule["labels"].pop("namespace") == "prod"
    return spec


def test_tocsins_own_alerts_have_its_namespace(rendered: dict[str, Any]) -> None:
    """The operator lets an AlertmanagerConfig see only alerts of its namespace: the heartbeat and the rest of what Tocsin
    says of itself have it; alerts of the policy keep that of what they measure."""
    objects = objects_of(rendered["operator"])
    rules = [
        rule
        for each in objects
        if each["kind"] == "PrometheusRule"
        for group in each["spec"]["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    own = {rule["alert"] for rule in rules if rule["labels"].get("namespace") == "prod"}
    assert {"TocsinHeartbeat", "TocsinDown", "TocsinFailThrough", "TocsinHeartbeatGone"} <= own
    assert own == {rule["alert"] for rule in rules if rule["alert"].startswith("Tocsin")}
    assert {rule["alert"] for rule in rules} - own


def test_the_images_digest_counts(rendered: dict[str, Any]) -> None:
    """An image may be fixed byte for byte."""
    containers = pod_of(objects_of(rendered["everything"]))["containers"]
    assert containers[0]["image"] == f"tocsin@{DIGEST}"


def test_tls_reaches_whoever_asks(rendered: dict[str, Any]) -> None:
    """With a certificate of its own, probes, Prometheus and `helm test` ask by TLS, and the certificate is mounted where the
    settings name it."""
    objects = objects_of(rendered["TLS"])
    (container,) = pod_of(objects)["containers"]
    probes = [container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")]
    assert {probe["scheme"] for probe in probes} == {"HTTPS"}
    assert the("ServiceMonitor", objects)["spec"]["endpoints"][0]["scheme"] == "https"
    variables = {each["name"]: each["value"] for each in container["env"]}
    (mounted,) = [each["mountPath"] for each in container["volumeMounts"] if each["name"] == "tls"]
    assert variables["TOCSIN_TLS_CERT_FILE"] == f"{mounted}/tls.crt"
    assert the("Pod", objects_of(rendered["TLS"], hooks=True))["spec"]["containers"][0]["command"][2].startswith(
        "https:"
    )
    (webhook,) = the("AlertmanagerConfig", objects)["spec"]["receivers"][0]["webhookConfigs"]
    assert webhook["httpConfig"]["authorization"]["credentials"]["name"] == "theirs"


def test_what_one_has_of_ones_own_is_there(rendered: dict[str, Any]) -> None:
    """Variables, volumes, containers, objects, labels: as they were given; a number stays the number that was written."""
    objects = objects_of(rendered["everything"])
    pod = pod_of(objects)
    variables = {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}
    assert variables["TOCSIN_BODY_LIMIT"] == "33554432"
    assert variables["TOCSIN_SILENCE_ON_ACKNOWLEDGE"] == "true"
    assert variables["TOCSIN_CA_FILE"] == "/etc/tocsin/authorities/ca.crt"
    assert "HTTPS_PROXY" in variables
    assert pod["containers"][0]["envFrom"] == EVERYTHING["envFrom"]
    assert [each["name"] for each in (*pod["containers"], *pod["initContainers"])] == ["tocsin", "beside", "before"]
    assert {"pager-more", "text"} == {each["metadata"]["name"] for each in objects if each["kind"] == "Secret"}
    ours = [each for each in objects if each["kind"] != "Secret"]
    assert {each["metadata"]["labels"]["team"] for each in ours} == {"ml"}
    dashboards = [each for each in objects if each["metadata"].get("labels", {}).get("grafana_dashboard")]
    for text in dashboards[0]["data"].values():
        assert json.loads(text)["title"]
    assert the("Ingress", objects)["spec"]["rules"][0]["host"] == "tocsin.example.com"


def test_a_route_of_the_gateway_api(rendered: dict[str, Any]) -> None:
    """The HTTPRoute leads to the Service's port."""
    objects = objects_of({"manifests": rendered["route"]["manifests"]})
    (back,) = the("HTTPRoute", objects)["spec"]["rules"][0]["backendRefs"]
    service = the("Service", objects)
    assert (back["name"], back["port"]) == (service["metadata"]["name"], service["spec"]["ports"][0]["port"])


def test_openshift_chooses_the_user(rendered: dict[str, Any]) -> None:
    """OpenShift's restricted-v2 gives each namespace users of its own: then the pods name none."""
    context = pod_of(objects_of(rendered["OpenShift"]))["securityContext"]
    assert context.keys() == {"runAsNonRoot", "fsGroupChangePolicy", "seccompProfile"}


def test_the_network_policy_knows_pgbouncer_and_collectors(rendered: dict[str, Any]) -> None:
    """A pooler before PostgreSQL, a collector of traces and a proxy can be reached on their usual ports."""
    ports = {each["port"] for each in the("NetworkPolicy", objects_of(rendered["ha"]))["spec"]["egress"][0]["ports"]}
    assert {6432, 4318, 3128} <= ports


def notes(rendered: dict[str, Any], case: str) -> str:
    """What Helm says after it."""
    (found,) = [text for name, text in rendered[case]["manifests"].items() if name.endswith("NOTES.txt")]
    return str(found)


def test_notes_say_what_is_missing(rendered: dict[str, Any]) -> None:
    """After an installation: no external URL, no rules, no labels to select by."""
    assert "TOCSIN_EXTERNAL_URL" in notes(rendered, "default")
    assert "MISSING: rules" in notes(rendered, "default")
    assert "TOCSIN_EXTERNAL_URL" not in notes(rendered, "ha")
    assert "MISSING" not in notes(rendered, "operator").replace("MISSING: settings.TOCSIN_EXTERNAL_URL", "")
    assert "operator.labels is empty" in notes(rendered, "plain.operator")


def test_notes_look_at_the_whole_address(rendered: dict[str, Any]) -> None:
    """Routes to another port or scheme than the Service's are said, routes that lead there are not. Said too: that
    nothing reports when Tocsin itself is down, and that Alertmanager has to believe a certificate.
    """
    assert "another address" not in notes(rendered, "its own routes")
    assert "another address" in notes(rendered, "routes to another port")
    assert "another address" in notes(rendered, "TLS")
    assert "has to believe Tocsin's certificate" in notes(rendered, "TLS")
    assert "nobody is told when Tocsin itself is down" in notes(rendered, "its own routes")
    assert "LOOK: nobody" not in notes(rendered, "compile")
    assert "MISSING: r" not in notes(rendered, "compile")


def test_notes_of_an_upgrade(rendered: dict[str, Any]) -> None:
    """After an upgrade on SQLite they say what to do where the new pod does not become ready: no pages leave then. On
    PostgreSQL, and after an installation, there is no such danger, and no such note.
    """
    said = notes(rendered, "upgrade on SQLite")
    assert "NOBODY IS PAGED" in said
    assert "helm rollback pager brings the old one back" in said
    assert "--namespace prod logs deployment/pager" in said
    assert not {case for case in ("default", "ha", "upgrade on PostgreSQL") if "NOBODY" in notes(rendered, case)}


@pytest.mark.parametrize(("case", "component"), [("SQLite", "backup"), ("PostgreSQL", "backup-postgresql")])
def test_its_backups_are_those_of_the_kustomization(case: str, component: str, rendered: dict[str, Any]) -> None:
    """The CronJob is the one of the components, whose backups are restored by a test; with the release's names and yours. The
    chart makes no claim that nothing uses at once: `helm --wait` would wait for it until the first night.
    """
    claimed = [each for each in objects_of(rendered[f"backup of {case}"]) if each["kind"] == "PersistentVolumeClaim"]
    assert {each["metadata"]["name"] for each in claimed} <= {"pager-data"}
    ours = the("CronJob", objects_of(rendered[f"backup of {case}"]))["spec"]
    theirs = yaml.safe_load((KUBERNETES / "components" / component / "cronjob.yaml").read_text())["spec"]
    assert ours["schedule"] == theirs["schedule"]
    mine, other = (each["jobTemplate"]["spec"]["template"]["spec"] for each in (ours, theirs))
    for key in ("restartPolicy", "automountServiceAccountToken", "securityContext"):
        assert mine[key] == other[key]
    ours_runs, theirs_runs = mine["containers"][0], other["containers"][0]
    assert ours_runs.get("args", ours_runs.get("command")) == theirs_runs.get("args", theirs_runs.get("command"))
    assert [each["name"] for each in mine["volumes"]] == [each["name"] for each in other["volumes"]]
    claims = {each["persistentVolumeClaim"]["claimName"] for each in mine["volumes"] if "persistentVolumeClaim" in each}
    assert claims == ({"pager-data", "mine"} if case == "SQLite" else {"mine"})
    selector = the("Service", objects_of(rendered["default"]))["spec"]["selector"]
    labels = ours["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    assert not selector.items() <= labels.items()
    if case == "SQLite":
        (term,) = mine["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert term["labelSelector"]["matchLabels"] == selector


def test_a_hook_compiles_the_policy(rendered: dict[str, Any]) -> None:
    """After installation, upgrade and rollback alike a Job compiles what the pods that serve read, with the options given; it
    may do that and nothing else, and the chart hands no compiled objects over.
    """
    objects = objects_of(rendered["compile"])
    job, serving = the("Job", objects), pod_of(objects)
    assert set(job["metadata"]["annotations"]["helm.sh/hook"].split(",")) == {
        "post-install", "post-upgrade", "post-rollback",
    }  # fmt: skip
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == serving["containers"][0]["image"]
    assert container["securityContext"] == serving["containers"][0]["securityContext"]
    assert container["args"][1:] == [
        "/etc/tocsin/policy", "--receiver-url", "http://pager.prod.svc:8095/webhook/alertmanager", "--token-file",
        "webhook-token", "--fallback-email", "a@example.com",
    ]  # fmt: skip
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert [volumes["policy"]] == [each for each in serving["volumes"] if each["name"] == "policy"]
    variables = {each["name"]: each["value"] for each in container["env"]}
    assert json.loads(variables["RELEASE_LABELS"])["release"] == "kube-prometheus-stack"
    assert variables["RELEASE_SECRET"] == "theirs"
    asked = dict(each.split("=") for each in variables["RELEASE_SELECTOR"].split(","))
    assert asked == the("Service", objects)["spec"]["selector"]
    assert not asked.items() <= job["spec"]["template"]["metadata"]["labels"].items()
    role, binding = the("Role", objects), the("RoleBinding", objects)
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert [each["name"] for each in binding["subjects"]] == [pod["serviceAccountName"]]
    assert pod["serviceAccountName"] in {
        each["metadata"]["name"] for each in objects if each["kind"] == "ServiceAccount"
    }
    may = {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
    custom = {
        (kind, verb) for kind in ("prometheusrules", "alertmanagerconfigs") for verb in ("create", "get", "patch")
    }
    assert may == {("deployments", "get"), ("pods", "list"), *custom}
    (script,) = [each["data"] for each in objects if each["kind"] == "ConfigMap" and "apply_rules.py" in each["data"]]
    assert script["apply_rules.py"].strip() == (CHART / "files" / "apply_rules.py").read_text().strip()
    assert [each["metadata"]["name"] for each in objects if each["kind"] == "PrometheusRule"] == ["pager-self"]
    assert "AlertmanagerConfig" not in {each["kind"] for each in objects}


def test_the_first_hour_holds_together(rendered: dict[str, Any]) -> None:
    """The manual's first hour: its values render to valid objects, and its model and mailbox are where they look for them;
    Prometheus selects all by one label, and the network policy lets out to the mailbox.
    """
    objects = objects_of(rendered["first hour"])
    beside = list(yaml.safe_load_all((KUBERNETES / "first-hour.yaml").read_text()))
    assert faults([*objects, *beside]) == []
    values = yaml.safe_load(FIRST_HOUR["values.yaml"])
    ports = {
        each["metadata"]["name"]: [port["port"] for port in each["spec"]["ports"]]
        for each in beside
        if each["kind"] == "Service"
    }
    host, port = values["settings"]["TOCSIN_SMTP_URL"].removeprefix("smtp://").split(":")
    assert int(port) in ports[host]
    assert int(port) in values["networkPolicy"]["toPorts"]
    assert {each["metadata"]["namespace"] for each in beside} == {"tocsin"}
    (monitor,) = [each for each in beside if each["kind"] == "ServiceMonitor"]
    assert monitor["metadata"]["labels"] == values["operator"]["labels"]
    base = BASE["spec"]["template"]["spec"]["containers"][0]
    for pod in (each["spec"]["template"]["spec"] for each in beside if each["kind"] == "Deployment"):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert [each["securityContext"] for each in pod["containers"]] == [base["securityContext"]]
    text = (ROOT / "docs" / "first-hour.md").read_text()
    for service, asked in re.findall(r"port-forward service/(\w+) (\d+)", text):
        assert int(asked) in ports.get(service, [8095])
    claim = yaml.safe_load((KUBERNETES / "components" / "backup" / "volume.yaml").read_text())
    assert values["backup"]["claim"] == claim["metadata"]["name"]
    assert "0.95" in FIRST_HOUR["policy.yaml"]  # what the upgrade makes stricter


def test_the_tests_pod_serves_nobody(rendered: dict[str, Any]) -> None:
    """The pod of `helm test` is valid, restricted, and not one that the Service or the budget means."""
    hooks = objects_of(rendered["ha"], hooks=True)
    assert faults(hooks) == []
    pod = the("Pod", hooks)
    selector = the("Service", objects_of(rendered["ha"]))["spec"]["selector"]
    assert not selector.items() <= pod["metadata"]["labels"].items()
    assert pod["spec"]["securityContext"] == BASE["spec"]["template"]["spec"]["securityContext"]


async def test_helms_test_sends_an_alert_through(tmp_path: Path) -> None:
    """What the pod of `helm test` runs, against a receiver: well under the right token, not under another; no page."""
    given = {"TOCSIN_DATABASE": "sqlite://", "TOCSIN_WEBHOOK_TOKEN": "w-of-sixteen-letters"}
    settings = Settings.read({**given, "TOCSIN_LISTEN": f"127.0.0.1:{free_port()}"})
    async with Service(settings, [KUBERNETES / "base" / "policy.yaml"]) as service:
        for token, code in (("w-of-sixteen-letters", 0), ("another", 1)):
            (tmp_path / "token").write_text(token)
            process = await asyncio.create_subprocess_exec(
                sys.executable, str(CHART / "files" / "send_alert.py"), service.address, str(tmp_path / "token"),
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            said, _ = await process.communicate()
            assert (process.returncode, b"got through" in said) == (code, code == 0), said


def test_files_are_those_of_the_folders_beside() -> None:
    """A chart holds its files itself: they are the same as those that the rest of deploy/ has."""
    assert (CHART / "files" / "self-rules.yml").read_text() == (
        ROOT / "deploy" / "prometheus" / "self-rules.yml"
    ).read_text()
    assert (CHART / "files" / "tocsin-dashboard.json").read_text() == (
        ROOT / "deploy" / "grafana" / "tocsin.json"
    ).read_text()


@pytest.mark.parametrize("name", REFUSED)
def test_mistakes_are_refused(name: str, rendered: dict[str, Any]) -> None:
    """Values that cannot be meant are refused before anything is applied, with words that name them."""
    assert REFUSED[name][1] in rendered[name]["error"]


def test_every_value_is_used_and_described() -> None:
    """What templates read is in values.yaml and in the schema, and nothing is in them that no template reads."""
    text = "".join(file.read_text() for file in (CHART / "templates").rglob("*") if file.is_file())
    text = re.sub(r"\$monitor\.", ".Values.operator.serviceMonitor.", text)
    text += " ".join(f".Values.operator.{name}" for name in ("prometheusRule", "alertmanagerConfig"))
    read = set(re.findall(r"\.Values\.([\w.]+)", text))
    schema = json.loads((CHART / "values.schema.json").read_text())

    def described(node: dict[str, Any], path: str = "") -> Iterator[str]:
        for key, value in node["properties"].items():
            assert value.keys() & {"type", "enum"}
            assert value["description"], key
            yield from described(value, f"{path}{key}.") if "properties" in value else (f"{path}{key}",)

    names = set(described(schema)) - {"global"}
    assert names <= read
    assert read - names == {"operator", "operator.serviceMonitor", "operator.compile"}
    for name in names:
        node = VALUES
        for part in name.split("."):
            node = node[part]


def test_the_chart_is_of_this_version() -> None:
    """Chart and image have the project's version."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (chart["version"], chart["appVersion"]) == (version, version)
