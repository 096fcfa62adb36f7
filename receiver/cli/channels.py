"""`tocsin test-channel`: sends one marked test message to each recipient of a channel and prints
the provider's answer.
"""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from receiver.cli.output import console, fail, print_json
from receiver.clock import wall_clock
from receiver.on_call.references import whom
from receiver.settings import Settings
from rules.load import load
from rules.policy import Channel, Policy

if TYPE_CHECKING:
    from receiver.channels.trial import Tried


def try_out(
    name: Annotated[str, typer.Argument(help="The channel's name in the policy.")],
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="POLICY…", help="Left out: the shipped packs.", show_default=False),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Send a marked test message to each recipient of a channel, with the settings of the environment."""
    from receiver.channels.configured import configured_channels

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
    tried = asyncio.run(_try(policy, channel, settings))
    if json:
        said = [
            {"recipient": whom(policy, name, each.recipient), "delivered": each.delivered, "answer": each.words}
            for each in tried
        ]
        print_json({"channel": name, "recipients": said})
    else:
        for each in tried:
            told = whom(policy, name, each.recipient)
            console.print(f"{name} → {told}: {each.words}", markup=False, soft_wrap=True)
    if not all(each.delivered for each in tried):
        raise typer.Exit(1)


async def _try(policy: Policy, channel: Channel, settings: Settings) -> "list[Tried]":
    from receiver.channels.configured import make_senders
    from receiver.channels.trial import try_channel
    from receiver.messages import MessageRenderer

    sender = make_senders(settings, wall_clock)[channel.type]
    renderer = MessageRenderer(settings.external_url, "test", sms_replies=False)
    try:
        return await try_channel(sender, policy, channel, renderer, wall_clock)
    finally:
        await sender.close()
