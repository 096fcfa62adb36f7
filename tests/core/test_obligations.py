"""Reporting obligations: which authorities an incident must be reported to, until when, and the evidence that it was."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from receiver.core.events import Close, FileReport, JudgeObligation, SignOff, Tick, WithdrawFiling
from receiver.core.model import Fact, Instant, Kind, Reason, State, Target, Window
from receiver.core.obligations import OwedReport, obligations_outstanding, owed_or_filed, reports
from receiver.messages.timeline import sentence
from receiver.on_call.wall_time import read
from receiver.reports.deadline_outcome import DeadlineResult
from receiver.reports.deadlines_kept import deadlines_of
from receiver.reports.duties_kept import duty_outcomes
from rules.load import load
from rules.policy import HOUR, MINUTE, Closing, Micros, Policy, ReportingObligation, ReportStage, ResponseRole
from rules.stored import dump, parse
from tests.core.alerts import COMPLIANCE, SLO, alert
from tests.core.guide import AVIATION_SECTION, SAFETY_SECTION, WHOLE
from tests.core.test_assignment import INTERNAL
from tests.core.world import World

DAY = 24 * 60
PACKS = Path(__file__).parents[2] / "rules" / "packs" / "obligations"
LEGAL = "legal@company.com"


def stage(name: str, hours: int, **more: object) -> ReportStage:
    """A stage that people are reminded of six hours before."""
    return ReportStage(name, Micros(hours * HOUR), remind_before=Micros(6 * HOUR), **more)


NIS2 = ReportingObligation(
    "nis2",
    "the CSIRT",
    (stage("early_warning", 24, approver=LEGAL), stage("notification", 72), stage("final", 672, after="notification")),
    levels=(3, 4),
)


def with_obligations(*obligations: ReportingObligation, policy: Policy = WHOLE) -> Policy:
    """The guide's policy with these obligations."""
    return replace(policy, reporting_obligations=obligations)


def opened(*obligations: ReportingObligation, rule: str = COMPLIANCE, level: int = 4) -> World:
    """An incident that ada has and works on."""
    world = World(with_obligations(*(obligations or (NIS2,))))
    world.fire("a", level=level, rule=rule)
    world.acknowledge(hold=90 * 24 * HOUR)
    return world


def due(world: World) -> dict[str, float]:
    """When each report is due, in hours from the start."""
    return {each.key: world.since(each.due_at) / 60 for each in reports(world.incident, world.current.policy)}


def final(world: World) -> OwedReport:
    """The last report."""
    return list(reports(world.incident, world.current.policy))[-1]


def outstanding(world: World) -> list[str]:
    """What keeps the incident from closing."""
    return [each.what for each in obligations_outstanding(world.incident, world.current.policy)]


def overdue(world: World) -> list[str]:
    """Which reports were told to be overdue, by the timeline."""
    return [each.data["what"] for each in world.entries(Fact.OVERDUE) if "nis2" in each.data["what"]]


def file(world: World, name: str, obligation: str = "nis2", **more: object) -> object:
    """File a stage's report; the refusal, if it is refused."""
    return world.act(FileReport("ada", obligation, name, "CSIRT-4711", **more))


MATCHES = {
    "no words: every incident": ({}, SLO, 3, True),
    "its level": ({"levels": (3, 4)}, SLO, 3, True),
    "another level": ({"levels": (4,)}, SLO, 3, False),
    "its section": ({"sections": ("incident_response",)}, SLO, 3, True),
    "another section": ({"sections": (AVIATION_SECTION,)}, SLO, 3, False),
    "its type": ({"types": ("slo_violation",)}, SLO, 3, True),
    "its type, another level": ({"types": ("slo_violation",), "levels": (4,)}, SLO, 3, False),
    "a section above its own": ({"sections": (SAFETY_SECTION,)}, f"{AVIATION_SECTION}/engine_failure", 4, True),
    "a section below its own": (
        {"sections": (AVIATION_SECTION,)},
        f"{SAFETY_SECTION}/response_time_violation",
        4,
        False,
    ),
    "a stranger's alert": ({"sections": ("incident_response",)}, "Stranger", 4, False),
    "data that is missing": ({}, "incident_response/signal_lost", 4, False),
}


@pytest.mark.parametrize(("limits", "rule", "level", "has_it"), MATCHES.values(), ids=MATCHES)
def test_sections_types_and_levels_say_which_incidents_have_it(limits, rule, level, has_it):
    """All that is given must be met; a section stands for those under it too."""
    policy = with_obligations(ReportingObligation("o", "a", (stage("s", 72),), **limits))
    world = World(replace(policy, under=((AVIATION_SECTION, SAFETY_SECTION),)))
    world.fire("a", level=level, rule=rule)
    assert ("o" in world.incident.response.obligations) is has_it
    assert bool(world.entries(Fact.OBLIGATION_APPLIES)) is has_it


def test_each_stage_has_its_time():
    """24 and 72 hours from the opening; the last from the filing of the one before, until then from when that is due."""
    world = opened()
    assert due(world) == {"nis2/early_warning": 24, "nis2/notification": 72, "nis2/final": 72 + 672}
    assert final(world).since == "when notification is due"
    world.advance(minutes=48 * 60)
    file(world, "notification")
    assert due(world)["nis2/final"] == 48 + 672
    assert final(world).since == "the filing of notification"


COUNTED = {"occurrence": -30, "awareness": 0, "classification": 120}


@pytest.mark.parametrize(("counted_from", "minutes"), COUNTED.items())
def test_its_time_counts_from_occurrence_awareness_or_classification(counted_from, minutes):
    """When the alert began, when it was opened here, or when the level rose to one that must be reported."""
    obligation = ReportingObligation("o", "a", (stage("s", 24, counted_from=counted_from),), levels=(4,))
    world = World(with_obligations(obligation))
    world.receive(alert("a", 3, SLO, starts_at=Instant(world.now - 30 * MINUTE)))
    world.acknowledge(hold=90 * 24 * HOUR)
    world.advance(minutes=120)
    assert due(world) == {}
    world.change(level=4, reason="worse than thought")
    assert due(world)["o/s"] == 24 + minutes / 60


def test_a_lowered_level_takes_no_duty_away():
    """Whether it must be reported after all, a person says."""
    world = opened()
    world.change(level=2, reason="harmless")
    assert len(outstanding(world)) == 3


def test_a_stage_that_is_not_filed_is_told():
    """Its owner in the threads and its approver by mail are reminded; overdue, they and then every stakeholder hear."""
    world = opened().advance(minutes=25 * 60)
    soon, late = (
        [each for each in world.planned(Kind.REMINDER, reason) if "duty" in each.data]
        for reason in (Reason.DUE, Reason.OVERDUE)
    )
    assert {(world.since(each.created_at) / 60, each.recipient) for each in soon} == {
        (18, "incident-response@company.com"),
        (18, "#incident-response"),
        (18, LEGAL),
    }
    assert {each.data["whom"] for each in soon} == {f"ada, {LEGAL}"}
    at_once = {each.recipient for each in late if world.since(each.created_at) == DAY}
    assert at_once == {"incident-response@company.com", "#incident-response", LEGAL}
    later = [Target(each.channel, each.recipient) for each in late if world.since(each.created_at) == DAY + 5]
    assert later == INTERNAL
    assert overdue(world) == ["early warning to the CSIRT (nis2)"]


def test_an_approver_may_be_a_role():
    """The reminder names the people who hold the role."""
    obligation = replace(NIS2, stages=(stage("early_warning", 24, approver="counsel"),))
    policy = replace(with_obligations(obligation), roles=(ResponseRole("counsel"),))
    world = World(policy)
    world.fire("a", level=4, rule=COMPLIANCE)
    world.acknowledge(hold=90 * 24 * HOUR)
    world.advance(minutes=18 * 60)
    assert {each.data["whom"] for each in world.planned(Kind.REMINDER, Reason.DUE)} == {"ada, counsel"}


def test_a_filing_is_evidence():
    """Number, date, file and its hash are kept with who recorded it and when, and stand in the timeline."""
    world = opened().advance(minutes=600)
    assert file(world, "early_warning", filed_at=Instant(world.now - HOUR), file="ew.pdf", sha256="ab" * 32) is None
    [filing] = world.incident.response.filings
    assert (filing.reference, world.since(filing.filed_at), filing.by) == ("CSIRT-4711", 540, "ada")
    assert (filing.file, filing.sha256, world.since(filing.at)) == ("ew.pdf", "ab" * 32, 600)
    [entry] = world.entries(Fact.REPORT_FILED)
    assert (entry.by, entry.data["reference"], entry.data["sha256"]) == ("ada", "CSIRT-4711", "ab" * 32)
    world.advance(minutes=DAY)
    assert overdue(world) == []


def test_a_second_filing_is_kept_beside_the_first():
    """An amendment overwrites nothing: the first counts for the deadline."""
    world = opened()
    file(world, "early_warning")
    world.advance(minutes=30 * 60)
    file(world, "early_warning", note="amended")
    assert [world.since(each.at) for each in world.incident.response.filings] == [0, 1800]
    assert overdue(world) == []


REFUSED = {
    "no such stage": (FileReport("ada", "nis2", "progress", "1"), "it has nis2/early_warning"),
    "no such obligation": (FileReport("ada", "gdpr", "early_warning", "1"), "it has nis2/early_warning"),
    "in the future": (FileReport("ada", "nis2", "final", "1", Instant(2**60)), "in the future"),
    "judged, and unknown": (JudgeObligation("ada", "gdpr", True, "counsel"), "it has nis2"),
    "counted from the future": (JudgeObligation("ada", "nis2", True, "x", Instant(2**60)), "from the future"),
}


@pytest.mark.parametrize(("action", "says"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused(action, says):
    """With words that say what there is."""
    world = opened()
    assert says in world.act(action).reason
    assert world.incident.response.filings == ()


def test_a_person_says_that_it_does_not_apply():
    """With a reason; no reminder is sent, nothing is outstanding, and it can be taken back."""
    world = opened()
    assert world.act(JudgeObligation("eve", "nis2", False, "not significant: counsel, 26 November")) is None
    assert outstanding(world) == []
    world.advance(minutes=3 * DAY)
    assert overdue(world) == []
    world.act(JudgeObligation("eve", "nis2", True, "significant after all"))
    assert len(outstanding(world)) == 3
    assert [each.data["verdict"] for each in world.entries(Fact.OBLIGATION_JUDGED)] == ["does not apply", "applies"]


def test_what_was_filed_stays_filed():
    """Judged not to apply after reports were filed, filings and deadlines stay on record; nothing more is owed."""
    world = opened().advance(minutes=25 * 60)
    file(world, "early_warning")
    world.act(JudgeObligation("eve", "nis2", False, "not significant, says the CSIRT"))
    assert outstanding(world) == []
    [kept] = owed_or_filed(world.incident, world.current.policy)
    assert (kept.key, kept.is_owed, kept.filings[0].reference) == ("nis2/early_warning", False, "CSIRT-4711")
    [deadline] = [
        each for each in duty_outcomes(world.incident, world.timeline, world.current, world.now) if "nis2" in each.name
    ]
    assert (deadline.result, deadline.late) == (DeadlineResult.BREACHED, HOUR)
    assert world.incident.response.obligations["nis2"].judged_at == world.now


def test_a_person_says_that_it_applies():
    """To an incident that the policy does not have it for, counted from when that person says."""
    world = opened(rule=SLO, level=2)
    assert outstanding(world) == []
    since = Instant(world.now - HOUR)
    world.act(JudgeObligation("eve", "nis2", True, "customers' data", since))
    assert due(world)["nis2/early_warning"] == 23
    [entry] = world.entries(Fact.OBLIGATION_JUDGED)
    said = sentence(entry, lambda at: f"{World.since(at):.0f} min")
    assert said == "the reporting obligation nis2 applies, counted from -60 min (customers' data)"


def test_an_outstanding_duty_keeps_the_incident_from_closing():
    """After the monitoring it stays resolved, and says what is not filed; filed, it closes."""
    world = opened(replace(NIS2, stages=NIS2.stages[:1]), rule=SLO, level=3)
    world.use(replace(world.current.policy, closing=Closing(None, sign_off_from=None)))
    world.replan()
    world.clear("a")
    world.advance(minutes=DAY + 30)
    assert world.incident.state is State.RESOLVED
    [entry] = world.entries(Fact.KEPT_OPEN)
    assert entry.data["missing"] == "the early warning to the CSIRT (nis2) is not filed"
    assert file(world, "early_warning") is None
    assert world.incident.state is State.CLOSED


def test_nobody_is_reminded_daily_of_a_report_that_is_not_due():
    """All else is done: that it stays open is told once, then the report's own clock reminds; overdue, people hear daily."""
    world = opened(replace(NIS2, stages=(stage("final", 20 * 24),)), rule=SLO, level=3)
    world.use(replace(world.current.policy, closing=Closing(None, sign_off_from=None)))
    world.replan()
    world.clear("a")
    world.advance(minutes=19 * DAY)
    assert len(world.entries(Fact.KEPT_OPEN)) == 1
    world.advance(minutes=4 * DAY)
    assert len(world.entries(Fact.KEPT_OPEN)) == 4
    assert file(world, "final") is None
    assert world.incident.state is State.CLOSED


def test_duties_outlive_the_incident():
    """Closed by hand, with a reason, the notification is still reminded of and can still be filed."""
    world = opened()
    world.clear("a")
    world.advance(minutes=10)
    world.resolve()
    assert world.act(Close("ada", "moved to another tracker")) is None
    assert world.incident.state is State.CLOSED
    assert Window.DUTY in world.incident.windows
    world.advance(minutes=4 * DAY)
    assert "notification to the CSIRT (nis2)" in overdue(world)
    assert file(world, "notification") is None
    assert "notification to the CSIRT (nis2)" not in outstanding(world)


def test_what_is_found_out_after_the_end_is_reminded_of():
    """An obligation declared for a closed incident has a clock that runs from the declaration."""
    world = opened(rule=SLO, level=2)
    world.clear("a")
    world.advance(minutes=2 * DAY)
    assert world.incident.state is State.CLOSED
    world.act(JudgeObligation("eve", "nis2", True, "it was an attack", world.now))
    world.advance(minutes=DAY)
    assert overdue(world) == ["early warning to the CSIRT (nis2)"]


def test_it_is_outstanding_until_it_is_filed():
    """What keeps an incident from closing, in words; an exercise owes no authority anything."""
    world = opened()
    assert outstanding(world) == [
        "early warning to the CSIRT (nis2)",
        "notification to the CSIRT (nis2)",
        "final to the CSIRT (nis2)",
    ]
    for name in ("early_warning", "notification", "final"):
        file(world, name)
    assert outstanding(world) == []
    drill = World(with_obligations(NIS2))
    drill.declare("compliance_violation", exercise=True)
    assert list(due(drill)) == ["nis2/early_warning", "nis2/notification", "nis2/final"]
    assert outstanding(drill) == []


def test_an_exercise_that_is_over_has_no_report_that_runs():
    """Its practised reports are not owed: the report does not say that their deadlines run."""
    drill = World(with_obligations(NIS2))
    drill.declare("compliance_violation", exercise=True)
    drill.resolve()
    outcomes = duty_outcomes(drill.incident, drill.timeline, drill.current, drill.now)
    assert {each.result for each in outcomes if "nis2" in each.name} == {DeadlineResult.NOT_NEEDED}


def test_a_recurrence_is_reported_once():
    """Back again, the filed report stays filed and no clock begins anew."""
    world = opened()
    file(world, "early_warning")
    world.clear("a")
    world.advance(minutes=10)
    world.resolve()
    world.advance(minutes=5)
    world.fire("a", level=4, rule=COMPLIANCE)
    assert due(world)["nis2/notification"] == 72
    assert len(outstanding(world)) == 2


def test_ticking_and_filing_do_not_disturb_each_other():
    """A step ticked leaves the report's clock as it is."""
    world = opened().advance(minutes=20 * 60)
    before = world.incident.response.duties
    assert before["nis2/early_warning"].reminded
    world.act(Tick("ada", "initial_response.1"))
    assert world.incident.response.duties == before


MONTHS = {
    "the same day and time": ("2026-11-26T23:30", 1, "2026-12-26T23:30"),
    "the last day where there is no such day": ("2026-01-31T10:00", 1, "2026-02-28T10:00"),
    "of a leap year": ("2028-01-31T10:00", 1, "2028-02-29T10:00"),
    "over the change of clocks": ("2026-03-20T10:00", 1, "2026-04-20T10:00"),
    "three": ("2026-11-30T10:00", 3, "2027-02-28T10:00"),
}


@pytest.mark.parametrize(("filed", "months", "until"), MONTHS.values(), ids=MONTHS)
def test_a_month_is_one_of_the_calendar_in_the_policys_zone(filed, months, until):
    """Not 28 days: the same date and time on clocks there, and the month's last day where it has no such date."""
    last = ReportStage("final", Micros(0), after="first", months=months)
    obligation = ReportingObligation("o", "a", (stage("first", 72), last))
    policy = replace(with_obligations(obligation), time_zone="Europe/Berlin")
    world = World(policy)
    world.now = Instant(read(filed, "Europe/Berlin") - HOUR)
    world.fire("a", level=4, rule=COMPLIANCE)
    world.acknowledge(hold=400 * 24 * HOUR)
    world.now = Instant(world.now + HOUR)
    file(world, "first", "o")
    owed = {each.key: each.due_at for each in reports(world.incident, policy)}
    assert owed["o/final"] == read(until, "Europe/Berlin")
    assert world.incident.response.duties["o/final"].due_at == owed["o/final"]


def test_what_was_stored_with_28_days_keeps_them():
    """An open incident goes on under the version that it opened under, whose document knows no months."""
    [nis2] = load([PACKS / "nis2.yaml"]).reporting_obligations
    assert [(each.within, each.months) for each in nis2.stages][-1] == (0, 1)
    older = json.loads(dump(with_obligations(NIS2)))
    for each in older["reporting_obligations"][0]["stages"]:
        del each["months"]
    [kept] = parse(json.dumps(older).encode()).reporting_obligations
    assert [(each.within // HOUR, each.months) for each in kept.stages] == [(24, 0), (72, 0), (672, 0)]


def test_deadlines_are_told_in_the_laws_units():
    """A limit keeps the unit it is written in: 72 hours, 3 days, 3 months; also where it is overdue."""
    stages = (
        ReportStage("first", Micros(72 * HOUR), written="72h"),
        ReportStage("second", Micros(72 * HOUR), written="3d"),
        ReportStage("last", Micros(0), months=3),
    )
    world = opened(ReportingObligation("o", "a", stages))
    world.advance(minutes=5 * DAY)
    deadlines = deadlines_of(world.incident, world.timeline, world.context().policy_version, world.now)
    assert [each.set_to for each in deadlines if "(o)" in each.name] == ["72 hours", "3 days", "3 months"]
    late = [each.data["limit"] for each in world.entries(Fact.OVERDUE) if "(o)" in each.data["what"]]
    assert late == ["(limit 72 hours)", "(limit 3 days)"]


def test_a_filing_recorded_by_mistake_is_withdrawn():
    """Who, when and why is kept with it; its report is outstanding again, with its own due time and all reminders."""
    world = opened()
    file(world, "early_warning")
    world.advance(minutes=12 * 60)
    assert world.act(WithdrawFiling("eve", "r1", "that was the notification")) is None
    [filing] = world.incident.response.filings
    assert (filing.withdrawn_by, world.since(filing.withdrawn_at)) == ("eve", 720)
    [entry] = world.entries(Fact.FILING_WITHDRAWN)
    assert sentence(entry) == "not filed after all: early_warning of nis2, CSIRT-4711 (that was the notification)"
    assert outstanding(world)[0] == "early warning to the CSIRT (nis2)"
    assert due(world)["nis2/early_warning"] == 24
    world.advance(minutes=13 * 60)
    assert world.since(next(each.created_at for each in world.planned(Kind.REMINDER, Reason.DUE))) == 18 * 60
    assert overdue(world) == ["early warning to the CSIRT (nis2)"]


def test_a_late_withdrawal_is_overdue_at_once():
    """After the due time the deadline is breached, not kept, and that it is late is told at once."""
    world = opened()
    file(world, "early_warning")
    world.advance(minutes=30 * 60)
    world.act(WithdrawFiling("eve", "r1", "never sent"))
    world.advance(minutes=1)
    assert overdue(world) == ["early warning to the CSIRT (nis2)"]
    outcomes = duty_outcomes(world.incident, world.timeline, world.current, world.now)
    assert next(each.result for each in outcomes if "early warning" in each.name) is DeadlineResult.BREACHED


def test_a_withdrawn_filing_begins_no_further_stage():
    """What counts from a filing counts from one that stands: the earliest; without one, from when it is due."""
    world = opened().advance(minutes=48 * 60)
    file(world, "notification")
    file(world, "notification", filed_at=Instant(world.now - HOUR))
    assert due(world)["nis2/final"] == 47 + 672
    world.act(WithdrawFiling("eve", "r2", "not sent"))
    assert due(world)["nis2/final"] == 48 + 672
    world.act(WithdrawFiling("eve", "r1", "nor this"))
    assert due(world)["nis2/final"] == 72 + 672
    assert world.incident.response.duties["nis2/final"].due_at == final(world).due_at


def test_two_filings_that_are_alike_are_withdrawn_one_by_one():
    """Recorded twice by a double click, each has an id of its own."""
    world = opened()
    file(world, "early_warning")
    file(world, "early_warning")
    world.act(WithdrawFiling("eve", "r2", "twice"))
    assert [each.withdrawn_by for each in world.incident.response.filings] == ["", "eve"]
    assert "early warning" not in " ".join(outstanding(world))


def test_a_withdrawal_voids_the_signature_and_revises_the_report():
    """What was signed, and reported to the board, had every report filed."""
    reports_to = replace(WHOLE.reports, recipients=("board@company.com",))
    policy = replace(WHOLE, reports=reports_to, closing=replace(Closing(), sign_off_from=4, from_level=None))
    world = World(with_obligations(replace(NIS2, stages=NIS2.stages[:1]), policy=policy))
    world.fire("a", level=4, rule=COMPLIANCE)
    world.acknowledge()
    file(world, "early_warning")
    world.clear("a")
    world.advance(minutes=10)
    world.resolve()
    assert world.act(SignOff("eve")) is None
    world.advance(minutes=3 * DAY)
    assert world.incident.state is State.CLOSED
    world.act(WithdrawFiling("ada", "r1", "another incident's"))
    assert world.incident.response.signed_off_by == ""
    world.advance(minutes=DAY)
    [_, revised] = world.planned(Kind.REPORT)
    assert revised.data["changed"] == "reports to authorities"
    assert overdue(world) == ["early warning to the CSIRT (nis2)"]


NOT_WITHDRAWN = {
    "unknown": (WithdrawFiling("eve", "r9", "x"), "the incident has no filing r9; it has r1"),
    "without a reason": (WithdrawFiling("eve", "r1", ""), "needs a reason"),
}


@pytest.mark.parametrize(("action", "says"), NOT_WITHDRAWN.values(), ids=NOT_WITHDRAWN)
def test_what_cannot_be_withdrawn(action, says):
    """With words that say what there is; once is enough."""
    world = opened()
    file(world, "early_warning")
    assert says in world.act(action).reason
    world.act(WithdrawFiling("eve", "r1", "a mistake"))
    assert world.act(WithdrawFiling("ada", "r1", "a mistake")).reason == "eve withdrew r1 already"
