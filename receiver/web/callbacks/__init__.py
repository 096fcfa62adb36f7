"""The providers' callbacks: buttons, keys, answers and delivery reports. One module per provider.

Rules: a request is used only after its signature is verified; one delivered twice is applied once; a late press is
answered with the current state. The core decides, as for every other action. Callbacks of a provider exist only if its
secret is set. Imports `auth` and `http`. Begin with `actions`, which all of them use.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from aiohttp import web

from receiver.channels import email, vonage
from receiver.clients.egress import Egress
from receiver.core.model import Instant
from receiver.settings import Settings
from receiver.web.api.rosters import RosterReader
from receiver.web.auth.signing import Signing
from receiver.web.callbacks.actions import CallbackActions
from receiver.web.callbacks.mail_answers import MailAnswers
from receiver.web.callbacks.pagerduty_webhook import PagerDutyCallbacks
from receiver.web.callbacks.slack_interactions import SlackCallbacks
from receiver.web.callbacks.slack_socket import SlackSocket
from receiver.web.callbacks.twilio_webhooks import TwilioCallbacks
from receiver.web.callbacks.vonage_webhooks import VonageCallbacks

__all__ = ["CallbackActions", "add_callbacks"]


def add_callbacks(
    app: web.Application,
    settings: Settings,
    at: CallbackActions,
    rosters: RosterReader,
    signing: Signing,
    installation: str,
    clock: Callable[[], Instant],
) -> None:
    """Registers the callbacks of the configured providers."""
    found: list[SlackCallbacks | TwilioCallbacks | VonageCallbacks | PagerDutyCallbacks | MailAnswers] = []
    secret, app_token = settings.slack_signing_secret, settings.of_channels.get("slack_app_token")
    if secret or app_token:
        slack = SlackCallbacks(at, rosters, secret.get_secret_value() if secret else "", settings, clock)
        if app_token:
            socket = SlackSocket(slack, app_token.get_secret_value(), settings.slack_api_url, Egress.of(settings))
            app.cleanup_ctx.append(_kept(socket))
        app.on_cleanup.append(slack.close)
        found.append(slack)
    if settings.hears_twilio and settings.twilio_auth_token and settings.external_url:
        token, shared = settings.twilio_auth_token, settings.twilio_shared_key
        shared_key = shared.get_secret_value() if shared else ""
        found.append(TwilioCallbacks(at, token.get_secret_value(), settings.external_url, shared_key))
    account = vonage.account_of(settings)
    if account and account.is_heard:
        answers = VonageCallbacks(at, account, Egress.of(settings))
        app.on_cleanup.append(answers.close)
        found.append(answers)
    if settings.pagerduty_webhook_secret:
        secrets = settings.pagerduty_webhook_secret.get_secret_value().split(",")
        found.append(PagerDutyCallbacks(at, [secret.strip() for secret in secrets if secret.strip()]))
    if (mailbox := email.reply_address(settings)) and settings.email_inbound_token:
        found.append(
            MailAnswers(
                at,
                token=settings.email_inbound_token.get_secret_value(),
                address=mailbox,
                sender=email.make_sender(settings, Egress.of(settings)),
                signing=signing,
                installation=installation,
                clock=clock,
            )
        )
    for callbacks in found:
        for method, path, handler in callbacks.routes():
            app.router.add_route(method, path, handler)


def _kept(socket: SlackSocket) -> Callable[[web.Application], AsyncIterator[None]]:
    async def keep(_app: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(socket.keep())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    return keep
