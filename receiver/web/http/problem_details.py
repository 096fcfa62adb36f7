"""Errors as responses: every refusal is `application/problem+json` (RFC 9457) with a text for people.

Handlers raise `HttpProblem`; the middleware turns it, aiohttp's own errors and unexpected exceptions into responses;
`add_headers` adds the common headers. Rules: never a redirect (Alertmanager follows one, loses the body, and takes the
200 for delivered); never a traceback or a payload in a response, never a payload in the log.
"""

import traceback
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from aiohttp import web
from multidict import CIMultiDict
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from receiver.errors import StoreDamaged, StoreUnavailable
from receiver.version import MARK

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

JSON = "application/json"
PROBLEM = "application/problem+json"

HEADERS: Mapping[str, str] = CIMultiDict(
    {
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",  # with no-referrer, browsers post our forms with "Origin: null"
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
        MARK: "v1",
        "Server": "Tocsin",  # a proxy replaces it; by default aiohttp names its version and Python's
    }
)
"""Headers of every response that does not set them itself."""

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""The Content-Security-Policy of pages: nothing inline, nothing from other hosts."""

NAME_LIMIT = 100
"""Characters of a field's name that are reported."""

MOST_FAULTS = 20
"""Faults of one body that are reported."""


class HttpProblem(Exception):  # noqa: N818 - RFC 9457 calls it that
    """A refused request; `members` are further members of the problem document."""

    def __init__(
        self,
        status: int,
        detail: str,
        members: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.members = members or {}
        self.headers = headers or {}
        self.hangs_up = False
        """Whether the connection is closed after the response, because the rest of its data cannot be parsed."""

    def answer(self) -> web.Response:
        """The problem as a response."""
        title = HTTPStatus(self.status).phrase
        document = {"type": "about:blank", "title": title, "status": self.status, "detail": self.detail, **self.members}
        response = web.Response(
            body=orjson.dumps(document), status=self.status, content_type=PROBLEM, headers=dict(self.headers)
        )
        if self.hangs_up:
            response.force_close()
        return response


UNAVAILABLE = HttpProblem(
    503, "the database is unavailable just now, so this may not have been done; look, and try again"
)
"""Without a reason: it names files and hosts, and belongs in the log."""

OVERLOADED = HttpProblem(503, "this machine lacks memory or files just now, so this may not have been done; try again")

STOPPING = HttpProblem(503, "Tocsin is stopping; nothing was stored, please try again")
STOPPING.hangs_up = True  # a retry reaches another replica, or waits for the next start


INSTANT = "write a time with its offset, such as 2026-12-24T12:00:00Z"

FAULTS: Mapping[str, str] = {
    "missing": "missing",
    "extra_forbidden": "not known here",
    "string_too_short": "shorter than {min_length} characters",
    "string_too_long": "longer than {max_length} characters",
    "too_long": "longer than {max_length}",
    "less_than_equal": "more than {le}",
    "greater_than_equal": "less than {ge}",
    "string_type": "no text",
    "int_parsing": "no whole number",
    "int_type": "no whole number",
    "bool_parsing": "neither true nor false",
    "bool_type": "neither true nor false",
    "literal_error": "none of {expected}",
    "enum": "none of {expected}",
    "list_type": "no list",
    "dict_type": "no object",
    "date_from_datetime_parsing": "no day: write 2026-12-24",
    "datetime_parsing": INSTANT,
    "datetime_from_date_parsing": INSTANT,
    "datetime_type": INSTANT,
    "datetime_object_invalid": INSTANT,
    "timezone_aware": INSTANT,
}
"""The validator's kind of fault → what is told of it."""

FORMS: Mapping[str, str] = {
    r"^[a-zA-Z_][a-zA-Z0-9_.-]{0,63}$": "a name of letters, digits, _, - and ., 64 at most",
    r"^(https?://[^\s<>\"]+)?$": "a link that begins with https:// or http://, without spaces",
    r"^[0-9a-f]{64}$": "a SHA-256 of 64 digits 0-9a-f, as it was shown with the text",
    r"^([0-9a-fA-F]{64})?$": "a SHA-256 of 64 digits 0-9a-f, as sha256sum prints it",
    r"^[\w.:/ -]{1,200}$": "a name of letters, digits, spaces and _.:/-, 200 at most",
    "^before-[0-9]{1,18}$": "a cursor: the `next` of the page before",
}
"""A pattern of the API's fields → what is wanted."""


def invalid(error: ValidationError, what: str) -> HttpProblem:
    """The problem of an invalid body or query: what is wrong where, without the input."""
    faults = [
        {
            "where": ".".join(str(part)[:NAME_LIMIT] for part in fault["loc"]),
            "what": _fault(fault),
        }
        for fault in error.errors(include_url=False, include_input=False)[:MOST_FAULTS]
    ]
    said = "; ".join(f"{fault['where'] or what}: {fault['what']}" for fault in faults[:3])
    return HttpProblem(400, f"the {what} is not what it should be: {said}", {"errors": faults})


def _fault(fault: ErrorDetails) -> str:
    """What is wrong with a field, in words for people."""
    context = fault.get("ctx", {})
    if fault["type"] == "string_pattern_mismatch" and context["pattern"] in FORMS:
        return f"not {FORMS[context['pattern']]}"
    if fault["type"] == "string_too_short" and context["min_length"] == 1:
        return "empty"
    if fault["type"] in FAULTS:
        return FAULTS[fault["type"]].format(**context)
    return fault["msg"].removeprefix("Value error, ")


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns exceptions of handlers into responses."""
    try:
        response = await handler(request)
    except HttpProblem as problem:
        response = problem.answer()
    except web.HTTPException as error:
        response = _of_aiohttp(request, error).answer()
    except (StoreUnavailable, StoreDamaged) as error:
        log.warning("request not served: the database is unavailable", path=request.path, reason=str(error))
        response = UNAVAILABLE.answer()
    except Exception as error:  # noqa: BLE001 - logged once, here; the response reveals no internals
        if isinstance(error, ConnectionError) and request.transport is None:
            return web.Response(status=400)  # no client is left to read it; raised, aiohttp would log an error
        if isinstance(error, OSError | MemoryError):
            log.warning("request not served", path=request.path[:200], reason=type(error).__name__)
            return OVERLOADED.answer()
        response = _unexpected(request, error).answer()
    return response


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Adds the common headers to a response, before its first byte."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


def _of_aiohttp(request: web.Request, error: web.HTTPException) -> HttpProblem:
    """The problem for an error of aiohttp: 404, 405, 413 …; never a redirect."""
    match error:
        case web.HTTPNotFound():
            if request.method == "POST":
                log.warning("posted to a path that does not exist: is a webhook's URL wrong?", path=request.path[:200])
            return HttpProblem(
                404, "there is nothing here; the webhook is at /webhook/alertmanager, the API at /api/v1"
            )
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return HttpProblem(405, f"{request.method} is not for this path; {allowed} is", headers={"Allow": allowed})
        case _:
            return HttpProblem(error.status if error.status >= 400 else 500, error.reason)


def _unexpected(request: web.Request, error: Exception) -> HttpProblem:
    """Logs the traceback without the exception's text, which may quote a payload."""
    where = "".join(traceback.format_tb(error.__traceback__))
    log.error("request failed unexpectedly", path=request.path[:200], error=type(error).__name__, where=where)
    return HttpProblem(500, "something went wrong inside; the log says what")
