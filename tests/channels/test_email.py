"""E-mail: how mails look and thread, what goes over TLS, and what a mail host's answers mean."""

import dataclasses

import pytest
from aiohttp import web
from msgspec.structs import replace

from receiver.channels import SEND_TIMEOUT
from receiver.channels.email import EmailSender, Server, message_id
from receiver.core.events import Delivered, Rejected, Retry
from receiver.core.model import Kind, Reason
from receiver.demo.stand_ins import start_web
from receiver.demo.tools import free_port
from receiver.errors import SettingsError
from receiver.messages import PICTURE_ID, Picture
from rules.addresses import parse_address
from tests.channels.servers import smtp
from tests.channels.servers.smtp import MailHost
from tests.channels.stories import outgoing
from tests.messages import samples

PASSWORD = "p4ss/w:rd@home"
QUOTED = "p4ss%2Fw%3Ard%40home"


@pytest.fixture
async def host():
    async with MailHost("tocsin", PASSWORD) as host:
        yield host


@pytest.fixture
def sender(host):
    return EmailSender(url(host), "Tocsin <tocsin@example.org>", SEND_TIMEOUT, host.trust)


def url(host, scheme="smtp", login=f"tocsin:{QUOTED}@"):
    return f"{scheme}://{login}localhost:{host.port}"


async def test_mail_has_both_forms_and_says_it_is_automatic(host, sender):
    """A page arrives as text and HTML, to one person, marked as generated so that no auto-reply answers it."""
    assert isinstance(await sender.send(outgoing("email")), Delivered)
    (mail,) = host.mails
    assert mail["To"] == "incident-response@company.com"
    assert mail["From"] == "Tocsin <tocsin@example.org>"
    assert mail["Subject"] == "#12 landing-7: safety_margin_violation"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert mail["List-Unsubscribe"] is None
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert "To acknowledge: tocsin acknowledge 12" in text.get_content()
    assert 'href="https://tocsin.example.org/incidents/12"' in html.get_content()
    assert host.to == ["incident-response@company.com"]


@pytest.mark.parametrize(
    ("level", "priority", "importance"),
    [(4, "1 (Highest)", "high"), (3, "2 (High)", "high"), (2, "3 (Normal)", "normal"), (1, "5 (Lowest)", "low")],
)
async def test_a_page_is_as_important_as_its_level(host, sender, level, priority, importance):
    """Mail programs show a page's level, whichever of the two headers they read."""
    await sender.send(outgoing("email", incident=replace(samples.INCIDENT, level=level)))
    (mail,) = host.mails
    assert (mail["X-Priority"], mail["Importance"]) == (priority, importance)


async def test_what_is_no_page_is_not_marked_as_important(host, sender):
    """An all-clear of an emergency has neither header: a mark that is always there says nothing."""
    await sender.send(outgoing("email", Kind.RESOLVED, Reason.ACTION, incident=samples.resolved()))
    (mail,) = host.mails
    assert mail["X-Priority"] is mail["Importance"] is None


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("example.org", "tocsin.example.org"),
        ("b\u00fccher.example", "tocsin.xn--bcher-kva.example"),
        (f"{'mail-relay.' * 8}example.org", f"tocsin.{'mail-relay.' * 3}example.org"),
    ],
)
async def test_one_filter_finds_every_mail(host, domain, expected):
    """Pages and follow-ups of every incident have one plain `List-Id`, and say that a machine wrote them."""
    sender = EmailSender(url(host), f"tocsin@{domain}", 1.0, host.trust)
    first = await sender.send(outgoing("email"))
    thread = first.reference
    await sender.send(outgoing("email", Kind.RESOLVED, Reason.ACTION, incident=samples.resolved(), thread=thread))
    assert len(host.mails) == 2
    for mail, source in zip(host.mails, host.sources, strict=True):
        assert f"\r\nList-Id: Tocsin <{expected}>\r\n".encode() in source
        assert mail["Auto-Submitted"] == "auto-generated"


async def test_follow_ups_stay_in_the_thread(host, sender):
    """What follows refers to the first mail and keeps its subject; its own words stand in the text."""
    first = await sender.send(outgoing("email"))
    over = outgoing(
        "email",
        Kind.RESOLVED,
        Reason.ACTION,
        incident=samples.resolved(),
        thread=first.reference,
        sequence=7,
        by="ada",
    )
    await sender.send(over)
    root, reply = host.mails
    assert reply["In-Reply-To"] == reply["References"] == root["Message-ID"]
    assert reply["Message-ID"] != root["Message-ID"]
    assert reply["Subject"] == f"Re: {root['Subject']}"
    assert "INCIDENT RESOLVED: #12" in reply.get_body(("plain",)).get_content()


async def test_a_thread_has_one_subject_for_life(host, sender):
    """Opened, overdue, resolved, back again: every mail has the incident's subject, and the text says how it stands."""
    first = await sender.send(outgoing("email"))
    thread = {"thread": first.reference}
    told = [
        outgoing("email", Kind.REMINDER, Reason.OVERDUE, sequence=2, what="severity assessment", **thread),
        outgoing("email", Kind.RESOLVED, Reason.ACTION, incident=samples.resolved(), sequence=3, **thread),
        outgoing("email", Kind.PAGE, Reason.RECURRED, sequence=4, **thread),
        outgoing("email", Kind.PAGE, Reason.BREACHED, sequence=5, **thread),
    ]
    for each in told:
        await sender.send(each)
    subject = "#12 landing-7: safety_margin_violation"
    assert [mail["Subject"] for mail in host.mails] == [subject, *[f"Re: {subject}"] * 4]
    begun = [mail.get_body(("plain",)).get_content().splitlines()[0] for mail in host.mails]
    assert begun == ["OPEN", "OPEN: OVERDUE", "RESOLVED", "OPEN: BACK AGAIN", "OPEN: RESPONSE TIME BREACHED"]
    assert {mail["References"] for mail in host.mails[1:]} == {host.mails[0]["Message-ID"]}


async def test_a_thread_that_began_with_an_all_clear_is_no_all_clear(host, sender):
    """Whom the all-clear reached first reads of the open incident under its own subject; so in threads of versions before."""
    over = await sender.send(outgoing("email", Kind.RESOLVED, Reason.ACTION, incident=samples.resolved()))
    old = f"{over.reference} INCIDENT RESOLVED: #12"
    await sender.send(outgoing("email", Kind.REMINDER, Reason.OVERDUE, thread=old, sequence=2, what="update"))
    first, reply = host.mails
    assert first["Subject"] == "#12 landing-7: safety_margin_violation"
    assert reply["Subject"] == "Re: #12 landing-7: safety_margin_violation"
    assert reply["In-Reply-To"] == first["Message-ID"]


async def test_thread_that_begins_with_a_bundle_keeps_subjects_apart(host, sender):
    """After a bundle, each incident's mails have their own subject: the bundle's names the others."""
    others = [replace(samples.INCIDENT, number=number, id=f"{number:032}") for number in (13, 14)]
    first = await sender.send(outgoing("email", beside=others))
    await sender.send(
        outgoing(
            "email",
            Kind.ACKNOWLEDGED,
            Reason.ACTION,
            incident=samples.acknowledged(),
            thread=first.reference,
            sequence=2,
        )
    )
    bundle, reply = host.mails
    assert bundle["Subject"] == "3 incidents on landing-7: #12-#14"
    assert reply["Subject"] == "Re: #12 landing-7: safety_margin_violation"
    assert reply["References"] == bundle["Message-ID"]


async def test_every_try_has_the_same_id_and_every_message_its_own():
    """Servers can drop a mail sent twice, and never take a second page for the first."""
    page, later = outgoing("email", sequence=1), outgoing("email", Kind.PAGE, Reason.ESCALATED, sequence=2)
    other = outgoing("email", recipient="bob@example.org")
    ids = [message_id(each, "example.org") for each in (page, page, later, other)]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


@pytest.mark.parametrize(
    "domain",
    [
        "example.org",
        "mail.a-very-long-subdomain.of-a-large-organisation.example.org",
        "x" * 63 + ".org",
        "bücher.example",
    ],
)
async def test_ids_stay_short(domain):
    """No id is longer than 60 bytes of ASCII, for any domain: longer ones would be encoded and break threads."""
    made = message_id(outgoing("email", sequence=99_999), domain)
    assert made.isascii()
    assert len(made) <= 60
    assert made.startswith("<inc.")


async def test_references_are_written_as_they_are(host):
    """Ids in a follow-up's headers are plain, from the longest domain too: encoded ones would begin a new thread."""
    long = f"{'mail-relay.' * 6}example.org"
    sender = EmailSender(url(host), f"tocsin@{long}", 1.0, host.trust)
    first = await sender.send(outgoing("email", sequence=99_998))
    await sender.send(outgoing("email", Kind.PAGE, Reason.ESCALATED, thread=first.reference, sequence=99_999))
    root = first.reference.split(" ")[0].encode()
    assert root.startswith(b"<inc.")
    assert b"\r\nIn-Reply-To: " + root + b"\r\n" in host.sources[1]
    assert b"\r\nReferences: " + root + b"\r\n" in host.sources[1]


@pytest.mark.parametrize("mark", ["\r", "\n", "\r\n", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029", "\0", "\ud800"])
async def test_no_mark_in_a_title_keeps_a_mail_from_going_out(host, sender, mark):
    """Line ends of every kind, NUL and half characters in a title stand in a subject of one line, as spaces or less."""
    message = outgoing("email", incident=replace(samples.INCIDENT, title=f"a{mark}b", type=f"t{mark}u"))
    assert isinstance(await sender.send(message), Delivered)
    (mail,) = host.mails
    assert mark not in mail["Subject"]
    head = host.sources[0].partition(b"\r\n\r\n")[0]
    assert all(line.startswith(b" ") or b": " in line for line in head.split(b"\r\n"))  # no word became a line


async def test_hostile_words_arrive_as_words(host, sender):
    """Line ends, markup, marks and half characters in an alert make no header, no markup and no failure."""
    nasty = 'x\r\nBcc: eve@evil.example\u2028<script>alert(1)</script> \u202egnp \ud83d " <!channel> \x00'
    incident = replace(samples.INCIDENT, title=nasty, type=nasty, labels={"t": nasty, nasty: "v" * 400_000})
    assert isinstance(await sender.send(outgoing("email", incident=incident)), Delivered)
    (mail,) = host.mails
    assert mail["Bcc"] is None
    assert "\n" not in mail["Subject"]
    html = mail.get_body(("html",)).get_content()
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert len(mail.as_bytes()) < 100_000


async def test_password_goes_over_tls_only():
    """A host that offers no TLS gets no password and no mail; the words say what to check."""
    async with MailHost("tocsin", PASSWORD, tls="none") as host:
        outcome = await EmailSender(url(host), "tocsin@example.org", SEND_TIMEOUT).send(outgoing("email"))
        assert isinstance(outcome, Rejected)
        assert "STARTTLS" in outcome.reason
        assert "TOCSIN_SMTP_URL" in outcome.reason
        assert host.mails == []


async def test_smtps_is_encrypted_from_the_first_byte():
    """smtps:// speaks TLS at once and signs in."""
    async with MailHost("tocsin", PASSWORD, tls="implicit") as host:
        sender = EmailSender(url(host, "smtps"), "tocsin@example.org", SEND_TIMEOUT, host.trust)
        assert isinstance(await sender.send(outgoing("email")), Delivered)


async def test_host_that_is_not_who_it_says_is_not_trusted(host):
    """A certificate of an unknown authority is a configuration problem, said plainly."""
    outcome = await EmailSender(url(host), "tocsin@example.org", SEND_TIMEOUT).send(outgoing("email"))
    assert isinstance(outcome, Rejected)
    assert "TLS" in outcome.reason
    assert "certificate" in outcome.reason


async def test_tls_to_a_host_that_speaks_none_says_so():
    """smtps:// to a plain port is a configuration problem, not a reason to try for a day."""
    async with MailHost(tls="none") as host:
        sender = EmailSender(url(host, "smtps"), "tocsin@example.org", SEND_TIMEOUT, host.trust)
        outcome = await sender.send(outgoing("email"))
    assert isinstance(outcome, Rejected)
    assert "TOCSIN_SMTP_URL" in outcome.reason


async def test_relay_on_this_machine_needs_no_password():
    """Plain SMTP to loopback, without a password, just works."""
    async with MailHost(tls="none") as host:
        sender = EmailSender(f"smtp://127.0.0.1:{host.port}", "tocsin@example.org", SEND_TIMEOUT)
        assert isinstance(await sender.send(outgoing("email")), Delivered)


@pytest.mark.parametrize(
    ("answers", "kind", "said"),
    [
        ({"AUTH": "454 4.7.0 Temporary authentication failure"}, Retry, "454"),
        ({"AUTH": "535 5.7.8 Authentication credentials invalid"}, Rejected, "TOCSIN_SMTP_URL"),
        ({"RCPT": "451 4.7.1 Greylisted"}, Retry, "451"),
        ({"RCPT": "550 5.1.1 No such user"}, Rejected, "incident-response@company.com: 550 5.1.1 No such user"),
        ({"DATA": "452 4.3.1 Insufficient storage"}, Retry, "452"),
        ({"DATA": "554 5.7.1 Looks like spam"}, Rejected, "Looks like spam"),
    ],
)
async def test_the_first_digit_decides(host, sender, answers, kind, said):
    """4yz is tried again, 5yz is not; what the host said is passed on."""
    host.answers.update(answers)
    outcome = await sender.send(outgoing("email"))
    assert isinstance(outcome, kind)
    assert said in outcome.reason


async def test_one_refused_address_takes_nobody_else_down(host, sender):
    """Each recipient has a mail of their own: whom the host refuses is told apart, and the others have their page."""
    host.answers["RCPT eve@example.org"] = "550 5.1.1 No such user"
    host.answers["RCPT bob@example.org"] = "450 4.2.1 Mailbox busy"
    outcomes = [await sender.send(outgoing("email", recipient=f"{who}@example.org")) for who in ("eve", "ada", "bob")]
    assert [type(outcome) for outcome in outcomes] == [Rejected, Delivered, Retry]
    assert host.to == ["ada@example.org"]


async def test_nobody_there():
    """A host that cannot be reached means trying again."""
    outcome = await EmailSender(f"smtp://127.0.0.1:{free_port()}", "tocsin@example.org", SEND_TIMEOUT).send(
        outgoing("email")
    )
    assert isinstance(outcome, Retry)
    assert "no connection" in outcome.reason


async def test_doubtful_mail_is_sent_again_under_the_same_id(host, sender):
    """A host that vanishes after the message leaves a doubt: the next try has the same Message-ID."""
    host.after_data = smtp.cut_off_after_data
    assert isinstance(await sender.send(outgoing("email")), Retry)
    host.after_data = None
    again = await sender.send(outgoing("email"))
    assert again.reference.split(" ")[0] == message_id(outgoing("email"), "example.org")


async def test_time_is_up_for_all_commands_together():
    """A host that takes every command in time, but never comes to an end, is left."""
    async with MailHost(tls="none") as host:
        host.raw = smtp.dawdle
        outcome = await EmailSender(f"smtp://127.0.0.1:{host.port}", "tocsin@example.org", 0.3).send(outgoing("email"))
    assert outcome == Retry(f"no answer from 127.0.0.1:{host.port} within 0.3 s")


@pytest.mark.parametrize("recipient", ["nobody", "a@b@c", "x@y\r\nBcc: eve@evil.example", "", "@example.org"])
async def test_recipient_that_is_no_address_is_rejected(sender, recipient):
    """A slip in the policy's recipients is said, not tried for a day."""
    message = outgoing("email")
    message = dataclasses.replace(message, notification=replace(message.notification, recipient=recipient))
    assert isinstance(await sender.send(message), Rejected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("smtp://u:p@mail.example:587", (587, False, True)),
        ("smtp://u:p@mail.example", (587, False, True)),
        ("smtp://u:p@localhost:25", (25, False, True)),
        ("smtps://u:p@mail.example", (465, True, False)),
        ("smtp://mail.example:587", (587, False, True)),
        ("smtp://relay.example", (25, False, None)),
        ("smtp://localhost:2525", (2525, False, False)),
        ("smtp://[::1]:2525", (2525, False, False)),
    ],
)
def test_url_says_how_it_is_encrypted(text, expected):
    """A password or port 587 demands STARTTLS, smtps means TLS, a relay without a password may do as it likes."""
    server = Server.parse(text)
    assert (server.port, server.tls, server.starttls) == expected


@pytest.mark.parametrize("text", ["http://mail.example", "smtp://", "smtp://u:sekret@host:port", "mail.example"])
def test_bad_url_is_explained_without_its_password(text):
    """What is wrong with the address is said with the variable's name, and without the address."""
    with pytest.raises(SettingsError, match="TOCSIN_SMTP_URL") as raised:
        Server.parse(text)
    assert "sekret" not in str(raised.value)


def test_bad_sender_is_explained():
    """TOCSIN_EMAIL_FROM must be an address."""
    with pytest.raises(SettingsError, match="TOCSIN_EMAIL_FROM"):
        EmailSender("smtp://localhost", "nobody", 1.0)


async def test_a_picture_stands_in_the_html(host, sender):
    """The picture travels beside the HTML, which shows it by its id; the text form is as without."""
    picture = Picture(b"\x89PNG picture", "safety_margin, as Prometheus had it")
    page = outgoing("email")
    html = f'<img src="cid:{PICTURE_ID}">'
    assert isinstance(
        await sender.send(
            dataclasses.replace(page, message=dataclasses.replace(page.message, html=html, picture=picture))
        ),
        Delivered,
    )
    (mail,) = host.mails
    (attached,) = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert attached["Content-ID"] == f"<{PICTURE_ID}>"
    assert attached["Content-Disposition"].startswith("inline")
    assert attached.get_content() == picture.png
    assert mail.get_body(("html",)).get_content().strip() == html
    assert "To acknowledge" in mail.get_body(("plain",)).get_content()


@pytest.mark.parametrize(
    "recipient", ["ann@example.org", "O'Neil+page@Example.org", "jürgen@example.org", "ops@straße.example"]
)
async def test_what_check_accepts_is_sent(host, sender, recipient):
    """Every address that the policy's parser takes reaches the server: letters beyond ASCII by SMTPUTF8 and punycode."""
    host.utf8 = True
    mail = outgoing("email")
    mail = dataclasses.replace(mail, notification=replace(mail.notification, recipient=recipient))
    assert isinstance(await sender.send(mail), Delivered)
    assert host.to == [str(parse_address(recipient))]
    assert f"\r\nTo: {parse_address(recipient)}\r\n".encode() in host.sources[0]


async def test_server_without_smtputf8(host, sender):
    """A server that takes only ASCII refuses such an address for good, in words that name it; its domain does not matter."""
    mail = outgoing("email")
    for recipient, outcome in (("jürgen@example.org", Rejected), ("ops@bücher.example", Delivered)):
        mail = dataclasses.replace(mail, notification=replace(mail.notification, recipient=recipient))
        found = await sender.send(mail)
        assert isinstance(found, outcome)
        assert "SMTPUTF8" in getattr(found, "reason", "SMTPUTF8")


@pytest.mark.parametrize(
    "recipient", ["a..b@example.org", "ann@localhost", "ann", "ann@☃.example", "a@b.org\nBcc: x@y.zz"]
)
async def test_what_check_refuses_is_not_sent(host, sender, recipient):
    """What the parser refuses never reaches a server."""
    mail = outgoing("email")
    mail = dataclasses.replace(mail, notification=replace(mail.notification, recipient=recipient))
    assert isinstance(await sender.send(mail), Rejected)
    assert host.connections == 0


async def test_server_is_tried_without_a_mail(host, sender):
    """The login that a message needs is tried, and no mail is sent; what fails is said as a message's failure is."""
    assert await sender.why_refused() == ""
    assert host.mails == []
    wrong = EmailSender(url(host, login="tocsin:wrong@"), "tocsin@example.org", SEND_TIMEOUT, host.trust)
    assert "refuses our user or password" in await wrong.why_refused()
    stranger = EmailSender(url(host), "tocsin@example.org", SEND_TIMEOUT)
    assert "certificates" in await stranger.why_refused()


async def test_server_that_is_no_mail_server():
    """A web server at the mail server's port is told from a mail server."""
    runner, web_server = await start_web(web.Application())
    sender = EmailSender(web_server.replace("http", "smtp"), "tocsin@example.org", 2)
    assert web_server.removeprefix("http://") in await sender.why_refused()
    await runner.cleanup()
