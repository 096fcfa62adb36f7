"""Messages about one incident, as the dispatcher hands them to senders."""

from dataclasses import replace

from receiver.channels import Outgoing
from receiver.core.events import Delivered, Retry
from receiver.core.model import Incident, Instant, Kind, Notification, Reason, State
from receiver.messages import Message
from rules.policy import Channel

OPENED_AT = Instant(1_700_000_000_123_456)

INCIDENT = Incident(
    id="0198c0de",
    key="k" * 64,
    policy="p" * 64,
    level=4,
    type="safety_critical_failure",
    title="safety_margin below 0.95 (flight-control)",
    opened_at=OPENED_AT,
    response_due_at=Instant(OPENED_AT + 900_000_000),
    number=12,
    state=State.OPEN,
    labels={"system": "flight-control", "signal": "safety_margin"},
)

MESSAGE = Message(
    subject="[EMERGENCY] #12 safety_critical_failure",
    text="Safety margin is 0.91.\nAcknowledge by 14:28 UTC: https://tocsin.example/incidents/12",
    html="<!doctype html><title>#12</title><p>Safety margin is 0.91.",
    short="#12 EMERGENCY safety_critical_failure, flight-control. Acknowledge: https://tocsin.example/i/12",
    speech="Emergency. Incident 12, safety critical failure, on flight control.",
    headline="#12 EMERGENCY safety_critical_failure: safety margin below 0.95",
    facts=[("Level", "4 emergency"), ("System", "flight-control")],
    paragraphs=["First: engage the fallback controller."],
    links=[("Incident", "https://tocsin.example/incidents/12"), ("Runbook", "https://runbooks.example/safety")],
    level=4,
    severity="critical",
    firing={
        "count": 1,
        "since": "2023-11-14T22:13:00.000Z",
        "labels": {"system": "flight-control"},
        "alerts": [{"title": "safety_margin below 0.95", "unit": "", "value": "0.91"}],
    },
)


def outgoing(
    channel,
    recipient,
    *,
    kind=Kind.PAGE,
    reason=Reason.OPENED,
    page=1,
    pages=range(1, 2),
    message=None,
    headers=(),
    number="n1",
    attempts=0,
):
    """One message to one recipient on a channel of that type."""
    return Outgoing(
        notification=Notification(
            id=number,
            incident_id=INCIDENT.id,
            sequence=1,
            kind=kind,
            reason=reason,
            channel=channel,
            recipient=recipient,
            level=4,
            created_at=OPENED_AT,
            due_at=None,
            give_up_at=Instant(OPENED_AT + 10**12),
            page=page if kind is Kind.PAGE else 0,
            attempts=attempts,
        ),
        channel=Channel(name=channel, type=channel, recipients=(recipient,), headers=headers),
        message=replace(MESSAGE, **(message or {})),
        thread="",
        key=f"install-{number}",
        name=number,
        incident_ref=f"install-{INCIDENT.id}",
        incident=INCIDENT,
        pages=pages,
    )


async def until_delivered(sender, message):
    """Send it as the core would, again and again; ends when it is delivered."""
    while not isinstance(outcome := await sender.send(message), Delivered):
        assert isinstance(outcome, Retry)
    return outcome
