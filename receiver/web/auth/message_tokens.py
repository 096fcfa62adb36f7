"""Tokens that name a sent message: in links that acknowledge, and in addresses for replies and bounces.

A token has the (first) incident's number, the rest of the message's name, a seal and a mark. The seal is made with the
key that signs sessions, so a token cannot be guessed or altered; it covers the token's content, the installation and
the purpose, and is verified before any read, so that guesses cost no database time. The mark identifies the message
beside its number, because a restored database reuses numbers.
"""

import re
from base64 import b32encode
from hmac import compare_digest

from receiver.core.model import Incident
from receiver.web.auth.signing import Signing
from rules.policy import HOUR

ANSWERS, BOUNCES = "acknowledge", "bounce"
"""Purposes. Who has a message may answer it; a bounce's token is also in the logs of mail servers."""

LASTS = 24 * HOUR
"""Microseconds after its message for which a token answers."""

SEAL, MARK = 13, 4
"""Characters of a token's last parts, of five bits each. A token must be short for an SMS; 65 bits cannot be guessed
over the network within its day.
"""
OLD_SEAL, OLD_MARK = 24, 8
"""Hexadecimal digits of both in links of earlier versions."""

_TOKEN = re.compile(
    rf"((\d{{1,9}})-(\d{{1,9}}(?:-\d{{1,18}})?))-"
    rf"(?:([a-z2-7]{{{SEAL}}})[a-z2-7]{{{MARK}}}|([0-9a-f]{{{OLD_SEAL}}})[0-9a-f]{{{OLD_MARK}}})",
    re.ASCII,
)
"""Groups: number of the (first) incident, rest of the message's name, and the seal."""


class MessageTokens:
    """Makes and reads tokens of one purpose."""

    def __init__(self, signing: Signing, installation: str, purpose: str) -> None:
        """`installation`: distinguishes installations with the same key, each of which has a #12."""
        self._signing = signing
        self._installation = installation
        self._purpose = purpose

    def make(self, incident: Incident, name: str) -> str:
        """The token of the message with that name. `incident`: the message's incident, for a bundle the first."""
        rest = name.removeprefix(f"{incident.id}-")
        what = f"{incident.number}-{rest}"
        return f"{what}-{self._seal(what, SEAL)}{self._mark(name, MARK)}"

    def read(self, token: str) -> tuple[int, str] | None:
        """Incident number and rest of the message's name of a valid token; None: invalid."""
        parts = _TOKEN.fullmatch(token)
        if parts is None:
            return None
        said = parts[4] or parts[5]
        if not compare_digest(self._seal(parts[1], len(said)), said):
            return None
        return int(parts[2]), parts[3]

    def is_about(self, token: str, name: str) -> bool:
        """Whether a valid token belongs to this message."""
        length = OLD_MARK if len(token.rpartition("-")[2]) == OLD_SEAL + OLD_MARK else MARK
        return compare_digest(self._mark(name, length), token[-length:])

    def _seal(self, what: str, length: int) -> str:
        return _written(self._signing.seal(self._purpose, f"{self._installation}/{what}"), length)

    def _mark(self, name: str, length: int) -> str:
        return _written(self._signing.seal(self._purpose, name), length)


def _written(seal: str, length: int) -> str:
    """The first `length` characters of a seal: base32, or hexadecimal for links of earlier versions."""
    if length in {OLD_SEAL, OLD_MARK}:
        return seal[:length]
    return b32encode(bytes.fromhex(seal)).decode().lower()[:length]
