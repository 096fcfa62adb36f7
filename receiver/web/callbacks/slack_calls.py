"""Calls of Slack's API that follow from an event; a failure is logged with the scope that may lack, and is no more."""

import asyncio
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError

from receiver.channels.slack import quiet_client
from receiver.clients.egress import Egress
from receiver.settings import Settings

WITHIN = 1.5
"""Seconds for a call, of the three in which Slack wants its event answered."""

log = structlog.get_logger()


class SlackCalls:
    """Slack's API with the bot's token."""

    def __init__(self, settings: Settings) -> None:
        token = settings.slack_token.get_secret_value() if settings.slack_token else ""
        self._client = quiet_client(token, settings.slack_api_url, WITHIN, Egress.of(settings)) if token else None

    async def ask(self, method: str, scope: str, **words: Any) -> dict[str, Any] | None:
        """Returns the answer of a method that reads; None: it failed. `scope`: what the app needs for it."""
        return await self._call(method, scope, http_verb="GET", params=words)

    async def tell(self, method: str, scope: str, **words: Any) -> None:
        """Calls a method that writes."""
        await self._call(method, scope, json=words)

    async def _call(self, method: str, scope: str, **how: Any) -> dict[str, Any] | None:
        if self._client is None:
            return None
        try:
            async with asyncio.timeout(WITHIN):
                response = await self._client.api_call(method, **how)
        except SlackApiError as error:
            why = str(error.response.get("error", "")) if hasattr(error.response, "get") else ""
            if why != "already_reacted":
                log.warning("Slack refuses what follows from an event", method=method, reason=why, scope=scope)
            return None
        except Exception as error:  # noqa: BLE001 - network errors
            log.warning("Slack does not answer", method=method, reason=type(error).__name__)
            return None
        return response.data if isinstance(response.data, dict) else None
