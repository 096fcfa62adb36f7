"""Messages in the real words, for one incident and then for what becomes of it."""

from msgspec.structs import replace

from receiver.channels import Outgoing
from receiver.core.model import Instant, Kind, Reason
from receiver.messages import MessageRenderer
from rules.policy import MINUTE
from tests.messages import samples

WORDS = MessageRenderer("https://tocsin.example.org", "inst")


def outgoing(
    channel,
    kind=Kind.PAGE,
    reason=Reason.OPENED,
    *,
    incident=samples.INCIDENT,
    thread="",
    sequence=1,
    recipient="",
    beside=(),
    attempts=0,
    **data,
):
    """One message; `beside` are further incidents that it is bundled with."""
    notification = samples.notification(kind, reason, channel, incident, sequence, **data)
    notification = replace(notification, recipient=recipient or notification.recipient, attempts=attempts)
    items = ((notification, incident), *((notification, each) for each in beside))
    now = Instant(samples.NOON + 2 * MINUTE)
    return Outgoing(
        notification=notification,
        channel=samples.POLICY.channel(channel),
        message=WORDS.render(samples.Delivery(items, samples.context()), now),
        thread=thread,
        key=f"inst-{notification.id}",
        incident_ref=f"inst-{incident.id}",
        incident=incident,
        pages=range(1, 2),
        name=notification.id,
    )
