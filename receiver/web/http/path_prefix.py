"""A path in TOCSIN_EXTERNAL_URL (https://example.com/tocsin): everything is served, and linked to, below it.

`make_app` adds the middleware where the URL has a path. Rules: handlers and templates know nothing of it and write
paths from the root; what comes in below the path is served as if it were not there, so a proxy may take it away or
leave it, and what asks this machine directly (probes, Alertmanager, Prometheus) needs no path; what goes out to
browsers has it, in one place: Location headers and the attributes of pages. Escaped text has no quotes, so only
attributes match.
"""

import re

from aiohttp import web
from aiohttp.typedefs import Middleware
from yarl import URL

from receiver.errors import SettingsError
from receiver.web.http.problem_details import Handler

_LINK = re.compile(rb'(\s(?:href|action|src|data-page)=")(?=/(?!/))')


def below(path: str) -> Middleware:
    """The innermost middleware: it finds the handler anew where the path was left in. `path` begins with a slash."""
    mark = path.encode()

    @web.middleware
    async def serve(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.rel_url.raw_path == path or request.rel_url.raw_path.startswith(f"{path}/"):
            inner = await _without(path, request)
            try:
                response = await inner.match_info.handler(inner)
            finally:
                request.update(inner)  # what was kept with it is looked for by the middlewares around
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
    """Raises SettingsError where one of our own paths lies below `path`: who asks directly would not find it."""
    own = next((each for each in _paths(app) if f"{each}/".startswith(f"{path}/")), "")
    if own:
        raise SettingsError(
            f"TOCSIN_EXTERNAL_URL: its path {path} is one of Tocsin's own ({own})", "choose another, such as /tocsin"
        )


def _paths(app: web.Application) -> list[str]:
    return sorted(each.canonical for each in app.router.resources())


async def _without(path: str, request: web.Request) -> web.Request:
    """The same request, for the place below the path."""
    target = request.rel_url.raw_path.removeprefix(path) or "/"
    query = request.rel_url.raw_query_string
    inner = request.clone(rel_url=URL(f"{target}?{query}" if query else target, encoded=True))
    match = await request.app.router.resolve(inner)
    match.add_app(request.app)
    inner._match_info = match  # noqa: SLF001 - aiohttp has no public way to route a request anew
    return inner
