"""Mattermost's presses of the button under a page.

Mattermost's server posts the button's context, which clients never see, and who pressed. It signs nothing: the token in
the context is the proof, and is verified before any read. The press acknowledges in the name of the policy's person
with that Mattermost id; who pressed is answered with the state, which only they see.
"""

from collections.abc import Mapping
from typing import Any

import orjson
import structlog
from aiohttp import web

from receiver.channels.mattermost import PATH
from receiver.core.audit_log import Origin
from receiver.messages.plain import line
from receiver.on_call.references import owner_of
from receiver.web.callbacks.button_presses import UNKNOWN, ButtonPresses
from receiver.web.callbacks.context import CallbackContext
from receiver.web.http.problem_details import JSON, Handler, HttpProblem
from receiver.web.http.request_body import read_strangers_body

log = structlog.get_logger()


class MattermostActions:
    """The handler of presses."""

    def __init__(self, context: CallbackContext) -> None:
        self._actions = context.actions
        self._presses = ButtonPresses(context)

    def routes(self) -> tuple[tuple[str, str, Handler], ...]:
        """Method, path, handler."""
        return (("POST", PATH, self.press),)

    async def press(self, request: web.Request) -> web.Response:
        """Takes a press."""
        pressed = _document(await read_strangers_body(request))
        context = pressed.get("context")
        token = str(context.get("token", "")) if isinstance(context, dict) else ""
        said = await self._presses.take(token, self._origin(pressed), "in Mattermost")
        if said.words == UNKNOWN:
            log.warning("callback refused: not a button of Tocsin's", path=PATH)
            raise HttpProblem(401, "this is not a button of Tocsin's")
        return web.Response(body=orjson.dumps({"ephemeral_text": said.words}), content_type=JSON)

    def _origin(self, pressed: Mapping[str, Any]) -> Origin:
        """The policy's person with that Mattermost id, else the name in Mattermost with the id."""
        user, name = (line(str(pressed.get(key, "")), 64) for key in ("user_id", "user_name"))
        who = owner_of(self._actions.policy, user, ("mattermost",)) or f"{name or 'somebody'} (Mattermost {user})"
        trigger = line(str(pressed.get("trigger_id", "")), 200)
        return Origin(who, "mattermost", user, f"mattermost {trigger}" if trigger else "")


def configure(context: CallbackContext) -> MattermostActions | None:
    """Configured if there are a server, a bot's token and an external URL."""
    given = context.settings.of_channels
    is_set = "mattermost_token" in given and "mattermost_api_url" in given
    return MattermostActions(context) if is_set and context.settings.external_url else None


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise HttpProblem(400, "the body is no JSON") from None
    if not isinstance(document, dict):
        raise HttpProblem(400, "the body is no object")
    return document
