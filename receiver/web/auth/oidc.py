"""`/login/oidc`: logs people in at the organisation's identity provider and gives them a role.

`receiver.web.console.login` offers it where TOCSIN_OIDC_ISSUER is set; it needs the extra `oidc`. Rules: a login is
bound to the browser that began it, by a signed cookie that lasts ten minutes and is used once; groups give the role,
and a person in none of the configured groups has no access; if the provider fails, the other ways to log in still work.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Any, TypeVar

import structlog
from aiohttp import web

from receiver.clients.egress import Egress
from receiver.core.audit_log import Origin, audit_of
from receiver.core.model import Instant
from receiver.core.urgency import PEOPLE
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.errors import CannotError
from receiver.messages.plain import line
from receiver.settings import Role, Settings
from receiver.web.auth.provider import (
    Attempt,
    Provider,
    ProviderRefusedError,
    ProviderSilentError,
    Registration,
    texts,
)
from receiver.web.auth.sessions import OIDC_PATH, Sessions, safe_path
from receiver.web.auth.signing import Signing
from receiver.web.http.problem_details import Handler
from rules.policy import MINUTE, SECOND

RETURN_PATH = f"{OIDC_PATH}/return"
"""Path of the redirect URI that is registered at the provider, after the external URL."""

WITHIN = 10 * MINUTE
"""Time limit of a login at the provider, in microseconds."""

LONGEST_WAY_BACK = 500
"""Characters of the path to continue at."""

_ERROR = re.compile(r"[a-z_]{1,40}")

Answer = TypeVar("Answer")

Show = Callable[[str, str, int], web.Response]
"""The login page: path to continue at, error text, status."""

log = structlog.get_logger()


class NotLetInError(CannotError):
    """A failed login, with a text for the person."""

    def __init__(self, words: str, status: int = 403) -> None:
        """`status`: of the response."""
        super().__init__(words)
        self.status = status


class Oidc:
    """Handlers of /login/oidc."""

    def __init__(
        self,
        settings: Settings,
        signing: Signing,
        sessions: Sessions,
        queue: CommandQueue,
        engine: Engine,
        clock: Callable[[], Instant],
        show: Show,
    ) -> None:
        self._settings = settings
        self._signing = signing
        self._sessions = sessions
        self._queue = queue
        self._engine = engine
        self._clock = clock
        self._show = show
        self._provider = Provider(_registration(settings), Egress.of(settings))

    def routes(self) -> tuple[tuple[str, str, Handler], ...]:
        """Method, path, handler."""
        return (("GET", OIDC_PATH, self.leave), ("GET", RETURN_PATH, self.come_back))

    async def close(self, _app: web.Application) -> None:
        """For `app.on_cleanup`: closes the connections to the provider."""
        await self._provider.close()

    async def leave(self, request: web.Request) -> web.Response:
        """Redirects the person to the provider."""
        following = safe_path(request.query.get("next", "/"))[:LONGEST_WAY_BACK]
        attempt = Attempt(token_urlsafe(24), token_urlsafe(24), token_urlsafe(48))
        try:
            url = await self._asked(self._provider.login_url(attempt, self._clock()))
        except NotLetInError as error:
            return self._refuse(request, error, following)
        response = web.Response(status=303, headers={"Location": url})
        values = {"state": attempt.state, "nonce": attempt.nonce, "verifier": attempt.verifier, "next": following}
        self._sessions.set_cookie(response, self._sessions.login_cookie, self._sign(values), WITHIN // SECOND)
        return response

    async def come_back(self, request: web.Request) -> web.Response:
        """Begins a session for a person whom the provider sent back."""
        begun = self._signing.read("oidc", request.cookies.get(self._sessions.login_cookie, "")) or {}
        following = safe_path(str(begun.get("next", "/")))
        try:
            claims = await self._claims(request, begun)
            role = self._role(claims)
        except NotLetInError as error:
            response = self._refuse(request, error, following)
        else:
            response = await self._begin(request, claims, role, following)
        self._sessions.set_cookie(response, self._sessions.login_cookie, "", 0)
        return response

    def _sign(self, values: Mapping[str, str]) -> str:
        return self._signing.sign("oidc", values, WITHIN)

    async def _claims(self, request: web.Request, begun: Mapping[str, Any]) -> Mapping[str, Any]:
        """The person's claims, after checking that this browser began the login. Raises NotLetInError."""
        query = request.query
        given = query.get("state", "").encode("utf-8", "surrogatepass")
        if not begun or not compare_digest(str(begun["state"]).encode(), given):
            raise NotLetInError("This login was not begun in this browser, or too long ago. Begin again.", 400)
        if "iss" in query and query["iss"].rstrip("/") != self._settings.oidc_issuer:
            raise NotLetInError("This answer is not from the identity provider. Begin again.", 400)
        if "code" not in query:
            said = query.get("error", "")
            raise NotLetInError(
                f"The identity provider did not let you in{f' ({said})' if _ERROR.fullmatch(said) else ''}."
            )
        attempt = Attempt(str(begun["state"]), str(begun["nonce"]), str(begun["verifier"]))
        wanted = self._settings.oidc_groups_claim.partition(".")[0]
        return await self._asked(self._provider.claims(query["code"], attempt, wanted, self._clock()))

    async def _asked(self, answer: Awaitable[Answer]) -> Answer:
        """Awaits the provider's answer. Raises NotLetInError."""
        try:
            return await answer
        except (ProviderSilentError, TimeoutError) as error:
            log.error("the identity provider cannot be asked", reason=str(error) or "no answer in time")
            raise NotLetInError(
                "The identity provider does not answer just now. Log in with a name and a password or an API token, "
                "or try again.",
                503,
            ) from None
        except ProviderRefusedError as error:
            log.warning("the identity provider's answer is not taken", reason=str(error))
            raise NotLetInError("The identity provider's answer is not taken; the log says why. Begin again.") from None

    def _role(self, claims: Mapping[str, Any]) -> Role:
        """The highest role of the person's groups. Raises NotLetInError."""
        groups = set(texts(find(claims, self._settings.oidc_groups_claim)))
        roles = [role for group, role in self._settings.oidc_roles if group in groups]
        if not roles:
            raise NotLetInError(
                f"You are known, as {self._name(claims)}, but in no group that may use Tocsin. Ask its administrator."
            )
        return max(roles)

    def _name(self, claims: Mapping[str, Any]) -> str:
        given = find(claims, self._settings.oidc_name_claim)
        return line(given if isinstance(given, str) and given.strip() else str(claims["sub"]), 80)

    async def _begin(self, request: web.Request, claims: Mapping[str, Any], role: Role, following: str) -> web.Response:
        name, address = self._name(claims), self._sessions.access.address(request)
        response = web.Response(status=303, headers={"Location": following})
        self._sessions.begin(response, "oidc", name, role)
        log.info("logged in", name=name, by="oidc", role=role.name.lower(), address=address)
        data = {"by": "oidc", "subject": line(str(claims["sub"]), 200), "role": role.name.lower()}
        entry = audit_of(Origin(name, "console", address), self._clock(), "login", data=data)
        await self._queue.run(self._engine.audit, [entry], urgency=PEOPLE)
        return response

    def _refuse(self, request: web.Request, error: NotLetInError, following: str) -> web.Response:
        address = self._sessions.access.address(request)
        log.warning("login failed", by="oidc", address=address, status=error.status)
        return self._show(following, str(error), error.status)


def find(claims: Mapping[str, Any], name: str) -> object:
    """A claim by its name, or by its dotted path (realm_access.roles); None: missing."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _registration(settings: Settings) -> Registration:
    secret = settings.oidc_client_secret
    return Registration(
        issuer=settings.oidc_issuer or "",
        client_id=settings.oidc_client_id or "",
        client_secret=secret.get_secret_value() if secret else "",
        redirect_uri=f"{settings.external_url}{RETURN_PATH}",
        scope=settings.oidc_scopes,
    )
