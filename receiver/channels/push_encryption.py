"""Web Push encryption, which only the browser can decrypt (RFC 8291), and the sender's signature (VAPID, RFC 8292).

Uses `cryptography`, which is a dependency anyway: libraries for Web Push require requests or a build from source, and
add about forty lines around the same calls. The test uses the RFC's example.
"""

import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from dataclasses import dataclass
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

MOST = 3000
"""Maximum bytes of plain text; push services must accept 4096 including the encryption's overhead."""
RECORD = 4096
LASTS = 12 * 3600
"""Seconds that a signature is valid; push services refuse more than a day."""

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Order of the curve P-256."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A browser's decoded keys."""

    public: ec.EllipticCurvePublicKey
    auth: bytes

    @classmethod
    def parse(cls, p256dh: str, auth: str) -> "Subscription":
        """Parses the browser's keys in base64url. Raises ValueError."""
        try:
            public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), from_base64(p256dh))
            secret = from_base64(auth)
        except Error as error:
            raise ValueError("the keys are no base64url") from error
        if len(secret) != 16:
            raise ValueError("the secret has not 16 bytes")
        return cls(public, secret)


def encrypt(text: bytes, to: Subscription, own: ec.EllipticCurvePrivateKey, salt: bytes) -> bytes:
    """Returns the body of a push message in ``aes128gcm``. `own` and `salt` (16 bytes) must be new for each message."""
    ours, theirs = point(own.public_key()), point(to.public)
    shared = own.exchange(ec.ECDH(), to.public)
    secret = _derive(to.auth, shared, b"WebPush: info\0" + theirs + ours, 32)
    key = _derive(salt, secret, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derive(salt, secret, b"Content-Encoding: nonce\0", 12)
    head = salt + RECORD.to_bytes(4, "big") + bytes([len(ours)]) + ours
    return head + AESGCM(key).encrypt(nonce, text + b"\x02", None)  # 2: the last record


def encrypt_once(text: bytes, to: Subscription) -> bytes:
    """Returns the same with a new key and salt."""
    return encrypt(text, to, ec.generate_private_key(ec.SECP256R1()), os.urandom(16))


def sender_key(key: str) -> ec.EllipticCurvePrivateKey:
    """Derives Tocsin's key for push services from the key that signs sessions: the same for every replica."""
    scalar = int.from_bytes(_derive(b"tocsin", key.encode(), b"web push sender", 48), "big")
    return ec.derive_private_key(scalar % (_ORDER - 1) + 1, ec.SECP256R1())


def authorization(own: ec.EllipticCurvePrivateKey, endpoint: str, contact: str, now: int) -> str:
    """Returns the header that identifies the sender. `contact`: its URL; `now`: seconds since 1970."""
    parts = urlsplit(endpoint)
    claims = {"aud": f"{parts.scheme}://{parts.netloc}", "exp": now + LASTS, "sub": contact}
    signed = ".".join(to_base64(json.dumps(each).encode()) for each in ({"typ": "JWT", "alg": "ES256"}, claims))
    r, s = decode_dss_signature(own.sign(signed.encode(), ec.ECDSA(SHA256())))
    signature = to_base64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    return f"vapid t={signed}.{signature}, k={to_base64(point(own.public_key()))}"


def point(key: ec.EllipticCurvePublicKey) -> bytes:
    """Returns a public key as browsers and push services encode it: 65 bytes."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def to_base64(octets: bytes) -> str:
    """Encodes in base64url, without padding."""
    return urlsafe_b64encode(octets).decode().rstrip("=")


def from_base64(text: str) -> bytes:
    """Decodes base64url, with or without padding. Raises ValueError."""
    return urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))


def _derive(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(secret)
