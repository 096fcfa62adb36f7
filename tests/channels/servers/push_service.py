"""A push service, and the browsers that it serves: it believes only who signs (VAPID), and they decrypt (RFC 8291)."""

import hmac
import json
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256

from receiver.channels.push_encryption import from_base64, point, to_base64
from tests.channels.servers.wire import Reply, Request, Wire


def hkdf(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 for at most 32 bytes, by hand."""
    return hmac.digest(hmac.digest(salt, secret, "sha256"), info + b"\x01", "sha256")[:length]


@dataclass
class Browser:
    """A browser's keys, and what it showed."""

    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = b"sixteen octets.."
    shown: list[dict] = field(default_factory=list)

    @property
    def p256dh(self) -> str:
        return to_base64(point(self.private.public_key()))

    def decrypt(self, body: bytes) -> bytes:
        salt, size, rest = body[:16], body[20], body[21:]
        sender, sealed = rest[:size], rest[size:]
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
        own = point(self.private.public_key())
        secret = hkdf(self.auth, self.private.exchange(ec.ECDH(), public), b"WebPush: info\0" + own + sender, 32)
        key = hkdf(salt, secret, b"Content-Encoding: aes128gcm\0", 16)
        nonce = hkdf(salt, secret, b"Content-Encoding: nonce\0", 12)
        return AESGCM(key).decrypt(nonce, sealed, None).rstrip(b"\0").removesuffix(b"\x02")


class PushService:
    """Serves browsers by the path of their endpoint, and knows which sender each subscribed to."""

    def __init__(self, now: int, sender: ec.EllipticCurvePublicKey) -> None:
        """`now`: seconds since 1970."""
        self._now, self._sender = now, sender
        self.browsers: dict[str, Browser] = {}
        self.headers: list[dict[str, str]] = []
        self.wire = Wire(self.answer)

    def endpoint(self, name: str) -> str:
        return f"{self.wire.url}/push/{name}"

    def answer(self, request: Request) -> Reply:
        browser = self.browsers.get(request.path.removeprefix("/push/"))
        if browser is None:
            return Reply(410, b"unsubscribed")
        if not self._is_signed(request.headers["authorization"]):
            return Reply(403, b"invalid JWT")
        if len(request.body) > 4096 or request.headers["content-encoding"] != "aes128gcm":
            return Reply(413)
        assert int(request.headers["ttl"]) > 0
        self.headers.append(request.headers)
        browser.shown.append(json.loads(browser.decrypt(request.body)))
        return Reply(201, b"", {"Location": f"{self.wire.url}/message/1"})

    def _is_signed(self, header: str) -> bool:
        scheme, _, rest = header.partition(" ")
        said = dict(part.strip().split("=", 1) for part in rest.split(","))
        head, claims, signature = said["t"].split(".")
        octets, told = from_base64(signature), json.loads(from_base64(claims))
        whole = encode_dss_signature(int.from_bytes(octets[:32], "big"), int.from_bytes(octets[32:], "big"))
        self._sender.verify(whole, f"{head}.{claims}".encode(), ec.ECDSA(SHA256()))
        is_timely = self._now < told["exp"] <= self._now + 86_400
        ours = said["k"] == to_base64(point(self._sender))
        return scheme == "vapid" and told["aud"] == self.wire.url and is_timely and ours and bool(told["sub"])


def identity(endpoint: str) -> str:
    return sha256(endpoint.encode()).hexdigest()[:32]
