"""A parsed API request (`Call`) and an entry of the routing table (`Endpoint`).

The aiohttp handler (`serve`) and the OpenAPI document (`receiver.web.api.openapi`) are both made from the endpoints, so
the document matches the behaviour.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from receiver.settings import Role
from receiver.web.auth.access import Caller
from receiver.web.auth.sessions import Sessions
from receiver.web.http.download import Download
from receiver.web.http.problem_details import JSON, Handler, HttpProblem, invalid
from receiver.web.http.request_body import read_body
from receiver.web.http.uploads import Upload, receive

Said = TypeVar("Said", bound=BaseModel)

BODY_LIMIT = 1 << 20
"""Bytes of an API body."""

IDEMPOTENCY_LIMIT = 200
"""Characters of an Idempotency-Key."""


@dataclass(frozen=True, slots=True)
class Call(Generic[Said]):
    """One request."""

    caller: Caller
    said: Said
    """The body, or the query of a GET."""
    incident: str
    """The incident's name in the path: an id, 12 or #12; empty: the path has none."""
    idempotency_key: str
    part: str = ""
    """The second name in the path: a step, a notice …"""
    upload: Upload | None = None
    """The uploaded file."""

    def by(self, name: str) -> str:
        """The acting person: the given name, else the token's."""
        return name or self.caller.name

    def by_themselves(self, name: str) -> str:
        """The acting person, where it must be the caller's own name; only an admin may act for others.

        Raises HttpProblem 403.
        """
        if self.by(name) != self.caller.name and self.caller.role < Role.ADMIN:
            raise HttpProblem(403, f"this is done under one's own name: yours is {self.caller.name}")
        return self.by(name)


@dataclass(frozen=True, slots=True)
class Text:
    """A text response, not JSON: a document for people."""

    body: str
    content_type: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[Said]):
    """One operation of the API."""

    method: str
    path: str
    role: Role
    takes: type[Said]
    """The body, or the query of a GET."""
    gives: type[BaseModel]
    run: Callable[[Call[Said]], Awaitable[BaseModel | Text | Download]]
    status: int = 200
    also: tuple[str, ...] = ()
    """Further content types of the response."""
    takes_file: bool = False
    """The body is a form, with a file in the field `file`."""
    gives_file: bool = False
    """The response is a file."""


def serve(endpoint: Endpoint[Any], sessions: Sessions) -> Handler:
    """The aiohttp handler of an endpoint."""

    async def handle(request: web.Request) -> web.StreamResponse:
        caller = sessions.require(request, endpoint.role)
        if endpoint.takes_file:
            async with receive(request, lambda _: None) as (form, upload):
                return await answer(request, caller, read_form(form, endpoint.takes), upload)
        said = _query(request, endpoint.takes) if endpoint.method == "GET" else await _body(request, endpoint.takes)
        return await answer(request, caller, said)

    async def answer(
        request: web.Request, caller: Caller, said: BaseModel, upload: Upload | None = None
    ) -> web.StreamResponse:
        key = request.headers.get("Idempotency-Key", "")
        if len(key) > IDEMPOTENCY_LIMIT:
            raise HttpProblem(400, f"the Idempotency-Key has more than {IDEMPOTENCY_LIMIT} characters")
        incident = request.match_info.get("incident", "")
        view = await endpoint.run(Call(caller, said, incident, key, _part(request), upload))
        if isinstance(view, Download):
            return await view.send(request)
        if isinstance(view, Text):
            return web.Response(text=view.body, content_type=view.content_type, headers=view.headers)
        return web.Response(body=view.model_dump_json().encode(), status=endpoint.status, content_type=JSON)

    return handle


def read_form(form: Mapping[str, Any], model: type[Said]) -> Said:
    """Validates a form as an operation's body. Raises HttpProblem 400."""
    try:
        return model.model_validate(form, strict=False)  # form values are strings
    except ValidationError as error:
        raise invalid(error, "form") from None


def _part(request: web.Request) -> str:
    return next((value for name, value in request.match_info.items() if name != "incident"), "")


def _query(request: web.Request, model: type[Said]) -> Said:
    twice = next((name for name in request.query if len(request.query.getall(name)) > 1), None)
    if twice is not None:
        raise HttpProblem(400, f"the query says {twice[:40]!r} more than once")
    try:
        return model.model_validate({name: value for name, value in request.query.items() if value})
    except ValidationError as error:
        raise invalid(error, "query") from None


async def _body(request: web.Request, model: type[Said]) -> Said:
    """Parses the body; an empty one counts as ``{}``, since most actions need no fields. Raises HttpProblem 400."""
    body = await read_body(request, BODY_LIMIT)
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        raise invalid(error, "body") from None
