"""Reports owed to authorities, their deadlines and filings: the policy's `reporting_obligations`.

An obligation applies once the incident matches its sections, types and levels; a lowered level does not end it. A
person's decision (JudgeObligation, with a reason) overrides that. Tocsin files no report itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from receiver.core.draft import Draft, RefusedError
from receiver.core.events import FileReport, JudgeObligation, WithdrawFiling
from receiver.core.model import Fact, Incident, Instant
from receiver.core.response import Filing, Obligation
from receiver.on_call.wall_time import after_months
from rules.policy import Policy, ReportingObligation, ReportStage
from rules.reserved import TWIN

PRACTISED = "(an exercise: nothing is filed)"


@dataclass(frozen=True, slots=True)
class OwedReport:
    """One stage of an obligation for one incident."""

    obligation: ReportingObligation
    stage: ReportStage
    began_at: Instant
    """The start of its time limit."""
    since: str
    """That start as text: ``the occurrence``."""
    filings: tuple[Filing, ...]
    """The filings that stand, the earliest first; empty: it is outstanding."""
    withdrawn: tuple[Filing, ...]
    """What was recorded by mistake."""
    time_zone: str
    """The policy's time zone, in which calendar months are counted."""
    is_owed: bool = True
    """False: a person decided that its obligation does not apply."""

    @property
    def key(self) -> str:
        """``obligation/stage``."""
        return f"{self.obligation.name}/{self.stage.name}"

    @property
    def due_at(self) -> Instant:
        """The deadline for filing."""
        if self.stage.months:
            return Instant(after_months(self.began_at, self.stage.months, self.time_zone))
        return Instant(self.began_at + self.stage.within)

    @property
    def called(self) -> str:
        """The report's name as text."""
        return self.stage.name.replace("_", " ")

    @property
    def what(self) -> str:
        """As text: ``early warning to the CSIRT (nis2)``."""
        return f"{self.called} to {self.obligation.authority} ({self.obligation.name})"


def reports(incident: Incident, policy: Policy) -> Iterator[OwedReport]:
    """Every report that authorities must get about an incident, filed or not. `policy`: the incident's."""
    return (each for each in owed_or_filed(incident, policy) if each.is_owed)


def owed_or_filed(incident: Incident, policy: Policy) -> Iterator[OwedReport]:
    """`reports`, and those recorded as filed before a person decided that their obligation does not apply."""
    for obligation in policy.reporting_obligations:
        known = incident.response.obligations.get(obligation.name)
        if known is not None:
            stages = _stages(incident, obligation, known, policy.time_zone)
            yield from (each for each in stages if each.is_owed or each.filings or each.withdrawn)


def _stages(
    incident: Incident, obligation: ReportingObligation, known: Obligation, time_zone: str
) -> Iterator[OwedReport]:
    before: dict[str, OwedReport] = {}
    for stage in obligation.stages:
        if stage.after:
            first = before[stage.after]
            began_at = first.filings[0].filed_at if first.filings else first.due_at
            after = stage.after.replace("_", " ")
            since = f"the filing of {after}" if first.filings else f"when {after} is due"
        else:
            began_at, since = _counted_from(incident, stage, known)
        key = (obligation.name, stage.name)
        mine = [each for each in incident.response.filings if (each.obligation, each.stage) == key]
        stand = sorted((each for each in mine if each.withdrawn_at is None), key=lambda each: each.filed_at)
        withdrawn = tuple(each for each in mine if each.withdrawn_at is not None)
        before[stage.name] = OwedReport(
            obligation, stage, began_at, since, tuple(stand), withdrawn, time_zone, known.applies
        )
        yield before[stage.name]


def _counted_from(incident: Incident, stage: ReportStage, known: Obligation) -> tuple[Instant, str]:
    if known.counted_from is not None:
        return known.counted_from, f"the time that {known.by} gives"
    match stage.counted_from:
        case "occurrence":
            return incident.occurred_at or incident.opened_at, "the occurrence"
        case "awareness":
            return incident.opened_at, "the awareness"
        case "classification":
            return known.since, "the classification"


def obligations_outstanding(incident: Incident, policy: Policy) -> list[OwedReport]:
    """The reports that are still to be filed; none in an exercise. `policy`: the incident's."""
    return [] if incident.exercise else [each for each in reports(incident, policy) if not each.filings]


def keep_obligations(draft: Draft) -> None:
    """Record each obligation that newly concerns the incident."""
    incident, policy = draft.incident, draft.context.policy_version.policy
    if incident.recorded_only or not incident.is_live:
        return
    known = dict(incident.response.obligations)
    new = {
        each.name: Obligation(draft.now)
        for each in policy.reporting_obligations
        if each.name not in known and concerns(incident, policy, each)
    }
    if not new:
        return
    draft.respond(obligations={**known, **new})
    first: dict[str, OwedReport] = {}
    for report in reports(draft.incident, policy):
        first.setdefault(report.obligation.name, report)
    for name in new:
        each = first[name]
        draft.enter(
            Fact.OBLIGATION_APPLIES,
            obligation=name,
            authority=each.obligation.authority,
            stage=each.stage.name,
            until=each.due_at,
            practised=PRACTISED if draft.incident.exercise else "",
        )


def concerns(incident: Incident, policy: Policy, obligation: ReportingObligation) -> bool:
    """Whether an incident matches an obligation's sections, types and levels.

    Missing-data twins and Tocsin's own alerts never do.
    """
    keys = (key for key in incident.rules if key.rpartition("/")[2] != TWIN)
    return not incident.is_own and any(policy.must_report(obligation, key, incident.level) for key in keys)


def filing_ids(incident: Incident) -> dict[str, Filing]:
    """The incident's filings by id: ``r1``, the position among all, of which none is ever removed."""
    return {f"r{number}": each for number, each in enumerate(incident.response.filings, 1)}


def record(draft: Draft, action: FileReport | WithdrawFiling | JudgeObligation) -> None:
    """Carry out a person's action on obligations. Raises RefusedError."""
    match action:
        case FileReport():
            _file(draft, action)
        case WithdrawFiling():
            _withdraw(draft, action)
        case JudgeObligation():
            _judge(draft, action)


def _file(draft: Draft, action: FileReport) -> None:
    """Raises RefusedError."""
    report = _find(draft, action.obligation, action.stage)
    filed_at = draft.now if action.filed_at is None else action.filed_at
    if filed_at > draft.now:
        raise RefusedError("the report cannot have been filed in the future")
    filing = Filing(
        action.obligation,
        action.stage,
        action.reference,
        filed_at,
        action.by,
        draft.now,
        action.file,
        action.sha256,
    )
    draft.respond(filings=(*draft.incident.response.filings, filing))
    draft.enter(
        Fact.REPORT_FILED,
        action.by,
        obligation=action.obligation,
        stage=action.stage,
        authority=report.obligation.authority,
        reference=action.reference,
        filed=filed_at,
        file=action.file,
        sha256=action.sha256,
        note=action.note,
        practised=PRACTISED if draft.incident.exercise else "",
    )


def _withdraw(draft: Draft, action: WithdrawFiling) -> None:
    """Raises RefusedError."""
    known = filing_ids(draft.incident)
    found = known.get(action.filing)
    if found is None:
        raise RefusedError(f"the incident has no filing {action.filing}; it has {', '.join(known) or 'none'}"[:1000])
    if found.withdrawn_at is not None:
        raise RefusedError(f"{found.withdrawn_by} withdrew {action.filing} already")
    if not action.reason:
        raise RefusedError("withdrawing a filing needs a reason")
    gone = replace(found, withdrawn_by=action.by, withdrawn_at=draft.now, withdrawn_why=action.reason)
    draft.respond(filings=tuple((known | {action.filing: gone}).values()))
    draft.enter(
        Fact.FILING_WITHDRAWN,
        action.by,
        filing=action.filing,
        obligation=found.obligation,
        stage=found.stage,
        reference=found.reference,
        note=action.reason,
        practised=PRACTISED if draft.incident.exercise else "",
    )


def _find(draft: Draft, obligation: str, stage: str) -> OwedReport:
    """Raises RefusedError if the incident has no such report."""
    known = list(reports(draft.incident, draft.context.policy_version.policy))
    found = next((each for each in known if each.obligation.name == obligation and each.stage.name == stage), None)
    if found is None:
        has = ", ".join(each.key for each in known) or "none"
        raise RefusedError(f"the incident has no report {obligation}/{stage} to file; it has {has}"[:1000])
    return found


def _judge(draft: Draft, action: JudgeObligation) -> None:
    """Raises RefusedError."""
    names = [each.name for each in draft.context.policy_version.policy.reporting_obligations]
    if action.obligation not in names:
        has = ", ".join(names) or "none"
        raise RefusedError(f"the incident's policy has no reporting obligation {action.obligation}; it has {has}")
    if action.counted_from is not None and action.counted_from > draft.now:
        raise RefusedError("its time cannot count from the future")
    known = draft.incident.response.obligations
    since = known[action.obligation].since if action.obligation in known else draft.now
    judged = Obligation(since, action.applies, action.by, action.reason, action.counted_from, draft.now)
    draft.respond(obligations={**known, action.obligation: judged})
    verdict = "applies" if action.applies else "does not apply"
    draft.enter(
        Fact.OBLIGATION_JUDGED,
        action.by,
        obligation=action.obligation,
        verdict=verdict,
        counted_from="" if action.counted_from is None else action.counted_from,
        note=action.reason,
    )
