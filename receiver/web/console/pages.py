"""The frame of every page: templates, style, script, the caller, and errors as pages.

Page modules provide a template's name and its values. Rules: Jinja escapes everything; nothing inline (PAGE_POLICY);
style and script have their hash in the name, so browsers cache them for good.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from hashlib import sha256
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from receiver.core.model import Instant
from receiver.errors import StoreDamaged, StoreUnavailable
from receiver.messages.incident_text import IncidentText
from receiver.messages.plain import line, plain
from receiver.messages.times import day_and_time, from_until, rfc3339
from receiver.on_call.override_log import OverrideChange
from receiver.on_call.shift import Gap, Shift
from receiver.settings import Role
from receiver.web.auth.access import SAFE_METHODS, Caller
from receiver.web.auth.sessions import OIDC_PATH, Sessions, allow, safe_path
from receiver.web.console.duration_text import off, span, stamp
from receiver.web.console.unsent import Unsent, unsent_of
from receiver.web.http.problem_details import PAGE_POLICY, UNAVAILABLE, Handler, HttpProblem
from receiver.web.http.request_body import FORM_LIMIT, parse_form, read_body, read_strangers_body
from receiver.web.http.uploads import Upload, is_upload, receive
from rules.time_zones import time_zone

FOR_GOOD = "public, max-age=31536000, immutable"

KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "png": "image/png"}

Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a person for a page."""

    request: web.Request
    caller: Caller
    now: Instant
    form: Form
    """The posted form; empty for a GET."""
    upload: Upload | None = None
    """The uploaded file."""


PageHandler = Callable[[Visit], Awaitable[web.StreamResponse]]


class Frame:
    """Renders pages."""

    def __init__(self, sessions: Sessions, clock: Callable[[], Instant]) -> None:
        self._sessions = sessions
        self._clock = clock

    def handler(
        self,
        role: Role,
        handle: PageHandler,
        *,
        takes_file: bool = False,
        who: Callable[[web.Request], Caller | None] | None = None,
    ) -> Handler:
        """The aiohttp handler of a page: identifies the caller, checks a form's CSRF token, shows problems as pages.

        `takes_file`: its form may have a file; `who`: identifies the caller where neither session nor token does.
        """
        find_caller = who or self._sessions.caller

        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                caller = find_caller(request)
                if caller is None:
                    return await self._ask_who(request)
                allow(caller, role)
                if takes_file and is_upload(request):
                    async with receive(request, partial(self._sessions.check_csrf, request)) as (form, upload):
                        return await handle(Visit(request, caller, self._clock(), form, upload))
                form = await self._form(request)
                return await handle(Visit(request, caller, self._clock(), form))
            except HttpProblem as problem:
                return self._problem(request, problem)
            except (StoreUnavailable, StoreDamaged):
                return self._problem(request, UNAVAILABLE)

        return answer

    async def _ask_who(self, request: web.Request) -> web.Response:
        """Sends browsers to the login, which carries their posted form; raises HttpProblem 401 for programs."""
        if not _is_browser(request):
            self._sessions.require(request, Role.VIEWER)
        if request.method in SAFE_METHODS or is_upload(request):
            return self._sessions.to_login(request)
        unsent = unsent_of(request.path_qs, parse_form(await read_strangers_body(request)))
        return draw_login(self._sessions, self._clock(), "/", "Your session has ended.", 401, unsent)

    async def _form(self, request: web.Request) -> Form:
        if request.method in SAFE_METHODS:
            return {}
        form = parse_form(await read_body(request, FORM_LIMIT))
        self._sessions.check_csrf(request, form)
        return {name: value.replace("\r\n", "\n") for name, value in form.items()}

    def page(self, visit: Visit, template: str, status: int = 200, **values: Any) -> web.Response:
        """A page. Every template gets `caller`, `may_act`, `csrf`, `now`, `path`."""
        text = (
            _environment()
            .get_template(template)
            .render(
                caller=visit.caller,
                may_act=visit.caller.role >= Role.RESPONDER,
                csrf=self._sessions.csrf(visit.request),
                now=visit.now,
                path=visit.request.path,
                **values,
            )
        )
        return _html(text, status)

    def _problem(self, request: web.Request, problem: HttpProblem) -> web.Response:
        """The problem as a page for browsers; else raises it."""
        if not _is_browser(request):
            raise problem
        answer = draw("problem.html", self._clock(), problem.status, detail=problem.detail)
        answer.headers.extend(problem.headers)
        return answer


def draw(template: str, now: Instant, status: int = 200, **values: Any) -> web.Response:
    """A page without a login. Every template gets `status`, `now`."""
    rendered = _environment().get_template(template).render(status=status, now=now, caller=None, path="", **values)
    return _html(rendered, status)


def draw_login(
    sessions: Sessions, now: Instant, following: str, problem: str, status: int, unsent: Unsent | None = None
) -> web.Response:
    """The login page with an error text. `following`: path to continue at; `unsent`: form to send after the login."""
    following = safe_path(following)
    elsewhere = f"{OIDC_PATH}?{urlencode({'next': following})}" if sessions.offers_oidc else ""
    return draw("login.html", now, status, following=following, problem=problem, elsewhere=elsewhere, unsent=unsent)


def go_to(path: str) -> web.Response:
    """Redirects after a POST."""
    return web.Response(status=303, headers={"Location": path})


async def serve_static(request: web.Request) -> web.Response:
    """Serves a style or script by its name with hash."""
    found = dict(_static().values()).get(request.match_info["name"])
    if found is None:
        raise web.HTTPNotFound
    kind = KINDS[request.match_info["name"].rpartition(".")[2]]
    charset = "utf-8" if kind.startswith("text/") else None
    return web.Response(body=found, content_type=kind, charset=charset, headers={"Cache-Control": FOR_GOOD})


def static_file(name: str) -> bytes:
    """The content of a file of ``templates/static``."""
    return _static()[name][1]


def static_name(name: str) -> str:
    """The file's name below ``/static/``, with its hash."""
    return _static()[name][0]


def _is_browser(request: web.Request) -> bool:
    return "text/html" in request.headers.get("Accept", "")


def _html(text: str, status: int) -> web.Response:
    return web.Response(
        text=text, status=status, content_type="text/html", headers={"Content-Security-Policy": PAGE_POLICY}
    )


def _timed(text: str, case: IncidentText) -> Markup:
    """The text, HTML-escaped, with times marked up; the script shows them in the viewer's zone."""
    told = {str(escape(words)): rfc3339(at) for words, at in case.instants.items()}
    if not told:
        return escape(text)
    any_of_them = "|".join(re.escape(words) for words in sorted(told, key=len, reverse=True))
    marked = re.sub(
        any_of_them, lambda found: f'<time datetime="{told[found[0]]}">{found[0]}</time>', str(escape(text))
    )
    return Markup(marked)  # noqa: S704 - every part is escaped above


def _wall(at: int, zone: str) -> str:
    return day_and_time(at, time_zone(zone))


def _from_until(shift: Shift | Gap | OverrideChange, zone: str, looked_at: tuple[int, int] | None = None) -> str:
    """`looked_at`: the window in which shifts were expanded; a start or end beyond it is unknown."""
    first, last = looked_at or (shift.starts - 1, shift.ends + 1)
    match shift.starts > first, shift.ends < last:
        case True, True:
            return from_until(shift.starts, shift.ends, time_zone(zone))
        case True, False:
            return f"from {_wall(shift.starts, zone)} on, no end before {_wall(last, zone)}"
        case False, True:
            return f"until {_wall(shift.ends, zone)}"
        case _:
            return f"all the time, no end before {_wall(last, zone)}"


@cache
def _static() -> Mapping[str, tuple[str, bytes]]:
    """File name → (name with hash, content)."""
    found = {}
    for file in (files("templates") / "static").iterdir():
        stem, _, ending = file.name.rpartition(".")
        content = file.read_bytes()
        found[file.name] = f"{stem}.{sha256(content).hexdigest()[:12]}.{ending}", content
    return found


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("templates", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "iso": rfc3339,
        "stamp": stamp,
        "span": span,
        "off": off,
        "line": line,
        "plain": plain,
        "timed": _timed,
    }
    environment.filters |= {"wall": _wall, "from_until": _from_until, "segment": lambda name: quote(name, safe="")}
    environment.globals["static"] = lambda name: f"/static/{static_name(name)}"
    return environment
