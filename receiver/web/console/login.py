"""`/login` and `/logout`: a form for name and password, or an API token.

Rules: an error does not tell what was wrong; the browser's Origin header and the cookie's SameSite keep other sites
from logging a person in or out.
"""

from collections.abc import Callable
from dataclasses import replace

import structlog
from aiohttp import web

from receiver.core.audit_log import Origin, audit_of
from receiver.core.model import Instant
from receiver.core.urgency import PEOPLE
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.settings import Role, Settings
from receiver.web.auth.access import refuse_other_sites
from receiver.web.auth.passwords import Failures, Passwords
from receiver.web.auth.sessions import Sessions, safe_path
from receiver.web.console.pages import draw, draw_login, go_to
from receiver.web.console.unsent import carried_by
from receiver.web.http.problem_details import Handler, HttpProblem
from receiver.web.http.request_body import parse_form, read_strangers_body

log = structlog.get_logger()


class Login:
    """Handlers of login and logout."""

    def __init__(
        self,
        sessions: Sessions,
        settings: Settings,
        failures: Failures,
        queue: CommandQueue,
        engine: Engine,
        clock: Callable[[], Instant],
    ) -> None:
        self._sessions = sessions
        self._passwords = Passwords(settings.users)
        self._failures = failures
        self._queue = queue
        self._engine = engine
        self._clock = clock

    def routes(self) -> tuple[tuple[str, str, Handler], ...]:
        """Method, path, handler."""
        return (("GET", "/login", self.show), ("POST", "/login", self.enter), ("POST", "/logout", self.leave))

    async def show(self, request: web.Request) -> web.Response:
        """Shows the form."""
        return self.page(request.query.get("next", "/"))

    async def enter(self, request: web.Request) -> web.Response:
        """Begins a session: a user's name and password, or an API token as the password."""
        refuse_other_sites(request, self._sessions.access.external)
        form = parse_form(await read_strangers_body(request))
        unsent = carried_by(form)
        name, password = form.get("name", "").strip(), form.get("password", "")
        address, browser = self._sessions.access.address(request), self._sessions.browser(request, name)
        if self._failures.too_many(address, name, browser):
            raise HttpProblem(429, "too many failed logins; try again in ten minutes", headers={"Retry-After": "600"})
        self._failures.note(address, name, 1, browser)
        found = await self._identify(name, password)
        if found is None:
            log.warning("login failed", address=address)
            wrong = "This name and password do not belong together."
            return draw_login(self._sessions, self._clock(), form.get("next", "/"), wrong, 401, unsent)
        self._failures.note(address, name, -1, browser)
        response = go_to(safe_path(form.get("next", "/")))
        csrf = self._sessions.begin(response, *found)
        if unsent:
            cookies, response = response.cookies, draw("unsent.html", self._clock(), unsent=unsent, csrf=csrf)
            response.cookies.update(cookies)
        self._sessions.remember_browser(response, name)
        log.info("logged in", name=found[1], address=address)
        entry = audit_of(Origin(found[1], "console", address), self._clock(), "login", data={"by": found[0]})
        await self._queue.run(self._engine.audit, [entry], urgency=PEOPLE)
        return response

    async def leave(self, request: web.Request) -> web.Response:
        """Ends the session, in this browser and on the server. Raises StoreUnavailable: then it has not ended."""
        refuse_other_sites(request, self._sessions.access.external)
        caller = self._sessions.by_cookie(request)
        if caller is not None:
            origin = replace(caller.origin, reference=self._sessions.reference(request))
            await self._queue.run(self._engine.audit, [audit_of(origin, self._clock(), "logout")], urgency=PEOPLE)
        response = web.Response(status=303, headers={"Location": "/login"})
        self._sessions.end(response)
        return response

    async def _identify(self, name: str, password: str) -> tuple[str, str, Role] | None:
        """(kind, name, role) of the form's credential; None: invalid."""
        holder = self._sessions.access.by_token(password)
        if holder is not None and name in {"", holder.name}:
            return "token", holder.name, holder.role
        user = await self._passwords.user(name, password)
        return ("user", user.name, user.role) if user else None

    def page(self, following: str, problem: str = "", status: int = 200) -> web.Response:
        """The form, with the last error."""
        return draw_login(self._sessions, self._clock(), following, problem, status)
