"""Stored Web Push subscriptions of people's phones and browsers."""

import msgspec

from receiver.core.model import Instant


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """One browser's subscription at its push service."""

    id: str
    """Derived from the endpoint."""
    person: str
    endpoint: str
    """URL at which its push service takes messages; a secret, since knowing it is enough to send."""
    p256dh: str
    """The browser's public key, in base64url."""
    auth: str
    """The secret that encrypts messages together with that key, in base64url."""
    label: str
    """Shown to the person: ``Firefox on Android``."""
    added_at: Instant
    gone_at: Instant | None = None
    """When its push service was found not to know it any more; None: it does."""
