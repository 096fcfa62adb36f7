"""Serves Tocsin below a path of TOCSIN_EXTERNAL_URL (https://example.com/tocsin).

`make_app` adds the middleware where the URL has a path. Rules: handlers and templates write paths from the root. A
request below the path is served as if it were at the root, so a proxy may strip the path or keep it, and direct
requests (probes, Alertmanager, Prometheus) need no path. The path is added in one place to Location headers and to
attributes of pages; escaped text has no quotes, so only attributes match.
"""

import re

from aiohttp import web
from aiohttp.typedefs import Middleware
from yarl import URL

from receiver.errors import SettingsError
from receiver.web.http.problem_details import Handler

_LINK = re.compile(rb'(\s(?:href|action|src|data-page)=")(?=/(?!/))')


def below(path: str) -> Middleware:
    """The innermost middleware: routes a request below `path` again without it. `path` begins with a slash."""
    mark = path.encode()

    @web.middleware
    async def serve(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.rel_url.raw_path == path or request.rel_url.raw_path.startswith(f"{path}/"):
            inner = await _without(path, request)
            try:
                response = await inner.match_info.handler(inner)
            finally:
                request.update(inner)  # outer middlewares read what was stored on it
        else:
            response = await handler(request)
        location = response.headers.get("Location", "")
        if location.startswith("/"):
            response.headers["Location"] = path + location
        if isinstance(response, web.Response) and response.content_type == "text/html":
            assert isinstance(response.body, bytes), "pages are drawn whole"
            response.body = _LINK.sub(rb"\1" + mark, response.body)
        return response

    return serve


def require_apart(path: str, app: web.Application) -> None:
    """Raises SettingsError if one of Tocsin's own paths lies below `path`: direct requests to it would fail."""
    own = next((each for each in _paths(app) if f"{each}/".startswith(f"{path}/")), "")
    if own:
        raise SettingsError(
            f"TOCSIN_EXTERNAL_URL: its path {path} is one of Tocsin's own ({own})", "choose another, such as /tocsin"
        )


def _paths(app: web.Application) -> list[str]:
    return sorted(each.canonical for each in app.router.resources())


async def _without(path: str, request: web.Request) -> web.Request:
    """A copy of the request with the path removed, routed again."""
    target = request.rel_url.raw_path.removeprefix(path) or "/"
    query = request.rel_url.raw_query_string
    inner = request.clone(rel_url=URL(f"{target}?{query}" if query else target, encoded=True))
    match = await request.app.router.resolve(inner)
    match.add_app(request.app)
    inner._match_info = match  # noqa: SLF001 - aiohttp has no public way to route a request anew
    return inner
