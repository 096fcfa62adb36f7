"""The chart's hook that compiles the policy in the cluster: against a stand-in for Kubernetes' API, beside a real Tocsin."""

import asyncio
import json
import os
import ssl
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web

from receiver.demo.tools import free_port
from receiver.service import Service
from receiver.settings import Settings
from rules.load import load
from rules.stored import digest
from tests.deploy.conftest import KUBERNETES, ROOT, faults
from tests.patience import GIVES_UP

SCRIPT = ROOT / "deploy" / "helm" / "tocsin" / "files" / "apply_rules.py"
POLICY = KUBERNETES / "base" / "policy.yaml"
OPTIONS = ("--receiver-url", "http://pager.prod.svc:8095/webhook/alertmanager", "--token-file", "webhook-token")


@dataclass
class Cluster:
    """Kubernetes' API as far as the hook asks it, and a second replica that uses the policy a little later."""

    wanted: str
    updated_at: int = 3
    """At which look the Deployment has rolled out."""
    current_at: int = 2
    """At which question the second replica uses the policy."""
    looks: int = 0
    questions: int = 0
    applied: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    """(path, query, document)"""
    too_early: list[str] = field(default_factory=list)

    async def deployment(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer the-accounts"
        self.looks += 1
        done = 2 if self.looks >= self.updated_at else 1
        status = {"observedGeneration": 4, "replicas": 2, "updatedReplicas": done, "readyReplicas": 2}
        metadata = {"name": "pager", "generation": 4, "uid": "0b1"}
        return web.json_response({"metadata": metadata, "spec": {"replicas": 2}, "status": status})

    async def pods(self, request: web.Request) -> web.Response:
        assert request.query["labelSelector"] == "app.kubernetes.io/name=tocsin,app.kubernetes.io/instance=pager"
        ending = {"metadata": {"name": "pager-0", "deletionTimestamp": "now"}, "status": {}}
        addresses = {"pager-1": "127.0.0.1", "pager-2": "127.0.0.2"}
        serving = [{"metadata": {"name": name}, "status": {"podIP": ip}} for name, ip in addresses.items()]
        return web.json_response({"items": [ending, *serving]})

    async def apply(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/apply-patch+yaml"
        if self.looks < self.updated_at or self.questions < self.current_at:
            self.too_early.append(request.path)
        document = await request.json()
        self.applied.append((request.path, request.query_string, document))
        return web.json_response(document)

    async def metrics(self, _request: web.Request) -> web.Response:
        self.questions += 1
        uses = self.wanted if self.questions >= self.current_at else "an-older-one"
        return web.Response(text=f'tocsin_policy_info{{digest="{uses}"}} 1.0\n')


@dataclass
class Hook:
    """How the hook is run in the cluster."""

    cluster: Cluster
    environment: dict[str, str]
    account: Path

    async def run(self, policy: Path = POLICY, **environment: str) -> tuple[int | None, str]:
        """Its exit code, and what it says."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(SCRIPT), str(self.account), str(policy), *OPTIONS, cwd=ROOT,
            env={**self.environment, **environment}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await asyncio.wait_for(process.communicate(), GIVES_UP)
        return process.returncode, said.decode()


@pytest.fixture
async def hook(tmp_path: Path) -> AsyncIterator[Hook]:
    """A cluster where Tocsin was upgraded a moment ago: one replica is Tocsin itself, on the new policy."""
    cluster = Cluster(digest(load([POLICY])))
    authority, port = trustme.CA(), free_port()
    (tmp_path / "token").write_text("the-accounts\n")
    authority.cert_pem.write_to_path(tmp_path / "ca.crt")
    api, replica = web.Application(), web.Application()
    namespace = "namespaces/prod"
    api.router.add_get(f"/apis/apps/v1/{namespace}/deployments/pager", cluster.deployment)
    api.router.add_get(f"/api/v1/{namespace}/pods", cluster.pods)
    api.router.add_patch(f"/apis/monitoring.coreos.com/{{version}}/{namespace}/{{kind}}/pager", cluster.apply)
    replica.router.add_get("/metrics", cluster.metrics)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    runners = [web.AppRunner(api), web.AppRunner(replica)]
    for runner in runners:
        await runner.setup()
    site = web.TCPSite(runners[0], "127.0.0.1", 0, ssl_context=context)
    await site.start()
    (address,) = runners[0].addresses
    await web.TCPSite(runners[1], "127.0.0.2", port).start()
    settings = Settings.read({"TOCSIN_DATABASE": "sqlite://", "TOCSIN_LISTEN": f"127.0.0.1:{port}"})
    environment = {
        **os.environ,
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": str(address[1]),
        "RELEASE_NAME": "pager",
        "RELEASE_NAMESPACE": "prod",
        "RELEASE_SELECTOR": "app.kubernetes.io/name=tocsin,app.kubernetes.io/instance=pager",
        "RELEASE_LABELS": json.dumps({"release": "kube-prometheus-stack", "app.kubernetes.io/managed-by": "Helm"}),
        "RELEASE_OBJECTS": "prometheusrule alertmanagerconfig",
        "RELEASE_SECRET": "theirs",
        "RELEASE_SCHEME": "http",
        "RELEASE_PORT": str(port),
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }
    async with Service(settings, [POLICY]):
        yield Hook(cluster, environment, tmp_path)
    for runner in runners:
        await runner.cleanup()


async def test_tocsin_first_then_the_rules(hook: Hook) -> None:
    """Rules and routes are applied once every replica is of this release and uses this policy, not before; they are valid,
    have the labels that are selected by, the release's Secret, and go with the Deployment.
    """
    code, said = await hook.run()
    assert code == 0, said
    assert "of this release 1" in said
    assert "pager-2 does not use this policy yet" in said
    assert not hook.cluster.too_early
    documents = [document for _, _, document in hook.cluster.applied]
    assert [path.rpartition("/namespaces/")[2] for path, _, _ in hook.cluster.applied] == [
        "prod/prometheusrules/pager",
        "prod/alertmanagerconfigs/pager",
    ]
    assert {query for _, query, _ in hook.cluster.applied} == {"fieldManager=tocsin-chart&force=true"}
    assert faults(documents) == []
    for each in documents:
        assert each["metadata"]["labels"]["release"] == "kube-prometheus-stack"
        assert each["metadata"]["ownerReferences"][0]["uid"] == "0b1"
    rules, routes = documents
    (heartbeat,) = [
        rule for group in rules["spec"]["groups"] for rule in group["rules"] if rule.get("alert") == "TocsinHeartbeat"
    ]
    assert heartbeat["labels"]["namespace"] == "prod"
    (webhook,) = routes["spec"]["receivers"][0]["webhookConfigs"]
    assert webhook["url"] == OPTIONS[1]
    assert webhook["httpConfig"]["authorization"]["credentials"] == {"name": "theirs", "key": "webhook-token"}


async def test_a_policy_with_problems_changes_no_rule(hook: Hook, tmp_path: Path) -> None:
    """The rules stay as they were, the hook fails, and with it `helm upgrade`, which shows the problem."""
    (tmp_path / "wrong.yaml").write_text("incident_response: {detection: {rules: [{name: x, condition: '1 +'}]}}")
    code, said = await hook.run(tmp_path / "wrong.yaml")
    assert code == 1
    assert "wrong.yaml" in said
    assert "the rules stay as they were" in said
    assert not hook.cluster.applied


async def test_what_the_account_may_not_is_said(hook: Hook) -> None:
    """What the API refuses stands in the Job's log, with the API's own words; the hook fails."""
    code, said = await hook.run(RELEASE_NAMESPACE="elsewhere")
    assert code == 1
    assert "deployments/pager: 404" in said
