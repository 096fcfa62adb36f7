"""`/login` and `/logout`: a form where a person says who they are, by name and password or by an API token.

The page is plain on purpose; the console may draw it otherwise, as long as the fields `name`, `password` and
`next` stay. Rules: what was wrong is not said; the browser's Origin header (and the cookie's SameSite) keep
another site from logging somebody in or out.
"""

from contextlib import suppress
from html import escape
from urllib.parse import urlencode

import structlog
from aiohttp import web

from receiver.audit import Origin, audit_of
from receiver.desk import Desk
from receiver.errors import StoreUnavailable
from receiver.settings import Role, Settings
from receiver.web.access import refuse_other_sites
from receiver.web.body import read_body
from receiver.web.forms import parse_form
from receiver.web.passwords import Failures, Passwords
from receiver.web.problems import PAGE_POLICY, Handler, Problem
from receiver.web.sessions import OIDC_PATH, Sessions, safe_path

log = structlog.get_logger()


class Login:
    """The way in and out."""

    def __init__(self, sessions: Sessions, settings: Settings, failures: Failures, desk: Desk) -> None:
        self._sessions = sessions
        self._passwords = Passwords(settings.users)
        self._failures = failures
        self._desk = desk
        self._offers_oidc = settings.oidc_issuer is not None

    def routes(self) -> tuple[tuple[str, str, Handler], ...]:
        """Method, path, handler."""
        return (("GET", "/login", self.show), ("POST", "/login", self.enter), ("POST", "/logout", self.leave))

    async def show(self, request: web.Request) -> web.Response:
        """The form."""
        return self.page(request.query.get("next", "/"))

    async def enter(self, request: web.Request) -> web.Response:
        """Begin a session: name and password of a user, or an API token as the password."""
        refuse_other_sites(request, self._sessions.access.external)
        form = parse_form(await read_body(request))
        name, password = form.get("name", "").strip(), form.get("password", "")
        address = self._sessions.access.address(request)
        if self._failures.too_many(address, name):
            raise Problem(429, "too many failed logins; try again in ten minutes", headers={"Retry-After": "600"})
        self._failures.note(address, name)
        found = await self._identify(name, password)
        if found is None:
            log.warning("login failed", address=address)
            return self.page(form.get("next", "/"), "This name and password do not belong together.", 401)
        self._failures.note(address, name, -1)
        response = web.Response(status=303, headers={"Location": safe_path(form.get("next", "/"))})
        self._sessions.begin(response, *found)
        log.info("logged in", name=found[1], address=address)
        entry = audit_of(Origin(found[1], "console", address), self._desk.clock(), "login", data={"by": found[0]})
        await self._desk.run(self._desk.engine.audit, [entry])
        return response

    async def leave(self, request: web.Request) -> web.Response:
        """End the session."""
        refuse_other_sites(request, self._sessions.access.external)
        response = web.Response(status=303, headers={"Location": "/login"})
        self._sessions.end(response)
        caller = self._sessions.by_cookie(request)
        if caller is not None:
            with suppress(StoreUnavailable):  # whoever wants to leave is not kept
                await self._desk.run(self._desk.engine.audit, [audit_of(caller.origin, self._desk.clock(), "logout")])
        return response

    async def _identify(self, name: str, password: str) -> tuple[str, str, Role] | None:
        """(kind, name, role) of whom the form names."""
        holder = self._sessions.access.by_token(password)
        if holder is not None and name in {"", holder.name}:
            return "token", holder.name, holder.role
        user = await self._passwords.user(name, password)
        return ("user", user.name, user.role) if user else None

    def page(self, following: str, problem: str = "", status: int = 200) -> web.Response:
        """The form, with what went wrong the last time."""
        following = safe_path(following)
        elsewhere = f"{OIDC_PATH}?{urlencode({'next': following})}" if self._offers_oidc else ""
        return _page(following, problem, status, elsewhere)


def _page(following: str, problem: str, status: int, elsewhere: str) -> web.Response:
    """`elsewhere`: where people log in with the organisation's account; empty where they cannot."""
    said = f'<p role="alert">{escape(problem)}</p>' if problem else ""
    link = f'<p><a href="{escape(elsewhere)}">Log in with your organisation</a></p>' if elsewhere else ""
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Tocsin: log in</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"></head><body><main><h1>Log in</h1>'
        f'{said}{link}<form method="post" action="/login"><input type="hidden" name="next" value="{escape(following)}">'
        '<p><label>Name <input name="name" autocomplete="username" autofocus></label></p>'
        '<p><label>Password, or API token <input name="password" type="password" autocomplete="current-password" '
        "required></label></p><p><button>Log in</button></p></form></main></body></html>"
    )
    return web.Response(
        text=text, status=status, content_type="text/html", headers={"Content-Security-Policy": PAGE_POLICY}
    )
