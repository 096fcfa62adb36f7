"""What the shell completes: incidents by number, types by name, asked of the running receiver.

A receiver that does not answer completes nothing: a shell that hangs or shows an error at a press of Tab is worse.
`tocsin --install-completion` sets it up.
"""

import asyncio
import os
from collections.abc import Mapping
from typing import Any

import typer

from receiver.core.model import State
from receiver.errors import SettingsError
from rules.policy import LEVELS

PATIENCE = 1.5
"""Seconds; a person holds Tab."""

LOCAL = "http://127.0.0.1:8095"


def incidents(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Numbers of the latest incidents, with state and title."""
    found = _ask(context.params, "/incidents", {"limit": "50"}).get("incidents", [])
    told = [(str(each["number"]), f"{each['state']} {each['title']}") for each in found]
    return [each for each in told if each[0].startswith(incomplete.removeprefix("#"))]


def types(context: typer.Context, incomplete: str) -> list[str]:
    """Incident types of the policy in use."""
    return [
        each for each in _ask(context.params, "/policy", {}).get("incident_types", []) if each.startswith(incomplete)
    ]


def states(incomplete: str) -> list[str]:
    """States, of several after a comma the last."""
    begun, _, last = incomplete.rpartition(",")
    lead = f"{begun}," if begun else ""
    return [f"{lead}{each.value}" for each in State if each.value.startswith(last)]


def levels(incomplete: str) -> list[str]:
    """The levels."""
    return [str(each) for each in LEVELS if str(each).startswith(incomplete)]


def people(context: typer.Context, incomplete: str) -> list[str]:
    """Who is on call now, by the receiver's schedules."""
    found = _ask(context.params, "/on-call", {}).get("schedules", [])
    names = (shift.get("person", "") for each in found for shift in each.get("now", []))
    return sorted({each for each in names if each and each.startswith(incomplete)})


def _ask(parameters: Mapping[str, Any], path: str, query: Mapping[str, str]) -> Mapping[str, Any]:
    import aiohttp

    url, token = parameters.get("url") or LOCAL, parameters.get("token") or ""
    try:
        return asyncio.run(_get(f"{url.rstrip('/')}/api/v1{path}", token, query))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, SettingsError):
        return {}


async def _get(address: str, token: str, query: Mapping[str, str]) -> Mapping[str, Any]:
    import aiohttp

    from receiver.clients.egress import Egress
    from receiver.clients.http_session import HttpSession

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    async with (
        HttpSession(timeout, Egress.of_environment(os.environ)) as session,
        session.request("GET", address, headers=headers, params=query) as answer,
    ):
        answer.raise_for_status()
        found = await answer.json()
        return found if isinstance(found, dict) else {}
