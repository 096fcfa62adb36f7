"""Identifies callers by API token or by the session cookie set at `/login`, and protects forms against CSRF.

The API and every page use it. A page does this:

    caller = sessions.caller(request)            # None: answer with sessions.to_login(request)
    ...{"csrf": sessions.csrf(request)}...       # into every form: <input type="hidden" name="csrf" value="{{ csrf }}">
    sessions.check_csrf(request, form)           # before using a posted form; raises HttpProblem 403

Rules: a session is a signed cookie with a person's name and the credential's kind. The role is looked up at each
request, so a person removed from the settings loses access at once; only after OpenID Connect the cookie has the role.
A logout is recorded in the audit log with the session's id, where every replica finds it (`Sessions.know_ended`); the
cookie is invalid from then on. A change by cookie needs a CSRF token: the form's `csrf`, or for scripts the header
X-CSRF-Token.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from secrets import token_hex
from typing import Any
from urllib.parse import quote, urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from receiver.errors import StoreUnavailable
from receiver.settings import Role, Settings
from receiver.web.auth.access import CHALLENGE, SAFE_METHODS, Access, Caller
from receiver.web.auth.signing import Signing
from receiver.web.http.connections import know
from receiver.web.http.problem_details import Handler, HttpProblem
from rules.policy import HOUR, SECOND

LASTS = 12 * HOUR
"""Lifetime of a session: a shift."""

REMEMBERED = 90 * 24 * HOUR
"""How long a browser with a login is recognised, for `Failures`."""

COOKIE, SECURE_COOKIE, SECURE_COOKIE_BELOW = "tocsin", "__Host-tocsin", "__Secure-tocsin"
"""Names of the session cookie. Browsers refuse `__Host-` cookies from another host or without TLS; with a path in the
external URL only `__Secure-` is possible, which is refused without TLS.
"""

OIDC_PATH = "/login/oidc"
"""Path where a login at the identity provider begins."""

ENDED = web.RequestKey("ended", bool)
"""Whether a logout ended the request's session; missing: the database is unavailable."""

CSRF_FIELD = "csrf"
CSRF_HEADER = "X-CSRF-Token"


class Sessions:
    """Identifies callers by token or by cookie."""

    def __init__(self, settings: Settings, signing: Signing) -> None:
        self.access = Access(settings)
        self._tokens = {token.name: token for token in settings.api_tokens}
        self._users = {user.name: user for user in settings.users}
        self._signing = signing
        self._is_secure = settings.tls_cert_file is not None or (settings.external_url or "").startswith("https://")
        self._path = settings.path or "/"
        secure = SECURE_COOKIE_BELOW if settings.path else SECURE_COOKIE
        self._cookie = secure if self._is_secure else COOKIE
        self.login_cookie = f"{self._cookie}-login"
        """The cookie of a login in progress at the identity provider."""
        self._browser_cookie = f"{self._cookie}-browser"
        self.offers_oidc = settings.oidc_issuer is not None
        """Whether logins at an identity provider are configured."""
        self._oidc = f"{settings.oidc_issuer}\0{settings.oidc_client_id}\0{settings.oidc_roles}"

    def caller(self, request: web.Request) -> Caller | None:
        """The caller by API token (Bearer, Basic), by session, or "local" where no token is configured.

        None: the request has no valid credential. Raises HttpProblem: 401 for a wrong token, 403 for another site's
        page.
        """
        caller = self.access.caller(request) or self.by_cookie(request)
        if caller is not None:
            know(request)
        return caller

    def require(self, request: web.Request, role: Role) -> Caller:
        """The caller, with at least `role`; for the API. Raises HttpProblem: 401 unknown, 403 not allowed."""
        by_token = self.access.caller(request)
        caller = by_token or self.by_cookie(request)
        if caller is None:
            raise HttpProblem(401, "an API token is needed: Authorization: Bearer TOKEN", headers=CHALLENGE)
        know(request)
        if by_token is None and request.method not in SAFE_METHODS:
            self._check(request, request.headers.get(CSRF_HEADER, ""))
        allow(caller, role)
        return caller

    def csrf(self, request: web.Request) -> str:
        """The CSRF token for the form field `csrf`: bound to this caller."""
        return self._signing.seal("csrf", self._marks(request))

    def check_csrf(self, request: web.Request, form: Mapping[str, Any]) -> None:
        """Checks a form's CSRF token. Raises HttpProblem 403."""
        self._check(request, str(form.get(CSRF_FIELD, "")))

    def to_login(self, request: web.Request) -> web.Response:
        """Redirects to the login, which returns to this request's path."""
        there = quote(request.path_qs if request.method in SAFE_METHODS else "/", safe="")
        return web.Response(status=303, headers={"Location": f"/login?next={there}"})

    def begin(self, response: web.StreamResponse, kind: str, name: str, role: Role) -> str:
        """Sets a session cookie. `kind`: token, user or oidc. Returns the session's CSRF token for forms."""
        values = {"kind": kind, "name": name, "role": int(role), "stamp": self._stamp(kind, name), "id": token_hex(8)}
        session = self._signing.sign("session", values, LASTS)
        self.set_cookie(response, self._cookie, session, LASTS // SECOND)
        return self._signing.seal("csrf", session)

    def know_ended(self, is_noted: Callable[[str], Awaitable[bool]]) -> Middleware:
        """Middleware that looks up whether the session has ended. `is_noted`: whether the audit log has a reference.

        It looks up only cookies with a valid signature, so unauthenticated requests cause no database reads.
        """

        @web.middleware
        async def look(request: web.Request, handler: Handler) -> web.StreamResponse:
            reference = self.reference(request)
            if reference:
                with suppress(StoreUnavailable):
                    request[ENDED] = await is_noted(reference)
            return await handler(request)

        return look

    def reference(self, request: web.Request) -> str:
        """The audit log's reference for the end of the request's session; empty: there is no session."""
        values = self._signing.read("session", self._value(request))
        return f"logout {values['id']}" if values else ""

    def end(self, response: web.StreamResponse) -> None:
        """Removes the session's cookie."""
        self.set_cookie(response, self._cookie, "", 0)

    def remember_browser(self, response: web.StreamResponse, name: str) -> None:
        """Marks the browser as one where `name` has logged in: other clients' failures are not counted for it."""
        value = self._signing.sign("browser", {"name": name, "id": token_hex(8)}, REMEMBERED)
        self.set_cookie(response, self._browser_cookie, value, REMEMBERED // SECOND)

    def browser(self, request: web.Request, name: str) -> str:
        """The browser's id if `name` has logged in there before; else empty."""
        values = self._signing.read("browser", request.cookies.get(self._browser_cookie, "")) or {}
        return str(values["id"]) if values and values.get("name") == name else ""

    def set_cookie(self, response: web.StreamResponse, name: str, value: str, seconds: int) -> None:
        """Sets a cookie, hidden from scripts and not sent with other sites' posts; 0 seconds remove it."""
        response.set_cookie(
            name, value, max_age=seconds, path=self._path, httponly=True, samesite="Lax", secure=self._is_secure
        )

    def by_cookie(self, request: web.Request) -> Caller | None:
        """The caller by session; None: there is no valid session.

        Raises StoreUnavailable if the database cannot tell whether the session has ended.
        """
        values = self._signing.read("session", self._value(request))
        if values is None:
            return None
        ended = request.get(ENDED)
        if ended is None:
            raise StoreUnavailable("whether the session has ended cannot be looked up")
        if ended:
            return None
        kind, name = str(values["kind"]), str(values["name"])
        stamp, role = self._stamp(kind, name), self._role(kind, name, Role(values["role"]))
        if role is None or stamp != values["stamp"]:
            return None
        return replace(Caller(name, role, "console"), address=self.access.address(request))

    def _value(self, request: web.Request) -> str:
        return request.cookies.get(self._cookie, "")

    def _role(self, kind: str, name: str, given: Role) -> Role | None:
        """The person's current role; None: the credential was removed."""
        match kind:
            case "token":
                return self._tokens[name].role if name in self._tokens else None
            case "user":
                return self._users[name].role if name in self._users else None
            case "oidc":
                return given
            case _:
                return None

    def _stamp(self, kind: str, name: str) -> str:
        """A fingerprint that changes with the credential, and does not reveal it."""
        token, user = self._tokens.get(name), self._users.get(name)
        if kind == "token" and token:
            return self._signing.seal("stamp", token.token.get_secret_value())
        if kind == "user" and user:
            return self._signing.seal("stamp", user.password_hash.get_secret_value())
        if kind == "oidc":  # another provider or other groups: all users must log in again
            return self._signing.seal("stamp", self._oidc)
        return ""

    def _marks(self, request: web.Request) -> str:
        """What CSRF tokens are bound to: the session, else the caller's name."""
        if self.by_cookie(request) is not None:
            return self._value(request)
        caller = self.caller(request)
        return caller.name if caller else ""

    def _check(self, request: web.Request, mark: str) -> None:
        if not self._signing.is_sealed("csrf", self._marks(request), mark):
            raise HttpProblem(403, "this form is not from a page of this session; load the page again")


def allow(caller: Caller, role: Role) -> None:
    """Raises HttpProblem 403 if the caller's role is below `role`."""
    if caller.role < role:
        raise HttpProblem(403, f"{caller.name} is {_with_article(caller.role)}; this needs {_with_article(role)}")


def _with_article(role: Role) -> str:
    name = role.name.lower()
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def safe_path(path: str) -> str:
    """The path to continue at after the login: a local path, never another site."""
    parts = urlsplit(path)
    ours = path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.netloc and path.isprintable()
    return path if ours else "/"
