"""The words for the outside world: the policy's templates, without our own links, marks or numbers around them.

A held notice is rendered for the moment it was held at, so that it reads the same until the incident changes.
"""

from dataclasses import replace
from hashlib import sha256
from html import escape

from receiver.core.model import Instant, Notification
from receiver.core.response import Moment, Notice
from receiver.messages.incident_text import IncidentText
from receiver.messages.message import SHORT_LIMIT, SMS_PARTS, Message
from receiver.messages.placeholder_values import fill, values
from receiver.messages.plain import line, plain
from receiver.messages.segments import fit
from rules.placeholders import UNKNOWN


def render_notice(notice: Notice, case: IncidentText) -> tuple[str, str]:
    """Subject and body of a held notice, from the incident as it is. Raises TemplateError."""
    templates = case.policy.templates
    template = {
        Moment.BREACHED: templates.update,
        Moment.ACKNOWLEDGED: templates.initial,
        Moment.RESOLVED: templates.resolution,
    }[notice.moment]
    filling = values(replace(case, now=notice.held_at, page_url=""))
    filling["timestamp"] = case.stamp(_event_at(notice, case))
    filling["contact_information"] = line(case.policy.contact_information) or UNKNOWN
    exercise = "EXERCISE: " if case.incident.exercise else ""
    return line(f"{exercise}{fill(template.subject, filling)}"), f"{exercise}{fill(template.body, filling)}"


def _event_at(notice: Notice, case: IncidentText) -> Instant:
    """When that of which it tells happened: the trouble began, the deadline was breached, it was resolved."""
    incident = case.incident
    match notice.moment:
        case Moment.ACKNOWLEDGED:
            return (incident.alarmed_at if incident.recurrences else None) or incident.opened_at
        case Moment.BREACHED:
            return incident.breached_at or notice.held_at
        case Moment.RESOLVED:
            return incident.resolved_at or notice.held_at


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
