"""Why the receiver did not do what a command asked: no answer, another server's answer, or a refusal.

Each text is in the words of the command: its options and arguments, not the fields and statuses of the API.
"""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import typer

FIELDS = {
    "filed_at": "date",
    "ends": "until",
    "starts": "from_",
    "person": "who",
    "recipients": "to",
    "labels": "system",
    "incidents": "ids",
}
"""Field of a request → the command's parameter, where it has another name."""

OPTIONS = {
    "with force and a reason": 'with --force --note "why"',
    "resolving while alerts fire needs a reason": 'resolving while alerts fire needs a reason: --note "why"',
    "(`new_type`; on the command line --type-is-new)": "with --type-is-new",
}
"""A receiver's words → the options of these commands."""

CURES = (
    ("there is no such incident", "`tocsin incidents` lists them"),
    ("there is no such heartbeat", "`tocsin heartbeats` lists them"),
    ("there is no override", "`tocsin overrides` lists them"),
    ("there is nothing here", "is --url (TOCSIN_URL) right?"),
    ("an API token is needed", "give one of TOCSIN_API_TOKENS with --token, or TOCSIN_TOKEN"),
    ("unknown API token", "give one of TOCSIN_API_TOKENS with --token, or TOCSIN_TOKEN"),
    ("; this needs a", "give the token of such a person with --token, or TOCSIN_TOKEN"),
)
"""A part of a receiver's words → what to do."""


def refused(answer: Mapping[str, Any]) -> str:
    """Returns why a request was refused, and what to do. `answer`: the problem document."""
    detail = "; ".join(map(_fault, answer.get("errors", ())))
    detail = detail or str(answer.get("detail", "")) or str(answer.get("title", "refused"))
    for words, options in OPTIONS.items():
        detail = detail.replace(words, options)
    cure = next((each for words, each in CURES if words in detail), "")
    if cure:
        detail = re.sub(r": Authorization: .*|; the webhook is at .*", "", detail)
    return f"tocsin: {detail}{f'; {cure}' if cure else ''}"


def remember(context: typer.Context, value: str) -> str:
    """The callback of --url, which every command has that asks a receiver: keeps what it calls its parameters."""
    _NAMES.set({each.name: _name(each) for each in context.command.params})
    return value


_NAMES: ContextVar[Mapping[str, str]] = ContextVar("names", default={})  # noqa: B039 - it is not changed
"""Parameter of the running command → its option, or its argument's name."""


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "option":
        return str(parameter.opts[0])
    return str(parameter.metavar or parameter.name).strip("[]…").upper()


def _fault(fault: Mapping[str, str]) -> str:
    """Returns a field's fault; one of the whole request may begin with a field's name."""
    field, colon, rest = fault["what"].partition(": ")
    if not fault["where"] and colon and field.isidentifier():
        return f"{_named(field)}{rest}"
    return f"{_named(fault['where'])}{fault['what']}"


def _named(field: str) -> str:
    """Returns what the running command calls a field of the request, with a colon; empty: it is about no field."""
    names = _NAMES.get()
    return f"{names.get(field) or names.get(FIELDS.get(field.partition('.')[0], ''), field)}: " if field else ""


def is_passing(status: int) -> bool:
    """Whether a proxy answers so while the server behind it is overloaded or gone."""
    return status in {408, 429} or status >= 500


def not_tocsin(address: str, status: int) -> str:
    """Returns the message for an answer from another server, without that answer's content."""
    if is_passing(status):
        return f"tocsin: {address} answered {status}, not in Tocsin's words: a proxy before it, most likely. Try again"
    return f"tocsin: {address} answered {status}, but it is no Tocsin. Is --url (TOCSIN_URL) right?"


def why_none(error: Exception) -> str:
    """Returns why there is no answer, in words."""
    import aiohttp

    from receiver.clients.egress import reason_of

    match error:
        case aiohttp.ClientHttpProxyError() | aiohttp.ClientProxyConnectionError():
            return reason_of(error)
        case TimeoutError():
            return "it takes too long"
        case aiohttp.ClientConnectorCertificateError():
            why = getattr(error.certificate_error, "verify_message", "") or "it cannot be verified"
            return f"its certificate is not trusted ({why}); name a file with its authority in TOCSIN_CA_FILE"
        case aiohttp.ClientConnectorDNSError():
            return f"the name {error.host} is not known"
        case aiohttp.ClientConnectorSSLError():
            return "it does not speak TLS as it should; perhaps it is http, not https"
        case aiohttp.ClientConnectorError():
            return f"nothing listens at {error.host}:{error.port}"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | ConnectionError():
            return "it hung up; perhaps it is https, not http"
        case aiohttp.ClientResponseError():
            return f"it answered {error.status}"
        case _:
            return str(error) or type(error).__name__
