"""The approval of an incident's report: it freezes that version, regardless of later facts."""

from receiver.core.draft import Draft, RefusedError
from receiver.core.events import ApproveReport
from receiver.core.model import Fact, State
from receiver.core.response import ApprovedReport


def approve_report(draft: Draft, action: ApproveReport) -> None:
    """Store the version as the approver read it. Raises RefusedError unless it is the next one."""
    known = draft.incident.response.reports
    following = len(known) + 1
    if action.version < following:
        raise RefusedError(f"version {action.version} of the report is approved already, by {known[-1].by}")
    if action.version > following:
        raise RefusedError(f"version {following} of the report is the next to approve, not {action.version}")
    role = _role(draft, action.by)
    approved = ApprovedReport(
        action.version, action.by, draft.now, action.sha256, action.prepared_by, action.audit_head, role
    )
    draft.respond(reports=(*known, approved))
    draft.enter(
        Fact.REPORT_APPROVED,
        action.by,
        version=action.version,
        sha256=action.sha256,
        prepared_by=action.prepared_by,
        audit_head=action.audit_head,
        document=action.document,
    )


def _role(draft: Draft, by: str) -> str:
    """Returns the policy's role for approving; empty: none.

    Raises RefusedError if another person holds it, or it is vacant. A closed incident may have it vacant: roles can no
    longer be taken.
    """
    role = draft.context.policy_version.policy.reports.approver
    holder = draft.incident.response.roles.get(role, "")
    if role and not holder and draft.incident.state is not State.CLOSED:
        raise RefusedError(f"the report is approved by the {role}, and nobody is that yet: name somebody")
    if holder and by != holder:
        raise RefusedError(f"the report is approved by the {role}, who is {holder}")
    return role if holder else ""
