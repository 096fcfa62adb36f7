"""E-mail over SMTP: one message to one recipient, threaded by incident.

A password is sent over TLS only. Every mail has its own Message-ID, constant across tries, so that servers may drop
duplicates but not a second page. Mails after the first of an incident refer to it and keep the incident's subject
(Gmail threads by both). Ids stay under 60 bytes: the standard library encodes longer ones, which breaks threads
(measured).

Where replies reach Tocsin (`receiver.web.callbacks.mail_answers`), the sender of the envelope is the reply address with
the message's token, so that a bounce names its message. A server that does not accept it gets TOCSIN_EMAIL_FROM.
"""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr
from hashlib import sha256
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

import aiosmtplib
import structlog

from receiver.channels import Configured, Outgoing
from receiver.channels.posting import excerpt
from receiver.clients.egress import Egress
from receiver.core.events import Delivered, Outcome, Rejected, Retry
from receiver.core.model import Kind
from receiver.errors import SettingsError
from receiver.messages import PICTURE_ID, Picture
from receiver.messages.times import moment
from receiver.settings import Settings
from rules.addresses import AddressError, MailAddress, parse_address
from rules.policy import CRITICAL, EMERGENCY, INFORMATIONAL, WARNING

TIMEOUT = 20.0
"""Seconds for everything, from the connection to the answer to the message."""
GOODBYE = 1.0
"""Seconds for QUIT, after delivery."""

LOCAL_ID = 26
"""Maximum length of an id's left part: ``inc.``, 16 digits, a dot, five digits."""
MAX_ID = 60

LONGEST_LOCAL = 16
"""Characters of the reply address before its @: a bundle's token has up to 47, an address 64 there."""

URGENCY = {
    EMERGENCY: ("1 (Highest)", "high"),
    CRITICAL: ("2 (High)", "high"),
    WARNING: ("3 (Normal)", "normal"),
    INFORMATIONAL: ("5 (Lowest)", "low"),
}
"""Level of a page → `X-Priority` and `Importance`. Mail programs read one of the two; only pages have them."""

SUBMISSION, SUBMISSIONS, RELAY = 587, 465, 25

RETURN_HEADER = "X-Tocsin-Message"
"""Has the message's token: a bounce returns the headers, also where a server replaces the envelope's sender."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Server:
    """The mail server, from a URL such as ``smtp://user:password@host:587`` or ``smtps://…``."""

    host: str
    port: int
    user: str | None
    password: str | None
    tls: bool
    """TLS from the first byte."""
    starttls: bool | None
    """True: required. None: used if the server offers it (a relay without a password)."""

    def __repr__(self) -> str:
        return f"Server({self.host}:{self.port})"

    @classmethod
    def parse(cls, url: str) -> "Server":
        """Raises SettingsError without the URL, which contains the password."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise SettingsError("TOCSIN_SMTP_URL: not a URL; write smtp://user:password@host:587") from None
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
            raise SettingsError("TOCSIN_SMTP_URL: write smtp://user:password@host:587 or smtps://user:password@host")
        user = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        tls = parts.scheme == "smtps"
        port = port or (SUBMISSIONS if tls else SUBMISSION if password else RELAY)
        private = password is not None or port == SUBMISSION
        starttls = False if tls else True if private else False if _is_loopback(parts.hostname) else None
        return cls(parts.hostname, port, user, password, tls, starttls)


class EmailSender:
    """The sender for channels of type email."""

    def __init__(
        self,
        url: str,
        sender: str,
        timeout: float = TIMEOUT,
        tls_context: ssl.SSLContext | None = None,
        reply_to: MailAddress | None = None,
    ) -> None:
        """`sender`: an address, with or without a name. `timeout`: seconds. `reply_to`: where replies and bounces go.

        Raises SettingsError.
        """
        self._server = Server.parse(url)
        name, address = parseaddr(sender)
        try:
            self._sender = parse_address(address, within=True)
            self._from = Address(name or "Tocsin", self._sender.local, self._sender.domain)
        except (AddressError, ValueError, MessageError) as error:
            raise SettingsError(f"TOCSIN_EMAIL_FROM: not an e-mail address: {sender!r} ({error})") from None
        self._timeout = timeout
        self._tls = tls_context
        self._reply_to = reply_to

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Sends one message to its one recipient."""
        try:
            recipient = parse_address(outgoing.notification.recipient)
            mail = self._write(outgoing, recipient)
        except (AddressError, ValueError, MessageError):
            return Rejected(f"{outgoing.notification.recipient!r} is not an e-mail address; mend it in the policy")
        back = tagged(self._reply_to, outgoing.return_token) if self._reply_to else self._sender
        return await self._submit(mail, recipient, back, outgoing.notification.recipient)

    async def answer(self, to: str, mail: EmailMessage) -> Outcome:
        """Sends an answer to a reply; `mail` lacks only sender, recipient and date."""
        try:
            recipient = parse_address(to)
            mail["From"], mail["To"] = self._from, Address(username=recipient.local, domain=recipient.domain)
        except (AddressError, ValueError, MessageError):
            return Rejected("the reply has no usable sender")
        mail["Auto-Submitted"] = "auto-replied"
        mail["List-Id"] = list_id(self._from.domain)
        return await self._submit(mail, recipient, self._sender, to)

    async def _submit(self, mail: EmailMessage, recipient: MailAddress, back: MailAddress, shown: str) -> Outcome:
        """`back`: the envelope's sender. `shown`: the recipient in reasons."""
        client = self._client()
        try:
            async with asyncio.timeout(self._timeout):
                await client.connect()
                await self._hand_over(client, mail, recipient, back)
        except Exception as error:  # noqa: BLE001 - all errors are judged: a channel never raises
            return self._judge(error, shown)
        else:
            await _say_goodbye(client)
            return Delivered(str(mail["Message-ID"]))  # the store cannot encode a header object
        finally:
            client.close()

    async def _hand_over(
        self, client: aiosmtplib.SMTP, mail: EmailMessage, recipient: MailAddress, back: MailAddress
    ) -> None:
        """Hands the mail to the server. Many servers accept only the account's own address as the envelope's sender."""
        try:
            await client.send_message(mail, sender=str(back), recipients=[str(recipient)])
        except (aiosmtplib.SMTPResponseException, aiosmtplib.SMTPRecipientsRefused) as error:
            if back == self._sender or not _is_final(error):
                raise
            await client.send_message(mail, sender=str(self._sender), recipients=[str(recipient)])
            log.warning(
                "the mail host does not accept TOCSIN_EMAIL_REPLY_TO as the envelope's sender: bounces go to"
                " TOCSIN_EMAIL_FROM",
                host=self._server.host,
            )

    async def why_refused(self) -> str:
        """Connects, encrypts and logs in as for a message, and sends none. Returns what fails; empty: nothing."""
        client = self._client()
        try:
            async with asyncio.timeout(self._timeout):
                await client.connect()
                await client.ehlo()
        except Exception as error:  # noqa: BLE001 - judged, as in `send`
            return self._judge(error, "").reason
        else:
            await _say_goodbye(client)
            return ""
        finally:
            client.close()

    async def close(self) -> None:
        """Does nothing: no state between messages."""

    def _client(self) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self._server.host,
            port=self._server.port,
            username=self._server.user,
            password=self._server.password,
            use_tls=self._server.tls,
            start_tls=self._server.starttls,
            timeout=self._timeout,
            tls_context=self._tls,
        )

    def _write(self, outgoing: Outgoing, recipient: MailAddress) -> EmailMessage:
        """Returns the mail. Raises ValueError or MessageError for values that a header cannot hold."""
        notification, message = outgoing.notification, outgoing.message
        root = outgoing.thread.partition(" ")[0]  # older versions stored the subject after it
        utf8 = recipient.needs_utf8 or self._sender.needs_utf8
        mail = EmailMessage(policy=SMTP_POLICY.clone(utf8=utf8))
        mail["From"] = self._from
        mail["To"] = Address(username=recipient.local, domain=recipient.domain)
        is_answer = root and notification.kind is not Kind.EXTERNAL
        mail["Subject"] = f"Re: {message.subject}" if is_answer else message.subject
        mail["Date"] = format_datetime(moment(notification.created_at))
        mail["Message-ID"] = message_id(outgoing, self._from.domain)
        if self._reply_to and message.answer_token:
            answers = tagged(self._reply_to, message.answer_token)
            mail["Reply-To"] = Address(username=answers.local, domain=answers.domain)
        if self._reply_to and outgoing.return_token:
            mail[RETURN_HEADER] = outgoing.return_token
        if root:
            mail["In-Reply-To"] = root
            mail["References"] = root
        mail["Auto-Submitted"] = "auto-generated"
        mail["X-Auto-Response-Suppress"] = "All"
        mail["List-Id"] = list_id(self._from.domain)
        if notification.kind is Kind.PAGE and (urgency := URGENCY.get(message.level)):
            mail["X-Priority"], mail["Importance"] = urgency
        mail.set_content(message.text, cte="quoted-printable")
        mail.add_alternative(message.html, subtype="html", cte="quoted-printable")
        if message.picture:
            _add_picture(mail, message.picture)
        return mail

    def _judge(self, error: Exception, recipient: str) -> Retry | Rejected:
        """Returns the outcome of a failure: 4yz and network errors are temporary; 5yz and
        configuration errors are not.
        """
        server = f"{self._server.host}:{self._server.port}"
        if _ssl_error(error) is not None:
            return Rejected(f"TLS with {server} fails ({_tls_reason(error)}): check TOCSIN_SMTP_URL and certificates")
        match error:
            case aiosmtplib.SMTPAuthenticationError(code=code) if code >= 500:
                return Rejected(f"{server} refuses our user or password ({code}): check TOCSIN_SMTP_URL")
            case aiosmtplib.SMTPRecipientsRefused(recipients=[refused, *_]):
                return self._judge_code(refused.code, refused.message, f"{server} refuses {recipient}")
            case aiosmtplib.SMTPResponseException(code=code, message=text):
                return self._judge_code(code, text, f"{server} answers")
            case TimeoutError():
                return Retry(f"no answer from {server} within {self._timeout:g} s")
            case OSError():
                return Retry(f"no connection with {server} ({type(error).__name__})")
            case aiosmtplib.SMTPNotSupported() if "SMTPUTF8" in str(error):
                return Rejected(f"{server} takes no addresses with letters beyond ASCII (SMTPUTF8), as {recipient} has")
            case aiosmtplib.SMTPException():
                # A feature that the server lacks: STARTTLS, AUTH.
                return Rejected(f"{server}: {self._shown(str(error))}; check TOCSIN_SMTP_URL")
            case _:
                return Retry(f"{server}: {type(error).__name__}")

    def _judge_code(self, code: int, text: str, what: str) -> Retry | Rejected:
        said = f"{what}: {code} {self._shown(text)}"
        return Rejected(said) if 500 <= code < 600 else Retry(said)

    def _shown(self, text: str) -> str:
        return excerpt(text, [self._server.password or ""])


def configure(settings: Settings, _now: Callable[[], int]) -> Configured | None:
    """Configured if there is a mail server and a sender address."""
    if not (settings.smtp_url and settings.email_from):
        return None
    return Configured(lambda egress: make_sender(settings, egress))


def make_sender(settings: Settings, egress: Egress) -> EmailSender:
    """Makes the sender of complete settings. Raises SettingsError."""
    assert settings.smtp_url, "`configure` looks first"
    assert settings.email_from, "the same"
    url, reply_to = settings.smtp_url.get_secret_value(), reply_address(settings)
    return EmailSender(url, settings.email_from, tls_context=egress.tls, reply_to=reply_to)


def reply_address(settings: Settings) -> MailAddress | None:
    """The address for replies and bounces; None: there is none. Raises SettingsError."""
    if not settings.email_reply_to:
        return None
    try:
        address = parse_address(settings.email_reply_to, within=True)
    except AddressError as error:
        raise SettingsError(f"TOCSIN_EMAIL_REPLY_TO: not an e-mail address ({error})") from None
    if len(address.local) > LONGEST_LOCAL or address.needs_utf8 or "+" in address.local:
        raise SettingsError(
            f"TOCSIN_EMAIL_REPLY_TO: before its @ it needs at most {LONGEST_LOCAL} ASCII characters without a plus,"
            " because + and a token follow them"
        )
    return address


def tagged(address: MailAddress, token: str) -> MailAddress:
    """The address with a message's token: ``tocsin+12-3-…@example.org``. Without a token the address itself."""
    return MailAddress(f"{address.local}+{token}", address.domain) if token else address


def _add_picture(mail: EmailMessage, picture: Picture) -> None:
    html = mail.get_body(("html",))
    assert isinstance(html, EmailMessage), "it was just added"
    html.add_related(picture.png, "image", "png", cid=f"<{PICTURE_ID}>", filename="signals.png", disposition="inline")


def message_id(outgoing: Outgoing, domain: str) -> str:
    """Returns ``<inc.HASH.N@domain>``: unique to this notification, constant across tries, at most 60 bytes."""
    notification = outgoing.notification
    whose = sha256(f"{outgoing.incident_ref}/{notification.recipient}".encode()).hexdigest()[:16]
    local = f"inc.{whose}.{notification.sequence}"[:LOCAL_ID]
    return f"<{local}@{_short_domain(domain, MAX_ID - LOCAL_ID - len('<@>'))}>"


def list_id(domain: str) -> str:
    """Returns ``Tocsin <tocsin.domain>`` (RFC 2919), constant for all mails, so that one filter matches them."""
    return f"Tocsin <tocsin.{_short_domain(domain, MAX_ID - len('tocsin.'))}>"


def _short_domain(domain: str, limit: int) -> str:
    """Returns the domain, without its first labels if it is too long for an id."""
    try:
        name = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return "tocsin.invalid"
    while len(name) > limit and "." in name:
        name = name.partition(".")[2]
    return name if name and len(name) <= limit else "tocsin.invalid"


async def _say_goodbye(client: aiosmtplib.SMTP) -> None:
    """Sends QUIT. Errors are ignored: the message is delivered."""
    with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
        async with asyncio.timeout(GOODBYE):
            await client.quit()


def _is_final(error: aiosmtplib.SMTPResponseException | aiosmtplib.SMTPRecipientsRefused) -> bool:
    codes = [error.code] if isinstance(error, aiosmtplib.SMTPResponseException) else [e.code for e in error.recipients]
    return all(500 <= code < 600 for code in codes)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _ssl_error(error: BaseException | None) -> ssl.SSLError | None:
    """Returns the TLS error behind an error (certificate, protocol); None for others, such as a broken connection."""
    while error is not None:
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _tls_reason(error: BaseException) -> str:
    found = _ssl_error(error)
    if isinstance(found, ssl.SSLCertVerificationError):
        return found.verify_message
    return (found.reason if found else None) or "the server speaks no TLS"
