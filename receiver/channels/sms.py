"""Text messages by way of Twilio. A message is two SMS long (`receiver.messages.short`), a stranger one cut."""

from collections.abc import Callable
from functools import partial

from receiver.channels import Configured, Outgoing
from receiver.channels.twilio import STATUS_PATH, TIMEOUT, Account, Twilio, account_of, is_number
from receiver.channels.twilio_lookup import Wanted
from receiver.clients.egress import Egress
from receiver.core.events import Outcome, Rejected
from receiver.messages.plain import plain
from receiver.messages.segments import fit
from receiver.messages.short import MOST_PARTS
from receiver.settings import Settings

VALIDITY = 600
"""Seconds the networks may go on trying. Twilio's default, ten hours, would bring pages long overtaken."""


class SmsSender:
    """Sends one SMS per message."""

    def __init__(self, account: Account, egress: Egress | None = None, *, timeout: float = TIMEOUT) -> None:
        """`timeout`: seconds for a whole request."""
        self._twilio = Twilio(account, egress, timeout=timeout)

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Twilio accepts it; whether it was delivered is told to the status callback."""
        notification = outgoing.notification
        if not is_number(notification.recipient):
            return Rejected(f'"{notification.recipient}" is no telephone number with its country code (+4930123456)')
        body = fit(plain(outgoing.message.short), MOST_PARTS)
        form = (
            ("To", notification.recipient),
            ("Body", body),
            ("ValidityPeriod", str(VALIDITY)),
            ("StatusCallback", self._twilio.account.callback(STATUS_PATH, outgoing.name)),
        )
        # Up to the colon it says which incident and why now; what follows it may have changed since the last try.
        wanted = Wanted(notification.recipient, notification.created_at, body.partition(":")[0])
        return await self._twilio.send("Messages", form, wanted, notification.attempts)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._twilio.close()


def configure(settings: Settings, _now: Callable[[], int]) -> Configured | None:
    """Where there is a Twilio account with a number."""
    account = account_of(settings)
    return Configured(partial(SmsSender, account)) if account else None
