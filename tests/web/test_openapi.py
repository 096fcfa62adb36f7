"""The OpenAPI document is true: what it allows is taken, what it forbids refused, and every answer is as it says."""

import asyncio
import itertools
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import ignored_auth

from receiver.clients.alert_payload import ALERT_KEYS, BODY_KEYS
from receiver.settings import Role, Settings
from receiver.web.api.openapi import describe
from rules.policy import Policy
from tests.web.conftest import Running, _begin, payload
from tests.web.test_access import TOKENS, WHO, of, one_incident

FEW = settings(
    max_examples=3,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
PATIENCE = 60
"""Seconds for an answer, on a machine that may have much else to do."""

UNSAYABLE = "longer than ten years"
"""What no schema can say of a duration."""


class Elsewhere:
    """A receiver on a loop and a thread of its own: schemathesis asks synchronously."""

    def __init__(self, policy: Policy) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        environ = {"TOCSIN_DATABASE": "sqlite://", **TOKENS}
        self.receiver, self._runner = self.run(_begin(Settings.read(environ), policy))

    def run(self, what: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(60)

    def close(self) -> None:
        self.run(self._runner.cleanup())
        self.run(self.receiver.http.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.receiver.queue.close()
        self.receiver.store.close()


@pytest.fixture(scope="module")
def elsewhere(policy: Policy) -> Iterator[Running]:
    """A receiver with tokens and an incident."""
    one = Elsewhere(policy)
    hook = {"Authorization": "Bearer hook"}
    one.run(one.receiver.post("/webhook/alertmanager", payload("single_firing"), headers=hook))
    yield one.receiver
    one.close()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_document_is_true(elsewhere: Running, mode: GenerationMode) -> None:
    """A request that fits the document is taken, another is refused; no 5xx, and every answer is as described."""
    described = schemathesis.openapi.from_url(f"{elsewhere.url}/api/v1/openapi.json", headers=of("admin"))
    wrong: list[str] = []
    asked = 0
    with requests.Session() as session:
        for found in described.get_all_operations():
            operation = found.ok()
            takes_something = operation.query or operation.body
            if mode is GenerationMode.POSITIVE or takes_something:
                asked += 1
                wrong += _faults(operation, mode, _asker(session, mode))
    assert not wrong, "\n\n".join(wrong)
    assert asked > 15


def _asker(session: requests.Session, mode: GenerationMode) -> Callable[[Any], None]:
    """Asks what a case says, as an admin (or Alertmanager), and about an incident that there is."""

    def ask(case: Any) -> None:
        if mode is GenerationMode.NEGATIVE:  # a wrong token alone is not what is meant here
            assume({place.value for place in case.meta.components} & {"query", "body"})
        if case.path_parameters and "incident" in case.path_parameters:
            case.path_parameters["incident"] = "1"
        who = "webhook" if case.path.startswith("/webhook") else "admin"
        answer = case.call(session=session, headers=of(who), timeout=PATIENCE)
        if answer.status_code != 400 or UNSAYABLE not in answer.text:
            case.validate_response(answer, excluded_checks=[ignored_auth])

    return ask


def _faults(operation: Any, mode: GenerationMode, ask: Callable[[Any], None]) -> list[str]:
    try:
        FEW(given(operation.as_strategy(generation_mode=mode))(ask))()
    except FailureGroup as error:
        return [f"{operation.label}: {error}"]
    return []


async def test_roles_are_as_described(start: Callable[..., Any]) -> None:
    """The document names the role that each operation needs: smaller ones get 403, strangers 401, that role neither."""
    receiver = await one_incident(start)
    _, document = await receiver.get("/api/v1/openapi.json", headers=of("viewer"))
    operations = [
        (method, path, operation.get("security", document["security"]))
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    people = ("nobody", "stranger", "viewer", "responder", "approver", "admin")
    for (method, path, security), who in itertools.product(operations, people):
        address = re.sub(r"\{\w+\}", "x", path.replace("{incident}", "1"))
        status, _ = await receiver.ask(method.upper(), address, headers=of(who))
        assert _expected(status, security, who), (method, path, who, status)


def _expected(status: int, security: list[dict[str, list[str]]], who: str) -> bool:
    if not security:
        return status == 200
    if "webhook" in security[0] or WHO[who] in {None, "guess"}:
        return status == 401
    enough = Role[who.upper()] >= Role[security[0]["token"][0].upper()]
    return status not in {401, 403} if enough else status == 403


def test_the_webhook_is_described_as_it_is_read() -> None:
    """Every field that is read of a webhook is in the document, with a description; no other is, and none is typed."""
    operation = describe((), "1")["paths"]["/webhook/alertmanager"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    alert = body["properties"]["alerts"]["items"]
    assert (body["properties"].keys(), alert["properties"].keys()) == (BODY_KEYS, ALERT_KEYS)
    described = {**body["properties"], **alert["properties"], "alerts": alert}
    assert all(
        part.keys() <= {"description", "properties", "examples"} and part["description"] for part in described.values()
    )
