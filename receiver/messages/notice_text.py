"""The words for the outside world: the policy's templates, without our own links, marks or numbers around them.

A held notice is rendered for the moment it was held at, so that it reads the same until the incident changes.
"""

from dataclasses import replace
from hashlib import sha256
from html import escape

from receiver.core.model import Notification
from receiver.core.response import Moment, Notice
from receiver.messages.incident_text import IncidentText
from receiver.messages.message import SHORT_LIMIT, SMS_PARTS, Message
from receiver.messages.placeholder_values import fill, values
from receiver.messages.plain import line, plain
from receiver.messages.segments import fit


def render_notice(notice: Notice, case: IncidentText) -> tuple[str, str]:
    """Subject and body of a held notice, from the incident as it is. Raises TemplateError."""
    templates = case.policy.templates
    template = {
        Moment.BREACHED: templates.update,
        Moment.ACKNOWLEDGED: templates.initial,
        Moment.RESOLVED: templates.resolution,
    }[notice.moment]
    filling = values(replace(case, now=notice.held_at, page_url=""))
    exercise = "EXERCISE: " if case.incident.exercise else ""
    return line(f"{exercise}{fill(template.subject, filling)}"), f"{exercise}{fill(template.body, filling)}"


def fingerprint(subject: str, body: str) -> str:
    """What an approval names: SHA-256 of exactly this text."""
    return sha256(f"{subject}\n\n{body}".encode()).hexdigest()


def as_message(notification: Notification) -> Message:
    """The message of an approved notice: what was approved and nothing else."""
    subject, body = line(notification.data.get("subject", "")), plain(notification.data.get("body", ""), 20_000)
    page = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(subject)}</title></head>'
    return Message(
        subject=subject,
        text=f"{body}\n",
        html=f'{page}<body><div style="white-space:pre-wrap">{escape(body)}</div></body></html>',
        short=fit(line(f"{subject}: {body}", SHORT_LIMIT), SMS_PARTS),
        speech=f"{subject}. {' '.join(body.split())}",
        headline=subject,
        facts=(),
        paragraphs=(),
        links=(),
        level=notification.level,
        severity="info",
        lead=body,
        live=False,
    )
