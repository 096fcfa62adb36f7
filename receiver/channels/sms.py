"""Text messages through Twilio, through Vonage, or through Vonage if Twilio fails. A message has two SMS
(`receiver.messages.short`); longer text from outside is cut.
"""

from collections.abc import Callable
from functools import partial

import structlog

from receiver.channels import Configured, Outgoing, vonage
from receiver.channels.twilio import STATUS_PATH, TIMEOUT, Account, Twilio, account_of, concerns_recipient, is_number
from receiver.channels.twilio_lookup import Wanted
from receiver.channels.vonage import Vonage
from receiver.clients.egress import Egress
from receiver.core.events import Outcome, Rejected, Retry
from receiver.messages.plain import plain
from receiver.messages.segments import fit
from receiver.messages.short import MOST_PARTS
from receiver.settings import Settings

VALIDITY = 600
"""Seconds that networks may try. Twilio's default of ten hours would deliver outdated pages."""

log = structlog.get_logger()


class SmsSender:
    """Sends one SMS per message: by Twilio, and if that fails, by Vonage in the same try."""

    def __init__(
        self,
        account: Account | None,
        egress: Egress | None = None,
        *,
        timeout: float = TIMEOUT,
        second: vonage.VonageAccount | None = None,
    ) -> None:
        """`timeout`: seconds for a whole request to Twilio. At least one of the accounts must be given."""
        self._twilio = Twilio(account, egress, timeout=timeout) if account else None
        self._vonage = Vonage(second, egress, timeout=min(timeout, vonage.TIMEOUT)) if second else None

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Delivered: a provider accepted it; the status callback reports the delivery."""
        recipient = outgoing.notification.recipient
        if not is_number(recipient):
            return Rejected(f'"{recipient}" is no telephone number with its country code (+4930123456)')
        body = fit(plain(outgoing.message.short), MOST_PARTS)
        if self._twilio is None:
            return await self._by_vonage(outgoing, body)
        first = await self._by_twilio(self._twilio, outgoing, body)
        if self._vonage is None or not isinstance(first, Retry | Rejected) or concerns_recipient(first):
            return first
        second = await self._by_vonage(outgoing, body)
        if isinstance(second, Retry | Rejected):
            return _of_both(first, second)
        log.warning("an SMS went by the second provider", channel=outgoing.channel.name, first=first.reason)
        return second

    async def _by_twilio(self, twilio: Twilio, outgoing: Outgoing, body: str) -> Outcome:
        notification = outgoing.notification
        form = (
            ("To", notification.recipient),
            ("Body", body),
            ("ValidityPeriod", str(VALIDITY)),
            ("StatusCallback", twilio.account.callback(STATUS_PATH, outgoing.name)),
        )
        # The text up to the colon names the incident and the reason; the rest may have changed since the last try.
        wanted = Wanted(notification.recipient, notification.created_at, body.partition(":")[0])
        return await twilio.send("Messages", form, wanted, notification.attempts)

    async def _by_vonage(self, outgoing: Outgoing, body: str) -> Outcome:
        assert self._vonage is not None
        return await self._vonage.text(outgoing.notification.recipient, body, VALIDITY, outgoing.name)

    async def close(self) -> None:
        """Closes the connections."""
        for each in (self._twilio, self._vonage):
            if each is not None:
                await each.close()


def _of_both(first: Retry | Rejected, second: Retry | Rejected) -> Outcome:
    """Returns a Retry if one of the two may be retried."""
    reason = f"{first.reason}; then {second.reason}"
    waits = [each.after for each in (first, second) if isinstance(each, Retry)]
    if not waits:
        return Rejected(reason)
    return Retry(reason, None if None in waits else min(wait for wait in waits if wait is not None))


def providers_heard(settings: Settings) -> list[bool]:
    """Returns for each configured provider whether it can call back with receipts and replies."""
    first, second = account_of(settings), vonage.account_of(settings)
    return [*([settings.hears_twilio] if first else ()), *([second.is_heard] if second else ())]


def configure(settings: Settings, _now: Callable[[], int]) -> Configured | None:
    """Configured if there is an account with a number, at Twilio or at Vonage."""
    first, second = account_of(settings), vonage.account_of(settings)
    return Configured(partial(SmsSender, first, second=second)) if first or second else None
