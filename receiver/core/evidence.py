"""When Prometheus is queried, and what its answer means. The shell queries; without PROMETHEUS_URL nothing does.

Evidence that does not come is recorded as missing. A check without an answer or data, or that finds the condition
still true, gives no all-clear: absence is never safety.
"""

from receiver.core.draft import Draft
from receiver.core.inquiry import Answered, Inquiry
from receiver.core.lifecycle import conclude_recovery
from receiver.core.model import Fact, Recovery, Window
from rules.policy import MINUTE, SECOND

CHECK_WITHIN = 30 * SECOND
"""Microseconds that a check may take; less than a usual escalation time."""

EVIDENCE_WITHIN = 10 * MINUTE
"""Microseconds that evidence may take; Prometheus may be restarting, and keeps its data."""


def begin_check(draft: Draft) -> None:
    """`resolve_after` has passed: check with Prometheus if it is configured, else conclude the recovery."""
    if not draft.context.verifies:
        conclude_recovery(draft)
        return
    draft.set(recovery=Recovery.CHECKING, inquiries=_with(draft, Inquiry.CHECK))
    draft.arm(Window.CHECK, draft.now + CHECK_WITHIN)


def give_up_check(draft: Draft) -> None:
    """Without an answer in time, conclude the recovery as unverified."""
    if draft.incident.recovery is Recovery.CHECKING:
        why = f"Prometheus gave no answer within {CHECK_WITHIN // SECOND} s"
        draft.enter(Fact.CHECKED, ok="unknown", detail=why)
        _conclude(draft, ok=None, why=why)


def give_up_evidence(draft: Draft) -> None:
    """Record evidence that did not come in time as missing."""
    missing = [each for each in draft.incident.inquiries if each is not Inquiry.CHECK]
    draft.set(inquiries=tuple(each for each in draft.incident.inquiries if each not in missing))
    for each in missing:
        draft.enter(Fact.EVIDENCE_MISSING, inquiry=each)


def take_answer(draft: Draft, answer: Answered) -> None:
    """Record an answer to an open inquiry; that of a check concludes the recovery."""
    if answer.inquiry not in draft.incident.inquiries:
        return
    draft.set(inquiries=tuple(each for each in draft.incident.inquiries if each is not answer.inquiry))
    for exhibit in answer.exhibits:
        draft.enter(
            Fact.EVIDENCE,
            inquiry=answer.inquiry,
            query=exhibit.query,
            series=exhibit.series,
            threshold=exhibit.threshold,
        )
    if answer.inquiry is not Inquiry.CHECK and not answer.exhibits and answer.detail:
        draft.enter(Fact.EVIDENCE_MISSING, inquiry=answer.inquiry, detail=answer.detail)
    if answer.inquiry is Inquiry.CHECK:
        draft.enter(Fact.CHECKED, ok=_WORDS[answer.ok], detail=answer.detail)
        _conclude(draft, ok=answer.ok, why=answer.detail)


def keep_inquiries(draft: Draft) -> None:
    """Add the inquiries that this decision calls for; drop a check that is no longer needed."""
    incident = draft.incident
    pointless = Inquiry.CHECK in incident.inquiries and incident.recovery is not Recovery.CHECKING
    if pointless:
        draft.set(inquiries=tuple(each for each in incident.inquiries if each is not Inquiry.CHECK))
    wanted = [] if not draft.context.verifies else [each for fact, each in _MOMENTS.items() if draft.has(fact)]
    if wanted:
        draft.set(inquiries=_with(draft, *wanted))
        draft.arm(Window.EVIDENCE, draft.now + EVIDENCE_WITHIN)
    elif Window.EVIDENCE in draft.incident.windows and not draft.incident.inquiries:
        draft.disarm(Window.EVIDENCE)
    if Window.CHECK in draft.incident.windows and draft.incident.recovery is not Recovery.CHECKING:
        draft.disarm(Window.CHECK)


def _with(draft: Draft, *more: Inquiry) -> tuple[Inquiry, ...]:
    return tuple(dict.fromkeys((*draft.incident.inquiries, *more)))


def _conclude(draft: Draft, ok: bool | None, why: str) -> None:
    conclude_recovery(draft, verified=ok is True, why=why)


_WORDS = {True: "yes", False: "no", None: "unknown"}
_MOMENTS = {Fact.OPENED: Inquiry.OPENED, Fact.DECLARED: Inquiry.OPENED, Fact.RESOLVED: Inquiry.RESOLVED}
