"""`tocsin test-channel`: one marked test message to everybody on a channel, and what the provider answered."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from receiver.channels import Outgoing, Sender
from receiver.channels.configured import configured_channels, make_senders
from receiver.cli.output import console, fail
from receiver.clock import wall_clock
from receiver.core.events import Delivered, Outcome, Overtaken, Rejected, Retry
from receiver.core.model import Incident, Kind, Notification, Page, Reason, State
from receiver.core.plan import Book, Playbook
from receiver.messages import Words
from receiver.requests import Delivery
from receiver.settings import Settings
from rules.load import load
from rules.policy import INFORMATIONAL, Channel, Policy

TITLE = "Test message: nothing is wrong, nobody has to act"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(name="test-channel")(try_channel)


def try_channel(
    name: Annotated[str, typer.Argument(help="The channel's name in the policy.")],
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="POLICY…", help="Left out: the shipped packs.", show_default=False),
    ] = None,
) -> None:
    """Send a marked test message to everybody on a channel, with the settings of the environment."""
    policy = load(paths or [])
    settings = Settings.read(os.environ)
    channel = policy.channel(name)
    if channel is None:
        names = ", ".join(each.name for each in policy.channels)
        fail(f"tocsin test-channel: the policy has no channel {name!r}; it has: {names}", 2)
    if name not in configured_channels(policy, settings):
        fail(
            f"tocsin test-channel: {name} ({channel.type}) is not configured; docs/channels/{channel.type}.md says how"
        )
    outcomes = asyncio.run(_send_all(policy, channel, settings))
    for recipient, outcome in outcomes:
        console.print(f"{name} → {recipient}: {_words(outcome)}", markup=False, soft_wrap=True)
    if not all(isinstance(outcome, Delivered) for _, outcome in outcomes):
        raise typer.Exit(1)


async def _send_all(policy: Policy, channel: Channel, settings: Settings) -> list[tuple[str, Outcome]]:
    sender = make_senders(settings, wall_clock)[channel.type]
    try:
        return [(each, await _send(sender, policy, channel, each, settings)) for each in channel.recipients]
    finally:
        await sender.close()


async def _send(sender: Sender, policy: Policy, channel: Channel, recipient: str, settings: Settings) -> Outcome:
    """A page, and where a page opens something at the provider, the all-clear that closes it."""
    page = _outgoing(policy, channel, recipient, settings, Kind.PAGE)
    outcome = await sender.send(page)
    if isinstance(outcome, Delivered) and channel.type == "pagerduty":
        return await sender.send(_outgoing(policy, channel, recipient, settings, Kind.RESOLVED))
    return outcome


def _outgoing(policy: Policy, channel: Channel, recipient: str, settings: Settings, kind: Kind) -> Outgoing:
    now = wall_clock()
    playbook = Playbook.of(policy, "")
    incident = Incident(
        id=f"test{now:x}",
        key="test",
        policy="",
        level=INFORMATIONAL,
        type="test",
        title=TITLE,
        opened_at=now,
        response_due_at=now,
        exercise=True,
        declared=True,
        page=Page(1),
    )
    if kind is Kind.RESOLVED:
        incident = replace(incident, state=State.RESOLVED, resolved_at=now)
    notification = Notification(
        id=f"{incident.id}-1",
        incident_id=incident.id,
        sequence=1,
        kind=kind,
        reason=Reason.OPENED if kind is Kind.PAGE else Reason.ACTION,
        channel=channel.name,
        recipient=recipient,
        level=INFORMATIONAL,
        created_at=now,
        due_at=now,
        give_up_at=now,
        page=1,
    )
    delivery = Delivery(((notification, incident),), "", Book(playbook, playbook, frozenset({channel.name})))
    return Outgoing(
        notification=notification,
        incident=incident,
        channel=channel,
        message=Words(settings.external_url, "test", sms_replies=False).render(delivery, now),
        thread="",
        key=f"test-{notification.id}",
        incident_ref="test-channel",
        pages=range(1, 2),
    )


def _words(outcome: Outcome) -> str:
    match outcome:
        case Delivered(reference):
            return f"delivered ({reference})" if reference else "delivered"
        case Retry(reason, _):
            return f"not now: {reason}"
        case Rejected(reason):
            return f"refused: {reason}"
        case Overtaken():
            return "not sent"
