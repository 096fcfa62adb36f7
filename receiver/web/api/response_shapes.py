"""Response models of incident work: checklists, notices, follow-up actions, obligations, evidence.

Same compatibility promise as `receiver.web.api.responses`.
"""

from receiver.core.response import Moment, Standing
from receiver.web.api.responses import Time, View


class StepView(View):
    """One step of a checklist."""

    id: str
    """Path part of PUT …/steps/{id}, which ticks the step."""
    text: str
    done: bool
    done_by: str | None
    done_at: Time | None
    note: str
    link: str


class ChecklistView(View):
    """A checklist attached to an incident."""

    key: str
    title: str
    attached_at: Time | None
    steps: list[StepView]


class ChecklistsView(View):
    """An incident's checklists, in the order they were attached."""

    next_step: StepView | None
    """The first step that is not done; null: all are done."""
    checklists: list[ChecklistView]


class NoticeView(View):
    """A draft or sent message to an external group; a person must approve it before it is sent."""

    id: str
    group: str
    moment: Moment
    standing: Standing
    held_at: Time
    subject: str
    text: str
    """The current text; once sent, the sent text; empty if it was decided without sending."""
    proposed_subject: str
    proposed_text: str
    """The text of the policy's template; same as `text` unless a person edited it."""
    edited_by: str | None
    edited_at: Time | None
    problems: list[str]
    """What prevents its approval; empty: nothing."""
    hash: str
    """Hash of subject and text; an approval must name it."""
    recipients: list[str]
    """All recipients of the group."""
    channels: list[str]
    choices: list[str]
    """Recipients that an approval may choose from."""
    only_to: list[str]
    """The subset of the group that it is for, or was sent to; empty: the whole group."""
    due_at: Time | None
    """Deadline for the decision."""
    why_void: str
    decided_by: str | None
    decided_at: Time | None


class NoticesView(View):
    """An incident's notices to external groups."""

    notices: list[NoticeView]


class FollowUpView(View):
    """A task that remains after the incident."""

    id: str
    text: str
    owner: str | None
    due_at: Time | None
    link: str
    """URL of the work; empty: not given."""
    added_by: str
    added_at: Time
    done_at: Time | None
    done_by: str | None
    policy: str | None
    """Digest of the policy in use when the action was done, if the action changed the policy."""


class FollowUpsView(View):
    """An incident's follow-up actions."""

    follow_ups: list[FollowUpView]


class FilingView(View):
    """A report that was filed with an authority."""

    id: str
    """``r1``"""
    reference: str
    filed_at: Time
    recorded_by: str
    recorded_at: Time
    file: str
    """Name of the filed file; empty: not given."""
    sha256: str
    """SHA-256 of the filed file."""
    withdrawn_by: str | None
    """The person who said that it was recorded by mistake; null: it stands."""
    withdrawn_at: Time | None
    withdrawn_why: str


class ReportStageView(View):
    """One report that an obligation requires."""

    stage: str
    counted_from: str
    """The start event in words: the occurrence, the awareness, the classification, the filing of another stage (until
    then: when that is due), the time that a person gives.
    """
    began_at: Time
    """Time of the start event."""
    due_at: Time
    overdue: bool
    channel: str
    """How the report is filed."""
    approver: str
    text: str
    """The policy's proposed text, rendered with the current facts; empty: none."""
    filings: list[FilingView]
    """The earliest filing counts; empty: the report is outstanding."""
    withdrawn: list[FilingView]
    """Filings that were recorded by mistake."""


class ObligationView(View):
    """A reporting obligation of the policy, and whether it applies to the incident."""

    name: str
    authority: str
    source: str
    """The law or contract that requires the report."""
    note: str
    applies: bool
    since: Time | None
    """When the policy or a person first decided on the incident; null: no decision, the obligation does not apply."""
    decided_by: str | None
    """The person who decided whether it applies; null: the policy decides."""
    reason: str
    decided_at: Time | None
    """When that person decided; null: the policy decides, or an older release recorded it."""
    stages: list[ReportStageView]
    """If the obligation does not apply: only the reports that were recorded as filed before that was decided."""


class ObligationsView(View):
    """All reporting obligations of an incident's policy."""

    obligations: list[ObligationView]


class EvidenceFileView(View):
    """A file that was attached as evidence."""

    id: str
    name: str
    sha256: str
    """SHA-256 of the content, computed by Tocsin on receipt."""
    size: int
    """Bytes."""
    attached_by: str
    attached_at: Time
    note: str
    redacted_by: str | None
    """The person who had the content removed; null: the content is kept."""
    redacted_at: Time | None
    redacted_why: str


class LegalHoldView(View):
    """A legal hold: while it is in force, nothing of the incident is deleted."""

    id: str
    placed_by: str
    placed_at: Time
    reason: str
    released_by: str | None
    """The person who released the hold; null: it is in force."""
    released_at: Time | None
    released_why: str


class EvidenceView(View):
    """An incident's evidence files and legal holds."""

    on_hold: bool
    """Whether at least one hold is in force."""
    files: list[EvidenceFileView]
    holds: list[LegalHoldView]
