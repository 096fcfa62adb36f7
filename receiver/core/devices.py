"""Phones and browsers on which people turned notifications on (Web Push), as they are kept."""

import msgspec

from receiver.core.model import Instant


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """One browser's subscription at its push service."""

    id: str
    """Made of the endpoint."""
    person: str
    endpoint: str
    """Where its push service takes messages for it: a URL that lets whoever has it send."""
    p256dh: str
    """The browser's public key, in base64url."""
    auth: str
    """The secret that messages are encrypted with beside that key, in base64url."""
    label: str
    """What the person sees of it: ``Firefox on Android``."""
    added_at: Instant
    gone_at: Instant | None = None
    """Since when its push service knows it no more; None: it does."""
