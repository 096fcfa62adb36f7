"""A mail host."""

from contextlib import asynccontextmanager

from receiver.channels.email import EmailSender
from tests.channels.outgoings import outgoing
from tests.channels.providers import Mishap, Provider
from tests.channels.servers import smtp
from tests.channels.servers.smtp import MailHost


@asynccontextmanager
async def provider(patience):
    password = "pa55-w0rd-of-the-relay"
    async with MailHost("tocsin", password) as host:

        def answer(**answers):
            return lambda: host.answers.update(answers)

        def raw(behaviour):
            return lambda: setattr(host, "raw", behaviour)

        def after_data(behaviour):
            return lambda: setattr(host, "after_data", behaviour)

        yield Provider(
            EmailSender(
                f"smtp://tocsin:{password}@localhost:{host.port}",
                "tocsin@example.org",
                patience,
                tls_context=host.trust,
            ),
            outgoing("email", "ada@example.org"),
            (password,),
            {
                Mishap.LIMITED_FOR: answer(RCPT="450 4.7.0 Try again in 7 seconds"),
                Mishap.LIMITED: answer(RCPT="451 4.7.1 Greylisted, come back in 5 minutes"),
                Mishap.UNAVAILABLE: answer(DATA="452 4.3.1 Insufficient system storage"),
                Mishap.HANG: raw(smtp.hang),
                Mishap.HANG_LATE: after_data(smtp.hang_after_data),
                Mishap.RESET_UNREAD: raw(smtp.reset),
                Mishap.RESET_READ: after_data(smtp.cut_off_after_data),
                Mishap.TRICKLE: raw(smtp.trickle),
                Mishap.GARBAGE: raw(smtp.garbage),
                Mishap.BROKEN_OFF: raw(smtp.break_off),
                Mishap.REFUSED: answer(RCPT=f"550 5.1.1 No such user here ({password})"),
                Mishap.CREDENTIALS: lambda: setattr(host, "_login", None),
            },
            lambda: len(host.mails),
            says_when=False,
        )
