"""What we hand out and believe when it comes back: signed, for one purpose, for a time.

Sessions and links are made here. Rules: the clock is ours (not the library's), a token for one purpose says
nothing for another, and whatever is wrong with a token reads the same: None.
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
        """A token that carries `values` (readable by whoever has it) and is good for `lasts` microseconds."""
        return str(self._serializer(purpose).dumps({**values, "until": self._clock() + lasts}))

    def read(self, purpose: str, token: str) -> Mapping[str, Any] | None:
        """What a token of ours carries; None: it is not ours, for something else, or over."""
        if not token:
            return None
        try:
            values = self._serializer(purpose).loads(token)
        except (BadData, ValueError):  # ValueError: bytes that are no text, which the signature is asked about as text
            return None
        return values if isinstance(values, dict) and values.get("until", 0) > self._clock() else None

    def seal(self, purpose: str, text: str) -> str:
        """A short mark (32 hexadecimal digits) that only we can make for this text."""
        digest = new(self._key.encode(), f"{purpose}\0{text}".encode("utf-8", "surrogatepass"), sha256).hexdigest()
        return digest[:32]

    def is_sealed(self, purpose: str, text: str, mark: str) -> bool:
        """Whether the mark is the text's."""
        return compare_digest(self.seal(purpose, text).encode(), mark.encode("utf-8", "surrogatepass"))

    def _serializer(self, purpose: str) -> URLSafeSerializer:
        how = {"key_derivation": "hmac", "digest_method": sha256}
        return URLSafeSerializer(self._key, salt=f"tocsin/{purpose}", signer_kwargs=how)
