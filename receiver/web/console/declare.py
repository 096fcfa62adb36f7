"""`/declare`: opens an incident without an alert.

The form carries an idempotency key, so that a second press opens no second incident.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from receiver.core.plan import PolicyVersion
from receiver.engine.engine import Engine
from receiver.web.api import requests
from receiver.web.api.call import IDEMPOTENCY_LIMIT, Call
from receiver.web.api.incident_operations import NEW_TYPE_HINT, Api
from receiver.web.console.pages import Frame, Visit, go_to
from receiver.web.http.problem_details import HttpProblem, invalid


@dataclass(frozen=True, slots=True)
class Declaration:
    """Handlers of the form that declares an incident."""

    frame: Frame
    engine: Engine
    api: Api

    async def show(self, visit: Visit) -> web.Response:
        """Shows the form."""
        return self._page(visit)

    async def declare(self, visit: Visit) -> web.Response:
        """Opens the incident."""
        said: dict[str, Any] = {
            name: value for name, value in visit.form.items() if value and name not in {"csrf", "key", "system"}
        }
        if visit.form.get("system"):
            said["labels"] = {"system": visit.form["system"]}
        try:
            try:
                body = requests.DeclareBody.model_validate(said, strict=False)  # form values are strings
            except ValidationError as error:
                raise invalid(error, "form") from None
            opened = await self.api.declare(Call(visit.caller, body, "", visit.form.get("key", "")[:IDEMPOTENCY_LIMIT]))
        except HttpProblem as problem:
            if problem.status not in {400, 409}:
                raise
            return self._page(visit, problem)
        return go_to(f"/incidents/{opened.number}?done=declare#said")

    def _page(self, visit: Visit, problem: HttpProblem | None = None) -> web.Response:
        current = self.engine.current
        return self.frame.page(
            visit,
            "declare.html",
            status=problem.status if problem else 200,
            kinds=kinds(current),
            levels=current.policy.levels,
            problem=problem.detail.replace(NEW_TYPE_HINT, " with the box below") if problem else "",
            typed=visit.form,
            key=visit.form.get("key") or token_hex(16),
        )


def kinds(policy_version: PolicyVersion) -> Sequence[tuple[str, int, str]]:
    """(name, level, description) of the types and rules that can be declared, each name once, sorted."""
    policy = policy_version.policy
    rules = {each.name: (each.name, each.level, each.description) for each in policy.rules}
    types = {each.name: (each.name, each.level, each.description) for each in policy.incident_types}
    return sorted((rules | types).values())
