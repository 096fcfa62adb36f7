"""TLS of our own: what `serve` listens with where TOCSIN_TLS_CERT_FILE is set, and who must show a certificate.

The service listens with `Tls.context` and has the files read again, every hour and with each reload, so that a
certificate that was renewed is used without a restart. Rules: TLS 1.2 or newer; a file that cannot be used is said
with its setting and without its content, and what is in use stays.
"""

import ssl

import structlog

from receiver.errors import SettingsError
from receiver.settings import Settings

EVERY = 3600.0
"""Seconds between looks at the files."""

log = structlog.get_logger()


class Tls:
    """The certificates of one listener."""

    def __init__(self, settings: Settings) -> None:
        """Raises SettingsError for files that cannot be used."""
        self._settings = settings
        self.context = _make_context(settings)
        """What to listen with; None: plain HTTP."""

    async def look(self) -> None:
        """Use what was renewed."""
        self.reload()

    def reload(self) -> list[str]:
        """Read certificate and key again; new connections use them. Returns the problem.

        In the loop's own thread, short as it is: OpenSSL crashes when a context changes while a handshake begins.
        """
        if self.context is None:
            return []
        try:
            _read_certificate(self.context, self._settings)
        except SettingsError as error:
            log.error("certificate not read again; the one in use stays", reason=str(error))
            return [str(error)]
        return []


def _make_context(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _read_certificate(context, settings)
    if settings.tls_client_ca_file is not None:
        try:
            context.load_verify_locations(settings.tls_client_ca_file)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(f"TOCSIN_TLS_CLIENT_CA_FILE: {_why(error)}: {settings.tls_client_ca_file}") from None
        context.verify_mode = ssl.CERT_REQUIRED if settings.tls_clients == "all" else ssl.CERT_OPTIONAL
    return context


def _read_certificate(context: ssl.SSLContext, settings: Settings) -> None:
    """Tried in a context of its own first: a half-read pair would spoil the one in use."""
    certificate, key = settings.tls_cert_file, settings.tls_key_file
    if certificate is None or key is None:
        return
    try:
        for one in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), context):
            one.load_cert_chain(certificate, key, _no_password)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise SettingsError(f"TOCSIN_TLS_CERT_FILE, TOCSIN_TLS_KEY_FILE: {_why(error)}: {certificate}, {key}") from None


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
