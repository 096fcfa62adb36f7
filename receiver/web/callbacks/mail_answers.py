"""Takes the mail of the reply address from a mail server: replies that acknowledge, and bounces.

The server posts each mail as it came, with TOCSIN_EMAIL_INBOUND_TOKEN. The token in the mail's address authorises, as
a link does for the mail's reader: a reply acknowledges in the name of the recipient, for a day, the alarm it was
sent for and no later one. Rules: a mail written by a machine never acts, and gets no answer; every other reply to a
known message is answered with what was done; a mail posted twice is applied once.
"""

from collections.abc import Callable
from email.message import EmailMessage

import structlog
from aiohttp import web

from receiver.channels.email import EmailSender, make_sender, reply_address
from receiver.clients.egress import Egress
from receiver.core.audit_log import Origin
from receiver.core.events import Acknowledge, Rejected, Retry
from receiver.core.model import Instant, Notification, State
from receiver.messages.plain import line
from receiver.web.auth.access import CHALLENGE, holds
from receiver.web.auth.message_tokens import ANSWERS, BOUNCES, LASTS, MessageTokens
from receiver.web.auth.signing import Signing
from receiver.web.callbacks.actions import LATER, CallbackActions, SentMessage, stands
from receiver.web.callbacks.context import CallbackContext
from receiver.web.callbacks.inbound_mail import MailReply, Undelivered, read_mail
from receiver.web.callbacks.sms_answers import until_reported
from receiver.web.http.problem_details import Handler, HttpProblem
from receiver.web.http.request_body import read_body
from rules.addresses import MailAddress

PATH = "/callbacks/email"
"""Where a mail server posts the mail of the reply address."""

HOW = "To acknowledge, reply with ack as the first line, alone."

log = structlog.get_logger()


class MailAnswers:
    """The handler of mail to the reply address."""

    def __init__(
        self,
        queue: CallbackActions,
        *,
        token: str,
        address: MailAddress,
        sender: EmailSender,
        signing: Signing,
        installation: str,
        clock: Callable[[], Instant],
    ) -> None:
        """`token`: authenticates the mail server. `address`: the reply address. `sender`: for answers."""
        self._queue = queue
        self._token = token
        self._address = address
        self._sender = sender
        self._answers = MessageTokens(signing, installation, ANSWERS)
        self._bounces = MessageTokens(signing, installation, BOUNCES)
        self._clock = clock

    def routes(self) -> tuple[tuple[str, str, Handler], ...]:
        """Method, path, handler."""
        return (("POST", PATH, self.take),)

    async def take(self, request: web.Request) -> web.Response:
        """Takes one mail. 204: it was used or ignored; 503: the database does not answer, post it again."""
        if not holds(request, self._token):
            log.warning("mail refused: the token is wrong", is_it_right="TOCSIN_EMAIL_INBOUND_TOKEN")
            raise HttpProblem(401, "the token is missing or wrong", headers=CHALLENGE)
        match read_mail(await read_body(request), self._address):
            case Undelivered(token, reason):
                await self._bounce(token, reason)
            case MailReply() as reply:
                await self._reply(reply)
            case ignored:
                log.info("a mail to the reply address is ignored", reason=ignored.why)
        return web.Response(status=204)

    async def _bounce(self, token: str, reason: str) -> None:
        sent = await self._queue.by_token(self._bounces, token)
        if sent is None:
            log.warning("a bounce names no message that is known", reason=reason)
            return
        news = f"the mail came back: {reason}"
        await until_reported(lambda: self._queue.bounce(sent.name, news), news)

    async def _reply(self, reply: MailReply) -> None:
        sent = await self._queue.by_token(self._answers, reply.token)
        if sent is None:  # no answer: the address is open to strangers
            log.warning("a mail to the reply address answers no message that is known")
            return
        said = await self._act(sent, reply)
        mail = EmailMessage()
        mail["Subject"] = f"Re: {reply.subject.removeprefix('Re: ')}"
        if reply.message_id:
            mail["In-Reply-To"] = mail["References"] = reply.message_id
        mail.set_content(said)
        outcome = await self._sender.answer(reply.sender, mail)
        if isinstance(outcome, Retry | Rejected):
            log.warning("the answer to a reply could not be sent", reason=outcome.reason)

    async def _act(self, sent: SentMessage, reply: MailReply) -> str:
        """Acknowledges; returns what was done in words. Raises HttpProblem 503: to be tried again."""
        if not reply.acknowledges:
            return f"Nothing was done. {stands(sent.incident)}\n\n{HOW}"
        if sent.notifications[0].created_at + LASTS <= self._clock():
            return f"Nothing was done, because that mail is older than a day. {stands(sent.incident)}"
        who = self._queue.whom(sent.notifications[0])
        origin = Origin(who, "email", line(reply.sender), f"email {reply.message_id}" if reply.message_id else "")
        answer = await self._queue.answer(sent.notifications, origin, lambda page: _acknowledge(who, page))
        if answer is None or answer.lost:
            raise HttpProblem(503, LATER)
        return " ".join(answer.words("Acknowledged"))


def configure(context: CallbackContext) -> MailAnswers | None:
    """Configured if there is a reply address."""
    settings = context.settings
    mailbox = reply_address(settings)
    if not mailbox or not settings.email_inbound_token:
        return None
    return MailAnswers(
        context.actions,
        token=settings.email_inbound_token.get_secret_value(),
        address=mailbox,
        sender=make_sender(settings, Egress.of(settings)),
        signing=context.signing,
        installation=context.installation,
        clock=context.clock,
    )


def _acknowledge(who: str, page: Notification) -> Acknowledge:
    """Of the alarm of that page, and no later one."""
    return Acknowledge(who, "by e-mail", expects=State.OPEN, answers=page.page or None)
