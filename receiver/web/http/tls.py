"""TLS of `serve`, where TOCSIN_TLS_CERT_FILE is set, with optional client certificates.

New connections use `Tls.context`. The files are read every hour and with each reload, so that a renewed certificate or
client CA is used without a restart; each reading makes a new context, and one in use is never changed. Rules: TLS 1.2
or newer; an error about a file names its setting, never its content, and the files in use stay. A valid certificate is
not replaced by an invalid one. At the start an invalid certificate is used and logged as an error, since open incidents
need their pages. Refused handshakes are logged, at most one line in `APART` microseconds.
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.x509 import Certificate, load_pem_x509_certificates

from receiver.clock import steady_clock, wall_clock
from receiver.errors import SettingsError
from receiver.settings import Settings
from receiver.telemetry.metrics import Metrics
from rules.policy import SECOND
from rules.whole_files import read_whole

EVERY = 3600.0
"""Seconds between readings of the files."""

APART = 10 * SECOND
"""Microseconds between two log lines about refused handshakes."""

LARGEST = 4 << 20
"""Bytes of a file: a bundle of all authorities has 250 kB. OpenSSL itself would block on a pipe or read without limit.
"""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Loaded:
    """Result of one reading of the files."""

    context: ssl.SSLContext
    certificates: dict[str, Sequence[Certificate]] = field(default_factory=dict)
    """By file: `server` (the own certificate first, then its chain), `client_ca`."""
    invalid: str = ""
    """The fault of a certificate that clients refuse now, or of a CA that refuses every client; empty: none."""


class Tls:
    """The certificates of one listener."""

    def __init__(self, settings: Settings, metrics: Metrics | None = None) -> None:
        """Raises SettingsError for unusable files."""
        self._settings = settings
        self._metrics = metrics
        self.context: ssl.SSLContext | None = None
        """The context of new connections; None: plain HTTP."""
        self._certificates: dict[str, Sequence[Certificate]] = {}
        """In use, as in `_Loaded`."""
        self._logged_at, self._unlogged = -APART, 0
        """Time of the last log line about refused handshakes (steady microseconds), and refusals since then."""
        if settings.tls_cert_file is None:
            return
        self._take(_load(settings))

    async def look(self) -> None:
        """Reads the files for renewed certificates."""
        self.reload()

    def reload(self) -> list[str]:
        """Reads the files again; new connections use them. Returns the problems; the files in use may stay."""
        if self.context is None:
            return []
        try:
            loaded = _load(self._settings)
        except SettingsError as error:
            return self._refuse(str(error))
        if loaded.invalid and loaded.certificates != self._certificates:
            return self._refuse(loaded.invalid)
        self._take(loaded)
        return [loaded.invalid] if loaded.invalid else []

    def _refuse(self, reason: str) -> list[str]:
        log.error("certificate not taken; the one in use stays", reason=reason)
        return [reason]

    def _take(self, loaded: _Loaded) -> None:
        if loaded.invalid:
            log.error("serving with a certificate that is not valid", reason=loaded.invalid)
        if loaded.certificates != self._certificates:
            _doubt_chain(loaded.certificates)
        self.context, self._certificates = loaded.context, loaded.certificates
        if self._metrics:
            ends = {file: min(map(_end, found)) for file, found in loaded.certificates.items()}
            self._metrics.certificates(ends)

    def say_refused(self, error: Exception, address: str) -> None:
        """Logs a refused handshake; `address`: the client's."""
        now = steady_clock()
        if now - self._logged_at < APART:
            self._unlogged += 1
            return
        others = self._unlogged
        log.warning("TLS handshake refused", reason=_reason(error), address=address, others_since_the_last_line=others)
        self._logged_at, self._unlogged = now, 0


def _reason(error: Exception) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"the client's certificate: {error.verify_message}"
        case ssl.SSLError():
            return (error.reason or "unknown").lower().replace("_", " ")
        case _:
            return "the client left, or took too long"


def problem_of(settings: Settings) -> str:
    """Why clients would refuse the certificate, or why every client would be refused; empty: neither.

    Raises SettingsError.
    """
    return _load(settings).invalid


def _load(settings: Settings) -> _Loaded:
    """Raises SettingsError for unusable files."""
    certificate, key, authority = settings.tls_cert_file, settings.tls_key_file, settings.tls_client_ca_file
    assert certificate is not None, "asked only where there is one"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        for file in filter(None, (certificate, key)):
            read_whole(file, LARGEST)
        context.load_cert_chain(certificate, key, _no_password)
        found = {"server": _read(certificate)}
    except (OSError, ssl.SSLError, ValueError) as error:
        raise SettingsError(f"TOCSIN_TLS_CERT_FILE, TOCSIN_TLS_KEY_FILE: {_why(error)}: {certificate}, {key}") from None
    said = [_judge("TOCSIN_TLS_CERT_FILE", certificate, found["server"])]
    if authority is not None:
        try:
            read_whole(authority, LARGEST)
            context.load_verify_locations(authority)
            found["client_ca"] = _read(authority)
        except (OSError, ssl.SSLError, ValueError) as error:
            raise SettingsError(f"TOCSIN_TLS_CLIENT_CA_FILE: {_why(error)}: {authority}") from None
        context.verify_mode = ssl.CERT_REQUIRED if settings.tls_clients == "all" else ssl.CERT_OPTIONAL
        if not any(_begin(each) <= _now() < _end(each) for each in found["client_ca"]):
            said.append(f"TOCSIN_TLS_CLIENT_CA_FILE: no certificate in it is valid now: {authority}; renew it")
    return _Loaded(context, found, "\n".join(filter(None, said)))


def _judge(setting: str, file: Path, chain: Sequence[Certificate]) -> str:
    """Why clients refuse that certificate or its chain; empty: no fault found."""
    for place, each in enumerate(chain):
        what = f"the certificate of {_name(each)}"
        if _end(each) <= _now():
            return f"{setting}: {what} expired at {_said(_end(each))}: {file}; renew it"
        if _begin(each) > _now():
            return f"{setting}: {what} is not valid before {_said(_begin(each))}: {file}; is the clock right?"
        if place + 1 < len(chain) and not _is_issued_by(each, chain[place + 1]):
            return f"{setting}: {what} is not issued by the next one in the file: {file}; put the chain in order"
    return ""


def _doubt_chain(certificates: dict[str, Sequence[Certificate]]) -> None:
    """Warns if the chain ends below an authority that clients are unlikely to know."""
    last = certificates["server"][-1]
    roots = {str(part[0][1]) for each in ssl.create_default_context().get_ca_certs() for part in each["subject"]}
    known = {each.subject for each in (last, *certificates.get("client_ca", ()))}
    if last.issuer not in known and not roots.intersection(str(each.value) for each in last.issuer):
        log.warning(
            "clients that do not know our certificate's issuer refuse it: the file holds no certificate of that issuer",
            setting="TOCSIN_TLS_CERT_FILE",
            issuer=last.issuer.rfc4514_string(),
        )


def _is_issued_by(certificate: Certificate, issuer: Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _read(file: Path) -> Sequence[Certificate]:
    """The certificates in a file. Raises OSError, ValueError."""
    return load_pem_x509_certificates(read_whole(file, LARGEST))


def _name(certificate: Certificate) -> str:
    return certificate.subject.rfc4514_string() or f"serial {certificate.serial_number:x}"


def _begin(certificate: Certificate) -> float:
    return certificate.not_valid_before_utc.timestamp()


def _end(certificate: Certificate) -> float:
    """Seconds since 1970."""
    return certificate.not_valid_after_utc.timestamp()


def _now() -> float:
    return wall_clock() / SECOND


def _said(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"


def _no_password() -> str:
    raise ValueError("the key is encrypted, and nobody is there to open it at a start")


def _why(error: Exception) -> str:
    match error:
        case ssl.SSLError():
            return "they are no certificate and its key in PEM, or do not belong together"
        case OSError():
            return f"cannot be read ({error.strerror})"
        case _:
            return str(error)
