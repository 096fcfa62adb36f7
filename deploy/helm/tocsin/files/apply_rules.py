"""What the chart's hook runs after an installation, an upgrade and a rollback: when every replica uses the policy, its
rules and routes become the Prometheus Operator's objects. It has the policy, and the compiler, of the same release.

Tocsin first: a rule that Prometheus runs before a replica knows it would page by the policy before. The objects belong
to the Deployment, so that they go with it. Arguments: the folder of the service account, the policy's folder, and
options of `tocsin compile`; the release is told by the variables RELEASE_….
"""

import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from rules.load import load
from rules.stored import digest

PATIENCE = 240
"""Seconds until every replica uses the policy: a changed ConfigMap takes a minute or two. Helm waits 300."""

EVERY = 2
KINDS = {"prometheusrule": "prometheusrules", "alertmanagerconfig": "alertmanagerconfigs"}
COMPILED = '"name": "tocsin-alertmanager"'


class Cluster:
    """Kubernetes' API, as the pod's service account reaches it; no proxy is asked."""

    def __init__(self, account: Path, namespace: str) -> None:
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        self._base = f"https://{f'[{host}]' if ':' in host else host}:{port}"
        self._namespace = namespace
        self._token = account / "token"
        tls = ssl.create_default_context(cafile=account / "ca.crt")
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls)
        )

    def get(self, group: str, path: str) -> Any:
        return self._ask(urllib.request.Request(self._url(group, path)))

    def apply(self, plural: str, document: dict[str, Any]) -> None:
        path = f"{plural}/{document['metadata']['name']}?fieldManager=tocsin-chart&force=true"
        url = self._url(f"apis/{document['apiVersion']}", path)
        headers = {"Content-Type": "application/apply-patch+yaml"}
        self._ask(urllib.request.Request(url, json.dumps(document).encode(), headers, method="PATCH"))

    def _url(self, group: str, path: str) -> str:
        return f"{self._base}/{group}/namespaces/{self._namespace}/{path}"

    def _ask(self, request: urllib.request.Request) -> Any:
        request.add_header("Authorization", f"Bearer {self._token.read_text().strip()}")
        try:
            with self._opener.open(request, timeout=20) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:500]
            raise SystemExit(f"{request.get_method()} {request.full_url}: {error.code} {said}") from None


def not_yet(deployment: Any, pods: Any, uses: str) -> str:
    """Why the rules have to wait; empty: every replica uses the policy of this digest."""
    wanted, status = deployment["spec"]["replicas"], deployment.get("status", {})
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")]
    if status.get("observedGeneration", 0) < deployment["metadata"]["generation"] or counts != [wanted] * 3:
        return f"replicas {wanted}, there {counts[0]}, of this release {counts[1]}, ready {counts[2]}"
    for pod in pods["items"]:
        if "deletionTimestamp" not in pod["metadata"] and uses not in metrics_of(pod["status"].get("podIP", "")):
            return f"{pod['metadata']['name']} does not use this policy yet (its log says where it cannot)"
    return ""


def metrics_of(ip: str) -> str:
    """A replica's; its certificate names Tocsin as seen from outside, so it is not looked at."""
    host = f"[{ip}]" if ":" in ip else ip
    url = f"{os.environ['RELEASE_SCHEME']}://{host}:{os.environ['RELEASE_PORT']}/metrics"
    tls = urllib.request.HTTPSHandler(context=ssl._create_unverified_context())
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({}), tls).open(url, timeout=10) as answer:
            return str(answer.read().decode())
    except OSError as error:
        return f"no answer: {error}"


def wait(cluster: Cluster, name: str, uses: str) -> Any:
    """Until every replica uses the policy; the Deployment."""
    selector = urllib.parse.quote(os.environ["RELEASE_SELECTOR"])
    given_up, said = time.monotonic() + PATIENCE, ""
    while True:
        deployment = cluster.get("apis/apps/v1", f"deployments/{name}")
        why = not_yet(deployment, cluster.get("api/v1", f"pods?labelSelector={selector}"), uses)
        if not why:
            return deployment
        if time.monotonic() > given_up:
            raise SystemExit(f"given up after {PATIENCE} s, the rules stay as they were: {why}")
        if why != said:
            print(f"waiting: {why}", flush=True)
            said = why
        time.sleep(EVERY)


def main(account: str, policy: str, *options: str) -> None:
    name, namespace = os.environ["RELEASE_NAME"], os.environ["RELEASE_NAMESPACE"]
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "receiver.cli", "compile", policy, "--out", out, "--namespace", namespace]
        if subprocess.run([*command, *options], check=False).returncode:
            raise SystemExit("the policy does not compile, the rules stay as they were")
        documents = {kind: yaml.safe_load((Path(out) / f"{kind}.yaml").read_text()) for kind in KINDS}
    cluster = Cluster(Path(account), namespace)
    deployment = wait(cluster, name, f'tocsin_policy_info{{digest="{digest(load([Path(policy)]))}"}} 1')
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": deployment["metadata"]["uid"]}
    labels = json.loads(os.environ["RELEASE_LABELS"])
    for kind in os.environ["RELEASE_OBJECTS"].split():
        document = documents[kind]
        metadata = {"name": name, "namespace": namespace, "ownerReferences": [owner]}
        document["metadata"] = {**metadata, "labels": document["metadata"]["labels"] | labels}
        secret = f'"name": {json.dumps(os.environ["RELEASE_SECRET"])}'
        cluster.apply(KINDS[kind], json.loads(json.dumps(document).replace(COMPILED, secret)))
        print(f"applied {document['kind']} {name}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
