"""Text messages through Twilio, through Vonage, or through the second of them if the first fails. A message has two SMS
(`receiver.messages.short`); longer text from outside is cut.
"""

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from functools import partial

import structlog

from receiver.channels import Configured, Outgoing, vonage
from receiver.channels.twilio import STATUS_PATH, TIMEOUT, Account, Twilio, account_of, concerns_recipient, is_number
from receiver.channels.twilio_lookup import Wanted
from receiver.channels.vonage import Vonage
from receiver.clients.egress import Egress
from receiver.core.events import Outcome, Rejected, Retry
from receiver.errors import SettingsError
from receiver.messages.plain import plain
from receiver.messages.segments import fit
from receiver.messages.short import MOST_PARTS
from receiver.settings import Settings

VALIDITY = 600
"""Seconds that networks may try. Twilio's default of ten hours would deliver outdated pages."""

ORDER = ("twilio", "vonage")
"""The providers, in the order in which they are asked unless the settings have another."""

log = structlog.get_logger()


class SmsSender:
    """Sends one SMS per message: by the first provider, and if that fails, by the second in the same try."""

    def __init__(
        self,
        account: Account | None,
        egress: Egress | None = None,
        *,
        timeout: float = TIMEOUT,
        second: vonage.VonageAccount | None = None,
        order: Sequence[str] = ORDER,
    ) -> None:
        """`timeout`: seconds for a whole request to Twilio. `order`: of ORDER; one with an account must be in it."""
        self._twilio = Twilio(account, egress, timeout=timeout) if account and "twilio" in order else None
        self._vonage = (
            Vonage(second, egress, timeout=min(timeout, vonage.TIMEOUT)) if second and "vonage" in order else None
        )
        self._order = order

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Delivered: a provider accepted it; the status callback reports the delivery."""
        recipient = outgoing.notification.recipient
        if not is_number(recipient):
            return Rejected(f'"{recipient}" is no telephone number with its country code (+4930123456)')
        body = fit(plain(outgoing.message.short), MOST_PARTS)
        failed: list[Retry | Rejected] = []
        for way in self._ways():
            outcome = await way(outgoing, body)
            if not isinstance(outcome, Retry | Rejected):
                if failed:
                    log.warning(
                        "an SMS went by the second provider", channel=outgoing.channel.name, first=failed[0].reason
                    )
                return outcome
            failed.append(outcome)
            if concerns_recipient(outcome):
                break
        return _of_all(failed)

    def _ways(self) -> Iterator[Callable[[Outgoing, str], Awaitable[Outcome]]]:
        """Yields the providers' ways to send."""
        for name in self._order:
            if name == "twilio" and self._twilio is not None:
                yield partial(self._by_twilio, self._twilio)
            elif name == "vonage" and self._vonage is not None:
                yield partial(self._by_vonage, self._vonage)

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

    async def _by_vonage(self, other: Vonage, outgoing: Outgoing, body: str) -> Outcome:
        return await other.text(outgoing.notification.recipient, body, VALIDITY, outgoing.name)

    async def close(self) -> None:
        """Closes the connections."""
        for each in (self._twilio, self._vonage):
            if each is not None:
                await each.close()


def _of_all(failed: Sequence[Retry | Rejected]) -> Outcome:
    """Returns a Retry if one of them may be retried."""
    reason = "; then ".join(each.reason for each in failed)
    waits = [each.after for each in failed if isinstance(each, Retry)]
    if not waits:
        return Rejected(reason)
    return Retry(reason, None if None in waits else min(wait for wait in waits if wait is not None))


def order_of(settings: Settings, accounts: Collection[str]) -> tuple[str, ...]:
    """Returns the order of the providers, by TOCSIN_SMS_PROVIDERS. Raises SettingsError for one without an account."""
    given = settings.of_channels.get("sms_providers")
    if given is None:
        return ORDER
    names = tuple(each.strip().lower() for each in given.get_secret_value().split(","))
    if unknown := [each for each in names if each not in ORDER]:
        raise SettingsError(f"TOCSIN_SMS_PROVIDERS: {unknown[0]!r} is none of {', '.join(ORDER)}")
    if lacking := [each for each in names if each not in accounts]:
        raise SettingsError(f"TOCSIN_SMS_PROVIDERS: names {lacking[0]}, of which the settings have no account")
    return names


def providers_heard(settings: Settings) -> list[bool]:
    """Returns for each configured provider whether it can call back with receipts and replies."""
    first, second = account_of(settings), vonage.account_of(settings)
    return [*([settings.hears_twilio] if first else ()), *([second.is_heard] if second else ())]


def configure(settings: Settings, _now: Callable[[], int]) -> Configured | None:
    """Configured if there is an account with a number, at Twilio or at Vonage. Raises SettingsError."""
    first, second = account_of(settings), vonage.account_of(settings)
    if not (first or second):
        return None
    order = order_of(settings, [name for name, account in zip(ORDER, (first, second), strict=True) if account])
    return Configured(partial(SmsSender, first, second=second, order=order))
