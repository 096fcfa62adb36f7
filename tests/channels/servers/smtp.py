"""A mail host: aiosmtpd with TLS and AUTH, on the test's own loop, that fails in the ways mail hosts fail."""

import asyncio
import socket
import ssl
import struct
from email import message_from_bytes
from email.policy import default

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class MailHost:
    """One host; `mails` are the messages it took, parsed, each with its envelope's recipients in `to`."""

    def __init__(self, user: str = "tocsin", password: str = "s3cret-p4ss", tls: str = "starttls") -> None:
        """`tls`: starttls, implicit, or none (then AUTH is not offered either)."""
        self._login = LoginPassword(user.encode(), password.encode())
        self._tls = tls
        self.mails: list = []
        self.sources: list[bytes] = []
        """The mails as they came."""
        self.to: list[str] = []
        self.returns: list[str] = []
        """The senders of their envelopes, where bounces go."""
        self.connections = 0
        self.answers: dict[str, str] = {}
        """Hook (RCPT, DATA, AUTH), or RCPT and an address → answer it gives instead of taking the mail.

        MAIL: its answer to each sender but the one of its own account.
        """
        self.account = "tocsin@example.org"
        self.utf8 = False
        """Whether it takes addresses with letters beyond ASCII (SMTPUTF8)."""
        self.raw = None
        """What it does with a connection instead of speaking SMTP: async (host, reader, writer)."""
        self.after_data = None
        """What it does when it has read the message: async (host, transport); the answer comes after."""
        self.over = asyncio.Event()
        self._misbehaving: list[asyncio.Task] = []
        authority = trustme.CA()
        self._server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(self._server_context)
        self.trust = ssl.create_default_context()
        """For clients that know its authority."""
        authority.configure_trust(self.trust)

    async def __aenter__(self):
        loop = asyncio.get_running_loop()
        implicit = self._server_context if self._tls == "implicit" else None
        self._server = await loop.create_server(self._protocol, "127.0.0.1", 0, ssl=implicit)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.over.set()
        await asyncio.gather(*self._misbehaving)
        self._server.close()
        await self._server.wait_closed()

    def _protocol(self):
        self.connections += 1
        if self.raw:
            reader = asyncio.StreamReader()
            return asyncio.StreamReaderProtocol(reader, self._misbehave)
        return SMTP(
            self,
            hostname="mail.example",
            tls_context=self._server_context if self._tls == "starttls" else None,
            require_starttls=self._tls == "starttls",
            auth_required=self._tls == "starttls",
            auth_require_tls=self._tls != "implicit",
            authenticator=self._authenticate,
            enable_SMTPUTF8=self.utf8,
            timeout=20,
        )

    async def _misbehave(self, reader, writer):
        self._misbehaving.append(asyncio.current_task())
        try:
            await self.raw(self, reader, writer)
        finally:
            writer.close()

    def _authenticate(self, _server, _session, _envelope, _mechanism, data):
        if "AUTH" in self.answers:
            return AuthResult(success=False, handled=False, message=self.answers["AUTH"])
        return AuthResult(success=data == self._login, handled=False)

    async def handle_MAIL(self, _server, _session, envelope, address, options):  # noqa: N802 - aiosmtpd's name
        if "MAIL" in self.answers and address != self.account:
            return self.answers["MAIL"]
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802 - aiosmtpd's name
        refusal = self.answers.get(f"RCPT {address}") or self.answers.get("RCPT")
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd's name
        if self.after_data:
            await self.after_data(self, server.transport)
        if "DATA" in self.answers:
            return self.answers["DATA"]
        if self._tls == "implicit" and not session.authenticated:
            return "530 5.7.0 Authentication required"
        self.sources.append(envelope.content)
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        self.to += envelope.rcpt_tos
        self.returns.append(envelope.mail_from)
        return "250 2.0.0 queued as 4F7K2"


async def hang(host, reader, writer):
    """Take the connection and say nothing."""
    await host.over.wait()


async def garbage(host, reader, writer):
    """Speak something else."""
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n\x00\xff\r\n")
    await writer.drain()
    await host.over.wait()


async def break_off(host, reader, writer):
    """Begin a greeting, then close."""
    writer.write(b"220-mail.exam")
    await writer.drain()


async def trickle(host, reader, writer):
    """A greeting of one byte after the other, without end."""
    writer.write(b"220-")
    try:
        while not host.over.is_set():
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.02)
    except ConnectionError:
        pass


async def dawdle(host, reader, writer):
    """Take every command well, each a good while later."""
    try:
        answer = b"220 mail.example\r\n"
        while not host.over.is_set():
            await asyncio.sleep(0.2)
            writer.write(answer)
            if not await reader.readline():
                return
            answer = b"250 OK\r\n"
    except ConnectionError:
        pass


async def reset(host, reader, writer):
    """Reset the connection at once."""
    cut_off(writer.transport)


async def cut_off_after_data(host, transport):
    """Read the message, then vanish: whether it was taken is unknown."""
    cut_off(transport)


async def hang_after_data(host, transport):
    """Read the message, and never answer."""
    await host.over.wait()


def cut_off(transport):
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
