"""Shell completion of incident numbers and other names, from the running receiver.

Without an answer there are no completions: the shell must not hang or show an error on Tab. `tocsin
--install-completion` installs it.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import typer

from receiver.core.model import State
from receiver.errors import SettingsError
from rules.policy import LEVELS

PATIENCE = 1.5
"""Seconds to wait for the receiver."""

LOCAL = "http://127.0.0.1:8095"

Words = list[tuple[str, str]]
"""(completion, description)."""


def incidents(context: typer.Context, incomplete: str) -> Words:
    """Completes the numbers of the latest incidents, with state and title."""
    found = _ask(context.params, "/incidents", {"limit": "50"}).get("incidents", [])
    told = [(str(each["number"]), f"{each['state']} {each['title']}") for each in found]
    return [each for each in told if each[0].startswith(incomplete.removeprefix("#"))]


def types(context: typer.Context, incomplete: str) -> list[str]:
    """Completes incident types of the current policy."""
    return _begun(_ask(context.params, "/policy", {}).get("incident_types", []), incomplete)


def states(incomplete: str) -> list[str]:
    """Completes states; in a comma-separated list the last."""
    begun, _, last = incomplete.rpartition(",")
    lead = f"{begun}," if begun else ""
    return [f"{lead}{each.value}" for each in State if each.value.startswith(last)]


def levels(incomplete: str) -> list[str]:
    """Completes the levels."""
    return _begun(map(str, LEVELS), incomplete)


def holds(incomplete: str) -> list[str]:
    """Completes durations of an acknowledgement: those that the console offers."""
    return _begun(("30m", "2h", "8h", "24h"), incomplete)


def people(context: typer.Context, incomplete: str) -> list[str]:
    """Completes the names of people known to the receiver."""
    return _begun(_ask(context.params, "/policy", {}).get("people", []), incomplete)


def roles(context: typer.Context, incomplete: str) -> list[str]:
    """Completes the policy's roles."""
    return _begun(_ask(context.params, "/policy", {}).get("roles", []), incomplete)


def schedules(context: typer.Context, incomplete: str) -> list[str]:
    """Completes the policy's schedules."""
    return _begun((each["name"] for each in _ask(context.params, "/on-call", {}).get("schedules", [])), incomplete)


def systems(context: typer.Context, incomplete: str) -> list[str]:
    """Completes the systems of the latest incidents."""
    found = _ask(context.params, "/incidents", {"limit": "50"}).get("incidents", [])
    return _begun(sorted({each["account"]["system"] for each in found} - {""}), incomplete)


def steps(context: typer.Context, incomplete: str) -> Words:
    """Completes steps of the incident's checklists, open ones first."""
    found = _ask_of(context, "checklists").get("checklists", [])
    told = [each for checklist in found for each in checklist["steps"]]
    told.sort(key=lambda each: bool(each["done"]))
    return [(each["id"], each["text"]) for each in told if each["id"].startswith(incomplete)]


def part(of: str, member: str, name: str, says: str) -> Callable[[typer.Context, str], Words]:
    """Returns a completion for parts of an incident: the API's list, its member, and the fields with name and
    description.
    """

    def complete(context: typer.Context, incomplete: str) -> Words:
        found = _ask_of(context, of).get(member, [])
        return [(each[name], str(each[says])) for each in found if each[name].startswith(incomplete)]

    return complete


notices = part("notices", "notices", "id", "group")
follow_ups = part("follow-ups", "follow_ups", "id", "text")
obligations = part("obligations", "obligations", "name", "authority")
files = part("evidence", "files", "id", "name")
legal_holds = part("evidence", "holds", "id", "reason")


def _begun(words: Iterable[str], incomplete: str) -> list[str]:
    return [each for each in words if each.startswith(incomplete)]


def _ask_of(context: typer.Context, of: str) -> Mapping[str, Any]:
    """Returns one of the lists of the incident on the command line."""
    number = str(context.params.get("id") or "").removeprefix("#")
    return _ask(context.params, f"/incidents/{number}/{of}", {}) if number.isalnum() else {}


def _ask(parameters: Mapping[str, Any], path: str, query: Mapping[str, str]) -> Mapping[str, Any]:
    import aiohttp

    url, token = parameters.get("url") or LOCAL, parameters.get("token") or ""
    try:
        return asyncio.run(_get(f"{url.rstrip('/')}/api/v1{path}", token, query))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, SettingsError):
        return {}


async def _get(address: str, token: str, query: Mapping[str, str]) -> Mapping[str, Any]:
    import aiohttp

    from receiver.clients.egress import Egress, HttpSession

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    async with (
        HttpSession(timeout, Egress.of_environment(os.environ)) as session,
        session.request("GET", address, headers=headers, params=query) as answer,
    ):
        answer.raise_for_status()
        found = await answer.json()
        return found if isinstance(found, dict) else {}
