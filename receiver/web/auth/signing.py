"""Signed tokens for one purpose and a limited time, such as sessions and links.

Rules: expiry uses the given clock, not the library's; a token is valid for its purpose only; every invalid token reads
as None, so the cause is not revealed.
"""

from collections.abc import Callable, Mapping
from hashlib import sha256
from hmac import compare_digest, new
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from receiver.core.model import Instant


class Signing:
    """Signs with one key."""

    def __init__(self, key: str, clock: Callable[[], Instant]) -> None:
        self._key = key
        self._clock = clock

    def sign(self, purpose: str, values: Mapping[str, Any], lasts: int) -> str:
        """A token with `values` (signed, not encrypted) that is valid for `lasts` microseconds."""
        return str(self._serializer(purpose).dumps({**values, "until": self._clock() + lasts}))

    def read(self, purpose: str, token: str) -> Mapping[str, Any] | None:
        """The token's values; None: forged, for another purpose, or expired."""
        if not token:
            return None
        try:
            values = self._serializer(purpose).loads(token)
        except (BadData, ValueError):  # ValueError: bytes that are not text
            return None
        return values if isinstance(values, dict) and values.get("until", 0) > self._clock() else None

    def seal(self, purpose: str, text: str) -> str:
        """A keyed digest of the text (32 hexadecimal digits)."""
        digest = new(self._key.encode(), f"{purpose}\0{text}".encode("utf-8", "surrogatepass"), sha256).hexdigest()
        return digest[:32]

    def is_sealed(self, purpose: str, text: str, mark: str) -> bool:
        """Whether `mark` is the text's digest."""
        return compare_digest(self.seal(purpose, text).encode(), mark.encode("utf-8", "surrogatepass"))

    def _serializer(self, purpose: str) -> URLSafeSerializer:
        how = {"key_derivation": "hmac", "digest_method": sha256}
        return URLSafeSerializer(self._key, salt=f"tocsin/{purpose}", signer_kwargs=how)
