"""Every channel type with its provider on this machine, for the contract suite.

A new channel type is a module here, named after it, whose `provider(patience)` yields a Provider; its sender waits so
many seconds for an answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module

from receiver.channels import Outgoing, Sender
from rules.channel_types import CHANNEL_TYPES
from tests.channels.servers import wire
from tests.channels.servers.wire import Reply


class Mishap(StrEnum):
    """What can go wrong at a provider, or on the way there."""

    LIMITED_FOR = "429 with Retry-After: 7"
    LIMITED = "429 without Retry-After"
    UNAVAILABLE = "5xx"
    HANG = "no answer"
    HANG_LATE = "no end of the answer, or none to the message itself"
    RESET_UNREAD = "connection reset before the request was read"
    RESET_READ = "connection reset after the request was read"
    TRICKLE = "an answer of one byte after the other"
    GARBAGE = "an answer that is no answer"
    BROKEN_OFF = "an answer that breaks off"
    REFUSED = "refused for good"
    CREDENTIALS = "credentials refused"


@dataclass
class Provider:
    """One channel type, configured, and ways to upset its provider."""

    sender: Sender
    outgoing: Outgoing
    secrets: tuple[str, ...]
    mishaps: Mapping[Mishap, Callable[[], None]]
    """What sets each mishap up."""
    accepted: Callable[[], int]
    """How many messages people got."""
    says_when: bool = True
    """Whether it can ask for patience."""
    advice: str = "TOCSIN_"
    """What an outcome about credentials names."""


def over_http(server: wire.Wire, refused: Reply, credentials: Reply) -> Mapping[Mishap, Callable[[], None]]:
    """The mishaps of providers that speak HTTP."""
    faults = {
        Mishap.LIMITED_FOR: Reply(429, b"slow down", {"Retry-After": "7"}),
        Mishap.LIMITED: Reply(429, b"slow down"),
        Mishap.UNAVAILABLE: Reply(503, b"<html>upstream is gone</html>"),
        Mishap.HANG: wire.hang,
        Mishap.HANG_LATE: wire.trickle(503),
        Mishap.RESET_UNREAD: wire.reset_unread,
        Mishap.RESET_READ: wire.reset_read,
        Mishap.TRICKLE: wire.trickle_head,
        Mishap.GARBAGE: wire.garbage,
        Mishap.BROKEN_OFF: wire.broken_off(500),
        Mishap.REFUSED: refused,
        Mishap.CREDENTIALS: credentials,
    }
    return {mishap: lambda fault=fault: server.faults.append(fault) for mishap, fault in faults.items()}


PROVIDERS = {kind: import_module(f"{__name__}.{kind}").provider for kind in CHANNEL_TYPES}
PROVIDERS["sms by Vonage"] = import_module(f"{__name__}.sms").by_vonage
"""Last, because the modules import what stands above."""
