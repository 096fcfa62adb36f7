"""What a push service and a browser ask of a message: encryption that only the browser can undo (RFC 8291), and a
signature that says who sends (VAPID, RFC 8292).

By `cryptography` alone, which is here anyway: the libraries for it bring requests or a build from source along, and are
forty lines around the same calls. The test holds these to the RFC's own example.
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
"""Bytes of a message's plain text; push services must take 4096 with what encryption adds."""
RECORD = 4096
LASTS = 12 * 3600
"""Seconds that a signature is good for; push services refuse more than a day."""

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the curve P-256."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A browser's keys, decoded."""

    public: ec.EllipticCurvePublicKey
    auth: bytes

    @classmethod
    def parse(cls, p256dh: str, auth: str) -> "Subscription":
        """Of what the browser gave, in base64url. Raises ValueError."""
        try:
            public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), from_base64(p256dh))
            secret = from_base64(auth)
        except Error as error:
            raise ValueError("the keys are no base64url") from error
        if len(secret) != 16:
            raise ValueError("the secret has not 16 bytes")
        return cls(public, secret)


def encrypt(text: bytes, to: Subscription, own: ec.EllipticCurvePrivateKey, salt: bytes) -> bytes:
    """The body of a push message, in ``aes128gcm``. `own` and `salt` (16 bytes) are made for this message alone."""
    ours, theirs = point(own.public_key()), point(to.public)
    shared = own.exchange(ec.ECDH(), to.public)
    secret = _derive(to.auth, shared, b"WebPush: info\0" + theirs + ours, 32)
    key = _derive(salt, secret, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derive(salt, secret, b"Content-Encoding: nonce\0", 12)
    head = salt + RECORD.to_bytes(4, "big") + bytes([len(ours)]) + ours
    return head + AESGCM(key).encrypt(nonce, text + b"\x02", None)  # 2: the last record


def encrypt_once(text: bytes, to: Subscription) -> bytes:
    """The same, with a new key and salt."""
    return encrypt(text, to, ec.generate_private_key(ec.SECP256R1()), os.urandom(16))


def sender_key(key: str) -> ec.EllipticCurvePrivateKey:
    """Tocsin's own key for push services, made of the key that signs sessions: the same for every replica."""
    scalar = int.from_bytes(_derive(b"tocsin", key.encode(), b"web push sender", 48), "big")
    return ec.derive_private_key(scalar % (_ORDER - 1) + 1, ec.SECP256R1())


def authorization(own: ec.EllipticCurvePrivateKey, endpoint: str, contact: str, now: int) -> str:
    """The header that says who sends. `contact`: where a push service finds us; `now`: seconds since 1970."""
    parts = urlsplit(endpoint)
    claims = {"aud": f"{parts.scheme}://{parts.netloc}", "exp": now + LASTS, "sub": contact}
    signed = ".".join(to_base64(json.dumps(each).encode()) for each in ({"typ": "JWT", "alg": "ES256"}, claims))
    r, s = decode_dss_signature(own.sign(signed.encode(), ec.ECDSA(SHA256())))
    signature = to_base64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    return f"vapid t={signed}.{signature}, k={to_base64(point(own.public_key()))}"


def point(key: ec.EllipticCurvePublicKey) -> bytes:
    """A public key as browsers and push services write it: 65 bytes."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def to_base64(octets: bytes) -> str:
    """In base64url, without padding."""
    return urlsafe_b64encode(octets).decode().rstrip("=")


def from_base64(text: str) -> bytes:
    """Of base64url, with padding or without. Raises ValueError."""
    return urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))


def _derive(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(secret)
