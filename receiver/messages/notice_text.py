"""The texts for external recipients: the policy's templates without Tocsin's links, marks or numbers.

A held notice is rendered for the time at which it was held, so its text changes only when the incident does.
"""

from dataclasses import replace
from hashlib import sha256
from html import escape

from receiver.core.model import Instant, Notification
from receiver.core.obligations import OwedReport
from receiver.core.occurrences import trouble_since
from receiver.core.outside import EXERCISE
from receiver.core.response import Moment, Notice
from receiver.messages.incident_text import IncidentText
from receiver.messages.message import SHORT_LIMIT, SMS_PARTS, Message
from receiver.messages.placeholder_values import fill, values
from receiver.messages.plain import line, plain
from receiver.messages.segments import fit
from rules.placeholders import INTERNAL, UNKNOWN, kind
from rules.rendering import placeholders


def render_notice(notice: Notice, case: IncidentText) -> tuple[str, str]:
    """Returns subject and body of a held notice from the incident's present state. Raises TemplateError."""
    subject, body = _template(notice, case)
    filling = values(replace(case, now=notice.held_at, page_url=""), _event_at(notice, case))
    filling |= {name: case.fact(name) or UNKNOWN for name in INTERNAL}
    filling |= _for_strangers(case)
    filling["next_update"] = case.stamp(notice.next_at) if notice.next_at is not None else UNKNOWN
    exercise = f"{EXERCISE}: " if case.incident.exercise else ""
    said = [f"{exercise}{fill(_without_steps(body, case), filling)}".rstrip()]
    if notice.next_at is not None and "next_update" not in placeholders(body):
        said.append(f"Next update by {filling['next_update']}.")
    return line(f"{exercise}{fill(subject, filling)}"), "\n\n".join(said)


def _for_strangers(case: IncidentText) -> dict[str, str]:
    """Returns the values without metrics and names of responders: external readers get what a person wrote for them."""
    usual = line(case.level.impact) or UNKNOWN
    impact = case.fact("current_impact") or case.fact("impact_description") or usual
    told = {"current_impact": impact, "impact_description": impact}
    if not (case.live or case.incident.is_firing or case.fact("verification_status")) and case.incident.resolved_by:
        told["verification_status"] = "confirmed by a person"
    return told


def _template(notice: Notice, case: IncidentText) -> tuple[str, str]:
    """Returns the group's own text for that moment; without one the policy's."""
    groups = (each for each in case.context.current.policy.stakeholders if each.name == notice.group)
    group, usual = next(groups, None), case.policy.templates
    match notice.moment:
        case Moment.ACKNOWLEDGED:
            chosen = (group and group.initial) or usual.initial
        case Moment.BREACHED | Moment.UPDATED:
            chosen = (group and group.update) or usual.update
        case Moment.RESOLVED:
            chosen = (group and group.resolution) or usual.resolution
    return chosen.subject, chosen.body


def _without_steps(body: str, case: IncidentText) -> str:
    """Returns the text without the lines that hold only procedure steps, and without headings left empty by that.

    A value that a person entered instead of the steps stays. A Jinja2 text is returned whole: its steps are unknown
    here.
    """
    if kind(body) == "jinja":
        return body
    hidden = {f"{{{name}}}" for name in INTERNAL if not case.fact(name)}
    parts = (
        (part, [each for each in part.split("\n") if each.strip(" \t-*") not in hidden]) for part in body.split("\n\n")
    )
    return "\n\n".join("\n".join(left) for part, left in parts if not _is_bare_heading(part, left))


def _is_bare_heading(part: str, left: list[str]) -> bool:
    """Whether only the heading is left of a paragraph whose lines were removed."""
    return len(left) <= part.count("\n") and all(each.rstrip().endswith(":") or not each.strip() for each in left)


def render_report(owed: OwedReport, case: IncidentText) -> str:
    """Returns the text that the policy proposes for a report to an authority, from the incident's present state; empty:
    it proposes none. Raises TemplateError.
    """
    if not owed.stage.text:
        return ""
    filling = values(replace(case, page_url=""), case.incident.occurred_at or case.incident.opened_at)
    filling |= {name: case.fact(name) or UNKNOWN for name in INTERNAL}
    filling |= _impact_of_all(case)
    filling["contact_information"] = line(case.policy.contact_information) or UNKNOWN
    exercise = f"{EXERCISE}: " if case.incident.exercise else ""
    return f"{exercise}{fill(owed.stage.text, filling)}"


def _impact_of_all(case: IncidentText) -> dict[str, str]:
    """Returns the impact that people wrote down in any occurrence: an authority hears of the whole incident. Empty:
    none was written down.
    """
    now, name = case.fact("impact_description"), "impact_description"
    before = [(each.number, each.facts[name]) for each in case.incident.response.occurrences if each.facts.get(name)]
    told = [*filter(None, [now]), *(f"in occurrence {number}: {line(said)}" for number, said in before)]
    return {name: "; ".join(told)} if before else {}


def _event_at(notice: Notice, case: IncidentText) -> Instant:
    """Returns when the reported event happened: start of the trouble, breach of the deadline, or resolution."""
    incident = case.incident
    match notice.moment:
        case Moment.ACKNOWLEDGED:
            return trouble_since(case.incident)
        case Moment.BREACHED:
            return incident.breached_at or notice.held_at
        case Moment.UPDATED:
            return notice.held_at
        case Moment.RESOLVED:
            return incident.resolved_at or notice.held_at


def fingerprint(subject: str, body: str) -> str:
    """Returns the SHA-256 of exactly this text; an approval names it."""
    return sha256(f"{subject}\n\n{body}".encode()).hexdigest()


def as_message(notification: Notification, case: IncidentText) -> Message:
    """Returns the message of an approved notice: only the approved text, and a remark where the next update that it
    promises is already due when it is sent.
    """
    subject, body = line(notification.data.get("subject", "")), plain(notification.data.get("body", ""), 20_000)
    promised = notification.data.get("promised", "")
    if promised and int(promised) <= case.now:
        written = case.stamp(notification.created_at)
        body += (
            f"\n\nThis message left late: it was approved at {written}. The next update that it names is due by now."
        )
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
