"""Who gets the finished report: the policy's `incident_report.recipients`, by e-mail, when the incident closes."""

from receiver.core.draft import Draft
from receiver.core.model import Fact, Kind, Reason, Status, Target
from rules.channel_types import types_where

_CARRIER = types_where(lambda facts: facts.carries_reports)[0]
"""Stands for the channel where the policy has none."""


def send_report(draft: Draft) -> None:
    """Plan the report to every recipient; whom no mail can reach is recorded, never silently dropped."""
    recipients = draft.context.current.policy.reports.recipients
    mailed = [each for each in recipients if "@" in each]
    name = _mail_channel(draft)
    if name is None:
        _say_undeliverable(draft, mailed, "no usable email channel carries the report")
    else:
        draft.notify(Kind.REPORT, Reason.CLOSED, [Target(name, each) for each in mailed])
    _say_undeliverable(draft, [each for each in recipients if "@" not in each], "reports go to e-mail addresses only")


def _mail_channel(draft: Draft) -> str | None:
    channels = draft.context.current.channels.values()
    return next(
        (each.name for each in channels if each.facts.carries_reports and draft.context.usable(each.name)), None
    )


def _say_undeliverable(draft: Draft, recipients: list[str], why: str) -> None:
    if recipients:
        targets = [Target(_CARRIER, each) for each in recipients]
        draft.notify(Kind.REPORT, Reason.CLOSED, targets, {"why": why}, Status.UNDELIVERABLE)
        draft.enter(Fact.UNDELIVERABLE, channel=f"report to {', '.join(recipients)}", why=why)
