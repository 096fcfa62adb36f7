"""The public shapes of what people do about an incident: checklists, notices, follow-up actions.

Like `receiver.web.api.responses`: a promise to other programs.
"""

from receiver.core.response import Moment, Standing
from receiver.web.api.responses import Time, View


class StepView(View):
    """One step of a checklist."""

    id: str
    """How it is ticked: PUT …/steps/{id}."""
    text: str
    done: bool
    done_by: str | None
    done_at: Time | None
    note: str
    link: str


class ChecklistView(View):
    """A procedure that people tick off."""

    key: str
    title: str
    attached_at: Time | None
    steps: list[StepView]


class ChecklistsView(View):
    """An incident's checklists, in the order it got them."""

    next_step: StepView | None
    """The first that nobody has done."""
    checklists: list[ChecklistView]


class NoticeView(View):
    """What an external group may be told, once a person approves it."""

    id: str
    group: str
    moment: Moment
    standing: Standing
    held_at: Time
    subject: str
    text: str
    """As it reads now; once sent, as it was sent; empty when it was never sent."""
    proposed_subject: str
    proposed_text: str
    """What the policy's template proposed; where nobody edited it, the same."""
    edited_by: str | None
    edited_at: Time | None
    problems: list[str]
    """Why it cannot be approved as it reads; empty: it can be."""
    hash: str
    """What an approval names."""
    recipients: list[str]
    """Everybody of the group."""
    channels: list[str]
    choices: list[str]
    """Whom an approval may name."""
    only_to: list[str]
    """Whom of the group it is for, or was sent to; empty: all."""
    due_at: Time | None
    """By when somebody should decide on it."""
    why_void: str
    decided_by: str | None
    decided_at: Time | None


class NoticesView(View):
    """An incident's notices to the outside."""

    notices: list[NoticeView]


class FollowUpView(View):
    """Something to do after the incident."""

    id: str
    text: str
    owner: str | None
    due_at: Time | None
    link: str
    """Where the work is; empty: nobody said."""
    added_by: str
    added_at: Time
    done_at: Time | None
    done_by: str | None
    policy: str | None
    """Of one that changed the policy: the version (its digest) that was in use when it was done."""


class FollowUpsView(View):
    """An incident's follow-up actions."""

    follow_ups: list[FollowUpView]


class FilingView(View):
    """A report that was filed with an authority."""

    reference: str
    filed_at: Time
    recorded_by: str
    recorded_at: Time
    file: str
    """The name of the file that was filed; empty: none was named."""
    sha256: str
    """Of that file."""


class ReportStageView(View):
    """One of the reports that an authority must get."""

    stage: str
    counted_from: str
    """In words: the occurrence, the awareness, the classification, the filing of another stage."""
    began_at: Time
    """That moment."""
    due_at: Time
    overdue: bool
    channel: str
    """How it is filed."""
    approver: str
    text: str
    """What the policy proposes to write, as things are now; empty: nothing."""
    filings: list[FilingView]
    """The first counts; empty: it is outstanding."""


class ObligationView(View):
    """An authority that must be told of some incidents, and whether it must be told of this one."""

    name: str
    authority: str
    source: str
    """The law or contract that says so."""
    note: str
    applies: bool
    since: Time | None
    """When the policy, or a person, first said so; null: the policy has it, and it does not concern this incident."""
    decided_by: str | None
    """Who said that it applies, or does not; null: nobody, it is as the policy says."""
    reason: str
    stages: list[ReportStageView]
    """Empty where it does not apply."""


class ObligationsView(View):
    """All reporting obligations of an incident's policy."""

    obligations: list[ObligationView]


class EvidenceFileView(View):
    """A file that was attached as evidence."""

    id: str
    name: str
    sha256: str
    """Of its content, as Tocsin computed it while it arrived."""
    size: int
    """Bytes."""
    attached_by: str
    attached_at: Time
    note: str
    redacted_by: str | None
    """Who had its content removed; null: it is there."""
    redacted_at: Time | None
    redacted_why: str


class LegalHoldView(View):
    """A legal hold: as long as it is in force, nothing of the incident is deleted."""

    id: str
    placed_by: str
    placed_at: Time
    reason: str
    released_by: str | None
    """Who released it; null: it is in force."""
    released_at: Time | None
    released_why: str


class EvidenceView(View):
    """An incident's evidence files and legal holds."""

    on_hold: bool
    """Whether at least one of the holds is in force."""
    files: list[EvidenceFileView]
    holds: list[LegalHoldView]
